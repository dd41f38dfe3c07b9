//! Hostile relays and floods against the real binary.
//!
//! | module | what |
//! |---|---|
//! | [`relay`] | a relay on the right protocols that lies, stalls or refuses |
//! | [`lies`] | hosts are found in spite of it, or plainly not at all; never a wrong one |
//! | [`flood`] | more connections, streams and records than anybody needs |

#![allow(clippy::print_stderr, reason = "figures are printed")]

#[path = "../support/mod.rs"]
mod support;

mod flood;
mod lies;
mod relay;

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use support::machine::{Home, Relay, on_loopback, strings};

/// A real relay, and where it shows its metrics.
struct Honest {
    relay: Relay,
    metrics: String,
}

impl Honest {
    #[track_caller]
    fn start() -> Self {
        let home = Home::new();
        let rs = on_loopback(&home, "relay --json --metrics 127.0.0.1:0").go();
        let ready = rs.expect_where("ready", |ready| strings(&ready["addresses"]).len() >= 2);
        let metrics = ready["metrics"].as_str().expect("they are on").to_owned();
        Self { relay: Relay { rs, home, addresses: strings(&ready["addresses"]) }, metrics }
    }

    /// The value of one of its metrics.
    fn metric(&self, name: &str) -> u64 {
        let address = self.metrics.trim_start_matches("http://").trim_end_matches("/metrics");
        let mut page = TcpStream::connect(address).expect("the page is there");
        page.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").expect("it takes requests");
        let mut text = String::new();
        page.read_to_string(&mut text).expect("it answers");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        // A labelled one is not there before it was counted once.
        value.map_or(0, |value| value.parse().expect("a number"))
    }

    /// Waits until the records of so many hosts are here.
    #[track_caller]
    fn has_records(&self, count: u64) {
        support::until_true("the hosts are in the directory", || self.metric("rs_relay_records") == count);
    }
}
