//! The typed clients of `upstreams` and the mock services mean the same: every method is called over the network.

use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bff_core::cache::CacheSettings;
use bff_core::context::{Context, Scope, Terms, TraceContext, Wishes};
use bff_core::identity::{Claims, Identity};
use bff_core::telemetry::Metrics;
use bff_core::upstream::{Client, Clients, Shared, Tcp, UpstreamSettings};
use bff_core::{Composer, Fetched, Kind, Result};
use http::{HeaderMap, HeaderName, HeaderValue};
use mock_services::{Options, Running, Service, SigningKeys};
use upstreams::{
    Accounts, Carts, Catalog, Inventory, OrderId, Orders, Pricing, ProductId, Promotions, Recommendations, Reviews,
    catalog,
};

bff_core::upstreams! {
    /// All backends that have a typed client.
    struct Backends {
        catalog: Catalog,
        pricing: Pricing,
        inventory: Inventory,
        reviews: Reviews,
        recommendations: Recommendations,
        accounts: Accounts,
        carts: Carts,
        orders: Orders,
        promotions: Promotions,
    }
}

/// Long enough for the busiest machine; nothing here is about time.
const PATIENCE: Duration = Duration::from_secs(60);

async fn start() -> (Running, Backends) {
    static KEYS: OnceLock<SigningKeys> = OnceLock::new();
    let keys = KEYS.get_or_init(|| SigningKeys::generate().unwrap()).clone();
    let mocks = mock_services::start(Options { keys: Some(keys), ..Options::default() }).await.unwrap();
    let shared = Shared::new(&CacheSettings::default(), Arc::new(Metrics::default())).unwrap();
    let backends = Backends::build(&mut |name| {
        let settings = UpstreamSettings {
            url: mocks.url(Service::from_str(name).unwrap()),
            timeout: PATIENCE,
            attempt_timeout: PATIENCE,
            connect_timeout: PATIENCE,
            ..UpstreamSettings::default()
        };
        Some(Client::new(name, settings, shared.clone(), &Tcp).unwrap())
    });
    (mocks, backends.unwrap())
}

/// A request by this subject, or by nobody, with these headers.
fn request(claims: Option<Claims>, headers: HeaderMap) -> Arc<Context> {
    let terms = Arc::new(Terms { budget: PATIENCE, ..Terms::default() });
    let context = Context::new(None, TraceContext::begin(), terms, Wishes::default(), headers);
    if let Some(claims) = claims {
        context.identify(Ok(Arc::new(Identity::new(claims).unwrap())));
    }
    Arc::new(context)
}

fn of(subject: &str) -> Claims {
    Claims { issuer: "http://identity.mock".into(), subject: subject.into(), ..Claims::default() }
}

/// What a call comes to that is made for `ada`.
async fn for_ada<T>(call: impl Future<Output = Result<Fetched<T>>>) -> Result<T> {
    let context = request(Some(of("ada")), HeaderMap::new());
    Scope::endpoint(context).enter(call).await.map(Fetched::into_inner)
}

fn kind<T>(result: Result<T>) -> Kind {
    result.err().expect("an error").kind()
}

fn product(id: &str) -> ProductId {
    ProductId::try_from(id).unwrap()
}

fn products(ids: std::ops::RangeInclusive<u32>) -> Vec<ProductId> {
    ids.map(|id| product(&id.to_string())).collect()
}

fn texts(products: &[catalog::Product]) -> Vec<&str> {
    products.iter().map(|product| product.id.as_ref()).collect()
}

/// The path and query of the last request to a service.
fn last_path(mocks: &Running, service: Service) -> String {
    mocks.requests(service).pop().unwrap().path
}

