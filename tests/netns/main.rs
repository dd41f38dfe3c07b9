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
//! | [`mapping`] | what a node finds out about its NAT |
//! | [`doctor`] | what `rs doctor` finds, and what it tells of a hole punch |
//! | [`probing`] | a symmetric NAT against one whose port is known |
//! | [`gateway`] | routers that open ports for those who ask (UPnP, NAT-PMP, PCP) |
//! | [`web`] | a peer that listens on TCP 443, for one whose network lets nothing else out |
//! | [`tls`] | a relay behind a web server that speaks TLS |
//! | [`loss`] | a lossy internet |
//! | [`roaming`] | machines that move while a session runs |
//! | [`switch`] | nothing is lost when a session moves to another path |
//!
//! A few cells run with all tests; `just netns` runs the whole matrix and prints the table (see `docs/NETWORK.md`).
//! It takes root: without it the tests fail and say so, unless `NETNS_TESTS=skip` is in the environment.

#[path = "../support/mod.rs"]
mod support;

mod directory;
mod doctor;
mod gateway;
mod ipv6;
mod lab;
mod lan;
mod loss;
mod mapping;
mod matrix;
mod nat;
mod probing;
mod rig;
mod roaming;
mod session;
mod switch;
mod tls;
mod web;
