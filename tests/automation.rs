//! `docs/AUTOMATION.md` is held to the code: its examples are what the types say, its lines are understood, its script runs.

#[path = "support/mod.rs"]
mod support;

use std::{
    collections::BTreeSet,
    fmt::Debug,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use rs::{
    cli::ExitCode,
    ui::{
        event::{HostEvent, ViewerEvent},
        headless::viewer_line,
        lines::host_line,
        words,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use support::{
    machine::{Home, Host, on_loopback},
    rs::{Start, binary},
};

fn document() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/AUTOMATION.md")).expect("it is there")
}

/// What stands under this heading.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let start = document.find(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("there is no \"{heading}\""));
    let section = &document[start + 1..];
    section.find("\n## ").map_or(section, |end| &section[..end])
}

/// The first cells of the section's table, without the marks of code.
fn commands(section: &str) -> Vec<&str> {
    section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |")).map(|(command, _)| command).collect()
}

/// Each example is what the type writes, and every kind of event there is has one, under its name.
#[track_caller]
fn events_are_documented<Event: Serialize + DeserializeOwned + Debug>(section: &str) {
    let examples: Vec<&str> = section.lines().filter(|line| line.starts_with("{\"event\":")).collect();
    let mut documented = BTreeSet::new();
    for example in examples {
        let event: Event = serde_json::from_str(example).unwrap_or_else(|error| panic!("{error}: {example}"));
        assert_eq!(words::json(&event), example);
        let value: Value = serde_json::from_str(example).expect("JSON");
        let name = value["event"].as_str().expect("a name").to_owned();
        assert!(section.contains(&format!("**`{name}`**")), "{name} is not explained");
        documented.insert(name);
    }
    assert_eq!(documented, kinds::<Event>());
}

/// The names of all events, from what serde says when there is no such one.
fn kinds<Event: DeserializeOwned + Debug>() -> BTreeSet<String> {
    let error = serde_json::from_value::<Event>(json!({ "event": "?" })).expect_err("there is none of this name").to_string();
    let list = error.split_once("expected one of ").expect("a list").1;
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_event_is_documented_as_it_is() {
    let document = document();
    events_are_documented::<HostEvent>(section(&document, "What a host tells"));
    events_are_documented::<ViewerEvent>(section(&document, "What a viewer tells"));
}

#[test]
fn every_documented_line_is_understood_and_no_other_is_possible() {
    let document = document();
    let words =
        |lines: &[&str]| lines.iter().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect::<BTreeSet<_>>();
    // What a wrong line is told is possible.
    let possible = |told: String| {
        let list = told.split_once("; type ").expect("a list").1.replace(" or ", ", ");
        list.split(", ").map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect::<BTreeSet<_>>()
    };
    let host = commands(section(&document, "Lines for a host"));
    host.iter().for_each(|line| assert!(!host_line(line).expect(line).is_empty(), "{line}"));
    assert_eq!(words(&host), possible(host_line("?").expect_err("no such line")));
    let viewer = commands(section(&document, "Lines for a viewer"));
    viewer.iter().for_each(|line| assert!(!viewer_line(line).expect(line).is_empty(), "{line}"));
    assert_eq!(words(&viewer), possible(viewer_line("?").expect_err("no such line")));
}

#[test]
fn every_exit_code_is_documented() {
    let document = document();
    let table = section(&document, "Exit codes");
    let codes: Vec<&str> =
        table.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(' ')).map(|(code, _)| code).collect();
    let all = (0..=ExitCode::IdentityChanged as u8).map(|code| code.to_string()).collect::<Vec<_>>();
    assert_eq!(codes.into_iter().filter(|code| code.parse::<u8>().is_ok()).collect::<Vec<_>>(), all);
}

/// A host without a person, with a permanent password and a folder for files.
fn unattended() -> (Host, String) {
    let home = Home::new();
    let mut rotate = Start::new(home.path(), "rotate-password --permanent --json").go();
    let password = rotate.expect("password-rotated")["password"].as_str().expect("text").to_owned();
    rotate.ended();
    let line = format!(
        "host --json --no-lan --capture pattern --panel none --yes --password permanent --files {}",
        home.file("files").display()
    );
    let start = on_loopback(&home, &line);
    (Host::started(home, start), password)
}

#[test]
fn the_script_fixes_every_machine_and_tells_of_the_one_it_cannot() {
    let document = document();
    let script = section(&document, "Example: ten machines from a loop");
    let script = script.split_once("```sh\n").and_then(|(_, rest)| rest.split_once("```")).expect("a script").0;
    let home = Home::new();
    let (fix, machines, file) = (home.file("fix.sh"), home.file("machines"), home.file("proxy.conf"));
    fs::write(&fix, script).expect("written");
    fs::write(&file, "proxy = none\n").expect("written");
    let hosts: Vec<(Host, String)> = (0..3).map(|_| unattended()).collect();
    let line = |(index, (host, password)): (usize, &(Host, String))| {
        let password = if index == 1 { "wrong-password" } else { password };
        format!("{} {password}\n", host.direct("quic-v1"))
    };
    fs::write(&machines, hosts.iter().enumerate().map(line).collect::<String>()).expect("written");

    let path = format!("{}:{}", binary().parent().expect("a folder").display(), std::env::var("PATH").unwrap_or_default());
    let mut run = Command::new("sh");
    run.arg(&fix).arg(&machines).arg(&file).current_dir(home.path()).env("PATH", path).env("RS_HOME", home.file("state"));
    run.env_remove("RS_PASSWORD").env_remove("DISPLAY").stdin(Stdio::null());
    let output = run.output().expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for (index, (host, _)) in hosts.iter().enumerate() {
        let (result, done) = if index == 1 { ("failed with code 4", false) } else { ("is done", true) };
        assert!(said.lines().any(|line| line == format!("{} {result}", host.id)), "{said}");
        assert_eq!(host.home.file("files/proxy.conf").exists(), done);
        assert_eq!(home.file(&format!("{}.png", host.id)).exists(), done);
        if done {
            assert_eq!(fs::read_to_string(host.home.file("files/proxy.conf")).expect("there"), "proxy = none\n");
            assert_eq!(host.rs.expect("chat")["text"], "proxy.conf is in your folder for files");
        }
    }
}
