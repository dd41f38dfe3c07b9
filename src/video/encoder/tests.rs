//! What the encoder sends, played by the decoder: whatever happens on the screen, both sides show the same, what is called exact is, and
//! what is not becomes so.

use proptest::prelude::*;

use super::*;
use crate::video::{decoder::Decoder, frame::clear_x, payload::TILE};

const SIZE: Size = Size { width: 300, height: 200 };
/// From one capture to the next.
const STEP: Duration = Duration::from_millis(50);
const NO_BOUNDS: Budget = Budget { bytes: None, rate: None };

/// A screen, and the picture's way to a viewer.
struct Session {
    encoder: Encoder,
    decoder: Decoder,
    screen: Frame,
    /// What the viewer sees.
    shown: Frame,
    now: Duration,
    budget: Budget,
}

impl Session {
    fn new(is_lossless: bool, size: Size, budget: Budget) -> Self {
        Self {
            encoder: Encoder::new(is_lossless).unwrap(),
            decoder: Decoder::new(),
            screen: Frame::new(size),
            shown: Frame::new(Size { width: 1, height: 1 }),
            now: Duration::ZERO,
            budget,
        }
    }

    /// One capture, and all that must hold after it; the payload.
    fn send(&mut self, damage: &Damage) -> Option<Vec<u8>> {
        let payload = self.encoder.encode(&self.screen, damage, self.now, self.budget).unwrap();
        if let Some(payload) = &payload {
            let before = self.shown.clone();
            let told = self.decoder.decode(payload, &mut self.shown).unwrap();
            assert!(before.size() != self.shown.size() || tells_all_changes(&told, &before, &self.shown), "damage untold");
        }
        let is_same = self.shown == self.screen;
        assert!(self.shown == self.encoder.shown, "the sides show different things");
        assert!(!self.decoder.is_exact() || is_same, "called exact, and is not");
        assert_eq!(self.decoder.is_exact(), self.encoder.due().is_none(), "without a loss nothing is due, with one something is");
        assert!(is_same || self.budget.bytes.is_some() || self.encoder.due().is_some(), "a change was not sent");
        for (tile, rect) in self.encoder.tiles.iter().zip(self.screen.size().bounds().grid(TILE)) {
            assert!(tile.state != State::Exact || same_in(&self.shown, &self.screen, rect), "{rect:?} is believed to be exact");
        }
        payload
    }

    /// A capture of everything, a step later.
    fn next(&mut self) -> Option<Vec<u8>> {
        self.now += STEP;
        self.send(&Damage::full(self.screen.size()))
    }

    /// Time goes on and nothing changes; returns how many pictures it took until all was exact, and their bytes.
    fn settle(&mut self) -> (usize, usize) {
        let (mut pictures, mut bytes) = (0, 0);
        // A picture tells 300 bytes at least, or a piece.
        let most = 20 + self.screen.size().pixels() / 128;
        while let Some(due) = self.encoder.due() {
            self.now = due.max(self.now + STEP);
            let payload = self.send(&Damage::none()).expect("what is due is sent");
            pictures += 1;
            bytes += payload.len();
            assert!(pictures <= most, "not exact after {pictures} pictures");
        }
        assert!(self.shown == self.screen && self.decoder.is_exact());
        assert_eq!(self.next(), None, "nothing changed");
        (pictures, bytes)
    }
}

/// Whether a face that repaints only `told` shows `after`.
fn tells_all_changes(told: &Damage, before: &Frame, after: &Frame) -> bool {
    let mut face = before.clone();
    told.rects().iter().for_each(|rect| face.copy_rect(after, *rect));
    face == *after
}

fn same_in(a: &Frame, b: &Frame, rect: Rect) -> bool {
    (rect.y..rect.y + rect.height).all(|y| a.row(rect.x, y, rect.width) == b.row(rect.x, y, rect.width))
}

