//! The command line: types only, parsed by clap. Scripts depend on it, so names and meanings never change.
//!
//! - What is wrong on the command line ends in exit code 2 before any packet is sent: IDs, links, addresses and permissions are parsed here.
//! - No argument carries a password: arguments can be read by every user of the machine.
//! - Values whose meaning needs more than parsing (a password source, a relay without its key) are resolved in [`crate::app`].

pub mod address;
pub mod cp;
pub mod doctor;
pub mod limits;
pub mod log;

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum, builder::PossibleValue};
use libp2p::Multiaddr;

use crate::{
    desktop::Backend,
    protocol::{id::HostId, input::KeyboardMode, permission::Permissions},
};

pub use address::{Relay, Target, Whom};
pub use cp::CpArgs;
pub use doctor::DoctorArgs;
pub use limits::LimitArgs;
pub use log::{LogArgs, LogCheck};

/// How the process ends. Part of the contract with scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// All is well.
    Fine = 0,
    /// Another error than those below.
    Other = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The host cannot be reached or found.
    Unreachable = 3,
    /// Wrong password, or none.
    Authentication = 4,
    /// The host's user said no.
    Refused = 5,
    /// The session was lost and did not come back.
    Lost = 6,
    /// There is no screen to show or to share.
    NoScreen = 7,
    /// The host has another key than at the first visit.
    IdentityChanged = 8,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// `rs`.
