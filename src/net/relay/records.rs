//! The directory's records: which are taken, where copies of them go, and what is fetched for those who ask.
//!
//! Every record is checked before it is stored, whoever brings it, and one address brings no more than its [`Quota`]. A host brings
//! only its own record; the relay that it brings it to gives copies to the relays nearest to the record's place (Kademlia, [`COPIES`]).
//! Other relays bring any record, and no copy of a copy is made. What a client asks for and is not here is searched for among the other
//! relays ([`Searches`]) and kept for [`CACHED`].
//!
//! Whoever shows that it is a relay too (by the protocols that it speaks) gets into the routing table. It is believed about its ports,
//! not about its IP address: that is where it was seen.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use libp2p::{
    Multiaddr, PeerId, identify,
    kad::{self, store::RecordStore},
    multiaddr::Protocol,
    relay,
};
use tokio::{task::JoinSet, time::Instant};

use super::{
    dht::Directory,
    limits::{CACHED, CHECKS, CHECKS_AT_A_TIME, FELLOWS, FELLOWS_PER_ADDRESS},
    metrics::{Metrics, Refusal},
    quota::{Bringer, Quota},
    searches::Searches,
};
use crate::{
    net::{
        address::{self, ip_of, is_circuit},
        behaviour::KAD,
        directory::{self, Places},
    },
    protocol::id::{HostId, PeerKey},
};

/// What is known about records and their bringers; the records themselves are in the [`Directory`].
pub(super) struct Records {
    /// The relays that are connected, and where from.
    fellows: HashMap<PeerId, IpAddr>,
    places: Places,
    quota: Quota,
    searches: Searches,
    /// Slow checks that wait, and those under way.
    waiting: VecDeque<Brought>,
    /// The keys of both.
    checking: HashSet<PeerKey>,
    checks: JoinSet<(Brought, [u8; 32])>,
    metrics: Arc<Metrics>,
}

/// A record on its way in.
pub(super) struct Brought {
    record: kad::Record,
    /// What is in it; its signature holds.
    opened: directory::Record,
    source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// The host itself: others get copies.
    Host,
    /// Another relay gave a copy.
    Relay,
    /// A search of ours found it.
    Search,
}

