//! Port probing: a direct path where one side is behind a symmetric NAT, which opens another port for each destination, so that nobody
//! can tell where to send to.
//!
//! Both agree on a stream of their session (`/rs/probe/1`), then meet by chance, as in the birthday paradox:
//!
//! ```text
//!          hard side                    its NAT                             easy side
//!  256 sockets, each sends ──────► 256 random ports open ──────────► its one known port
//!                      ◄────────── one of them is hit  ◄──────────── one packet each to 1500 random ports
//!  that socket dials QUIC  ──────────────────────────────────────► which has let this port in by its own packet
//! ```
//!
//! - Each says its [`nat::Kind`](super::nat::Kind), where relays see its QUIC socket, and a token for its probes. If exactly one is
//!   symmetric they go on, else both stop: nothing is sent.
//! - The easy side sends from the socket on which QUIC listens, for that is the one whose port the peer knows.
//! - The socket that was hit is handed to the QUIC transport, which dials from it ([`Sockets::adopt`]). What comes of it is an ordinary
//!   connection, on which the peer proves its key.
//! - The hard side says so on the stream, and the easy one stops. It also stops when the stream ends, whatever the reason.
//!
//! Bounds: 1500 packets of 20 bytes in 15 s from the easy side to one address, 768 in 10 s from the hard one to one address and port,
//! and 256 sockets. Both addresses are what the peer says, so whoever calls this vouches for the peer, and sees to it that it does not
//! happen often. Dropped, it stops at once. [`plan`] decides, here are the sockets.

mod plan;

