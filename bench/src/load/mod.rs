//! Asks a server, and says what that cost it.
//!
//! Blocking sockets, one thread for each connection: little to go wrong, and far cheaper than what is measured.

mod connection;
mod usage;

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use bff_core::clock::{self, Instant};
use bytes::Bytes;
use http::StatusCode;

use crate::Result;
use connection::Connection;
use usage::Usage;

/// What to ask.
#[derive(clap::Args, Clone)]
pub(crate) struct Target {
    /// Whom.
    #[arg(long)]
    to: SocketAddr,
    /// For what; `{}` stands for a number.
    #[arg(long, default_value = "/product-page/{}")]
    path: String,
    /// So many different numbers. Default: none comes twice, so that nobody can share an answer.
    #[arg(long)]
    ids: Option<u64>,
    /// Asks with the tokens that this backend gives, in turn.
    #[arg(long)]
    tokens: Option<SocketAddr>,
}

/// How to ask.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    target: Target,
    /// What the line of figures is called.
    #[arg(long)]
    label: String,
    /// The process whose CPU time and memory are measured.
    #[arg(long)]
    pid: Option<u32>,
    /// The backend that counts the calls.
    #[arg(long)]
    backend: Option<SocketAddr>,
    /// So many connections; each asks again as soon as it is answered.
    #[arg(long, default_value_t = 32)]
    connections: u32,
    /// Asks so many times a second instead, whether answers come or not; a late one counts from when it was due.
    #[arg(long)]
    rate: Option<u32>,
    /// Seconds before measuring.
    #[arg(long, default_value_t = 0.5)]
    warm: f64,
    /// Seconds of measuring.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
}

/// When to measure.
#[derive(Clone, Copy)]
struct Window {
    begin: Instant,
    from: Instant,
    until: Instant,
}

/// What one connection saw inside the window.
#[derive(Default)]
struct Seen {
    micros: Vec<u32>,
    failures: u64,
}

/// Everything that is asked, in turn.
#[derive(Clone)]
struct Questions {
    target: Target,
    next: u64,
    tokens: Vec<String>,
}

impl Target {
    fn questions(&self) -> Result<Questions> {
        let tokens = match self.tokens {
            Some(backend) => serde_json::from_slice(&get(backend, "/tokens")?)?,
            None => Vec::new(),
        };
        Ok(Questions { target: self.clone(), next: fastrand::u64(..1 << 40), tokens })
    }
}

