//! Figures of the picture's way, and whether the picture is exact.

use serde_json::Value;
use x11rb::{
    connection::Connection,
    protocol::xproto::{ConnectionExt as _, CreateGCAux, ImageFormat},
    rust_connection::RustConnection,
};

use crate::support::{
    display::{Display, keysym},
    image::Image,
    machine::{Home, Host, Viewer, on_loopback, session},
    until, until_true,
};

/// Figures once every stage that there can be was measured.
#[track_caller]
fn figures(viewer: &mut Viewer, stages: &[&str]) -> Value {
    until("every stage is measured", || {
        viewer.rs.send("stats");
        let stats = viewer.rs.expect("stats");
        stages.iter().all(|stage| stats["stages"][stage].is_object()).then_some(stats)
    })
}

/// The stage was measured, and its figures are in order.
#[track_caller]
fn is_sane(stats: &Value, stage: &str) {
    let [p50, p95] = ["p50_ms", "p95_ms"].map(|figure| stats["stages"][stage][figure].as_f64().expect("it is measured"));
    assert!(0.0 <= p50 && p50 <= p95 && p95 < 60_000.0, "{stage}: {stats}");
}

const UP_TO_THE_VIEWER: [&str; 5] = ["capture", "detect", "encode", "queue", "wire"];

#[test]
fn both_sides_tell_every_stage_of_a_pictures_way() {
    let mut host = Host::pattern("");
    host.rs.send("stats");
    assert!(host.rs.expect("warning")["text"].as_str().is_some_and(|text| text.contains("no session")));
    let target = host.direct("quic-v1");
    let mut viewer = session(&mut host, &target, "");
    let stats = figures(&mut viewer, &[&UP_TO_THE_VIEWER[..], &["decode"]].concat());
    println!("{stats}");
    UP_TO_THE_VIEWER.iter().chain(&["decode"]).for_each(|stage| is_sane(&stats, stage));
    assert!(stats["stages"]["present"].is_null(), "there is no window: {stats}");
    let modes = ["control", "indexed", "raw", "photo", "lossy"];
    let told: u64 = modes.iter().map(|mode| stats["bytes"][mode].as_u64().expect("a number")).sum();
    assert!(told > 0, "{stats}");
    for count in ["frames", "picture_bytes", "width", "height", "bytes_per_s"] {
        assert!(stats[count].as_u64() > Some(0), "{count}: {stats}");
    }
    assert!(stats["pictures_per_s"].as_f64().is_some_and(|pace| pace > 0.0 && pace <= 128.0), "{stats}");
    assert!(stats["exact"].is_boolean() && stats["rtt_ms"].is_u64(), "{stats}");
    assert_eq!((&stats["path"]["kind"], &stats["path"]["transport"]), (&"lan".into(), &"quic".into()));
    for key in ["rate_bps", "queue_ms", "first_picture_ms", "decode_ms_mean"] {
        assert!(stats.get(key).is_some(), "{key}: {stats}");
    }

    host.rs.send("stats");
    let stats = host.rs.expect("stats");
    println!("{stats}");
    UP_TO_THE_VIEWER.iter().for_each(|stage| is_sane(&stats, stage));
    assert!(stats["stages"].get("decode").is_none() && stats["session"].is_string(), "{stats}");
    assert!(stats["frames"].as_u64() > Some(0) && stats["bytes"]["control"].is_u64() && stats["exact"].is_boolean(), "{stats}");
    assert_eq!(stats["path"]["transport"], "quic");
}

#[test]
fn two_questions_have_two_answers() {
    let mut host = Host::pattern("");
    let target = host.direct("tcp");
    let mut viewer = session(&mut host, &target, "");
    viewer.rs.send("stats\nstats\nstats");
    (0..3).for_each(|_| drop(viewer.rs.expect("stats")));
}

/// Fills the screen with what no codec can tell exactly in a small first picture.
fn photograph(display: &Display, seed: u32) -> Image {
    let (width, height) = display.size();
    let mut image = Image::filled(width.into(), height.into(), [0, 0, 0]);
    let mut noise = seed;
    for (index, pixel) in image.pixels.iter_mut().enumerate() {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (x, y, grain) = (index % usize::from(width), index / usize::from(width), (noise >> 28) as usize);
        let shade = |value: usize| u8::try_from((value + grain) % 256).expect("a byte");
        *pixel = [shade(x / 5), shade(y / 3), shade((x + y) / 9)];
    }
    let (connection, screen) = RustConnection::connect(Some(display.name())).expect("a display");
    let (root, gc) = (connection.setup().roots[screen].root, connection.generate_id().expect("an identifier"));
    connection.create_gc(gc, root, &CreateGCAux::new()).expect("takes requests");
    for (y, row) in (0..).zip(image.pixels.chunks(width.into())) {
        let pixels: Vec<u8> = row.iter().flat_map(|[r, g, b]| [*b, *g, *r, 0]).collect();
        connection.put_image(ImageFormat::Z_PIXMAP, root, gc, width, 1, 0, y, 0, 24, &pixels).expect("takes requests");
    }
    connection.flush().expect("takes requests");
    until_true("the photograph is there", || display.picture() == image);
    image
}

