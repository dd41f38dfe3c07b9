//! Monitors as the X server tells them, the rate of an animated pointer, and what a grab costs.

use super::*;
use crate::{desktop::View, protocol::screens::Choice};

/// Waits until the screen shows what is wanted.
fn await_view(screen: &mut dyn Screen, wanted: impl Fn(&View) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !wanted(screen.view()) {
        assert!(Instant::now() < deadline, "{:?}", screen.view());
        screen.wait(Some(Duration::from_millis(100))).unwrap();
    }
}

fn two_monitors() -> Xvfb {
    let server = Xvfb::start("800x300x24");
    server.finish("xrandr", &["--setmonitor", "*left", "400/100x300/100+0+0", "screen"]);
    server.finish("xrandr", &["--setmonitor", "right", "400/100x300/100+400+0", "none"]);
    server
}

#[test]
fn another_monitor_is_shown_whole_and_told() {
    let server = two_monitors();
    let painter = server.display();
    fill(&painter, Rect { x: 400, y: 0, width: 1, height: 1 }, 0x11_22_33);
    let mut screen = open_screen(&server.options(Backend::X11)).unwrap();
    let mut frame = Frame::new(screen.view().size);
    screen.grab(&mut frame).unwrap();
    settle(&mut *screen);
    screen.show(Choice::One(1)).unwrap();
    assert_eq!(screen.wait(Some(PATIENCE)).unwrap(), Sight::View);
    assert_eq!(screen.wait(Some(PATIENCE)).unwrap(), Sight::Damaged);
    let size = Size { width: 400, height: 300 };
    assert_eq!((screen.view().x, screen.view().size, screen.grab(&mut frame).unwrap()), (400, size, Damage::full(size)));
    assert_eq!(pixel(&frame, 0, 0), 0x11_22_33);
    screen.show(Choice::One(0)).unwrap();
    assert_eq!(screen.grab(&mut frame).unwrap(), Damage::full(size), "the same size, but another place");
    assert_eq!(pixel(&frame, 0, 0), 0);
    screen.show(Choice::One(9)).unwrap();
    assert_eq!(screen.view().shown, Choice::One(0), "never offered");
}

#[test]
fn a_chosen_monitor_is_known_by_its_name_and_its_loss_leads_to_the_primary_one() {
    let server = two_monitors();
    server.finish("xrandr", &["--setmonitor", "third", "100/100x100/100+700+0", "none"]);
    let mut screen = open_screen(&server.options(Backend::X11)).unwrap();
    screen.show(Choice::One(2)).unwrap();
    assert_eq!(screen.view().x, 700);
    server.finish("xrandr", &["--delmonitor", "right"]);
    await_view(&mut *screen, |view| view.screens.len() == 2);
    assert_eq!((screen.view().shown, screen.view().x), (Choice::One(1), 700), "the same one at another place of the list");
    server.finish("xrandr", &["--delmonitor", "third"]);
    await_view(&mut *screen, |view| view.shown == Choice::One(0));
}

#[test]
fn a_monitor_chosen_by_the_person_is_the_only_one_ever() {
    let server = two_monitors();
    let mut screen = open_screen(&Options { display: Some(1), ..server.options(Backend::X11) }).unwrap();
    for choice in [Choice::All, Choice::One(0), Choice::One(1)] {
        screen.show(choice).unwrap();
        assert_eq!((screen.view().screens.len(), screen.view().x, screen.view().offers_all), (1, 400, false));
    }
    settle(&mut *screen);
    server.finish("xrandr", &["--delmonitor", "right"]);
    let error = loop {
        if let Err(error) = screen.wait(Some(PATIENCE)) {
            break error;
        }
    };
    assert!(error.0.contains("monitor right is gone"), "{error}");
}

#[test]
fn a_pointer_that_changes_all_the_time_is_asked_for_thirty_times_a_second() {
    let server = Xvfb::start("640x480x24");
    let mut screen = open_screen(&server.options(Backend::X11)).unwrap();
    settle(&mut *screen);
    let begun = Instant::now();
    let mut told = 0_u32;
    std::thread::scope(|scope| {
        let changes = scope.spawn(|| {
            for name in ["watch", "left_ptr"].into_iter().cycle().take(60) {
                server.finish("xsetroot", &["-cursor_name", name]);
            }
        });
        while !changes.is_finished() {
            told += u32::from(matches!(screen.wait(Some(Duration::from_millis(20))).unwrap(), Sight::CursorShape(_)));
        }
    });
    let most = begun.elapsed().as_millis() / 33 + 2;
    println!("60 changes in {} ms, told {told}", begun.elapsed().as_millis());
    assert!(told > 0 && u128::from(told) <= most, "{told} shapes, at most {most}");
}

/// How [`super::super::rects`] came to its number. Run it by hand, on a quiet machine.
#[test]
#[ignore = "prints figures"]
fn what_a_grab_costs() {
    const ROUNDS: u32 = 200;
    let server = Xvfb::start("1920x1080x24");
    let painter = server.display();
    let mut screen = open_screen(&server.options(Backend::X11)).unwrap();
    let mut frame = Frame::new(screen.view().size);
    screen.grab(&mut frame).unwrap();
    println!("rectangles   side   asked for   us a grab");
    for (count, side) in [(1, 8), (8, 8), (32, 8), (1, 64), (8, 64), (32, 64), (1, 400), (4, 400), (1, 1080)] {
        let (mut spent, mut asked) = (Duration::ZERO, 0);
        for round in 0..ROUNDS {
            for number in 0..count {
                let (x, y) = (number % 8 * 230, number / 8 * 260);
                fill(&painter, Rect { x, y, width: side, height: side }, round);
            }
            let begun = Instant::now();
            asked = screen.grab(&mut frame).unwrap().rects().len();
            spent += begun.elapsed();
        }
        println!("{count:>10} {side:>6} {asked:>11} {:>11.1}", spent.as_secs_f64() * 1e6 / f64::from(ROUNDS));
    }
}
