//! The backend that others hold, and its controls.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode};
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::net::TcpStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    exchange::exchange,
    gate::Gate,
    log::{Logged, RequestLog},
    port::Port,
    socket::{Ending, Socket},
};
use crate::{faults::Faults, reply::Reply};

type Answer = Box<dyn Fn(&Request<Bytes>) -> Reply + Send + Sync>;

/// One listening backend and its controls. Clones control the same backend.
#[derive(Clone)]
pub struct Backend {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    port: Port,
    answer: Answer,
    pub(super) log: Arc<RequestLog>,
    pub(super) gate: Gate,
    faults: RwLock<Arc<Faults>>,
    chance: Mutex<fastrand::Rng>,
    /// Ends everything.
    stop: CancellationToken,
    /// Ends the connections that are open now; replaced when the port is opened again.
    connections: Mutex<CancellationToken>,
    tasks: TaskTracker,
}

impl Backend {
    /// Opens the port and answers from `answer`. Needs a tokio runtime around it.
    pub(crate) fn start(
        address: SocketAddr,
        seed: u64,
        answer: impl Fn(&Request<Bytes>) -> Reply + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let inner = Arc::new(Inner {
            port: Port::open(address)?,
            answer: Box::new(answer),
            log: Arc::default(),
            gate: Gate::new(),
            faults: RwLock::default(),
            chance: Mutex::new(fastrand::Rng::with_seed(seed)),
            connections: Mutex::new(stop.child_token()),
            stop,
            tasks: TaskTracker::new(),
        });
        inner.tasks.spawn(accept(Arc::clone(&inner)));
        Ok(Self { inner })
    }

    /// Where it listens, as in `http://127.0.0.1:9001`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.inner.port.address()
    }

    /// The faults that are on.
    pub fn faults(&self) -> Faults {
        (*self.inner.faults()).clone()
    }

    /// Replaces all faults; in force when this returns.
    ///
    /// Fails with `InvalidInput` where [`Faults::check`] finds a mistake, and where the port cannot be
    /// closed or opened again.
    pub fn set_faults(&self, faults: Faults) -> io::Result<()> {
        if self.inner.stop.is_cancelled() {
            return Ok(());
        }
        faults.check().map_err(|mistake| io::Error::new(io::ErrorKind::InvalidInput, mistake))?;
        // Taken first: of two callers at once, one sets the faults and the port, then the other.
        let mut connections = self.inner.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let refuse = faults.refuse;
        *self.inner.faults.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(faults);
        if refuse {
            self.inner.port.close()?;
            connections.cancel();
        } else {
            if connections.is_cancelled() {
                *connections = self.inner.stop.child_token();
            }
            self.inner.port.reopen()?;
        }
        Ok(())
    }

    /// Back to a healthy backend; in force when this returns. Fails where the port cannot be opened again.
    pub fn clear_faults(&self) -> io::Result<()> {
        self.set_faults(Faults::default())
    }

    /// The requests since the log was cleared, oldest first, at most the last 10,000.
    pub fn requests(&self) -> Vec<Logged> {
        self.inner.log.all()
    }

    /// Forgets all requests and starts the counts of the `wait_…` methods again.
    pub fn clear_requests(&self) {
        self.inner.log.clear();
    }

    /// Holds every request that arrives from now on, until [`release`](Self::release).
    pub fn hold(&self) {
        self.inner.gate.close();
    }

    /// Lets all held requests go and says how many they were.
    pub fn release(&self) -> usize {
        self.inner.gate.open()
    }

    /// How many requests are held now.
    pub fn held(&self) -> usize {
        self.inner.gate.held()
    }

    /// Whether requests are being held.
    pub fn is_holding(&self) -> bool {
        self.inner.gate.is_closed()
    }

    /// Waits until at least `n` requests are held at the same time.
    pub async fn wait_held(&self, n: usize) {
        self.inner.gate.wait_held(n).await;
    }

    /// Waits until at least `n` requests have arrived since the log was cleared.
    pub async fn wait_for_requests(&self, n: usize) {
        self.inner.log.wait_for(|counts| counts.arrived >= n).await;
    }

    /// Waits until at least `n` requests have ended, in whatever way, since the log was cleared.
    pub async fn wait_finished(&self, n: usize) {
        self.inner.log.wait_for(|counts| counts.finished >= n).await;
    }

    /// Waits until at least `n` callers have hung up since the log was cleared.
    pub async fn wait_hung_up(&self, n: usize) {
        self.inner.log.wait_for(|counts| counts.hung_up >= n).await;
    }

    /// Closes the port and all connections without waiting for them.
    pub(crate) fn stop(&self) {
        self.inner.stop.cancel();
        self.inner.port.give_up();
        self.inner.tasks.close();
    }

    /// Closes the port and all connections, and waits until they are gone.
    pub(crate) async fn shutdown(&self) {
        self.stop();
        self.inner.tasks.wait().await;
    }
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backend").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl Inner {
    pub(super) fn faults(&self) -> Arc<Faults> {
        Arc::clone(&self.faults.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How long this request waits and what it fails with, by the chance of the seed.
    pub(super) fn draw(&self, faults: &Faults) -> (Duration, Option<StatusCode>) {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        (faults.draw_wait(&mut chance), faults.draw_error(&mut chance))
    }

    pub(super) fn answer(&self, request: &Request<Bytes>) -> Reply {
        (self.answer)(request)
    }
}

async fn accept(backend: Arc<Inner>) {
    loop {
        let accepted = tokio::select! {
            () = backend.stop.cancelled() => return,
            accepted = poll_fn(|cx| backend.port.poll_accept(cx)) => accepted,
        };
        match accepted {
            Ok(stream) => {
                let closed = backend.connections.lock().unwrap_or_else(PoisonError::into_inner).clone();
                backend.tasks.spawn(serve(Arc::clone(&backend), stream, closed));
            }
            // Out of file descriptors, or a caller that was gone already: neither is worth a spin.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve(backend: Arc<Inner>, stream: TcpStream, closed: CancellationToken) {
    // Small answers must not wait for the caller's acknowledgement; a failure only costs time.
    let _ = stream.set_nodelay(true);
    let ending = Arc::new(Ending::default());
    let socket = TokioIo::new(Socket::new(stream, Arc::clone(&ending)));
    let noted = Arc::clone(&ending);
    let service = service_fn(move |request| exchange(Arc::clone(&backend), Arc::clone(&ending), request));
    let server = auto::Builder::new(TokioExecutor::new());
    // Noted inside the future: by the time a branch runs, the other one is dropped already.
    let closed_by_us = async {
        closed.cancelled().await;
        noted.closed_by_us();
    };
    tokio::select! {
        biased;
        () = closed_by_us => {}
        // How it ended is in the request log already.
        _ = server.serve_connection(socket, service) => {}
    }
}
