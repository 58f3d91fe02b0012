//! Banners.

use serde::Serialize;

/// One banner.
#[derive(Debug, Serialize)]
pub(crate) struct Promotion {
    id: &'static str,
    title: &'static str,
    subtitle: &'static str,
    image: &'static str,
    link: &'static str,
    #[serde(skip)]
    pub(crate) placement: &'static str,
}

macro_rules! banner {
    ($placement:literal, $id:literal, $title:literal, $subtitle:literal, $link:literal) => {
        Promotion {
            id: $id,
            title: $title,
            subtitle: $subtitle,
            image: concat!("https://images.example/promotions/", $id, ".jpg"),
            link: $link,
            placement: $placement,
        }
    };
}

/// All banners, in the order in which they are shown.
pub(super) static PROMOTIONS: [Promotion; 8] = [
    banner!(
        "home",
        "slow-mornings",
        "Slow mornings",
        "Kettles and coffee makers up to 30 % off",
        "/categories/kettles"
    ),
    banner!("home", "new-season", "Out of the door", "New running shoes for wet roads", "/categories/running-shoes"),
    banner!(
        "home",
        "quiet-desk",
        "A quieter desk",
        "Keyboards your colleagues will thank you for",
        "/categories/keyboards"
    ),
    banner!("home", "sleep-well", "Sleep well", "Washed linen in five colours", "/categories/bed-linen"),
    banner!("category", "free-delivery", "Free delivery", "On orders above 50 €", "/delivery"),
    banner!("category", "refill", "Leave the plastic", "Bottles that last for years", "/categories/water-bottles"),
    banner!("cart", "bundle", "One more thing", "Add a pan and save 10 %", "/categories/frying-pans"),
    banner!("product", "repair", "Made to be repaired", "Spare parts for ten years", "/repairs"),
];
