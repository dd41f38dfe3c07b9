//! Lives of a session in virtual time: one file per behaviour, all on the simulator in [`pair`].

mod bottleneck;
mod bulk;
mod chaos;
mod coalescing;
mod credit;
mod end;
mod hostile;
mod pair;
mod stall_resume;
mod switch;
mod wire;
