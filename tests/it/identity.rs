//! Nobody is shown what belongs to somebody else.
//!
//! Users ask for the same URLs at the same time over one connection. Each request says in a header of its own, which is
//! passed on to one backend, that it is there: when that backend has seen all of them, all of them wait at the barrier
//! of the backend whose answers are personal, hence overlap.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use mock_services::{Backend, Faults, Reply, Service, TokenRequest};
use reqwest::{Client, Method};
use serde_json::Value;

use crate::tiny::Tiny;
use crate::world::{Answer, World, backends, h2_client, within};

/// A user, and the words by which their data is told from anybody else's.
struct User {
    token: String,
    /// A trace that this user's requests belong to.
    trace: String,
    canaries: BTreeMap<&'static str, String>,
}

/// What is asked, and where.
struct Course<'a> {
    url: String,
    /// Answers with what belongs to the user.
    personal: &'a [&'a Backend],
    /// Sees every request by itself, because it sees the lap.
    laps: &'a Backend,
    /// What of an answer tells whose it is.
    canary: fn(&Value) -> String,
    name: &'static str,
}

/// So many rounds in which every user asks `each` times at once. Gives back how many answers were whose.
async fn race(client: &Client, course: &Course<'_>, users: &[User], rounds: usize, each: usize) -> (usize, usize) {
    static LAP: AtomicUsize = AtomicUsize::new(0);
    let (mut own, mut foreign) = (0, 0);
    for _ in 0..rounds {
        course.laps.clear_requests();
        course.personal.iter().for_each(|backend| backend.hold());
        let mut asked = Vec::new();
        for user in (0..each).flat_map(|_| users.iter()) {
            let request = client
                .get(&course.url)
                .bearer_auth(&user.token)
                .header("traceparent", format!("00-{}-00000000000000ff-00", user.trace))
                .header("x-lap", LAP.fetch_add(1, Ordering::Relaxed));
            asked.push((user, tokio::spawn(Answer::to(request))));
        }
        within(course.laps.wait_for_requests(asked.len())).await;
        course.personal.iter().for_each(|backend| {
            backend.release();
        });
        for (user, answer) in asked {
            let answer = within(answer).await.unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
            let canary = (course.canary)(&answer.json());
            if canary == user.canaries[course.name] { own += 1 } else { foreign += 1 }
        }
    }
    (own, foreign)
}

fn trace(number: usize) -> String {
    format!("{:032x}", number + 1)
}

fn home(page: &Value) -> String {
    format!("{} {} {}", page["profile"], page["cart"], page["recommendations"])
}

fn orders(page: &Value) -> String {
    page["orders"].to_string()
}

fn cart(page: &Value) -> String {
    page["lines"].to_string()
}

/// A name, a path, and what of its answer belongs to the user.
type Personal = (&'static str, &'static str, fn(&Value) -> String);

const COURSES: [Personal; 3] = [("home", "/home", home), ("orders", "/orders", orders), ("cart", "/cart", cart)];

/// Eight users, whose canaries are what they are told when each is alone in the world.
async fn users(world: &World) -> Vec<User> {
    let quiet = World::start().await;
    let mut users = Vec::new();
    for (number, id) in ["ada", "u2", "u3", "u4", "u5", "u6", "u7", "u8"].into_iter().enumerate() {
        // Something in the cart that nobody else has.
        let item = format!(r#"{{"product_id":"{}","quantity":1}}"#, 700 + number);
        for mocks in [&world.mocks, &quiet.mocks] {
            let add = quiet.client.post(format!("{}/cart/items", mocks.url(Service::Carts))).body(item.clone());
            assert_eq!(Answer::to(add.header("x-user-id", id)).await.status, 200);
        }
        let mut canaries = BTreeMap::new();
        for (name, path, canary) in COURSES {
            canaries.insert(name, canary(&quiet.get_as(id, path).await.json()));
        }
        let profile = format!("{}/profile", quiet.mocks.url(Service::Accounts));
        let profile = Answer::to(quiet.client.get(profile).header("x-user-id", id)).await.json();
        assert!(canaries["home"].contains(profile["name"].as_str().unwrap()), "{canaries:?}");
        users.push(User { token: world.token(id), trace: trace(number), canaries });
    }
    for name in ["home", "orders", "cart"] {
        let mut different: Vec<_> = users.iter().map(|user| &user.canaries[name]).collect();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), users.len(), "{name}: the users cannot be told apart");
    }
    users
}

