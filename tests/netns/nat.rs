//! The kinds of NAT, as nft rulesets for a router with the cards `wan` and `lan`.
//!
//! All of them drop what nobody inside asked for. In the words of RFC 4787 Linux filters address- and port-dependently, and its
//! `masquerade` maps endpoint-independently as long as it is not told to be random.

use super::lab::PORT;

/// What stands between a machine and the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Public,
    Cone,
    Forwarded,
    Shifted,
    Conflict,
    Symmetric,
    NoUdp,
    Only443,
    Double,
}

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::Public,
        Self::Cone,
        Self::Forwarded,
        Self::Shifted,
        Self::Conflict,
        Self::Symmetric,
        Self::NoUdp,
        Self::Only443,
        Self::Double,
    ];

    /// Its name in the table.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Public => 'P',
            Self::Cone => 'C',
            Self::Forwarded => 'F',
            Self::Shifted => 'E',
            Self::Conflict => 'X',
            Self::Symmetric => 'S',
            Self::NoUdp => 'U',
            Self::Only443 => '4',
            Self::Double => 'D',
        }
    }

    /// The ruleset of a router whose public address is `outside`, with the machine in question at `inside`.
    pub(crate) fn ruleset(self, outside: &str, inside: &str) -> String {
        let allowed = match self {
            Self::NoUdp => "meta l4proto != udp iifname lan accept;",
            Self::Only443 => "tcp dport 443 iifname lan accept;",
            _ => "iifname lan accept;",
        };
        let inbound = match self {
            Self::Forwarded => format!("iifname wan meta l4proto {{ tcp, udp }} th dport {{ {PORT}, 443 }} dnat to {inside};"),
            _ => String::new(),
        };
        let outbound = match self {
            Self::Shifted => format!(
                "oifname wan ip saddr {inside} udp sport {PORT} snat to {outside}:30001;
                 oifname wan ip saddr {inside} tcp sport {PORT} snat to {outside}:30002;
                 oifname wan masquerade;"
            ),
            Self::Symmetric => "oifname wan masquerade random,fully-random;".to_owned(),
            _ => "oifname wan masquerade;".to_owned(),
        };
        format!(
            "table ip nat {{
                chain inbound {{ type nat hook prerouting priority dstnat; {inbound} }}
                chain outbound {{ type nat hook postrouting priority srcnat; {outbound} }}
            }}
            table ip filter {{
                chain self {{ type filter hook input priority filter; policy drop;
                    ct state established,related accept; iifname != wan accept; }}
                chain through {{ type filter hook forward priority filter; policy drop;
                    ct state established,related accept; ct status dnat accept; {allowed} }}
            }}"
        )
    }
}
