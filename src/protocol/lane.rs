//! Lanes: every stream of a session is `Noise_NNpsk0` keyed from the session's secret, then carries sealed records.
//!
//! ```text
//! stream        packet*                           packet = length (u16, big-endian) ‖ that many bytes
//! first packet  session id (16) ‖ lane (1) ‖ Noise message 1 (48)                    viewer → host
//! answer        Noise message 2 (48)                                                 host → viewer
//! then          ChaCha20-Poly1305(more (1) ‖ part of a record), both ways            more: 0 = more parts follow, 1 = the last one
//! ```
//!
//! Rules:
//! - `Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s`, psk = HKDF-SHA256(session secret, info "rs-lane-v1"), prologue = "rs-lane/1" ‖ session id
//!   ‖ lane byte. So a lane belongs to one session and one purpose, whatever connection carries it, and has keys of its own.
//! - The nonce is the number of packets before in this direction, so a packet lost, repeated or moved is noticed.
//! - Every part but the last is as long as it can be: a record has one way to be cut.
//! - A record grows with what came in, never on the peer's word, and never beyond its lane's [`Lane::limit`].
//! - The first packet can be replayed by somebody who recorded it; what they cannot do is make or read anything after it. So a
//!   host counts a lane as proved by the first record that opens.

use std::sync::Arc;

use rand::{CryptoRng, RngCore};
use snow::{Builder, HandshakeState, StatelessTransportState};
use zeroize::Zeroizing;

use super::auth::{Authenticated, Role, SessionId, builder, read, write};

/// A stream of records with its own rules of delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Lane {
    /// Numbered, acknowledged, replayed.
    Control = 0,
    /// The picture.
    Video = 1,
    /// Files.
    Bulk = 2,
}

impl Lane {
    /// All of them, by number: a path has one of each.
    pub const ALL: [Self; 3] = [Self::Control, Self::Video, Self::Bulk];

    /// The longest record that a peer may send in it, in bytes.
    #[must_use]
    pub fn limit(self) -> usize {
        match self {
            Self::Control => MAX_CONTROL,
            Self::Video => MAX_RECORD,
            Self::Bulk => MAX_BULK,
        }
    }
}

/// The longest record, in bytes: a whole 4K picture that does not compress at all fits twice.
pub const MAX_RECORD: usize = 64 << 20;
/// The longest record in the control lane: a cursor of the largest size fits.
pub const MAX_CONTROL: usize = 512 << 10;
/// The longest record in the bulk lane: it takes a quarter of a second of the slowest link that anybody would send a file through.
pub const MAX_BULK: usize = 32 << 10;

const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";
/// Session and lane.
const ADDRESS: usize = 16 + 1;
const TAG: usize = 16;
/// The longest packet: Noise's limit, and what its length prefix can say.
const MAX_PACKET: usize = 65_535;
/// The longest part of a record in one packet.
const MAX_PART: usize = MAX_PACKET - TAG - 1;
const MORE: u8 = 0;
const LAST: u8 = 1;

