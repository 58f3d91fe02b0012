//! Coffee makers, kettles and frying pans.

use super::Range;

pub(super) const COFFEE_MAKERS: Range = Range {
    slug: "coffee-makers",
    name: "Coffee Makers",
    kinds: &[
        "Filter Coffee Maker",
        "Drip Coffee Maker",
        "Thermal Coffee Maker",
        "Compact Coffee Maker",
        "Programmable Coffee Maker",
    ],
    attributes: &[
        ("capacity", &["0.6 l", "0.9 l", "1.0 l", "1.25 l"]),
        ("material", &["Borosilicate glass", "Stainless steel", "Cast aluminium"]),
        ("colour", &["Black", "Copper", "Cream", "Brushed steel"]),
        ("cups", &["4", "6", "8", "10"]),
        ("dishwasher safe", &["Yes", "Removable parts only", "No"]),
    ],
    openings: &[
        "A {kind} that makes {cups} cups of balanced coffee without fuss.",
        "Built around a {material} body, this {kind} keeps the flavour clean from the first cup to the last.",
        "For mornings that start slowly: a {kind} with room for {capacity}.",
    ],
    features: &[
        "The wide shower head wets the grounds evenly, so nothing tastes over-extracted.",
        "A fine double filter keeps sediment out of the cup.",
        "The handle stays cool and leaves room for the whole hand.",
        "Markings on the inside make it easy to measure for one cup or for {cups}.",
        "All seals can be replaced without tools.",
    ],
    closings: &[
        "Fits under standard kitchen cabinets.",
        "Comes with a measuring spoon and a starter guide to grind sizes.",
        "Spare parts are available for ten years.",
    ],
    praise: &[
        "The coffee tastes noticeably cleaner than from our old machine.",
        "Easy to take apart and rinse, and it goes back together without swearing.",
        "The pot keeps its heat long enough for a second cup.",
    ],
    complaints: &[
        "The lid drips when you pour the last cup.",
        "The markings are hard to read in the morning.",
        "Takes more room on the counter than I expected.",
    ],
    price: (24, 289),
};

pub(super) const KETTLES: Range = Range {
    slug: "kettles",
    name: "Kettles",
    kinds: &["Electric Kettle", "Gooseneck Kettle", "Quick-Boil Kettle", "Compact Kettle", "Travel Kettle"],
    attributes: &[
        ("capacity", &["0.8 l", "1.0 l", "1.2 l", "1.5 l", "1.7 l"]),
        ("power", &["1,500 W", "1,800 W", "2,200 W", "3,000 W"]),
        ("material", &["Stainless steel", "Borosilicate glass", "Enamelled steel"]),
        ("colour", &["Matt black", "White", "Sage green", "Brushed steel", "Copper"]),
        ("temperature control", &["Yes, 40 to 100 °C", "Three presets", "No"]),
    ],
    openings: &[
        "A {capacity} {kind} in {colour} that brings water to the boil while you find the cups.",
        "This {kind} pairs a {material} body with {power} of quiet power.",
        "An everyday {kind} with a calm pour and a lid that opens with one hand.",
    ],
    features: &[
        "The spout is shaped for a steady, drip-free stream.",
        "A concealed element makes limescale quick to wipe away.",
        "It switches itself off when the water boils or when it is lifted empty.",
        "The base turns all the way round, for left and right hands.",
        "Water level marks on both sides start at a single cup.",
    ],
    closings: &[
        "The washable limescale filter is included.",
        "Two-year guarantee; the lid and filter can be ordered as spare parts.",
        "The cord tucks away under the base.",
    ],
    praise: &[
        "Boils two cups in under two minutes and stays quiet while doing it.",
        "The pour is precise enough for filter coffee.",
        "No plastic taste at all, not even on the first day.",
    ],
    complaints: &[
        "The switch feels flimsier than the rest.",
        "The outside gets hot, so mind small hands.",
        "The lid only opens halfway, which makes cleaning awkward.",
    ],
    price: (19, 149),
};

pub(super) const FRYING_PANS: Range = Range {
    slug: "frying-pans",
    name: "Frying Pans",
    kinds: &["Frying Pan", "Skillet", "Sauté Pan", "Crêpe Pan", "Grill Pan"],
    attributes: &[
        ("diameter", &["20 cm", "24 cm", "26 cm", "28 cm", "30 cm"]),
        ("material", &["Cast iron", "Carbon steel", "Stainless steel", "Forged aluminium"]),
        ("coating", &["None", "Ceramic", "Seasoned with linseed oil"]),
        ("weight", &["0.9 kg", "1.3 kg", "1.8 kg", "2.4 kg"]),
        ("hob", &["All hobs, incl. induction", "Gas and electric"]),
    ],
    openings: &[
        "A {diameter} {kind} in {material} that holds its heat when the food goes in.",
        "One {kind} for eggs in the morning and a proper sear in the evening.",
        "Made from {material} and balanced at {weight}, this {kind} is easy to move about.",
    ],
    features: &[
        "The flat base sits evenly on glass hobs and does not rock.",
        "The riveted handle is angled so that your knuckles stay away from the rim.",
        "Sloped sides let you slide food out instead of digging for it.",
        "It goes from hob to oven up to 240 °C.",
        "The surface gets better the more it is used.",
    ],
    closings: &[
        "Wash by hand, dry, and wipe with a drop of oil.",
        "Suitable for metal spatulas.",
        "Comes with a felt protector for stacking.",
    ],
    praise: &[
        "Fried eggs slide off after a week of use.",
        "Heats evenly right up to the edge.",
        "Feels like a pan I will hand on one day.",
    ],
    complaints: &[
        "Heavier than it looks; you want two hands.",
        "It arrived with a small scratch on the handle.",
        "Needed seasoning twice before nothing stuck.",
    ],
    price: (22, 179),
};
