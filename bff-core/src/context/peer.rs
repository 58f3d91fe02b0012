//! From where a request came.

use std::net::SocketAddr;

/// The other end of the connection that a request came by, in the request's extensions; a balancer's, where there is one.
///
/// `serve` puts it there; with the PROXY protocol it is the end that the balancer names. A request that came by no connection (a test in memory) has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);
