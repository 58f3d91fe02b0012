//! Five backends, one BFF over them, all on free ports of loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bff_core::serve::{Listeners, serve};
use bff_core::upstream::{Location, Network, Shared, Tcp, Transport, UpstreamSettings};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower::ServiceExt;

use super::backend::Backend;
use super::page::{NAMES, Protection, bff};
use crate::Result;

/// The backend that a page cannot do without, as an index of [`NAMES`].
pub(super) const REQUIRED: usize = 1;
/// One that it can do without.
pub(super) const OPTIONAL: usize = 2;
/// Workers of a backend that has plenty.
pub(super) const PLENTY: u32 = 64;

/// Everything that runs in one experiment.
pub(super) struct World {
    /// In the order of [`NAMES`].
    pub(super) backends: [Backend; 5],
    /// Where the page is.
    pub(super) page: SocketAddr,
    shared: Arc<Shared>,
    attempts: Arc<Attempts>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl World {
    /// Starts everything; `ours` stands in place of the defaults, `workers` says how many each backend has.
    pub(super) async fn start(
        protection: Protection,
        ours: Option<&UpstreamSettings>,
        workers: [u32; 5],
    ) -> Result<Self> {
        let [a, b, c, d, e] = workers.map(Backend::start);
        let backends = [a?, b?, c?, d?, e?];
        let settings = protection.settings(ours, backends.iter().map(Backend::url));
        let bff = bff();
        if let Some(mistake) = bff.check(&settings).first() {
            return Err(mistake.to_string().into());
        }
        let attempts = Arc::new(Attempts::default());
        let app = bff.build(&settings, Counting(attempts.clone())).await.map_err(|error| error.to_string())?;
        let listeners = Listeners::bind(&settings.server).await?;
        let page = listeners.public_addr()?;
        let shared = app.shared.clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            serve(app, listeners, &settings.server, stopped).await
        });
        Ok(Self { backends, page, shared, attempts, stop, server })
    }

    /// The backend with this index of [`NAMES`].
    pub(super) fn backend(&mut self, index: usize) -> Result<&mut Backend> {
        self.backends.get_mut(index).ok_or_else(|| "no such backend".into())
    }

    /// How often the backend with this index was asked so far, connections that were refused included.
    pub(super) fn attempts(&self, index: usize) -> u64 {
        self.attempts.0.get(index).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// What the guards of the backend with this index do at this moment, in a few words.
    pub(super) fn guards(&self, index: usize) -> Result<String> {
        let name = NAMES.get(index).copied().unwrap_or_default();
        let views = self.shared.upstreams();
        let view = &views.iter().find(|view| view.upstream == name).ok_or("no such upstream")?.main;
        let breaker = view.breaker.as_ref().map_or("-".to_owned(), |breaker| format!("{:?}", breaker.state));
        let (limit, in_flight, refused) =
            view.bulkhead.as_ref().map_or((0, 0, 0), |seats| (seats.limit, seats.in_flight, seats.refused));
        let (retries, budget_refused) = (view.retries, view.retry_budget.refused);
        let queued = self.backends.get(index).map_or(0, Backend::queued);
        let attempts = self.attempts(index);
        Ok(format!(
            "{breaker}\tseats {in_flight}/{limit}\trefused {refused}\tretries {retries}\tbudget_refused {budget_refused}\tattempts {attempts}\tqueued {queued}"
        ))
    }

    /// Stops everything, and says whether all of it ran until now.
    pub(super) async fn stop(mut self) -> Result<()> {
        for backend in &mut self.backends {
            backend.check()?;
        }
        if self.server.is_finished() {
            return Err("the BFF has ended".into());
        }
        let _ = self.stop.send(());
        self.server.await??;
        Ok(())
    }
}

/// Attempts at each backend, in the order of [`NAMES`].
#[derive(Debug, Default)]
struct Attempts([AtomicU64; 5]);

/// The network, with every attempt counted.
struct Counting(Arc<Attempts>);

impl Network for Counting {
    fn transport(&self, upstream: &str, settings: &UpstreamSettings, at: &Location) -> bff_core::Result<Transport> {
        let transport = Tcp.transport(upstream, settings, at)?;
        let index = NAMES.iter().position(|name| *name == upstream);
        let attempts = self.0.clone();
        Ok(Transport::new(tower::service_fn(move |request| {
            if let Some(count) = index.and_then(|index| attempts.0.get(index)) {
                count.fetch_add(1, Ordering::Relaxed);
            }
            transport.clone().oneshot(request)
        })))
    }
}
