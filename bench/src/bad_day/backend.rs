//! A backend that can have a bad day: workers, a queue in front of them, and what goes wrong.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use bff_core::clock::{self, Instant};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::Result;

/// What every call costs a worker on a good day.
pub(super) const SERVICE: Duration = Duration::from_millis(20);
/// How long a flapping backend is in either state.
const FLAP: Duration = Duration::from_secs(1);
/// More than any run lets pile up: real queues look endless to whoever stands in them.
const QUEUE: usize = 100_000;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
const SLOW: u32 = 10;
const ERRORS: u32 = 30;

/// What is wrong with a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing.
    Well,
    /// Every call takes ten times as long.
    Slow,
    /// 30 % of the calls end with a 503.
    Erring,
    /// Takes every call and never answers.
    Hanging,
    /// Nobody listens.
    Refusing,
    /// One second nobody listens, one second all is well.
    Flapping,
    /// Slow and erring together.
    SlowAndErring,
}

impl Fault {
    /// What the tables call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Slow => "10 × latency",
            Self::Erring => "30 % errors",
            Self::Hanging => "hanging",
            Self::Refusing => "refusing",
            Self::Flapping => "flapping",
            Self::SlowAndErring => "slow and erring",
        }
    }
}

/// A running backend. Dropped, it is gone.
pub(super) struct Backend {
    address: SocketAddr,
    state: Arc<State>,
    open: Arc<watch::Sender<bool>>,
    tasks: JoinSet<Result<()>>,
    flapping: Option<AbortHandle>,
}

struct State {
    slowness: AtomicU32,
    errors: AtomicU32,
    hanging: AtomicBool,
    queue: mpsc::Sender<Job>,
}

/// A call that was taken. It is worked on whether its caller still waits or not.
struct Job {
    arrived: Instant,
    done: oneshot::Sender<StatusCode>,
}

impl Backend {
    /// Listens on a free port; `workers` calls are worked on at once, the others stand in line.
    pub(super) fn start(workers: u32) -> Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let state =
            State { slowness: AtomicU32::new(1), errors: AtomicU32::new(0), hanging: AtomicBool::new(false), queue };
        let state = Arc::new(state);
        let (open, opened) = watch::channel(true);
        let socket = bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = socket.local_addr()?;
        let mut tasks = JoinSet::new();
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..workers {
            tasks.spawn(work(state.clone(), jobs.clone(), u64::from(number)));
        }
        tasks.spawn(listen(socket, address, opened, state.clone()));
        Ok(Self { address, state, open: Arc::new(open), tasks, flapping: None })
    }

    /// Where it listens.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Calls that wait for a worker.
    pub(super) fn queued(&self) -> usize {
        self.state.queue.max_capacity() - self.state.queue.capacity()
    }

    /// From now on this is wrong with it, and nothing else. Calls that hang already go on doing so.
    pub(super) fn set(&mut self, fault: Fault) {
        if let Some(flapping) = self.flapping.take() {
            flapping.abort();
        }
        let (slow, errors) = match fault {
            Fault::Slow => (SLOW, 0),
            Fault::Erring => (1, ERRORS),
            Fault::SlowAndErring => (SLOW, ERRORS),
            Fault::Well | Fault::Hanging | Fault::Refusing | Fault::Flapping => (1, 0),
        };
        self.state.slowness.store(slow, Ordering::Relaxed);
        self.state.errors.store(errors, Ordering::Relaxed);
        self.state.hanging.store(fault == Fault::Hanging, Ordering::Relaxed);
        self.open.send_replace(!matches!(fault, Fault::Refusing | Fault::Flapping));
        if fault == Fault::Flapping {
            let open = self.open.clone();
            self.flapping = Some(self.tasks.spawn(async move {
                loop {
                    tokio::time::sleep(FLAP).await;
                    open.send_modify(|open| *open = !*open);
                }
            }));
        }
    }

    /// Whether it has run all the time: a backend that broke down by itself makes the figures worthless.
    pub(super) fn check(&mut self) -> Result<()> {
        match self.tasks.try_join_next() {
            Some(Err(error)) if !error.is_cancelled() => Err(error.into()),
            Some(Ok(ended)) => ended.and(Err("a backend has ended".into())),
            Some(Err(_)) | None => Ok(()),
        }
    }
}

/// A socket that holds a port, and refuses who connects until it listens.
fn bind(address: SocketAddr) -> Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn listen(
    mut socket: TcpSocket,
    address: SocketAddr,
    mut open: watch::Receiver<bool>,
    state: Arc<State>,
) -> Result<()> {
    loop {
        let listener = socket.listen(BACKLOG)?;
        // bound: who calls has a bound on its connections
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    connections.spawn(serve(accepted?.0, state.clone()));
                    while connections.try_join_next().is_some() {}
                }
                closed = open.wait_for(|open| !open) => {
                    closed?;
                    break;
                }
            }
        }
        connections.shutdown().await;
        drop(listener);
        // Nobody else may have the port meanwhile, not even as the near end of a connection to it.
        socket = bind(address)?;
        open.wait_for(|open| *open).await?;
    }
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |_| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(state.answer().await) }
    });
    // A connection that breaks is the caller's business.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// One worker, always on time: what the machine of this experiment is late, the worker of another machine is not.
async fn work(state: Arc<State>, jobs: Arc<Mutex<mpsc::Receiver<Job>>>, seed: u64) -> Result<()> {
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut free = clock::now();
    loop {
        let job = jobs.lock().await.recv().await.ok_or("the queue was closed")?;
        free = free.max(job.arrived) + SERVICE * state.slowness.load(Ordering::Relaxed);
        let is_error = chance.u32(..100) < state.errors.load(Ordering::Relaxed);
        tokio::time::sleep_until(free).await;
        // Perhaps nobody waits any more; the work was done nevertheless.
        let _ = job.done.send(if is_error { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK });
    }
}

impl State {
    async fn answer(&self) -> Response<Full<Bytes>> {
        if self.hanging.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let (done, answered) = oneshot::channel();
        let status = match self.queue.try_send(Job { arrived: clock::now(), done }) {
            Ok(()) => answered.await.unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
            Err(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut response = Response::new(Full::new(Bytes::from_static(br#"{"text":"as it should be"}"#)));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