fn paint(screen: &mut Frame, at: Rect, mut pixel: impl FnMut(u16, u16) -> [u8; 4]) {
    let Some(at) = at.clamp(screen.size()) else { return };
    for y in at.y..at.y + at.height {
        let row = screen.row_mut(at.x, y, at.width).as_chunks_mut::<4>().0;
        (at.x..).zip(&mut *row).for_each(|(x, to)| *to = pixel(x, y));
        clear_x(row.as_flattened_mut());
    }
}

fn noise(seed: u32) -> impl FnMut(u16, u16) -> [u8; 4] {
    let mut state = seed | 1;
    move |_, _| {
        state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        (state ^ (state >> 15)).to_le_bytes()
    }
}

/// A sky with some grain, at a time of the day.
fn photo(seed: u32) -> impl FnMut(u16, u16) -> [u8; 4] {
    let mut grain = noise(seed);
    let shift = (seed % 200) as u16;
    move |x, y| {
        let [b, g, r, _] = grain(x, y).map(|part| part % 4);
        [(x + y / 3 + shift) as u8 / 2 + b, (y + x / 2) as u8 / 2 + g, (x / 3 + y / 2 + shift) as u8 / 2 + r, 0]
    }
}

/// Something like letters in two colours.
fn text(seed: u32) -> impl FnMut(u16, u16) -> [u8; 4] {
    move |x, y| {
        let stroke = (u32::from(x / 2 * 7 + y / 3 * 5) + seed + u32::from(y / 12) * seed).is_multiple_of(3);
        if stroke { [20, 30, 40, 0] } else { [230, 240, 250, 0] }
    }
}

/// What happens on a screen.
#[derive(Clone, Debug)]
enum Event {
    /// A rectangle gets one colour.
    Fill(Rect, [u8; 4]),
    /// A rectangle gets pixels that do not compress.
    Noise(Rect, u32),
    /// A rectangle becomes a photograph.
    Photo(Rect, u32),
    /// A rectangle becomes text.
    Text(Rect, u32),
    /// A rectangle moves to a place.
    Move(Rect, u16, u16),
    /// Everything moves up.
    Scroll(u16),
    /// A window opens over what is there.
    Cover(Rect, u32),
    /// The last one closes.
    Uncover,
    Resize(Size),
    /// Nothing, for so many milliseconds.
    Wait(u64),
    Budget(Option<usize>),
    /// The screen is captured and sent; captures between two of these were dropped.
    Send(Reported),
}

/// How well the capture knows what changed.
#[derive(Clone, Copy, Debug)]
enum Reported {
    Exactly,
    Roughly,
    Everything,
}

fn rect() -> impl Strategy<Value = Rect> {
    (0..190u16, 0..150u16, 1..150u16, 1..90u16).prop_map(|(x, y, width, height)| Rect { x, y, width, height })
}

fn event() -> impl Strategy<Value = Event> {
    let reported = prop_oneof![Just(Reported::Exactly), Just(Reported::Roughly), Just(Reported::Everything)];
    prop_oneof![
        3 => (rect(), any::<[u8; 4]>()).prop_map(|(at, colour)| Event::Fill(at, colour)),
        1 => (rect(), any::<u32>()).prop_map(|(at, seed)| Event::Noise(at, seed)),
        3 => (rect(), any::<u32>()).prop_map(|(at, seed)| Event::Photo(at, seed)),
        3 => (rect(), 0..9u32).prop_map(|(at, seed)| Event::Text(at, seed)),
        2 => (rect(), 0..190u16, 0..150u16).prop_map(|(from, x, y)| Event::Move(from, x, y)),
        2 => (1..40u16).prop_map(Event::Scroll),
        2 => (rect(), 0..9u32).prop_map(|(at, seed)| Event::Cover(at, seed)),
        3 => Just(Event::Uncover),
        1 => (1..230u16, 1..190u16).prop_map(|(width, height)| Event::Resize(Size { width, height })),
        2 => (0..600u64).prop_map(Event::Wait),
        1 => prop_oneof![Just(None), (300..2000usize).prop_map(Some), (2000..60_000usize).prop_map(Some)].prop_map(Event::Budget),
        12 => reported.prop_map(Event::Send),
    ]
}