impl Records {
    pub(super) fn new(most: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            fellows: HashMap::new(),
            places: Places::new(most),
            quota: Quota::default(),
            searches: Searches::default(),
            waiting: VecDeque::new(),
            checking: HashSet::new(),
            checks: JoinSet::new(),
            metrics,
        }
    }

    /// A peer, seen at `ip`, says what it is.
    pub(super) fn on_identified(&mut self, peer: PeerId, ip: IpAddr, info: &identify::Info, kad: &mut Directory) {
        let neighbours = self.fellows.iter().filter(|(fellow, at)| **at == ip && **fellow != peer).count();
        if !is_fellow(info) || self.fellows.len() >= FELLOWS || neighbours >= FELLOWS_PER_ADDRESS {
            return;
        }
        self.fellows.insert(peer, ip);
        for address in info.listen_addrs.iter().filter_map(|address| as_seen(address, ip)) {
            kad.add_address(&peer, address);
        }
    }

    /// A peer is gone.
    pub(super) fn on_gone(&mut self, peer: &PeerId) {
        self.fellows.remove(peer);
    }

    /// A peer, seen at `ip`, brings a record.
    pub(super) fn on_brought(&mut self, peer: PeerId, ip: Option<IpAddr>, record: kad::Record, kad: &mut Directory) {
        let Ok(opened) = directory::open(&record.value, directory::unix_seconds()) else {
            return self.refuse(Refusal::Invalid);
        };
        let own = address::key_of(&peer) == Some(opened.key);
        let (source, bringer) = match own {
            true => (Source::Host, Bringer::Host),
            false if self.fellows.contains_key(&peer) => (Source::Relay, Bringer::Relay),
            false => return self.refuse(Refusal::Foreign),
        };
        let new = self.places.get(&opened.key).is_none();
        if !self.quota.take(ip, bringer, new, Instant::now()) {
            return self.refuse(Refusal::Quota);
        }
        self.check(Brought { record, opened, source }, kad);
    }

    /// A client asked for a key that is not here: searches the other relays for it, where that makes sense.
    pub(super) fn on_missed(&mut self, asker: PeerId, key: kad::RecordKey, kad: &mut Directory) {
        let others = kad.kbuckets().any(|bucket| !bucket.is_empty());
        if others && !self.fellows.contains_key(&asker) && self.searches.is_wanted(asker, &key, Instant::now()) {
            let query = kad.get_record(key.clone());
            self.searches.started(query, asker, key);
        }
    }

    /// A search got an answer.
    pub(super) fn on_found(&mut self, query: kad::QueryId, record: kad::Record, kad: &mut Directory) {
        if let (true, Ok(opened)) = (self.searches.has(query), directory::open(&record.value, directory::unix_seconds())) {
            self.check(Brought { record, opened, source: Source::Search }, kad);
        }
    }

    /// A query is over.
    pub(super) fn on_query_ended(&mut self, query: kad::QueryId) {
        self.searches.ended(query, Instant::now());
    }

    /// The slow check, unless this key was seen before.
    fn check(&mut self, brought: Brought, kad: &mut Directory) {
        match self.places.get(&brought.opened.key) {
            Some(place) => self.store(brought, place, kad),
            // This one comes again.
            None if self.checking.len() >= CHECKS => self.refuse(Refusal::Busy),
            None if self.checking.insert(brought.opened.key) => {
                self.waiting.push_back(brought);
                self.start_checks();
            }
            None => {}
        }
    }

    /// Each takes 19 MiB while it runs.
    fn start_checks(&mut self) {
        while self.checks.len() < CHECKS_AT_A_TIME
            && let Some(brought) = self.waiting.pop_front()
        {
            self.checks.spawn_blocking(move || {
                let place = directory::place(HostId::of(&brought.opened.key));
                (brought, place)
            });
        }
    }

    /// The next record whose slow check is done; `None` when none is under way.
    pub(super) async fn checked(&mut self) -> Option<(Brought, [u8; 32])> {
        loop {
            if let Ok(checked) = self.checks.join_next().await? {
                return Some(checked);
            }
        }
    }

    /// The slow check is done.
    pub(super) fn on_checked(&mut self, (brought, place): (Brought, [u8; 32]), kad: &mut Directory) {
        self.places.insert(brought.opened.key, place);
        self.checking.remove(&brought.opened.key);
        self.start_checks();
        self.store(brought, place, kad);
    }

    /// Stores a record that stands. One that the host brought is passed on.
    fn store(&mut self, Brought { record, opened, source }: Brought, place: [u8; 32], kad: &mut Directory) {
        let mut left = Duration::from_secs(opened.expires.saturating_sub(directory::unix_seconds()));
        if record.key.as_ref() != place || left.is_zero() {
            return self.refuse(Refusal::Invalid);
        }
        let Some(new) = news(kad, &record.key, opened.sequence) else {
            // Searches find the same record at several relays.
            if source != Source::Search {
                self.refuse(Refusal::Old);
            }
            return;
        };
        if source == Source::Search {
            left = left.min(CACHED);
        }
        let record = kad::Record { publisher: None, expires: Some(std::time::Instant::now() + left), ..record };
        if let Err(error) = kad.store_mut().put(record.clone()) {
            tracing::warn!(%error, "the directory is full");
            return self.refuse(Refusal::Full);
        }
        if new {
            self.metrics.records.inc();
        }
        if source == Source::Host
            && let Err(error) = kad.put_record(record, kad::Quorum::One)
        {
            tracing::debug!(%error, "no copies are made");
        }
    }

    /// Takes expired records out.
    pub(super) fn sweep(&self, kad: &mut Directory) {
        let now = std::time::Instant::now();
        let mut left = 0;
        kad.store_mut().retain(|_, record| {
            let stays = !record.is_expired(now);
            left += i64::from(stays);
            stays
        });
        self.metrics.records.set(left);
    }

    fn refuse(&self, why: Refusal) {
        tracing::debug!(why = why.name(), "a record is refused");
        self.metrics.refused(why);
    }
}

