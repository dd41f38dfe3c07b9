//! A relay on the right protocols that means ill: the directory by hand, so that it can say what Kademlia never would.
//!
//! It runs on a thread of the test. Reservations and circuits are libp2p's own, except where they are part of the [`Harm`].

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{SystemTime, UNIX_EPOCH},
};

use ed25519_dalek::{Signer, SigningKey};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol, SwarmBuilder,
    core::{Endpoint, transport::PortUse, upgrade::ReadyUpgrade},
    identify, identity, noise, ping, relay,
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour, SubstreamProtocol,
        SwarmEvent, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
        behaviour::toggle::Toggle,
        handler::{ConnectionEvent, FullyNegotiatedInbound},
    },
    tcp, yamux,
};
use tokio::runtime::Runtime;

const KAD: StreamProtocol = StreamProtocol::new("/rs/kad/1");

/// What it does to those who use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// Another key's record, under the place of whoever is asked for.
    Forged,
    /// The host's own record, whose time is over.
    Expired,
    /// A valid record of the host from before, with a relay where it is no more.
    Older,
    /// The host's key and a signature that does not hold.
    Unsigned,
    /// A megabyte.
    Huge,
    /// It takes records and says that it has none.
    Nothing,
    /// It never answers, neither about records nor about circuits.
    Stall,
    /// Noise, to both.
    Garbage,
    /// It grants reservations and drops every circuit. About records it is honest.
    RefuseCircuits,
}

/// A running one; gone when dropped.
pub(crate) struct Hostile {
    pub(crate) address: String,
    told: Arc<Told>,
    _runtime: Runtime,
}

/// What it knows, and what it makes of it.
struct Told {
    harm: Harm,
    own: SigningKey,
    /// The host's key: the test signs with it what the host would have signed ten minutes ago.
    host: Mutex<Option<SigningKey>>,
    records: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
}

impl Hostile {
    pub(crate) fn start(harm: Harm) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let own = SigningKey::from_bytes(&rand::random());
        let told = Arc::new(Told { harm, own, host: Mutex::default(), records: Mutex::default() });
        let address = runtime.block_on(serve(&told));
        Self { address: address.to_string(), told, _runtime: runtime }
    }

    /// Has what the host signed, from now on.
    pub(crate) fn knows(&self, host: SigningKey) {
        *self.told.host.lock().unwrap_or_else(PoisonError::into_inner) = Some(host);
    }
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    relay: Toggle<relay::Behaviour>,
    hop: Toggle<Raw>,
    kad: Raw,
}

/// Listens, and leaves a task behind that serves.
async fn serve(told: &Arc<Told>) -> Multiaddr {
    let keypair = identity::Keypair::ed25519_from_bytes(told.own.to_bytes()).expect("32 bytes are a key");
    let raw = |protocol| Raw { protocol, told: Arc::clone(told) };
    let silent = matches!(told.harm, Harm::Stall | Harm::Garbage);
    let circuits = if told.harm == Harm::RefuseCircuits { 0 } else { 16 };
    let config = relay::Config { max_circuits: circuits, ..relay::Config::default() };
    let behaviour = |keypair: &identity::Keypair| Behaviour {
        identify: identify::Behaviour::new(identify::Config::new("/rs/1".to_owned(), keypair.public())),
        ping: ping::Behaviour::default(),
        relay: (!silent).then(|| relay::Behaviour::new(keypair.public().to_peer_id(), config)).into(),
        hop: silent.then(|| raw(relay::HOP_PROTOCOL_NAME)).into(),
        kad: raw(KAD),
    };
    let builder = SwarmBuilder::with_existing_identity(keypair).with_tokio();
    let builder = builder.with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default).expect("TCP");
    let mut swarm = builder.with_behaviour(behaviour).expect("behaviours").build();
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().expect("an address")).expect("it listens");
    let address = loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            break address;
        }
    };
    // Reservations name external addresses.
    swarm.add_external_address(address.clone());
    let address = address.with_p2p(*swarm.local_peer_id()).expect("it names no other peer");
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    address
}

impl Told {
    /// A stream that somebody opened, whichever protocol it is.
    async fn serve(&self, mut stream: Stream) -> io::Result<()> {
        loop {
            let request = read(&mut stream).await?;
            match self.harm {
                Harm::Stall => std::future::pending().await,
                Harm::Garbage => {
                    let noise: Vec<u8> = (0..4096).map(|_| rand::random()).collect();
                    return stream.write_all(&noise).await;
                }
                _ => stream.write_all(&framed(&self.answer(&request))).await?,
            }
            stream.flush().await?;
        }
    }

