//! What the log must never tell, at any level, and what not at `info`.

#[path = "support/mod.rs"]
mod support;

use std::fs;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER};
use support::machine::{Home, Host, Relay, Viewer, on_loopback, strings};

/// A secret as it might be found in a log.
struct Secret {
    name: &'static str,
    forms: Vec<String>,
}

impl Secret {
    /// A word people type: as shown, and without its hyphens.
    fn word(name: &'static str, word: &str) -> Self {
        Self { name, forms: vec![word.to_lowercase(), word.replace('-', "").to_lowercase()] }
    }

    /// Key material: any twelve bytes of it in base64, and any eight in hex or as a list of numbers.
    fn bytes(name: &'static str, bytes: &[u8]) -> Self {
        let base64 = bytes.windows(12).flat_map(|part| [BASE64_NOPAD.encode(part), BASE64URL_NOPAD.encode(part)]);
        let hex = bytes.windows(8).map(|part| HEXLOWER.encode(part));
        let list = bytes.windows(8).map(|part| format!("{part:?}").trim_matches(['[', ']']).to_owned());
        Self { name, forms: base64.map(|form| form.to_lowercase()).chain(hex).chain(list).collect() }
    }

    #[track_caller]
    fn is_not_in(&self, who: &str, log: &str) {
        for line in log.lines() {
            let lower = line.to_lowercase();
            assert!(
                !self.forms.iter().any(|form| lower.contains(form.as_str())),
                "the {}'s log tells the {}: {line}",
                who,
                self.name
            );
        }
    }
}

/// The seed in a folder's `identity.key`: the first 32 bytes of base64url in it.
fn seed(home: &Home) -> Vec<u8> {
    let text = fs::read_to_string(home.file("identity.key")).expect("a key was made");
    let mut keys =
        text.split_whitespace().filter_map(|word| BASE64URL_NOPAD.decode(word.as_bytes()).ok()).filter(|bytes| bytes.len() == 32);
    keys.next().expect("a seed")
}

/// `address:port` and `/tcp/port` of a listen address: what tells where somebody is.
fn places(addresses: &[String]) -> Vec<String> {
    let place = |address: &String| {
        let parts: Vec<&str> = address.split('/').collect();
        [format!("{}:{}", parts[2], parts[4]), format!("/{}/{}", parts[3], parts[4])]
    };
    addresses.iter().flat_map(place).collect()
}

/// What the three processes logged in a session with everything in it, and what must not be in it.
struct Logs {
    told: Vec<(&'static str, String)>,
    secrets: Vec<Secret>,
    places: Vec<String>,
}

/// Words that the two people say or type.
const CHAT: &str = "grandmothers-pudding";
const TYPED: &str = "pin-zero-eight-one-five";

fn a_session_with_the_log_at(level: &str) -> Logs {
    let relay_home = Home::new();
    let relay = on_loopback(&relay_home, "relay --json").env("RS_LOG", level).go();
    let ready = relay.expect_where("ready", |ready| strings(&ready["addresses"]).len() >= 2);
    let mut relay = Relay { rs: relay, home: relay_home, addresses: strings(&ready["addresses"]) };
    let relay_address = relay.address("tcp").to_owned();

    let home = Home::new();
    let start = on_loopback(&home, "host --json --no-lan --capture pattern --panel none").arg("--relay").arg(&relay_address);
    let mut host = Host::started(home, start.env("RS_LOG", level));
    host.is_reachable_by_id();

    let wrong = "zzzz-9999";
    let connect = |home: &Home| {
        let start = on_loopback(home, "connect --json --password-stdin --no-lan --view none").arg("--relay").arg(&relay_address);
        start.arg(&host.id).env("RS_LOG", level)
    };
    let home = Home::new();
    let start = connect(&home);
    let mut failing = Viewer::started(home, start, wrong);
    failing.rs.ended();
    let home = Home::new();
    let start = connect(&home);
    let mut viewer = Viewer::started(home, start, &host.password);
    host.accept();
    viewer.rs.expect("granted");
    viewer.rs.send(&format!("type {TYPED}"));
    viewer.rs.send(&format!("chat {CHAT}"));
    host.rs.expect("chat");
    viewer.screenshot();

    let mut secrets = vec![
        Secret::word("password", &host.password),
        Secret::word("wrong password", wrong),
        Secret::word("chat", CHAT),
        Secret::word("typed text", TYPED),
        Secret::bytes("host's key", &seed(&host.home)),
        Secret::bytes("viewer's key", &seed(&viewer.home)),
        Secret::bytes("relay's key", &seed(&relay.home)),
    ];
    host.rs.send("rotate");
    host.follow_password();
    secrets.push(Secret::word("new password", &host.password));
    viewer.rs.send("quit");
    viewer.rs.ended();
    host.rs.send("quit");
    host.rs.ended();
    relay.rs.process().interrupt();
    relay.rs.ended();
    let told =
        vec![("host", host.rs.stderr()), ("viewer", viewer.rs.stderr() + &failing.rs.stderr()), ("relay", relay.rs.stderr())];
    Logs { told, secrets, places: places(&[host.listen, relay.addresses].concat()) }
}

#[test]
fn at_info_no_secret_and_no_address_is_told() {
    let logs = a_session_with_the_log_at("info");
    for (who, log) in &logs.told {
        logs.secrets.iter().for_each(|secret| secret.is_not_in(who, log));
        for line in log.lines() {
            let place = logs.places.iter().find(|place| line.contains(place.as_str()));
            assert_eq!(place, None, "the {who}'s log tells an address at info: {line}");
        }
    }
    assert!(logs.told.iter().any(|(_, log)| !log.is_empty()), "there is a log at info");
}

#[test]
fn even_at_trace_no_secret_is_told() {
    let logs = a_session_with_the_log_at("trace");
    for (who, log) in &logs.told {
        logs.secrets.iter().for_each(|secret| secret.is_not_in(who, log));
        assert!(log.contains("DEBUG") || log.contains("TRACE"), "the {who} has no log for bug reports");
    }
}
