//! Just enough of Rust's lexical grammar to tell code from comments, literals and test code.
//!
//! Every function that blanks something keeps line breaks and byte positions, so that a line number found in the
//! blanked text is a line number of the file.

/// A name, a number, a lifetime, `::`, `->`, `=>`, or one other character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    /// Counted from 1.
    pub(crate) line: usize,
    /// Byte position of the first character.
    pub(crate) at: usize,
}

impl Token<'_> {
    pub(crate) fn is_name(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// The text without comments and without the insides of string and character literals.
///
/// A string stays as a pair of quotes, a character literal leaves nothing.
pub(crate) fn code(text: &str) -> String {
    let mut out = text.as_bytes().to_vec();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let end = at + literal_or_comment(text, at).unwrap_or(0);
        if end > at {
            blank(&mut out, at, end);
            if string_prefix(rest).is_some() {
                out[at] = b'"';
                out[end - 1] = b'"';
            }
            at = end;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    String::from_utf8(out).expect("only whole characters are blanked")
}

/// `code` without the items under `#[cfg(test)]`; nothing at all for a file under `#![cfg(test)]`.
pub(crate) fn shipped(code: &str) -> String {
    let mut out = code.as_bytes().to_vec();
    let tokens = tokens(code);
    let mut i = 0;
    while i < tokens.len() {
        let Some(inside) = attribute(&tokens, i) else {
            i += 1;
            continue;
        };
        let end = inside.end + 1;
        if !is_cfg_test(&tokens[inside.clone()]) {
            i = end;
        } else if tokens[i + 1].text == "!" {
            blank(&mut out, 0, code.len());
            break;
        } else {
            let after = end_of_item(&tokens, end);
            let last = tokens[after - 1];
            blank(&mut out, tokens[i].at, last.at + last.text.len());
            i = after;
        }
    }
    String::from_utf8(out).expect("only whole characters are blanked")
}

/// Names of the modules declared as `#[cfg(test)] mod name;`: their files are test files.
pub(crate) fn test_modules(code: &str) -> Vec<String> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    for i in 0..tokens.len() {
        if let Some(inside) = attribute(&tokens, i)
            && is_cfg_test(&tokens[inside.clone()])
        {
            let item = &tokens[inside.end + 1..end_of_item(&tokens, inside.end + 1)];
            if let [.., word, name, end] = item
                && word.text == "mod"
                && end.text == ";"
            {
                found.push(name.text.to_owned());
            }
        }
    }
    found
}

/// The tokens of text that went through [`code`].
pub(crate) fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(first) = code[at..].chars().next() {
        let rest = &code[at..];
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let word = |from: usize| from + rest[from..].find(|c| !is_word(c)).unwrap_or(rest.len() - from);
        let length = match first {
            '\'' => word(1),
            c if is_word(c) => word(0),
            _ if ["::", "->", "=>"].iter().any(|pair| rest.starts_with(pair)) => 2,
            c => c.len_utf8(),
        };
        if !first.is_whitespace() {
            found.push(Token { text: &rest[..length], line, at });
        }
        line += usize::from(first == '\n');
        at += length;
    }
    found
}

/// Whether `tokens[at..]` begins with these words.
pub(crate) fn reads(tokens: &[Token<'_>], at: usize, words: &[&str]) -> bool {
    words.iter().enumerate().all(|(i, word)| tokens.get(at + i).is_some_and(|token| token.text == *word))
}

/// The inside of the attribute (`#[…]` or `#![…]`) that begins at `tokens[at]`; its end is the closing bracket.
pub(crate) fn attribute(tokens: &[Token<'_>], at: usize) -> Option<std::ops::Range<usize>> {
    let open = if reads(tokens, at, &["#", "["]) {
        at + 1
    } else if reads(tokens, at, &["#", "!", "["]) {
        at + 2
    } else {
        return None;
    };
    let close = closing(tokens, open);
    (tokens[close].text == "]").then_some(open + 1..close)
}

/// The tokens that are not part of an attribute.
pub(crate) fn without_attributes<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut kept = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if let Some(inside) = attribute(tokens, i) {
            i = inside.end + 1;
        } else {
            kept.push(tokens[i]);
            i += 1;
        }
    }
    kept
}

/// The place of the bracket that closes the one at `tokens[open]`; the last token where none does.
pub(crate) fn closing(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return i;
        }
    }
    tokens.len() - 1
}

