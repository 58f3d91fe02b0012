//! What the servers under test have in common below HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

use crate::Result;

/// How long a client may take for the head of a request; the framework's default.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest head of a request; the framework's default.
const HEADER_LIMIT: usize = 32 * 1024;
/// At most so many connections; the framework's default.
const MAX_CONNECTIONS: usize = 10_000;

/// One worker, because one CPU is what each server gets.
pub(crate) fn runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}

/// Serves by hand what the framework serves by itself: the same limits on connections and heads.
pub(crate) async fn serve(address: SocketAddr, app: Router) -> Result<()> {
    let listener = TcpListener::bind(address).await?;
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(HEADER_LIMIT);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(HEADER_TIMEOUT).max_concurrent_streams(256);
    let builder = Arc::new(builder);
    loop {
        let place = room.clone().acquire_owned().await?;
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (builder, service) = (builder.clone(), TowerToHyperService::new(app.clone()));
        tokio::spawn(async move {
            let _place = place;
            // A connection that breaks is the client's business.
            let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
        });
    }
}