    /// What it says to a message of Kademlia. Whoever puts a record gets it back as it was, as the protocol wants.
    fn answer(&self, request: &[u8]) -> Vec<u8> {
        let (kind, place) = (number_in(request, TYPE), bytes_in(request, KEY).to_vec());
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        match kind {
            PUT_VALUE => {
                records.insert(place, bytes_in(bytes_in(request, RECORD), VALUE).to_vec());
                request.to_vec()
            }
            GET_VALUE => {
                let head = [number(TYPE, kind), bytes(KEY, &place)].concat();
                let put = records.get(&place).cloned();
                match self.lie(put) {
                    Some(value) => [head, bytes(RECORD, &[bytes(KEY_OF_RECORD, &place), bytes(VALUE, &value)].concat())].concat(),
                    None => head,
                }
            }
            other => number(TYPE, other),
        }
    }

    fn lie(&self, put: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
        let nowhere: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().expect("an address");
        let nobody = identity::Keypair::ed25519_from_bytes([9; 32]).expect("32 bytes are a key").public().to_peer_id();
        let nowhere = nowhere.with_p2p(nobody).expect("it names no other peer");
        let host = self.host.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match self.harm {
            Harm::Forged => Some(sign(&self.own, u64::MAX, now + 600, &nowhere)),
            Harm::Expired => Some(sign(&host?, u64::MAX, now - 1, &nowhere)),
            Harm::Older => Some(sign(&host?, 1, now + 300, &nowhere)),
            Harm::Unsigned => {
                let mut record = sign(&host?, u64::MAX, now + 600, &nowhere);
                record[40] ^= 1;
                Some(record)
            }
            Harm::Huge => Some(vec![7; 1 << 20]),
            Harm::RefuseCircuits => put,
            Harm::Nothing | Harm::Stall | Harm::Garbage => None,
        }
    }
}

/// A record as `docs/PROTOCOL.md` has it.
fn sign(key: &SigningKey, sequence: u64, expires: u64, relay: &Multiaddr) -> Vec<u8> {
    let body = postcard::to_allocvec(&(sequence, expires, vec![relay.to_vec()])).expect("numbers and bytes");
    let signature = key.sign(&[b"rs-directory-v1:", body.as_slice()].concat());
    [key.verifying_key().as_bytes().as_slice(), &signature.to_bytes(), &body].concat()
}

// -- Kademlia's messages: protobuf behind a length

const TYPE: u64 = 1;
const KEY: u64 = 2;
const RECORD: u64 = 3;
const KEY_OF_RECORD: u64 = 1;
const VALUE: u64 = 2;
const PUT_VALUE: u64 = 0;
const GET_VALUE: u64 = 1;

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

fn framed(message: &[u8]) -> Vec<u8> {
    [varint(message.len() as u64), message.to_vec()].concat()
}

async fn read(stream: &mut Stream) -> io::Result<Vec<u8>> {
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] < 0x80 {
            break;
        }
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

/// The fields of a message: their numbers, and what they hold: a number, or bytes.
fn fields(mut message: &[u8]) -> Vec<(u64, u64, &[u8])> {
    fn take(message: &mut &[u8]) -> u64 {
        let end = message.iter().position(|byte| *byte < 0x80).expect("ours is well formed") + 1;
        let (varint, rest) = message.split_at(end);
        *message = rest;
        varint.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f))
    }
    let mut all = Vec::new();
    while !message.is_empty() {
        let (tag, value) = (take(&mut message), take(&mut message));
        let (inside, rest) = message.split_at(if tag & 7 == 2 { value as usize } else { 0 });
        all.push((tag >> 3, value, inside));
        message = rest;
    }
    all
}

fn number_in(message: &[u8], field: u64) -> u64 {
    fields(message).into_iter().find(|(number, ..)| *number == field).map_or(0, |(_, value, _)| value)
}

fn bytes_in(message: &[u8], field: u64) -> &[u8] {
    fields(message).into_iter().find(|(number, ..)| *number == field).map_or(&[], |(.., inside)| inside)
}

// -- streams of one protocol, as they come

/// Hands every stream of its protocol to a task of its own.
struct Raw {
    protocol: StreamProtocol,
    told: Arc<Told>,
}

struct Taking {
    protocol: StreamProtocol,
    told: Arc<Told>,
}

impl NetworkBehaviour for Raw {
    type ConnectionHandler = Taking;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Taking { protocol: self.protocol.clone(), told: Arc::clone(&self.told) })
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Taking { protocol: self.protocol.clone(), told: Arc::clone(&self.told) })
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

impl ConnectionHandler for Taking {
    type FromBehaviour = Infallible;
    type ToBehaviour = Infallible;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(self.protocol.clone()), ())
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Infallible>> {
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>) {
        if let ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: stream, .. }) = event {
            let told = Arc::clone(&self.told);
            // Whoever asked may be gone: that is no matter of a relay.
            tokio::spawn(async move { told.serve(stream).await });
        }
    }
}
