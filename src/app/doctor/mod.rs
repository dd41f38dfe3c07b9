//! `rs doctor`: what stands between this machine and a direct connection, and with an ID, what becomes of every way to that host.
//!
//! | module | does |
//! |---|---|
//! | [`checks`] | looks at names, multicast, IPv6 and the screen |
//! | [`facts`] | what was found out |
//! | [`findings`] | what it means: verdicts, words, advice |
//! | [`trial`] | the pairs of addresses that were tried with the host, and the verdict |
//! | [`report`] | tells it, to people and to scripts |
//!
//! A node is started as a viewer would start one, with an identity made for this one run: nobody can tell it from any other stranger, and
//! a host that runs here keeps its connections. All checks run side by side for at most [`MOST`]. With an ID the host is then looked for
//! as `rs connect` does, for at most [`FIND`], and the path is watched for [`WATCH`], which is time enough for a hole punch. Nobody is
//! authenticated and no stream to the host is opened.

mod checks;
mod facts;
mod findings;
mod report;
mod trial;

use std::{collections::BTreeSet, time::Duration};

use ed25519_dalek::SigningKey;
use futures::future::join_all;
use libp2p::Multiaddr;
use rand::rngs::OsRng;
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until, timeout_at},
};

use self::{
    facts::{Desktop, Facts, Lan, Port, Relay},
    findings::{Expect, Finding, Topic, Verdict, finding},
    report::Report,
    trial::{Ours, Trial},
};
use super::{
    Failure, relays,
    viewer::{
        self,
        connect::{Network, Wanted},
    },
};
use crate::{
    cli::{DoctorArgs, ExitCode},
    desktop::capture::Options,
    net::{
        self, Event, Listing, Node, QUEUE, Transport,
        address::{self, transport_of},
        nat::Mapping,
        trace::Trace,
    },
    protocol::{id::PeerKey, session::path::PathKind},
    store::Store,
};

/// How long the checks run: what others announce by themselves takes this long to be heard, ...
const LEAST: Duration = Duration::from_secs(4);
/// ... where nothing is announced, this long, ...
const LEAST_ALONE: Duration = Duration::from_secs(1);
/// ... and what has not answered by then does not answer.
const MOST: Duration = Duration::from_secs(6);
/// How long a host is looked for.
const FIND: Duration = Duration::from_secs(10);
/// How long a relayed path may take to become a direct one, and how long it is followed when it did.
const WATCH: Duration = Duration::from_secs(6);
const AFTER: Duration = Duration::from_millis(500);
/// News of addresses that may wait; more is lost.
const NEWS: usize = 4096;

/// Looks around, tells, and ends.
///
/// # Errors
/// Nothing can be reached (exit code 3), or the node cannot be started.
pub async fn run(args: DoctorArgs) -> Result<(), Failure> {
    let report = Report::new(args.json);
    let store = Store::open()?;
    let config = store.config()?;
    let sought = args.target.as_ref().map(|target| viewer::wanted(target, !args.net.no_lan, &store)).transpose()?;
    let (wanted, from_link) = sought.map_or((None, Vec::new()), |(wanted, relays)| (Some(wanted), relays));
    let relays = relays::gather(&args.net.relay, &config, &from_link, &store)?;

    let (reader, news) = mpsc::channel(NEWS);
    let node_config = net::node::Config {
        identity: SigningKey::generate(&mut OsRng),
        part: net::node::Part::Viewer,
        listen: args.net.listen.clone(),
        lan: !args.net.no_lan,
        port_mapping: !args.net.no_port_mapping,
        trace: Some(reader),
    };
    let (node, events) = net::node::start(node_config).await.map_err(|error| Failure::other(format!("{error:#}")))?;
    report.progress("Looking at relays, router, local network, clock and screen (a few seconds) ...\n");
    let mut survey = Survey::start(node.clone(), news, events, &relays, wanted.as_ref()).await?;
    survey.look_around(&args, &store).await;
    let facts = survey.facts(&args).await;
    findings::all(&facts).iter().for_each(|finding| report.finding(finding));
    let expect = Expect::of(&facts);

    let result = match wanted {
        Some(wanted) => {
            report.progress(&format!("\nLooking for {} ...\n", wanted.id));
            survey.listed().into_iter().for_each(|finding| report.finding(&finding));
            let network = survey.network(relays, store);
            survey.trace(network, &wanted, &facts, report, expect).await
        }
        None => {
            let reachable = facts.any_relay();
            report.done(expect, reachable, None);
            let nothing = "no relay can be reached from here; name one that runs with --relay";
            if reachable { Ok(()) } else { Err(Failure::new(ExitCode::Unreachable, nothing)) }
        }
    };
    node.stop().await;
    result
}

