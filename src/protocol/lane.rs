//! Lanes: every stream of a session is `Noise_NNpsk0` keyed from the session's secret, then carries sealed records.

use rand::{CryptoRng, RngCore};

use super::{
    auth::{Authenticated, SessionId},
    session::Lane,
};

/// The longest record, in bytes: a whole picture of the largest screen fits, barely compressed.
pub const MAX_RECORD: usize = 64 << 20;

/// The lane's stream is broken or was tampered with; close it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the stream is damaged ({0})")]
pub struct LaneError(pub &'static str);

/// The viewer's side of opening a lane.
pub struct LaneInitiator;

impl LaneInitiator {
    /// Starts: the state and the first packet (session and lane in clear, then Noise message 1).
    ///
    /// # Errors
    /// Never with a whole [`Authenticated`].
    pub fn new<R: RngCore + CryptoRng>(_session: &Authenticated, _lane: Lane, _rng: &mut R) -> Result<(Self, Vec<u8>), LaneError> {
        unimplemented!()
    }

    /// Takes the answer.
    ///
    /// # Errors
    /// Not from the session's peer.
    pub fn finish(self, _answer: &[u8]) -> Result<(Sealer, Opener), LaneError> {
        unimplemented!()
    }
}

/// Which session and lane a first packet is for.
///
/// # Errors
/// Not a first packet.
pub fn addressed(_packet: &[u8]) -> Result<(SessionId, Lane), LaneError> {
    unimplemented!()
}

/// The host's side: answers a first packet.
///
/// # Errors
/// Not from the session's peer.
pub fn accept<R: RngCore + CryptoRng>(
    _session: &Authenticated,
    _packet: &[u8],
    _rng: &mut R,
) -> Result<(Vec<u8>, Sealer, Opener), LaneError> {
    unimplemented!()
}

/// Seals records for sending.
pub struct Sealer;

impl Sealer {
    /// Appends the sealed packets of `record` to `out`, ready for the stream (length prefixes included).
    ///
    /// # Errors
    /// Longer than [`MAX_RECORD`].
    pub fn seal(&mut self, _record: &[u8], _out: &mut Vec<u8>) -> Result<(), LaneError> {
        unimplemented!()
    }
}

/// Opens received records.
pub struct Opener;

impl Opener {
    /// Takes one packet (without its length prefix). Returns the record when it is whole.
    ///
    /// # Errors
    /// Tampered with, or longer than [`MAX_RECORD`].
    pub fn open(&mut self, _packet: &[u8]) -> Result<Option<Vec<u8>>, LaneError> {
        unimplemented!()
    }
}

/// Packets on a stream: a big-endian `u16` length, then so many bytes. Handshake messages are packets too.
pub fn write_packet(packet: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(packet.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&packet[..usize::from(length)]);
}
