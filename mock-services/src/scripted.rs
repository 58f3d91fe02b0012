//! One backend that answers from a closure, for tests and benchmarks.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use mock_services::{Reply, scripted};
//!
//! let backend = scripted::start(|request| match request.uri().path() {
//!     "/slow" => Reply::json(r#"{"id":"1"}"#).after(std::time::Duration::from_millis(50)),
//!     _ => Reply::new(http::StatusCode::NOT_FOUND, ""),
//! })
//! .await?;
//! let url = backend.url();
//! # Ok(())
//! # }
//! ```

use std::{io, net::Ipv4Addr, ops::Deref};

use bytes::Bytes;
use http::Request;

use crate::{backend::Backend, reply::Reply};

/// A running scripted backend. It has all controls of a [`Backend`]: faults, log, barrier.
///
/// Dropping it closes the port; [`shutdown`](Self::shutdown) also waits for that.
#[derive(Debug)]
pub struct Scripted {
    backend: Backend,
}

/// Starts a backend on a free loopback port. Needs a tokio runtime around it; fails where there is no port.
///
/// The closure sees the request with its whole body. Nothing is added to its answer but `Content-Length`
/// and `Date`: no `ETag`, no caching headers.
pub async fn start(answer: impl Fn(&Request<Bytes>) -> Reply + Send + Sync + 'static) -> io::Result<Scripted> {
    let backend = Backend::start((Ipv4Addr::LOCALHOST, 0).into(), 0, answer)?;
    Ok(Scripted { backend })
}

impl Scripted {
    /// Closes the port and all connections, and waits until they are gone.
    pub async fn shutdown(self) {
        self.backend.shutdown().await;
    }
}

impl Deref for Scripted {
    type Target = Backend;

    fn deref(&self) -> &Backend {
        &self.backend
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.backend.stop();
    }
}
