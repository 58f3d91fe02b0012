//! Running shoes, backpacks and water bottles.

use super::Range;

pub(super) const RUNNING_SHOES: Range = Range {
    slug: "running-shoes",
    name: "Running Shoes",
    kinds: &["Road Running Shoe", "Trail Running Shoe", "Racing Shoe", "Daily Trainer"],
    attributes: &[
        ("colour", &["Black and white", "Coral", "Ocean blue", "Lime"]),
        ("drop", &["4 mm", "6 mm", "8 mm", "10 mm"]),
        ("weight", &["198 g", "235 g", "262 g", "289 g"]),
        ("upper", &["Engineered mesh", "Knit", "Ripstop"]),
        ("width", &["Regular", "Wide"]),
    ],
    openings: &[
        "A {kind} for the miles you do on tired legs.",
        "Light at {weight} and steady at every pace, this {kind} wants to be taken out.",
        "The {drop} drop and a roomy toe box make this {kind} feel natural from the first step.",
    ],
    features: &[
        "The foam gives back energy without going soft after a month.",
        "The {upper} upper breathes and dries overnight.",
        "The heel is padded where it rubs and thin where it does not.",
        "The outsole grips on wet stone and painted lines.",
        "Reflective pieces can be seen from all sides.",
    ],
    closings: &[
        "Choose half a size up for wide feet.",
        "Made with at least half recycled material.",
        "Good for about 700 kilometres.",
    ],
    praise: &[
        "No blisters, not even on the first long run.",
        "Plenty of cushioning without feeling like a mattress.",
        "Grip on wet leaves is excellent.",
    ],
    complaints: &[
        "Runs small; I sent them back for half a size more.",
        "The laces are too short for a runner's knot.",
        "The sole shows wear after 300 kilometres.",
    ],
    price: (69, 219),
};

pub(super) const BACKPACKS: Range = Range {
    slug: "backpacks",
    name: "Backpacks",
    kinds: &["Daypack", "Commuter Backpack", "Hiking Backpack", "Roll-Top Backpack"],
    attributes: &[
        ("volume", &["16 l", "22 l", "28 l", "35 l"]),
        ("material", &["Recycled nylon", "Waxed canvas", "Ripstop polyester"]),
        ("laptop", &["up to 14 inch", "up to 16 inch", "No sleeve"]),
        ("colour", &["Olive", "Black", "Clay", "Petrol"]),
        ("weight", &["620 g", "780 g", "950 g", "1,200 g"]),
    ],
    openings: &[
        "A {volume} {kind} that carries a working day or a weekend equally well.",
        "This {kind} in {material} shrugs off rain and the floor of a bus.",
        "Everything in reach: a {kind} with pockets where your hands go first.",
    ],
    features: &[
        "The padded back keeps corners away from your spine.",
        "Side pockets are deep enough for a one-litre bottle.",
        "The zips are covered and run smoothly with one hand.",
        "The straps are curved and do not slip off the shoulder.",
        "It stands up by itself when you put it down.",
    ],
    closings: &[
        "Fits under the seat of most airlines.",
        "Repairs to seams and zips are free for five years.",
        "A rain cover is tucked into the bottom pocket.",
    ],
    praise: &[
        "Carries a full load without cutting into the shoulders.",
        "Survived a downpour; the laptop stayed dry.",
        "Just the right number of pockets.",
    ],
    complaints: &[
        "The bottle pocket is tight when the bag is full.",
        "The chest strap slides out of place.",
        "The lining is dark, so small things get lost.",
    ],
    price: (49, 199),
};

pub(super) const WATER_BOTTLES: Range = Range {
    slug: "water-bottles",
    name: "Water Bottles",
    kinds: &["Everyday Bottle", "Sports Bottle", "Carry-Loop Bottle", "Travel Bottle"],
    attributes: &[
        ("capacity", &["0.35 l", "0.5 l", "0.75 l", "1.0 l"]),
        ("material", &["Stainless steel", "Recycled stainless steel", "Powder-coated steel"]),
        ("colour", &["Sky blue", "Black", "Terracotta", "Mint"]),
        ("keeps cold", &["12 h", "18 h", "24 h"]),
        ("lid", &["Screw cap", "Straw lid", "One-hand flip lid"]),
    ],
    openings: &[
        "A {capacity} {kind} that does not leak, not even upside down in a bag.",
        "This {kind} in {colour} fits the hand and most cup holders.",
        "Fresh water all day from a {kind} made of {material}.",
    ],
    features: &[
        "The wide mouth takes ice cubes and a bottle brush.",
        "The {lid} opens quietly, which helps in meetings.",
        "The powder coat keeps its grip when wet.",
        "The seal comes out for cleaning and goes back only one way.",
        "It does not sweat on the desk.",
    ],
    closings: &[
        "Free from BPA; safe for the dishwasher.",
        "Spare lids are sold separately.",
        "A loop on the lid fits two fingers or a carabiner.",
    ],
    praise: &["Ice was still ice in the evening.", "Has not leaked once in my bag.", "Easy to clean, no smell."],
    complaints: &[
        "The paint chipped after the first fall.",
        "The lid is stiff to open.",
        "Does not fit the holder of my bike.",
    ],
    price: (12, 59),
};
