//! What a typed client of one backend is made of.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use http::Method;

use super::hosts::Network;
use super::shadow::Shadow;
use super::stack::{self, Shared, Stack, Upstream};
use super::target::Target;
use super::trouble::Troubles;
use super::{Path, Unsent, UpstreamSettings, headers};
use crate::error::Result;
use crate::resilience::Variants;

/// One upstream, ready to be asked. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    pub(super) upstream: Arc<Upstream>,
    pub(super) stack: Stack,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Client({})", self.upstream.name)
    }
}

/// The typed clients of one BFF; made by [`upstreams!`](crate::upstreams!).
pub trait Clients: Clone + Send + Sync + 'static {
    /// The names under `[upstreams]` in the configuration.
    const NAMES: &'static [&'static str];

    /// All clients, each made from the upstream of its name; `None` where `client` knows no such name.
    fn build(client: &mut dyn FnMut(&'static str) -> Option<Client>) -> Option<Self>;
}

impl Client {
    /// The upstream `name`, whose hosts `network` leads to.
    ///
    /// # Errors
    /// When there can be no way to one of its hosts.
    pub fn new(name: &str, settings: UpstreamSettings, shared: Arc<Shared>, network: &dyn Network) -> Result<Self> {
        let target = |variant, urls: &[String]| Target::new(name, variant, &settings, urls, network).map(Arc::new);
        let main = target(None, settings.urls())?;
        let variants: Result<Vec<_>> = settings
            .variants
            .iter()
            .map(|(variant, own)| target(Some(variant), super::settings::urls(&own.url, &own.urls)))
            .collect();
        let variants = variants?;
        let shadow = Shadow::new(name, &settings, network)?;
        let rules = Variants::new(&settings.variants);
        let upstream = Arc::new(Upstream {
            name: name.into(),
            forwarded: settings.forwarded().into(),
            added: headers::ready(&settings.request_headers),
            keeps: settings.keep_headers.iter().filter_map(|name| name.parse().ok()).collect(),
            vary: settings.varied().into(),
            main,
            rules,
            variants,
            shadow,
            shared: shared.clone(),
            flavours: ArcSwap::default(),
            troubles: Troubles::default(),
            said_private: AtomicBool::new(false),
            said_damaged: Mutex::default(),
            settings,
        });
        shared.register(&upstream);
        Ok(Self { stack: stack::build(&upstream), upstream })
    }

    /// Says in the log, once for each field, that its upstream sends something there that cannot be read.
    pub(crate) fn say_damaged(&self, fields: &[String]) {
        self.upstream.say_damaged(fields);
    }

    /// Asks for something.
    pub fn get(&self, path: Path) -> Unsent {
        self.call(Method::GET, path)
    }

    /// Adds something, or makes something happen. Never sent again unless no connection came about, never shared, never
    /// cut because its caller left.
    pub fn post(&self, path: Path) -> Unsent {
        self.call(Method::POST, path)
    }

    /// Puts something in its place. Otherwise like [`post`](Self::post).
    pub fn put(&self, path: Path) -> Unsent {
        self.call(Method::PUT, path)
    }

    /// Changes something. Otherwise like [`post`](Self::post).
    pub fn patch(&self, path: Path) -> Unsent {
        self.call(Method::PATCH, path)
    }

    /// Takes something away. Otherwise like [`post`](Self::post).
    pub fn delete(&self, path: Path) -> Unsent {
        self.call(Method::DELETE, path)
    }

    fn call(&self, method: Method, path: Path) -> Unsent {
        Unsent::new(self.clone(), method, path)
    }
}
