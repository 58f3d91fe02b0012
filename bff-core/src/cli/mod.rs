//! The program around a BFF: `serve`, `openapi`, `routes`, `check`, `config`.
//!
//! The whole `main` of a BFF's binary is [`main`]. A command makes its whole output first and writes it at the end:
//! nothing holds standard output while a server logs to it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use tokio::runtime::{Builder, Runtime};
use tower::service_fn;
use tower::util::BoxCloneSyncService;

use crate::bff::{App, Bff};
use crate::config::{Loaded, Report, Settings, Sources};
use crate::error::{Error, Kind};
use crate::openapi;
use crate::passthrough::{RouteSettings, Routes};
use crate::serve::{Listeners, serve, shutdown_signal};
use crate::settings::Mistake;
use crate::telemetry;
use crate::upstream::{Clients, Location, Tcp, UpstreamSettings};

mod flags;
mod table;
#[cfg(test)]
mod tests;
mod warnings;

use flags::{Arguments, Command, Flags};

/// Something that was checked does not hold, or the program could not go on.
const FAILED: u8 = 1;
/// Wrong usage or configuration.
const WRONG_USAGE: u8 = 2;
/// The mandatory `url` of upstreams that nobody is going to call.
const NOWHERE: &str = "http://127.0.0.1:9";

/// The program of one BFF: reads the arguments, does what they say, and gives back the exit code.
///
/// 0 is fine, 1 a check that failed or a server that could not go on, 2 wrong usage or configuration.
pub fn main<Upstreams: Clients>(bff: Bff<Upstreams>) -> ExitCode {
    // One crypto provider for the process. Somebody may have been quicker, which is as well.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let env = std::env::vars_os();
    let env = env.filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
    let said = run(&bff, std::env::args_os(), env.collect());
    // Whoever closed the pipe has read what they wanted.
    let _ = std::io::stdout().lock().write_all(said.out.as_bytes());
    let _ = std::io::stderr().lock().write_all(said.err.as_bytes());
    ExitCode::from(said.code)
}

/// What a command has to say in the end.
#[derive(Debug, Default)]
struct Said {
    code: u8,
    out: String,
    err: String,
}

impl Said {
    fn out(text: impl Into<String>) -> Self {
        let mut out = text.into();
        if !out.ends_with('\n') {
            out.push('\n');
        }
        Self { out, ..Self::default() }
    }

    fn error(code: u8, error: impl std::fmt::Display) -> Self {
        Self { code, err: format!("error: {error}\n"), ..Self::default() }
    }

    fn mistakes(code: u8, report: Report<'_>) -> Self {
        Self { code, err: report.to_string(), ..Self::default() }
    }
}