impl Questions {
    fn write(&mut self, request: &mut Vec<u8>) {
        let number = self.target.ids.map_or(self.next, |ids| self.next % ids);
        let path = self.target.path.replace("{}", &number.to_string());
        request.clear();
        request.extend_from_slice(b"GET ");
        request.extend_from_slice(path.as_bytes());
        request.extend_from_slice(b" HTTP/1.1\r\nhost: bench\r\naccept: application/json\r\nuser-agent: bench\r\n");
        let token = usize::try_from(self.next).unwrap_or(0).checked_rem(self.tokens.len());
        if let Some(token) = token.and_then(|index| self.tokens.get(index)) {
            request.extend_from_slice(b"authorization: Bearer ");
            request.extend_from_slice(token.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        self.next += 1;
    }
}

/// Prints one answer.
pub(crate) fn show(target: &Target) -> Result<()> {
    let mut request = Vec::new();
    target.questions()?.write(&mut request);
    let mut connection = Connection::open(target.to)?;
    connection.ask(&request)?;
    println!("{}", String::from_utf8_lossy(connection.head()));
    println!("{}", String::from_utf8_lossy(connection.body()));
    Ok(())
}

/// Asks as told, and prints one line of figures.
pub(crate) fn run(options: &Options) -> Result<()> {
    let questions = options.target.questions()?;
    let begin = clock::now() + Duration::from_millis(50);
    let from = begin + Duration::from_secs_f64(options.warm);
    let window = Window { begin, from, until: from + Duration::from_secs_f64(options.seconds) };
    let threads: Vec<_> = (0..options.connections)
        .map(|number| {
            // Far enough apart that no number comes twice.
            let questions = Questions { next: questions.next + (u64::from(number) << 24), ..questions.clone() };
            let (rate, connections) = (options.rate, options.connections);
            thread::spawn(move || match rate {
                None => closed_loop(questions, window),
                Some(rate) => open_loop(questions, window, number, connections, rate),
            })
        })
        .collect();
    sleep_until(window.from);
    let before = measure(options)?;
    sleep_until(window.until);
    let after = measure(options)?;
    let mut all = Seen::default();
    for thread in threads {
        let seen = thread.join().map_err(|_| "a connection panicked")??;
        all.micros.extend(seen.micros);
        all.failures += seen.failures;
    }
    all.micros.sort_unstable();
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let count = all.micros.len().max(1) as f64;
    let per_second = count / options.seconds;
    let cpu = (after.usage.cpu - before.usage.cpu).as_secs_f64() * 1e6 / count;
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let calls = (after.calls - before.calls) as f64 / count;
    let (p50, p99) = (share(&all.micros, 50), share(&all.micros, 99));
    let (peak, failures) = (after.usage.peak_kib, all.failures);
    println!("{}\t{per_second:.0}\t{cpu:.1}\t{p50}\t{p99}\t{peak}\t{calls:.2}\t{failures}", options.label);
    Ok(())
}

/// What is known at one end of the window.
struct Measured {
    usage: Usage,
    calls: u64,
}

fn measure(options: &Options) -> Result<Measured> {
    let usage = options.pid.map(Usage::of).transpose()?.unwrap_or_default();
    let calls = match options.backend {
        Some(backend) => serde_json::from_slice(&get(backend, "/calls")?)?,
        None => 0,
    };
    Ok(Measured { usage, calls })
}

fn get(backend: SocketAddr, path: &str) -> Result<Bytes> {
    let mut connection = Connection::open(backend)?;
    connection.ask(format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n").as_bytes())?;
    Ok(Bytes::copy_from_slice(connection.body()))
}

fn closed_loop(mut questions: Questions, window: Window) -> Result<Seen> {
    let mut seen = Seen::default();
    let mut request = Vec::with_capacity(1024);
    let mut connection = Connection::open(questions.target.to)?;
    sleep_until(window.begin);
    loop {
        questions.write(&mut request);
        let asked = clock::now();
        if asked >= window.until {
            return Ok(seen);
        }
        note(&mut connection, &request, asked, window, &mut seen, questions.target.to)?;
    }
}

/// Every connection has its own share of the schedule: the one that is late asks at once, and is late on the record.
fn open_loop(mut questions: Questions, window: Window, number: u32, connections: u32, rate: u32) -> Result<Seen> {
    let mut seen = Seen::default();
    let mut request = Vec::with_capacity(1024);
    let mut connection = Connection::open(questions.target.to)?;
    let step = Duration::from_secs(1) * connections / rate;
    let mut due = window.begin + Duration::from_secs(1) * number / rate;
    while due < window.until {
        questions.write(&mut request);
        sleep_until(due);
        note(&mut connection, &request, due, window, &mut seen, questions.target.to)?;
        due += step;
    }
    Ok(seen)
}

fn note(
    connection: &mut Connection,
    request: &[u8],
    due: Instant,
    window: Window,
    seen: &mut Seen,
    to: SocketAddr,
) -> Result<()> {
    match connection.ask(request) {
        Ok(StatusCode::OK) => {
            let now = clock::now();
            if now >= window.from && now < window.until {
                seen.micros.push(u32::try_from((now - due).as_micros()).unwrap_or(u32::MAX));
            }
        }
        Ok(_) => seen.failures += 1,
        Err(_) => {
            seen.failures += 1;
            *connection = Connection::open(to)?;
        }
    }
    Ok(())
}

fn share(sorted: &[u32], percent: usize) -> u32 {
    sorted.get(sorted.len() * percent / 100).or(sorted.last()).copied().unwrap_or(0)
}

#[allow(clippy::disallowed_methods, reason = "no runtime here: a thread for each connection, which may sleep")]
fn sleep_until(then: Instant) {
    thread::sleep(then.saturating_duration_since(clock::now()));
}
