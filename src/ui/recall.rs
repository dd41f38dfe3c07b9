//! What a face that comes later must be told: a panel that was restarted in mid-session draws itself from this.
//!
//! [`Recall`] follows every event and keeps of each kind what is still true: the newest state, the question that waits, each session with
//! its chat. [`Recall::replay`] is the list to tell a new face before anything else. It is bounded: [`MAX_CHAT_LINES`] and [`MAX_FILES`] a
//! session, and the host bounds the sessions. Warnings, figures and where
//! somebody points are news, not state: they are not told again.
//!
//! Countdowns go on meanwhile, so time is an argument: a question is told with the rest of its pause, a permission with the rest of
//! its timer.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use super::event::{HostEvent, Side};

/// Chat lines remembered of a session; the oldest go first.
pub const MAX_CHAT_LINES: usize = 200;
/// Transfers of files remembered of a session; the oldest go first.
pub const MAX_FILES: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub struct Recall {
    ready: Option<HostEvent>,
    reachable: Option<HostEvent>,
    request: Option<(Instant, HostEvent)>,
    /// By the session's short name, in the order of their beginnings.
    sessions: Vec<(String, Session)>,
    /// The last session's end, until the next one begins.
    ended: Option<HostEvent>,
}

#[derive(Debug, Default)]
struct Session {
    /// Started, path, permissions, control, screens: the newest of each, in the order of [`State`].
    states: BTreeMap<State, (Instant, HostEvent)>,
    chat: VecDeque<HostEvent>,
    /// The newest mark of delivery.
    delivered: Option<HostEvent>,
    files: VecDeque<((Side, u32), HostEvent)>,
}

/// The kinds of a session's state, in the order in which a new face is told them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Started,
    Path,
    Permissions,
    Screens,
    Control,
}

impl Recall {
    /// Follows an event.
    pub fn follow(&mut self, now: Instant, event: &HostEvent) {
        match event {
            HostEvent::Ready { .. } => self.ready = Some(event.clone()),
            HostEvent::Reachable { .. } => self.reachable = Some(event.clone()),
            HostEvent::PasswordRotated { password: new } => {
                if let Some(HostEvent::Ready { password, .. }) = &mut self.ready {
                    *password = Some(new.clone());
                }
            }
            HostEvent::Request { .. } => self.request = Some((now, event.clone())),
            HostEvent::RequestOver { .. } => self.request = None,
            HostEvent::SessionStarted { session, .. } => {
                (self.request, self.ended) = (None, None);
                self.sessions.retain(|(name, _)| name != session);
                self.sessions.push((session.clone(), Session::default()));
                self.state(now, session, State::Started, event);
            }
            HostEvent::Path { session, .. } => self.state(now, session, State::Path, event),
            HostEvent::Permissions { session, .. } => self.state(now, session, State::Permissions, event),
            HostEvent::Screens { session, .. } => self.state(now, session, State::Screens, event),
            HostEvent::Control { session, .. } => self.state(now, session, State::Control, event),
            HostEvent::Chat { session, .. } => self.session(session, |kept| {
                kept.chat.push_back(event.clone());
                if kept.chat.len() > MAX_CHAT_LINES {
                    kept.chat.pop_front();
                }
            }),
            HostEvent::ChatDelivered { session, .. } => self.session(session, |kept| kept.delivered = Some(event.clone())),
            HostEvent::File { session, transfer } => {
                let key = (transfer.from, transfer.number);
                self.session(session, |kept| match kept.files.iter_mut().find(|(other, _)| *other == key) {
                    Some((_, newest)) => newest.clone_from(event),
                    None => {
                        kept.files.push_back((key, event.clone()));
                        if kept.files.len() > MAX_FILES {
                            kept.files.pop_front();
                        }
                    }
                });
            }
            HostEvent::SessionEnded { session, .. } => {
                self.sessions.retain(|(name, _)| name != session);
                self.ended = Some(event.clone());
            }
            HostEvent::Clipboard { .. } | HostEvent::Stats { .. } | HostEvent::Warning { .. } | HostEvent::Pointer { .. } => {}
            HostEvent::Stalled { .. } | HostEvent::Resumed { .. } => {}
        }
    }

    /// What a new face must be told, in order.
    #[must_use]
    pub fn replay(&self, now: Instant) -> Vec<HostEvent> {
        let mut events: Vec<HostEvent> = self.ready.iter().chain(&self.reachable).chain(&self.ended).cloned().collect();
        for (_, kept) in &self.sessions {
            events.extend(
                kept.states.values().map(|(told, event)| event.clone().after(now.saturating_duration_since(*told).as_secs())),
            );
            events.extend(kept.chat.iter().chain(&kept.delivered).cloned());
            events.extend(kept.files.iter().map(|(_, event)| event.clone()));
        }
        events.extend(self.request.iter().map(|(told, event)| event.clone().after(now.saturating_duration_since(*told).as_secs())));
        events
    }

    fn state(&mut self, now: Instant, session: &str, state: State, event: &HostEvent) {
        self.session(session, |kept| drop(kept.states.insert(state, (now, event.clone()))));
    }

    /// Changes what is kept of a session; of one that is not there nothing is.
    fn session(&mut self, session: &str, change: impl FnOnce(&mut Session)) {
        if let Some((_, kept)) = self.sessions.iter_mut().find(|(name, _)| name == session) {
            change(kept);
        }
    }
}

