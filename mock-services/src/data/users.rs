//! Users.

use jiff::Timestamp;
use serde::Serialize;

use super::{minutes_ago, pick, source};

/// How many users there are.
const COUNT: usize = 300;

/// A user as the accounts service tells of them.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Profile {
    pub(crate) id: String,
    pub(crate) name: String,
    email: String,
    locale: &'static str,
    member_since: Timestamp,
    tier: &'static str,
}

const FIRST: [&str; 40] = [
    "Anna",
    "Bram",
    "Chiara",
    "Daan",
    "Elif",
    "Felix",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Katarzyna",
    "Léa",
    "Mateusz",
    "Nora",
    "Oskar",
    "Paula",
    "Quentin",
    "Rosa",
    "Sven",
    "Tilda",
    "Ugo",
    "Vera",
    "Wout",
    "Ximena",
    "Yara",
    "Zofia",
    "Amir",
    "Beatriz",
    "Camille",
    "Dmitri",
    "Emma",
    "Farid",
    "Giulia",
    "Henrik",
    "Ida",
    "Julien",
    "Karin",
    "Luca",
    "Maja",
    "Noah",
];

const LAST: [&str; 40] = [
    "Bakker",
    "Costa",
    "Dubois",
    "Eriksson",
    "Ferrari",
    "Garcia",
    "Hansen",
    "Ivanova",
    "Jansen",
    "Kowalska",
    "Larsen",
    "Moreau",
    "Novak",
    "Olsen",
    "Petit",
    "Richter",
    "Schmidt",
    "Svensson",
    "Tanaka",
    "Urban",
    "Vermeer",
    "Weber",
    "Yilmaz",
    "Zimmermann",
    "Almeida",
    "Bergmann",
    "Conti",
    "de Vries",
    "Engel",
    "Fischer",
    "Girard",
    "Horvat",
    "Keller",
    "Lindgren",
    "Meyer",
    "Nowak",
    "Pereira",
    "Rossi",
    "Silva",
    "Wagner",
];

/// The first user is `ada`, the others are `u2`, `u3`, …
pub(super) fn users(seed: u64) -> Vec<Profile> {
    let mut rng = source(seed, 4);
    let ada = Profile {
        id: "ada".to_owned(),
        name: "Ada Lindqvist".to_owned(),
        email: "ada@shoppers.example".to_owned(),
        locale: "en-GB",
        member_since: minutes_ago(60 * 24 * 1_400),
        tier: "gold",
    };
    let others = (2..=COUNT).map(|number| {
        let (first, last) = (pick(&mut rng, &FIRST), pick(&mut rng, &LAST));
        Profile {
            id: format!("u{number}"),
            name: format!("{first} {last}"),
            email: format!("u{number}@shoppers.example"),
            locale: pick(&mut rng, &["en-GB", "de-DE", "fr-FR", "nl-NL", "pl-PL", "it-IT"]),
            member_since: minutes_ago(rng.i64(60 * 24 * 30..60 * 24 * 2_000)),
            tier: pick(&mut rng, &["basic", "basic", "basic", "silver", "silver", "gold"]),
        }
    });
    std::iter::once(ada).chain(others).collect()
}
