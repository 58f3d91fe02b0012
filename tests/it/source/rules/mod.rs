//! One file per rule: `RULE`, and a test that shows with `check` what it finds and what it lets pass.
//!
//! To add a rule, write such a file and name it twice below: as a module, and in the list of `hold!`.

mod bounds;
mod clock;
mod dependencies;
mod floors;
mod length;
mod libraries;
mod machine;
mod names;
mod nouns;
mod panics;
mod problems;
mod sleep;
mod wire;

/// One test per rule over the whole repository, and one that sees that no file of this folder is forgotten.
macro_rules! hold {
    ($($rule:ident),+ $(,)?) => {
        mod tree {
            $(
                #[test]
                fn $rule() {
                    crate::source::rule::hold(&super::$rule::RULE);
                }
            )+

            #[test]
            fn every_rule_is_held_and_can_fail() {
                let held = [$(stringify!($rule)),+];
                for file in crate::source::tree::TREE.iter() {
                    if let Some(name) = file.below("tests/it/source/rules").and_then(|name| name.strip_suffix(".rs"))
                        && name != "mod"
                    {
                        assert!(held.contains(&name), "{}: `{name}` is missing in the list of `hold!`", file.path);
                        let proven = file.code.contains("check(&RULE") || file.code.contains("check(\n        &RULE");
                        assert!(proven, "{}: no fixture shows that the rule can fail", file.path);
                    }
                }
            }
        }
    };
}

hold!(bounds, clock, dependencies, floors, length, libraries, machine, names, nouns, panics, problems, sleep, wire);
