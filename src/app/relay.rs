//! `rs relay`: the meeting point that anyone can run.

use std::io::Write;

use super::Failure;
use crate::{cli::RelayArgs, net, store::Store};

/// Runs a relay until it is interrupted.
///
/// # Errors
/// The state folder cannot be used, or an address cannot be listened on.
pub async fn run(args: RelayArgs) -> Result<(), Failure> {
    let store = Store::open()?;
    let identity = store.identity()?;
    let config = net::relay::Config { identity, listen: args.listen, join: args.join };
    let (_relay, mut addresses) = net::relay::start(config).await.map_err(|error| Failure::other(format!("{error:#}")))?;

    let mut known = Vec::new();
    loop {
        tokio::select! {
            address = addresses.recv() => {
                let Some(address) = address else { return Err(Failure::other("the relay stopped; start it again")) };
                known.push(address.to_string());
                // Addresses come up one by one; tell them together.
                while let Ok(Some(more)) = tokio::time::timeout(super::host::SETTLE, addresses.recv()).await {
                    known.push(more.to_string());
                }
                tell(&known, args.json);
            }
            () = super::interrupted() => return Ok(()),
        }
    }
}

fn tell(addresses: &[String], json: bool) {
    let text = if json {
        serde_json::json!({ "event": "ready", "addresses": addresses }).to_string()
    } else {
        let list: String = addresses.iter().map(|address| format!("\n  {address}")).collect();
        format!("This relay is ready. Give one of these to `rs host --relay` and `rs connect --relay`:{list}")
    };
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
