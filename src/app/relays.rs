//! Which relays to use, under which names, and which keys they are pinned to.
//!
//! Relays come from the command line, `RS_RELAY` (clap merges these two), the config file, or the build (`RS_DEFAULT_RELAY`);
//! the first of these that names any counts, and a link's are always added. A relay given without a key is pinned at first
//! contact. It is never trusted with anything: a changed key is only worth a warning.

use libp2p::Multiaddr;

use super::Failure;
use crate::{
    cli::{ExitCode, Relay},
    net::RelayAddress,
    protocol::id::PeerKey,
    store::{Config, Store},
};

/// The relays in use.
pub(super) struct Relays {
    relays: Vec<Relay>,
}

/// Collects the relays and their pins.
///
/// # Errors
/// One of them is no relay address.
pub(super) fn gather(given: &[Relay], config: &Config, link: &[String], store: &Store) -> Result<Relays, Failure> {
    let parse = |text: &String| text.parse::<Relay>().map_err(|error| Failure::new(ExitCode::Usage, error));
    let configured = config.relay.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let built_in =
        option_env!("RS_DEFAULT_RELAY").map(|relay| parse(&relay.to_owned())).transpose()?.into_iter().collect::<Vec<_>>();
    let first = [given, &configured, &built_in].into_iter().find(|list| !list.is_empty()).unwrap_or(&[]);
    let mut relays = link.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    for relay in first {
        if !relays.iter().any(|other| other.to_string() == relay.to_string()) {
            relays.push(relay.clone());
        }
    }
    for relay in relays.iter_mut().filter(|relay| relay.address.key.is_none()) {
        relay.address.key = store.pinned_relay(&relay.to_string())?;
    }
    Ok(Relays { relays })
}

/// Where to listen: the command line's addresses, or the config file's.
///
/// # Errors
/// The config file names something that is no multiaddr.
pub(super) fn listen(given: &[Multiaddr], config: &Config) -> Result<Vec<Multiaddr>, Failure> {
    if !given.is_empty() {
        return Ok(given.to_vec());
    }
    let parse = |text: &String| {
        text.parse()
            .map_err(|_| Failure::other(format!("config.toml: \"{text}\" in listen is not a multiaddr; correct or remove it")))
    };
    config.listen.iter().map(parse).collect()
}

/// What to say of a relay whose key changed.
pub(super) fn changed(name: &str) -> String {
    format!(
        "the relay {name} has another key than before, so it is not used; if it was set up anew, remove its line from known_relays"
    )
}

impl Relays {
    pub(super) fn addresses(&self) -> Vec<RelayAddress> {
        self.relays.iter().map(|relay| relay.address.clone()).collect()
    }

    /// As links carry them.
    pub(super) fn texts(&self) -> Vec<String> {
        self.relays.iter().map(ToString::to_string).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.relays.is_empty()
    }

    /// As the user wrote it.
    pub(super) fn name(&self, address: &RelayAddress) -> String {
        let known = self.relays.iter().find(|relay| relay.address.addresses == address.addresses);
        known.map_or_else(|| "of the link".to_owned(), ToString::to_string)
    }

    /// Pins a key at first contact.
    pub(super) fn learned(&mut self, address: &RelayAddress, key: PeerKey, store: &Store) {
        let known = self.relays.iter_mut().find(|relay| relay.address.addresses == address.addresses);
        let Some(relay) = known.filter(|relay| relay.address.key.is_none()) else { return };
        relay.address.key = Some(key);
        if let Err(error) = store.pin_relay(&relay.to_string(), key) {
            tracing::warn!(%error, "the relay's key is not remembered");
        }
    }
}
