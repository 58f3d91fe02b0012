//! An outage that ends: who comes back, and who keeps himself down.

use std::fmt::Write as _;
use std::time::Duration;

use bff_core::clock::{self, Instant};

use super::backend::{Fault, SERVICE};
use super::chart::{Chart, Curve};
use super::load::{self, Arrival, Phase, Summary, goodput, number};
use super::page::Protection;
use super::world::{PLENTY, REQUIRED, World};
use super::{Asked, Finding};
use crate::Result;

/// Workers of the required backend: 400 calls a second.
pub(super) const WORKERS: u32 = 8;
/// How much of that is used.
const SHARE: f64 = 0.7;
const WELL: Duration = Duration::from_secs(10);
const BAD: Duration = Duration::from_secs(10);
const AFTER: Duration = Duration::from_secs(15);
/// Other lengths of the fault, in seconds. What is open or paused when it ends depends on it.
const LENGTHS: [u64; 8] = [2, 4, 6, 7, 8, 9, 12, 20];
/// So many of them at once: more would crowd this machine.
const AT_ONCE: usize = 2;
/// One point of the curves.
const STEP: Duration = Duration::from_millis(250);
/// Over so long the goodput has to be good again to count as back.
const CALM: Duration = Duration::from_secs(1);
/// The goodput before is that of so long.
const BEFORE: Duration = Duration::from_secs(5);
/// How soon we have to be back.
const SOON: Duration = Duration::from_secs(5);
const ENOUGH: f64 = 0.95;

/// One of the two runs.
struct Run {
    /// How long the fault was there.
    bad: Duration,
    protection: Protection,
    arrivals: Vec<Arrival>,
    attempts: u64,
    /// The guards of the required backend, one line for each step.
    guards: Vec<String>,
}

/// What came out.
pub(super) struct Outcome {
    pub(super) table: String,
    pub(super) chart: String,
    pub(super) findings: Vec<Finding>,
}

/// How many calls a second the required backend can do.
pub(super) fn capacity() -> f64 {
    f64::from(WORKERS) / SERVICE.as_secs_f64()
}

/// Runs it with ours for faults of other lengths; gives back the table.
pub(super) async fn lengths(asked: &Asked) -> Result<String> {
    let mut table = String::from("| fault of s | whole pages/s during | back after s |\n| ---: | ---: | ---: |\n");
    for lengths in LENGTHS.chunks(AT_ONCE) {
        let mut runs = Vec::with_capacity(AT_ONCE);
        for seconds in lengths {
            let (asked, bad) = (asked.clone(), Duration::from_secs(*seconds));
            runs.push(tokio::spawn(async move { measure(&asked, Protection::Ours, bad).await }));
        }
        for run in runs {
            let run = run.await??;
            let back = run.back().map_or("never".to_owned(), |time| format!("{:.2}", time.as_secs_f64()));
            let (seconds, during) = (run.bad.as_secs(), goodput(&run.arrivals, WELL, run.healed()));
            let line = format!("| {seconds} | {during:.0} | {back} |\n");
            eprint!("{line}");
            table.push_str(&line);
            if asked.series {
                eprint!("{}", run.series()?);
            }
        }
    }
    Ok(table)
}

/// Runs it with ours and with naive settings.
pub(super) async fn run(asked: &Asked) -> Result<Outcome> {
    let ours = measure(asked, Protection::Ours, BAD).await?;
    let naive = measure(asked, Protection::Naive, BAD).await?;
    if asked.series {
        eprint!("{}{}", ours.series()?, naive.series()?);
    }
    let mut table = String::from(
        "| | whole pages/s before | during | first 5 s after | last 5 s | back after s | attempts/arrival | late p99 ms |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for run in [&ours, &naive] {
        let (healed, end) = (run.healed(), run.end());
        let (before, during) = (run.before(), goodput(&run.arrivals, WELL, healed));
        let (first, last) = (goodput(&run.arrivals, healed, healed + SOON), goodput(&run.arrivals, end - SOON, end));
        let back = run.back().map_or("never".to_owned(), |time| format!("{:.2}", time.as_secs_f64()));
        let attempts = number(usize::try_from(run.attempts)?) / number(run.arrivals.len().max(1));
        let late = Summary::of(&run.arrivals, Duration::ZERO, end).late99;
        let name = run.protection.name();
        writeln!(
            table,
            "| {name} | {before:.0} | {during:.0} | {first:.0} | {last:.0} | {back} | {attempts:.2} | {late:.1} |"
        )?;
    }
    eprint!("{table}");
    let (ours_back, naive_back) = (ours.back(), naive.back());
    let findings = vec![
        Finding {
            holds: ours_back.is_some_and(|time| time <= SOON),
            text: format!("ours is back at 95 % of its goodput within 5 s after healing ({})", said(ours_back)),
        },
        Finding {
            holds: naive_back.is_none(),
            text: format!("naive stays down although all is well again, so this can fail ({})", said(naive_back)),
        },
    ];
    Ok(Outcome { table, chart: chart(&ours, &naive), findings })
}

