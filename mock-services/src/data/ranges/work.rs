//! Headphones, desk lamps, keyboards and office chairs.

use super::Range;

pub(super) const HEADPHONES: Range = Range {
    slug: "headphones",
    name: "Headphones",
    kinds: &["Over-Ear Headphones", "On-Ear Headphones", "Noise-Cancelling Headphones", "Studio Headphones"],
    attributes: &[
        ("connection", &["Bluetooth 5.3", "Bluetooth 5.4 and cable"]),
        ("battery life", &["24 h", "30 h", "40 h", "60 h"]),
        ("noise cancelling", &["Adaptive", "Passive", "Three-level"]),
        ("colour", &["Black", "Sand", "Midnight blue", "White"]),
        ("weight", &["190 g", "240 g", "265 g"]),
    ],
    openings: &[
        "{kind} with a warm, detailed sound that stays comfortable through a long day.",
        "Shut the train out and hear the record: {kind} with {noise cancelling} noise cancelling.",
        "These {kind} weigh {weight} and are easy to forget you are wearing.",
    ],
    features: &[
        "Two microphones keep your voice clear on a windy platform.",
        "The ear cushions come off with a twist and can be replaced.",
        "Ten minutes on the charger are enough for an afternoon.",
        "The controls are real buttons that work with gloves on.",
        "They fold flat into the case that comes with them.",
    ],
    closings: &[
        "In the box: case, charging cable and a 1.2 m audio cable.",
        "Pairs with two devices at once.",
        "Tuned by ear, not by a spec sheet.",
    ],
    praise: &[
        "I hear details in albums I have owned for years.",
        "Still comfortable after a full flight.",
        "Calls sound clear, even in the street.",
    ],
    complaints: &[
        "A little tight with glasses at first.",
        "The app wants an account before it does anything.",
        "The case is bulky.",
    ],
    price: (39, 379),
};

pub(super) const DESK_LAMPS: Range = Range {
    slug: "desk-lamps",
    name: "Desk Lamps",
    kinds: &["Desk Lamp", "Clamp Lamp", "Architect Lamp", "Bedside Reading Lamp"],
    attributes: &[
        ("light", &["400 lm", "550 lm", "800 lm", "1,000 lm"]),
        ("colour temperature", &["2,700 K", "2,700 to 5,000 K", "3,000 K"]),
        ("material", &["Aluminium", "Steel and oak", "Recycled ABS"]),
        ("colour", &["White", "Graphite", "Mustard", "Forest green"]),
        ("power", &["6 W", "9 W", "12 W"]),
    ],
    openings: &[
        "A {kind} that puts {light} exactly where you work and nowhere else.",
        "Soft, even light without flicker, from a {kind} in {material}.",
        "This {kind} in {colour} looks good switched off, too.",
    ],
    features: &[
        "The arm stays where you leave it, without springs that sing.",
        "Turn the knob to dim; it remembers the last setting.",
        "The head tilts and turns, so screens do not glare.",
        "The light source can be replaced when it wears out.",
        "The joint at the foot keeps it steady at full stretch.",
    ],
    closings: &["Uses {power} at full brightness.", "The fabric cord is 1.8 m long.", "Comes assembled; plug it in."],
    praise: &[
        "The light is even and my eyes are less tired in the evening.",
        "The arm holds its position exactly.",
        "Looks far more expensive than it was.",
    ],
    complaints: &[
        "The cord could be half a metre longer.",
        "The lowest setting is still a bit bright for a bedroom.",
        "The clamp did not fit our thick desk.",
    ],
    price: (29, 219),
};

pub(super) const KEYBOARDS: Range = Range {
    slug: "keyboards",
    name: "Keyboards",
    kinds: &["Mechanical Keyboard", "Low-Profile Keyboard", "Compact Keyboard", "Split Keyboard"],
    attributes: &[
        ("layout", &["60 %", "75 %", "Tenkeyless", "Full size"]),
        ("switches", &["Linear", "Tactile", "Silent linear", "Scissor"]),
        ("connection", &["USB-C", "Bluetooth and USB-C", "2.4 GHz, Bluetooth and USB-C"]),
        ("keycaps", &["PBT, double shot", "PBT, dye sublimated", "ABS"]),
        ("colour", &["Grey", "Off-white", "Navy", "Black"]),
    ],
    openings: &[
        "A {kind} with {switches} switches for people who write all day.",
        "This {kind} keeps a {layout} layout and leaves room for the mouse.",
        "Quiet enough for a shared office: a {kind} in {colour}.",
    ],
    features: &[
        "A layer of foam under the plate takes out the hollow sound.",
        "The keycaps are {keycaps} and do not turn shiny.",
        "The feet give two typing angles.",
        "Every key can be remapped, and the map is stored in the keyboard.",
        "The switches pull out without soldering.",
    ],
    closings: &[
        "Cable, key puller and two spare switches are included.",
        "Works with every system that knows a USB keyboard.",
        "Switch between three devices with one key.",
    ],
    praise: &[
        "Typing on it is a pleasure; my old one went to the attic.",
        "My colleagues stopped complaining about the noise.",
        "Solid, no flex at all.",
    ],
    complaints: &[
        "The space bar rattles a little.",
        "Bluetooth takes a few seconds to wake up.",
        "The manual is one page of tiny print.",
    ],
    price: (45, 249),
};

pub(super) const OFFICE_CHAIRS: Range = Range {
    slug: "office-chairs",
    name: "Office Chairs",
    kinds: &["Office Chair", "Task Chair", "Executive Chair", "Ergonomic Chair"],
    attributes: &[
        ("material", &["Mesh", "Wool blend", "Recycled polyester", "Leather"]),
        ("seat height", &["41 to 52 cm", "43 to 55 cm", "45 to 58 cm"]),
        ("colour", &["Black", "Light grey", "Moss", "Rust"]),
        ("armrests", &["4D", "2D", "Fixed", "None"]),
        ("load", &["up to 110 kg", "up to 130 kg", "up to 150 kg"]),
    ],
    openings: &[
        "A {kind} that moves with you instead of holding you in place.",
        "Long days sit easier: this {kind} in {material} supports the lower back where it counts.",
        "A {kind} in {colour} with a seat that adjusts from {seat height}.",
    ],
    features: &[
        "The tilt follows your weight, so there is no spring to set.",
        "The lumbar support slides up and down by eight centimetres.",
        "The castors roll quietly on wood and on carpet.",
        "The back lets air through on warm days.",
        "The seat slides forward for long legs.",
    ],
    closings: &[
        "Assembly takes about fifteen minutes; the tool is in the box.",
        "Tested for eight hours a day and loads {load}.",
        "Five-year guarantee on all moving parts.",
    ],
    praise: &[
        "My back stopped hurting after two weeks.",
        "Assembly was quick and every screw was there.",
        "The tilt is smooth and silent.",
    ],
    complaints: &[
        "The armrests wobble slightly.",
        "The seat is firm; give it a month.",
        "It smelled of packaging for the first few days.",
    ],
    price: (119, 649),
};
