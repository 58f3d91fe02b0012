//! The BFFs that everything here is done to. A new one gets its three lines.

use std::path::{Path, PathBuf};

use bff_core::config::Settings;

/// What is kept in the repository about one BFF.
#[derive(Clone, Copy)]
pub(crate) struct Kept {
    /// Its name.
    pub(crate) name: &'static str,
    /// `config/<name>.toml`.
    pub(crate) config: &'static str,
}

impl Kept {
    /// The configuration, as it runs against the mocks.
    pub(crate) fn settings(self) -> Settings {
        Settings::from_toml(self.config).unwrap_or_else(|mistakes| panic!("config/{}.toml: {mistakes:?}", self.name))
    }

    /// Where the committed API document stands.
    pub(crate) fn document(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../openapi/{}.json", self.name))
    }
}

/// One asynchronous test for each BFF: `check(bff, kept).await`.
macro_rules! for_each_bff {
    ($check:ident) => {
        for_each_bff!($check, mobile bff_mobile, web bff_web, partner bff_partner);
    };
    ($check:ident, $($name:ident $crate_name:ident),+) => {
        $(#[tokio::test]
        async fn $name() {
            let kept = $crate::bffs::Kept {
                name: stringify!($name),
                config: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/", stringify!($name), ".toml")),
            };
            $check($crate_name::bff(), kept).await;
        })+
    };
}
pub(crate) use for_each_bff;
