//! `rs relay`: the meeting point that anyone can run.

use std::io::Write;

use super::Failure;
use crate::{cli::RelayArgs, net, store::Store};

/// Runs a relay until it is interrupted; then it says goodbye to its clients.
///
/// # Errors
/// The state folder cannot be used, or an address cannot be listened on.
pub async fn run(args: RelayArgs) -> Result<(), Failure> {
    let store = Store::open()?;
    let identity = store.identity()?;
    let config =
        net::relay::Config { identity, listen: args.listen, join: args.join, limits: args.limits.into(), metrics: args.metrics };
    let (relay, mut addresses) = net::relay::start(config).await.map_err(|error| Failure::other(format!("{error:#}")))?;

    let mut known = Vec::new();
    let interrupted = super::interrupted();
    tokio::pin!(interrupted);
    loop {
        tokio::select! {
            address = addresses.recv() => {
                let Some(address) = address else { return Err(Failure::other("the relay stopped; start it again")) };
                known.push(address.to_string());
                // Addresses come up one by one; tell them together.
                while let Ok(Some(more)) = tokio::time::timeout(super::host::SETTLE, addresses.recv()).await {
                    known.push(more.to_string());
                }
                ready(&known, relay.metrics().map(|address| format!("http://{address}/metrics")), args.json);
            }
            () = &mut interrupted => {
                let text = if args.json { serde_json::json!({ "event": "stopping" }).to_string() } else { "The relay stops.".to_owned() };
                tell(&text);
                relay.stop().await;
                return Ok(());
            }
        }
    }
}

fn ready(addresses: &[String], metrics: Option<String>, json: bool) {
    if json {
        let mut event = serde_json::json!({ "event": "ready", "addresses": addresses });
        if let Some(metrics) = metrics {
            event["metrics"] = metrics.into();
        }
        return tell(&event.to_string());
    }
    let list: String = addresses.iter().map(|address| format!("\n  {address}")).collect();
    let metrics = metrics.map(|metrics| format!("\nIts metrics are at {metrics}")).unwrap_or_default();
    tell(&format!("This relay is ready. Give one of these to `rs host --relay` and `rs connect --relay`:{list}{metrics}"));
}

fn tell(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
