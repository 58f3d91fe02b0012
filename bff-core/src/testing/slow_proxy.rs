//! A network in between that is slow.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Hands on what clients send at once, and what the server answers after a delay. Ends when dropped.
#[derive(Debug)]
pub struct SlowProxy {
    address: SocketAddr,
    delay: Arc<AtomicU64>,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl SlowProxy {
    /// A proxy in front of `target`, which delays nothing yet.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn before(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (delay, accepted) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
        let (own_delay, own_accepted) = (delay.clone(), accepted.clone());
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                own_accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(between(client, target, own_delay.clone()));
            }
        });
        Ok(Self { address, delay, accepted, task })
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on answers are handed on only after `delay`.
    pub fn delay(&self, delay: Duration) {
        self.delay.store(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// How many connections clients have made.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for SlowProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Until one of both sides closes.
async fn between(client: TcpStream, target: SocketAddr, delay: Arc<AtomicU64>) -> io::Result<()> {
    let server = TcpStream::connect(target).await?;
    tokio::select! {
        ended = hand_on(&client, &server, || Duration::ZERO) => ended,
        ended = hand_on(&server, &client, || Duration::from_millis(delay.load(Ordering::SeqCst))) => ended,
    }
}

async fn hand_on(from: &TcpStream, to: &TcpStream, delay: impl Fn() -> Duration) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        from.readable().await?;
        let count = match from.try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        tokio::time::sleep(delay()).await;
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            to.writable().await?;
            match to.try_write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}
