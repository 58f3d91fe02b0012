//! The degradation drill: every endpoint of every BFF, each of its calls failing in turn, and all that the page can do without
//! at once; with nothing in the store, and with what has gone stale in it. Each answer must fit the BFF's own API document.
//!
//! What the backends say on a good day is recorded from the mocks once; then the mocks are gone, the clock is paused, and
//! faults enter at the transport. So the times in the table are exact, and the table is a snapshot to review.

mod contract;
mod recording;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use bff_core::Bff;
use bff_core::context::Need;
use bff_core::testing::{Answer, Builder, Fault, TestBff};
use bff_core::upstream::Clients;
use bff_core::{Endpoint, clock, identity::Claims};

use crate::bffs::{Kept, for_each_bff};
use contract::Contract;
use recording::Recording;

for_each_bff!(drill);

/// Longer than any answer of the mocks is fresh, shorter than most may stand in for a failure.
const STALE: Duration = Duration::from_secs(301);

async fn drill<Upstreams: Clients>(bff: Bff<Upstreams>, kept: Kept) {
    let recording = Recording::of_the_mocks().await;
    let live = kit(&bff, kept, |builder, name| recording.record(builder, name)).build().await.unwrap();
    for endpoint in &live.app.endpoints {
        let answer = ask(&live, endpoint).await;
        let whole = answer.status.is_success() && answer.header("bff-degraded").is_empty();
        assert!(whole, "{} on a good day: {} {:?}", endpoint.name, answer.status, answer.json());
    }
    recording.stop().await;

    tokio::time::pause();
    let mut table = String::new();
    for endpoint in &live.app.endpoints {
        writeln!(table, "{} {}  ({})", endpoint.method, endpoint.path, endpoint.name).unwrap();
        let callers = {
            let bff = replay(&bff, kept, &recording).await;
            row(&mut table, &bff, endpoint, "good day", "cold", 200..300).await;
            bff.faults.seen()
        };
        assert!(!callers.is_empty(), "{} calls nobody", endpoint.name);
        let mut failed: BTreeSet<String> = BTreeSet::new();
        for (part, upstream) in &callers {
            let victim = part.as_ref().unwrap_or(upstream);
            for (fault, store) in [(Fault::Hang, "cold"), (Fault::Refuse, "cold"), (Fault::Refuse, "stale")] {
                let bff = replay(&bff, kept, &recording).await;
                prepare(&bff, endpoint, store).await;
                match part {
                    Some(part) => bff.faults.part(part, fault),
                    None => bff.faults.upstream(upstream, fault),
                }
                let case = format!("{victim} {}", word(fault));
                let answer = row(&mut table, &bff, endpoint, &case, store, 200..600).await;
                settle(&bff).await;
                assert!(bff.faults.met() > 0, "{} {case}: no call reached the fault", endpoint.name);
                failed.extend(told(&answer));
            }
        }
        for part in &endpoint.parts {
            let touched = failed.iter().any(|name| *name == part.name || name.starts_with(&format!("{}.", part.name)));
            assert!(touched, "{}: no case of the drill touched the part {}", endpoint.name, part.name);
        }
        dispensable(&mut table, &bff, kept, &recording, endpoint, &callers).await;
        table.push('\n');
    }
    insta::assert_snapshot!(kept.name, table);
}

/// All parts that the page can do without fail at once, and it is there all the same.
async fn dispensable<Upstreams: Clients>(
    table: &mut String,
    bff: &Bff<Upstreams>,
    kept: Kept,
    recording: &Recording,
    endpoint: &Endpoint,
    callers: &BTreeSet<(Option<String>, String)>,
) {
    let required = |part: &str| endpoint.parts.iter().any(|known| known.name == part && is_required(known.need));
    let victims: Vec<&String> =
        callers.iter().filter_map(|(part, _)| part.as_ref()).filter(|part| !required(part)).collect();
    if victims.is_empty() {
        return;
    }
    for store in ["cold", "stale"] {
        let bff = replay(bff, kept, recording).await;
        prepare(&bff, endpoint, store).await;
        for victim in &victims {
            bff.faults.part(victim, Fault::Hang);
        }
        // A strict BFF has no page then, unless what is kept is good enough.
        let statuses = match (kept.name, store) {
            ("partner", "cold") => 503..504,
            ("partner", _) => 200..504,
            _ => 200..300,
        };
        row(table, &bff, endpoint, "all optional hang", store, statuses).await;
        settle(&bff).await;
        assert!(bff.faults.met() > 0);
    }
}

