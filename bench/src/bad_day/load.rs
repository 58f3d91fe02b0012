//! Clients that arrive when they arrive, whether others have been answered or not.
//!
//! The load of `bench load` keeps one thread for each connection, and a connection that waits asks late. Here every
//! arrival is a task of its own.

use std::net::SocketAddr;
use std::time::Duration;

use bff_core::clock::{self, Instant};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::task::JoinSet;

use super::page::BUDGET;
use crate::Result;

/// When an answer is given up for lost. Later than any of the servers gives up.
const LONGEST: Duration = Duration::from_secs(10);

type Client = legacy::Client<HttpConnector, Empty<Bytes>>;

/// What a client got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// A whole page in time.
    Whole,
    /// A page in time of which something is missing.
    Partial,
    /// Anything else: a problem, nothing, or a page too late.
    Nothing,
}

/// One client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// When it was to arrive, from the begin of the run.
    pub(super) due: Duration,
    /// How much later it did: the experiment's own fault.
    pub(super) late: Duration,
    /// How long the answer took, from when it was due to arrive.
    pub(super) took: Duration,
    /// What it got.
    pub(super) got: Got,
}

/// So many arrivals a second for so long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase {
    pub(super) rate: f64,
    pub(super) lasts: Duration,
}

/// Sends clients from `begin` on, one phase after the other. Each arrives somewhere in its own stretch of 1/rate, so that
/// counts are exact and gaps are not.
pub(super) async fn run(to: SocketAddr, begin: Instant, phases: &[Phase]) -> Result<Vec<Arrival>> {
    let client: Client = legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .retry_canceled_requests(false)
        .build(connector());
    let mut chance = fastrand::Rng::with_seed(7);
    // bound: rate × duration
    let mut clients = JoinSet::new();
    let (mut phase_begin, mut number) = (Duration::ZERO, 0_u64);
    for phase in phases {
        let mut place = 0.0;
        loop {
            let due = phase_begin + Duration::from_secs_f64((place + chance.f64()) / phase.rate);
            if place / phase.rate >= phase.lasts.as_secs_f64() {
                break;
            }
            place += 1.0;
            number += 1;
            tokio::time::sleep_until(begin + due).await;
            clients.spawn(arrive(client.clone(), to, number, begin, due));
        }
        phase_begin += phase.lasts;
    }
    let mut arrivals = Vec::with_capacity(clients.len());
    while let Some(arrival) = clients.join_next().await {
        arrivals.push(arrival?);
    }
    arrivals.sort_unstable_by_key(|arrival| arrival.due);
    Ok(arrivals)
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector
}

async fn arrive(client: Client, to: SocketAddr, number: u64, begin: Instant, due: Duration) -> Arrival {
    let late = (clock::now() - begin).saturating_sub(due);
    let answer = tokio::time::timeout(LONGEST, ask(client, to, number)).await;
    let took = (clock::now() - begin).saturating_sub(due);
    let got = match answer {
        Ok(Ok(got)) if took <= BUDGET => got,
        _ => Got::Nothing,
    };
    Arrival { due, late, took, got }
}

async fn ask(client: Client, to: SocketAddr, number: u64) -> Result<Got> {
    let request = Request::get(format!("http://{to}/page/{number}")).body(Empty::new())?;
    let response = client.request(request).await?;
    let got = match response.status() {
        StatusCode::OK if response.headers().contains_key("bff-degraded") => Got::Partial,
        StatusCode::OK => Got::Whole,
        _ => Got::Nothing,
    };
    response.into_body().collect().await?;
    Ok(got)
}

/// What all clients of a stretch got.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Summary {
    /// In percent of the arrivals; so are the next two.
    pub(super) whole: f64,
    pub(super) partial: f64,
    pub(super) failed: f64,
    /// In milliseconds, over all answers.
    pub(super) p50: f64,
    pub(super) p99: f64,
    /// By how much clients arrived too late, in milliseconds.
    pub(super) late99: f64,
    /// How many there were.
    pub(super) arrivals: usize,
}

impl Summary {
    /// Of those who were due from `from` until `until`.
    pub(super) fn of(arrivals: &[Arrival], from: Duration, until: Duration) -> Self {
        let seen: Vec<&Arrival> = arrivals.iter().filter(|one| one.due >= from && one.due < until).collect();
        let share = |got| percent(seen.iter().filter(|one| one.got == got).count(), seen.len());
        let millis = |of: fn(&Arrival) -> Duration, percent: usize| {
            let mut all: Vec<Duration> = seen.iter().map(|one| of(one)).collect();
            all.sort_unstable();
            let at = (all.len() * percent / 100).min(all.len().saturating_sub(1));
            all.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
        };
        Self {
            whole: share(Got::Whole),
            partial: share(Got::Partial),
            failed: share(Got::Nothing),
            p50: millis(|one| one.took, 50),
            p99: millis(|one| one.took, 99),
            late99: millis(|one| one.late, 99),
            arrivals: seen.len(),
        }
    }
}

/// Whole pages a second, of those who were due from `from` until `until`.
pub(super) fn goodput(arrivals: &[Arrival], from: Duration, until: Duration) -> f64 {
    let whole = arrivals.iter().filter(|one| one.got == Got::Whole && one.due >= from && one.due < until).count();
    number(whole) / (until - from).as_secs_f64()
}

/// A count as a number.
#[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(super) fn number(count: usize) -> f64 {
    count as f64
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * number(part) / number(whole.max(1))
}
