//! What a BFF's command line understands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::Override;

/// A Backend-for-Frontend
#[derive(Debug, Parser)]
#[command(disable_help_subcommand = true)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) flags: Flags,
    /// Threads that serve [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) workers: Option<u16>,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serves until it is told to stop; the default
    Serve {
        #[command(flatten)]
        flags: Flags,
        /// Threads that serve [default: one for each core]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
        workers: Option<u16>,
    },
    /// Prints the API document; of the configuration it needs only the routes, if there are any
    Openapi {
        #[command(flatten)]
        flags: Flags,
        /// Compares it with FILE instead: exit code 1 and the difference if they are not the same
        #[arg(long, value_name = "FILE")]
        check: Option<PathBuf>,
    },
    /// Prints every endpoint with its budget, who may call it, and its parts, then the routes of the configuration
    Routes {
        #[command(flatten)]
        flags: Flags,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Reads the configuration and builds everything, without listening or calling: every mistake, exit code 1
    ///
    /// Runs what stands in front of `compose!` in each GET that takes a composer, to learn its parts, and nothing of a write.
    Check {
        #[command(flatten)]
        flags: Flags,
    },
    /// Prints the effective configuration as TOML, with where each value was written; secrets are masked
    Config {
        #[command(flatten)]
        flags: Flags,
    },
}

/// Flags that say what holds; above the environment, which is above the file.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Flags {
    /// TOML file [env: BFF_CONFIG] [default: config/<name>.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// One setting, such as upstreams.ledger.url=http://127.0.0.1:7001; may be given often
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
    /// Where clients call: server.listen
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Where operators call: server.management
    #[arg(long, value_name = "HOST:PORT")]
    management: Option<String>,
    /// json or text: log.format
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Such as info,bff_core=debug: log.filter
    #[arg(long, value_name = "FILTER")]
    log_filter: Option<String>,
}

impl Flags {
    /// Both: those in front of the command, then those behind it.
    pub(super) fn then(mut self, later: Self) -> Self {
        self.set.extend(later.set);
        Self {
            config: later.config.or(self.config),
            set: self.set,
            listen: later.listen.or(self.listen),
            management: later.management.or(self.management),
            log_format: later.log_format.or(self.log_format),
            log_filter: later.log_filter.or(self.log_filter),
        }
    }

    pub(super) fn overrides(&self) -> Vec<Override> {
        let set = self.set.iter().map(|(key, value)| ("--set", key.as_str(), Some(value)));
        let own = [
            ("--listen", "server.listen", self.listen.as_ref()),
            ("--management", "server.management", self.management.as_ref()),
            ("--log-format", "log.format", self.log_format.as_ref()),
            ("--log-filter", "log.filter", self.log_filter.as_ref()),
        ];
        set.chain(own)
            .filter_map(|(flag, key, value)| Some(Override { flag, key: key.to_owned(), value: value?.clone() }))
            .collect()
    }
}

fn setting(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, such as server.listen=127.0.0.1:8080"),
    }
}