/// What one of the checks came to.
enum Checked {
    Clock(PeerKey, Option<i64>),
    Mapping(Option<Mapping>),
    Desktop(Desktop),
    Listed(Vec<Listing>),
    /// A dial that the trace tells of.
    Dialled,
}

/// The running checks, and what they found so far.
struct Survey {
    node: Node,
    news: mpsc::Receiver<Trace>,
    events: mpsc::Receiver<Event>,
    /// What was heard and not yet passed on: the search for a host must hear it too.
    heard: Vec<Event>,
    checks: JoinSet<Checked>,
    /// In the order of the relays in use.
    relays: Vec<Relay>,
    given: Vec<Vec<Multiaddr>>,
    ours: Ours,
    others: BTreeSet<PeerKey>,
    ports: BTreeSet<Multiaddr>,
    mapping: Option<Mapping>,
    asked_for_mapping: bool,
    desktop: Option<Desktop>,
    listings: Option<Vec<Listing>>,
    trial: Trial,
}

impl Survey {
    /// Has every relay dialled, each address by each family, and what can be asked at once asked.
    async fn start(
        node: Node,
        news: mpsc::Receiver<Trace>,
        events: mpsc::Receiver<Event>,
        relays: &relays::Relays,
        wanted: Option<&Wanted>,
    ) -> Result<Self, Failure> {
        let addresses = relays.addresses();
        let given: Vec<_> = addresses.iter().map(|relay| relay.addresses.clone()).collect();
        let resolved = join_all(given.iter().map(|given| checks::by_family(given))).await;
        let mut checks = JoinSet::new();
        for (relay, resolved) in addresses.iter().zip(&resolved) {
            node.use_relay(relay.clone()).await?;
            // The node dials by itself what it needs; the rest is dialled for the sake of knowing.
            let more = resolved.iter().filter(|at| transport_of(at) == Transport::Websocket || !relay.addresses.contains(at));
            for address in more.cloned() {
                let (node, key) = (node.clone(), relay.key);
                checks.spawn(async move {
                    let _ = node.dial(key, vec![address]).await;
                    Checked::Dialled
                });
            }
        }
        if let (Some(id), false) = (wanted.map(|wanted| wanted.id), relays.is_empty()) {
            let node = node.clone();
            checks.spawn(async move { Checked::Listed(node.look_up(id).await.unwrap_or_default()) });
        }
        let entries = addresses.iter().zip(resolved).map(|(relay, resolved)| Relay::new(relays.name(relay), relay.key, resolved));
        Ok(Self {
            relays: entries.collect(),
            node,
            news,
            events,
            heard: Vec::new(),
            checks,
            given,
            ours: Ours::default(),
            others: BTreeSet::new(),
            ports: BTreeSet::new(),
            mapping: None,
            asked_for_mapping: false,
            desktop: None,
            listings: None,
            trial: Trial::default(),
        })
    }

