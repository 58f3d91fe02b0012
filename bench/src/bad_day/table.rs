//! One of the five backends is bad, in each way that a backend can be.

use std::fmt::Write as _;
use std::time::Duration;

use bff_core::clock;

use super::Asked;
use super::backend::Fault;
use super::load::{self, Phase, Summary, number};
use super::page::{NAMES, Protection};
use super::world::{OPTIONAL, REQUIRED, World};
use crate::Result;

/// How long all is well before, unmeasured.
const WARM: Duration = Duration::from_secs(2);
/// Workers of every backend.
pub(super) const WORKERS: u32 = 16;
const FAULTS: [Fault; 6] =
    [Fault::Slow, Fault::Erring, Fault::Hanging, Fault::Refusing, Fault::Flapping, Fault::SlowAndErring];

/// One line of the table.
struct Row {
    fault: Fault,
    bad: usize,
    protection: Protection,
    summary: Summary,
    attempts: f64,
}

/// Measures every cell; gives back the table.
pub(super) async fn run(asked: &Asked) -> Result<String> {
    let mut text = String::from(
        "| bad | how | | whole % | partial % | failed % | p50 ms | p99 ms | attempts/arrival |\n\
         | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let mut late: f64 = 0.0;
    let well = std::iter::once((REQUIRED, Fault::Well));
    let bad = [OPTIONAL, REQUIRED].into_iter().flat_map(|bad| FAULTS.map(|fault| (bad, fault)));
    for (bad, fault) in well.chain(bad) {
        for protection in [Protection::Nothing, Protection::Ours] {
            let row = measure(asked, bad, fault, protection).await?;
            late = late.max(row.summary.late99);
            let line = row.line();
            eprint!("{line}");
            text.push_str(&line);
        }
    }
    write!(text, "\nAt worst, 99 % of the clients of a cell arrived less than {late:.1} ms late.\n")?;
    Ok(text)
}

async fn measure(asked: &Asked, bad: usize, fault: Fault, protection: Protection) -> Result<Row> {
    let mut world = World::start(protection, asked.ours.as_ref(), [WORKERS; 5]).await?;
    let rate = f64::from(asked.rate);
    let phases = [Phase { rate, lasts: WARM + asked.each }];
    let begin = clock::now();
    let page = world.page;
    let clients = tokio::spawn(async move { load::run(page, begin, &phases).await });
    tokio::time::sleep_until(begin + WARM).await;
    world.backend(bad)?.set(fault);
    let before = world.attempts(bad);
    tokio::time::sleep_until(begin + WARM + asked.each).await;
    let attempts = world.attempts(bad) - before;
    let arrivals = clients.await??;
    world.stop().await?;
    let summary = Summary::of(&arrivals, WARM, WARM + asked.each);
    let attempts = number(usize::try_from(attempts)?) / number(summary.arrivals.max(1));
    Ok(Row { fault, bad, protection, summary, attempts })
}

impl Row {
    fn line(&self) -> String {
        let Self { fault, bad, protection, summary, attempts } = self;
        let bad = match (fault, NAMES.get(*bad)) {
            (Fault::Well, _) | (_, None) => "none".to_owned(),
            (_, Some(name)) if *bad == REQUIRED => format!("`{name}`, required"),
            (_, Some(name)) => format!("`{name}`, optional"),
        };
        let Summary { whole, partial, failed, p50, p99, .. } = summary;
        let (fault, protection) = (fault.name(), protection.name());
        format!(
            "| {bad} | {fault} | {protection} | {whole:.1} | {partial:.1} | {failed:.1} | {p50:.0} | {p99:.0} | {attempts:.2} |\n"
        )
    }
}