use std::{
    future::poll_fn,
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket as Raw},
    task::Poll,
    time::Duration,
};

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::{Multiaddr, multiaddr::Protocol};
use tokio::{
    io::ReadBuf,
    net::UdpSocket,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use self::plan::{GRACE, Hello, PACE, Part, ROUND, ROUNDS, SOCKETS};
use super::{Node, Stream, transport::Sockets};
use crate::protocol::id::PeerKey;

/// How long the peer may take to say who it is: it may have to ask a relay first.
const HELLO: Duration = Duration::from_secs(8);

/// What the hard side says when it was hit.
const FOUND: u8 = 1;

const NOT_FOUND: &str = "no port of the NAT was found";

/// Seeks a direct path to the peer at the other end of this stream.
///
/// # Errors
/// Why there is none, for the log.
pub(super) async fn run(node: &Node, sockets: &Sockets, key: PeerKey, mut stream: Stream) -> Result<(), String> {
    let mapping = node.mapping().await.map_err(|stopped| stopped.to_string())?;
    let ours = Hello::new(&mapping, rand::random());
    let theirs = timeout(HELLO, exchange(&mut stream, &ours)).await;
    let theirs = theirs.map_err(|_| "the peer does not answer")?.map_err(|_| "the peer does not want to")?;
    let began = Instant::now();
    match plan::part(&ours, &theirs).ok_or("it does not help between these networks")? {
        Part::Easy => {
            let peer = SocketAddr::V4(theirs.external());
            let socket = sockets.towards(peer).ok_or("no socket listens for QUIC")?;
            let ports = plan::ports(&mut rand::thread_rng()).into_iter().map(|port| SocketAddr::new(peer.ip(), port));
            knock(&mut stream, &socket, &ours, ports).await?;
        }
        Part::Hard => {
            let peer = SocketAddr::V4(theirs.external());
            let socket = be_hit(&mut stream, &ours, &theirs).await?;
            let _adopted = sockets.adopt(socket, peer);
            let _ = say(&mut stream, &[FOUND]).await;
            let address = Multiaddr::from(peer.ip()).with(Protocol::Udp(peer.port())).with(Protocol::QuicV1);
            node.dial(Some(key), vec![address]).await?;
        }
    }
    tracing::info!(seconds = began.elapsed().as_secs_f32(), "a way through a symmetric NAT was found by probing ports");
    Ok(())
}

async fn exchange(stream: &mut Stream, ours: &Hello) -> io::Result<Hello> {
    say(stream, &ours.encode()).await?;
    let mut theirs = [0; Hello::SIZE];
    stream.read_exact(&mut theirs).await?;
    Ok(Hello::decode(&theirs))
}

async fn say(stream: &mut Stream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// The easy side: a packet to each of these, until the peer says that one came.
async fn knock(stream: &mut Stream, socket: &Raw, ours: &Hello, to: impl Iterator<Item = SocketAddr>) -> Result<(), String> {
    let packet = ours.probe();
    let knocking = async {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for address in to {
            pace.tick().await;
            // One that cannot be sent now is a lost one.
            let _ = socket.send_to(&packet, address);
        }
        sleep(GRACE).await;
    };
    let mut word = [0];
    tokio::select! {
        read = stream.read_exact(&mut word) => match (read, word) {
            (Ok(()), [FOUND]) => Ok(()),
            _ => Err("the peer gave up".to_owned()),
        },
        () = knocking => Err(NOT_FOUND.to_owned()),
    }
}

/// The hard side: the first of many sockets that the peer's probe reaches.
async fn be_hit(stream: &mut Stream, ours: &Hello, theirs: &Hello) -> Result<Raw, String> {
    let mut sockets = open().await.map_err(|error| format!("no sockets ({error})"))?;
    let (packet, peer) = (ours.probe(), SocketAddr::V4(theirs.external()));
    let holding_open = async {
        for _ in 0..ROUNDS {
            for socket in &sockets {
                // One that cannot be sent now is a lost one.
                let _ = socket.send_to(&packet, peer).await;
            }
            sleep(ROUND).await;
        }
        sleep(GRACE).await;
    };
    let mut word = [0];
    let hit = tokio::select! {
        hit = first(&sockets, theirs) => hit,
        // It has nothing to say: it went away.
        _ = stream.read(&mut word) => return Err("the peer gave up".to_owned()),
        () = holding_open => return Err(NOT_FOUND.to_owned()),
    };
    sockets.swap_remove(hit).into_std().map_err(|error| error.to_string())
}

/// As many sockets as we want; where the system has fewer, three quarters of those, so that others find some too.
async fn open() -> io::Result<Vec<UdpSocket>> {
    let mut sockets = Vec::with_capacity(SOCKETS);
    while sockets.len() < SOCKETS {
        match UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await {
            Ok(socket) => sockets.push(socket),
            Err(error) if sockets.is_empty() => return Err(error),
            Err(error) => {
                tracing::debug!(%error, opened = sockets.len(), "fewer sockets for probing than wanted");
                sockets.truncate(sockets.len().div_ceil(4) * 3);
                break;
            }
        }
    }
    Ok(sockets)
}

/// Which of the sockets gets the peer's probe first. Anything else that comes is dropped.
async fn first(sockets: &[UdpSocket], peer: &Hello) -> usize {
    poll_fn(|context| {
        for (index, socket) in sockets.iter().enumerate() {
            // A probe and one byte: what is longer is none.
            let mut bytes = [0; 21];
            let mut packet = ReadBuf::new(&mut bytes);
            while let Poll::Ready(from) = socket.poll_recv_from(context, &mut packet) {
                if from.is_ok_and(|from| peer.sent(packet.filled(), from)) {
                    return Poll::Ready(index);
                }
                packet.clear();
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokio_util::compat::TokioAsyncReadCompatExt;

    use super::*;
    use crate::net::nat::{Kind, Mapping};

    fn streams() -> (Stream, Stream) {
        let (near, far) = tokio::io::duplex(64);
        (Box::pin(near.compat()), Box::pin(far.compat()))
    }

    async fn socket() -> UdpSocket {
        UdpSocket::bind("127.0.0.1:0").await.unwrap()
    }

    fn hello(external: SocketAddr, token: u8) -> Hello {
        Hello::new(&Mapping { kind: Kind::Unknown, external: vec![external] }, [token; 16])
    }

    #[tokio::test]
    async fn both_hear_what_the_other_says() {
        let (mut near, mut far) = streams();
        let [one, other] = ["203.0.113.2:1", "198.51.100.2:2"].map(|address| hello(address.parse().unwrap(), 3));
        let (heard, heard_there) = tokio::join!(exchange(&mut near, &one), exchange(&mut far, &other));
        assert_eq!((heard.unwrap(), heard_there.unwrap()), (other, one));
    }

    #[tokio::test]
    async fn the_socket_that_is_hit_first_is_the_one() {
        let (mut near, _far) = streams();
        let (peer, stranger) = (socket().await, socket().await);
        let ours = hello(stranger.local_addr().unwrap(), 1);
        let theirs = hello(peer.local_addr().unwrap(), 2);
        let answering = async {
            let (mut ports, mut packet) = (BTreeSet::new(), [0; 64]);
            while ports.len() < SOCKETS {
                let (length, from) = peer.recv_from(&mut packet).await.unwrap();
                assert_eq!(packet[..length], ours.probe());
                ports.insert(from.port());
            }
            let mut ports = ports.into_iter().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
            peer.send_to(b"noise", ports.next().unwrap()).await.unwrap();
            peer.send_to(&[&theirs.probe()[..], b"more"].concat(), ports.next().unwrap()).await.unwrap();
            stranger.send_to(&theirs.probe(), ports.next().unwrap()).await.unwrap();
            let chosen = ports.next().unwrap();
            peer.send_to(&theirs.probe(), chosen).await.unwrap();
            chosen.port()
        };
        let (hit, chosen) = tokio::join!(be_hit(&mut near, &ours, &theirs), answering);
        assert_eq!(hit.unwrap().local_addr().unwrap().port(), chosen);
    }

    #[tokio::test]
    async fn the_easy_side_knocks_until_it_is_told() {
        let (mut near, mut far) = streams();
        let (ours, peer) = (Raw::bind("127.0.0.1:0").unwrap(), socket().await);
        let (own, to) = (hello(ours.local_addr().unwrap(), 1), peer.local_addr().unwrap());
        let telling = async {
            let mut packet = [0; 64];
            for _ in 0..3 {
                let (length, from) = peer.recv_from(&mut packet).await.unwrap();
                assert_eq!((&packet[..length], from), (&own.probe()[..], ours.local_addr().unwrap()));
            }
            say(&mut far, &[FOUND]).await.unwrap();
        };
        let (knocked, ()) = tokio::join!(knock(&mut near, &ours, &own, std::iter::repeat(to)), telling);
        assert_eq!(knocked, Ok(()));
        // It went away: no use to go on.
        drop(far);
        assert!(knock(&mut near, &ours, &own, std::iter::repeat(to)).await.is_err());
        assert!(be_hit(&mut near, &own, &hello(to, 2)).await.is_err());
    }
}
