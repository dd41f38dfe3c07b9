//! Each page, laid out without a window: what a screen reader is told of it, and what is to be seen on a small screen.

use std::time::Duration;

use egui::{
    Context, RawInput, Rect,
    accesskit::{Node, Role},
    vec2,
};

use super::*;
use crate::{
    protocol::{
        message::{EndReason, Holder},
        permission::Permissions,
    },
    ui::event::{HostEvent, Side, Summary, Transfer, TransferState, Viewer},
};

/// A window as high as most screens let it be, and one on a small screen with large letters.
const HEIGHTS: [f32; 2] = [720.0, 252.0];

fn event(name: &str) -> HostEvent {
    let (session, viewer) =
        ("s1".to_owned(), Viewer { name: "Anna".repeat(16), key: "1a2b3c4d".to_owned(), known: false, since: None });
    let permissions = Permissions::all();
    match name {
        "ready" => {
            let (id, link) = ("1234-5678-9012-3456".to_owned(), "rs://1234-5678-9012-3456".to_owned());
            HostEvent::Ready { id, password: Some("kebo-76-lima".to_owned()), link, listen: Vec::new() }
        }
        "request" => HostEvent::Request { session, viewer, wants: permissions, code: "123 456".to_owned(), pause: 0 },
        "started" => HostEvent::SessionStarted { session, viewer, permissions },
        "driven" => HostEvent::Control { session, holder: Holder::Remote },
        "file" => {
            let (name, state) = ("a.pdf".to_owned(), TransferState::Running);
            let transfer =
                Transfer { number: 1, from: Side::Viewer, name, size: 9, done: 4, state, file: None, blake3: None, reason: None };
            HostEvent::File { session, transfer }
        }
        _ => {
            let summary = Summary { log: Some("/home/anna/log.txt".into()), ..Summary::default() };
            HostEvent::SessionEnded { session, reason: EndReason::ViewerLeft, seconds: 754, summary }
        }
    }
}

/// The page after these events, at this height of the window: all that a screen reader is told, and how high it would be.
fn page(events: &str, height: f32) -> (Vec<Node>, f32) {
    let (now, mut model, mut view) = (Instant::now(), Model::default(), View::default());
    events.split_whitespace().for_each(|name| model.follow(event(name), now));
    let context = Context::default();
    look::dress(&context);
    context.enable_accesskit();
    let (mut nodes, mut wanted) = (Vec::new(), 0.0);
    // The second time it knows how high everything is.
    for _ in 0..2 {
        let screen_rect = Some(Rect::from_min_size(egui::Pos2::ZERO, vec2(348.0, height)));
        let input = RawInput { screen_rect, ..RawInput::default() };
        let output = context.run_ui(input, |ui| wanted = view.show(ui, &mut model, now + Duration::from_secs(1)));
        nodes = output
            .platform_output
            .accesskit_update
            .map(|update| update.nodes.into_iter().map(|(_, node)| node).collect())
            .unwrap_or_default();
    }
    (nodes, wanted)
}

fn named<'a>(nodes: &'a [Node], name: &str) -> Option<&'a Node> {
    nodes.iter().find(|node| node.label() == Some(name))
}

#[test]
fn a_screen_reader_is_told_what_each_thing_is_on_every_page() {
    for (events, expected) in [
        ("ready", &["Copy the ID", "Copy the password", "Change the password", "Stop hosting", "Show one line only"][..]),
        ("ready request", &["Allow", "Deny", "See the screen", "Exchange files"]),
        (
            "ready started driven file",
            &["Take control back", "End", "Use the mouse", "Use the mouse: no limit", "Message", "Send", "a.pdf"],
        ),
        ("ready started end", &["Copy the path of the log", "OK"]),
    ] {
        let (nodes, _) = page(events, HEIGHTS[0]);
        for name in expected {
            assert!(named(&nodes, name).is_some(), "{events}: {name}");
        }
        let acts = [Role::Button, Role::CheckBox, Role::TextInput, Role::ProgressIndicator, Role::Image];
        for node in nodes.iter().filter(|node| acts.contains(&node.role())) {
            let says = |label: &str| label.chars().filter(|character| character.is_alphabetic()).count() > 1;
            assert!(node.label().is_some_and(says), "{events}: {node:?}");
        }
    }
}

#[test]
fn what_answers_or_ends_is_to_be_seen_on_the_smallest_screen() {
    for (events, expected) in [
        ("ready request", &["Allow", "Deny"][..]),
        ("ready started driven file", &["Take control back", "End", "Message"]),
        ("ready started end", &["OK"]),
    ] {
        for height in HEIGHTS {
            let (nodes, wanted) = page(events, height);
            for name in expected {
                let bounds = named(&nodes, name).and_then(Node::bounds).unwrap_or_else(|| panic!("{events}: {name}"));
                assert!(bounds.y0 >= 0.0 && bounds.y1 <= f64::from(height), "{events}, {height}: {name} at {bounds:?}");
            }
            assert!(wanted > HEIGHTS[1] || events.ends_with("end"), "it asks for the room that it needs: {wanted}");
        }
    }
}
