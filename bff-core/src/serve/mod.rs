//! Listening, serving, and stopping without losing a request.

mod activity;
mod lingering;
mod patient;
mod proxy_protocol;
mod signals;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Version;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;

use self::activity::{Activity, Leaving};
use self::lingering::{AT_ONCE, Arriving};
use self::patient::Patient;
pub use self::signals::shutdown_signal;
use crate::bff::App;
use crate::clock::{self, Instant};
use crate::context::{Holder, Peer, TrustedProxies};
use crate::resilience::Shares;
use crate::settings::{Check, Mistakes};

/// `[server]`: listeners and their limits.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerSettings {
    /// Where clients call. Default `127.0.0.1:8080`; plain HTTP, for loopback and behind a balancer.
    pub listen: SocketAddr,
    /// Where operators call (`/metrics`, `/protections`, `/livez`, `/readyz`). Default `127.0.0.1:9080`; not for the world.
    pub management: SocketAddr,
    /// How long a client may take for the head of a request; also how long a connection may stay idle. Default 30 s.
    #[serde(with = "humantime_serde")]
    pub header_timeout: Duration,
    /// How long a client may take nothing of an answer before its connection is closed. Default 30 s.
    #[serde(with = "humantime_serde")]
    pub write_timeout: Duration,
    /// The largest head of a request. Default 32 KiB (hyper answers a larger one with 431).
    pub header_limit: bytesize::ByteSize,
    /// At most so many connections at once; further ones wait to be accepted, and where more than three quarters are taken
    /// nobody gets more than an even share. Default 10000.
    pub max_connections: usize,
    /// Every connection to `listen` begins with a header of the PROXY protocol, version 2, which says from where it comes; one
    /// without it, or from elsewhere than `edge.trusted_proxies`, is closed. Default: no.
    pub proxy_protocol: bool,
    /// After a signal to stop: how long requests are still accepted while `/readyz` already says no, so that balancers
    /// hear of it. Default 0 s; on Kubernetes some seconds.
    #[serde(with = "humantime_serde")]
    pub drain_delay: Duration,
    /// After that: how long requests in flight may take to end. Default 30 s.
    #[serde(with = "humantime_serde")]
    pub drain_timeout: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            management: SocketAddr::from(([127, 0, 0, 1], 9080)),
            header_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            header_limit: bytesize::ByteSize::kib(32),
            max_connections: 10_000,
            proxy_protocol: false,
            drain_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(30),
        }
    }
}

impl Check for ServerSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        if self.listen == self.management && self.listen.port() != 0 {
            mistakes.note("management", format!("{} is where clients call", self.management), "give it another port");
        }
        for (key, time) in [("header_timeout", self.header_timeout), ("write_timeout", self.write_timeout)] {
            if time.is_zero() {
                mistakes.note(key, "0 leaves a client no time", "give a time such as \"30s\"");
            }
        }
        if self.header_limit.as_u64() < 8192 {
            let problem = format!("{} is too small for a head", self.header_limit);
            mistakes.note("header_limit", problem, "give at least 8 KiB");
        }
        if self.max_connections == 0 {
            mistakes.note("max_connections", "0 lets nobody in", "give a number above 0");
        }
    }
}

/// The listeners of a BFF, bound.
#[derive(Debug)]
pub struct Listeners {
    public: TcpListener,
    management: TcpListener,
}

/// A port that cannot be had; says which, and how to choose another.
#[derive(Debug)]
pub struct BindError {
    address: SocketAddr,
    flag: &'static str,
    key: &'static str,
    cause: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, flag, key, cause } = self;
        if cause.kind() == io::ErrorKind::AddrInUse {
            write!(out, "port {} of {} is taken by another program", address.port(), address.ip())?;
        } else {
            write!(out, "cannot listen on {address}: {cause}")?;
        }
        write!(out, "; choose another with {flag} HOST:PORT, or {key} in the configuration")
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

impl Listeners {
    /// Binds both listeners; port 0 takes a free one.
    ///
    /// # Errors
    /// When a port cannot be had.
    pub async fn bind(settings: &ServerSettings) -> Result<Self, BindError> {
        let bind = async |address: SocketAddr, flag: &'static str, key: &'static str| {
            TcpListener::bind(address).await.map_err(|cause| BindError { address, flag, key, cause })
        };
        Ok(Self {
            public: bind(settings.listen, "--listen", "server.listen").await?,
            management: bind(settings.management, "--management", "server.management").await?,
        })
    }

