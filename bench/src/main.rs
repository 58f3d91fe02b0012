//! What the framework costs, beside the same page written by hand. `bench/run` starts all of this and prints a table.

// A program for the terminal: its figures are its output.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod backend;
mod bad_day;
mod constant;
mod framework;
mod handwritten;
mod listen;
mod load;
mod log;
mod page;
mod report;
mod tokens;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Whatever goes wrong ends the measurement.
type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// What the framework costs, beside the same page written by hand.
#[derive(Parser)]
#[command(name = "bench", version)]
enum Command {
    /// The backends of the page: static answers, as cheap as can be.
    Backend(backend::Options),
    /// The page, made with the framework.
    Framework(framework::Options),
    /// The same page, made with axum and reqwest by hand.
    Handwritten(Server),
    /// A handler that returns a constant, and writes the same log line.
    Constant {
        /// Where to listen.
        #[arg(long)]
        listen: SocketAddr,
    },
    /// Asks one of them as often as it can, or at a fixed rate; prints one line of figures.
    Load(load::Options),
    /// Prints one answer of a server.
    Show(load::Target),
    /// What clients get while a backend is bad: measures, prints the document, and writes it where it is told to.
    BadDay(bad_day::Options),
    /// Clients that ask one of them again and again, in one thread; for `bad-day`.
    Crowd(bad_day::CrowdOptions),
    /// Turns the lines of `load` into tables.
    Report {
        /// The file with the lines.
        lines: PathBuf,
    },
}

/// What both pages are told.
#[derive(clap::Args)]
struct Server {
    /// Where to listen.
    #[arg(long)]
    listen: SocketAddr,
    /// Where all three backends are.
    #[arg(long)]
    backend: SocketAddr,
    /// Asks for a token, checked with the backend's key set.
    #[arg(long)]
    auth: bool,
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Backend(options) => backend::run(&options),
        Command::Framework(options) => listen::runtime().and_then(|runtime| runtime.block_on(framework::run(&options))),
        Command::Handwritten(server) => {
            listen::runtime().and_then(|runtime| runtime.block_on(handwritten::run(server)))
        }
        Command::Constant { listen } => listen::runtime().and_then(|runtime| runtime.block_on(constant::run(listen))),
        Command::Load(options) => load::run(&options),
        Command::Show(target) => load::show(&target),
        Command::BadDay(options) => bad_day::run(&options),
        Command::Crowd(options) => bad_day::crowd(&options),
        Command::Report { lines } => report::run(&lines),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
