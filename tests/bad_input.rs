//! Wrong input, from people, files and the network: one line that says what happened and what to do, the right exit code, and
//! nothing lost.

#[path = "support/mod.rs"]
mod support;

use std::{
    fs,
    io::{ErrorKind, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    time::Duration,
};

use ed25519_dalek::SigningKey;
use futures::AsyncReadExt;
use rs::{
    net::{Event, Purpose, address, node},
    protocol::session::path::PathKind,
};
use support::{
    display::Display,
    machine::{Home, Host, Relay, Viewer, session},
    rs::{Rs, Start, binary},
};

/// A well-formed ID that nobody has.
const NOBODY: &str = "9339-2522-7420-3124";

/// The exit code of a wrong command line.
const USAGE: i32 = 2;

/// Waits for the end and checks its form: this exit code, and exactly one line for a person, which has the words in `says`.
#[track_caller]
fn refused(rs: &mut Rs, code: i32, says: &[&str]) {
    let ended = rs.ended();
    assert_eq!(ended.code, Some(code), "{}", ended.stderr);
    if code == USAGE {
        // clap's form: the error, an empty line, where to find help.
        assert!(ended.stderr.starts_with("error: ") && ended.stderr.trim_end().ends_with("'--help'."), "{}", ended.stderr);
    } else {
        assert_eq!(ended.stderr.lines().count(), 1, "one line, not: {}", ended.stderr);
        assert!(ended.stderr.starts_with("rs: ") && ended.stderr.ends_with('\n'), "{}", ended.stderr);
    }
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    for words in says {
        assert!(ended.stderr.contains(words), "\"{words}\" is not in: {}", ended.stderr);
    }
}

/// `rs` with the log that people have, which is quiet unless something needs to be known.
fn rs(home: &Home, line: &str) -> Start {
    Start::new(home.path(), line).quiet()
}

fn host(home: &Home, line: &str) -> Start {
    rs(home, &format!("host --json --no-lan --capture pattern --panel none --listen /ip4/127.0.0.1/tcp/0 {line}"))
}

#[track_caller]
fn connect(target: &str, password: &str, line: &str) -> Rs {
    let home = Home::new();
    let view = if line.contains("--screenshot") { "" } else { "--view none" };
    let line = format!("connect --json --no-lan {view} --password-stdin --listen /ip4/127.0.0.1/tcp/0 {line}");
    let start = rs(&home, &line).arg(target);
    let mut viewer = start.go();
    viewer.try_send(password);
    viewer.keep(home);
    viewer
}

// What people type.

#[test]
fn a_typing_error_in_an_id_is_found_before_any_packet() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a socket");
    let port = listener.local_addr().expect("a bound socket").port();
    for id in ["9339-2522-7420-3125", "9393-2522-7420-3124"] {
        let option = format!("--relay /ip4/127.0.0.1/tcp/{port}");
        refused(&mut connect(&format!("{id}@/ip4/127.0.0.1/tcp/{port}"), "x", &option), USAGE, &["check digit", "compare"]);
        refused(&mut connect(id, "x", &option), USAGE, &["check digit", "compare"]);
    }
    assert_eq!(listener.accept().map(drop).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock), "somebody called");
}