#[tokio::test]
async fn catalog() {
    let (mocks, Backends { catalog, .. }) = start().await;
    let kettle = catalog.product(&product("42")).await.unwrap();
    assert_eq!(kettle.id, product("42"));
    assert!(kettle.sku.ends_with("-00042"), "{}", kettle.sku);
    assert!(!kettle.attributes.is_empty() && kettle.images[0].width >= kettle.images[0].height);
    assert!(kettle.name.contains(&kettle.brand));
    assert_eq!(kind(catalog.product(&product("nothing")).await), Kind::NotFound);

    let batch = [product("7"), product("42"), product("nothing"), product("7")];
    assert_eq!(texts(&catalog.products(&batch).await.unwrap()), ["42", "7"]);
    assert_eq!(last_path(&mocks, Service::Catalog), "/products?ids=42%2C7%2Cnothing");
    let asked = mocks.requests(Service::Catalog).len();
    let again = catalog.products([product("nothing"), product("42"), product("7")]).await.unwrap();
    assert_eq!(again.len(), 2);
    assert!(catalog.products(&[]).await.unwrap().is_empty());
    assert_eq!(mocks.requests(Service::Catalog).len(), asked, "equal sets are one answer, no ids no call");

    let first = catalog.list(None, 3, None).await.unwrap();
    assert_eq!(texts(&first.items), ["1", "2", "3"]);
    let second = catalog.list(first.next.as_ref(), 2, Some(&kettle.category)).await.unwrap();
    assert_eq!(second.items.len(), 2);
    assert!(second.items.iter().all(|product| product.category == kettle.category));
    assert_eq!(catalog.list(Some(&product("1199")), 2, None).await.unwrap().next, None);
    assert_eq!(kind(catalog.list(None, 2, Some("nothing")).await), Kind::Rejected);

    let categories = catalog.categories().await.unwrap();
    let kettles = categories.iter().find(|category| category.slug == kettle.category).unwrap();
    assert_eq!((categories.len(), kettles.product_count), (12, 100));
    let page = catalog.category(&kettle.category, 2, 40).await.unwrap();
    assert_eq!((&page.category, page.items.len()), (kettles, 40));
    assert_eq!((page.page, page.size, page.total), (2, 40, 100));
    assert_eq!(kind(catalog.category("../products", 1, 1).await), Kind::NotFound);

    let found = catalog.search("kettle", 1, 5).await.unwrap();
    assert_eq!((found.query.as_str(), found.items.len(), found.page, found.size), ("kettle", 5, 1, 5));
    assert!(found.total >= 5);
    assert_eq!(kind(catalog.search(" ", 1, 5).await), Kind::Rejected);
}

#[tokio::test]
async fn pricing() {
    let (_mocks, Backends { pricing, .. }) = start().await;
    let quote = pricing.quote(&product("42")).await.unwrap();
    assert_eq!((quote.product_id.as_ref(), quote.currency.as_str()), ("42", "EUR"));
    assert!(quote.amount_minor > 0);
    assert_eq!(kind(pricing.quote(&product("nothing")).await), Kind::NotFound);

    let quotes = pricing.quotes(products(1..=100)).await.unwrap();
    assert_eq!(quotes.len(), 100);
    let reduced = quotes.iter().filter_map(|quote| Some((quote.list_amount_minor?, quote.amount_minor)));
    assert!(reduced.clone().count() > 0 && reduced.clone().all(|(before, now)| before > now));
}

#[tokio::test]
async fn inventory() {
    let (_mocks, Backends { inventory, .. }) = start().await;
    let stock = inventory.stock(&product("42")).await.unwrap();
    assert_eq!(stock.product_id, product("42"));
    assert_eq!(stock.total, stock.warehouses.iter().map(|warehouse| warehouse.quantity).sum::<u32>());
    assert_eq!((stock.warehouses[0].warehouse.as_str(), stock.warehouses[0].city.as_str()), ("ham-1", "Hamburg"));
    assert_eq!(kind(inventory.stock(&product("nothing")).await), Kind::NotFound);
    let stocks = inventory.stocks(products(1..=100)).await.unwrap();
    assert!(stocks.len() == 100 && stocks.iter().any(|stock| stock.total == 0));
}

