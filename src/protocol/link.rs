//! The link: `rs://<16 digits>?k=<base64url public key>&r=<relay>`, `r` may repeat. Never a password in it.

use std::{fmt, str::FromStr};

use super::id::{HostId, PeerKey};

/// A parsed link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The host.
    pub id: HostId,
    /// Its key; hashes to `id`.
    pub key: PeerKey,
    /// Its relays, as text (a multiaddr or `host[:port]`); at most 8 of at most 256 bytes each.
    pub relays: Vec<String>,
}

/// Not a link, and what to do.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("this is not a whole rs:// link ({0}); copy it again from the host")]
pub struct LinkError(pub String);

impl fmt::Display for Link {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        unimplemented!()
    }
}

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(_text: &str) -> Result<Self, LinkError> {
        unimplemented!()
    }
}
