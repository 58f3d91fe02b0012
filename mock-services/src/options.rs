//! How to start the services.

use std::net::{IpAddr, Ipv4Addr};

use crate::{faults::Faults, identity::SigningKeys, service::Service};

/// Where the services listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// Whatever ports are free: for tests.
    Free,
    /// The admin console on this port, the services on the ten ports after it.
    From(u16),
}

/// How to start the services. The default suits tests: free ports on the loopback address.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address to listen on. Default: `127.0.0.1`. Anything else lets the network mint tokens.
    pub host: IpAddr,
    /// The ports. Default: [`Ports::Free`].
    pub ports: Ports,
    /// The seed of all data and of all chance in faults. Default: 42.
    pub seed: u64,
    /// The `iss` claim of every token. Default: `http://identity.mock`.
    pub issuer: String,
    /// The keys that sign tokens. Default: none, which makes new ones at start.
    pub keys: Option<SigningKeys>,
    /// Faults that are on from the start. Default: none.
    pub faults: Vec<(Service, Faults)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            ports: Ports::Free,
            seed: 42,
            issuer: "http://identity.mock".to_owned(),
            keys: None,
            faults: Vec::new(),
        }
    }
}