    /// Runs until every check is over, or [`MOST`].
    async fn look_around(&mut self, args: &DoctorArgs, store: &Store) {
        let alone = args.net.no_lan && args.net.no_port_mapping;
        let begun = Instant::now();
        let (least, most) = (begun + if alone { LEAST_ALONE } else { LEAST }, begun + MOST);
        let options = Options { backend: args.capture, ..Options::default() };
        let store = store.clone();
        self.checks.spawn(async move { Checked::Desktop(checks::desktop(store, options).await) });
        loop {
            let settled = self.checks.is_empty() && self.relays.iter().all(Relay::is_settled);
            let end = if settled { least } else { most };
            tokio::select! {
                Some(event) = self.events.recv() => self.hear(event),
                Some(news) = self.news.recv() => self.on_news(news),
                Some(checked) = self.checks.join_next() => self.on_checked(checked.unwrap_or(Checked::Dialled)),
                () = sleep_until(end) => return,
            }
        }
    }

    fn hear(&mut self, event: Event) {
        match &event {
            Event::Listening(address) => self.ours.listening.push(address::split(address).1),
            Event::Discovered { key, .. } => drop(self.others.insert(*key)),
            Event::RelayChanged(relay) => {
                if let Some(relay) = self.relay(&relay.addresses) {
                    relay.changed = true;
                }
            }
            Event::RelayUp { relay, key } => self.on_relay_up(&relay.addresses, *key),
            _ => {}
        }
        if self.heard.len() < NEWS {
            self.heard.push(event);
        }
    }

    fn on_relay_up(&mut self, given: &[Multiaddr], key: PeerKey) {
        if let Some(relay) = self.relay(given) {
            relay.key = Some(key);
        }
        let node = self.node.clone();
        self.checks.spawn(async move { Checked::Clock(key, node.clock(key).await.ok().map(|reading| reading.ahead_ms)) });
        if !std::mem::replace(&mut self.asked_for_mapping, true) {
            let node = self.node.clone();
            self.checks.spawn(async move { Checked::Mapping(node.mapping().await.ok()) });
        }
    }

    fn relay(&mut self, given: &[Multiaddr]) -> Option<&mut Relay> {
        let place = self.given.iter().position(|known| known == given)?;
        self.relays.get_mut(place)
    }

    fn on_news(&mut self, news: Trace) {
        match news {
            Trace::Tried(tried) => {
                self.relays.iter_mut().for_each(|relay| relay.note(&tried));
                self.trial.note(tried);
            }
            Trace::Seen(address) if !self.ours.seen.contains(&address) => self.ours.seen.push(address),
            Trace::Seen(_) => {}
            Trace::Mapped(address) => drop(self.ports.insert(address)),
        }
    }

    fn on_checked(&mut self, checked: Checked) {
        match checked {
            Checked::Clock(key, ahead) => {
                self.relays.iter_mut().filter(|relay| relay.key == Some(key)).for_each(|relay| relay.clock_ahead_ms = ahead);
            }
            Checked::Mapping(mapping) => self.mapping = mapping,
            Checked::Desktop(desktop) => self.desktop = Some(desktop),
            Checked::Listed(listings) => self.listings = Some(listings),
            Checked::Dialled => {}
        }
    }

    async fn facts(&self, args: &DoctorArgs) -> Facts {
        Facts {
            relays: self.relays.clone(),
            mapping: self.mapping.clone(),
            port: match args.net.no_port_mapping {
                true => Port::Off,
                false if self.ports.is_empty() => Port::None,
                false => Port::Open { addresses: self.ports.clone() },
            },
            lan: match args.net.no_lan {
                true => Lan::Off,
                false => checks::lan(&self.ours.listening, self.others.len()).await,
            },
            ipv6: checks::ipv6(),
            desktop: self.desktop.clone().unwrap_or(Desktop::Missing { reason: "it does not answer".to_owned() }),
        }
    }

