//! What the host makes of its network: who comes in, and how others reach it.

use super::{Host, command::Command, lanes::Opened};
use crate::{
    app::relays,
    net::{Event, Purpose},
    protocol::session::path::PathKind,
    ui::event::{HostEvent, Reach},
};

impl Host {
    /// The network did something. True: how others reach us changed.
    pub(super) async fn network(&mut self, event: Event) -> bool {
        match event {
            Event::Listening(address) => return self.addresses.insert(address),
            Event::NotListening(address) => return self.addresses.remove(&address),
            Event::Reserved(relay) => return self.reserved.insert(relay),
            Event::ReservationLost(relay) => return self.reserved.remove(&relay),
            Event::RelayUp { relay, key } => self.relays.learned(&relay, key, &self.store),
            Event::RelayDown { relay, reason } => {
                let text = format!("the relay {} is out of reach now ({reason}); trying again", self.relays.name(&relay));
                self.warn(text);
            }
            Event::RelayChanged(relay) => {
                let text = relays::changed(&self.relays.name(&relay));
                self.warn(text);
            }
            Event::Discovered { .. } | Event::Moved => {}
            Event::PathUp { path, kind, transport, .. } => {
                self.paths.insert(path, (kind, transport));
            }
            Event::PathDown(path) => {
                self.paths.remove(&path);
                self.command(|| Command::PathDown(path)).await;
            }
            Event::Inbound { path, key, purpose: Purpose::Auth, stream } => self.door.answer(path, key, stream),
            Event::Inbound { path, key, purpose: Purpose::Probe, stream } => {
                let relayed = self.paths.get(&path).is_some_and(|(kind, _)| *kind == PathKind::Relayed);
                let in_session = relayed && self.sessions.values().any(|live| live.auth.peer == key && !live.commands.is_closed());
                self.probes.answer(key, stream, in_session);
            }
            Event::Inbound { purpose: Purpose::Lane | Purpose::Clock, .. } => {}
        }
        false
    }

    pub(super) async fn lane(&self, opened: Opened) {
        let Opened { path, session, lane, open } = opened;
        if let (Some(live), Some((kind, transport))) = (self.sessions.get(&session), self.paths.get(&path)) {
            live.command(Command::Lane { path, kind: *kind, transport: *transport, lane, open }).await;
        }
    }

    /// Tells how others reach this host, when that changed.
    pub(super) fn tell_ready(&mut self) {
        if self.addresses.is_empty() && self.told.is_none() {
            return;
        }
        if self.told.as_ref() != Some(&self.addresses) {
            self.told = Some(self.addresses.clone());
            self.tell(HostEvent::Ready {
                id: self.id.to_string(),
                password: self.secret.shown(),
                link: self.link.to_string(),
                listen: self.addresses.iter().map(ToString::to_string).collect(),
            });
        }
        let reach = if !self.reserved.is_empty() {
            Reach::Relayed
        } else if self.lan {
            Reach::Lan
        } else {
            Reach::Direct
        };
        if self.reach.replace(reach) != Some(reach) {
            self.tell(HostEvent::Reachable { kind: reach });
        }
    }
}
