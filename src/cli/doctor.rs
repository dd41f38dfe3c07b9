//! The arguments of `rs doctor`.

use clap::Args;

use super::{NetArgs, Target};
use crate::desktop::Backend;

/// `rs doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Trace the way to this host: its ID, ID@MULTIADDR, or the rs:// link
    #[arg(value_name = "ID")]
    pub target: Option<Target>,
    /// Relays and listen addresses.
    #[command(flatten)]
    pub net: NetArgs,
    /// How to read the screen
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    pub capture: Backend,
    /// Tell what is found as JSON, one object a line
    #[arg(long)]
    pub json: bool,
}