    /// What the directory says of the host; nothing where there is no relay to ask.
    fn listed(&self) -> Option<Finding> {
        let listings = self.listings.as_ref()?;
        let relays: Vec<String> = listings.iter().flat_map(|listing| &listing.relays).map(ToString::to_string).collect();
        let facts = json!({ "relays": relays });
        Some(match relays.len() {
            0 => {
                let advice = "check the ID, that rs host runs there, and that both use the same relay or joined ones";
                finding(Topic::Directory, Verdict::Bad, "no relay knows this ID now", Some(advice), facts)
            }
            _ => {
                let machines: BTreeSet<&str> = relays.iter().filter_map(|relay| relay.split('/').nth(2)).collect();
                let machines: Vec<&str> = machines.into_iter().collect();
                let text = format!("the host is listed, at the relay {}", machines.join(", and at "));
                finding(Topic::Directory, Verdict::Good, text, None, facts)
            }
        })
    }

    /// The network as the search for a host needs it: it hears again what was heard here.
    fn network(&mut self, relays: relays::Relays, store: Store) -> Network {
        let known: Vec<_> = self.relays.iter().filter_map(|relay| relay.key).collect();
        let (again, events) = mpsc::channel(NEWS + QUEUE);
        // A relay that was dialled before its key was known looked like a peer.
        let heard = self.heard.drain(..).filter(|event| !matches!(event, Event::PathUp { key, .. } if known.contains(key)));
        heard.for_each(|event| drop(again.try_send(event)));
        let mut more = std::mem::replace(&mut self.events, mpsc::channel(1).1);
        tokio::spawn(async move {
            while let Some(event) = more.recv().await {
                if again.send(event).await.is_err() {
                    return;
                }
            }
        });
        Network::new(self.node.clone(), events, relays, store)
    }

    /// Looks for the host, watches the path, and tells.
    async fn trace(
        &mut self,
        mut network: Network,
        wanted: &Wanted,
        facts: &Facts,
        report: Report,
        expect: Expect,
    ) -> Result<(), Failure> {
        let found = self.find(&mut network, wanted).await;
        let host = found.as_ref().ok().copied();
        let best = match host {
            Some(host) => self.watch(&mut network, host).await,
            None => None,
        };
        while let Ok(news) = self.news.try_recv() {
            self.on_news(news);
        }
        let candidates = self.trial.with(host.or(wanted.key), &wanted.addresses, &self.ours);
        report.candidates(&candidates);
        let verdict = trial::verdict(facts, &candidates, best);
        report.finding(&verdict);
        report.done(expect, found.is_ok(), verdict.facts.get("path").filter(|path| **path != Value::Null));
        found.map(drop)
    }

    async fn find(&mut self, network: &mut Network, wanted: &Wanted) -> Result<PeerKey, Failure> {
        let end = Instant::now() + FIND;
        let finding = timeout_at(end, network.find(wanted));
        tokio::pin!(finding);
        loop {
            tokio::select! {
                found = &mut finding => {
                    let silent = || Failure::new(ExitCode::Unreachable, format!("{} does not answer; check that rs host runs there", wanted.id));
                    return found.unwrap_or_else(|_| Err(silent())).map(|(_, key)| key);
                }
                Some(news) = self.news.recv() => self.on_news(news),
            }
        }
    }

    /// The best path there is in the end.
    async fn watch(&mut self, network: &mut Network, host: PeerKey) -> Option<(PathKind, Transport)> {
        let mut end = Instant::now() + WATCH;
        let mut best = None;
        loop {
            if let Some(known) = network.best(host).and_then(|path| network.paths.get(&path)) {
                if known.kind != PathKind::Relayed && best.is_none_or(|(kind, _)| kind == PathKind::Relayed) {
                    end = end.min(Instant::now() + AFTER);
                }
                best = Some((known.kind, known.transport));
            }
            tokio::select! {
                Some(event) = network.events.recv() => drop(network.follow(event, host)),
                Some(news) = self.news.recv() => self.on_news(news),
                () = sleep_until(end) => return best,
            }
        }
    }
}