async fn nobody_sees_foreign_data(lie: Faults, rounds: usize, each: usize) {
    let world = World::with(|settings| {
        settings.upstreams.get_mut("promotions").unwrap().forward = vec!["x-lap".to_owned()];
    })
    .await;
    let users = users(&world).await;
    for service in [Service::Accounts, Service::Carts, Service::Orders, Service::Recommendations] {
        world.fault(service, lie.clone());
    }
    let backend = |service| world.mocks.backend(service);
    let course = Course {
        url: world.url("/home"),
        personal: &[backend(Service::Accounts), backend(Service::Carts), backend(Service::Recommendations)],
        laps: backend(Service::Promotions),
        canary: home,
        name: "home",
    };
    // All on one connection; then on as many as there are requests, which are used again.
    for client in [h2_client(), world.client.clone()] {
        let (own, foreign) = race(&client, &course, &users, rounds, each).await;
        assert_eq!((own, foreign), (rounds * each * users.len(), 0));
    }
    // Different pages of the same users at the same time, as fast as they come.
    for _ in 0..rounds {
        let mut asked = Vec::new();
        for (user, (name, path, canary)) in users.iter().flat_map(|user| COURSES.map(|course| (user, course))) {
            let request = world.request(Method::GET, path).bearer_auth(&user.token);
            asked.push((user, name, canary, tokio::spawn(Answer::to(request))));
        }
        for (user, name, canary, answer) in asked {
            let answer = within(answer).await.unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(canary(&answer.json()), user.canaries[name], "{name}: foreign data");
        }
    }
    // It was worth something only if what belongs to one was shared among their own requests.
    for service in [Service::Accounts, Service::Recommendations] {
        let asked = world.seen(service);
        assert!(asked >= users.len() && asked < 2 * rounds * each * users.len(), "{service}: {asked}");
        for request in world.mocks.requests(service) {
            assert!(request.header("x-user-id").is_some(), "{request:?}");
        }
    }
}

/// An upstream that lies `public`, kept for an hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_kept_is_kept_for_its_owner() {
    nobody_sees_foreign_data(Faults { lie_public: true, ..Faults::default() }, 10, 6).await;
}

/// The same lie about answers that are old at once: every round calls again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_under_way_is_under_way_for_its_owner() {
    let lie = Faults { cache_control: Some("public, max-age=0".to_owned()), ..Faults::default() };
    nobody_sees_foreign_data(lie, 10, 6).await;
}

