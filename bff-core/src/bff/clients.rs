//! The clients of one BFF, made from its configuration.

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderName;
use http::header::AUTHORIZATION;

use crate::config::Settings;
use crate::error::{Error, Result};
use crate::upstream::{Client, Clients, IDEMPOTENCY_KEY, Network, Shared, UpstreamSettings};

/// One client for each upstream, shared by typed clients and routes: one breaker, one bulkhead, one set of connections.
pub(super) fn clients<'a, Upstreams: Clients>(
    settings: &'a Settings,
    shared: &Arc<Shared>,
    network: &dyn Network,
) -> Result<(Upstreams, HashMap<&'a str, Client>)> {
    let mut made = HashMap::new();
    let passed_to = settings.routes.values().map(|route| route.upstream.as_str());
    for name in Upstreams::NAMES.iter().copied().chain(passed_to) {
        if made.contains_key(name) {
            continue;
        }
        let own = settings.upstreams.get(name).cloned().unwrap_or_default();
        let client = Client::new(name, own, shared.clone(), network);
        made.insert(name, client.map_err(|error| error.from_upstream(name.into()))?);
    }
    let typed = Upstreams::build(&mut |name| made.get(name).cloned())
        .ok_or_else(|| Error::internal("the clients ask for an upstream that they do not name"))?;
    Ok((typed, made))
}

/// The client's headers that some upstream may be told, the one that writes pass on among them.
pub(super) fn kept(settings: &Settings) -> Arc<[HeaderName]> {
    let mut names: Vec<HeaderName> = settings.upstreams.values().flat_map(UpstreamSettings::varied).collect();
    names.push(IDEMPOTENCY_KEY);
    names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    names.dedup();
    names.into()
}

/// The same, and the credentials where an upstream is to see them. They are no part of what tells whole answers apart: that
/// is who asks, and a key is no place for a secret.
pub(super) fn told(settings: &Settings, kept: &Arc<[HeaderName]>) -> Arc<[HeaderName]> {
    if settings.upstreams.values().any(|upstream| upstream.forward_authorization) {
        return kept.iter().cloned().chain([AUTHORIZATION]).collect();
    }
    kept.clone()
}
