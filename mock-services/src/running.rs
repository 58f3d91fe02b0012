//! Starts all services and steers them in-process.

use std::{io, net::SocketAddr, sync::Arc};

use crate::{
    admin,
    api::{self, Shop},
    backend::{Backend, Logged},
    faults::Faults,
    identity::{Issuer, SigningKeys, TokenError, TokenRequest},
    options::{Options, Ports},
    service::Service,
};

/// The running services. Dropping it closes all ports; [`shutdown`](Self::shutdown) also waits for that.
pub struct Running {
    parts: Arc<Parts>,
    admin: Backend,
}

/// What the admin console and the in-process control have in common.
pub(crate) struct Parts {
    /// In the order of [`Service::ALL`].
    backends: Vec<Backend>,
    shop: Arc<Shop>,
}

/// Starts every service and the admin console. Needs a tokio runtime around it.
///
/// Fails where a port is taken, with the service, the port and the flag that moves it in the message; where
/// keys cannot be made; and with `InvalidInput` where a start fault has a mistake. Nothing is left
/// listening then.
pub async fn start(options: Options) -> io::Result<Running> {
    let keys = match options.keys {
        Some(keys) => keys,
        None => SigningKeys::generate()?,
    };
    let issuer = Arc::new(Issuer::new(options.issuer, keys));
    let shop = Arc::new(Shop::new(options.seed, issuer));

    let mut started = Started(Vec::with_capacity(Service::ALL.len() + 1));
    for service in Service::ALL {
        let address = address(options.host, options.ports, service.port_offset())?;
        let shop = Arc::clone(&shop);
        let seed = options.seed.wrapping_add(u64::from(service.port_offset()));
        let backend = Backend::start(address, seed, move |request| api::answer(service, &shop, request))
            .map_err(|error| taken(service.name(), address, &error))?;
        started.0.push(backend);
    }
    let parts = Arc::new(Parts { backends: started.0.clone(), shop });
    for (service, faults) in options.faults {
        parts.backend(service).set_faults(faults)?;
    }
    let address = address(options.host, options.ports, 0)?;
    let console = Arc::clone(&parts);
    let admin = Backend::start(address, options.seed, move |request| admin::answer(&console, request))
        .map_err(|error| taken("admin", address, &error))?;
    started.0.clear();
    Ok(Running { parts, admin })
}

/// What is listening already while the rest is being started; closes it where that fails.
struct Started(Vec<Backend>);

impl Drop for Started {
    fn drop(&mut self) {
        self.0.iter().for_each(Backend::stop);
    }
}

fn address(host: std::net::IpAddr, ports: Ports, offset: u16) -> io::Result<SocketAddr> {
    let port = match ports {
        Ports::Free => 0,
        Ports::From(base) => base.checked_add(offset).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("base port {base} leaves no room for ten services above it; choose another with --base-port"),
            )
        })?,
    };
    Ok(SocketAddr::new(host, port))
}

fn taken(name: &str, address: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!(
            "{name} cannot listen on port {} of {}: {error}; choose other ports with --base-port or another address with --host",
            address.port(),
            address.ip()
        ),
    )
}

impl Parts {
    pub(crate) fn backend(&self, service: Service) -> &Backend {
        &self.backends[service as usize]
    }

    pub(crate) fn rotate_keys(&self, drop_old: bool) -> io::Result<SigningKeys> {
        let keys = SigningKeys::generate()?;
        self.shop.issuer.rotate(keys.clone(), drop_old);
        Ok(keys)
    }
}

impl Running {
    /// The backend of one service, with all its controls.
    pub fn backend(&self, service: Service) -> &Backend {
        self.parts.backend(service)
    }

    /// Where a service listens, as in `http://127.0.0.1:9001`, without a slash at the end.
    pub fn url(&self, service: Service) -> String {
        self.backend(service).url()
    }

    /// Where the admin console listens.
    pub fn admin_url(&self) -> String {
        self.admin.url()
    }

    /// See [`Backend::set_faults`].
    pub fn set_faults(&self, service: Service, faults: Faults) -> io::Result<()> {
        self.backend(service).set_faults(faults)
    }

    /// See [`Backend::clear_faults`].
    pub fn clear_faults(&self, service: Service) -> io::Result<()> {
        self.backend(service).clear_faults()
    }

    /// See [`Backend::requests`].
    pub fn requests(&self, service: Service) -> Vec<Logged> {
        self.backend(service).requests()
    }

    /// See [`Backend::clear_requests`].
    pub fn clear_requests(&self, service: Service) {
        self.backend(service).clear_requests();
    }

    /// Holds the requests of a service from now on; see [`Backend::hold`] and [`Backend::wait_held`].
    pub fn hold(&self, service: Service) -> &Backend {
        let backend = self.backend(service);
        backend.hold();
        backend
    }

    /// Lets the held requests of a service go and says how many they were.
    pub fn release(&self, service: Service) -> usize {
        self.backend(service).release()
    }

    /// See [`Backend::wait_held`].
    pub async fn wait_held(&self, service: Service, n: usize) {
        self.backend(service).wait_held(n).await;
    }

    /// See [`Backend::wait_for_requests`].
    pub async fn wait_for_requests(&self, service: Service, n: usize) {
        self.backend(service).wait_for_requests(n).await;
    }

    /// See [`Backend::wait_finished`].
    pub async fn wait_finished(&self, service: Service, n: usize) {
        self.backend(service).wait_finished(n).await;
    }

    /// See [`Backend::wait_hung_up`].
    pub async fn wait_hung_up(&self, service: Service, n: usize) {
        self.backend(service).wait_hung_up(n).await;
    }

    /// A signed token. Fails for a subject that the identity service does not know.
    pub fn mint_token(&self, wanted: &TokenRequest) -> Result<String, TokenError> {
        self.parts.shop.issuer.mint(wanted, |user| self.parts.shop.knows_user(user))
    }

    /// Signs with new keys from now on. The old public keys stay published unless `drop_old` is set.
    pub fn rotate_keys(&self, drop_old: bool) -> io::Result<SigningKeys> {
        self.parts.rotate_keys(drop_old)
    }

    /// Closes all ports and connections, and waits until they are gone.
    pub async fn shutdown(self) {
        self.stop();
        for backend in self.parts.backends.iter().chain([&self.admin]) {
            backend.shutdown().await;
        }
    }

    fn stop(&self) {
        self.parts.backends.iter().chain([&self.admin]).for_each(Backend::stop);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("admin", &self.admin_url()).finish_non_exhaustive()
    }
}
