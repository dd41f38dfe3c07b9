//! Events in words: one friendly line each, and the same events as JSON lines.
//!
//! Whatever a peer wrote is shown with control characters, escape sequences and direction overrides taken out: a chat line or
//! a name cannot move the cursor, colour the terminal or pretend to be another line.

use std::fmt::Write as _;

use serde::Serialize;

use super::{
    event::{Copied, CopiedKind, HostEvent, Reach, Screens, Side, Summary, Timer, Transfer, TransferState, Viewer, ViewerEvent},
    figures::{HostFigures, LinkFigures, PictureFigures, Stats},
};
use crate::protocol::{
    message::EndReason,
    message::Holder,
    permission::Permissions,
    screens::{Choice, ScreenInfo},
};

/// What everybody should know who lets somebody in for the first time.
pub const SCAM: &str = "Never let in somebody who called you: no bank, no Microsoft and no police ever asks for this.";

/// `text` made safe to show: control characters and direction overrides become `�`, line ends and tabs become spaces.
#[must_use]
pub fn plain(text: &str) -> String {
    let neutral = |character: char| match character {
        '\n' | '\r' | '\t' => ' ',
        other if is_unruly(other) => char::REPLACEMENT_CHARACTER,
        other => other,
    };
    text.chars().map(neutral).collect()
}

/// Whether it moves a cursor, ends a line, or has text beside it read in another direction.
fn is_unruly(character: char) -> bool {
    let turns = matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || matches!(character, '\u{2028}' | '\u{2029}') || character.is_control()
}

/// An event as one JSON line, without the line's end. Control characters are escaped, those of Unicode too, so that even
/// this is safe to look at.
#[must_use]
pub fn json<Event: Serialize>(event: &Event) -> String {
    let text = serde_json::to_string(event)
        .unwrap_or_else(|error| format!(r#"{{"event":"warning","text":"an event was lost: {error}"}}"#));
    escaped(&text)
}

/// JSON that holds no control character, those of Unicode included: safe to look at, and the same value.
#[must_use]
pub fn escaped(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    for character in json.chars() {
        if is_unruly(character) {
            let _ = write!(line, "\\u{:04x}", u32::from(character));
        } else {
            line.push(character);
        }
    }
    line
}

/// `12 minutes`, `1 hour 5 minutes`, `40 seconds`.
#[must_use]
pub fn duration(seconds: u64) -> String {
    let count = |number: u64, unit: &str| format!("{number} {unit}{}", if number == 1 { "" } else { "s" });
    match seconds {
        0..60 => count(seconds, "second"),
        60..3600 => count(seconds / 60, "minute"),
        _ if seconds % 3600 < 60 => count(seconds / 3600, "hour"),
        _ => format!("{} {}", count(seconds / 3600, "hour"), count(seconds % 3600 / 60, "minute")),
    }
}

/// Why a session ended, as seen by `side`.
#[must_use]
pub fn reason(reason: EndReason, side: Side) -> &'static str {
    match (reason, side) {
        (EndReason::HostEnded, Side::Host) => "you ended it",
        (EndReason::HostEnded, Side::Viewer) => "the host's user ended it",
        (EndReason::ViewerLeft, Side::Host) => "the viewer left",
        (EndReason::ViewerLeft, Side::Viewer) => "you left",
        (EndReason::PasswordRotated, _) => "the password was changed",
        (EndReason::HostQuit, Side::Host) => "rs was stopped here",
        (EndReason::HostQuit, Side::Viewer) => "rs was stopped on the host",
        (EndReason::Lost, _) => "the connection was lost and did not come back",
        (EndReason::ProtocolError, _) => "the other side sent something wrong",
        (EndReason::ScreenLost, Side::Host) => "the screen can no longer be captured",
        (EndReason::ScreenLost, Side::Viewer) => "the host's screen can no longer be captured",
    }
}

/// How others reach this machine, in words.
#[must_use]
pub fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::Relayed => "from everywhere, by the ID",
        Reach::Lan => "on this network by the ID, from elsewhere by ID@ADDRESS",
        Reach::Direct => "by ID@ADDRESS only",
    }
}