#[test]
fn a_still_photograph_becomes_exact_and_a_screenshot_waits_for_it() {
    let display = Display::start(1280, 800);
    let photograph = photograph(&display, 1);
    let mut host = Host::on(&display, "--yes");
    let home = Home::new();
    let file = home.file("picture.png");
    let mut viewer = Viewer::screenshot_to(&file, &host.direct("tcp"), &host.password);
    assert_eq!(viewer.rs.expect("screenshot")["exact"], true);
    assert!(Image::read(&file).expect("a picture") == photograph);
    viewer.rs.ended();
    host.rs.expect("session-ended");
    host.follow_password();

    let target = host.direct("tcp");
    let mut viewer = Viewer::headless(&target, &host.password, "");
    viewer.is_in_session();
    viewer.rs.expect_where("picture", |event| event["exact"] == true);
    viewer.rs.send("stats");
    let stats = viewer.rs.expect("stats");
    assert!(stats["exact"] == true && stats["bytes"]["lossy"].as_u64() > Some(0), "first with a loss, then without: {stats}");
    assert!(viewer.screenshot() == photograph);
}

#[test]
fn without_loss_the_first_picture_has_none_either() {
    let display = Display::start(1280, 800);
    let photograph = photograph(&display, 1);
    let host = Host::on(&display, "--yes --lossless");
    let mut viewer = Viewer::headless(&host.direct("tcp"), &host.password, "");
    viewer.is_in_session();
    assert!(viewer.screenshot() == photograph);
    viewer.rs.send("stats");
    let stats = viewer.rs.expect("stats");
    assert_eq!((&stats["exact"], &stats["bytes"]["lossy"]), (&true.into(), &0.into()), "{stats}");
    // A wish of the viewer does not change that.
    viewer.rs.send("lossless off");
    let _logo = display.run("xlogo", &["-geometry", "100x100+20+30"]);
    display.window("xlogo");
    until_true("the logo shows", || viewer.screenshot() == display.picture());
    viewer.rs.send("stats");
    assert_eq!(viewer.rs.expect("stats")["bytes"]["lossy"], 0);
}

#[test]
fn a_viewer_that_wishes_no_loss_gets_none() {
    let display = Display::start(1280, 800);
    let photograph = photograph(&display, 1);
    let mut host = Host::on(&display, "--yes");
    let mut viewer = Viewer::headless(&host.direct("tcp"), &host.password, "--lossless");
    viewer.is_in_session();
    assert!(viewer.screenshot() == photograph);
    viewer.rs.send("stats");
    let before = viewer.rs.expect("stats")["bytes"]["lossy"].clone();
    // What comes once the wish is there has no loss, whatever its size.
    let photograph = self::photograph(&display, 2);
    until_true("the other one shows", || viewer.screenshot() == photograph);
    viewer.rs.send("stats");
    let stats = viewer.rs.expect("stats");
    assert_eq!((&stats["bytes"]["lossy"], &stats["exact"]), (&before, &true.into()), "{stats}");
    host.rs.send("stats");
    assert_eq!(host.rs.expect("stats")["exact"], true);
}

/// Where the figures are: the upper right corner of the window.
fn corner(desk: &Display, right: i16, top: i16) -> Image {
    let side = |value: i16| usize::try_from(value).expect("on the screen");
    desk.picture().part(side(right - 150), side(top), 150, 250)
}

#[test]
fn a_chord_shows_the_figures_in_a_corner_and_hides_them_again() {
    for scale in ["1", "2"] {
        let (machine, desk) = (Display::start(640, 480), Display::start(1200, 900));
        photograph(&machine, 1);
        let _manager = desk.run_window_manager();
        let mut host = Host::on(&machine, "--yes");
        let home = Home::new();
        let line = "connect --json --password-stdin --no-lan --view window";
        let start = on_loopback(&home, line).arg(host.direct("tcp")).on(&desk);
        let viewer = Viewer::started(home, start.env("WINIT_X11_SCALE_FACTOR", scale), &host.password);
        viewer.is_in_session();
        let window = desk.window(&host.id);
        until_true("the title tells that the picture is exact", || desk.title(window).contains(" · exact · "));
        desk.point(1190, 890);
        desk.focus(window);
        let (left, top) = until("the picture shows", || desk.picture().find(&machine.picture().part(0, 0, 640, 300)));
        let (right, top) = (i16::try_from(left + 640).expect("small"), i16::try_from(top).expect("small"));
        let bare = corner(&desk, right, top);

        desk.chord(&[keysym::CONTROL, keysym::ALT, u32::from('i')]);
        until_true("the figures show", || corner(&desk, right, top) != bare);
        let first = corner(&desk, right, top);
        until_true("they change", || ![&first, &bare].contains(&&corner(&desk, right, top)));
        if let Some(folder) = std::env::var_os("RS_TEST_PICTURES") {
            let folder = std::path::PathBuf::from(folder);
            desk.picture().write(&folder.join(format!("figures-{scale}.png"))).expect("a PNG file");
        }
        assert!(viewer.rs.seen("stats").is_empty(), "the lines beside a window are not told what it asked for");

        desk.chord(&[keysym::CONTROL, keysym::ALT, u32::from('i')]);
        until_true("they are gone", || corner(&desk, right, top) == bare);
        until_true("nothing stays held", || machine.held_keys().is_empty());
        host.rs.send("quit");
    }
}
