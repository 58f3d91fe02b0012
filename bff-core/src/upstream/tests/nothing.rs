//! "There is none", and lists that are not whole, beside what is kept. On paused time.

use std::sync::Mutex;

use http::{StatusCode, header};

use super::*;
use crate::Rows;

/// What the backend says now, and how often it was asked.
#[derive(Clone, Default)]
struct Says(Arc<Mutex<Option<Reply>>>, Arc<AtomicUsize>);

impl Says {
    fn now(&self, reply: Reply) {
        *self.0.lock().unwrap() = Some(reply);
    }

    fn asked(&self) -> usize {
        self.1.load(Ordering::Relaxed)
    }
}

const WINDOWS: &str = "max-age=10, stale-while-revalidate=20, stale-if-error=60";

fn good() -> Reply {
    Reply::json(&json!("good")).header("cache-control", WINDOWS)
}

fn nothings() -> [(&'static str, Reply); 3] {
    let no_content = Reply::status(StatusCode::NO_CONTENT);
    let empty = Reply::status(StatusCode::OK);
    [("204", no_content), ("null", Reply::json(&Value::Null)), ("empty, by key", empty)]
}

async fn asking() -> (TestBff, Says) {
    let says = Says::default();
    let own = says.clone();
    let fake = move |_: Request<bytes::Bytes>| {
        own.1.fetch_add(1, Ordering::Relaxed);
        std::future::ready(own.0.lock().unwrap().clone().unwrap())
    };
    let builder = builder().upstream("weather", fake).settings(|settings| {
        settings.upstreams.get_mut("weather").unwrap().empty_is_none = true;
    });
    (builder.build().await.unwrap(), says)
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn k05_nothing_replaces_no_good_entry_where_a_failed_refresh_would_not() {
    for (name, nothing) in nothings() {
        let (bff, says) = asking().await;
        says.now(good());
        assert_eq!(bff.get("/sky").await.json()["weather"], "good", "{name}");
        // Behind the answer: what is kept stays.
        says.now(nothing.header("cache-control", WINDOWS));
        tokio::time::advance(Duration::from_secs(15)).await;
        for _ in 0..3 {
            let answer = bff.get("/sky").await.json();
            assert_eq!((&answer["weather"], &answer["meta"]["degraded"]), (&json!("good"), &json!(false)), "{name}");
            settle().await;
        }
        assert!(says.asked() > 1, "{name}");
        // Before the answer: it stands in, as for a failure, and says so.
        tokio::time::advance(Duration::from_secs(20)).await;
        let answer = bff.get("/sky").await.json();
        assert_eq!(answer["weather"], "good", "{name}");
        let part = &answer["meta"]["parts"][0];
        assert_eq!((&part["outcome"], &part["reason"]), (&json!("stale"), &json!("invalid_response")), "{name}");
        // In one request it is asked once, and both parts come to the same.
        let (asked, answer) = (says.asked(), bff.get("/two").await.json());
        assert_eq!((&answer["first"], &answer["second"]), (&json!("good"), &json!("good")), "{name}");
        assert_eq!(says.asked(), asked + 1, "{name}");
        // Where a failed refresh would have nothing to fall back on, it is what it says.
        tokio::time::advance(Duration::from_secs(60)).await;
        let answer = bff.get("/sky").await.json();
        assert_eq!((&answer["weather"], &answer["meta"]["parts"]), (&Value::Null, &json!([])), "{name}");
    }
}

/// A definite 404 is another thing: it was asked for, and is not there.
#[tokio::test(start_paused = true)]
async fn a_404_makes_old_what_is_kept() {
    let (bff, says) = asking().await;
    says.now(good());
    bff.get("/sky").await;
    says.now(Reply::status(StatusCode::NOT_FOUND));
    tokio::time::advance(Duration::from_secs(40)).await;
    for _ in 0..2 {
        let answer = bff.get("/sky").await.json();
        assert_eq!((&answer["weather"], &answer["meta"]["parts"]), (&Value::Null, &json!([])));
    }
}

#[tokio::test(start_paused = true)]
async fn k05_nothing_is_kept_as_told_and_asked_again_where_it_is_needed() {
    for (name, nothing) in nothings() {
        let (bff, says) = asking().await;
        says.now(nothing.header("cache-control", "max-age=30"));
        for _ in 0..3 {
            let answer = bff.get("/sky").await;
            assert_eq!((&answer.json()["weather"], &answer.json()["meta"]["degraded"]), (&Value::Null, &json!(false)));
            assert_eq!(answer.header("cache-control"), "public, max-age=30", "{name}");
        }
        assert_eq!(says.asked(), 1, "{name}");
        // Outside any part it is needed: asked again, and refused.
        for asked in 2..4 {
            let answer = bff.get("/plain").await;
            assert_eq!((answer.status.as_u16(), &answer.json()["reason"]), (502, &json!("invalid_response")), "{name}");
            assert_eq!(says.asked(), asked, "{name}");
        }
        tokio::time::advance(Duration::from_secs(31)).await;
        says.now(good());
        assert_eq!(bff.get("/sky").await.json()["weather"], "good", "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn k05_nothing_that_is_kept_stands_in_for_no_failure() {
    let (bff, says) = asking().await;
    says.now(Reply::status(StatusCode::NO_CONTENT).header("cache-control", WINDOWS));
    bff.get("/sky").await;
    says.now(Reply::status(StatusCode::SERVICE_UNAVAILABLE));
    tokio::time::advance(Duration::from_secs(40)).await;
    let answer = bff.get("/sky").await.json();
    let part = json!({ "part": "weather", "outcome": "missing", "reason": "upstream_error" });
    assert_eq!((&answer["weather"], &answer["meta"]["parts"]), (&Value::Null, &json!([part])));
}

#[tokio::test]
async fn a_write_that_says_nothing_of_what_has_become_of_it() {
    let post = async |reply: Reply| {
        let bff = builder().answers("diary", reply).build().await.unwrap();
        bff.post_as(&Claims { subject: "ada".into(), ..Claims::default() }, "/diary", &json!("x")).await
    };
    for (name, nothing) in nothings() {
        let answer = post(nothing).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["reason"]), (502, &json!("invalid_response")), "{name}");
    }
    assert_eq!(post(Reply::json(&json!("x"))).await.status, 200);
}

#[derive(Debug, Serialize, ToSchema)]
struct Log {
    lines: Option<Vec<Text>>,
    late: Option<Vec<Text>>,
    meta: Meta,
}

#[utoipa::path(get, path = "/log", responses((status = OK, body = Log), Problems))]
async fn log(page: Composer, up: Upstreams) -> Result<Json<Log>> {
    let lines = async || Ok(up.weather.0.get(path!("/log")).shared::<Rows<Text>>().await?.into_inner().into_vec());
    compose!(page => Log { lines: optional(lines()), late: optional(async { lines().await?; lines().await }) })
}

#[tokio::test(start_paused = true)]
async fn k02f_a_list_that_has_lost_something_is_not_kept_and_replaces_nothing() {
    let says = Says::default();
    let own = says.clone();
    let fake = move |_: Request<bytes::Bytes>| {
        own.1.fetch_add(1, Ordering::Relaxed);
        std::future::ready(own.0.lock().unwrap().clone().unwrap())
    };
    let bff = Bff::new("coast", "1.0.0").page(routes!(log), Policy::public().budget(1000.ms()));
    let bff = Builder::<Upstreams>::new(bff).unwrap().upstream("weather", fake).build().await.unwrap();
    let list = |list: Value| Reply::json(&list).header("cache-control", WINDOWS);
    let part =
        |part: &str| json!({ "part": part, "outcome": "missing", "reason": "invalid_response", "count": 1, "of": 3 });

    says.now(list(json!(["a", 7, "c"])));
    for asked in 1..=2 {
        let answer = bff.get("/log").await;
        let page = answer.json();
        assert_eq!((&page["lines"], &page["late"]), (&json!(["a", "c"]), &json!(["a", "c"])));
        assert_eq!(
            (&page["meta"]["degraded"], &page["meta"]["parts"]),
            (&json!(true), &json!([part("lines"), part("late")]))
        );
        assert_eq!((answer.header("cache-control"), answer.headers.get(header::ETAG)), ("no-store", None));
        assert_eq!(says.asked(), asked, "one call for all parts, none from the store");
    }
    says.now(list(json!(["a", "b", "c"])));
    assert_eq!(bff.get("/log").await.json()["lines"], json!(["a", "b", "c"]));
    // A refresh behind the answer that is less is not kept either.
    says.now(list(json!(["a", 7, "c"])));
    tokio::time::advance(Duration::from_secs(15)).await;
    for _ in 0..3 {
        let page = bff.get("/log").await.json();
        assert_eq!((&page["lines"], &page["meta"]["parts"]), (&json!(["a", "b", "c"]), &json!([])));
        settle().await;
    }
    // What fails altogether is answered from what was whole.
    tokio::time::advance(Duration::from_secs(20)).await;
    says.now(Reply::status(StatusCode::BAD_GATEWAY));
    let page = bff.get("/log").await.json();
    assert_eq!((&page["lines"], &page["meta"]["parts"][0]["outcome"]), (&json!(["a", "b", "c"]), &json!("stale")));
}