/// `ID@HOST:PORT`, for somebody who must dial this machine itself; `listen` are its multiaddrs. The first one that leads out of it.
#[must_use]
pub fn at_address(id: &str, listen: &[String]) -> Option<String> {
    let plain = |address: &String| {
        let mut parts = address.split('/').skip(1);
        match (parts.next()?, parts.next()?, parts.next()?, parts.next()?) {
            ("ip4", ip, "udp" | "tcp", port) => Some((ip.starts_with("127."), format!("{id}@{ip}:{port}"))),
            ("ip6", ip, "udp" | "tcp", port) => Some((ip == "::1" || ip.starts_with("fe80"), format!("{id}@[{ip}]:{port}"))),
            _ => None,
        }
    };
    listen.iter().filter_map(plain).min_by_key(|(stays_here, _)| *stays_here).map(|(_, text)| text)
}

/// `Anna (key 1a2b3c4d, here for the first time)`.
#[must_use]
pub fn viewer(viewer: &Viewer) -> String {
    format!("{} (key {}, {})", plain(&viewer.name), plain(&viewer.key), known(viewer))
}

/// `known since 2026-11-20`, `here for the first time`.
#[must_use]
pub fn known(viewer: &Viewer) -> String {
    match (&viewer.since, viewer.known) {
        (Some(since), _) => format!("known since {}", plain(since)),
        (None, true) => "was here before".to_owned(),
        (None, false) => "here for the first time".to_owned(),
    }
}

/// What a session transferred: `12.3 MB of picture, 2 files with 1.2 MB`.
#[must_use]
pub fn summary(summary: &Summary) -> String {
    let Summary { picture_bytes, files, file_bytes, .. } = summary;
    let picture = format!("{} of picture", bytes(*picture_bytes));
    match files {
        0 => picture,
        1 => format!("{picture}, 1 file with {}", bytes(*file_bytes)),
        files => format!("{picture}, {files} files with {}", bytes(*file_bytes)),
    }
}

/// `12:00` of a chat line's time stamp.
#[must_use]
pub fn clock(at: &str) -> &str {
    at.get(11..16).filter(|clock| clock.chars().all(|sign| sign.is_ascii_digit() || sign == ':')).unwrap_or("--:--")
}

/// What the picture shows of the screens there are: `DP-1 (screen 1, one of 3)`, `all 3 screens`, `the whole screen`.
#[must_use]
pub fn shown(screens: &Screens) -> String {
    let count = screens.screens.len();
    match screens.shown {
        Choice::One(index) => {
            let name = screens.screens.get(usize::from(index)).map(|screen| plain(&screen.name)).unwrap_or_default();
            if count > 1 { format!("{name} (screen {index}, one of {count})") } else { format!("the screen {name}") }
        }
        Choice::All if count == 2 => "both screens".to_owned(),
        Choice::All if count > 2 => format!("all {count} screens"),
        Choice::All => "the whole screen".to_owned(),
    }
}

/// `0 DP-1 1920x1080, 1 HDMI-1 1280x1024`.
fn list(screens: &Screens) -> String {
    let line =
        |(index, screen): (usize, &ScreenInfo)| format!("{index} {} {}x{}", plain(&screen.name), screen.width, screen.height);
    screens.screens.iter().enumerate().map(line).collect::<Vec<_>>().join(", ")
}

fn path(kind: &str, transport: &str, rtt_ms: Option<u64>) -> String {
    let rtt = rtt_ms.map(|rtt| format!(", round trip {rtt} ms")).unwrap_or_default();
    format!("{}, {}{rtt}", plain(kind), plain(transport))
}

fn chat(from: Side, own: Side, text: &str) -> String {
    let who = match (from == own, from) {
        (true, _) => "you",
        (false, Side::Host) => "host",
        (false, Side::Viewer) => "viewer",
    };
    format!("{who}: {}", plain(text))
}

