//! The hosts that an upstream is served by, and the way to each.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use futures::FutureExt;
use futures::future::BoxFuture;
use url::Url;

use super::{Transport, UpstreamSettings};
use crate::error::{Error, Result};
use crate::resilience::HostState;

/// Where one host is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Its URL, with a path in front of all its paths if need be.
    pub url: Url,
    /// Its address, where the name in the URL is not to be looked up by whoever connects.
    pub address: Option<SocketAddr>,
}

/// What a log calls it: the address, or else host and port of the URL.
impl fmt::Display for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.url.host_str(), self.url.port_or_known_default()) {
            (Some(address), ..) => write!(out, "{address}"),
            (None, Some(host), Some(port)) => write!(out, "{host}:{port}"),
            (None, host, _) => out.write_str(host.unwrap_or_default()),
        }
    }
}

/// Where the way to each host comes from: [`Tcp`](super::Tcp), or what a test puts in its place (a closure will do).
pub trait Network: Send + Sync + 'static {
    /// The way to one host of the upstream with this name.
    ///
    /// # Errors
    /// When there can be none: the URL is of no use, the TLS roots of this machine cannot be read.
    fn transport(&self, upstream: &str, settings: &UpstreamSettings, at: &Location) -> Result<Transport>;

    /// The addresses behind a name. Default: as this machine looks names up.
    fn resolve(&self, host: String, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) }.boxed()
    }
}

impl<Make> Network for Make
where
    Make: Fn(&str, &UpstreamSettings, &Location) -> Result<Transport> + Send + Sync + 'static,
{
    fn transport(&self, upstream: &str, settings: &UpstreamSettings, at: &Location) -> Result<Transport> {
        self(upstream, settings, at)
    }
}

/// One host: the way to it, and how it does.
pub(super) struct Host {
    pub(super) label: Arc<str>,
    pub(super) location: Location,
    pub(super) weight: u32,
    pub(super) transport: Transport,
    pub(super) state: HostState,
}

impl fmt::Debug for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Host({})", self.label)
    }
}

impl Host {
    pub(super) fn new(location: Location, weight: u32, transport: Transport) -> Arc<Self> {
        Arc::new(Self {
            label: location.to_string().into(),
            location,
            weight,
            transport,
            state: HostState::new(weight),
        })
    }
}

/// The hosts as they are known now. Reading them takes no lock.
#[derive(Debug)]
pub(super) struct Hosts(ArcSwap<Vec<Arc<Host>>>);

impl Hosts {
    /// One host for each URL; `weights` in the order of the URLs, and 1 where there is none.
    pub(super) fn new(
        name: &str,
        settings: &UpstreamSettings,
        urls: &[String],
        weights: &[u32],
        network: &dyn Network,
    ) -> Result<Self> {
        let weight = |index| weights.get(index).copied().unwrap_or(1);
        let hosts: Result<Vec<_>> = urls
            .iter()
            .enumerate()
            .map(|(index, url)| {
                let url = Url::parse(url).map_err(Error::internal)?;
                let location = Location { url, address: None };
                let transport = network.transport(name, settings, &location)?;
                Ok(Host::new(location, weight(index), transport))
            })
            .collect();
        Ok(Self(ArcSwap::from_pointee(hosts?)))
    }

    pub(super) fn now(&self) -> Guard<Arc<Vec<Arc<Host>>>> {
        self.0.load()
    }

    /// From now on these. Calls under way end where they are.
    pub(super) fn replace(&self, hosts: Vec<Arc<Host>>) {
        self.0.store(Arc::new(hosts));
    }
}