/// The same race against `/mine`, and against `/ours`, which leaves the identity out of the key. So the race above would
/// tell: this is the test of the test.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_without_the_identity_would_be_seen() {
    let mocks = backends().await;
    let names: Vec<&str> = vec!["ada", "u2", "u3", "u4"];
    let known = names.clone();
    // Personal in both ways: by whom the BFF names, and, where it names nobody, by the trace, as a backend may.
    let tiny = Tiny::start(&mocks, move |request| {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let by_trace = || {
            let number = header("traceparent").and_then(|trace| trace.split('-').nth(1)).unwrap();
            known[usize::from_str_radix(number, 16).unwrap() - 1]
        };
        let name = header("x-user-id").unwrap_or_else(by_trace).to_owned();
        Reply::json(format!(r#"{{"name":"{name}"}}"#)).with(http::header::CACHE_CONTROL, "public, max-age=0")
    })
    .await;
    let users = names.iter().enumerate().map(|(number, name)| User {
        token: mocks.mint_token(&TokenRequest::new(*name)).unwrap(),
        trace: trace(number),
        canaries: BTreeMap::from([("name", (*name).to_owned())]),
    });
    let users: Vec<User> = users.collect();
    let client = h2_client();
    let run = async |path: &str| {
        let course = Course {
            url: format!("http://{}{path}", tiny.bff.address),
            personal: &[&tiny.people],
            laps: &tiny.laps,
            canary: |page| page["name"]["text"].as_str().unwrap().to_owned(),
            name: "name",
        };
        race(&client, &course, &users, 5, 5).await
    };
    assert_eq!(run("/mine").await, (100, 0));
    let (own, foreign) = run("/ours").await;
    // In each round one call is made for everybody: one user of four gets what is theirs.
    assert_eq!((own, foreign), (25, 75));
}

/// The same person by a narrower token is somebody else.
#[tokio::test]
async fn a_narrower_token_is_another_identity() {
    let world = World::start().await;
    world.fault(Service::Accounts, Faults { lie_public: true, ..Faults::default() });
    let wanted = |change: fn(&mut TokenRequest)| {
        let mut wanted = TokenRequest::new("ada");
        change(&mut wanted);
        world.mocks.mint_token(&wanted).unwrap()
    };
    let tokens = [
        wanted(|_| {}),
        wanted(|wanted| wanted.roles = Some(vec!["user".to_owned(), "admin".to_owned()])),
        wanted(|wanted| wanted.scopes = Some(vec!["a".to_owned()])),
        wanted(|wanted| wanted.tenant = Some("acme".to_owned())),
        wanted(|wanted| wanted.client = Some("other".to_owned())),
    ];
    for (calls, token) in tokens.iter().enumerate() {
        for _ in 0..2 {
            assert_eq!(Answer::to(world.request(Method::GET, "/home").bearer_auth(token)).await.status, 200);
            assert_eq!(world.seen(Service::Accounts), calls + 1);
        }
    }
    // Another token that says the same is the same identity.
    let again = wanted(|_| {});
    assert_ne!(again, tokens[0]);
    Answer::to(world.request(Method::GET, "/home").bearer_auth(again)).await;
    assert_eq!(world.seen(Service::Accounts), tokens.len());
}

/// Whoever says by header who they are is not believed, and secrets stay here.
#[tokio::test]
async fn what_a_client_says_of_itself_goes_nowhere() {
    let world = World::start().await;
    let forged = |path: &str| {
        world
            .request(Method::GET, path)
            .header("x-user-id", "u2")
            .header("X-USER-ID", "u3")
            .header("x-user-roles", "admin")
            .header("x-user-scopes", "everything")
            .header("x-user-tenant", "acme")
            .header("x-client-id", "acme-app")
            .header("cookie", "session=canary-cookie")
            .header("proxy-authorization", "Basic canary-proxy")
            .header("forwarded", "for=canary-forwarded")
            .header("x-secret", "canary-secret")
            .header("te", "trailers")
    };
    // As nobody: whatever needs somebody is left out.
    let page = Answer::to(forged("/home")).await.json();
    assert_eq!((&page["profile"], &page["cart"]), (&Value::Null, &Value::Null), "{page}");
    for service in [Service::Accounts, Service::Carts, Service::Recommendations] {
        assert_eq!(world.seen(service), 0, "{service} was asked in somebody's name");
    }
    Answer::to(forged("/orders")).await.assert_problem(401, "unauthenticated");
    // As ada: ada.
    let token = world.token("ada");
    for path in ["/home", "/orders", "/cart", "/product-page/42", "/search?q=kettle"] {
        assert_eq!(Answer::to(forged(path).bearer_auth(&token)).await.status, 200, "{path}");
    }
    let seen = world.all_seen();
    assert!(seen.len() > 8, "{}", seen.len());
    for (service, request) in seen {
        let personal = matches!(service, Service::Accounts | Service::Carts | Service::Orders)
            || request.path.starts_with("/for-me");
        assert_eq!(request.header("x-user-id"), personal.then_some("ada"), "{service} {}", request.path);
        assert_eq!(request.header("x-user-roles"), personal.then_some("user"), "{service} {}", request.path);
        assert_eq!(request.header("x-client-id"), personal.then_some("mock-login"), "{service} {}", request.path);
        for (name, value) in &request.headers {
            let is_secret = ["authorization", "cookie", "proxy-authorization", "x-user-scopes", "x-user-tenant"];
            assert!(!is_secret.contains(&name.as_str()), "{service} {name}");
            assert!(!value.contains("canary") && !value.contains(&token), "{service} {name}: {value}");
        }
    }
}
