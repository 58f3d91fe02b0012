//! The committed API documents are those that the code makes.

use std::fs;

use bff_core::Bff;
use bff_core::openapi::{compare, render};
use bff_core::testing::Builder;
use bff_core::upstream::Clients;

use crate::bffs::{Kept, for_each_bff};

for_each_bff!(is_committed);

async fn is_committed<Upstreams: Clients>(bff: Bff<Upstreams>, kept: Kept) {
    let app = Builder::new(bff).unwrap().build().await.unwrap().app;
    let made = render(&app.document);
    let committed = fs::read_to_string(kept.document()).unwrap_or_default();
    let remedy = format!("cargo run -p bff-{0} -- openapi > openapi/{0}.json", kept.name);
    if let Err(difference) = compare(&committed, &made) {
        panic!("openapi/{}.json is not what the code makes; if that is meant: {remedy}\n{difference}", kept.name);
    }
    assert_eq!(committed, made, "the same document, written differently; {remedy}");
}