fn said(back: Option<Duration>) -> String {
    back.map_or("not back in 15 s".to_owned(), |time| format!("back after {:.2} s", time.as_secs_f64()))
}

async fn measure(asked: &Asked, protection: Protection, bad: Duration) -> Result<Run> {
    let (healed, end) = (WELL + bad, WELL + bad + AFTER);
    let mut world = World::start(protection, asked.ours.as_ref(), [PLENTY, WORKERS, PLENTY, PLENTY, PLENTY]).await?;
    let phases = [Phase { rate: SHARE * capacity(), lasts: end }];
    let (page, begin) = (world.page, clock::now());
    let clients = tokio::spawn(async move { load::run(page, begin, &phases).await });
    let mut guards = Vec::new();
    watch(&world, &mut guards, begin, Duration::ZERO, WELL).await?;
    world.backend(REQUIRED)?.set(Fault::Slow);
    watch(&world, &mut guards, begin, WELL, healed).await?;
    world.backend(REQUIRED)?.set(Fault::Well);
    watch(&world, &mut guards, begin, healed, end).await?;
    let attempts = world.attempts(REQUIRED);
    let arrivals = clients.await??;
    world.stop().await?;
    Ok(Run { bad, protection, arrivals, attempts, guards })
}

/// Notes what the guards do at the end of each step.
async fn watch(world: &World, guards: &mut Vec<String>, begin: Instant, from: Duration, until: Duration) -> Result<()> {
    let mut time = from;
    while time < until {
        time += STEP;
        tokio::time::sleep_until(begin + time).await;
        guards.push(world.guards(REQUIRED)?);
    }
    Ok(())
}

impl Run {
    fn healed(&self) -> Duration {
        WELL + self.bad
    }

    fn end(&self) -> Duration {
        self.healed() + AFTER
    }

    fn before(&self) -> f64 {
        goodput(&self.arrivals, WELL - BEFORE, WELL)
    }

    /// How long after healing the goodput is good again and stays so; `None` if it does not.
    fn back(&self) -> Option<Duration> {
        let enough = ENOUGH * self.before();
        let good = |from: Duration, until: Duration| goodput(&self.arrivals, from, until) >= enough;
        let (healed, end) = (self.healed(), self.end());
        let mut time = healed;
        while time + CALM <= end {
            if good(time, time + CALM) && good(time, end) {
                return Some(time - healed);
            }
            time += STEP;
        }
        None
    }

    /// Begin of each step in seconds, and whole pages a second in it.
    fn points(&self) -> Vec<(f64, f64)> {
        let mut points = Vec::with_capacity(256);
        let mut time = Duration::ZERO;
        while time < self.end() {
            points.push((time.as_secs_f64(), goodput(&self.arrivals, time, time + STEP)));
            time += STEP;
        }
        points
    }

    /// Every step in a line: for those who want to know why.
    fn series(&self) -> Result<String> {
        let mut text = format!("{}\n", self.protection.name());
        for ((second, pages), guards) in self.points().into_iter().zip(&self.guards) {
            let from = Duration::from_secs_f64(second);
            let Summary { p50, p99, failed, .. } = Summary::of(&self.arrivals, from, from + STEP);
            writeln!(
                text,
                "{second:.2}\tpages/s {pages:.0}\tfailed {failed:.0} %\tp50 {p50:.0}\tp99 {p99:.0}\t{guards}"
            )?;
        }
        Ok(text)
    }
}

fn chart(ours: &Run, naive: &Run) -> String {
    let curve = |run: &Run, color| Curve { name: run.protection.name(), color, points: run.points() };
    Chart {
        title: "The required backend is 10 × slower for 10 s, then well again",
        x: "seconds",
        y: "whole pages within 800 ms, per second",
        shaded: (WELL.as_secs_f64(), ours.healed().as_secs_f64()),
        shade: "10 × slower",
        end: ours.end().as_secs_f64(),
        top: 350.0,
        curves: &[curve(naive, "#c2410c"), curve(ours, "#1d4ed8")],
    }
    .draw()
}
