//! The directory as libp2p's Kademlia keeps it, and who asked for what is not here.
//!
//! Kademlia answers a question from its own store, or with relays that are closer. Clients ask only relays that they were told to use,
//! so a relay has to look further on their behalf ([`super::searches`]). For that it must know who asked for which missing key;
//! libp2p's events do not tell. So its store notes what it could not find, and this wrapper adds who asked.

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::VecDeque,
    ops::{Deref, DerefMut},
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    kad::{
        self, ProviderRecord, Record, RecordKey,
        store::{MemoryStore, RecordStore, Result},
    },
    swarm::{ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm},
};

/// Questions kept for [`Directory::next_missed`]; the loop takes them after every event.
const MAX_MISSED: usize = 64;

type Inner = kad::Behaviour<Store>;

/// See the module.
pub(super) struct Directory {
    inner: Inner,
    missed: VecDeque<(PeerId, RecordKey)>,
}

impl Directory {
    pub(super) fn new(local: PeerId, store: MemoryStore, config: kad::Config) -> Self {
        let mut inner = kad::Behaviour::with_config(local, Store { inner: store, missed: RefCell::default() }, config);
        inner.set_mode(Some(kad::Mode::Server));
        Self { inner, missed: VecDeque::new() }
    }

    /// Who asked for a key that is not here.
    pub(super) fn next_missed(&mut self) -> Option<(PeerId, RecordKey)> {
        self.missed.pop_front()
    }
}

impl Deref for Directory {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl DerefMut for Directory {
    fn deref_mut(&mut self) -> &mut Inner {
        &mut self.inner
    }
}

/// A store that remembers the last key it did not have.
pub(super) struct Store {
    inner: MemoryStore,
    missed: RefCell<Option<RecordKey>>,
}

impl Store {
    /// Keeps the records that `stays` holds for.
    pub(super) fn retain(&mut self, stays: impl FnMut(&RecordKey, &mut Record) -> bool) {
        self.inner.retain(stays);
    }
}

impl RecordStore for Store {
    type RecordsIter<'a> = <MemoryStore as RecordStore>::RecordsIter<'a>;
    type ProvidedIter<'a> = <MemoryStore as RecordStore>::ProvidedIter<'a>;

    fn get(&self, key: &RecordKey) -> Option<Cow<'_, Record>> {
        let found = self.inner.get(key);
        self.missed.replace(found.is_none().then(|| key.clone()));
        found
    }

    fn put(&mut self, record: Record) -> Result<()> {
        self.inner.put(record)
    }

    fn remove(&mut self, key: &RecordKey) {
        self.inner.remove(key);
    }

    fn records(&self) -> Self::RecordsIter<'_> {
        self.inner.records()
    }

    fn add_provider(&mut self, record: ProviderRecord) -> Result<()> {
        self.inner.add_provider(record)
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        self.inner.providers(key)
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        self.inner.provided()
    }

    fn remove_provider(&mut self, key: &RecordKey, provider: &PeerId) {
        self.inner.remove_provider(key, provider);
    }
}

impl NetworkBehaviour for Directory {
    type ConnectionHandler = <Inner as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = kad::Event;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> std::result::Result<(), ConnectionDenied> {
        self.inner.handle_pending_inbound_connection(connection, local, remote)
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> std::result::Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> std::result::Result<Vec<Multiaddr>, ConnectionDenied> {
        self.inner.handle_pending_outbound_connection(connection, peer, addresses, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> std::result::Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_outbound_connection(connection, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        self.inner.store_mut().missed.take();
        self.inner.on_connection_handler_event(peer, connection, event);
        if let Some(key) = self.inner.store_mut().missed.take()
            && self.missed.len() < MAX_MISSED
        {
            self.missed.push_back((peer, key));
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<kad::Event, THandlerInEvent<Self>>> {
        self.inner.poll(cx)
    }
}
