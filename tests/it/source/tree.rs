//! The files of the repository, read once, as the rules see them.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use super::lexer::{self, Token};

/// Files of ours are text and far smaller; a larger one is data.
const LARGEST: u64 = 2 * 1024 * 1024;

/// One text file.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text without comments and the insides of literals; as the text is for what is not Rust.
    pub(crate) code: String,
    /// The code without test code: blank for a test file.
    pub(crate) shipped: String,
}

impl SourceFile {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The part of the path behind a folder, for files that lie in it.
    pub(crate) fn below(&self, folder: &str) -> Option<&str> {
        self.path.strip_prefix(folder)?.strip_prefix('/')
    }

    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The folder of the crate, or the first folder.
    pub(crate) fn krate(&self) -> &str {
        self.path.split('/').next().unwrap_or(&self.path)
    }

    /// Whether the file lies in a folder of this name.
    pub(crate) fn within(&self, folder: &str) -> bool {
        self.path.rsplit_once('/').is_some_and(|(folders, _)| folders.split('/').any(|part| part == folder))
    }

    /// Tokens of everything but comments and literals.
    pub(crate) fn tokens(&self) -> Vec<Token<'_>> {
        lexer::tokens(&self.code)
    }

    /// Tokens of what is neither test nor comment nor literal.
    pub(crate) fn shipped_tokens(&self) -> Vec<Token<'_>> {
        lexer::tokens(&self.shipped)
    }

    /// Tokens of the test code alone.
    pub(crate) fn test_tokens(&self) -> Vec<Token<'_>> {
        let shipped = self.shipped.as_bytes();
        self.tokens().into_iter().filter(|token| shipped[token.at] == b' ').collect()
    }
}

/// A `Cargo.toml` that describes a package, in as much as the rules ask of it.
#[derive(Debug)]
pub(crate) struct Manifest<'a> {
    pub(crate) package: &'a str,
    entries: Vec<Entry<'a>>,
}

/// One `key = value` of a manifest.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) table: &'a str,
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
    pub(crate) line: usize,
}

impl<'a> Manifest<'a> {
    /// Nothing for other files and for the manifest of the workspace.
    pub(crate) fn read(file: &'a SourceFile) -> Option<Self> {
        if file.name() != "Cargo.toml" {
            return None;
        }
        let mut entries = Vec::new();
        let mut table = "";
        for (i, line) in file.text.lines().enumerate() {
            let line = line.trim();
            if let Some(header) = line.strip_prefix('[') {
                table = header.split(']').next().unwrap_or(header).trim_matches('[');
                // `[dependencies.name]` is an entry in itself.
                entries.push(Entry { table, key: "", value: "", line: i + 1 });
            } else if let Some((key, value)) = line.split_once('=')
                && !line.starts_with('#')
            {
                entries.push(Entry { table, key: key.trim(), value: value.trim(), line: i + 1 });
            }
        }
        let package = entries.iter().find(|entry| entry.table == "package" && entry.key == "name")?;
        Some(Self { package: package.value.trim_matches('"'), entries })
    }

    pub(crate) fn entries(&self) -> &[Entry<'a>] {
        &self.entries
    }
}

/// The repository: every text file but `target`, `node_modules` and what is hidden.
pub(crate) static TREE: LazyLock<Vec<SourceFile>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
    let mut texts = Vec::new();
    walk(root, "", &mut texts);
    sources(texts)
});

/// Makes the rules' view of (path, text).
pub(crate) fn sources(texts: Vec<(String, String)>) -> Vec<SourceFile> {
    let mut files: Vec<_> = texts.into_iter().map(|(path, text)| source(path, text)).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));

    let test_modules: Vec<String> = files
        .iter()
        .filter(|file| file.is_rust())
        .flat_map(|file| {
            let folder = match file.name() {
                "mod.rs" | "lib.rs" | "main.rs" => file.path.rsplit_once('/').map_or("", |(folder, _)| folder),
                _ => file.path.trim_end_matches(".rs"),
            };
            lexer::test_modules(&file.code).into_iter().map(move |name| format!("{folder}/{name}"))
        })
        .collect();
    for file in &mut files {
        let is_test = test_modules.iter().any(|module| {
            let rest = file.path.strip_prefix(module.as_str());
            rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        });
        if is_test {
            file.shipped = nothing(&file.code);
        }
    }
    files
}

fn source(path: String, text: String) -> SourceFile {
    let mut file = SourceFile { path, code: text.clone(), shipped: text.clone(), text };
    if file.is_rust() {
        file.code = lexer::code(&file.text);
        let is_test = file.within("tests") || file.name() == "tests.rs";
        file.shipped = if is_test { nothing(&file.code) } else { lexer::shipped(&file.code) };
    }
    file
}

fn nothing(code: &str) -> String {
    code.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

fn walk(folder: &Path, path: &str, texts: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let entry = entry.expect("a folder can be read to its end");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        let Ok(kind) = entry.file_type() else { continue };
        if name.starts_with('.') || name == "target" || name == "node_modules" {
            continue;
        } else if kind.is_dir() {
            walk(&entry.path(), &path, texts);
        } else if kind.is_file() && entry.metadata().is_ok_and(|data| data.len() <= LARGEST) {
            // What is not text is not ours to read; a file may also vanish between the two calls.
            if let Ok(text) = fs::read_to_string(entry.path()) {
                texts.push((path, text));
            }
        }
    }
}

#[test]
fn test_files_are_told_by_place_and_by_declaration() {
    let texts = [
        ("a/src/lib.rs", "#[cfg(test)] mod proofs; mod b; fn f() {}"),
        ("a/src/proofs.rs", "fn f() {}"),
        ("a/src/proofs/more.rs", "fn f() {}"),
        ("a/src/b.rs", "#[cfg(test)] mod inner;"),
        ("a/src/b/inner.rs", "fn f() {}"),
        ("a/src/b/tests.rs", "fn f() {}"),
        ("a/tests/it.rs", "fn f() {}"),
        ("a/src/proofs_of_love.rs", "fn f() {}"),
    ];
    let files = sources(texts.map(|(path, text)| (path.to_owned(), text.to_owned())).to_vec());
    let shipped: Vec<_> =
        files.iter().filter(|file| file.shipped.contains("fn")).map(|file| file.path.as_str()).collect();
    assert_eq!(shipped, ["a/src/lib.rs", "a/src/proofs_of_love.rs"]);
}
