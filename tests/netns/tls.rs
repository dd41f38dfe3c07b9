//! A relay behind a web server that speaks TLS on port 443, with the configuration that the documentation gives.

use std::{
    fs,
    process::{Command, Stdio},
};

use super::{
    lab::{Lab, RELAY, wanted},
    nat::Kind,
    session::{Way, way_of},
    support::{
        machine::{Home, Host, Relay, Viewer, strings},
        until_true,
    },
};

/// What the documentation says, with this certificate and without another site's.
fn configuration(home: &Home) -> String {
    let folder = home.path().display();
    let server = include_str!("../../docs/rs-relay.nginx")
        .replace("/etc/letsencrypt/live/relay.example.org/fullchain.pem", &format!("{folder}/web.pem"))
        .replace("/etc/letsencrypt/live/relay.example.org/privkey.pem", &format!("{folder}/web.key"));
    let folders: String =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path {folder}/{kind};\n")).concat();
    format!(
        "daemon off;\nuser root;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{folders}{server}}}\n"
    )
}

/// A certificate for the relay's address that vouches for itself.
fn certificate(home: &Home) {
    let (subject, alternative) = (format!("/CN={RELAY}"), format!("subjectAltName=IP:{RELAY}"));
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
    command
        .args(["-subj", &subject, "-addext", &alternative, "-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(home.file("web.key"))
        .arg("-out")
        .arg(home.file("web.pem"));
    let made = command.stderr(Stdio::null()).status().expect("openssl starts (package openssl)");
    assert!(made.success(), "no certificate");
}

#[test]
fn behind_a_web_server_with_tls_the_relay_is_reached_where_only_443_is_open() {
    if !wanted() {
        return;
    }
    let lab = Lab::new(Kind::Only443, Kind::Only443);
    let web = Home::new();
    certificate(&web);
    fs::write(web.file("nginx.conf"), configuration(&web)).expect("a temporary folder is writable");
    let file = web.file("nginx.conf");
    let _nginx = lab.relay.start(&["nginx", "-c", file.to_str().expect("a plain path")]);
    until_true("nginx listens", || lab.relay.output(&["ss", "-tlnH"]).contains(":443 "));

    let home = Home::new();
    let rs = lab.relay.rs(&home, "relay --json --listen /ip4/127.0.0.1/tcp/8080/ws").go();
    let ready = rs.expect_where("ready", |ready| !strings(&ready["addresses"]).is_empty());
    let key = strings(&ready["addresses"])[0].split("/p2p/").nth(1).expect("it tells its key").to_owned();
    let relay = Relay { rs, home, addresses: vec![format!("/ip4/{RELAY}/tcp/443/tls/ws/p2p/{key}")] };

    let trusted = web.file("web.pem");
    let home = Home::new();
    let start = lab.host.end.rs(&home, "host --json --yes --no-lan --capture pattern --panel none");
    let mut host = Host::started(home, start.arg("--relay").arg(&relay.addresses[0]).env("SSL_CERT_FILE", &trusted));
    host.is_reachable_by_id();
    let connect = format!("connect --json --password-stdin --no-lan --view none {}", host.id);

    let home = Home::new();
    let start = lab.viewer.end.rs(&home, &connect).arg("--relay").arg(&relay.addresses[0]);
    let mut stranger = Viewer::started(home, start, &host.password);
    let ended = stranger.rs.ended();
    assert!(ended.code == Some(3) && ended.stderr.contains("certificate"), "nobody vouches for it: {}", ended.stderr);

    let home = Home::new();
    let start = lab.viewer.end.rs(&home, &connect).arg("--relay").arg(&relay.addresses[0]).env("SSL_CERT_FILE", &trusted);
    let mut viewer = Viewer::started(home, start, &host.password);
    assert_eq!(way_of(&mut host, &mut viewer, Way::Relayed), Way::Relayed);
}
