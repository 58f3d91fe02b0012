//! Many clients, and nothing wrong: what is refused then is refused for nothing.
//!
//! The server under test has a CPU to itself, as in `bench/run`; its backends and its clients have another. Clients ask again
//! as soon as they are answered, refused or not.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;

use super::{Asked, Finding};
use crate::Result;

/// How many connections there are in turn; the first is what the others are compared with.
const CONNECTIONS: [usize; 6] = [32, 64, 128, 256, 1000, 4000];
/// What a share of the first one's whole pages each of them is to have at least, and how many percent may be refused in any round.
const PROMISED: [(usize, f64, f64); 5] =
    [(64, 0.95, 0.5), (128, 0.95, 0.5), (256, 0.95, 0.5), (1000, 0.9, 5.0), (4000, 0.7, 100.0)];
/// How many clients wait when a server starts.
const STARTS: [usize; 2] = [100, 300];
/// Refused of those, in percent, in any round.
const PROMISED_AT_START: f64 = 0.5;
/// With so many clients an optional backend hangs, and so much of the healthy goodput is left after [`LEARNT`].
const HANGING: usize = 256;
const PROMISED_HANGING: f64 = 0.9;
const LEARNT: Duration = Duration::from_secs(5);
/// All in turn, so often, so that what disturbs one disturbs all.
const ROUNDS: usize = 5;
const WARM: Duration = Duration::from_millis(500);

/// What came out.
pub(super) struct Outcome {
    pub(super) connections: String,
    pub(super) starts: String,
    pub(super) hanging: String,
    pub(super) findings: Vec<Finding>,
}

/// One server under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Ours,
    Unprotected,
    Handwritten,
}

impl Server {
    const ALL: [Self; 3] = [Self::Ours, Self::Unprotected, Self::Handwritten];

    fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Unprotected => "no protection",
            Self::Handwritten => "hand-written",
        }
    }

    fn start(self, backend: SocketAddr, more: &[&str]) -> Result<Process> {
        let kind = match self {
            Self::Ours => &["framework"][..],
            Self::Unprotected => &["framework", "--unprotected"],
            Self::Handwritten => &["handwritten"],
        };
        let address = free()?;
        let (listen, backend) = (address.to_string(), backend.to_string());
        let words =
            kind.iter().copied().chain(["--listen", &listen, "--backend", &backend]).chain(more.iter().copied());
        Process::start("0", address, words)
    }
}

/// A program of this crate, ended when dropped.
struct Process {
    address: SocketAddr,
    child: Child,
}

