//! Many at once: one call for a thousand that ask the same, and bounds for a thousand that do not.

use std::collections::BTreeMap;

use bytesize::ByteSize;
use futures::StreamExt;
use futures::future::join_all;
use tokio::io::AsyncReadExt;

use super::origin::{Gate, Origin, Step, cc, step};
use super::route::{Route, pass};
use crate::world::{Answer, client, h2_client, within};

const CROWD: usize = 1000;

/// A thousand requests for one target, all of which the BFF has when the gate opens. How they were answered, and how often.
async fn crowd(route: &Route, gate: &Gate) -> BTreeMap<String, usize> {
    let request = "GET /one HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n";
    // Written is as good as sent: they wait where the BFF reads.
    let streams = join_all((0..CROWD).map(|_| route.bff.raw(request))).await;
    route.arrived(CROWD).await;
    route.origin.until(1).await;
    assert_eq!(route.origin.count(), 1);
    gate.open();
    let answers = streams.into_iter().map(|mut stream| async move {
        let mut text = String::new();
        within(stream.read_to_string(&mut text)).await.unwrap();
        let status = text.lines().next().unwrap().to_owned();
        let how = text.lines().find_map(|line| line.strip_prefix("cache-status: ")).unwrap_or_default().to_owned();
        format!("{status} {how}")
    });
    let mut counted = BTreeMap::new();
    for answer in join_all(answers).await {
        *counted.entry(answer).or_default() += 1;
    }
    counted
}

#[tokio::test]
async fn a_thousand_misses_of_one_key_are_one_call() {
    let gate = Gate::new();
    let route = Route::over(&Origin::new([cc("max-age=60").behind(&gate)]).await).await;
    let counted = crowd(&route, &gate).await;
    assert_eq!(route.origin.count(), 1, "{counted:?}");
    assert_eq!(counted["HTTP/1.1 200 OK bff; fwd=uri-miss; stored"], 1, "{counted:?}");
    assert_eq!(counted["HTTP/1.1 200 OK bff; fwd=uri-miss; stored; collapsed"], CROWD - 1, "{counted:?}");
}

#[tokio::test]
async fn a_thousand_that_wait_for_what_may_not_be_kept_then_ask_all_at_once() {
    let (first, rest) = (Gate::new(), Gate::new());
    let (held, held_too) = (first.clone(), rest.clone());
    let origin = Origin::by(move |seen| cc("private").behind(if seen.number == 1 { &held } else { &held_too })).await;
    let route = Route::over(&origin).await;
    let (counted, ()) = futures::join!(crowd(&route, &first), async {
        // If they asked in turn, no second one would come before the first of them is answered.
        origin.until(CROWD).await;
        rest.open();
    });
    assert_eq!(origin.count(), CROWD, "{counted:?}");
    assert!(counted.keys().all(|how| how.starts_with("HTTP/1.1 200")), "{counted:?}");
}

#[tokio::test]
async fn the_one_who_asked_first_may_leave() {
    let gate = Gate::new();
    let route = Route::over(&Origin::new([cc("max-age=60").behind(&gate)]).await).await;
    let first = route.bff.raw("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n").await;
    route.origin.until(1).await;
    let (second, ()) = futures::join!(route.get("/").header("host", "a.example").into_future(), async {
        route.arrived(1).await;
        drop(first);
        route.arrived(1).await;
        gate.open();
    });
    second.expect_status(200).expect_body("answer 1");
    assert_eq!(route.origin.count(), 1);
}

#[tokio::test]
async fn rfc9111_4_3_a_thousand_who_find_it_old_confirm_it_once() {
    let gate = Gate::new();
    let old = cc("max-age=60").header("age", "100").header("etag", "\"a\"");
    let fresh = step().status(304).header("age", "0").behind(&gate);
    let route = Route::over(&Origin::new([old, fresh]).await).await;
    route.get("/").await;
    let (answers, ()) = futures::join!(join_all((0..50).map(|_| route.get("/").into_future())), async {
        route.origin.until(2).await;
        route.arrived(50).await;
        gate.open();
    });
    assert!(answers.iter().all(|got| got.text() == "answer 1" && got.status() == 200));
    assert_eq!(route.origin.count(), 2);
}

const CAPACITY: u64 = 1024 * 1024;

async fn small(answer: impl Fn(&super::origin::Seen) -> Step + Send + Sync + 'static) -> Route {
    let origin = Origin::by(answer).await;
    Route::with(&origin, |settings| settings.cache.capacity = ByteSize::b(CAPACITY)).await
}

