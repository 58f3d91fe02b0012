//! A bad day: what clients get while one backend of five is bad, after an outage, and when there are too many of them.
//!
//! Everything runs in this process and speaks real HTTP over loopback: clients, BFF and backends.

mod backend;
mod chart;
mod clients;
mod crowd;
mod load;
mod metastable;
mod overload;
mod page;
mod report;
mod table;
mod world;

use std::path::PathBuf;
use std::time::Duration;

use bff_core::upstream::UpstreamSettings;

pub(crate) use clients::{Options as CrowdOptions, ask as crowd};

use crate::Result;

/// What to do.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Seconds of measuring for each line of the tables.
    #[arg(long, default_value_t = 8)]
    seconds_each: u64,
    /// Pages asked for each second while one backend is bad.
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// The folder for `bad-day.md` and `figures/metastable.svg`. Default: nothing is written.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Only one of the experiments; prints it and writes nothing.
    #[arg(long)]
    only: Option<Experiment>,
    /// Other settings of every upstream in place of the defaults, as JSON: to look for better ones. Writes nothing.
    #[arg(long)]
    ours: Option<String>,
    /// Prints what the guards do, step by step.
    #[arg(long)]
    series: bool,
    /// When and where this was made, for the document.
    #[arg(long, default_value = "")]
    made: String,
}

/// One of the experiments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Experiment {
    /// One of five backends is bad.
    Table,
    /// An outage that ends.
    Metastable,
    /// The same with outages of other lengths.
    Lengths,
    /// More clients than can be served.
    Overload,
    /// Many clients, and nothing wrong.
    Crowd,
}

/// How each experiment is to be run.
#[derive(Clone)]
struct Asked {
    /// Settings to look at in place of the defaults.
    ours: Option<UpstreamSettings>,
    each: Duration,
    rate: u32,
    series: bool,
}

/// Something that is promised.
struct Finding {
    holds: bool,
    text: String,
}

impl Finding {
    fn line(&self) -> String {
        format!("{}: {}", if self.holds { "holds" } else { "does not hold" }, self.text)
    }
}

/// Runs it all; an error where something promised does not hold.
pub(crate) fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let findings = runtime.block_on(measure(options))?;
    for finding in &findings {
        println!("{}", finding.line());
    }
    match findings.iter().filter(|finding| !finding.holds).count() {
        0 => Ok(()),
        failed => Err(format!("{failed} of {} promises do not hold", findings.len()).into()),
    }
}

async fn measure(options: &Options) -> Result<Vec<Finding>> {
    let asked = Asked {
        ours: options.ours.as_deref().map(serde_json::from_str).transpose()?,
        each: Duration::from_secs(options.seconds_each.max(1)),
        rate: options.rate.max(1),
        series: options.series,
    };
    match options.only {
        Some(Experiment::Table) => {
            println!("{}", table::run(&asked).await?);
            return Ok(Vec::new());
        }
        Some(Experiment::Metastable) => {
            let outcome = metastable::run(&asked).await?;
            println!("{}", outcome.table);
            return Ok(outcome.findings);
        }
        Some(Experiment::Lengths) => {
            println!("{}", metastable::lengths(&asked).await?);
            return Ok(Vec::new());
        }
        Some(Experiment::Overload) => {
            let outcome = overload::run(&asked).await?;
            println!("{}", outcome.table);
            return Ok(outcome.findings);
        }
        Some(Experiment::Crowd) => {
            let outcome = crowd::run(&asked).await?;
            println!("{}\n{}\n{}", outcome.connections, outcome.starts, outcome.hanging);
            return Ok(outcome.findings);
        }
        None => {}
    }
    let crowd = crowd::run(&asked).await?;
    let table = table::run(&asked).await?;
    let outage = metastable::run(&asked).await?;
    let lengths = metastable::lengths(&asked).await?;
    let overload = overload::run(&asked).await?;
    let document = report::document(&options.made, &asked, &table, &outage, &lengths, &overload, &crowd);
    if let (Some(out), None) = (&options.out, &asked.ours) {
        let figures = out.join("figures");
        std::fs::create_dir_all(&figures)?;
        std::fs::write(out.join("bad-day.md"), &document)?;
        std::fs::write(figures.join("metastable.svg"), &outage.chart)?;
    }
    println!("{document}");
    Ok(outage.findings.into_iter().chain(overload.findings).chain(crowd.findings).collect())
}
