//! Bed linen and wall clocks.

use super::Range;

pub(super) const BED_LINEN: Range = Range {
    slug: "bed-linen",
    name: "Bed Linen",
    kinds: &["Duvet Cover Set", "Duvet Cover", "Winter Duvet Cover", "Bed Linen Set"],
    attributes: &[
        ("size", &["135 × 200 cm", "155 × 220 cm", "200 × 200 cm", "240 × 220 cm"]),
        ("material", &["Washed linen", "Cotton percale", "Cotton sateen", "Flannel"]),
        ("colour", &["White", "Oat", "Dusty pink", "Slate blue", "Sage"]),
        ("thread count", &["160", "200", "300"]),
        ("care", &["60 °C", "40 °C, tumble dry low"]),
    ],
    openings: &[
        "A {kind} in {material} that is soft from the first night.",
        "Cool in summer, warm in winter: this {kind} in {colour} breathes.",
        "Woven with a thread count of {thread count}, this {kind} feels crisp without being stiff.",
    ],
    features: &[
        "The buttons are sewn on through both layers.",
        "Ties in the corners keep the duvet where it belongs.",
        "The colour is dyed into the yarn and stays after many washes.",
        "French seams inside, so nothing frays.",
        "It needs no ironing if you hang it straight from the machine.",
    ],
    closings: &[
        "Washable at {care}.",
        "Certified free from harmful substances.",
        "Packed in a bag of the same fabric.",
    ],
    praise: &[
        "Wonderfully soft after the first wash.",
        "The colour is exactly as in the pictures.",
        "We bought a second set within a week.",
    ],
    complaints: &["It creases more than I had hoped.", "It shrank slightly in the dryer.", "One button came loose."],
    price: (29, 189),
};

pub(super) const WALL_CLOCKS: Range = Range {
    slug: "wall-clocks",
    name: "Wall Clocks",
    kinds: &["Wall Clock", "Station Clock", "Kitchen Clock", "Pendulum Clock"],
    attributes: &[
        ("diameter", &["22 cm", "28 cm", "32 cm", "40 cm"]),
        ("material", &["Oak", "Powder-coated steel", "Concrete", "Aluminium"]),
        ("movement", &["Silent sweep quartz", "Radio controlled", "Step quartz"]),
        ("colour", &["Black", "White", "Natural", "Brick red"]),
        ("battery", &["1 × AA", "2 × AA"]),
    ],
    openings: &[
        "A {kind} you can read from across the room.",
        "This {kind} in {material} tells the time and otherwise keeps quiet.",
        "Clear numerals, {diameter} across: a {kind} for kitchens, halls and offices.",
    ],
    features: &[
        "The {movement} movement makes no sound you would notice at night.",
        "The glass is curved and does not catch the lamp.",
        "The hands are balanced, so it keeps time on a slow battery.",
        "A spirit level on the back helps with hanging.",
        "The face is printed, not glued, and does not yellow.",
    ],
    closings: &[
        "Runs for about a year on {battery}.",
        "Screw and wall plug are included.",
        "Designed to be repaired: the movement unscrews.",
    ],
    praise: &[
        "Truly silent; it hangs in the bedroom.",
        "Easy to read, even without my glasses.",
        "Lovely material, very well finished.",
    ],
    complaints: &[
        "It was two minutes slow after a month.",
        "The hook on the back is a bit small.",
        "Smaller than it looks in the pictures.",
    ],
    price: (25, 159),
};