    /// Where clients call.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn public_addr(&self) -> io::Result<SocketAddr> {
        self.public.local_addr()
    }

    /// Where operators call.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn management_addr(&self) -> io::Result<SocketAddr> {
        self.management.local_addr()
    }
}

/// Serves until `shutdown` ends, then drains: readiness off, stop accepting, finish what is in flight (writes and
/// refreshes included), and return. Tunnels have no end that could be waited for; they are closed when nobody new is let
/// in any more.
///
/// # Errors
/// When requests were still in flight at the end of `drain_timeout`; they are cut.
pub async fn serve(
    app: App,
    listeners: Listeners,
    settings: &ServerSettings,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let _watch = app.watch();
    let stop_management = Arc::new(tokio::sync::Notify::new());
    let stopped = stop_management.clone();
    let own = settings.clone();
    let proxies = app.proxies.clone();
    let operators = Side { router: app.management.clone(), proxies: TrustedProxies::default(), proxy_protocol: false };
    let clients = Side { router: app.public.clone(), proxies, proxy_protocol: settings.proxy_protocol };
    let operators = tokio::spawn(async move {
        accept(listeners.management, operators, &own, async move { stopped.notified().await }).await
    });
    let drain = async {
        shutdown.await;
        app.set_ready(false);
        tracing::info!("draining");
        if !settings.drain_delay.is_zero() {
            tokio::time::sleep(settings.drain_delay).await;
        }
    };
    let (open, room) = accept(listeners.public, clients, settings, drain).await;
    let deadline = clock::now() + settings.drain_timeout;
    let background = &app.shared.background;
    background.close();
    app.shared.closing.cancel();
    let drained = tokio::time::timeout_at(deadline, async {
        open.shutdown().await;
        background.wait().await;
    })
    .await;
    stop_management.notify_one();
    let _ = operators.await;
    drained.map_err(|_| {
        // They end without a last chunk, or with the connection, so that nobody takes half an answer for a whole one.
        let cut = settings.max_connections.saturating_sub(room.available_permits());
        let text = format!("requests were still in flight when drain_timeout ended; {cut} connections were cut");
        io::Error::new(io::ErrorKind::TimedOut, text)
    })
}

/// One of the two listeners: who answers, and what is believed of where a connection comes from.
struct Side {
    router: Router,
    proxies: TrustedProxies,
    proxy_protocol: bool,
}

/// What the connections of one listener share.
struct Crowd {
    side: Side,
    builder: auto::Builder<TokioExecutor>,
    room: Arc<Semaphore>,
    shares: Arc<Shares>,
    lingering: Arc<Semaphore>,
    settings: ServerSettings,
}

