//! Packets on a stream: a big-endian `u16` length, then so many bytes. Handshakes and lanes are made of them.

use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::protocol::lane;

/// Reads one packet of at most `limit` bytes. `None`: the peer closed the stream between packets.
///
/// # Errors
/// The stream broke, or the packet is longer than `limit`.
pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S, limit: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut length = [0; 2];
    match stream.read_exact(&mut length).await {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = usize::from(u16::from_be_bytes(length));
    if length > limit {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "packet too long"));
    }
    let mut packet = vec![0; length];
    stream.read_exact(&mut packet).await?;
    Ok(Some(packet))
}

/// Writes one packet and flushes.
///
/// # Errors
/// The stream broke.
pub(super) async fn write<S: AsyncWrite + Unpin>(stream: &mut S, packet: &[u8]) -> std::io::Result<()> {
    let mut framed = Vec::with_capacity(packet.len() + 2);
    lane::write_packet(packet, &mut framed);
    stream.write_all(&framed).await?;
    stream.flush().await
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;

    use super::*;

    #[tokio::test]
    async fn packets_come_back_whole_and_long_ones_are_refused() {
        let mut wire = Cursor::new(Vec::new());
        write(&mut wire, b"one").await.expect("writes");
        write(&mut wire, b"").await.expect("writes");
        wire.set_position(0);
        assert_eq!(read(&mut wire, 3).await.expect("reads"), Some(b"one".to_vec()));
        assert_eq!(read(&mut wire, 3).await.expect("reads"), Some(Vec::new()));
        assert_eq!(read(&mut wire, 3).await.expect("a clean end"), None);
        wire.set_position(0);
        assert!(read(&mut wire, 2).await.is_err(), "longer than the limit");
    }
}
