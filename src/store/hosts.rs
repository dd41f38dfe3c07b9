//! The form of `hosts`: the hosts that were visited, one a line, `ID LAST NAME`, last visited first. LAST is the time of the last
//! visit (RFC 3339, UTC), NAME what the user calls it, or nothing. Names are this machine's own and go nowhere. It is a list for
//! people: a line that cannot be read is left out, for nothing depends on it (keys are pinned in `known_hosts`).

use crate::protocol::id::HostId;

use super::ledger;

/// More hosts than these are forgotten, those visited longest ago first.
const MAX_HOSTS: usize = 500;

/// A host that was visited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Which.
    pub id: HostId,
    /// When last: RFC 3339, UTC.
    pub last: String,
    /// What the user calls it; may be empty.
    pub name: String,
}

/// A name cannot be given.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    /// It would be taken for an ID, an address or a link.
    #[error("\"{0}\" cannot be a name; use one that begins with a letter, without @ and ://")]
    Unfit(String),
    /// Two hosts would be meant.
    #[error("{1} has the name \"{0}\" already; choose another one, or run: rs hosts forget {1}")]
    Taken(String, HostId),
    /// It was not visited.
    #[error("{0} was not visited yet; run first: rs connect {0}")]
    Unknown(HostId),
}

/// Whether this can be a host's name rather than an ID, an address or a link.
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.starts_with(char::is_alphabetic) && !text.contains('@') && !text.contains("://")
}

/// The list.
#[derive(Debug, Default)]
pub(super) struct Hosts(pub(super) Vec<Host>);

impl Hosts {
    pub(super) fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(line).take(MAX_HOSTS).collect())
    }

    pub(super) fn render(&self) -> String {
        self.0.iter().map(|host| format!("{} {} {}", host.id, host.last, host.name).trim_end().to_owned() + "\n").collect()
    }

    /// It was visited now.
    pub(super) fn visited(&mut self, id: HostId, now: String) {
        let name = self.take(id).map(|host| host.name).unwrap_or_default();
        self.0.insert(0, Host { id, last: now, name });
        self.0.truncate(MAX_HOSTS);
    }

    /// Gives it a name; an empty one takes it away.
    pub(super) fn name(&mut self, id: HostId, name: &str) -> Result<(), NameError> {
        let name = ledger::label(name);
        if !name.is_empty() && !is_name(&name) {
            return Err(NameError::Unfit(name));
        }
        if let Some(other) = self.by_name(&name).filter(|other| other.id != id) {
            return Err(NameError::Taken(name, other.id));
        }
        let host = self.0.iter_mut().find(|host| host.id == id).ok_or(NameError::Unknown(id))?;
        host.name = name;
        Ok(())
    }

    /// Removes it, if it is there.
    pub(super) fn take(&mut self, id: HostId) -> Option<Host> {
        let index = self.0.iter().position(|host| host.id == id)?;
        Some(self.0.remove(index))
    }

    /// The one with this name, in any case.
    pub(super) fn by_name(&self, name: &str) -> Option<&Host> {
        let name = name.trim().to_lowercase();
        self.0.iter().find(|host| !name.is_empty() && host.name.to_lowercase() == name)
    }
}

fn line(text: &str) -> Option<Host> {
    let mut parts = text.splitn(3, ' ');
    let (id, last) = (parts.next()?.parse().ok()?, parts.next()?);
    let is_time = last.len() <= 32 && last.bytes().all(|byte| byte.is_ascii_digit() || b"-:TZ".contains(&byte));
    is_time.then(|| Host { id, last: last.to_owned(), name: ledger::label(parts.next().unwrap_or_default()) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(seed: u8) -> HostId {
        HostId::of(&crate::protocol::id::PeerKey([seed; 32]))
    }

    #[test]
    fn the_last_visited_is_first_and_keeps_its_name() {
        let mut hosts = Hosts::default();
        hosts.visited(id(1), "2026-11-23T10:00:00Z".to_owned());
        hosts.visited(id(2), "2026-11-23T11:00:00Z".to_owned());
        assert_eq!(hosts.name(id(1), " Anna's\u{1b} shop "), Ok(()));
        hosts.visited(id(1), "2026-11-23T12:00:00Z".to_owned());
        let again = Hosts::parse(&hosts.render());
        assert_eq!(again.0, hosts.0);
        assert_eq!((again.0[0].id, again.0[0].name.as_str()), (id(1), "Anna's shop"));
        assert_eq!(again.by_name("ANNA'S SHOP").map(|host| host.id), Some(id(1)));
    }

    #[test]
    fn names_are_fit_unique_and_for_hosts_that_were_visited() {
        let mut hosts = Hosts::default();
        hosts.visited(id(1), "2026-11-23T10:00:00Z".to_owned());
        hosts.visited(id(2), "2026-11-23T10:00:00Z".to_owned());
        for unfit in ["1 shop", "anna@shop", "rs://x", "-x"] {
            assert_eq!(hosts.name(id(1), unfit), Err(NameError::Unfit(unfit.to_owned())));
        }
        assert_eq!(hosts.name(id(1), "shop"), Ok(()));
        assert_eq!(hosts.name(id(2), "Shop"), Err(NameError::Taken("Shop".to_owned(), id(1))));
        assert_eq!(hosts.name(id(3), "cellar"), Err(NameError::Unknown(id(3))));
        assert_eq!((hosts.name(id(1), ""), hosts.by_name("")), (Ok(()), None));
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_what_was_read_is_written_alike(text in any::<String>()) {
            let hosts = Hosts::parse(&text);
            prop_assert_eq!(Hosts::parse(&hosts.render()).0, hosts.0);
        }
    }
}
