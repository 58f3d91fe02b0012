//! Turns the lines of `load` into tables: medians over all rounds, and the ratios that are promised.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Result;

/// The columns of a line, behind its label.
#[derive(Clone, Copy)]
enum Column {
    PerSecond,
    Cpu,
    P50,
    P99,
    Peak,
    Calls,
    Failures,
}

/// The figures of every label.
struct Figures(BTreeMap<String, Vec<Vec<f64>>>);

const SERVERS: [(&str, &str); 11] = [
    ("framework", "framework, page of three live parts"),
    ("handwritten", "hand-written, the same page"),
    ("framework-jwt", "framework, the same page with JWT"),
    ("handwritten-jwt", "hand-written, the same page with JWT"),
    ("cached", "framework, page of three cached parts"),
    ("whole", "framework, the same page kept whole"),
    ("constant", "axum handler that returns a constant"),
    ("kept", "framework, route with `cache`, a hit"),
    ("nginx-kept", "nginx, `proxy_cache`, a hit"),
    ("passed", "framework, route"),
    ("nginx-passed", "nginx, `proxy_pass`"),
];

/// What is promised: the dividend, the divisor, and the most that the ratio may be.
const RATIOS: [(&str, &str, &str, Option<f64>); 7] = [
    ("three live parts, auth off: framework / hand-written", "framework", "handwritten", Some(1.25)),
    ("with JWT: framework / hand-written without", "framework-jwt", "handwritten", Some(1.4)),
    ("with JWT: framework / hand-written with JWT", "framework-jwt", "handwritten-jwt", None),
    ("three cached parts: framework / constant", "cached", "constant", Some(3.0)),
    ("whole page kept: framework / constant", "whole", "constant", Some(1.5)),
    ("route, a hit: framework / nginx", "kept", "nginx-kept", Some(1.3)),
    ("route, passed on: framework / nginx", "passed", "nginx-passed", Some(1.6)),
];

/// Prints the tables as markdown.
pub(crate) fn run(lines: &Path) -> Result<()> {
    let figures = Figures::read(&std::fs::read_to_string(lines)?)?;
    println!("| server | requests/s | CPU µs/request | p50 ms | p99 ms | peak MiB | calls/request | failures |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (label, name) in SERVERS {
        if !figures.0.contains_key(label) {
            continue;
        }
        let of = |column| figures.median(label, column);
        println!(
            "| {name} | {:.0} | {:.1} | {:.2} | {:.2} | {:.1} | {:.2} | {:.0} |",
            of(Column::PerSecond),
            of(Column::Cpu),
            of(Column::P50) / 1000.0,
            of(Column::P99) / 1000.0,
            of(Column::Peak) / 1024.0,
            of(Column::Calls),
            of(Column::Failures),
        );
    }
    println!("\n| CPU time per request | ratio | at most | |\n| --- | ---: | ---: | --- |");
    for (name, dividend, divisor, most) in RATIOS {
        if !figures.0.contains_key(dividend) || !figures.0.contains_key(divisor) {
            continue;
        }
        let ratio = figures.ratio(dividend, divisor);
        let (most, verdict) = match most {
            Some(most) => (most.to_string(), if ratio <= most { "holds" } else { "does not hold" }),
            None => (String::new(), ""),
        };
        println!("| {name} | {ratio:.2} | {most} | {verdict} |");
    }
    if figures.0.contains_key("late-direct") {
        println!("\n| at a fixed rate | p50 ms | p99 ms | added p50 ms | added p99 ms | |");
        println!("| --- | ---: | ---: | ---: | ---: | --- |");
        let slowest = figures.median("late-direct", Column::P50);
        for (label, name) in [
            ("late-direct", "slowest backend alone"),
            ("late-framework", "framework"),
            ("late-handwritten", "hand-written"),
        ] {
            let (p50, p99) = (figures.median(label, Column::P50), figures.median(label, Column::P99));
            // Over the slowest backend's median: what that backend itself takes longer at times counts against us.
            let (added50, added99) = (p50 - slowest, p99 - slowest);
            let verdict = match label {
                "late-framework" if added50 <= 1000.0 && added99 <= 5000.0 => "holds (1 ms, 5 ms)",
                "late-framework" => "does not hold (1 ms, 5 ms)",
                _ => "",
            };
            let [p50, p99, added50, added99] = [p50, p99, added50, added99].map(|micros| micros / 1000.0);
            println!("| {name} | {p50:.2} | {p99:.2} | {added50:.2} | {added99:.2} | {verdict} |");
        }
    }
    Ok(())
}

impl Figures {
    fn read(text: &str) -> Result<Self> {
        let mut all: BTreeMap<String, Vec<Vec<f64>>> = BTreeMap::new();
        for line in text.lines() {
            let (label, figures) = line.split_once('\t').ok_or("a line without figures")?;
            let figures: Vec<f64> = figures.split('\t').map(str::parse).collect::<Result<_, _>>()?;
            all.entry(label.to_owned()).or_default().push(figures);
        }
        Ok(Self(all))
    }

    fn all(&self, label: &str, column: Column) -> Vec<f64> {
        let rounds = self.0.get(label).map(Vec::as_slice).unwrap_or_default();
        rounds.iter().filter_map(|figures| figures.get(column as usize).copied()).collect()
    }

    fn median(&self, label: &str, column: Column) -> f64 {
        median(self.all(label, column))
    }

    /// The median of the ratios of each round: what disturbs a round disturbs both.
    fn ratio(&self, dividend: &str, divisor: &str) -> f64 {
        let pairs = self.all(dividend, Column::Cpu).into_iter().zip(self.all(divisor, Column::Cpu));
        median(pairs.map(|(dividend, divisor)| dividend / divisor).collect())
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
