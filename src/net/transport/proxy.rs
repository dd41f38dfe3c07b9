//! TCP through the HTTP proxy that the environment names (`HTTPS_PROXY`, `ALL_PROXY`, not for `NO_PROXY`), by CONNECT (RFC 9110, §9.3.6).
//!
//! Only for WebSocket: a proxy lets the web's port through, and nothing else. Names go to the proxy as they are: inside such a network
//! they often cannot be looked up. What the environment says is read once. Without a proxy this transport takes no address.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Pending},
};
use http::{HeaderValue, Uri};
use hyper_util::client::{
    legacy::connect::{HttpConnector, proxy::Tunnel},
    proxy::matcher::Matcher,
};
use libp2p::{
    Multiaddr,
    core::transport::{DialOpts, ListenerId, TransportError, TransportEvent},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};
use tower_service::Service;

use crate::net::address::tcp_text;

/// How long a proxy may take to connect.
const PATIENCE: Duration = Duration::from_secs(10);

/// See the module.
pub(super) struct Proxied {
    rules: Matcher,
}

/// A proxy, and what it wants to see first.
struct Proxy {
    address: Uri,
    password: Option<HeaderValue>,
}

impl Proxied {
    /// As the environment says.
    pub(super) fn from_environment() -> Self {
        Self { rules: Matcher::from_env() }
    }

    /// The proxy for this address, and the address in its words.
    fn way(&self, address: &Multiaddr) -> Option<(Proxy, Uri)> {
        let destination: Uri = format!("https://{}", tcp_text(address)?).parse().ok()?;
        let proxy = self.rules.intercept(&destination)?;
        Some((Proxy { address: proxy.uri().clone(), password: proxy.basic_auth().cloned() }, destination))
    }
}

impl libp2p::Transport for Proxied {
    type Output = Compat<TcpStream>;
    type Error = io::Error;
    type ListenerUpgrade = Pending<io::Result<Self::Output>>;
    type Dial = BoxFuture<'static, io::Result<Self::Output>>;

    fn listen_on(&mut self, _: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(&mut self, address: Multiaddr, _: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        let Some((proxy, destination)) = self.way(&address) else { return Err(TransportError::MultiaddrNotSupported(address)) };
        Ok(connect(proxy, destination).boxed())
    }

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        Poll::Pending
    }
}

async fn connect(proxy: Proxy, destination: Uri) -> io::Result<Compat<TcpStream>> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let mut tunnel = Tunnel::new(proxy.address, connector);
    if let Some(password) = proxy.password {
        tunnel = tunnel.with_auth(password);
    }
    let connected = timeout(PATIENCE, tunnel.call(destination)).await;
    let connected = connected.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the HTTP proxy does not answer"))?;
    let stream = connected.map_err(|error| io::Error::other(format!("the HTTP proxy does not connect us: {error}")))?;
    Ok(stream.into_inner().compat())
}

#[cfg(test)]
mod tests {
    use futures::{AsyncReadExt, AsyncWriteExt};
    use libp2p::{
        Transport,
        core::{Endpoint, transport::PortUse},
    };
    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt as _, BufReader, copy_bidirectional},
        net::TcpListener,
        sync::oneshot,
    };

    use super::*;

    const DIAL: DialOpts = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };

    /// A proxy for one client. It tells the head of the request, and answers with this line; a good one connects to `behind`.
    async fn proxy(answer: &'static str, behind: Option<u16>) -> (u16, oneshot::Receiver<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (head, told) = oneshot::channel();
        tokio::spawn(async move {
            let mut client = BufReader::new(listener.accept().await.unwrap().0);
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                client.read_line(&mut line).await.unwrap();
                match line.trim_end() {
                    "" => break,
                    line => lines.push(line.to_ascii_lowercase()),
                }
            }
            head.send(lines).unwrap();
            client.write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes()).await.unwrap();
            if let Some(port) = behind {
                let mut behind = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut behind).await;
            }
        });
        (port, told)
    }

    fn through(port: u16) -> Proxied {
        Proxied { rules: Matcher::builder().https(format!("http://ann:secret@127.0.0.1:{port}")).no("inside.example").build() }
    }

    fn dial(proxied: &mut Proxied, address: &str) -> BoxFuture<'static, io::Result<Compat<TcpStream>>> {
        proxied.dial(address.parse().unwrap(), DIAL).unwrap()
    }

    #[tokio::test]
    async fn a_name_goes_to_the_proxy_unresolved_and_bytes_flow_both_ways() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, told) = proxy("200 Connection established", Some(server.local_addr().unwrap().port())).await;
        let connection = dial(&mut through(port), "/dns4/relay.example/tcp/443");
        let (connection, accepted) = tokio::join!(connection, server.accept());
        let (mut here, mut there) = (connection.unwrap(), accepted.unwrap().0.compat());
        here.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        there.read_exact(&mut heard).await.unwrap();
        there.write_all(&heard).await.unwrap();
        here.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");

        let head = told.await.unwrap();
        assert_eq!(head[0], "connect relay.example:443 http/1.1");
        assert!(head.contains(&"proxy-authorization: basic yw5uonnly3jlda==".to_owned()), "{head:?}");
    }

    #[tokio::test]
    async fn a_proxy_that_refuses_is_an_error_in_words() {
        let (port, _told) = proxy("403 Forbidden", None).await;
        let error = dial(&mut through(port), "/ip4/192.0.2.1/tcp/443").await.unwrap_err().to_string();
        assert!(error.starts_with("the HTTP proxy does not connect us"), "{error}");
    }

    #[test]
    fn what_needs_no_proxy_is_left_to_others() {
        for address in ["/dns4/inside.example/tcp/443", "/ip4/192.0.2.1/udp/443/quic-v1", "/memory/7"] {
            assert!(through(1).way(&address.parse().unwrap()).is_none(), "{address}");
        }
        let mut none = Proxied { rules: Matcher::builder().build() };
        let address = "/ip4/192.0.2.1/tcp/443".parse().unwrap();
        assert!(matches!(none.dial(address, DIAL), Err(TransportError::MultiaddrNotSupported(_))));
    }
}