fn is_required(need: Need) -> bool {
    matches!(need, Need::Subject | Need::Required)
}

/// A BFF with its own configuration, but for where its upstreams are.
fn kit<Upstreams: Clients>(
    bff: &Bff<Upstreams>,
    kept: Kept,
    fake: impl Fn(Builder<Upstreams>, &str) -> Builder<Upstreams>,
) -> Builder<Upstreams> {
    let own = kept.settings();
    let builder = Builder::new(bff.clone()).unwrap().settings(|settings| {
        settings.endpoints = own.endpoints;
        for (name, mut upstream) in own.upstreams {
            upstream.url = format!("http://{name}.test");
            // As the kit has it: one attempt, no pauses at random, nothing remembered.
            upstream.retry.tries = 0;
            upstream.breaker.enabled = false;
            upstream.dns_refresh = Duration::ZERO;
            settings.upstreams.insert(name, upstream);
        }
    });
    Upstreams::NAMES.iter().fold(builder, |builder, name| fake(builder, name))
}

async fn replay<Upstreams: Clients>(bff: &Bff<Upstreams>, kept: Kept, recording: &Recording) -> TestBff {
    kit(bff, kept, |builder, name| recording.replay(builder, name)).build().await.unwrap()
}

/// Fills the store and lets it go stale.
async fn prepare(bff: &TestBff, endpoint: &Endpoint, store: &str) {
    if store == "stale" {
        ask(bff, endpoint).await;
        tokio::time::advance(STALE).await;
    }
    bff.faults.clear();
}

/// Lets the refreshes behind the answer end: where the answer did not need the call, they meet the fault.
async fn settle(bff: &TestBff) {
    bff.app.shared.background.close();
    bff.app.shared.background.wait().await;
}

async fn row(
    table: &mut String,
    bff: &TestBff,
    endpoint: &Endpoint,
    case: &str,
    store: &str,
    statuses: std::ops::Range<u16>,
) -> Answer {
    let started = clock::now();
    let answer = ask(bff, endpoint).await;
    let took = clock::now() - started;
    let status = answer.status.as_u16();
    assert!(statuses.contains(&status), "{} {case}: {status} {}", endpoint.name, answer.json());
    Contract::of(&bff.app).check(endpoint, &answer);
    let what = match answer.header("bff-degraded") {
        "" if status >= 400 => format!("{} {}", text(&answer, "part"), text(&answer, "reason")),
        degraded => degraded.to_owned(),
    };
    let line = format!("  {case:40} {store:5}  {status}  {:>4} ms  {what}", took.as_millis());
    writeln!(table, "{}", line.trim_end()).unwrap();
    answer
}

fn text(answer: &Answer, key: &str) -> String {
    answer.json()[key].as_str().unwrap_or_default().to_owned()
}

/// The parts that an answer says anything about.
fn told(answer: &Answer) -> BTreeSet<String> {
    let body = answer.json();
    let listed = body["meta"]["parts"].as_array().cloned().unwrap_or_default();
    let listed = listed.iter().filter_map(|entry| entry["part"].as_str()).map(str::to_owned);
    listed.chain(body["part"].as_str().map(str::to_owned)).collect()
}

fn word(fault: Fault) -> &'static str {
    match fault {
        Fault::Hang => "hangs",
        Fault::Refuse => "refuses",
        Fault::Status(_) => "errs",
        Fault::Garbage => "talks garbage",
        Fault::Slow(_) => "is slow",
    }
}

/// Asks an endpoint by its own example, as somebody who may.
async fn ask(bff: &TestBff, endpoint: &Endpoint) -> Answer {
    let partner = endpoint.access.roles.iter().any(|role| role == "partner");
    let claims = Claims {
        subject: if partner { "acme-app" } else { "ada" }.to_owned(),
        tenant: partner.then(|| "acme".to_owned()),
        roles: vec![if partner { "partner" } else { "user" }.to_owned()],
        scopes: endpoint.access.scopes.iter().map(ToString::to_string).collect(),
        ..Claims::default()
    };
    let target = endpoint.example.to_string();
    if endpoint.method.is_safe() {
        bff.get_as(&claims, &target).await
    } else {
        let body = Contract::of(&bff.app).example_body(endpoint);
        bff.post_as(&claims, &target, &body).await
    }
}