fn may(permissions: Permissions) -> String {
    if permissions == Permissions::NONE { "nothing at the moment".to_owned() } else { permissions.to_string() }
}

/// `, mouse for 10 minutes`, or nothing.
fn until(timers: &[Timer]) -> String {
    timers.iter().map(|timer| format!(", {} for {}", timer.permission.name(), duration(timer.seconds))).collect()
}

fn finished(seconds: u64, why: &str, told: &Summary) -> String {
    let log = told.log.as_ref().map(|log| format!(" The log is in {}", plain(&log.display().to_string()))).unwrap_or_default();
    format!("The session is finished after {}: {why}. Transferred: {}.{log}", duration(seconds), summary(told))
}

fn delivered(number: u64) -> String {
    format!("Your chat line {number} arrived.")
}

/// A file on its way, as one side's person reads it.
pub(super) fn file(transfer: &Transfer, own: Side) -> String {
    let Transfer { from, name, size, done, state, file, reason, .. } = transfer;
    let (name, size) = (plain(name), bytes(*size));
    let place = file.as_ref().map(|file| plain(&file.display().to_string())).unwrap_or_default();
    let reason = plain(reason.as_deref().unwrap_or("no reason was given"));
    let is_ours = *from == own;
    match state {
        TransferState::Offered if is_ours => format!("{name} ({size}) is offered."),
        TransferState::Offered => format!("{} Type save {1} or refuse {1}.", offer(transfer), transfer.number),
        TransferState::Running => format!("{name}: {} of {size}", bytes(*done)),
        TransferState::Paused => format!("{name} waits at {} of {size} until the connection is back.", bytes(*done)),
        TransferState::Done if is_ours => format!("{name} ({size}) arrived, and was verified."),
        TransferState::Done => format!("{name} ({size}) is verified, and in {place}"),
        TransferState::Failed => format!("{name} was not transferred: {reason}."),
        TransferState::Refused => format!("{name} was refused: {reason}."),
    }
}

/// The other side's file, before anybody said yes.
pub(super) fn offer(transfer: &Transfer) -> String {
    format!("{} ({}) is offered to you.", plain(&transfer.name), bytes(transfer.size))
}

/// What was copied and where it went.
pub(super) fn clipboard(from: Side, own: Side, copied: &Copied) -> String {
    let whose = if from == own { "from your clipboard is on the other side's" } else { "from the other side is on your clipboard" };
    format!("{} ({}) {whose}.", self::copied(copied.kind), bytes(copied.bytes))
}

/// What was copied, at the beginning of a sentence.
#[must_use]
pub fn copied(kind: CopiedKind) -> &'static str {
    match kind {
        CopiedKind::Text => "Text",
        CopiedKind::Image => "A picture",
    }
}

/// `512 bytes`, `1.5 kB`, `2.0 GB`.
#[expect(clippy::cast_precision_loss, reason = "a size for people")]
#[must_use]
pub fn bytes(count: u64) -> String {
    let scaled = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")].into_iter().find(|(unit, _)| count as f64 >= *unit);
    scaled.map_or_else(|| format!("{count} bytes"), |(unit, name)| format!("{:.1} {name}", count as f64 / unit))
}