/// Does `event` to `screen`, with the windows that are open on it; returns where it changed.
fn happen(event: &Event, screen: &mut Frame, covered: &mut Vec<(Frame, Rect)>) -> Damage {
    let size = screen.size();
    let changed = match *event {
        Event::Fill(at, colour) => {
            paint(screen, at, |_, _| colour);
            at
        }
        Event::Noise(at, seed) => {
            paint(screen, at, noise(seed));
            at
        }
        Event::Photo(at, seed) => {
            paint(screen, at, photo(seed));
            at
        }
        Event::Text(at, seed) => {
            paint(screen, at, text(seed));
            at
        }
        Event::Move(from, x, y) => {
            let before = screen.clone();
            let Some(from) = from.clamp(size) else { return Damage::none() };
            let to = Rect { x, y, ..from };
            paint(screen, to, |at_x, at_y| before.row(from.x + at_x - x, from.y + at_y - y, 1).try_into().unwrap());
            to
        }
        Event::Scroll(rows) => {
            let from = usize::from(rows.min(size.height)) * screen.stride();
            screen.data_mut().copy_within(from.., 0);
            size.bounds()
        }
        Event::Cover(at, seed) => {
            let Some(at) = at.clamp(size) else { return Damage::none() };
            covered.push((screen.clone(), at));
            paint(screen, at, text(seed));
            at
        }
        Event::Uncover => match covered.pop() {
            Some((before, at)) if before.size() == size => {
                screen.copy_rect(&before, at);
                at
            }
            _ => return Damage::none(),
        },
        Event::Resize(size) => {
            screen.resize(size);
            size.bounds()
        }
        Event::Wait(_) | Event::Budget(_) | Event::Send(_) => return Damage::none(),
    };
    let mut damage = Damage::none();
    damage.add(changed);
    damage
}

fn grown(damage: &Damage) -> Damage {
    let mut grown = Damage::none();
    for rect in damage.rects() {
        let (x, y) = (rect.x.saturating_sub(9), rect.y.saturating_sub(30));
        grown.add(Rect { x, y, width: rect.width + 20, height: rect.height + 60 });
    }
    grown
}

/// All of `events` from a black screen on, and then rest.
fn live(is_lossless: bool, budget: Budget, events: &[Event]) {
    let mut session = Session::new(is_lossless, Size { width: 150, height: 140 }, budget);
    let (mut unsent, mut covered) = (Damage::none(), Vec::new());
    session.next();
    for event in events {
        unsent.merge(&happen(event, &mut session.screen, &mut covered));
        match event {
            Event::Wait(millis) => session.now += Duration::from_millis(*millis),
            // Without a budget from the start there is none later.
            Event::Budget(bytes) if budget != NO_BOUNDS => session.budget.bytes = *bytes,
            Event::Send(reported) => {
                session.now += STEP;
                let damage = match reported {
                    Reported::Exactly => std::mem::take(&mut unsent),
                    Reported::Roughly => grown(&std::mem::take(&mut unsent)),
                    Reported::Everything => Damage::full(session.screen.size()),
                };
                unsent = Damage::none();
                session.send(&damage);
                if budget == NO_BOUNDS {
                    assert!(session.decoder.is_exact());
                    assert_eq!(session.send(&Damage::full(session.screen.size())), None, "all was sent");
                }
            }
            _ => {}
        }
    }
    session.next();
    session.settle();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_picture_is_exact_without_a_budget(is_lossless: bool, events in prop::collection::vec(event(), 1..50)) {
        live(is_lossless, NO_BOUNDS, &events);
    }

    #[test]
    fn with_a_budget_it_becomes_exact(is_lossless: bool, bytes in 300..20_000usize, events in prop::collection::vec(event(), 1..50)) {
        live(is_lossless, Budget { bytes: Some(bytes), rate: None }, &events);
    }
}

#[test]
fn the_first_payload_is_a_keyframe_even_of_a_black_screen() {
    let mut session = Session::new(true, SIZE, NO_BOUNDS);
    let payload = session.send(&Damage::none()).unwrap();
    assert_eq!(Decoder::new().decode(&payload, &mut session.shown), Ok(Damage::full(SIZE)));
}