impl Process {
    fn start<'a>(cpu: &str, address: SocketAddr, words: impl Iterator<Item = &'a str>) -> Result<Self> {
        let child = Command::new("taskset")
            .args(["-c", cpu])
            .arg(std::env::current_exe()?)
            .args(words)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { address, child })
    }

    fn backend(more: &[&str]) -> Result<Self> {
        let address = free()?;
        let listen = address.to_string();
        let words = ["backend", "--listen", &listen].into_iter().chain(more.iter().copied());
        Self::start("1", address, words)
    }

    /// Until it lets connections in; nothing is asked.
    async fn is_up(&self) -> Result<()> {
        for _ in 0..500 {
            if TcpStream::connect(self.address).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(format!("nobody listens at {}", self.address).into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free now.
fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// What clients got in one stretch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Got {
    /// Pages within the budget, and those of them that are whole.
    pub(super) pages: usize,
    pub(super) whole: usize,
    /// 503.
    pub(super) refused: usize,
    /// Anything else: a problem, nothing, or a page too late.
    pub(super) failed: usize,
    pub(super) seconds: f64,
}

impl Got {
    fn whole_per_second(self) -> f64 {
        per(self.whole, self.seconds)
    }

    fn refused_percent(self) -> f64 {
        let all = self.pages + self.refused + self.failed;
        100.0 * per(self.refused + self.failed, per(all.max(1), 1.0))
    }
}

#[allow(clippy::cast_precision_loss, reason = "a number of pages, far below 2^52")]
fn per(count: usize, of: f64) -> f64 {
    count as f64 / of
}

/// So many clients, each of which asks again and again, from `warm` on for `lasts`.
fn crowd(to: SocketAddr, clients: usize, warm: Duration, lasts: Duration) -> Result<Got> {
    // One thread, on the CPU of the backends: a thread for each client would starve them.
    let address = to.to_string();
    let words = ["crowd", "--to", &address, "--clients", &clients.to_string()].map(str::to_owned);
    let times = [("--warm", warm), ("--seconds", lasts)];
    let times = times.into_iter().flat_map(|(flag, time)| [flag.to_owned(), time.as_secs_f64().to_string()]);
    let output = Command::new("taskset")
        .args(["-c", "1"])
        .arg(std::env::current_exe()?)
        .args(words.into_iter().chain(times))
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let numbers: Vec<usize> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [pages, whole, refused, failed] = numbers[..] else { return Err(format!("no figures: {text:?}").into()) };
    Ok(Got { pages, whole, refused, failed, seconds: lasts.as_secs_f64() })
}

/// The three tables.
pub(super) async fn run(asked: &Asked) -> Result<Outcome> {
    let mut findings = Vec::new();
    let each = asked.each.min(Duration::from_secs(5));
    let connections = connections(each, &mut findings).await?;
    let starts = starts(each.min(Duration::from_secs(2)), &mut findings).await?;
    let hanging = hanging(each, &mut findings).await?;
    Ok(Outcome { connections, starts, hanging, findings })
}

async fn connections(each: Duration, findings: &mut Vec<Finding>) -> Result<String> {
    let backend = Process::backend(&[])?;
    backend.is_up().await?;
    let servers: Vec<Process> =
        Server::ALL.iter().map(|server| server.start(backend.address, &[])).collect::<Result<_>>()?;
    let mut seen = vec![vec![Vec::new(); CONNECTIONS.len()]; servers.len()];
    for server in &servers {
        server.is_up().await?;
    }
    for _ in 0..ROUNDS {
        for (column, clients) in CONNECTIONS.into_iter().enumerate() {
            for (row, server) in servers.iter().enumerate() {
                seen[row][column].push(crowd(server.address, clients, WARM, each)?);
            }
        }
    }
    let mut table = format!(
        "| connections | {} |\n| --- |{}\n",
        CONNECTIONS.map(|count| count.to_string()).join(" | "),
        " ---: |".repeat(CONNECTIONS.len())
    );
    for (server, columns) in Server::ALL.into_iter().zip(&seen) {
        write!(table, "| {} |", server.name())?;
        for (rounds, first) in columns.iter().map(|rounds| (rounds, &columns[0])) {
            let refused = rounds.iter().map(|got| got.refused_percent()).fold(0.0, f64::max);
            write!(
                table,
                " {:.0} ({:.2}; {refused:.1} %) |",
                median(rounds.iter().map(|got| got.whole_per_second())),
                share(rounds, first)
            )?;
        }
        table.push('\n');
    }
    eprint!("{table}");
    for (clients, least, most) in PROMISED {
        let column = CONNECTIONS.iter().position(|count| *count == clients).unwrap_or_default();
        let (rounds, first) = (&seen[0][column], &seen[0][0]);
        let share = share(rounds, first);
        let refused = rounds.iter().map(|got| got.refused_percent()).fold(0.0, f64::max);
        findings.push(Finding {
            holds: share >= least && refused <= most,
            text: format!(
                "{clients} connections: {least} of the whole pages at {} ({share:.2}), at most {most} % of the answers are none ({refused:.1} %)",
                CONNECTIONS[0]
            ),
        });
    }
    Ok(table)
}

async fn starts(each: Duration, findings: &mut Vec<Finding>) -> Result<String> {
    let backend = Process::backend(&["--delays", "80", "80", "80"])?;
    backend.is_up().await?;
    let mut table = String::from(
        "| clients at the start | | whole pages/s | not served, worst round |\n| ---: | --- | ---: | ---: |\n",
    );
    for clients in STARTS {
        for server in [Server::Ours, Server::Unprotected] {
            let mut rounds = Vec::new();
            for _ in 0..ROUNDS {
                let process = server.start(backend.address, &[])?;
                process.is_up().await?;
                rounds.push(crowd(process.address, clients, Duration::ZERO, each)?);
            }
            let refused = rounds.iter().map(|got| got.refused_percent()).fold(0.0, f64::max);
            let whole = median(rounds.iter().map(|got| got.whole_per_second()));
            writeln!(table, "| {clients} | {} | {whole:.0} | {refused:.2} % |", server.name())?;
            if server == Server::Ours {
                findings.push(Finding {
                    holds: refused < PROMISED_AT_START,
                    text: format!("{clients} clients at a cold start: fewer than {PROMISED_AT_START} % are refused ({refused:.2} %)"),
                });
            }
        }
    }
    eprint!("{table}");
    Ok(table)
}

async fn hanging(each: Duration, findings: &mut Vec<Finding>) -> Result<String> {
    let (well, ill) = (Process::backend(&[])?, Process::backend(&["--hanging"])?);
    let mut table = String::from("| optional backend | pages/s | not served, worst round |\n| --- | ---: | ---: |\n");
    let mut seen = Vec::new();
    let mut servers = Vec::new();
    for backend in [&well, &ill] {
        backend.is_up().await?;
        let server = Server::Ours.start(backend.address, &["--optional"])?;
        server.is_up().await?;
        crowd(server.address, HANGING, Duration::ZERO, LEARNT)?;
        seen.push(Vec::new());
        servers.push(server);
    }
    for _ in 0..ROUNDS {
        for (server, rounds) in servers.iter().zip(&mut seen) {
            rounds.push(crowd(server.address, HANGING, Duration::ZERO, each)?);
        }
    }
    let pages = |rounds: &[Got]| median(rounds.iter().map(|got| per(got.pages, got.seconds)));
    for (name, rounds) in ["well", "hanging"].into_iter().zip(&seen) {
        let refused = rounds.iter().map(|got| got.refused_percent()).fold(0.0, f64::max);
        writeln!(table, "| {name} | {:.0} | {refused:.1} % |", pages(rounds))?;
    }
    eprint!("{table}");
    let share = median(seen[1].iter().zip(&seen[0]).map(|(ill, well)| per(ill.pages, per(well.pages.max(1), 1.0))));
    findings.push(Finding {
        holds: share >= PROMISED_HANGING,
        text: format!("one optional backend hangs under {HANGING} clients: {PROMISED_HANGING} of the pages of a healthy day ({share:.2})"),
    });
    Ok(table)
}

/// Whole pages as a share of those of the first column, round by round.
fn share(rounds: &[Got], first: &[Got]) -> f64 {
    median(rounds.iter().zip(first).map(|(got, first)| got.whole_per_second() / first.whole_per_second().max(1.0)))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
