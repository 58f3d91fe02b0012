//! Products and categories.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    minutes_ago, pick,
    ranges::{BRANDS, RANGES, Range, SERIES},
    source,
};

/// How many products there are; their ids are 1 to this.
pub(super) const COUNT: usize = 1_200;

/// A product as the catalog tells of it.
#[derive(Debug, Serialize)]
pub(crate) struct Product {
    pub(crate) id: String,
    sku: String,
    pub(crate) name: String,
    brand: &'static str,
    pub(crate) category: &'static str,
    description: String,
    attributes: Vec<Attribute>,
    pub(crate) images: Vec<Image>,
    created_at: Timestamp,
    /// Name, then all text, in lower case: what the search looks at.
    #[serde(skip)]
    pub(crate) search_name: String,
    #[serde(skip)]
    pub(crate) search_text: String,
}

#[derive(Debug, Serialize)]
struct Attribute {
    name: &'static str,
    value: &'static str,
}

/// A picture of a product.
#[derive(Debug, Serialize)]
pub(crate) struct Image {
    pub(crate) url: String,
    alt: String,
    width: u32,
    height: u32,
}

/// A category with the number of its products.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Category {
    pub(crate) slug: &'static str,
    name: &'static str,
    product_count: usize,
}

/// What the pictures after the first one show.
const VIEWS: [&str; 5] = ["front", "side", "detail", "in use", "packaging"];

pub(super) fn categories() -> Vec<Category> {
    let count = COUNT / RANGES.len();
    RANGES.iter().map(|r| Category { slug: r.slug, name: r.name, product_count: count }).collect()
}

/// What is particular to the product with this number.
pub(super) fn range_of(number: usize) -> &'static Range {
    RANGES[(number - 1) % RANGES.len()]
}

pub(super) fn products(seed: u64) -> Vec<Product> {
    let mut rng = source(seed, 1);
    (1..=COUNT).map(|number| product(number, &mut rng)).collect()
}

fn product(number: usize, rng: &mut fastrand::Rng) -> Product {
    let place = (number - 1) % RANGES.len();
    let range = RANGES[place];
    let brand = BRANDS[(place * 4 + rng.usize(..8)) % BRANDS.len()];
    let kind = pick(rng, range.kinds);
    let attributes: Vec<Attribute> =
        range.attributes.iter().map(|(name, values)| Attribute { name, value: pick(rng, values) }).collect();
    // A series name and a model number tell products of one kind apart.
    let series = pick(rng, &SERIES);
    let model = 100 + rng.u32(1..90) * 10;
    let first = attributes.first().map_or("", |a| a.value);
    let name = format!("{brand} {series} {model} {kind}, {first}");

    let mut features = range.features.to_vec();
    rng.shuffle(&mut features);
    let taken = rng.usize(2..=3);
    let mut sentences = vec![pick(rng, range.openings)];
    sentences.extend(features.iter().take(taken));
    sentences.push(pick(rng, range.closings));
    let description = fill(&sentences.join(" "), kind, &attributes);

    let (width, height) = if rng.bool() { (1600, 1600) } else { (1600, 1200) };
    let images = VIEWS
        .iter()
        .take(rng.usize(2..=5))
        .enumerate()
        .map(|(at, view)| Image {
            url: format!("https://images.example/products/{number}/{}.jpg", at + 1),
            alt: format!("{brand} {series} {model} {kind}, {view}"),
            width,
            height,
        })
        .collect();

    let search_name = name.to_lowercase();
    let search_text = format!("{search_name} {brand} {} {} {description}", range.slug, range.name).to_lowercase();
    let letters: String = brand.chars().filter(char::is_ascii_alphabetic).take(3).collect::<String>().to_uppercase();
    Product {
        id: number.to_string(),
        sku: format!("{letters}-{model}-{number:05}"),
        name,
        brand,
        category: range.slug,
        description,
        attributes,
        images,
        // Older products have lower numbers: three years of new arrivals.
        created_at: minutes_ago(((COUNT - number) * 1_300 + rng.usize(60..1_300)) as i64),
        search_name,
        search_text,
    }
}

/// Puts kind and attributes into a phrase, in lower case where they are plain words.
fn fill(text: &str, kind: &str, attributes: &[Attribute]) -> String {
    let mut text = replace_with_article(text, "{kind}", &plain(kind));
    for Attribute { name, value } in attributes {
        text = replace_with_article(&text, &format!("{{{name}}}"), &plain(value));
    }
    // A sentence that began with a placeholder lost its capital.
    let mut starts = true;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if starts && c.is_alphabetic() {
            out.extend(c.to_uppercase());
            starts = false;
        } else {
            if c.is_ascii_digit() {
                starts = false;
            }
            out.push(c);
        }
        if matches!(c, '.' | '!') {
            starts = true;
        }
    }
    out
}

/// Lower case, except for names and units that are written in capitals.
fn plain(value: &str) -> String {
    const KEPT: [&str; 11] = ["Bluetooth", "USB-C", "PBT", "ABS", "AA", "4D", "2D", "W", "K", "°C", "GHz"];
    let words = value
        .split(' ')
        .map(|word| if KEPT.contains(&word.trim_end_matches(',')) { word.to_owned() } else { word.to_lowercase() });
    words.collect::<Vec<_>>().join(" ")
}

/// Puts text after an article, `a` or `an` as the sound wants it.
fn replace_with_article(text: &str, placeholder: &str, value: &str) -> String {
    let an = value.starts_with(['a', 'e', 'i', 'o']);
    let text = if an {
        text.replace(&format!("A {placeholder}"), &format!("An {value}"))
            .replace(&format!(" a {placeholder}"), &format!(" an {value}"))
    } else {
        text.to_owned()
    };
    text.replace(placeholder, value)
}