#[tokio::test]
async fn reviews() {
    let (_mocks, Backends { reviews, .. }) = start().await;
    let summary = reviews.summary(&product("42")).await.unwrap();
    assert_eq!((summary.product_id.as_ref(), summary.count), ("42", 14));
    assert_eq!(summary.stars.iter().sum::<u64>(), 14);
    assert!((1.0..=5.0).contains(&summary.average));
    assert_eq!(kind(reviews.summary(&product("nothing")).await), Kind::NotFound);

    let page = reviews.list(&product("42"), 2, 10).await.unwrap();
    assert_eq!((page.items.len(), page.page, page.size, page.total), (4, 2, 10, 14));
    let review = &page.items[0];
    assert_eq!(review.product_id, product("42"));
    assert!(review.author.ends_with('.') && review.id.starts_with('r') && (1..=5).contains(&review.stars));
    assert!(!review.title.is_empty() && review.body.len() > review.title.len());
    assert!(page.items.is_sorted_by_key(|review| std::cmp::Reverse(review.created_at)));
}

#[tokio::test]
async fn recommendations() {
    let (_mocks, Backends { recommendations, .. }) = start().await;
    let like = recommendations.like("kettles", None, 4).await.unwrap();
    assert_eq!(like.len(), 4);
    assert!(like.is_sorted_by(|a, b| a.score >= b.score) && like[0].image.starts_with("https://"));
    let best = &like[0].product_id;
    let others = recommendations.like("kettles", Some(best), 50).await.unwrap();
    assert!(others.len() == 50 && others.iter().all(|item| item.product_id != *best && !item.name.is_empty()));
    assert_eq!(kind(recommendations.like("nothing", None, 4).await), Kind::NotFound);

    assert_eq!(for_ada(recommendations.for_me(3)).await.unwrap().len(), 3);
    assert_eq!(kind(recommendations.for_me(3).await), Kind::Anonymous);
}

#[tokio::test]
async fn accounts() {
    let (mocks, Backends { accounts, .. }) = start().await;
    let ada = for_ada(accounts.profile()).await.unwrap();
    assert_eq!((ada.id.as_str(), ada.name.as_str(), ada.tier.as_str()), ("ada", "Ada Lindqvist", "gold"));
    assert_eq!((ada.email.as_str(), ada.locale.as_str()), ("ada@shoppers.example", "en-GB"));
    assert!(ada.member_since.as_second() > 0);
    let asked = mocks.requests(Service::Accounts).len();
    assert_eq!(kind(accounts.profile().await), Kind::Anonymous);
    assert_eq!(mocks.requests(Service::Accounts).len(), asked, "nothing is sent for nobody");
}

#[tokio::test]
async fn carts() {
    let (_mocks, Backends { carts, .. }) = start().await;
    let before = for_ada(carts.cart()).await.unwrap();
    assert_eq!((before.user_id.as_str(), before.lines.len()), ("ada", 3));
    let quantity = |cart: &upstreams::carts::Cart, id: &str| {
        cart.lines.iter().find(|line| line.product_id.as_ref() == id).map(|line| line.quantity)
    };
    assert_eq!(quantity(&before, "42"), Some(1));

    let added = for_ada(carts.add(&product("42"), 2)).await.unwrap();
    assert_eq!(quantity(&added, "42"), Some(3));
    assert!(added.updated_at > before.updated_at);
    let changed = for_ada(carts.change(&product("42"), 5)).await.unwrap();
    assert_eq!(quantity(&changed, "42"), Some(5));
    let removed = for_ada(carts.remove(&product("42"))).await.unwrap();
    assert_eq!(quantity(&removed, "42"), None);
    assert_eq!(for_ada(carts.cart()).await.unwrap(), removed);

    assert_eq!(kind(for_ada(carts.add(&product("nothing"), 1)).await), Kind::Unprocessable);
    assert_eq!(kind(for_ada(carts.change(&product("17"), 21)).await), Kind::Unprocessable);
    assert_eq!(kind(for_ada(carts.change(&product("42"), 1)).await), Kind::NotFound);
    assert_eq!(kind(for_ada(carts.remove(&product("42"))).await), Kind::NotFound);
    assert_eq!(kind(carts.add(&product("42"), 1).await), Kind::Anonymous);
}