#[test]
fn what_is_no_id_no_address_and_no_link_is_a_usage_error() {
    let long = "1".repeat(5000);
    for target in [
        "",
        "1234",
        "four-teen",
        "9339-2522-7420-3124@no where",
        "9339-2522-7420-3124@",
        "rs://",
        "rs://9339252274203124?k=AAAA",
        "rs://x?k=y&r=z",
        &long,
    ] {
        let ended = connect(target, "x", "").ended();
        assert_eq!(ended.code, Some(2), "{target}: {}", ended.stderr);
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
}

#[test]
fn wrong_options_are_usage_errors_that_point_at_the_help() {
    let home = Home::new();
    for line in [
        "",
        "fly",
        "host --allow flying",
        "host --listen nowhere",
        "host --capture film",
        "host --display many",
        "host --password secret123456",
        "connect",
        "connect 9339-2522-7420-3124 --password secret",
        "connect 9339-2522-7420-3124 --view cinema",
        "connect 9339-2522-7420-3124 --password-stdin --password-file x",
        "relay --join nowhere/at/all",
        "rotate-password --sometimes",
    ] {
        let ended = rs(&home, line).go().ended();
        assert_eq!(ended.code, Some(2), "rs {line}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("--help") || ended.stderr.starts_with("rs: ") || ended.stderr.contains("Usage"),
            "rs {line}: {}",
            ended.stderr
        );
    }
    let wrong_relay = rs(&home, "host --no-lan --panel none --capture pattern --relay :::").go().ended();
    assert_eq!(wrong_relay.code, Some(2), "{}", wrong_relay.stderr);
}

#[test]
fn the_log_filter_may_be_wrong_too() {
    let home = Home::new();
    let ended = host(&home, "").env("RS_LOG", "rs=loud,,=").go().ended();
    assert!(matches!(ended.code, Some(1 | 2)), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
}

// Who is not there, or says no.

#[test]
fn an_id_that_nobody_has_is_not_found() {
    let relay = Relay::start();
    refused(&mut connect(NOBODY, "x", &format!("--relay {}", relay.address("tcp"))), 3, &[NOBODY]);
}

#[test]
fn a_host_that_is_gone_is_not_reachable() {
    let mut host = Host::pattern("");
    let target = host.direct("tcp");
    host.rs.process().kill();
    refused(&mut connect(&target, &host.password, ""), 3, &[]);
}

#[test]
fn a_host_that_is_gone_is_not_reachable_through_its_relay_either() {
    let relay = Relay::start();
    let option = format!("--relay {}", relay.address("tcp"));
    let mut host = Host::pattern(&option);
    host.is_reachable_by_id();
    host.rs.process().kill();
    refused(&mut connect(&host.id, &host.password, &option), 3, &[&host.id]);
}

#[test]
fn a_relay_that_is_gone_leaves_nothing_to_ask() {
    let mut relay = Relay::start();
    let option = format!("--relay {}", relay.address("tcp"));
    relay.rs.process().kill();
    refused(&mut connect(NOBODY, "x", &option), 3, &["relay"]);
}

#[test]
fn a_wrong_password_does_not_get_in_and_disturbs_nobody() {
    let mut host = Host::pattern("");
    let target = host.direct("tcp");
    for password in ["aaaa-aaaa", "", "ü", &"long ".repeat(2000)] {
        refused(&mut connect(&target, password, ""), 4, &["password"]);
    }
    assert!(host.rs.seen("request").is_empty());
    session(&mut host, &target, "");
}

#[test]
fn a_refusal_is_told_as_one() {
    let mut host = Host::pattern("");
    let mut viewer = connect(&host.direct("tcp"), &host.password, "");
    host.rs.expect("request");
    host.rs.send("deny");
    refused(&mut viewer, 5, &[]);
}

// Files.

#[test]
fn a_state_folder_that_cannot_be_used_is_an_error() {
    let home = Home::new();
    let file = home.file("a-file");
    fs::write(&file, "not a folder").expect("a file");
    for folder in [file.join("state"), file.clone(), Path::new("/proc/rs-state").to_owned()] {
        refused(&mut host(&home, "").env("RS_HOME", &folder).go(), 1, &[&folder.display().to_string()]);
    }
    assert_eq!(fs::read_to_string(&file).expect("the file"), "not a folder");
}

#[test]
fn a_full_disk_is_an_error_and_leaves_no_half_written_key() {
    let may_mount = Command::new("unshare").args(["--mount", "true"]).output().is_ok_and(|done| done.status.success());
    if !may_mount {
        eprintln!("skipped: this user cannot mount a small disk (root can)");
        return;
    }
    let home = Home::new();
    // A disk of two pages, and both are taken. Afterwards its content is listed on stdout.
    let script = r#"mount -t tmpfs -o size=8k,mode=0700 none "$RS_HOME" && head -c 8k /dev/zero > "$RS_HOME/filler" || exit 99
        "$0" "$@"; code=$?; ls -A "$RS_HOME"; exit $code"#;
    let binary = binary();
    let binary = binary.to_str().expect("a plain path");
    let arguments = ["--mount", "sh", "-c", script, binary, "host", "--no-lan", "--capture", "pattern", "--panel", "none"];
    let mut rs = Start::program(home.path(), "unshare", &arguments).quiet().go();
    refused(&mut rs, 1, &["space"]);
    let left = rs.stdout();
    let identity = left.lines().find(|file| file.contains("identity"));
    assert_eq!(identity, None, "{left}");
}

#[test]
fn damaged_or_exposed_secrets_are_errors_and_stay_as_they_are() {
    let home = Home::new();
    let relay_line = "relay --json --listen /ip4/127.0.0.1/tcp/0";
    let first = rs(&home, relay_line).go();
    first.expect("ready");
    drop(first);
    let key = home.file("identity.key");
    let whole = fs::read(&key).expect("a key was made");

    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("chmod");
    refused(&mut host(&home, "").go(), 1, &["identity.key", "chmod 600"]);
    assert_eq!(fs::metadata(&key).expect("the key").permissions().mode() & 0o777, 0o644, "not changed behind the person's back");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("chmod");

    let mut turned = whole.clone();
    let middle = turned.len() / 2;
    turned[middle] ^= 1;
    for damaged in [&b""[..], b"\0\xff garbage \n", &whole[..whole.len() - 5], &turned, &vec![b'x'; 1 << 20]] {
        fs::write(&key, damaged).expect("the key is overwritten");
        refused(&mut host(&home, "").go(), 1, &["identity.key"]);
        refused(&mut rs(&home, relay_line).go(), 1, &["identity.key"]);
        assert!(fs::read(&key).expect("the key") == damaged, "the file is left as it is");
    }
    fs::write(&key, whole).expect("the key is restored");
    host(&home, "").go().expect("ready");
}

#[test]
fn damaged_records_are_errors_and_stay_as_they_are() {
    let cases = [("password.opaque", "--password permanent", "rs rotate-password --permanent"), ("config.toml", "", "config.toml")];
    for (file, line, advice) in cases {
        let home = Home::new();
        let path = home.file(file);
        fs::write(&path, "]]] not this").expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        refused(&mut host(&home, line).go(), 1, &[advice]);
        assert_eq!(fs::read_to_string(&path).expect("the file"), "]]] not this");
    }
}

#[test]
fn damaged_pins_are_never_taken_for_no_pins() {
    let target_host = Host::pattern("--yes");
    let home = Home::new();
    let path = home.file("known_hosts");
    fs::write(&path, "half a li").expect("a file");
    let start = rs(&home, "connect --json --no-lan --view none --password-stdin").arg(target_host.direct("tcp"));
    let mut viewer = start.go();
    viewer.try_send(&target_host.password);
    refused(&mut viewer, 1, &["known_hosts"]);
    assert_eq!(fs::read_to_string(&path).expect("the file"), "half a li");
    assert!(target_host.rs.seen("session-started").is_empty());
}

#[test]
fn one_folder_has_one_host() {
    let mut first = Host::pattern("");
    refused(&mut host(&first.home, "").go(), 1, &["runs already"]);
    let target = first.direct("tcp");
    session(&mut first, &target, "");
}

#[test]
fn a_rotation_without_a_host_says_that_none_runs() {
    let home = Home::new();
    let ended = rs(&home, "rotate-password").go().ended();
    assert!(matches!(ended.code, Some(1 | 3)), "{:?} {}", ended.code, ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
}

#[test]
fn a_password_file_that_is_missing_is_an_error() {
    let home = Home::new();
    let mut rs = rs(&home, "connect --json --no-lan --view none --password-file /nowhere/at/all").arg(NOBODY).go();
    let ended = rs.ended();
    assert!(matches!(ended.code, Some(1 | 2)), "{}", ended.stderr);
    assert!(ended.stderr.contains("/nowhere/at/all") && ended.stderr.lines().count() == 1, "{}", ended.stderr);
}

#[test]
fn a_screenshot_that_cannot_be_saved_is_an_error() {
    let target_host = Host::pattern("--yes");
    let mut viewer = connect(&target_host.direct("tcp"), &target_host.password, "--screenshot /nowhere/at/all.png");
    refused(&mut viewer, 1, &["/nowhere/at/all.png"]);
}

// Screens.

#[test]
fn no_display_is_no_usable_screen() {
    let home = Home::new();
    let line = "host --no-lan --panel none";
    refused(&mut rs(&home, line).go(), 7, &["DISPLAY"]);
    refused(&mut rs(&home, line).env("DISPLAY", ":9999").go(), 7, &["DISPLAY"]);
    refused(&mut rs(&home, &format!("{line} --capture x11")).env("DISPLAY", "nonsense").go(), 7, &[]);
}

#[test]
fn a_monitor_that_is_not_there_is_no_usable_screen() {
    let display = Display::start(320, 240);
    let home = Home::new();
    refused(&mut rs(&home, "host --no-lan --panel none --display 7").on(&display).go(), 7, &["7"]);
}

#[test]
fn a_viewer_without_a_display_has_no_window() {
    let target_host = Host::pattern("--yes");
    let home = Home::new();
    let mut viewer = rs(&home, "connect --no-lan --password-stdin --view window").arg(target_host.direct("tcp")).go();
    viewer.try_send(&target_host.password);
    refused(&mut viewer, 7, &["--view"]);
}

// The network.

/// How much more memory a process may have after it was flooded.
const GROWTH: u64 = 32 << 20;

/// Bytes without sense, the same at each run (xorshift32).
fn garbage(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// Floods one listen address with garbage, and leaves some connections open. A peer that hangs up is fine.
fn flood(address: &str) -> Vec<TcpStream> {
    let parts: Vec<&str> = address.split('/').collect();
    let socket = format!("{}:{}", parts[2], parts[4]);
    if parts[3] == "udp" {
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        for seed in 0..3000 {
            let mut datagram = garbage(1200, seed);
            if seed % 2 == 0 {
                datagram[..6].copy_from_slice(&[0xc3, 0, 0, 0, 1, 8]); // as a QUIC v1 Initial begins
            }
            let _ = sender.send_to(&datagram, &socket);
        }
        return Vec::new();
    }
    let openings: [&[u8]; 4] =
        [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x13/multistream/1.0.0\n", b"\x13/multistream/1.0.0\n\x07/noise\n\xff\xff"];
    let call = |seed: u32| {
        let mut stream = TcpStream::connect(&socket).ok()?;
        stream.set_write_timeout(Some(Duration::from_secs(1))).ok()?;
        let _ = stream.write_all(openings[seed as usize % openings.len()]);
        let _ = stream.write_all(&garbage(64 << 10, seed));
        Some(stream)
    };
    for seed in 0..200 {
        call(seed);
    }
    (0..100).filter_map(call).collect()
}

#[test]
fn garbage_on_every_port_neither_ends_nor_fattens_a_host_or_a_relay() {
    let mut relay = Relay::start();
    let option = format!("--relay {}", relay.address("tcp"));
    let mut host = Host::pattern(&option);
    host.is_reachable_by_id();
    let before = [host.rs.process().memory(), relay.rs.process().memory()];

    let addresses: Vec<String> =
        host.listen.iter().chain(&relay.addresses).filter(|address| !address.contains("p2p-circuit")).cloned().collect();
    let open: Vec<TcpStream> = addresses.iter().flat_map(|address| flood(address)).collect();

    let after = [host.rs.process().memory(), relay.rs.process().memory()];
    for (name, (before, after)) in ["host", "relay"].iter().zip(before.iter().zip(&after)) {
        assert!(*after < before + GROWTH, "the {name} grew from {before} to {after} bytes");
    }
    let id = host.id.clone();
    session(&mut host, &id, &option);
    drop(open);
}

#[test]
fn garbage_on_the_local_socket_does_not_end_a_host() {
    use std::os::unix::net::UnixStream;
    let mut host = Host::pattern("");
    let socket = host.home.file("control.sock");
    for seed in 0..20 {
        let mut stream = UnixStream::connect(&socket).expect("the host's socket");
        stream.set_write_timeout(Some(Duration::from_secs(1))).expect("a socket");
        let _ = stream.write_all(&garbage(64 << 10, seed));
    }
    let silent = UnixStream::connect(&socket).expect("the host's socket");
    let mut rotate = rs(&host.home, "rotate-password --json").go();
    host.password = rotate.expect("password-rotated")["password"].as_str().expect("a password").to_owned();
    assert_eq!(rotate.ended().code, Some(0));
    drop(silent);
    let target = host.direct("tcp");
    session(&mut host, &target, "");
}

#[test]
fn a_flood_of_wrong_passwords_is_slowed_down_and_locks_nobody_out() {
    let mut host = Host::pattern("");
    let target = host.direct("tcp");
    let friend = session(&mut host, &target, "");
    let Viewer { mut rs, home } = friend;
    rs.send("quit");
    rs.ended();
    host.follow_password();
    // Strangers share ten guesses; the eleventh has to wait, and is told so or waits.
    let codes: Vec<Option<i32>> = (0..11).map(|_| connect(&target, "aaaa-aaaa", "").ended().code).collect();
    assert!(codes.iter().all(|code| matches!(code, Some(3..=5))), "{codes:?}");
    let known = Viewer::at(home, &target, &host.password, "");
    host.accept();
    known.rs.expect("granted");
}

/// The host would send its kind of NAT first, without waiting: a stranger hears nothing of it.
#[test]
fn a_stranger_gets_no_port_probe() {
    let relay = Relay::start();
    let host = Host::pattern(&format!("--relay {}", relay.address("tcp")));
    host.is_reachable_by_id();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let heard = runtime.block_on(async {
        let listen = vec!["/ip4/127.0.0.1/tcp/0".parse().expect("an address")];
        let identity = SigningKey::from_bytes(&[7; 32]);
        let config = node::Config { identity, part: node::Part::Viewer, listen, lan: false, port_mapping: false, trace: None };
        let (node, mut events) = node::start(config).await.expect("it starts");
        node.use_relay(address::relay(relay.address("tcp")).expect("an address")).await.expect("it runs");
        let listing = node.look_up(host.id.parse().expect("an ID")).await.expect("it runs").remove(0);
        node.dial(Some(listing.key), vec![address::circuit(&listing.relays[0], listing.key)])
            .await
            .expect("the relay knows the way");
        let path = loop {
            if let Event::PathUp { path, kind: PathKind::Relayed, .. } = events.recv().await.expect("it runs") {
                break path;
            }
        };
        let mut stream = node.open(path, Purpose::Probe).await.expect("the host speaks rs");
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard).await;
        heard
    });
    assert!(heard.is_empty(), "{heard:?}");
}
