//! What is particular to each category.

mod home;
mod kitchen;
mod outdoor;
mod work;

/// One category and the phrases its products are made from.
///
/// `{name}` in a phrase stands for the product's attribute of that name, `{kind}` for its kind.
pub(super) struct Range {
    pub(super) slug: &'static str,
    pub(super) name: &'static str,
    /// What a product can be called after its brand and series.
    pub(super) kinds: &'static [&'static str],
    /// Attributes and the values they can have. The first one is part of the name.
    pub(super) attributes: &'static [(&'static str, &'static [&'static str])],
    pub(super) openings: &'static [&'static str],
    pub(super) features: &'static [&'static str],
    pub(super) closings: &'static [&'static str],
    /// What happy reviewers say, and unhappy ones.
    pub(super) praise: &'static [&'static str],
    pub(super) complaints: &'static [&'static str],
    /// The lowest and the highest price, in whole euros.
    pub(super) price: (u64, u64),
}

/// Every category. Product n belongs to the category at (n - 1) mod 12, so 42 is a kettle.
pub(super) const RANGES: [&Range; 12] = [
    &work::HEADPHONES,
    &outdoor::RUNNING_SHOES,
    &work::DESK_LAMPS,
    &outdoor::BACKPACKS,
    &kitchen::COFFEE_MAKERS,
    &kitchen::KETTLES,
    &kitchen::FRYING_PANS,
    &work::KEYBOARDS,
    &outdoor::WATER_BOTTLES,
    &work::OFFICE_CHAIRS,
    &home::BED_LINEN,
    &home::WALL_CLOCKS,
];

/// Each category sells eight brands next to each other, so that every brand is in two categories.
pub(super) const BRANDS: [&str; 48] = [
    "Auralis",
    "Norrvik",
    "Halden",
    "Tessera",
    "Brightwell",
    "Kestrel",
    "Omberg",
    "Solenne",
    "Fjellheim",
    "Marlowe",
    "Pentland",
    "Quillon",
    "Ridgeway",
    "Savant",
    "Torvald",
    "Umbra & Co",
    "Velden",
    "Wexford",
    "Yarrow",
    "Zephyr",
    "Arden",
    "Bellamy",
    "Cobalt Works",
    "Drummond",
    "Elmet",
    "Farrow Lane",
    "Greyfriars",
    "Hearth & Pine",
    "Isen",
    "Juniper",
    "Kaldera",
    "Lindqvist",
    "Montrose",
    "Nacre",
    "Oakhurst",
    "Pallas",
    "Reedham",
    "Stellan",
    "Thornbury",
    "Ulriksen",
    "Vantage",
    "Whitlock",
    "Aldous",
    "Birkdale",
    "Corvane",
    "Dovetail",
    "Everly",
    "Foundry 9",
];

/// Series names that fit anything.
pub(super) const SERIES: [&str; 40] = [
    "Aria", "Basis", "Cadence", "Delta", "Ember", "Fable", "Glide", "Harbour", "Iris", "Juno", "Kite", "Linea", "Mira",
    "Nova", "Orbit", "Prima", "Quarto", "Rondo", "Saga", "Tempo", "Una", "Vista", "Willow", "Axis", "Breeze", "Crest",
    "Dune", "Echo", "Fern", "Grove", "Halo", "Inlet", "Lumen", "Meadow", "Nimbus", "Opal", "Pebble", "Ridge", "Slate",
    "Tide",
];
