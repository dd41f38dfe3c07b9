//! How many records one address may bring.
//!
//! Keys are free, addresses are not: so what counts is the network that a record comes from, an IPv4 address or a /64 of IPv6. Each has
//! two allowances (so many at once, then so many per second): records at all, and hosts that were not known before, whose check costs
//! 20 ms of CPU. A relay brings the hosts of many, so its address has larger ones.
//!
//! Loopback is not an address in this sense: behind a web server on the relay's machine (`docs/rs-relay.nginx`) everybody comes from
//! there. Nothing is counted for it; what bounds those clients is the number of slow checks.
//!
//! Bounded: [`NETWORKS`] at a time; those that have their whole allowance again are forgotten, at most once in [`SWEEP`], and when there
//! is no room, newcomers share one allowance.
//!
//! Sans-IO: the caller brings the time.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use tokio::time::Instant;

/// Networks remembered.
const NETWORKS: usize = 16_384;
/// Looking through all of them takes a millisecond.
const SWEEP: Duration = Duration::from_secs(1);

/// So many at once, and one more each interval.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    burst: u32,
    each: Duration,
}

/// An office of 600 hosts that starts at once; each renews its record every three minutes.
const HOST_RECORDS: Allowance = Allowance { burst: 1200, each: Duration::from_millis(200) };
const HOST_NEW: Allowance = Allowance { burst: 600, each: Duration::from_secs(1) };
/// A hundred thousand hosts at one relay are 560 records a second.
const RELAY_RECORDS: Allowance = Allowance { burst: 20_000, each: Duration::from_micros(1000) };
const RELAY_NEW: Allowance = Allowance { burst: 20_000, each: Duration::from_millis(40) };

/// Who brings a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Bringer {
    Host,
    Relay,
}

/// The part of an address that one subscriber has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Network {
    V4([u8; 4]),
    V6([u8; 8]),
    /// All that there was no room for, or whose address is not known.
    Others,
}

/// What was used of an allowance; it drains as time goes by.
#[derive(Clone, Copy, Debug)]
struct Used {
    /// When it will have drained.
    until: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Account {
    records: Used,
    new: Used,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Quota {
    accounts: HashMap<(Network, Bringer), Account>,
    swept: Option<Instant>,
}

impl Quota {
    /// Whether a record may come from here, `new` if its host was not known before; if so it is counted.
    pub(super) fn take(&mut self, from: Option<IpAddr>, bringer: Bringer, new: bool, now: Instant) -> bool {
        if from.is_some_and(|ip| ip.to_canonical().is_loopback()) {
            return true;
        }
        let (records, fresh) = match bringer {
            Bringer::Host => (HOST_RECORDS, HOST_NEW),
            Bringer::Relay => (RELAY_RECORDS, RELAY_NEW),
        };
        let account = self.account((from.map_or(Network::Others, network), bringer), now);
        let may = account.records.has_room(records, now) && (!new || account.new.has_room(fresh, now));
        if may {
            account.records.add(records, now);
        }
        if may && new {
            account.new.add(fresh, now);
        }
        may
    }

    fn account(&mut self, (network, bringer): (Network, Bringer), now: Instant) -> &mut Account {
        let known = self.accounts.contains_key(&(network, bringer));
        if !known && self.accounts.len() >= NETWORKS && self.swept.is_none_or(|swept| swept + SWEEP <= now) {
            self.swept = Some(now);
            self.accounts.retain(|_, account| account.records.until > now || account.new.until > now);
        }
        let full = !known && self.accounts.len() >= NETWORKS;
        let network = if full { Network::Others } else { network };
        let drained = Used { until: now };
        self.accounts.entry((network, bringer)).or_insert(Account { records: drained, new: drained })
    }
}

impl Used {
    fn has_room(self, allowance: Allowance, now: Instant) -> bool {
        self.until.saturating_duration_since(now) + allowance.each <= allowance.each * allowance.burst
    }

    fn add(&mut self, allowance: Allowance, now: Instant) {
        self.until = self.until.max(now) + allowance.each;
    }
}

fn network(ip: IpAddr) -> Network {
    match ip.to_canonical() {
        IpAddr::V4(ip) => Network::V4(ip.octets()),
        IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, g, h, ..] = ip.octets();
            Network::V6([a, b, c, d, e, f, g, h])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    /// How many are taken out of many, all new.
    fn taken(quota: &mut Quota, from: &str, bringer: Bringer, new: bool, now: Instant) -> usize {
        (0..30_000).filter(|_| quota.take(ip(from), bringer, new, now)).count()
    }

    #[test]
    fn one_address_has_its_allowance_and_gets_it_back_with_time() {
        let (mut quota, now) = (Quota::default(), Instant::now());
        assert_eq!(taken(&mut quota, "192.0.2.1", Bringer::Host, true, now), 600);
        assert_eq!(taken(&mut quota, "192.0.2.1", Bringer::Host, false, now), 600, "known hosts may still renew");
        assert_eq!(taken(&mut quota, "192.0.2.1", Bringer::Host, true, now + Duration::from_secs(10)), 10);
    }

    #[test]
    fn another_address_is_not_the_poorer_for_it_and_a_relay_may_bring_more() {
        let (mut quota, now) = (Quota::default(), Instant::now());
        taken(&mut quota, "192.0.2.1", Bringer::Host, true, now);
        assert!(quota.take(ip("192.0.2.2"), Bringer::Host, true, now));
        assert_eq!(taken(&mut quota, "192.0.2.1", Bringer::Relay, true, now), 20_000);
    }

    #[test]
    fn all_addresses_of_a_64_are_one_and_so_are_mapped_ones() {
        let (mut quota, now) = (Quota::default(), Instant::now());
        taken(&mut quota, "2001:db8::1", Bringer::Host, true, now);
        assert!(!quota.take(ip("2001:db8::ffff:1"), Bringer::Host, true, now));
        assert!(quota.take(ip("2001:db8:0:1::1"), Bringer::Host, true, now));
        taken(&mut quota, "192.0.2.1", Bringer::Host, true, now);
        assert!(!quota.take(ip("::ffff:192.0.2.1"), Bringer::Host, true, now));
    }

    #[test]
    fn who_comes_through_a_web_server_on_this_machine_is_not_counted() {
        let (mut quota, now) = (Quota::default(), Instant::now());
        for ip in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(taken(&mut quota, ip, Bringer::Host, true, now), 30_000);
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_idle_networks_make_room() {
        let (mut quota, now) = (Quota::default(), Instant::now());
        for number in 0..2 * NETWORKS as u32 {
            quota.take(Some(IpAddr::V4(number.into())), Bringer::Host, true, now);
        }
        assert!(quota.accounts.len() <= NETWORKS + 2);
        let later = now + Duration::from_secs(60);
        quota.take(ip("203.0.113.1"), Bringer::Host, true, later);
        assert!(quota.accounts.len() < NETWORKS);
    }
}
