//! Two connections made one: what a client and an upstream say to each other after a 101.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;

use futures::future::try_join;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::stack::Upstream;
use crate::clock;
use crate::context::Context;
use crate::telemetry::Way;

/// At most so many bytes of each direction are here at once.
const PIECE: usize = 16 * 1024;
/// How long the two sides may take to be told that it is over.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a tunnel knows beside its two ends.
pub(super) struct Tunnel {
    pub(super) upstream: Arc<Upstream>,
    pub(super) context: Arc<Context>,
    /// How long both sides may say nothing.
    pub(super) idle: Duration,
}

impl Tunnel {
    /// Copies both ways until the end, and says in the log which it was.
    ///
    /// One side that has no more to say is told to the other, which may go on: that is how TCP ends in order.
    pub(super) async fn run(self, client: OnUpgrade, server: OnUpgrade) {
        let shared = &self.upstream.shared;
        let name = &self.upstream.name;
        let _open = shared.metrics.tunnel(name);
        let begun = clock::now();
        let ends = tokio::select! {
            ends = try_join(client, server) => ends,
            () = shared.closing.cancelled() => return,
        };
        let (mut client, mut server) = match ends {
            Ok((client, server)) => (Counted::new(client), Counted::new(server)),
            Err(error) => {
                let request_id = &*self.context.request_id;
                return tracing::info!(upstream = &**name, request_id, %error, "no tunnel came about");
            }
        };
        let (up, down) = (client.read.clone(), server.read.clone());
        let moved = || up.load(Ordering::Relaxed).wrapping_add(down.load(Ordering::Relaxed));
        let end = tokio::select! {
            copied = tokio::io::copy_bidirectional_with_sizes(&mut client, &mut server, PIECE, PIECE) => match copied {
                Ok(_) => "closed",
                Err(_) => "broken",
            },
            () = silence(self.idle, moved) => "idle",
            // A frame may be cut in two here; the peers of a WebSocket see that as a connection that broke, and come again.
            () = shared.closing.cancelled() => "stopping",
        };
        let farewell = futures::future::join(client.shutdown(), server.shutdown());
        let _ = tokio::time::timeout(FAREWELL, pin!(farewell)).await;
        let (up, down) = (up.load(Ordering::Relaxed), down.load(Ordering::Relaxed));
        shared.metrics.passed_bytes(name, Way::Up, up);
        shared.metrics.passed_bytes(name, Way::Down, down);
        let request_id = &*self.context.request_id;
        let seconds = (clock::now() - begun).as_secs_f64();
        tracing::info!(upstream = &**name, request_id, up, down, seconds, end, "tunnel closed");
    }
}

/// Ends when nothing has moved for `idle` (or up to twice that: it is looked at once in each).
async fn silence(idle: Duration, moved: impl Fn() -> u64) {
    let mut before = moved();
    loop {
        tokio::time::sleep(idle).await;
        let now = moved();
        if now == before {
            return;
        }
        before = now;
    }
}

/// One end; counts what is read from it.
struct Counted {
    io: TokioIo<Upgraded>,
    read: Arc<AtomicU64>,
}

impl Counted {
    fn new(io: Upgraded) -> Self {
        Self { io: TokioIo::new(io), read: Arc::default() }
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Task<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(task, buffer))?;
        self.read.fetch_add((buffer.filled().len() - before) as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(task, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(task)
    }
}
