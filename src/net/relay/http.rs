//! The metrics' page: the least of HTTP/1.1 that a Prometheus server needs. One request a connection.
//!
//! Bounded: 16 connections at a time, 4 KiB of request head, five seconds for all of it.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::metrics::Metrics;

const CONNECTIONS: usize = 16;
const MAX_HEAD: usize = 4096;
const PATIENCE: Duration = Duration::from_secs(5);

/// After an accept that failed: this process may have no file descriptor left for a while.
const PAUSE: Duration = Duration::from_millis(200);

/// Answers until it is dropped.
pub(super) async fn serve(listener: TcpListener, metrics: Arc<Metrics>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut answers = JoinSet::new();
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((mut stream, _)) => {
                let metrics = Arc::clone(&metrics);
                answers.spawn(async move {
                    let _place = place;
                    // Who does not ask or read in time gets nothing.
                    let _ = timeout(PATIENCE, answer(&mut stream, &metrics)).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection for the metrics");
                sleep(PAUSE).await;
            }
        }
        while answers.try_join_next().is_some() {}
    }
}

async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), metrics: &Metrics) -> io::Result<()> {
    let (status, body) = match head(stream).await? {
        None => ("431 Request Header Fields Too Large", String::new()),
        Some(head) => match request(&head) {
            ("GET" | "HEAD", "/metrics") => ("200 OK", metrics.text()),
            ("GET" | "HEAD", _) => ("404 Not Found", "The metrics are at /metrics.\n".to_owned()),
            _ => ("405 Method Not Allowed", String::new()),
        },
    };
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// The request's head; `None` when it is too long.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::with_capacity(MAX_HEAD);
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if head.len() >= MAX_HEAD {
            return Ok(None);
        }
        let room = MAX_HEAD - head.len();
        if (&mut *stream).take(room as u64).read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Some(head))
}

/// Method and path; empty where the head has none.
fn request(head: &[u8]) -> (&str, &str) {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = std::str::from_utf8(line).unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    (method, target.split('?').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(request: &[u8]) -> String {
        let (mut client, mut server) = tokio::io::duplex(64 * 1024);
        client.write_all(request).await.unwrap();
        answer(&mut server, &Metrics::new()).await.unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn the_page_is_there_and_nothing_else() {
        let page = ask(b"GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("# EOF\n"), "{page}");
        assert!(ask(b"GET / HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 404 "));
        assert!(ask(b"POST /metrics HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 405 "));
        assert!(ask(b"\xff\xfe\r\n\r\n").await.starts_with("HTTP/1.1 405 "));
    }

    #[tokio::test]
    async fn a_head_without_end_is_cut_off() {
        assert!(ask(&[b'a'; MAX_HEAD]).await.starts_with("HTTP/1.1 431 "));
    }

    #[tokio::test]
    async fn a_connection_that_ends_early_is_an_error() {
        let (client, mut server) = tokio::io::duplex(1024);
        drop(client);
        assert!(answer(&mut server, &Metrics::new()).await.is_err());
    }
}
