//! What a relay counts, as Prometheus reads it. Numbers only: no address, key or ID of anybody.

use std::time::Instant;

use libp2p::relay;
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, info::Info},
    registry::{Registry, Unit},
};

use crate::net::Transport;

/// One label with its value.
type Label = [(&'static str, &'static str); 1];

/// Why a record was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its form, signature, expiry or place is wrong.
    Invalid,
    /// Neither the host itself nor another relay brought it.
    Foreign,
    /// We have it, or a newer one.
    Old,
    /// Too many from one address.
    Quota,
    /// Too many new hosts at once.
    Busy,
    /// No place is left.
    Full,
}

impl Refusal {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Foreign => "foreign",
            Self::Old => "old",
            Self::Quota => "quota",
            Self::Busy => "busy",
            Self::Full => "full",
        }
    }
}

/// The counters; cheap to change from any thread.
pub(super) struct Metrics {
    registry: Registry,
    started: Instant,
    uptime: Gauge,
    reservations: Gauge,
    reservations_denied: Counter,
    circuits: Gauge,
    circuits_opened: Counter,
    circuits_denied: Counter,
    connections: Family<Label, Gauge>,
    pub(super) records: Gauge,
    records_refused: Family<Label, Counter>,
    /// Bytes that came in on streams, and streams that are open.
    pub(super) bytes: Counter,
    pub(super) streams: Gauge,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("rs_relay"),
            started: Instant::now(),
            uptime: Gauge::default(),
            reservations: Gauge::default(),
            reservations_denied: Counter::default(),
            circuits: Gauge::default(),
            circuits_opened: Counter::default(),
            circuits_denied: Counter::default(),
            connections: Family::default(),
            records: Gauge::default(),
            records_refused: Family::default(),
            bytes: Counter::default(),
            streams: Gauge::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("build", "The version", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        registry.register_with_unit("uptime", "Time since the start", Unit::Seconds, self.uptime.clone());
        registry.register("reservations", "Reservations held by hosts", self.reservations.clone());
        registry.register("reservations_denied", "Reservations that were denied", self.reservations_denied.clone());
        registry.register("circuits", "Circuits that are open", self.circuits.clone());
        registry.register("circuits_opened", "Circuits that were opened", self.circuits_opened.clone());
        registry.register("circuits_denied", "Circuits that were denied", self.circuits_denied.clone());
        registry.register("connections", "Connections by transport", self.connections.clone());
        registry.register("records", "Hosts in the directory", self.records.clone());
        registry.register("records_refused", "Records that were not taken, by reason", self.records_refused.clone());
        registry.register("streams", "Streams that are open", self.streams.clone());
        let help = "Bytes received on streams: what circuits carried, and a little of the directory";
        registry.register_with_unit("received", help, Unit::Bytes, self.bytes.clone());
    }

    /// The page.
    pub(super) fn text(&self) -> String {
        self.uptime.set(i64::try_from(self.started.elapsed().as_secs()).unwrap_or(i64::MAX));
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            tracing::error!("the metrics cannot be written");
        }
        text
    }

    pub(super) fn connected(&self, transport: Transport) {
        self.connections.get_or_create(&[("transport", transport.name())]).inc();
    }

    pub(super) fn disconnected(&self, transport: Transport) {
        self.connections.get_or_create(&[("transport", transport.name())]).dec();
    }

    pub(super) fn refused(&self, why: Refusal) {
        self.records_refused.get_or_create(&[("reason", why.name())]).inc();
    }

    pub(super) fn on_relay(&self, event: &relay::Event) {
        match event {
            relay::Event::ReservationReqAccepted { renewed: false, .. } => _ = self.reservations.inc(),
            relay::Event::ReservationClosed { .. } | relay::Event::ReservationTimedOut { .. } => _ = self.reservations.dec(),
            relay::Event::ReservationReqDenied { .. } => _ = self.reservations_denied.inc(),
            relay::Event::CircuitReqAccepted { .. } => {
                self.circuits.inc();
                self.circuits_opened.inc();
            }
            relay::Event::CircuitClosed { .. } => _ = self.circuits.dec(),
            relay::Event::CircuitReqDenied { .. } => _ = self.circuits_denied.inc(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_what_was_counted_and_an_end() {
        let metrics = Metrics::new();
        metrics.connected(Transport::Quic);
        metrics.connected(Transport::Tcp);
        metrics.disconnected(Transport::Tcp);
        metrics.refused(Refusal::Foreign);
        metrics.bytes.inc_by(77);
        let text = metrics.text();
        for line in [
            "rs_relay_connections{transport=\"quic\"} 1",
            "rs_relay_connections{transport=\"tcp\"} 0",
            "rs_relay_records_refused_total{reason=\"foreign\"} 1",
            "rs_relay_received_bytes_total 77",
            concat!("rs_relay_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "# EOF",
        ] {
            assert!(text.lines().any(|have| have == line), "{line} is not in\n{text}");
        }
    }
}
