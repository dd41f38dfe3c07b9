//! A session that moves to another path loses nothing: two people talk all the time, every line comes once and in order.

use std::time::{Duration, Instant};

use super::{
    lab::{Lab, Machine, RELAY, public, wanted},
    nat::Kind,
    session::{self, fixed},
    support::{
        machine::{Host, Viewer},
        rs::Rs,
        until_true,
    },
};

/// Between two lines of each side.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a change of path may take: the second hole punch comes ten seconds after the first.
const CHANGE: Duration = Duration::from_secs(30);
/// How many lines are said after a change.
const AFTER: usize = 20;

#[test]
fn nothing_is_lost_in_a_promotion_and_a_silent_cut() {
    if !wanted() {
        return;
    }
    let lab = Lab::new(Kind::Cone, Kind::Cone);
    let relay = session::relay(&lab.relay, &[&format!("/ip4/{RELAY}")]);
    let host = session::host(&lab.host.end, &relay.addresses, &fixed());
    cut(&lab.internet);
    let viewer = session::viewer(&lab.viewer.end, &relay.addresses, &host, &fixed());
    assert_eq!(viewer.rs.expect("connected")["path"]["kind"], "relayed");
    viewer.is_in_session();

    let mut talk = Talk { host, viewer, said: 0 };
    lab.internet.run("nft delete table ip cut");
    talk.until_path_is("direct");
    cut(&lab.internet);
    talk.until_path_is("relayed");
    talk.all_came_once_and_in_order();
    assert!(talk.viewer.rs.seen("stalled").is_empty(), "the relayed path was kept, so there always was one");
}

/// The two public addresses cannot reach each other any more, and nobody is told.
fn cut(internet: &Machine) {
    let [one, other] = [public(1).0, public(2).0];
    let drops = format!("ip saddr {one} ip daddr {other} drop; ip saddr {other} ip daddr {one} drop;");
    internet.filter(&format!("table ip cut {{ chain through {{ type filter hook forward priority filter; {drops} }}; }}"));
}

/// Two people who talk at the same time.
struct Talk {
    host: Host,
    viewer: Viewer,
    said: usize,
}

impl Talk {
    /// Until some lines after the viewer told that its path is of this kind.
    #[track_caller]
    fn until_path_is(&mut self, kind: &str) {
        let deadline = Instant::now() + CHANGE;
        loop {
            assert!(Instant::now() < deadline, "the path did not become {kind}");
            self.say();
            if self.viewer.rs.wait_for("path", PAUSE, |path| path["kind"] == kind).is_some() {
                break;
            }
        }
        for _ in 0..AFTER {
            self.say();
            std::thread::sleep(PAUSE);
        }
    }

    /// The next line on both sides.
    fn say(&mut self) {
        for rs in [&mut self.host.rs, &mut self.viewer.rs] {
            rs.send(&format!("chat {}", self.said));
        }
        self.said += 1;
    }

    #[track_caller]
    fn all_came_once_and_in_order(&self) {
        let all: Vec<String> = (0..self.said).map(|number| number.to_string()).collect();
        for (rs, from) in [(&self.host.rs, "viewer"), (&self.viewer.rs, "host")] {
            until_true("the last line came", || heard(rs, from).last() == all.last());
            assert_eq!(heard(rs, from), all, "what the {from} said");
        }
    }
}

/// The chat lines that came from the other side so far.
fn heard(rs: &Rs, from: &str) -> Vec<String> {
    let lines = rs.seen("chat").into_iter().filter(|chat| chat["from"] == from);
    lines.filter_map(|chat| chat["text"].as_str().map(str::to_owned)).collect()
}