/// A host's event in one line.
#[must_use]
pub fn host(event: &HostEvent) -> String {
    match event {
        HostEvent::Ready { id, password, link, listen } => {
            let password = password.as_ref().map(|password| format!(" and the password {password}")).unwrap_or_default();
            let address = at_address(id, listen).map(|address| format!("; by address: {address}")).unwrap_or_default();
            format!("Ready. Tell the helper your ID {id}{password} (link: {link}{address})")
        }
        HostEvent::Reachable { kind } => format!("Others reach this machine {}.", reach(*kind)),
        HostEvent::Request { viewer: who, wants, code, pause, .. } => {
            let warning = if who.known { String::new() } else { format!(" {SCAM}") };
            let pause = if *pause > 0 { format!(" Take your time: a yes is taken in {pause} s.") } else { String::new() };
            let asks = format!("{} asks for: {wants}. They see the code {}.", viewer(who), plain(code));
            format!("{asks}{warning}{pause} Type accept or deny.")
        }
        HostEvent::RequestOver { .. } => "The question is over.".to_owned(),
        HostEvent::SessionStarted { viewer: who, permissions, .. } => {
            format!("The session runs: {} may: {}. Type end to end it.", viewer(who), may(*permissions))
        }
        HostEvent::Path { kind, transport, rtt_ms, .. } => format!("Path: {}.", path(kind, transport, *rtt_ms)),
        HostEvent::Chat { from, text, .. } => chat(*from, Side::Host, text),
        HostEvent::ChatDelivered { number, .. } => delivered(*number),
        HostEvent::File { transfer, .. } => file(transfer, Side::Host),
        HostEvent::Clipboard { from, copied, .. } => clipboard(*from, Side::Host, copied),
        HostEvent::Control { holder: Holder::Local, .. } => {
            "You are in control. Type allow control to give it back to the viewer.".to_owned()
        }
        HostEvent::Control { holder: Holder::Remote, .. } => {
            "The viewer is in control. Touch mouse or keyboard to take control back; Ctrl+Alt+Shift+Escape ends everything."
                .to_owned()
        }
        HostEvent::Permissions { permissions, timers, .. } => format!("The viewer may: {}{}.", may(*permissions), until(timers)),
        HostEvent::Screens { screens, .. } => format!("The viewer sees {}.", shown(screens)),
        HostEvent::Stats { session, figures } => format!("{}: {}", plain(session), host_stats(figures)),
        HostEvent::Stalled { viewer, .. } => {
            format!("The connection to {} is interrupted; waiting for it to come back.", plain(viewer))
        }
        HostEvent::Resumed { viewer, .. } => format!("{} is connected again.", plain(viewer)),
        HostEvent::PasswordRotated { password } => format!("The password is now {password}"),
        HostEvent::SessionEnded { reason: why, seconds, summary, .. } => finished(*seconds, reason(*why, Side::Host), summary),
        HostEvent::Warning { text } => plain(text),
        HostEvent::Pointer { at: Some((x, y)), .. } => format!("The viewer points at {x}, {y}."),
        HostEvent::Pointer { at: None, .. } => "The viewer points no more.".to_owned(),
    }
}

/// A viewer's event in one line.
#[must_use]
pub fn viewed(event: &ViewerEvent) -> String {
    match event {
        ViewerEvent::Connected { id, path: by } => format!("Connected to {}: {}.", plain(id), path(&by.kind, &by.transport, None)),
        ViewerEvent::Waiting { code: None } => "Waiting: the host's user is being asked.".to_owned(),
        ViewerEvent::Waiting { code: Some(code) } => {
            format!("Waiting: the host's user is being asked, and sees the code {}.", plain(code))
        }
        ViewerEvent::Granted { permissions } => format!("Granted. You may: {}.", may(*permissions)),
        ViewerEvent::Permissions { permissions, timers } => format!("You may now: {}{}.", may(*permissions), until(timers)),
        ViewerEvent::Path { path: by, rtt_ms } => format!("Path: {}.", path(&by.kind, &by.transport, *rtt_ms)),
        ViewerEvent::Chat { from, text, .. } => chat(*from, Side::Viewer, text),
        ViewerEvent::ChatDelivered { number } => delivered(*number),
        ViewerEvent::File(transfer) => file(transfer, Side::Viewer),
        ViewerEvent::Clipboard { from, copied } => clipboard(*from, Side::Viewer, copied),
        ViewerEvent::Control { holder: Holder::Local } => "The host's user is in control.".to_owned(),
        ViewerEvent::Control { holder: Holder::Remote } => "You are in control.".to_owned(),
        ViewerEvent::Screens(screens) => format!("You see {}; there are: {}.", shown(screens), list(screens)),
        ViewerEvent::Picture { exact } => format!("The picture is {}.", exactness(*exact)),
        ViewerEvent::Screenshot { file, exact } => {
            format!("The picture ({}) is in {}", exactness(*exact), plain(&file.display().to_string()))
        }
        ViewerEvent::Pasted { file } => format!("What was copied at the host is in {}", plain(&file.display().to_string())),
        ViewerEvent::Stats(figures) => stats(figures),
        ViewerEvent::Stalled => "The connection is gone; trying to get it back.".to_owned(),
        ViewerEvent::Resumed => "The connection is back.".to_owned(),
        ViewerEvent::SessionEnded { reason: why, seconds, summary } => finished(*seconds, reason(*why, Side::Viewer), summary),
        ViewerEvent::HostWanted { wrong: None, .. } => "Which host is meant?".to_owned(),
        ViewerEvent::HostChosen { id, .. } => format!("Connecting to {}.", plain(id)),
        ViewerEvent::PasswordWanted { wrong: None } => "The host asks for a password.".to_owned(),
        ViewerEvent::HostWanted { wrong: Some(text), .. }
        | ViewerEvent::PasswordWanted { wrong: Some(text) }
        | ViewerEvent::Failed { text }
        | ViewerEvent::Warning { text } => plain(text),
    }
}

