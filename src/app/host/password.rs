//! The host's password over its life: one-time (memory only), permanent (only its record is kept) or none.

use rand::rngs::OsRng;

use super::door::Door;
use crate::{
    app::{Failure, rotate_password},
    cli::PasswordKind,
    protocol::{
        id::PeerKey,
        password::{Password, Verifier},
    },
    store::Store,
};

/// What opens this host now.
pub(super) struct Secret {
    mode: PasswordKind,
    host: PeerKey,
    /// As far as it is known: a stored one is only a record.
    password: Option<Password>,
    epoch: u64,
}

impl Secret {
    /// Hangs the door's first lock.
    pub(super) fn open(mode: PasswordKind, store: &Store, door: &Door) -> Result<Self, Failure> {
        let host = super::peer_key(&store.identity()?);
        let mut secret = Self { mode, host, password: None, epoch: 0 };
        match mode {
            PasswordKind::None => {}
            PasswordKind::OneTime => drop(secret.rotate(false, None, store, door)?),
            PasswordKind::Permanent => match store.password_record()? {
                Some(record) => {
                    let verifier = Verifier::from_bytes(&record)
                        .map_err(|error| Failure::other(format!("{error}; make a new one with: rs rotate-password --permanent")))?;
                    if !verifier.is_for(&host) {
                        return Err(Failure::other(
                            "the permanent password belongs to an older identity of this host; make a new one with: rs rotate-password --permanent",
                        ));
                    }
                    secret.epoch = door.set_password(verifier);
                }
                None => drop(secret.rotate(true, None, store, door)?),
            },
        }
        Ok(secret)
    }

    /// Changes the password; returns the new one. The old one is dead when this returns.
    pub(super) fn rotate(&mut self, permanent: bool, own: Option<&str>, store: &Store, door: &Door) -> Result<String, Failure> {
        if self.mode == PasswordKind::None {
            return Err(Failure::other("this host asks for no password; start it with --password one-time to have one"));
        }
        // A permanent host stays one: `r` and a plain rotate-password change the permanent password.
        let permanent = permanent || (self.mode == PasswordKind::Permanent);
        let password = tokio::task::block_in_place(|| {
            let (password, verifier) = if permanent {
                rotate_password::new_permanent(store, own)?
            } else {
                let password = Password::one_time(&mut OsRng);
                let verifier = Verifier::new(&password, &self.host, &mut OsRng);
                (password, verifier)
            };
            self.epoch = door.set_password(verifier);
            Ok::<_, Failure>(password)
        })?;
        if permanent {
            self.mode = PasswordKind::Permanent;
        }
        let shown = password.show().to_owned();
        self.password = Some(password);
        Ok(shown)
    }

    /// For the host's user.
    pub(super) fn shown(&self) -> Option<String> {
        self.password.as_ref().map(|password| password.show().to_owned())
    }

    /// Whether a session uses it up.
    pub(super) fn is_one_time(&self) -> bool {
        self.mode == PasswordKind::OneTime
    }

    /// The door's number of this password.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }
}