/// Asks by these, many at once; the most that the store weighed meanwhile.
async fn heaviest(route: &Route, requests: impl Iterator<Item = reqwest::RequestBuilder>) -> u64 {
    let mut most = 0;
    let mut answers = futures::stream::iter(requests).map(Answer::to).buffer_unordered(64);
    let mut count = 0;
    while let Some(answer) = answers.next().await {
        assert_eq!(answer.status, 200);
        count += 1;
        if count % 50 == 0 {
            most = most.max(route.bff.shared.store.weight());
        }
    }
    most
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_targets_stays_within_the_store() {
    let route = small(|_| cc("max-age=60").body("x".repeat(1024))).await;
    let client = h2_client();
    let most = heaviest(&route, (0..3000).map(|number| client.get(route.url(&format!("/{number}?{number}"))))).await;
    assert!((CAPACITY / 2..=CAPACITY).contains(&most), "{most}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_variants_stays_within_the_store() {
    let route = small(|_| cc("max-age=60").header("vary", "accept-language").body("x".repeat(1024))).await;
    let client = h2_client();
    let url = route.url("/");
    let most =
        heaviest(&route, (0..2000).map(|number| client.get(&url).header("accept-language", format!("x-{number}"))))
            .await;
    assert!((CAPACITY / 2..=CAPACITY).contains(&most), "{most}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_changes_stays_within_the_store() {
    let route = small(|_| step()).await;
    let client = h2_client();
    let path = "p".repeat(2000);
    let most = heaviest(&route, (0..1200).map(|number| client.post(route.url(&format!("/{number}{path}"))))).await;
    // They have a share of their own.
    assert!((CAPACITY / 64..=CAPACITY / 16).contains(&most), "{most}");
}

#[tokio::test]
async fn answers_that_do_not_end_are_read_only_as_far_as_there_is_room() {
    let gate = Gate::new();
    let held = gate.clone();
    // Each may be kept; all together are a hundred times what there is.
    let route = small(move |_| cc("max-age=60").body("x".repeat(100_000)).pauses(&held)).await;
    let client = client();
    let mut heads = futures::stream::iter((0..200).map(|number| client.get(route.url(&format!("/{number}"))).send()))
        .buffer_unordered(200);
    let mut streaming = Vec::new();
    // Which is read whole is answered at its end; which does not fit is passed on as it comes, and so begins at once.
    while streaming.len() < 197 {
        streaming.push(within(heads.next()).await.unwrap().unwrap());
    }
    gate.open();
    while let Some(answer) = within(heads.next()).await {
        streaming.push(answer.unwrap());
    }
    for answer in streaming {
        assert_eq!(within(answer.bytes()).await.unwrap().len(), 100_000);
    }
    assert!(route.bff.shared.store.weight() <= CAPACITY);
}

#[tokio::test]
async fn what_is_larger_than_may_be_kept_is_passed_on_whole() {
    for large in [cc("max-age=60"), cc("max-age=60").chunked()] {
        let body = "x".repeat(300_000);
        let shown = body.clone();
        let route = small(move |_| large.clone().body(shown.clone())).await;
        for _ in 0..2 {
            let got = route.get("/").await;
            got.expect_body(&body);
            assert_eq!((got.asked, got.how().as_str()), (1, "fwd=uri-miss"));
        }
    }
}

#[tokio::test]
async fn an_impatient_client_does_not_end_what_others_wait_for() {
    let gate = Gate::new();
    let origin = Origin::new([cc("max-age=60").behind(&gate)]).await;
    let route = Route::over(&origin).await;
    let impatient = route.get("/").header("request-timeout", "1").into_future();
    let patient = async {
        origin.until(1).await;
        let (got, ()) = futures::join!(route.get("/").into_future(), async {
            route.arrived(1).await;
            pass(2).await;
            route.arrived(1).await;
            gate.open();
        });
        got
    };
    let (impatient, patient) = futures::join!(impatient, patient);
    impatient.expect_status(504);
    patient.expect_status(200);
}

#[tokio::test]
async fn what_was_not_kept_is_not_waited_for() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::by(move |seen| match seen.number {
        1 => cc("private").header("etag", "\"a\""),
        _ if seen.header("if-none-match") == "\"a\"" => step().status(304).header("etag", "\"a\"").behind(&held),
        _ => cc("private").behind(&held),
    })
    .await;
    let route = Route::over(&origin).await;
    route.get("/").await.expect_status(200);
    // Neither of them waits for the other; and who has it is told so by the origin.
    let both = futures::future::join(
        route.get("/").into_future(),
        route.get("/").header("if-none-match", "\"a\"").into_future(),
    );
    let ((whole, known), ()) = futures::join!(both, async {
        origin.until(3).await;
        gate.open();
    });
    whole.expect_status(200);
    known.expect_status(304);
}
