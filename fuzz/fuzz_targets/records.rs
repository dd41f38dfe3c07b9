//! A session that gets any records, on two paths, in any order and at any time: it never panics, and says nothing after its end.
//! The first byte is the side; then follow an event, milliseconds (a byte) and a record with its length.

#![no_main]

use std::time::{Duration, Instant};

use rs_fuzz::{
    next,
    protocol::session::{
        Event, Input, Lane, Output, Role, Session,
        path::{Carrier, PathId, PathKind},
    },
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut rest = data;
    let Some(side) = rest.split_off_first() else { return };
    let role = if side & 1 == 0 { Role::Host } else { Role::Viewer };
    let mut now = Instant::now();
    let mut session = Session::new(role, Duration::from_secs(1), now);
    session.handle_input(now, Input::PathUp(PathId(0), PathKind::Direct, Carrier::Quic));
    let mut has_ended = drain(&mut session, now);
    while let Some(&[event, after]) = rest.split_off(..2) {
        now += Duration::from_millis(after.into());
        let path = PathId(u64::from(event >> 4 & 1));
        let lane = match event >> 5 & 3 {
            0 | 3 => Lane::Control,
            1 => Lane::Video,
            _ => Lane::Bulk,
        };
        match event & 15 {
            0 => session.handle_input(now, Input::Timeout),
            1 => session.handle_input(now, Input::PathDown(path)),
            2 => session.handle_input(now, Input::PathUp(path, PathKind::Relayed, Carrier::Tcp)),
            _ => session.handle_input(now, Input::Received { path, lane, record: next(&mut rest).unwrap_or_default() }),
        }
        let ends = drain(&mut session, now);
        assert!(!(has_ended && ends), "it ended twice");
        has_ended |= ends;
    }
});

/// Does what the session wants, as its owner would; whether it ended.
fn drain(session: &mut Session, now: Instant) -> bool {
    let mut has_ended = false;
    loop {
        match session.poll_output() {
            Output::Timeout(_) => return has_ended,
            Output::Transmit { .. } => {}
            Output::Event(Event::WantPicture(_)) => session.send_picture(now, vec![7; 100]),
            Output::Event(Event::Picture(_)) => session.picture_done(now),
            Output::Event(Event::WantBulk(room)) => session.send_bulk(now, vec![7; room.min(100)]),
            Output::Event(Event::Bulk(_)) => session.bulk_done(now),
            Output::Event(Event::Ended(_)) => has_ended = true,
            Output::Event(_) => assert!(!has_ended, "something follows the end"),
        }
    }
}
