//! The limits of a relay, as an operator types them: counts, seconds, and sizes such as `20M`.

use std::{
    fmt,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroU64},
    str::FromStr,
    time::Duration,
};

use clap::Args;

use crate::net::relay::limits::Limits;

/// Slower than this no session works, in bytes per second.
const SLOWEST: u64 = 10_000;

/// Limits of `rs relay`.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Reservations at a time; a host holds two, over QUIC and TCP
    #[arg(long, value_name = "N", default_value = "10000")]
    pub max_reservations: NonZeroU32,
    /// Circuits at a time
    #[arg(long, value_name = "N", default_value = "2000")]
    pub max_circuits: NonZeroU32,
    /// Circuits at a time from one viewer
    #[arg(long, value_name = "N", default_value = "16")]
    pub max_circuits_per_peer: NonZeroU32,
    /// Bytes that a circuit may carry, both ways together; 0: any number
    #[arg(long, value_name = "SIZE", default_value = "0")]
    pub circuit_bytes: Size,
    /// Seconds that a circuit may live
    #[arg(long, value_name = "SECONDS", default_value = "86400")]
    pub circuit_duration: NonZeroU64,
    /// Bytes per second of one circuit, each way, such as 20M; 0: unlimited
    #[arg(long, value_name = "SIZE", default_value = "0", value_parser = bandwidth)]
    pub circuit_bandwidth: Size,
    /// Bytes per second of all circuits together, shared fairly; 0: unlimited
    #[arg(long, value_name = "SIZE", default_value = "0", value_parser = bandwidth)]
    pub bandwidth: Size,
}

impl From<LimitArgs> for Limits {
    fn from(args: LimitArgs) -> Self {
        let count = |number: NonZeroU32| usize::try_from(number.get()).unwrap_or(usize::MAX);
        Self {
            reservations: count(args.max_reservations),
            circuits: count(args.max_circuits),
            circuits_per_peer: count(args.max_circuits_per_peer),
            circuit_bytes: args.circuit_bytes.0,
            circuit_duration: Duration::from_secs(args.circuit_duration.get().min(MAX_SECONDS)),
            circuit_bandwidth: args.circuit_bandwidth.0,
            bandwidth: args.bandwidth.0,
        }
    }
}

/// Ten years: timers cannot count for ever.
const MAX_SECONDS: u64 = 10 * 365 * 24 * 3600;

/// A number of bytes: digits, and K, M, G or T for thousands, millions and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

/// Not a size, and what one looks like.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("this is not a size; write digits, and K, M, G or T for thousands, millions and so on, such as 20M")]
pub struct NotASize;

impl FromStr for Size {
    type Err = NotASize;

    fn from_str(text: &str) -> Result<Self, NotASize> {
        let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
        let unit: u64 = match &text[digits.len()..] {
            "" => 1,
            "K" | "k" => 1_000,
            "M" | "m" => 1_000_000,
            "G" | "g" => 1_000_000_000,
            "T" | "t" => 1_000_000_000_000,
            _ => return Err(NotASize),
        };
        let number = digits.parse::<u64>().ok().filter(|_| !digits.starts_with('+')).ok_or(NotASize)?;
        number.checked_mul(unit).map(Self).ok_or(NotASize)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn bandwidth(text: &str) -> Result<Size, String> {
    match text.parse() {
        Ok(Size(rate)) if rate > 0 && rate < SLOWEST => {
            Err("no session works below 10K bytes per second; give more, or 0 for no limit".to_owned())
        }
        Ok(size) => Ok(size),
        Err(error) => Err(error.to_string()),
    }
}

/// Where metrics may be shown: to this machine only.
///
/// # Errors
/// Not an address with a port, or one that others can reach.
pub fn private(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "this is not an address with a port, such as 127.0.0.1:9464".to_owned())?;
    if !address.ip().is_loopback() {
        return Err("metrics are shown on loopback only; put a reverse proxy with access control before 127.0.0.1:9464".to_owned());
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn limits(args: &[&str]) -> Result<Limits, String> {
        let cli = Cli::try_parse_from([&["rs", "relay"], args].concat()).map_err(|error| error.to_string())?;
        let Command::Relay(relay) = cli.command else { unreachable!("the word is relay") };
        Ok(relay.limits.into())
    }

    #[test]
    fn the_defaults_are_those_of_the_relay() {
        assert_eq!(limits(&[]), Ok(Limits::default()));
    }

    #[test]
    fn every_flag_reaches_its_limit() {
        let all = "--max-reservations 1 --max-circuits 2 --max-circuits-per-peer 3 --circuit-bytes 4K --circuit-duration 5 \
                   --circuit-bandwidth 20M --bandwidth 1G";
        let expected = Limits {
            reservations: 1,
            circuits: 2,
            circuits_per_peer: 3,
            circuit_bytes: 4_000,
            circuit_duration: Duration::from_secs(5),
            circuit_bandwidth: 20_000_000,
            bandwidth: 1_000_000_000,
        };
        assert_eq!(limits(&all.split_whitespace().collect::<Vec<_>>()), Ok(expected));
    }

    #[test]
    fn bad_values_are_refused() {
        for bad in [
            "--max-reservations=0",
            "--max-circuits=-1",
            "--max-circuits-per-peer=x",
            "--circuit-duration=0",
            "--circuit-bytes=20MB",
            "--circuit-bytes=",
            "--circuit-bytes=K",
            "--circuit-bytes=+1",
            "--circuit-bytes=99999999999T",
            "--bandwidth=1",
            "--circuit-bandwidth=1.5M",
            "--metrics=127.0.0.1",
            "--metrics=0.0.0.0:9464",
            "--metrics=[2001:db8::1]:9464",
        ] {
            assert!(limits(&[bad]).is_err(), "{bad}");
        }
        assert!(limits(&["--metrics=[::1]:9464"]).is_ok());
    }
}
