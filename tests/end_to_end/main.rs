//! The real binary, from end to end: every promise of the command line, with real processes, sockets and displays.
//!
//! | module | promises |
//! |---|---|
//! | [`rig`] | what the tests stand on is true |
//! | [`direct`] | a whole session over a given address: consent, picture, input, chat, permissions, the end |
//! | [`consent`] | the pause before the first yes, a narrower yes, permissions that end by themselves, pointing, chat that arrived |
//! | [`takeback`] | silence that hands control back, the combination that ends everything, how quickly a touch stops the viewer |
//! | [`relayed`] | the bare ID through a relay, and links |
//! | [`lan`] | the bare ID on a network without a relay |
//! | [`passwords`] | rotation, permanent passwords, no password |
//! | [`identity`] | a host whose key changed is not talked to |
//! | [`narrow`] | a slow link is measured, and its queue does not hold up what is said |
//! | [`loss`] | a host or viewer that dies |
//! | [`doctor`] | what stands in the way, and what becomes of every address |
//! | [`desktop`] | a real screen, pointer and keyboard, and the person in front of them |
//! | [`clipboard`] | what is copied at one side and pasted at the other |
//! | [`screens`] | several monitors, their changes, depths and sizes, animated pointers |
//! | [`panel`] | the host's window: whose hands count, the frame, its death |
//! | [`scene`] | a supporter's window on a host's screen, for the tests of both |
//! | [`window`] | the viewer's window |
//! | [`keyboard`] | what is typed at the viewer's layout arrives at the host's |
//! | [`console`] | the viewer in a terminal |
//! | [`toolbar`] | what lies over the picture in it: toolbar, chat, pages |
//! | [`files`] | files both ways, `rs cp` |
//! | [`log`] | the session log of both sides, and what a change of it looks like |
//! | [`stats`] | figures of every stage, exact pictures, `--lossless` |

#[path = "../support/link.rs"]
mod link;
#[path = "../support/mod.rs"]
mod support;

mod clipboard;
mod consent;
mod console;
mod desktop;
mod direct;
mod doctor;
mod drag;
mod files;
mod full_screen;
mod identity;
mod keyboard;
mod lan;
mod log;
mod loss;
mod narrow;
mod panel;
mod passwords;
mod relayed;
mod rig;
mod scene;
mod screens;
mod stats;
mod story;
mod takeback;
mod toolbar;
mod window;
