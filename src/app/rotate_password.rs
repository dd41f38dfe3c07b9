//! `rs rotate-password`: the old password is dead at once.

use std::io::{IsTerminal, Write};

use rand::rngs::OsRng;
use zeroize::Zeroizing;

use super::{
    Failure,
    control_socket::{self, Reply, Request},
    peer_key,
};
use crate::{
    cli::RotateArgs,
    protocol::password::{Password, Verifier},
    store::Store,
    ui::{event::HostEvent, prompt},
};

/// Changes the password of the host that runs here, or the stored permanent one.
///
/// # Errors
/// No host runs and no permanent password is meant, the own password is too short, or the state folder cannot be used.
pub async fn run(args: RotateArgs) -> Result<(), Failure> {
    let store = Store::open()?;
    let own = if args.permanent { own_password()? } else { None };
    let request = Request::Rotate {
        permanent: args.permanent,
        own: own.as_ref().map(|own| own.to_string()),
        keep_sessions: args.keep_sessions,
    };
    let socket = store.control_socket();
    let reply = control_socket::ask(&socket, &request)
        .await
        .map_err(|error| Failure::other(format!("the host that runs here did not answer ({error}); stop it and start it again")))?;
    let password = match reply {
        Some(Reply::Rotated(password)) => password,
        Some(Reply::Failed(why)) => return Err(Failure::other(why)),
        None if args.permanent => {
            // Nobody runs: hold the host's place while the record changes.
            let _lock = store.lock_host()?;
            new_permanent(&store, own.as_ref().map(|own| own.as_str()))?.0.show().to_owned()
        }
        None => {
            return Err(Failure::other(
                "no rs host runs here, so there is no one-time password to change; start one with: rs host (or add --permanent)",
            ));
        }
    };
    tell(password, args.json);
    Ok(())
}

/// Makes and stores a permanent password: the user's own or a random one. It, and what checks it.
///
/// # Errors
/// The own one is too short, or it cannot be stored.
pub(super) fn new_permanent(store: &Store, own: Option<&str>) -> Result<(Password, Verifier), Failure> {
    let password = match own {
        Some(own) => Password::own(own).map_err(Failure::other)?,
        None => Password::permanent(&mut OsRng),
    };
    let verifier = Verifier::new(&password, &peer_key(&store.identity()?), &mut OsRng);
    store.save_password_record(&verifier.to_bytes())?;
    Ok((password, verifier))
}

/// From `RS_PASSWORD` or a prompt; nothing typed means a random one.
fn own_password() -> Result<Option<Zeroizing<String>>, Failure> {
    let own = match std::env::var("RS_PASSWORD") {
        Ok(password) => Some(Zeroizing::new(password)),
        Err(_) if std::io::stdin().is_terminal() => {
            Some(prompt::password("New permanent password (Enter alone makes a random one): ").map_err(Failure::other)?)
        }
        Err(_) => None,
    };
    Ok(own.filter(|own| !own.is_empty()))
}

fn tell(password: String, json: bool) {
    let text = if json {
        serde_json::to_string(&HostEvent::PasswordRotated { password }).unwrap_or_default()
    } else {
        format!("The new password is {password}. The old one is dead.")
    };
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