/// The lane's stream is broken or was tampered with; close it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the stream is damaged ({0})")]
pub struct LaneError(pub &'static str);

const FOREIGN: LaneError = LaneError("not opened by the session's peer");

/// The viewer's side of opening a lane.
pub struct LaneInitiator(HandshakeState, Lane);

impl LaneInitiator {
    /// Starts: the state and the first packet (session and lane in clear, then Noise message 1).
    ///
    /// # Errors
    /// Never with a whole [`Authenticated`].
    pub fn new<R: RngCore + CryptoRng>(session: &Authenticated, lane: Lane, rng: &mut R) -> Result<(Self, Vec<u8>), LaneError> {
        let address = address(session.session, lane);
        let mut noise = noise(session, &address, Role::Initiator, rng)?;
        let message = write(&mut noise, &[]).map_err(|_| FOREIGN)?;
        Ok((Self(noise, lane), [&address[..], &message].concat()))
    }

    /// Takes the answer.
    ///
    /// # Errors
    /// Not from the session's peer.
    pub fn finish(mut self, answer: &[u8]) -> Result<(Sealer, Opener), LaneError> {
        expect_empty(&mut self.0, answer)?;
        halves(self.0, self.1)
    }
}

/// Which session and lane a first packet is for.
///
/// # Errors
/// Not a first packet.
pub fn addressed(packet: &[u8]) -> Result<(SessionId, Lane), LaneError> {
    let (address, _) = packet.split_first_chunk::<ADDRESS>().ok_or(LaneError("not the beginning of a lane"))?;
    let [session @ .., lane] = address;
    let lane = *Lane::ALL.get(usize::from(*lane)).ok_or(LaneError("an unknown lane"))?;
    Ok((SessionId(*session), lane))
}

/// The host's side: answers a first packet.
///
/// # Errors
/// Not from the session's peer.
pub fn accept<R: RngCore + CryptoRng>(
    session: &Authenticated,
    packet: &[u8],
    rng: &mut R,
) -> Result<(Vec<u8>, Sealer, Opener), LaneError> {
    let (id, lane) = addressed(packet)?;
    if id != session.session {
        return Err(LaneError("of another session"));
    }
    let mut noise = noise(session, &address(id, lane), Role::Responder, rng)?;
    expect_empty(&mut noise, &packet[ADDRESS..])?;
    let answer = write(&mut noise, &[]).map_err(|_| FOREIGN)?;
    let (sealer, opener) = halves(noise, lane)?;
    Ok((answer, sealer, opener))
}

/// Seals records for sending.
pub struct Sealer {
    noise: Arc<StatelessTransportState>,
    /// Packets sealed so far: the next nonce.
    counter: u64,
    /// The plaintext of one packet: the flag must stand right before its part.
    plain: Zeroizing<Vec<u8>>,
}

impl Sealer {
    /// Appends the sealed packets of `record` to `out`, ready for the stream (length prefixes included).
    ///
    /// # Errors
    /// Longer than [`MAX_RECORD`].
    pub fn seal(&mut self, record: &[u8], out: &mut Vec<u8>) -> Result<(), LaneError> {
        if record.len() > MAX_RECORD {
            return Err(LaneError("a record that is too long"));
        }
        let packets = record.len().div_ceil(MAX_PART).max(1);
        out.reserve(record.len() + packets * (2 + 1 + TAG));
        let mut rest = record;
        loop {
            let (part, after) = rest.split_at(rest.len().min(MAX_PART));
            rest = after;
            self.seal_part(if rest.is_empty() { LAST } else { MORE }, part, out)?;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    fn seal_part(&mut self, flag: u8, part: &[u8], out: &mut Vec<u8>) -> Result<(), LaneError> {
        self.plain.clear();
        self.plain.push(flag);
        self.plain.extend_from_slice(part);
        let sealed = self.plain.len() + TAG;
        out.extend_from_slice(&u16::try_from(sealed).map_err(|_| LaneError("a packet that is too long"))?.to_be_bytes());
        let start = out.len();
        out.resize(start + sealed, 0);
        self.noise.write_message(self.counter, &self.plain, &mut out[start..]).map_err(|_| LaneError("used up"))?;
        self.counter += 1;
        Ok(())
    }
}

/// Opens received records.
pub struct Opener {
    noise: Arc<StatelessTransportState>,
    /// Packets opened so far: the next nonce.
    counter: u64,
    /// The plaintext of one packet.
    plain: Zeroizing<Vec<u8>>,
    /// The parts so far.
    record: Vec<u8>,
    /// The longest record.
    limit: usize,
    broken: bool,
}

impl Opener {
    /// Takes one packet (without its length prefix). Returns the record when it is whole. After an error only errors follow.
    ///
    /// # Errors
    /// Tampered with, or longer than the lane's limit.
    pub fn open(&mut self, packet: &[u8]) -> Result<Option<Vec<u8>>, LaneError> {
        if self.broken {
            return Err(LaneError("after an error"));
        }
        let opened = self.open_part(packet);
        if opened.is_err() {
            self.broken = true;
            self.record = Vec::new();
        }
        opened
    }

    fn open_part(&mut self, packet: &[u8]) -> Result<Option<Vec<u8>>, LaneError> {
        let length = self
            .noise
            .read_message(self.counter, packet, &mut self.plain)
            .map_err(|_| LaneError("a packet that was tampered with"))?;
        self.counter += 1;
        let (flag, part) = self.plain[..length].split_first().ok_or(LaneError("an empty packet"))?;
        if self.record.len() + part.len() > self.limit {
            return Err(LaneError("a record that is too long"));
        }
        self.record.extend_from_slice(part);
        match *flag {
            LAST => Ok(Some(std::mem::take(&mut self.record))),
            MORE if part.len() == MAX_PART => Ok(None),
            _ => Err(LaneError("a packet that is not of this protocol")),
        }
    }
}

/// Packets on a stream: a big-endian `u16` length, then so many bytes. Handshake messages are packets too.
pub fn write_packet(packet: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(packet.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&packet[..usize::from(length)]);
}

fn address(session: SessionId, lane: Lane) -> [u8; ADDRESS] {
    let mut address = [lane as u8; ADDRESS];
    address[..16].copy_from_slice(&session.0);
    address
}

fn noise<R: RngCore + CryptoRng>(
    session: &Authenticated,
    address: &[u8; ADDRESS],
    role: Role,
    rng: &mut R,
) -> Result<HandshakeState, LaneError> {
    let prologue = [b"rs-lane/1", &address[..]].concat();
    let key = session.lane_key();
    let build = if role == Role::Initiator { Builder::build_initiator } else { Builder::build_responder };
    builder(PATTERN, &prologue, rng).and_then(|builder| build(builder.psk(0, &key)?)).map_err(|_| LaneError("no cipher"))
}

fn expect_empty(noise: &mut HandshakeState, message: &[u8]) -> Result<(), LaneError> {
    if read(noise, message).map_err(|_| FOREIGN)?.is_empty() { Ok(()) } else { Err(FOREIGN) }
}

fn halves(noise: HandshakeState, lane: Lane) -> Result<(Sealer, Opener), LaneError> {
    let noise = Arc::new(noise.into_stateless_transport_mode().map_err(|_| FOREIGN)?);
    let sealer = Sealer { noise: Arc::clone(&noise), counter: 0, plain: Zeroizing::new(Vec::with_capacity(MAX_PART + 1)) };
    let plain = Zeroizing::new(vec![0; MAX_PART + 1]);
    let opener = Opener { noise, counter: 0, plain, record: Vec::new(), limit: lane.limit(), broken: false };
    Ok((sealer, opener))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use data_encoding::HEXLOWER;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::protocol::auth::testing::{SeededRng, session};

    /// One session for all lanes of a test: a session costs an Argon2id.
    static SESSION: LazyLock<(Authenticated, Authenticated)> = LazyLock::new(|| session(1));

    /// A lane: the viewer's halves, the host's.
    fn lane() -> ((Sealer, Opener), (Sealer, Opener)) {
        let (viewer, host) = &*SESSION;
        let mut rng = SeededRng::new(2);
        let (initiator, first) = LaneInitiator::new(viewer, Lane::Video, &mut rng).unwrap();
        assert_eq!(addressed(&first), Ok((viewer.session, Lane::Video)));
        let (answer, sealer, opener) = accept(host, &first, &mut rng).unwrap();
        assert_eq!((first.len(), answer.len()), (65, 48));
        let Ok(viewer) = initiator.finish(&answer) else { panic!("the answer is the host's") };
        (viewer, (sealer, opener))
    }

    /// Cuts a stream into packets.
    fn packets(mut stream: &[u8]) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        while let Some((length, rest)) = stream.split_first_chunk::<2>() {
            let (packet, rest) = rest.split_at(u16::from_be_bytes(*length).into());
            packets.push(packet.to_vec());
            stream = rest;
        }
        packets
    }

    fn sealed(sealer: &mut Sealer, record: &[u8]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        sealer.seal(record, &mut out).unwrap();
        packets(&out)
    }

    fn opened(opener: &mut Opener, packets: &[Vec<u8>]) -> Result<Option<Vec<u8>>, LaneError> {
        packets.iter().try_fold(None, |before, packet| {
            assert_eq!(before, None, "whole only at the last packet");
            opener.open(packet)
        })
    }

    #[test]
    fn records_of_every_critical_length_round_trip_both_ways() {
        let ((mut to_host, mut from_host), (mut to_viewer, mut from_viewer)) = lane();
        for length in [0, 1, MAX_PART - 1, MAX_PART, MAX_PART + 1, 2 * MAX_PART, 2 * MAX_PART + 1, 200_000] {
            let record: Vec<u8> = (0..length).map(|place| (place * 7 % 251) as u8).collect();
            let up = sealed(&mut to_host, &record);
            assert_eq!(up.len(), length.div_ceil(MAX_PART).max(1));
            assert!(up.iter().all(|packet| packet.len() <= MAX_PACKET));
            assert_eq!(opened(&mut from_viewer, &up), Ok(Some(record.clone())));
            assert_eq!(opened(&mut from_host, &sealed(&mut to_viewer, &record)), Ok(Some(record)));
        }
    }

    /// A change here is a change of the wire: raise the version.
    #[test]
    fn the_packets_are_frozen() {
        let (viewer, host) = session(1);
        let mut rng = SeededRng::new(2);
        let (_, first) = LaneInitiator::new(&viewer, Lane::Control, &mut rng).unwrap();
        let (answer, mut sealer, _) = accept(&host, &first, &mut rng).unwrap();
        let mut stream = Vec::new();
        sealer.seal(b"record", &mut stream).unwrap();
        assert_eq!(first[..ADDRESS], [&host.session.0[..], &[0]].concat());
        let hash = Sha256::digest([first, answer, stream].concat());
        assert_eq!(HEXLOWER.encode(&hash[..8]), "c4bb9b1e50557679");
    }

    #[test]
    fn seal_appends() {
        let ((mut sealer, _), (_, mut opener)) = lane();
        let mut out = Vec::new();
        sealer.seal(b"one", &mut out).unwrap();
        sealer.seal(b"two", &mut out).unwrap();
        let records: Vec<_> = packets(&out).iter().map(|packet| opener.open(packet).unwrap().unwrap()).collect();
        assert_eq!(records, [b"one", b"two"]);
    }

    #[test]
    fn a_packet_changed_lost_repeated_or_moved_breaks_the_lane_for_good() {
        type Damage = fn(&mut Vec<Vec<u8>>);
        let damages: [Damage; 6] = [
            |packets| packets[1][5] ^= 1,
            |packets| drop(packets.remove(0)),
            |packets| packets.insert(0, packets[0].clone()),
            |packets| packets.swap(0, 1),
            |packets| packets[0].truncate(26),
            |packets| packets[0].clear(),
        ];
        for damage in damages {
            let ((mut sealer, _), (_, mut opener)) = lane();
            let mut stream: Vec<_> = (0..3).flat_map(|number| sealed(&mut sealer, &[number; 10])).collect();
            damage(&mut stream);
            assert!(stream.iter().map(|packet| opener.open(packet)).any(|opened| opened.is_err()));
            assert!(opener.open(&sealed(&mut sealer, b"later")[0]).is_err());
        }
    }

    #[test]
    fn a_record_is_bounded_on_both_sides_and_holds_no_more_than_came_in() {
        let ((mut sealer, _), (_, mut opener)) = lane();
        assert!(sealer.seal(&vec![0; MAX_RECORD + 1], &mut Vec::new()).is_err());
        let part = vec![0; MAX_PART];
        let mut out = Vec::new();
        for _ in 0..MAX_RECORD / MAX_PART {
            out.clear();
            sealer.seal_part(MORE, &part, &mut out).unwrap();
            assert_eq!(opener.open(&out[2..]), Ok(None));
            assert!(opener.record.capacity() <= 2 * opener.record.len());
        }
        out.clear();
        sealer.seal_part(MORE, &part, &mut out).unwrap();
        assert_eq!(opener.open(&out[2..]), Err(LaneError("a record that is too long")));
        assert_eq!(opener.record.capacity(), 0);
    }

    #[test]
    fn packets_that_keep_a_record_open_for_nothing_are_refused() {
        for (flag, part) in [(MORE, &b""[..]), (MORE, b"short"), (2, b"flag")] {
            let ((mut sealer, _), (_, mut opener)) = lane();
            let mut out = Vec::new();
            sealer.seal_part(flag, part, &mut out).unwrap();
            assert!(opener.open(&out[2..]).is_err());
        }
    }

    #[test]
    fn only_the_sessions_peer_opens_a_lane_and_only_the_lane_it_names() {
        let ((viewer, host), (stranger, _)) = (session(1), session(5));
        let mut rng = SeededRng::new(2);
        let (_, mut first) = LaneInitiator::new(&stranger, Lane::Control, &mut rng).unwrap();
        assert_eq!(accept(&host, &first, &mut rng).err(), Some(LaneError("of another session")));
        first[..16].copy_from_slice(&host.session.0);
        assert_eq!(accept(&host, &first, &mut rng).err(), Some(FOREIGN));
        let (_, first) = LaneInitiator::new(&viewer, Lane::Control, &mut rng).unwrap();
        for (place, bit) in (0..first.len()).flat_map(|place| (0..8).map(move |bit| (place, bit))) {
            let mut flipped = first.clone();
            flipped[place] ^= 1 << bit;
            // The highest bit of a Noise key is outside of the curve point, but inside of the handshake hash.
            assert!(accept(&host, &flipped, &mut rng).is_err(), "bit {bit} of byte {place}");
        }
        for length in 0..first.len() {
            assert!(accept(&host, &first[..length], &mut rng).is_err());
        }
        assert!(addressed(&[&first[..16], &[3]].concat()).is_err());
    }

    #[test]
    fn an_answer_that_is_not_the_hosts_is_refused() {
        let (viewer, host) = session(1);
        let mut rng = SeededRng::new(2);
        let (_, other) = LaneInitiator::new(&viewer, Lane::Control, &mut rng).unwrap();
        let (answer, ..) = accept(&host, &other, &mut rng).unwrap();
        for wrong in [&answer[..], &[], &[0; 48], &answer[..47]] {
            let (initiator, _) = LaneInitiator::new(&viewer, Lane::Control, &mut rng).unwrap();
            assert_eq!(initiator.finish(wrong).err(), Some(FOREIGN));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_records_round_trip_in_order(lengths in prop::collection::vec(prop_oneof![0..100_usize, 65_510..65_530_usize, 0..200_000_usize], 1..6)) {
            let ((mut sealer, _), (_, mut opener)) = lane();
            for (number, length) in lengths.into_iter().enumerate() {
                let record = vec![number as u8; length];
                prop_assert_eq!(opened(&mut opener, &sealed(&mut sealer, &record)), Ok(Some(record)));
            }
        }
    }
}