/// The place behind the item that begins at `tokens[at]`, its further attributes included.
fn end_of_item(tokens: &[Token<'_>], mut at: usize) -> usize {
    while let Some(inside) = attribute(tokens, at) {
        at = inside.end + 1;
    }
    while at < tokens.len() {
        match tokens[at].text {
            ";" => return at + 1,
            "{" => return closing(tokens, at) + 1,
            "(" | "[" => at = closing(tokens, at) + 1,
            _ => at += 1,
        }
    }
    tokens.len()
}

/// `cfg(test)` and `cfg(all(test, …))`; an `any(test, …)` is shipped to somebody.
fn is_cfg_test(inside: &[Token<'_>]) -> bool {
    reads(inside, 0, &["cfg", "(", "test", ")"])
        || (reads(inside, 0, &["cfg", "(", "all", "("]) && inside.iter().any(|token| token.text == "test"))
}

fn blank(out: &mut [u8], from: usize, to: usize) {
    for byte in &mut out[from..to] {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// The length of the comment or literal that begins at `at`.
fn literal_or_comment(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    let within_word = text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    if let Some((prefix, hashes)) = string_prefix(rest)
        && (!within_word || prefix == 0)
    {
        let open = prefix + hashes.unwrap_or(0) + 1;
        return Some(match hashes {
            Some(hashes) => {
                let close = format!("\"{}", "#".repeat(hashes));
                rest[open..].find(&close).map_or(rest.len(), |end| open + end + close.len())
            }
            None => quoted(rest, open, '"'),
        });
    }
    let inside = rest.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    if first == '\\' {
        return Some(quoted(rest, 1, '\''));
    }
    inside[first.len_utf8()..].starts_with('\'').then_some(first.len_utf8() + 2)
}

/// Length of the prefix (`b`, `c`, `r`, `br`, `cr`) of a string literal, and its number of `#` if it is a raw one.
fn string_prefix(rest: &str) -> Option<(usize, Option<usize>)> {
    let letters = rest.find(|c| !matches!(c, 'b' | 'c' | 'r'))?;
    let hashes = rest[letters..].find(|c| c != '#')?;
    let opens = rest[letters + hashes..].starts_with('"');
    match &rest[..letters] {
        "" | "b" | "c" if opens && hashes == 0 => Some((letters, None)),
        "r" | "br" | "cr" if opens => Some((letters, Some(hashes))),
        _ => None,
    }
}

fn quoted(rest: &str, from: usize, close: char) -> usize {
    let mut escaped = false;
    for (i, c) in rest.char_indices().skip_while(|(i, _)| *i < from) {
        if !escaped && c == close {
            return i + 1;
        }
        escaped = !escaped && c == '\\';
    }
    rest.len()
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

#[test]
fn comments_and_literals_leave_the_code() {
    let check = |text: &str, expect: &str| {
        let code = code(text);
        assert_eq!(code.len(), text.len(), "{text}");
        assert_eq!(code.lines().count(), text.lines().count(), "{text}");
        assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), expect, "{text}");
    };
    check("a // b\nc", "a c");
    check("a /* b /* c */ d */ e", "a e");
    check(r#"a("b \" c", d)"#, r#"a(" ", d)"#);
    check(r##"a(r#"b " c"#, d)"##, r#"a(" ", d)"#);
    check("a(r\"\\\", b\"\\\"c\", br#\"d\"#)", r#"a(" ", " ", " ")"#);
    check("a('\"', '\\'', 'ö', b'\\\\') // b", "a( , , , b )");
    check("fn a<'b>(c: &'b str, d: &'static str)", "fn a<'b>(c: &'b str, d: &'static str)");
    check("let r#type = \"ä\"; bar\"x\"", "let r#type = \" \"; bar\" \"");
    check("a(\"// b\") /* \" */ c", "a(\" \") c");
    check("a \"b\n c\" d", "a \" \" d");
}

#[test]
fn test_code_is_not_shipped() {
    let check = |text: &str, expect: &str| {
        let shipped = shipped(&code(text));
        assert_eq!(shipped.len(), text.len(), "{text}");
        assert_eq!(shipped.split_whitespace().collect::<Vec<_>>().join(" "), expect, "{text}");
    };
    check("a; #[cfg(test)] mod tests { fn b() { c } } d", "a; d");
    check("#[cfg(test)]\n#[path = \"x\"]\nmod tests; d", "d");
    check("#[cfg(test)] fn a(b: [u8; 2]) { c } d", "d");
    check("#[cfg(all(test, unix))] use a; #[cfg(any(test, unix))] use b;", "#[cfg(any(test, unix))] use b;");
    check("#![cfg(test)] fn a() {}", "");
    check("a #[", "a #[");
    check("a #[cfg(test)]", "a");
    check("#[cfg(test)] #[derive(A)] struct B { c: D } e", "e");
    assert_eq!(
        test_modules("mod a; #[cfg(test)] mod b; #[cfg(test)] pub(crate) mod c; #[cfg(test)] mod d {}"),
        ["b", "c"]
    );
}

#[test]
fn tokens_know_their_line() {
    let read: Vec<_> = tokens("use a::{b};\n\n'a 1_0->c").into_iter().map(|token| (token.text, token.line)).collect();
    assert_eq!(
        read,
        [
            ("use", 1),
            ("a", 1),
            ("::", 1),
            ("{", 1),
            ("b", 1),
            ("}", 1),
            (";", 1),
            ("'a", 3),
            ("1_0", 3),
            ("->", 3),
            ("c", 3)
        ]
    );
}
