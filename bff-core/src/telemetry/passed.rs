//! What routes pass on: bytes, how answers ended, tunnels.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Metrics, Name, UpstreamLabels};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WayLabels {
    upstream: Name,
    way: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    upstream: Name,
    end: &'static str,
}

/// Counted for each upstream that a route leads to.
#[derive(Debug, Default)]
pub(super) struct Passed {
    bytes: Family<WayLabels, Counter>,
    answers: Family<EndLabels, Counter>,
    tunnels: Family<UpstreamLabels, Gauge>,
}

impl Passed {
    pub(super) fn register(&self, registry: &mut Registry) {
        let bytes = "Bytes of bodies and tunnels, to upstreams (up) and from them (down), counted at their end";
        registry.register("passed_bytes", bytes, self.bytes.clone());
        let answers = "How passed answers ended: whole, broken by the upstream, or left by the client";
        registry.register("passed_answers", answers, self.answers.clone());
        registry.register("tunnels_open", "Connections between a client and an upstream", self.tunnels.clone());
    }
}

/// Which way bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From a client to an upstream.
    Up,
    /// From an upstream to a client.
    Down,
}

/// An open tunnel, counted until this is dropped.
#[derive(Debug)]
pub struct OpenTunnel(Gauge);

impl Drop for OpenTunnel {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// Counts bytes that were passed on.
    pub fn passed_bytes(&self, upstream: &Arc<str>, way: Way, bytes: u64) {
        let way = match way {
            Way::Up => "up",
            Way::Down => "down",
        };
        let labels = WayLabels { upstream: Name(upstream.clone()), way };
        self.passed.bytes.get_or_create(&labels).inc_by(bytes);
    }

    /// Counts an answer that was passed on; `end` is one of a few words.
    pub fn passed_answer(&self, upstream: &Arc<str>, end: &'static str) {
        self.passed.answers.get_or_create(&EndLabels { upstream: Name(upstream.clone()), end }).inc();
    }

    /// Counts a tunnel.
    #[must_use = "dropping it counts the tunnel as closed"]
    pub fn tunnel(&self, upstream: &Arc<str>) -> OpenTunnel {
        let gauge = self.passed.tunnels.get_or_create(&UpstreamLabels { upstream: Name(upstream.clone()) }).clone();
        gauge.inc();
        OpenTunnel(gauge)
    }
}