#[test]
fn nothing_changed_is_nothing_sent() {
    let mut session = Session::new(true, SIZE, NO_BOUNDS);
    session.next().unwrap();
    assert_eq!(session.next(), None);
}

#[test]
fn one_colour_over_everything_is_a_few_bytes() {
    let mut session = Session::new(true, SIZE, NO_BOUNDS);
    session.next();
    paint(&mut session.screen, SIZE.bounds(), |_, _| [1, 2, 3, 4]);
    let payload = session.next().unwrap();
    assert!(payload.len() < 40, "{} bytes", payload.len());
}

#[test]
fn what_was_covered_is_recalled_at_two_or_three_bytes_a_tile() {
    let mut session = Session::new(true, Size { width: 320, height: 256 }, NO_BOUNDS);
    paint(&mut session.screen, SIZE.bounds(), noise(7));
    let first = session.next().unwrap();
    assert!(first.len() > SIZE.pixels() * 3, "noise does not compress");
    let before = session.screen.clone();
    session.now += REST;
    paint(&mut session.screen, SIZE.bounds(), |_, _| [9; 4]);
    session.next().unwrap();
    session.screen = before;
    let again = session.next().unwrap();
    assert!(again.len() < 100, "{} bytes", again.len());
}

#[test]
fn what_scrolls_is_moved_however_much_it_is() {
    for size in [Size { width: 320, height: 256 }, Size { width: 1100, height: 912 }] {
        let mut session = Session::new(true, size, NO_BOUNDS);
        paint(&mut session.screen, size.bounds(), noise(7));
        session.next();
        happen(&Event::Scroll(16), &mut session.screen, &mut Vec::new());
        let payload = session.next().unwrap();
        assert!(payload.len() < 100, "{size:?}: {} bytes", payload.len());
    }
}

#[test]
fn what_moves_and_what_comes_back_at_once_are_both_found() {
    let size = Size { width: 1280, height: 800 };
    let (window, scrolled) = (Rect { x: 64, y: 64, width: 256, height: 256 }, Rect { x: 384, y: 0, width: 896, height: 800 });
    let mut session = Session::new(true, size, NO_BOUNDS);
    paint(&mut session.screen, size.bounds(), noise(7));
    session.next();
    let before = session.screen.clone();
    session.now += REST;
    paint(&mut session.screen, window, noise(9));
    session.next();
    // The window closes while what is beside it scrolls, from where the window was not.
    session.screen.copy_rect(&before, window);
    paint(&mut session.screen, scrolled, |x, y| before.row(x, (y + 48) % 800, 1).try_into().unwrap());
    let payload = session.next().unwrap();
    assert!(payload.len() < 896 * 48 * 3 + 1000, "{} bytes", payload.len());
}

#[test]
fn drawn_things_beside_a_photograph_with_a_loss_are_exact_at_once() {
    let mut session = Session::new(false, SIZE, Budget { bytes: Some(12_000), rate: None });
    let (left, right) = (Rect { width: 64, height: 100, ..SIZE.bounds() }, Rect { x: 128, width: 172, ..SIZE.bounds() });
    session.next();
    for step in 0..6 {
        paint(&mut session.screen, left, text(step));
        paint(&mut session.screen, right, photo(step * 40));
        session.next().unwrap();
        assert!(same_in(&session.shown, &session.screen, left), "step {step}");
        assert!(!session.decoder.is_exact(), "the photograph does not fit");
    }
    let (pictures, _) = session.settle();
    assert!(pictures > 1, "it took {pictures} pictures");
}

#[test]
fn without_leave_for_a_loss_a_photograph_is_exact_at_once() {
    let mut session = Session::new(true, SIZE, Budget { bytes: Some(5000), rate: None });
    paint(&mut session.screen, SIZE.bounds(), photo(3));
    session.next();
    assert!(session.decoder.is_exact());
    assert_eq!(session.encoder.bytes().lossy, 0);
}

