//! The viewer's decode thread: pictures in, the shared [`Picture`] brought up to date, one answer per picture out.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::{
    ui::picture::Picture,
    video::{decoder::DecodeError, decoder::Decoder, frame::Size},
};

/// What became of a picture.
pub(super) struct Decoded {
    /// How long it took.
    pub(super) took: Duration,
    /// The picture's size now.
    pub(super) size: Size,
    /// Whether it is what the host's screen was, to the bit.
    pub(super) is_exact: bool,
}

/// A running thread; it ends when this is dropped.
pub(super) struct Decode {
    pictures: mpsc::UnboundedSender<Vec<u8>>,
    pub(super) done: mpsc::UnboundedReceiver<Result<Decoded, DecodeError>>,
}

impl Decode {
    /// Starts it. The queues need no bound of their own: the session lets only a few pictures be under way.
    pub(super) fn start(picture: Picture) -> std::io::Result<Self> {
        let mut decoder = Decoder::new();
        let (pictures, mut waiting) = mpsc::unbounded_channel::<Vec<u8>>();
        let (results, done) = mpsc::unbounded_channel();
        std::thread::Builder::new().name("decode".to_owned()).spawn(move || {
            while let Some(payload) = waiting.blocking_recv() {
                let start = Instant::now();
                let result = picture.update(|shared| {
                    let damage = decoder.decode(&payload, &mut shared.frame)?;
                    shared.damage.merge(&damage);
                    (shared.shown, shared.exact) = (true, decoder.is_exact());
                    shared.decoded.get_or_insert_with(Instant::now);
                    Ok((shared.frame.size(), shared.exact))
                });
                let failed = result.is_err();
                let decoded = result.map(|(size, is_exact)| Decoded { took: start.elapsed(), size, is_exact });
                if results.send(decoded).is_err() || failed {
                    return;
                }
            }
        })?;
        Ok(Self { pictures, done })
    }

    /// Hands in the next picture.
    pub(super) fn push(&self, picture: Vec<u8>) {
        let _ = self.pictures.send(picture);
    }
}