/// The program without the process around it.
fn run<Upstreams: Clients>(
    bff: &Bff<Upstreams>,
    arguments: impl IntoIterator<Item = impl Into<OsString>>,
    env: Vec<(String, String)>,
) -> Said {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let program = arguments.first().and_then(|program| Path::new(program).file_name());
    let program = program.map_or_else(|| bff.about.name.to_owned(), |program| program.to_string_lossy().into_owned());
    let command = Arguments::command().name(bff.about.name).version(bff.about.version);
    let command = if bff.about.description.is_empty() { command } else { command.about(bff.about.description) };
    let parsed = command.try_get_matches_from(arguments).and_then(|parsed| Arguments::from_arg_matches(&parsed));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => {
            let text = error.render().to_string();
            let code = u8::try_from(error.exit_code()).unwrap_or(WRONG_USAGE);
            let (out, err) = if error.use_stderr() { (String::new(), text) } else { (text, String::new()) };
            return Said { code, out, err };
        }
    };
    let Arguments { flags: outer, workers: outer_workers, command } = arguments;
    let load = |flags: Flags, env| read(bff, &outer.clone().then(flags), env);
    let command = command.unwrap_or(Command::Serve { flags: Flags::default(), workers: None });
    let done = match command {
        Command::Serve { flags, workers } => load(flags, env)
            .map_err(|mistakes| Said::mistakes(WRONG_USAGE, Report(&mistakes)))
            .and_then(|loaded| run_server(bff, &loaded.settings, workers.or(outer_workers))),
        Command::Openapi { flags, check } => routes_of(bff, &outer.clone().then(flags), env)
            .and_then(|routes| trial(bff, Plan::Code(routes)))
            .and_then(|app| match check {
                None => Ok(Said::out(openapi::render(&app.document))),
                Some(file) => compare(&program, &app, &file),
            }),
        Command::Routes { flags, json } => routes_of(bff, &outer.clone().then(flags), env).and_then(|settings| {
            let app = trial(bff, Plan::Code(settings.clone()))?;
            let routes = Routes::new(&settings).map_err(|error| cannot_start(&error))?;
            let (rows, passed) = (table::rows(bff, &app), table::passed(&routes, &settings).collect::<Vec<_>>());
            Ok(Said::out(if json { table::json(&rows, &passed) } else { table::text(&rows, &passed) }))
        }),
        Command::Check { flags } => match load(flags, env) {
            Ok(loaded) => trial(bff, Plan::Start(&loaded.settings))
                .map(|_| Said { err: warnings_of(bff, &loaded), ..Said::out("ok") }),
            Err(mistakes) => {
                let mut said = Said::mistakes(FAILED, Report(&mistakes));
                // What is wrong with the endpoints is wrong whatever the configuration says.
                said.err.extend(trial(bff, Plan::Code(BTreeMap::new())).err().map(|other| other.err));
                Ok(said)
            }
        },
        Command::Config { flags } => load(flags, env)
            .map_err(|mistakes| Said::mistakes(WRONG_USAGE, Report(&mistakes)))
            .map(|loaded| Said::out(loaded.to_toml())),
    };
    done.unwrap_or_else(|failed| failed)
}

fn read<Upstreams: Clients>(
    bff: &Bff<Upstreams>,
    flags: &Flags,
    env: Vec<(String, String)>,
) -> Result<Loaded, Vec<Mistake>> {
    Settings::load_checked(&sources(bff, flags, env), |settings| bff.check(settings))
}

/// The routes of the configuration alone: what else is written, or missing, does not matter to those who only read.
fn routes_of<Upstreams: Clients>(
    bff: &Bff<Upstreams>,
    flags: &Flags,
    env: Vec<(String, String)>,
) -> Result<BTreeMap<String, RouteSettings>, Said> {
    let mut routes = None;
    let loaded = Settings::load_checked(&sources(bff, flags, env), |settings| {
        routes = Some(settings.routes.clone());
        bff.check(settings)
    });
    let mut mistakes = loaded.err().unwrap_or_default();
    // A document that cannot be read says nothing about its routes, and is reported as it is.
    let is_about_routes = |key: &str| key == "routes" || key.starts_with("routes.");
    mistakes.retain(|mistake| routes.is_none() || is_about_routes(&mistake.key));
    if mistakes.is_empty() {
        Ok(routes.unwrap_or_default())
    } else {
        Err(Said::mistakes(WRONG_USAGE, Report(&mistakes)))
    }
}

fn sources<'a, Upstreams: Clients>(bff: &Bff<Upstreams>, flags: &Flags, env: Vec<(String, String)>) -> Sources<'a> {
    let named =
        |(name, value): &(String, String)| (name == "BFF_CONFIG" && !value.is_empty()).then(|| PathBuf::from(value));
    let names = Upstreams::NAMES.iter().map(|name| (*name).to_owned());
    Sources {
        file: flags.config.clone().or_else(|| env.iter().find_map(named)),
        overrides: flags.overrides(),
        names: names.chain(bff.routes.iter().map(|route| route.name.clone())).collect(),
        env,
        ..Sources::new(bff.about.name)
    }
}

