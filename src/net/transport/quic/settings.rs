//! The numbers of the QUIC transport, each with its reason.

use std::time::Duration;

/// One handshake: one round trip, two with address validation, and two losses in between.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(5);

/// What a round trip is taken for before it is measured: a first packet that is lost comes again after three of these. Not RFC 9002's
/// 333 ms: the first packet of a hole punch often comes before the peer's NAT is open. To a peer farther than 300 ms one packet goes twice.
pub(super) const FIRST_RTT: Duration = Duration::from_millis(100);

/// Incoming handshakes under way. Each costs a signature and some ten kilobytes, and no one needs more in five seconds than a relay
/// after a restart.
pub(super) const HANDSHAKES: usize = 256;

/// First packets that wait for us to look at them, and the bytes that may follow each and all of them. A handshake's first flight is two
/// packets.
pub(super) const QUEUED_HANDSHAKES: usize = 256;
pub(super) const EARLY_BYTES: u64 = 64 << 10;
pub(super) const EARLY_BYTES_TOTAL: u64 = 4 << 20;

/// Incoming handshakes turned away in one go, before others get their turn.
pub(super) const TURNED_AWAY: usize = 32;

/// Flow control. 400 Mbit/s at 40 ms round trip has 2 MB under way; a window is consumed in half before it is renewed, and a lost packet
/// holds back another round trip: four times that for one stream, so 400 Mbit/s still fit at 160 ms.
/// More would only be queued where nobody reads, and stale by then.
pub(super) const STREAM_WINDOW: u32 = 8 << 20;

/// A connection is wider than one stream: a file transfer that nobody reads leaves 4 MiB to the picture and the input.
pub(super) const CONNECTION_WINDOW: u32 = 12 << 20;

/// What we hold to send again, per connection: no more than the peer takes.
pub(super) const SEND_WINDOW: u64 = 12 << 20;

/// Substreams that a peer may have open at a time, as in the stock transport.
pub(super) const STREAMS: u32 = 256;

/// Socket buffers: 80 ms of 400 Mbit/s. With the system's 208 KB a busy moment of ours loses packets (101 to 120 Mbit/s instead of 522).
pub(super) const SOCKET_BUFFER: usize = 4 << 20;

/// Bytes of a connection ID: nobody meets one by chance.
pub(super) const CONNECTION_ID: usize = 8;

/// From one stateless reset to the next. Each is shorter than what it answers; a relay that was restarted has thousands to send.
pub(super) const RESETS: Duration = Duration::from_millis(1);
