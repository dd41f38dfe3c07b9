//! Five relays in five networks, a host that knows the first and viewers that know another one.

use std::time::{Duration, Instant};

use super::{
    lab::{Internet, Machine, PORT, wanted},
    session::{self, host},
    support::{
        PATIENCE,
        machine::{Host, Relay},
    },
};

/// As many as the smallest federation that is worth the name.
const RELAYS: usize = 5;

struct Federation {
    internet: Internet,
    machines: Vec<Machine>,
    relays: Vec<Relay>,
}

impl Federation {
    /// Relays that join each other: `joins` tells which one the relay with this number joins.
    #[track_caller]
    fn new(joins: impl Fn(usize) -> Option<usize>) -> Self {
        let internet = Internet::new();
        let machines: Vec<Machine> = (0..RELAYS).map(|_| internet.machine()).collect();
        let mut relays: Vec<Relay> = Vec::new();
        for (number, machine) in machines.iter().enumerate() {
            let join = joins(number).map(|other| relays[other].address("quic-v1").to_owned());
            let ip = format!("/ip4/{}", machine.public());
            relays.push(session::relay_that_joins(machine, &[&ip], join.as_deref()));
        }
        Self { internet, machines, relays }
    }

    /// A host that only knows the relay with this number.
    #[track_caller]
    fn host(&self, relay: usize) -> (Machine, Host) {
        let machine = self.internet.machine();
        let host = host(&machine, &self.relays[relay].addresses, "");
        (machine, host)
    }

    /// How long a viewer that only knows the relay with this number takes to find and enter the host by its bare ID.
    #[track_caller]
    fn found_from(&self, relay: usize, host: &Host) -> Duration {
        let machine = self.internet.machine();
        let start = Instant::now();
        let viewer = session::viewer(&machine, &self.relays[relay].addresses, host, "");
        viewer.rs.expect("connected");
        let took = start.elapsed();
        viewer.is_in_session();
        took
    }
}

#[test]
fn a_host_at_the_first_relay_of_a_chain_is_found_from_the_last() {
    if !wanted() {
        return;
    }
    let chain = Federation::new(|number| number.checked_sub(1));
    let (_machine, host) = chain.host(0);
    eprintln!("found from the far end of a chain of {RELAYS} relays in {} ms", chain.found_from(RELAYS - 1, &host).as_millis());
}

#[test]
fn the_death_of_the_relay_that_all_joined_parts_nobody_and_a_relay_that_returns_finds_them_again() {
    if !wanted() {
        return;
    }
    // All joined the first one; the host is at the second.
    let mut star = Federation::new(|number| (number > 0).then_some(0));
    let (_machine, host) = star.host(1);
    eprintln!("found from another point of the star in {} ms", star.found_from(4, &host).as_millis());

    star.relays[0].rs.process().kill();
    eprintln!("the centre was killed: found in {} ms", star.found_from(3, &host).as_millis());

    // A host that comes now is found too: the others have met.
    let (_other_machine, late) = star.host(2);
    eprintln!("a host that came after that: found in {} ms", star.found_from(4, &late).as_millis());

    // It comes back empty, under its old key and address, and joins nobody: those that joined it dial it again.
    let home = std::mem::replace(&mut star.relays[0].home, super::support::machine::Home::new());
    let ip = format!("/ip4/{}", star.machines[0].public());
    star.relays[0] = session::relay_at(home, &star.machines[0], &[&ip], None);
    let start = Instant::now();
    let machine = star.internet.machine();
    let took = loop {
        let mut viewer = session::viewer(&machine, &star.relays[0].addresses, &late, "");
        if viewer.rs.wait_for("connected", PATIENCE, |_| true).is_some() {
            break start.elapsed();
        }
        assert_eq!(viewer.rs.ended().code, Some(3), "not found yet, and nothing worse");
        assert!(start.elapsed() < 2 * PATIENCE, "the others do not come back to it");
    };
    eprintln!("the centre is back, port {PORT}, empty: found from it after {} ms", took.as_millis());
}