#[derive(Debug, Parser)]
#[command(
    name = "rs",
    version,
    about = "Help somebody at their computer: an ID, a password, and nobody in the middle",
    after_help = "The person who needs help runs `rs host` and reads out the ID and the password.\nThe helper runs `rs connect ID`.\n\n\
                  RS_HOME is the folder with the state of rs, RS_LOG the level of its log (error, warn, info, debug, trace).",
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The words.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Share this screen with somebody who has the ID and the password
    #[command(after_help = "Example: rs host --relay relay.example.org\n\n\
                            Lines typed while it runs: accept [PERMISSION], deny, chat TEXT, allow PERMISSION [for 10m],\n\
                            revoke PERMISSION, take, send FILE, cancel N, stats, rotate, password TEXT, end, quit.\n\
                            Any touch of mouse or keyboard takes control back. Ctrl+Alt+Shift+Escape on this machine's keyboard ends\n\
                            every session at once, whatever has the focus, and makes a new password.")]
    Host(HostArgs),
    /// See and drive the screen of a host
    #[command(after_help = "Example: rs connect 9339-2522-7420-3124\n\n\
                            The password comes from --password-file, --password-stdin, the variable RS_PASSWORD, or a prompt.\n\
                            Lines typed with --view none: move X Y, point X Y|away, click X Y [BUTTON], scroll DX DY, key COMBO, type TEXT,\n\
                            chat TEXT, screenshot FILE, copy TEXT, paste FILE, screens, screen N|all|next, lossless on|off, keyboard MODE,\n\
                            send FILE, fetch PATH, save N, refuse N, cancel N, stats, quit.\n\
                            Keys with --view terminal: Ctrl+] and then q leave, c chat, s next screen, f fit or actual size, i figures,\n\
                            a or r take or refuse the file that is offered, k Ctrl+Alt+Del, l draw anew, ] Ctrl+] on the host.")]
    Connect(ConnectArgs),
    /// List the hosts that were visited, and give them names
    #[command(
        after_help = "Examples: rs hosts name 9339-2522-7420-3124 \"Anna's laptop\"\n          rs connect \"Anna's laptop\"\n\n\
                            Names are this machine's own and go nowhere."
    )]
    Hosts(HostsArgs),
    /// Copy files to a host, or one from it
    #[command(
        after_help = "Examples: rs cp report.pdf 9339-2522-7420-3124:\n          rs cp notes.txt 9339-2522-7420-3124:renamed.txt\n          \
                            rs cp 9339-2522-7420-3124:logs/today.txt .\n\n\
                            What is behind the last colon is a name or a path in the host's folder for files; its user is asked. Run it again\n\
                            after a break: it goes on where it stopped."
    )]
    Cp(CpArgs),
    /// Tell who was here and where you were: sessions, permissions, files
    #[command(after_help = "Examples: rs log\n          rs log 3\n          rs log verify\n\n\
                            Both sides keep a log: who, when, how long, what was permitted, files with their hashes, how it ended. What was\n\
                            said, typed, copied or shown is not in it. It is a chain of hashes, signed with this machine's key.")]
    Log(LogArgs),
    /// Replace the password of this machine's host; the old one is dead at once
    #[command(after_help = "Example: rs rotate-password")]
    RotatePassword(RotateArgs),
    /// Run a meeting point for hosts and viewers that cannot reach each other
    #[command(after_help = "Example: rs relay --listen /ip4/0.0.0.0/tcp/4001")]
    Relay(RelayArgs),
    /// Tell what stands between this machine, or a host, and a direct connection
    #[command(after_help = "Examples: rs doctor --relay relay.example.org\n          rs doctor 9339-2522-7420-3124\n\n\
                            Nobody is asked for a password, and nothing is shared. Exit code 3: nothing can be reached.")]
    Doctor(DoctorArgs),
    /// Write what makes a shell complete the words of rs
    #[command(after_help = "Example: rs completions bash > ~/.local/share/bash-completion/completions/rs")]
    Completions {
        /// For which shell
        #[arg(value_enum, value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Write the manual: one page to the standard output, or a page for each word into a folder
    #[command(after_help = "Examples: rs man | man -l -\n          rs man ~/.local/share/man/man1")]
    Man {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
    /// The host's window: started by `rs host`, which it talks to over stdin and stdout
    #[command(hide = true)]
    Panel,
}

/// How to reach others; the same for hosts and viewers.
#[derive(Debug, Args)]
pub struct NetArgs {
    /// Meet through this relay: HOST, HOST:PORT or a multiaddr (may be repeated)
    #[arg(long, value_name = "ADDR", env = "RS_RELAY", value_delimiter = ',', hide_env_values = true)]
    pub relay: Vec<Relay>,
    /// Listen here instead of on every interface, such as /ip4/0.0.0.0/udp/4001/quic-v1 (may be repeated)
    #[arg(long, value_name = "MULTIADDR")]
    pub listen: Vec<Multiaddr>,
    /// Neither announce this machine on the local network nor look for others there
    #[arg(long)]
    pub no_lan: bool,
    /// Do not ask the router for a port that leads here (UPnP, PCP, NAT-PMP)
    #[arg(long)]
    pub no_port_mapping: bool,
    /// Do not look for a way through a symmetric NAT by sending to many of its ports
    #[arg(long)]
    pub no_probing: bool,
}

/// `rs host`.
#[derive(Debug, Args)]
pub struct HostArgs {
    /// Relays and listen addresses.
    #[command(flatten)]
    pub net: NetArgs,
    /// Which kind of password opens this host
    #[arg(long, value_enum, value_name = "KIND", default_value_t)]
    pub password: PasswordKind,
    /// Share the picture only: nobody can drive
    #[arg(long, conflicts_with = "allow")]
    pub view_only: bool,
    /// What a viewer may do: view, point, mouse, keyboard, clipboard, files, or control for mouse and keyboard, separated by commas
    #[arg(long, value_name = "LIST")]
    pub allow: Option<Permissions>,
    /// Let everybody in who has the password, without asking
    #[arg(long)]
    pub yes: bool,
    /// Give control back to the viewer after so many seconds without a touch of mouse or keyboard [default: only when told]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub hand_back: Option<u64>,
    /// Share this monitor only, counted from 0
    #[arg(long, value_name = "N")]
    pub display: Option<usize>,
    /// Send every picture exactly at once, however slow the link is
    #[arg(long)]
    pub lossless: bool,
    /// Put received files into this folder, and let viewers fetch files from it [default: rs in the downloads]
    #[arg(long, value_name = "DIR")]
    pub files: Option<PathBuf>,
    /// How to read the screen
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    pub capture: Backend,
    /// Where the host's user sees and answers
    #[arg(long, value_enum, value_name = "WHERE", default_value_t)]
    pub panel: Panel,
    /// Tell what happens as JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

impl HostArgs {
    /// The most that a viewer can be granted.
    #[must_use]
    pub fn offered(&self) -> Permissions {
        if self.view_only { Permissions::view_only() } else { self.allow.unwrap_or_else(Permissions::all) }
    }
}

/// Where a password is read from, rather than from the variable or a prompt.
#[derive(Debug, Default, Args)]
pub struct PasswordArgs {
    /// Read the password from the first line of this file
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin")]
    pub password_file: Option<PathBuf>,
    /// Read the password from the first line of the standard input
    #[arg(long)]
    pub password_stdin: bool,
}

/// `rs connect`.
#[derive(Debug, Args)]
pub struct ConnectArgs {
    /// The host: its ID, ID@MULTIADDR, the rs:// link, or the name it has in rs hosts; without it, a list to choose from
    #[arg(value_name = "ID")]
    pub target: Option<Whom>,
    /// Relays and listen addresses.
    #[command(flatten)]
    pub net: NetArgs,
    /// Where the password comes from.
    #[command(flatten)]
    pub password: PasswordArgs,
    /// Where to show the host's screen [default: window]
    #[arg(long, value_enum, value_name = "WHERE")]
    pub view: Option<View>,
    /// Have the host send every picture exactly at once, however slow the link is
    #[arg(long)]
    pub lossless: bool,
    /// How keys are understood
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    pub keyboard: KeyboardMode,
    /// Put received files into this folder, without asking for each [default: rs in the downloads, and ask]
    #[arg(long, value_name = "DIR")]
    pub files: Option<PathBuf>,
    /// Write the first picture to this file as PNG, and end: once it is exact, or after five seconds as it is
    #[arg(long, value_name = "FILE", conflicts_with = "view")]
    pub screenshot: Option<PathBuf>,
    /// Ask for the picture only
    #[arg(long)]
    pub view_only: bool,
    /// Do not share what is copied, even where the host permits it
    #[arg(long)]
    pub no_clipboard: bool,
    /// Tell what happens as JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

/// `rs hosts`.
#[derive(Debug, Args)]
pub struct HostsArgs {
    /// What to do with the list; without it, show it.
    #[command(subcommand)]
    pub change: Option<HostsChange>,
    /// Tell them as JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

/// What `rs hosts` changes.
#[derive(Debug, Subcommand)]
pub enum HostsChange {
    /// Give a host a name of your own
    Name {
        /// Which
        #[arg(value_name = "ID")]
        id: HostId,
        /// What you call it; "" for nothing
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Take a host from the list; its key stays known
    Forget {
        /// Which
        #[arg(value_name = "ID")]
        id: HostId,
    },
}

/// `rs rotate-password`.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// Make a permanent password
    #[arg(long)]
    pub permanent: bool,
    /// Let sessions go on that were opened with the old password
    #[arg(long)]
    pub keep_sessions: bool,
    /// Tell the new password as JSON
    #[arg(long)]
    pub json: bool,
}

/// `rs relay`.
#[derive(Debug, Args)]
pub struct RelayArgs {
    /// Listen here instead of on ports 4001 and 443 of every interface (may be repeated)
    #[arg(long, value_name = "MULTIADDR")]
    pub listen: Vec<Multiaddr>,
    /// Share the directory with this relay: a multiaddr that ends in /p2p/… (may be repeated)
    #[arg(long, value_name = "ADDR", value_parser = address::with_key)]
    pub join: Vec<Multiaddr>,
    /// Show metrics for Prometheus at http://ADDR/metrics, such as 127.0.0.1:9464; loopback only
    #[arg(long, value_name = "ADDR", value_parser = limits::private)]
    pub metrics: Option<SocketAddr>,
    /// Tell what happens as JSON, one object a line
    #[arg(long)]
    pub json: bool,
    /// How much it may do.
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// Which password opens a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub enum PasswordKind {
    /// A new one at each start and after each session
    #[default]
    OneTime,
    /// The one that was set with `rs rotate-password --permanent`
    Permanent,
    /// None: the host's user decides alone
    None,
}

/// Where a viewer shows the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub enum View {
    /// In a window
    #[default]
    Window,
    /// In the terminal: kitty graphics, sixels or half blocks
    Terminal,
    /// Nowhere: for scripts
    None,
}

impl ValueEnum for KeyboardMode {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Auto => "By position where both layouts agree, else by character",
            Self::Physical => "By position, whatever is printed on the keys (games)",
            Self::Translate => "By character",
        };
        Some(PossibleValue::new(self.name()).help(help))
    }
}

/// Where the host's user sees and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub enum Panel {
    /// Where it fits: in the terminal, and in a small window where there is a display
    #[default]
    Auto,
    /// In a small window
    Window,
    /// In the terminal
    Terminal,
    /// Nowhere: lines on the standard input and output
    None,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_a_host_offers_is_everything_unless_it_says_otherwise() {
        let offered = |args: &[&str]| match Cli::try_parse_from([&["rs", "host"], args].concat()).expect("good arguments").command {
            Command::Host(host) => host.offered(),
            _ => unreachable!("the word is host"),
        };
        assert_eq!(offered(&[]), Permissions::all());
        assert_eq!(offered(&["--view-only"]), Permissions::view_only());
        assert_eq!(offered(&["--allow", "mouse"]).to_string(), "view, mouse");
    }

    #[test]
    fn relays_repeat_and_are_separated_by_commas() {
        let cli = Cli::try_parse_from(["rs", "host", "--relay", "a.example,b.example:5000", "--relay", "c.example"]);
        let Command::Host(host) = cli.expect("good arguments").command else { unreachable!("the word is host") };
        let names: Vec<_> = host.net.relay.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["a.example:4001", "b.example:5000", "c.example:4001"]);
    }

    #[test]
    fn no_argument_takes_a_password() {
        for args in [&["rs", "connect", "--password", "k7m4-q2xp", "x"][..], &["rs", "rotate-password", "k7m4-q2xp"]] {
            assert!(Cli::try_parse_from(args).is_err());
        }
        assert!(Cli::try_parse_from(["rs", "host", "--password", "k7m4-q2xp"]).is_err(), "only a kind of password");
    }
}