impl HostEvent {
    /// The same, told so many seconds later: countdowns are shorter by then.
    fn after(mut self, seconds: u64) -> Self {
        match &mut self {
            Self::Request { pause, .. } => *pause = pause.saturating_sub(seconds),
            Self::Permissions { timers, .. } => {
                timers.iter_mut().for_each(|timer| timer.seconds = timer.seconds.saturating_sub(seconds));
            }
            _ => {}
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        protocol::{
            message::{EndReason, Holder},
            permission::{Permission, Permissions},
        },
        ui::{
            event::{Reach, Summary, Timer, Transfer, TransferState, Viewer},
            words,
        },
    };

    fn anna() -> Viewer {
        Viewer { name: "Anna".to_owned(), key: "1a2b3c4d".to_owned(), known: false, since: None }
    }

    fn s1() -> String {
        "s1".to_owned()
    }

    fn ready() -> HostEvent {
        let (id, link) = ("9339-2522-7420-3124".to_owned(), "rs://9339252274203124".to_owned());
        HostEvent::Ready { id, password: Some("old".to_owned()), link, listen: Vec::new() }
    }

    fn request() -> HostEvent {
        HostEvent::Request { session: s1(), viewer: anna(), wants: Permissions::all(), code: "123 456".to_owned(), pause: 10 }
    }

    fn started() -> HostEvent {
        HostEvent::SessionStarted { session: s1(), viewer: anna(), permissions: Permissions::all() }
    }

    fn control(holder: Holder) -> HostEvent {
        HostEvent::Control { session: s1(), holder }
    }

    fn chat(number: u64) -> HostEvent {
        HostEvent::Chat { session: s1(), from: Side::Host, number, at: String::new(), text: "x".to_owned() }
    }

    fn file(number: u32, done: u64) -> HostEvent {
        let transfer = Transfer {
            number,
            from: Side::Viewer,
            name: "a".to_owned(),
            size: 9,
            done,
            state: TransferState::Running,
            file: None,
            blake3: None,
            reason: None,
        };
        HostEvent::File { session: s1(), transfer }
    }

    /// What a face that comes so many seconds later is told, as JSON.
    fn told(events: &[HostEvent], seconds: u64) -> Vec<String> {
        let (mut recall, now) = (Recall::default(), Instant::now());
        events.iter().for_each(|event| recall.follow(now, event));
        recall.replay(now + Duration::from_secs(seconds)).iter().map(words::json).collect()
    }

    fn json(events: &[HostEvent]) -> Vec<String> {
        events.iter().map(words::json).collect()
    }

    #[test]
    fn a_new_face_is_told_the_newest_of_each_state_and_no_news() {
        let events = [
            ready(),
            HostEvent::Reachable { kind: Reach::Lan },
            HostEvent::Reachable { kind: Reach::Relayed },
            request(),
            started(),
            control(Holder::Remote),
            HostEvent::Warning { text: "so".to_owned() },
            chat(1),
            control(Holder::Local),
        ];
        let expected = [ready(), HostEvent::Reachable { kind: Reach::Relayed }, started(), control(Holder::Local), chat(1)];
        assert_eq!(told(&events, 0), json(&expected));
    }

    #[test]
    fn countdowns_go_on_while_there_is_no_face() {
        let pause = |events: &[HostEvent], seconds| told(events, seconds).last().cloned().unwrap_or_default();
        assert!(pause(&[request()], 4).contains(r#""pause":6"#));
        assert!(pause(&[request()], 60).contains(r#""pause":0"#));
        let timers = vec![Timer { permission: Permission::Mouse, seconds: 600 }];
        let permissions = HostEvent::Permissions { session: s1(), permissions: Permissions::all(), timers };
        assert!(pause(&[started(), permissions], 61).contains(r#""timers":[{"permission":"mouse","seconds":539}]"#));
    }

    #[test]
    fn a_question_is_over_when_it_was_answered_or_withdrawn() {
        assert_eq!(told(&[request(), HostEvent::RequestOver { session: s1() }], 0), json(&[]));
        assert_eq!(told(&[request(), started()], 0), json(&[started()]));
    }

    #[test]
    fn the_end_takes_the_chat_along_and_stays_until_the_next_session() {
        let reason = EndReason::ViewerLeft;
        let ended = HostEvent::SessionEnded { session: s1(), reason, seconds: 7, summary: Summary::default() };
        assert_eq!(told(&[started(), chat(1), ended.clone()], 0), json(std::slice::from_ref(&ended)));
        assert_eq!(told(&[ended, started()], 0), json(&[started()]));
    }

    #[test]
    fn a_new_password_is_the_one_to_show() {
        let shown = told(&[ready(), HostEvent::PasswordRotated { password: "new".to_owned() }], 0);
        assert!(shown.len() == 1 && shown[0].contains(r#""password":"new""#), "{shown:?}");
    }

    #[test]
    fn what_is_kept_of_a_session_is_bounded_and_the_oldest_go() {
        let chats: Vec<HostEvent> = std::iter::once(started()).chain((1..=500).map(chat)).collect();
        assert_eq!(told(&chats, 0)[1..], json(&(301..=500).map(chat).collect::<Vec<_>>()));
        let files: Vec<HostEvent> = std::iter::once(started()).chain((1..=100).flat_map(|n| [file(n, 1), file(n, 2)])).collect();
        assert_eq!(told(&files, 0)[1..], json(&(37..=100).map(|n| file(n, 2)).collect::<Vec<_>>()));
        assert_eq!(told(&[chat(1), file(1, 1), control(Holder::Local)], 0), json(&[]), "of no session");
    }
}