/// Accepts until `stop` ends; gives back the connections that are still open, and the places for further ones. The listener is
/// closed by then.
async fn accept(
    listener: TcpListener,
    side: Side,
    settings: &ServerSettings,
    stop: impl Future<Output = ()>,
) -> (GracefulShutdown, Arc<Semaphore>) {
    let open = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(settings.max_connections));
    let crowd = Arc::new(Crowd {
        side,
        builder: builder(settings),
        room: room.clone(),
        shares: Arc::default(),
        lingering: Arc::new(Semaphore::new(AT_ONCE)),
        settings: settings.clone(),
    });
    tokio::pin!(stop);
    loop {
        let accepted = async {
            let place = room.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => return (open, room),
        };
        match accepted {
            Ok((stream, peer)) => {
                tokio::spawn(arrives(crowd.clone(), stream, peer, place.ok(), open.watcher()));
            }
            Err(error) => {
                // Out of file descriptors, most likely: give connections time to end instead of spinning.
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// So much may be on its way from one client that nobody has read yet (hyper's default is 1 MiB).
const WINDOW: u32 = 256 * 1024;
/// So much of one stream may wait for its client (hyper's default is 400 KiB).
const SEND_BUFFER: usize = 64 * 1024;
/// Connections are not looked at more often than this.
const SHORTEST_TICK: Duration = Duration::from_millis(10);

fn builder(settings: &ServerSettings) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // Without the timer hyper's limit is silently off.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(usize::try_from(settings.header_limit.as_u64()).unwrap_or(usize::MAX));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(settings.header_timeout)
        .keep_alive_timeout(settings.header_timeout)
        .max_concurrent_streams(256)
        // Of what a client sends and nobody has read yet, and of what it has not read yet.
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(settings.header_limit.as_u64()).unwrap_or(u32::MAX));
    builder
}

/// One connection, from where it comes to its end.
async fn arrives(
    crowd: Arc<Crowd>,
    mut stream: TcpStream,
    mut peer: SocketAddr,
    place: Option<OwnedSemaphorePermit>,
    open: Watcher,
) {
    let _ = stream.set_nodelay(true);
    let Side { proxies, proxy_protocol, .. } = &crowd.side;
    if *proxy_protocol {
        if !proxies.has(peer.ip()) {
            return tracing::debug!(%peer, "closed: the PROXY protocol is only taken from trusted_proxies");
        }
        let client = proxy_protocol::client(&mut stream, peer);
        match tokio::time::timeout(crowd.settings.header_timeout, client).await {
            Ok(Ok(client)) => peer = client,
            Ok(Err(error)) => return tracing::debug!(%peer, %error, "closed: no header of the PROXY protocol"),
            Err(_) => return,
        }
    }
    // What a proxy of ours says of its clients is in its requests; the connection is its own.
    let holder = (!proxies.has(peer.ip())).then(|| Holder::address(peer.ip()));
    let most = crowd.settings.max_connections;
    let taken = most.saturating_sub(crowd.room.available_permits());
    if crowd.shares.are_used_up(holder, taken as u64, most as u64) {
        return tracing::debug!(%peer, "closed: it has its share of the connections");
    }
    // The place goes with the stream: a tunnel holds it when HTTP is over.
    let place = place.map(|place| (place, crowd.shares.hold(holder, 1)));
    let stream = Patient::new(stream, crowd.settings.write_timeout, place);
    connection(&crowd, stream, Peer(peer), open).await;
}

async fn connection(crowd: &Crowd, stream: Patient, peer: Peer, open: Watcher) {
    let activity = Arc::new(Activity::default());
    let seen = activity.clone();
    let (router, lingering) = (crowd.side.router.clone(), crowd.lingering.clone());
    let service = hyper::service::service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let busy = seen.begin();
        let (head, body) = request.into_parts();
        let is_http2 = head.version == Version::HTTP_2;
        let (body, rest) = Arriving::new(body, head.version, &head.headers, &lingering);
        let answer = router.clone().oneshot(http::Request::from_parts(head, body));
        async move {
            let mut answer = answer.await?;
            rest.tell(answer.headers_mut());
            Ok::<_, Infallible>(answer.map(|body| Leaving::new(body, busy, is_http2)))
        }
    });
    let connection = crowd.builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = pin!(open.watch(connection.into_owned()));
    let (idle, patience) = (crowd.settings.header_timeout, crowd.settings.write_timeout);
    let tick = (idle.min(patience) / 2).max(SHORTEST_TICK);
    let (mut rest, mut stall) = (Since::default(), Since::default());
    loop {
        tokio::select! {
            // A connection that breaks is the client's business; its requests have their own log lines.
            _ = &mut connection => return,
            () = tokio::time::sleep(tick) => {}
        }
        let now = clock::now();
        activity.give_up(patience, now);
        // hyper limits the head of an HTTP/1 request. It does not limit telling HTTP/1 from HTTP/2, nor an HTTP/2 connection on
        // which nothing is asked, nor one whose client opens no window; this does.
        if rest.lasts(activity.at_rest(), now) >= idle || stall.lasts(activity.stalled(), now) >= patience {
            return;
        }
    }
}

/// How long something has been the same.
struct Since<T>(Option<(T, Instant)>);

impl<T> Default for Since<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Copy + PartialEq> Since<T> {
    fn lasts(&mut self, value: Option<T>, now: Instant) -> Duration {
        match (self.0, value) {
            (Some((before, since)), Some(value)) if before == value => now.saturating_duration_since(since),
            _ => {
                self.0 = value.map(|value| (value, now));
                Duration::ZERO
            }
        }
    }
}