#[tokio::test]
async fn an_add_is_repeated_without_harm() {
    let (_mocks, Backends { carts, .. }) = start().await;
    let key = (HeaderName::from_static("idempotency-key"), HeaderValue::from_static("k-1"));
    let headers: HeaderMap = [key].into_iter().collect();
    let add = async |quantity| {
        let context = request(Some(of("ada")), headers.clone());
        Scope::endpoint(context).enter(carts.add(&product("7"), quantity)).await.map(Fetched::into_inner)
    };
    let first = add(2).await.unwrap();
    assert_eq!(add(2).await.unwrap(), first);
    assert_eq!(kind(add(3).await), Kind::Conflict);
}

#[tokio::test]
async fn orders() {
    let (_mocks, Backends { orders, .. }) = start().await;
    let page = for_ada(orders.list(1, 5)).await.unwrap();
    assert_eq!((page.items.len(), page.page, page.size, page.total), (5, 1, 5, 16));
    assert!(page.items.is_sorted_by_key(|order| std::cmp::Reverse(order.placed_at)));
    let order = &page.items[0];
    assert_eq!((order.user_id.as_str(), order.currency.as_str()), ("ada", "EUR"));
    assert_eq!(order.total_minor, order.lines.iter().map(|line| line.amount_minor).sum::<i64>());
    assert!(order.lines.iter().all(|line| line.quantity > 0 && !line.product_id.as_ref().is_empty()));
    assert!(!order.status.is_empty());
    assert_eq!(for_ada(orders.order(&order.id)).await.unwrap(), *order);

    let acme = OrderId::try_from("1001").unwrap();
    assert_eq!(kind(for_ada(orders.order(&acme)).await), Kind::NotFound);
    let partner = Claims { roles: vec!["partner".into()], tenant: Some("acme".into()), ..of("acme-app") };
    let context = request(Some(partner), HeaderMap::new());
    let theirs = Scope::endpoint(context).enter(orders.order(&acme)).await.unwrap();
    assert_eq!(theirs.tenant.as_deref(), Some("acme"));
}

#[tokio::test]
async fn promotions() {
    let (_mocks, Backends { promotions, .. }) = start().await;
    let home = promotions.at("home").await.unwrap();
    assert_eq!((home.len(), home[0].id.as_str(), home[0].title.as_str()), (4, "slow-mornings", "Slow mornings"));
    assert!(home[0].image.starts_with("https://") && home[0].link.starts_with('/') && !home[0].subtitle.is_empty());
    assert!(promotions.at("nowhere").await.unwrap().is_empty());
}

/// Compiles only if the calls fit into a handler, whose future has to be `Send`.
#[tokio::test]
async fn a_batch_joins_a_list() {
    let (_mocks, backends) = start().await;
    let page = Composer::new(request(Some(of("ada")), HeaderMap::new()));
    let joined = tokio::spawn(async move {
        let cart = Scope::endpoint(page.context().clone()).enter(backends.carts.cart()).await?;
        let ids = cart.lines.iter().map(|line| line.product_id.clone());
        let names = page
            .batch(
                "lines.product",
                ids,
                |ids| backends.catalog.products(ids),
                |product: &catalog::Product| product.id.clone(),
            )
            .await;
        let quotes = backends.pricing.quotes(cart.lines.iter().map(|line| &line.product_id)).await?;
        bff_core::Result::<_>::Ok((names.get(&cart.lines[0].product_id).is_some(), quotes.len()))
    });
    assert_eq!(joined.await.unwrap().unwrap(), (true, 3));
}
