//! Which pairs of networks the real binary joins directly: network namespaces with the kernel's own NAT between them.
//!
//! | module | what |
//! |---|---|
//! | [`lab`] | machines, cables and routers, gone when dropped |
//! | [`nat`] | the kinds of NAT as nft rulesets |
//! | [`rig`] | each kind of NAT does what its name says |
//! | [`session`] | relay, host and viewer in a lab, and the path they end up on |
//! | [`matrix`] | every kind of NAT against every other, with the table of what is true today |
//! | [`lan`] | two machines behind one NAT, and a network without internet |
//! | [`ipv6`] | IPv6 on both sides and on one |
//! | [`directory`] | five relays that share the directory; one dies and comes back |
//! | [`loss`] | a lossy internet |
//!
//! A few cells run with all tests; `just netns` runs the whole matrix and prints the table (see `docs/NETWORK.md`).
//! It takes root: without it the tests fail and say so, unless `NETNS_TESTS=skip` is in the environment.

#[path = "../support/mod.rs"]
mod support;

mod directory;
mod ipv6;
mod lab;
mod lan;
mod loss;
mod matrix;
mod nat;
mod rig;
mod session;