/// `None` unless this sequence is newer than what is stored; whether nothing was stored.
fn news(kad: &mut Directory, key: &kad::RecordKey, sequence: u64) -> Option<bool> {
    let Some(stored) = kad.store_mut().get(key) else { return Some(true) };
    let stands = !stored.is_expired(std::time::Instant::now());
    let newer = directory::sequence(&stored.value).is_none_or(|stored| stored < sequence);
    (newer || !stands).then_some(false)
}

/// Whether this is a relay of our kind.
fn is_fellow(info: &identify::Info) -> bool {
    info.protocols.contains(&KAD) && info.protocols.contains(&relay::HOP_PROTOCOL_NAME)
}

/// A listen address of a relay with the IP address at which it is seen.
fn as_seen(address: &Multiaddr, ip: IpAddr) -> Option<Multiaddr> {
    let told = ip_of(address)?;
    (told.is_ipv4() == ip.is_ipv4() && !is_circuit(address)).then(|| {
        let seen = Multiaddr::from(ip);
        address.iter().skip(1).filter(|part| !matches!(part, Protocol::P2p(_))).fold(seen, Multiaddr::with)
    })
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use sha2::{Digest, Sha256};

    use super::{super::swarm, *};

    #[test]
    fn a_relay_is_believed_about_its_ports_and_not_about_its_ip() {
        let seen = |address: &str, ip: &str| as_seen(&address.parse().unwrap(), ip.parse().unwrap()).map(|seen| seen.to_string());
        assert_eq!(seen("/ip4/10.0.0.5/udp/4001/quic-v1", "192.0.2.1"), Some("/ip4/192.0.2.1/udp/4001/quic-v1".into()));
        assert_eq!(seen("/ip6/::1/tcp/4001", "2001:db8::1"), Some("/ip6/2001:db8::1/tcp/4001".into()));
        for other in ["/ip6/::1/tcp/4001", "/dns/example.org/tcp/4001", "/memory/7"] {
            assert_eq!(seen(other, "192.0.2.1"), None);
        }
    }

    /// Resident memory of this process, in bytes.
    fn resident() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    /// `cargo nextest run --no-capture --run-ignored only -E 'test(memory_of_a_record)'`: the figure of `docs/DIRECTORY.md`.
    #[test]
    #[ignore = "a measurement"]
    fn memory_of_a_record() {
        const HOSTS: u32 = 100_000;
        let (relay, now) = (PeerId::random(), directory::unix_seconds());
        let addresses = ["/ip4/192.0.2.1/udp/4001/quic-v1", "/ip4/192.0.2.1/tcp/4001"];
        let addresses = addresses.map(|address| address.parse::<Multiaddr>().unwrap().with_p2p(relay).unwrap());
        let mut kad = swarm::directory(relay, HOSTS as usize);
        let mut records = Records::new(HOSTS as usize, Arc::new(Metrics::new()));
        let (before, mut bytes, mut checks) = (resident(), 0, Duration::ZERO);
        for number in 0..HOSTS {
            let seed: [u8; 32] = Sha256::digest(number.to_be_bytes()).into();
            let value = directory::sign(&SigningKey::from_bytes(&seed), 1, now, &addresses);
            let start = Instant::now();
            let opened = directory::open(&value, now).unwrap();
            checks += start.elapsed();
            bytes += value.len();
            // The real place costs 20 ms of Argon2id; any other takes as much memory.
            let place: [u8; 32] = Sha256::digest(opened.key.0).into();
            let record = kad::Record::new(place.to_vec(), value);
            records.on_checked((Brought { record, opened, source: Source::Relay }, place), &mut kad);
        }
        assert_eq!(kad.store_mut().records().count(), HOSTS as usize);
        let taken = resident() - before;
        println!(
            "{HOSTS} records of {} bytes: {} bytes each in memory, checked in {:?} each",
            bytes / HOSTS as usize,
            taken / HOSTS as usize,
            checks / HOSTS
        );
        assert!(taken < HOSTS as usize * 2048, "a record has outgrown the figures");
    }
}
