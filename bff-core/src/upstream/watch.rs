//! Looks after the hosts while nobody calls: names that lead elsewhere, hosts that do not answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Uri};
use tokio::task::JoinSet;
use tower::ServiceExt;
use url::Url;

use super::hosts::{Host, Location, Network};
use super::stack::{Shared, Upstream};
use super::target::Target;
use crate::body::Body;
use crate::clock;

impl Shared {
    /// Begins to look after the hosts of all upstreams, until the set that comes back is dropped.
    #[must_use = "dropping it ends the watch"]
    pub fn watch(&self, network: &Arc<dyn Network>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for upstream in self.registered() {
            for target in std::iter::once(&upstream.main).chain(&upstream.variants) {
                let names: Vec<Named> = target.hosts.now().iter().map(|host| Named::of(host)).collect();
                if names.iter().any(|name| name.url.domain().is_some()) && !upstream.settings.dns_refresh.is_zero() {
                    tasks.spawn(look_up(upstream.clone(), target.clone(), names, network.clone()));
                }
                if let Some(path) = &upstream.settings.balance.probe.path {
                    tasks.spawn(probe(upstream.clone(), target.clone(), path.parse().unwrap_or_default()));
                }
            }
        }
        tasks
    }
}

/// More addresses than this are not remembered of one name.
const MOST_ADDRESSES: usize = 256;
/// A name server that says nothing for so long is not there.
const PATIENCE: Duration = Duration::from_secs(5);

/// A URL as it is configured, and where its name leads.
struct Named {
    url: Url,
    weight: u32,
    // bound: MOST_ADDRESSES
    addresses: Vec<SocketAddr>,
    /// It leads elsewhere than before.
    moved: bool,
    /// The last look at it failed; said once in the log.
    failed: bool,
}

impl Named {
    fn of(host: &Host) -> Self {
        let (url, weight) = (host.location.url.clone(), host.weight);
        Self { url, weight, addresses: Vec::new(), moved: false, failed: false }
    }

    async fn look_up(&mut self, network: &dyn Network, each_address: bool) {
        self.moved = false;
        let (Some(name), Some(port)) = (self.url.domain(), self.url.port_or_known_default()) else { return };
        let failed = match tokio::time::timeout(PATIENCE, network.resolve(name.to_owned(), port)).await {
            Ok(Ok(found)) if !found.is_empty() => {
                if self.failed {
                    tracing::info!(name, "the name can be looked up again");
                }
                self.failed = false;
                return self.found(found, each_address);
            }
            Ok(Ok(_)) => "it has no address".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        // What was known stays: a name server that is down takes no service with it.
        if !self.failed {
            tracing::warn!(name, %failed, "the name cannot be looked up; the addresses known stay");
        }
        self.failed = true;
    }

    fn found(&mut self, mut found: Vec<SocketAddr>, each_address: bool) {
        found.sort_unstable();
        found.dedup();
        found.truncate(MOST_ADDRESSES);
        if each_address {
            self.moved = found != self.addresses;
            self.addresses = found;
            return;
        }
        // Many name servers tell some of the addresses, and others each time: only where none is known any more have the
        // connections nowhere to stay. The first look is no move: whoever connected until now has looked up the same.
        let is_known = found.iter().any(|address| self.addresses.contains(address));
        self.moved = !is_known && !self.addresses.is_empty();
        if self.moved || self.addresses.len() + found.len() > MOST_ADDRESSES {
            self.addresses = found;
        } else {
            self.addresses.extend(found);
            self.addresses.sort_unstable();
            self.addresses.dedup();
        }
    }
}

async fn look_up(upstream: Arc<Upstream>, target: Arc<Target>, mut names: Vec<Named>, network: Arc<dyn Network>) {
    loop {
        let each = upstream.settings.each_address;
        futures::future::join_all(names.iter_mut().map(|name| name.look_up(network.as_ref(), each))).await;
        if names.iter().any(|name| name.moved) {
            settle(&upstream, &target, &names, network.as_ref());
        }
        tokio::time::sleep(upstream.settings.dns_refresh).await;
    }
}

/// Puts the hosts in place that the names lead to now; one that was there already keeps its connections and its record.
fn settle(upstream: &Upstream, target: &Target, names: &[Named], network: &dyn Network) {
    let before = target.hosts.now();
    let mut hosts: Vec<Arc<Host>> = Vec::new();
    for name in names {
        let each = upstream.settings.each_address && !name.addresses.is_empty();
        let at = |address| Location { url: name.url.clone(), address };
        let locations: Vec<Location> =
            if each { name.addresses.iter().map(|address| at(Some(*address))).collect() } else { vec![at(None)] };
        for location in locations {
            let kept = before.iter().find(|host| host.location == location && (each || !name.moved));
            let host = match kept {
                Some(host) => Ok(host.clone()),
                None => network
                    .transport(&upstream.name, &upstream.settings, &location)
                    .map(|transport| Host::new(location, name.weight, transport)),
            };
            match host {
                Ok(host) => hosts.push(host),
                Err(error) => tracing::warn!(upstream = %upstream.name, %error, "no way to a new address"),
            }
        }
    }
    if !hosts.is_empty() {
        tracing::info!(upstream = %upstream.name, hosts = hosts.len(), "a name leads elsewhere");
        target.hosts.replace(hosts);
    }
}

async fn probe(upstream: Arc<Upstream>, target: Arc<Target>, path: Uri) {
    let settings = &upstream.settings.balance.probe;
    loop {
        let hosts = target.hosts.now().clone();
        let asks = hosts.iter().map(|host| async {
            let up = tokio::time::timeout(settings.timeout, ask(host, &path)).await.unwrap_or(false);
            if let Some(now) = host.state.probed(up, settings, clock::now()) {
                tracing::info!(upstream = %upstream.name, host = %host.label, probe = ?now, "a host has changed");
            }
        });
        futures::future::join_all(asks).await;
        drop(hosts);
        // Not in step with other instances.
        tokio::time::sleep(settings.every.mul_f64(0.9 + 0.2 * fastrand::f64())).await;
    }
}

/// Any answer but a 5xx: whoever says 404 to a probe is alive.
async fn ask(host: &Host, path: &Uri) -> bool {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.clone();
    let answer = host.transport.clone().oneshot(request).await;
    answer.is_ok_and(|response| !response.status().is_server_error())
}