#[test]
fn leave_for_a_loss_can_be_taken_back() {
    let mut session = Session::new(false, SIZE, Budget { bytes: Some(5000), rate: None });
    paint(&mut session.screen, SIZE.bounds(), photo(3));
    session.next();
    assert!(!session.decoder.is_exact());
    session.encoder.set_lossless(true);
    session.now += REST * 2;
    session.next();
    assert!(session.decoder.is_exact());
}

#[test]
fn the_smallest_budgets_make_progress() {
    for bytes in [300, 1500, 5000] {
        for is_lossless in [true, false] {
            let mut session = Session::new(is_lossless, SIZE, Budget { bytes: Some(bytes), rate: None });
            paint(&mut session.screen, SIZE.bounds(), photo(3));
            paint(&mut session.screen, Rect { x: 40, y: 40, width: 100, height: 60 }, text(1));
            paint(&mut session.screen, Rect { x: 10, y: 120, width: 100, height: 60 }, noise(1));
            session.next();
            session.settle();
        }
    }
}

#[test]
fn a_screen_that_comes_to_look_like_its_loss_is_told_to_be_exact() {
    let mut session = Session::new(false, SIZE, Budget { bytes: Some(5000), rate: None });
    paint(&mut session.screen, SIZE.bounds(), photo(3));
    session.next();
    assert!(!session.decoder.is_exact());
    session.screen = session.shown.clone();
    let payload = session.next().unwrap();
    assert!(payload.len() < 40, "{} bytes", payload.len());
    assert!(session.decoder.is_exact());
}

#[test]
fn another_link_means_new_streams() {
    let mut session = Session::new(true, Size { width: 40, height: 20 }, Budget { bytes: None, rate: Some(100 << 20) });
    let anew = (0..310).filter(|step| {
        paint(&mut session.screen, Rect { x: 3, y: 4, width: 30, height: 10 }, text(*step));
        session.next().is_some_and(|payload| payload[0] & 2 != 0)
    });
    assert_eq!(anew.count(), 1);
    assert!(session.decoder.is_exact());
}

#[test]
fn more_colours_than_have_numbers_start_anew() {
    let size = Size { width: 64, height: 64 };
    let mut session = Session::new(true, size, NO_BOUNDS);
    let mut anew = 0;
    for picture in 0..70_u32 {
        // 256 new colours, anywhere.
        paint(&mut session.screen, size.bounds(), |x, y| {
            let colour = picture * 256 + (u32::from(y * 64 + x).wrapping_mul(0x85eb_ca6b) >> 24);
            (colour.wrapping_mul(0x9e37_79b1) >> 8).to_le_bytes()
        });
        anew += usize::from(session.next().unwrap()[0] & 4 != 0);
        assert!(session.decoder.is_exact());
    }
    assert_eq!(anew, 1);
    assert_eq!(session.encoder.bytes().raw, 0, "all were told by number");
}

#[test]
fn forgotten_tiles_are_told_again() {
    const SLOTS: usize = crate::video::cache::SLOTS;
    let size = Size { width: 512, height: 512 };
    let mut session = Session::new(true, size, NO_BOUNDS);
    let show = |session: &mut Session, picture: u32| {
        paint(&mut session.screen, size.bounds(), |x, y| {
            let is_mark = x % TILE < 8 && y % TILE < 2;
            if is_mark {
                (picture << 16 | u32::from(y / TILE * 8 + x / TILE) << 8 | u32::from(x % 8)).to_le_bytes()
            } else {
                [7; 4]
            }
        });
        session.now += REST;
        session.next().unwrap().len()
    };
    let pictures = (SLOTS / tiles(size)) as u32 + 3;
    let new: Vec<usize> = (0..pictures).map(|picture| show(&mut session, picture)).collect();
    let (recalled, forgotten) = (show(&mut session, pictures - 9), show(&mut session, 0));
    assert!(recalled < new[20] / 2 && recalled < forgotten, "{recalled} bytes recalled, {forgotten} told again, {} new", new[20]);
}
