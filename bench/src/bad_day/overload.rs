//! More clients than a required backend can serve.

use std::fmt::Write as _;
use std::time::Duration;

use bff_core::clock;

use super::load::{self, Phase, Summary, goodput, number};
use super::metastable::{WORKERS, capacity};
use super::page::Protection;
use super::world::{PLENTY, REQUIRED, World};
use super::{Asked, Finding};
use crate::Result;

/// How long all is well before, at [`CALM`] of the capacity.
const WARM: Duration = Duration::from_secs(2);
const CALM: f64 = 0.7;
/// The first part of the overload, told apart.
const FIRST: Duration = Duration::from_secs(2);
const LOADS: [f64; 4] = [0.7, 1.0, 2.0, 3.0];
const ENOUGH: f64 = 0.9;

/// What came out.
pub(super) struct Outcome {
    pub(super) table: String,
    pub(super) findings: Vec<Finding>,
}

/// Runs every load with and without protection.
pub(super) async fn run(asked: &Asked) -> Result<Outcome> {
    let mut table = String::from(
        "| arrivals/s | | whole pages/s, first 2 s | whole pages/s, after that | of the peak | p50 ms | p99 ms | attempts/arrival | late p99 ms |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let mut rows = Vec::new();
    for load in LOADS {
        for protection in [Protection::Nothing, Protection::Ours] {
            rows.push(measure(asked, load, protection).await?);
        }
    }
    let peak = rows.iter().map(|row| row.later).fold(f64::NAN, f64::max);
    for Row { load, protection, first, later, summary, attempts } in &rows {
        let (rate, share, name) = (load * capacity(), 100.0 * later / peak, protection.name());
        let Summary { p50, p99, late99, .. } = summary;
        writeln!(
            table,
            "| {rate:.0} ({load} ×) | {name} | {first:.0} | {later:.0} | {share:.0} % | {p50:.0} | {p99:.0} | {attempts:.2} | {late99:.1} |"
        )?;
    }
    eprint!("{table}");
    let worst = rows.iter().rfind(|row| row.protection == Protection::Ours).map_or(0.0, |row| row.later);
    let finding = Finding {
        holds: worst >= ENOUGH * peak,
        text: format!(
            "ours keeps 90 % of the peak at three times the capacity ({worst:.0} of {peak:.0} whole pages/s)"
        ),
    };
    Ok(Outcome { table, findings: vec![finding] })
}

struct Row {
    load: f64,
    protection: Protection,
    first: f64,
    later: f64,
    summary: Summary,
    attempts: f64,
}

async fn measure(asked: &Asked, load: f64, protection: Protection) -> Result<Row> {
    let world = World::start(protection, asked.ours.as_ref(), [PLENTY, WORKERS, PLENTY, PLENTY, PLENTY]).await?;
    let phases =
        [Phase { rate: CALM * capacity(), lasts: WARM }, Phase { rate: load * capacity(), lasts: FIRST + asked.each }];
    let (begin, end) = (clock::now(), WARM + FIRST + asked.each);
    let page = world.page;
    let clients = tokio::spawn(async move { load::run(page, begin, &phases).await });
    tokio::time::sleep_until(begin + WARM).await;
    let before = world.attempts(REQUIRED);
    let mut time = WARM;
    while time < end {
        time += Duration::from_millis(250);
        tokio::time::sleep_until(begin + time).await;
        if asked.series {
            eprintln!("{load} × {}\t{:.2}\t{}", protection.name(), time.as_secs_f64(), world.guards(REQUIRED)?);
        }
    }
    let attempts = world.attempts(REQUIRED) - before;
    let arrivals = clients.await??;
    world.stop().await?;
    let summary = Summary::of(&arrivals, WARM + FIRST, end);
    let overloaded = Summary::of(&arrivals, WARM, end).arrivals;
    let attempts = number(usize::try_from(attempts)?) / number(overloaded.max(1));
    Ok(Row {
        load,
        protection,
        first: goodput(&arrivals, WARM, WARM + FIRST),
        later: goodput(&arrivals, WARM + FIRST, end),
        summary,
        attempts,
    })
}
