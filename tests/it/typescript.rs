//! Types generated from the web BFF's API document, under a strict compiler: a small client compiles, and one that
//! reads an optional part without looking does not. Runs where node is present.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Says why nothing was shown, so that nobody takes the silence for a pass.
#[allow(clippy::print_stderr)]
fn skipped(why: &str) {
    eprintln!("SKIPPED: no TypeScript client was compiled: {why}");
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("typescript")
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> std::io::Result<Output> {
    Command::new(program).args(arguments).current_dir(folder).output()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_client_must_look_before_it_reads_an_optional_part() {
    // Outside the source tree, where cargo keeps what tests make.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("typescript");
    fs::create_dir_all(&folder).unwrap();
    for file in ["package.json", ".npmrc", "tsconfig.json", "client.ts", "unchecked.ts"] {
        fs::copy(source().join(file), folder.join(file)).unwrap();
    }
    match run(&folder, "npm", &["install", "--no-progress", "--silent"]) {
        Err(error) => return skipped(&format!("npm: {error}")),
        Ok(output) if !output.status.success() => return skipped(&said(&output)),
        Ok(_) => {}
    }
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi/web.json");
    let document = document.to_str().unwrap();
    let bin = folder.join("node_modules/.bin");
    let program = |name: &str| bin.join(name).to_str().unwrap().to_owned();
    let generated = run(&folder, &program("openapi-typescript"), &[document, "-o", "web.d.ts"]).unwrap();
    assert!(generated.status.success(), "{}", said(&generated));
    let compiled = run(&folder, &program("tsc"), &["-p", "tsconfig.json"]).unwrap();
    assert!(compiled.status.success(), "{}", said(&compiled));

    let strict = ["--strict", "--noEmit", "--target", "es2022", "--moduleResolution", "bundler", "--module", "esnext"];
    let unchecked = run(&folder, &program("tsc"), &[&strict[..], &["unchecked.ts"]].concat()).unwrap();
    let said = said(&unchecked);
    assert!(!unchecked.status.success() && said.contains("is possibly 'null'"), "{said}");
}
