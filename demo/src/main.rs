//! Everything at once: the backends and the three BFFs in one process, each on its own port.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people at a terminal")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use bff_core::Bff;
use bff_core::config::Settings;
use bff_core::serve::{Listeners, serve, shutdown_signal};
use bff_core::telemetry::{LogFormat, log_to_stdout};
use bff_core::upstream::{Clients, Tcp};
use clap::Parser;
use mock_services::{Options, Ports, Running, Service};
use tokio::sync::watch;
use tokio::task::JoinSet;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Starts the backends and the three BFFs, and says where to look.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// The backends' console listens here, the ten backends on the ports that follow.
    #[arg(long, default_value_t = 9000)]
    base_port: u16,
    /// The mobile BFF listens here, web and partner on the two ports that follow.
    #[arg(long, default_value_t = 8081)]
    port: u16,
    /// Metrics and health of the mobile BFF; of web and partner on the two ports that follow.
    #[arg(long, default_value_t = 9081)]
    management_port: u16,
    /// What is logged, as in `RUST_LOG`: `warn` for less, `info,bff_core=debug` for every upstream call.
    #[arg(long, default_value = "info")]
    log_filter: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.to_string()),
    };
    match runtime.block_on(run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &str) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let told_to_stop = shutdown_signal();
    let backends = Options { ports: Ports::From(arguments.base_port), ..Options::default() };
    let backends = mock_services::start(backends).await.map_err(|error| error.to_string())?;
    let (stop, stopped) = watch::channel(());
    let mut running = JoinSet::new();
    let mut demo = Demo { arguments, backends, stopped, running: &mut running };
    demo.start(0, bff_mobile::bff(), include_str!("../../config/mobile.toml")).await?;
    demo.start(1, bff_web::bff(), include_str!("../../config/web.toml")).await?;
    demo.start(2, bff_partner::bff(), include_str!("../../config/partner.toml")).await?;
    let Demo { arguments, backends, .. } = demo;
    println!("{}", guide(&arguments, &backends));
    // The log begins after the guide, so that it does not scroll it away.
    log_to_stdout(&bff_core::telemetry::LogSettings { format: LogFormat::Text, filter: arguments.log_filter });

    told_to_stop.await;
    drop(stop);
    while let Some(ended) = running.join_next().await {
        ended.map_err(|error| error.to_string())??;
    }
    backends.shutdown().await;
    Ok(())
}

struct Demo<'a> {
    arguments: Arguments,
    backends: Running,
    stopped: watch::Receiver<()>,
    running: &'a mut JoinSet<Result<(), String>>,
}

impl Demo<'_> {
    /// Starts the BFF number `index`, with its own configuration but for where things listen.
    async fn start<U: Clients>(&mut self, index: u16, bff: Bff<U>, config: &str) -> Result<(), String> {
        let mut settings = Settings::from_toml(config).map_err(|mistakes| all(&mistakes))?;
        settings.server.listen = SocketAddr::new(HOST, self.arguments.port + index);
        settings.server.management = SocketAddr::new(HOST, self.arguments.management_port + index);
        for (name, upstream) in &mut settings.upstreams {
            if let Ok(service) = name.parse::<Service>() {
                upstream.url = self.backends.url(service);
            }
        }
        for issuer in settings.auth.issuers.values_mut() {
            issuer.jwks_url = format!("{}/.well-known/jwks.json", self.backends.url(Service::Identity));
        }
        let mistakes = bff.check(&settings);
        if !mistakes.is_empty() {
            return Err(all(&mistakes));
        }
        let listeners = Listeners::bind(&settings.server)
            .await
            .map_err(|error| format!("{error} (of the demo: --port for clients, --management-port for operators)"))?;
        let app = bff.build(&settings, Tcp).await.map_err(|error| error.to_string())?;
        let mut stopped = self.stopped.clone();
        self.running.spawn(async move {
            // Ends with an error when the sender is dropped, which is how it is told to stop.
            let stop = async move { while stopped.changed().await.is_ok() {} };
            serve(app, listeners, &settings.server, stop).await.map_err(|error| error.to_string())
        });
        Ok(())
    }
}

fn all(mistakes: &[bff_core::settings::Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn guide(arguments: &Arguments, backends: &Running) -> String {
    let identity = backends.url(Service::Identity);
    let console = backends.admin_url();
    let bff = |index: u16| format!("http://{}", SocketAddr::new(HOST, arguments.port + index));
    let (mobile, web, partner) = (bff(0), bff(1), bff(2));
    let token = |user: &str, audience: &str| {
        format!("-H \"authorization: Bearer $(curl -s '{identity}/token?user={user}&aud={audience}')\"")
    };
    let (ada_mobile, ada_web) = (token("ada", "bff-mobile"), token("ada", "bff-web"));
    let acme = token("acme-app", "bff-partner");
    format!(
        "
  backends {console}   nine services and an identity provider; faults on demand

  mobile   {mobile}   docs {mobile}/docs
           curl {mobile}/product-page/42
           curl {ada_mobile} {mobile}/cart

  web      {web}   docs {web}/docs
           curl {web}/product-page/42
           curl {ada_web} {web}/account

  partner  {partner}   docs {partner}/docs
           curl {acme} {partner}/v1/products/42

  Break one backend, and ask for a page that nothing is kept of: it is still there, marked (look at `reviews` and `meta`).
           curl -X PUT {console}/reviews/off
           curl -i {mobile}/product-page/43
           curl -X PUT {console}/reviews/on

  Ctrl-C stops everything.
"
    )
}
