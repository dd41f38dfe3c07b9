//! What carries connections.

// The node's own stack of transports takes it over; until then only its tests use it.
#[cfg_attr(not(test), allow(dead_code))]
pub(super) mod quic;
