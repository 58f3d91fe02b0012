//! What the README shows is what is there.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// The fenced blocks of one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_endpoint_in_the_readme_is_the_one_in_the_code() {
    let shown = blocks(&read("README.md"), "rust");
    assert_eq!(shown.len(), 1);
    let code = read("bff-mobile/src/endpoints/product_page.rs");
    assert!(code.contains(&shown[0]), "README.md shows\n{}", shown[0]);
    assert!(shown[0].lines().count() <= 15);
}

#[test]
fn the_files_that_the_readme_names_are_there() {
    let text = read("README.md") + &read("ARCHITECTURE.md");
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    for link in links.filter(|link| !link.contains("://")) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(link);
        assert!(path.exists(), "{link}");
    }
}

#[test]
fn every_endpoint_that_the_readme_names_is_in_an_api_document() {
    let documents: Vec<String> = ["mobile", "web", "partner"].map(|name| read(&format!("openapi/{name}.json"))).into();
    let readme = read("README.md");
    let row = readme.lines().find(|line| line.starts_with("| screens |")).unwrap();
    for (cell, document) in row.split('|').skip(2).zip(&documents) {
        let paths = cell.split('`').filter(|word| word.starts_with('/'));
        for path in paths {
            assert!(document.contains(&format!("\"{path}\": {{")), "{path}");
        }
    }
}