/// Whether the picture is what the host's screen was.
#[must_use]
pub fn exactness(exact: bool) -> &'static str {
    if exact { "exact" } else { "catching up" }
}

fn stats(figures: &Stats) -> String {
    let Stats { frames, picture_bytes, decode_ms_mean, rtt_ms, link, first_picture_ms, picture, .. } = figures;
    format!(
        "{}, {decode_ms_mean:.1} ms to decode one, {}, first picture after {}.",
        pictures(picture, *frames, *picture_bytes),
        way(*rtt_ms, link),
        milliseconds(*first_picture_ms),
    )
}

fn host_stats(figures: &HostFigures) -> String {
    let HostFigures { frames, picture_bytes, rtt_ms, link, picture, .. } = figures;
    format!("{}, {}.", pictures(picture, *frames, *picture_bytes), way(*rtt_ms, link))
}

#[expect(clippy::cast_precision_loss, reason = "a size in kB for people")]
fn pictures(picture: &PictureFigures, count: u64, bytes: u64) -> String {
    let PictureFigures { width, height, exact, pictures_per_s, .. } = picture;
    format!(
        "{width}x{height}, {}, {count} pictures in {:.1} kB, {pictures_per_s:.0} a second",
        exactness(*exact),
        bytes as f64 / 1000.0
    )
}

#[expect(clippy::cast_precision_loss, reason = "a rate in Mbit/s for people")]
fn way(rtt_ms: Option<u64>, link: &LinkFigures) -> String {
    let rate = link.rate_bps.map_or_else(|| "unknown".to_owned(), |rate| format!("{:.1} Mbit/s", rate as f64 / 1e6));
    format!("round trip {}, link {rate} with {} of queue", milliseconds(rtt_ms), milliseconds(link.queue_ms))
}

fn milliseconds(value: Option<u64>) -> String {
    value.map_or_else(|| "unknown".to_owned(), |value| format!("{value} ms"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_stamp_shows_hours_and_minutes_and_nothing_else() {
        assert_eq!(clock("2026-11-23T12:34:56+01:00"), "12:34");
        for wrong in ["", "2026-11-23T12", "2026-11-23T\u{1b}[2J:00", "ääääääääääää"] {
            assert_eq!(clock(wrong), "--:--");
        }
    }

    #[test]
    fn the_address_to_read_out_leads_out_of_the_machine() {
        let listen = ["/ip4/127.0.0.1/tcp/1/p2p/12D3", "/ip6/2001:db8::7/udp/2/quic-v1", "/ip4/192.0.2.7/tcp/3"].map(String::from);
        assert_eq!(at_address("ID", &listen).as_deref(), Some("ID@[2001:db8::7]:2"));
        assert_eq!(at_address("ID", &listen[..1]).as_deref(), Some("ID@127.0.0.1:1"));
        assert_eq!(at_address("ID", &["/unix/x".to_owned()]), None);
    }
}
