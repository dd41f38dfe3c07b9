//! Asking for the password where nobody can look over the shoulder: on the terminal, without echo. And how one from a window travels.

use std::{fmt, io};

use zeroize::Zeroizing;

/// A password on its way from a window: it shows up in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Zeroizing<String>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Asks on the controlling terminal (never stdin, so a script's input is not taken for a password).
///
/// # Errors
/// There is no terminal; one line says how else to give the password.
pub fn password(prompt: &str) -> anyhow::Result<Zeroizing<String>> {
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::Interrupted => {
            anyhow::anyhow!("no password was typed; start again when you have it")
        }
        _ => anyhow::anyhow!("no terminal to ask for the password ({error}); use --password-file, --password-stdin or RS_PASSWORD"),
    })
}

/// A password as it was typed: wiped after use, and not told by `{:?}`.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnPassword(pub Zeroizing<String>);

impl std::fmt::Debug for OwnPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OwnPassword(…)")
    }
}