fn run_server<Upstreams: Clients>(
    bff: &Bff<Upstreams>,
    settings: &Settings,
    workers: Option<u16>,
) -> Result<Said, Said> {
    let mut builder = Builder::new_multi_thread();
    if let Some(workers) = workers {
        builder.worker_threads(usize::from(workers));
    }
    let runtime = started(builder)?;
    let failed = |error: &dyn std::fmt::Display| Said::error(FAILED, error);
    let served = runtime.block_on(async {
        let stop = shutdown_signal();
        let listeners = Listeners::bind(&settings.server).await.map_err(|error| failed(&error))?;
        telemetry::log_to_stdout(&settings.log);
        let app = build(bff, settings, false).await.map_err(|error| cannot_start(&error))?;
        if let (Ok(public), Ok(management)) = (listeners.public_addr(), listeners.management_addr()) {
            tracing::info!(bff = bff.about.name, version = bff.about.version, %public, %management, "listening");
        }
        serve(app, listeners, &settings.server, stop).await.map_err(|error| failed(&error))?;
        tracing::info!("stopped");
        Ok(Said::default())
    });
    // What drained has ended; what did not is cut, and a look-up that hangs is not waited for.
    runtime.shutdown_background();
    served
}

/// For what an app is built without being served.
enum Plan<'a> {
    /// A trial start.
    Start(&'a Settings),
    /// What the code says by itself, with these routes.
    Code(BTreeMap<String, RouteSettings>),
}

/// Builds the app and throws the network away. Nothing is bound, nobody is called.
fn trial<Upstreams: Clients>(bff: &Bff<Upstreams>, plan: Plan<'_>) -> Result<App, Said> {
    let runtime = started(Builder::new_current_thread())?;
    let built = match plan {
        Plan::Start(settings) => runtime.block_on(build(bff, settings, false)),
        Plan::Code(routes) => runtime.block_on(build(bff, &unconfigured::<Upstreams>(routes), true)),
    };
    // An endpoint that blocks its survey is not waited for.
    runtime.shutdown_background();
    built.map_err(|error| cannot_start(&error))
}

async fn build<Upstreams: Clients>(
    bff: &Bff<Upstreams>,
    settings: &Settings,
    offline: bool,
) -> crate::error::Result<App> {
    if !offline {
        return bff.build(settings, Tcp).await;
    }
    // The network would ask this machine for its TLS roots, and a build container may have none.
    let nowhere = service_fn(|_| async { Err(Error::new(Kind::Unreachable)) });
    let network = move |_: &str, _: &UpstreamSettings, _: &Location| Ok(BoxCloneSyncService::new(nowhere));
    bff.build(settings, network).await
}

/// What the code alone says: defaults, and upstreams nowhere.
fn unconfigured<Upstreams: Clients>(routes: BTreeMap<String, RouteSettings>) -> Settings {
    let nowhere = || UpstreamSettings { url: NOWHERE.to_owned(), ..UpstreamSettings::default() };
    let names = Upstreams::NAMES.iter().map(|name| (*name).to_owned());
    let names = names.chain(routes.values().map(|route| route.upstream.clone()));
    Settings { upstreams: names.map(|name| (name, nowhere())).collect(), routes, ..Settings::default() }
}

fn compare(program: &str, app: &App, file: &Path) -> Result<Said, Said> {
    let shown = file.display();
    let remedy = format!("write it with `{program} openapi > {shown}`");
    let committed = std::fs::read_to_string(file)
        .map_err(|cause| Said::error(FAILED, format_args!("{shown} cannot be read ({cause}); {remedy}")))?;
    match openapi::compare(&committed, &openapi::render(&app.document)) {
        Ok(()) => Ok(Said::out("ok")),
        Err(difference) => {
            let difference = difference.trim_end();
            Err(Said::error(FAILED, format_args!("{shown} is not what the code says; {remedy}\n{difference}")))
        }
    }
}

fn warnings_of<Upstreams: Clients>(bff: &Bff<Upstreams>, loaded: &Loaded) -> String {
    warnings::warnings(&bff.routes, Upstreams::NAMES, loaded).iter().fold(String::new(), |mut text, warning| {
        let _ = writeln!(text, "warning: {warning}");
        text
    })
}

fn started(mut builder: Builder) -> Result<Runtime, Said> {
    builder.enable_all().build().map_err(|error| Said::error(FAILED, format_args!("cannot start the runtime: {error}")))
}

fn cannot_start(error: &Error) -> Said {
    // That it is "internal" says nothing to whoever starts it; the cause does.
    let said = error.to_string();
    Said::error(FAILED, format_args!("cannot start: {}", said.strip_prefix("Internal: ").unwrap_or(&said)))
}
