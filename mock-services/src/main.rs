//! The mock services as one process, for a developer's machine.

// A program for the terminal: where it listens is its output.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::{net::IpAddr, process::ExitCode};

use clap::Parser;
use mock_services::{Faults, Options, Ports, Service, parse_fault, start};

/// The backends that the BFFs share, with faults on demand. For development only.
#[derive(Parser)]
#[command(name = "mock-services", version)]
struct Flags {
    /// The address to listen on. Anything but loopback lets the network mint tokens.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// The port of the admin console; the ten services listen on the ports after it.
    #[arg(long, default_value_t = 9000)]
    base_port: u16,
    /// The seed of all data and of all chance.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// The issuer that tokens name.
    #[arg(long, default_value = "http://identity.mock")]
    issuer: String,
    /// A fault from the start, as in reviews=hang or pricing=latency:20/400,error_rate:0.1; can be repeated.
    #[arg(long = "fault", value_parser = parse_fault)]
    faults: Vec<(Service, Faults)>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let flags = Flags::parse();
    let options = Options {
        host: flags.host,
        ports: Ports::From(flags.base_port),
        seed: flags.seed,
        issuer: flags.issuer,
        keys: None,
        faults: flags.faults,
    };
    let running = match start(options).await {
        Ok(running) => running,
        Err(error) => {
            eprintln!("mock-services: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{:<16} {}   (curl it for help)", "admin", running.admin_url());
    for service in Service::ALL {
        println!("{:<16} {}", service.name(), running.url(service));
    }
    interrupted().await;
    running.shutdown().await;
    ExitCode::SUCCESS
}

/// Waits for Ctrl-C, or for the signal that a supervisor sends.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without a handler there is nothing to wait for but the default: the process ends at once.
    let _ = tokio::signal::ctrl_c().await;
}
