//! What time a relay has: `/rs/clock/1`.
//!
//! A listing in the directory is valid for minutes, by the clocks of those who sign and check it. A machine whose clock is wrong can be
//! told so only by somebody else. Whoever opens this stream gets eight bytes, milliseconds since 1970 in big-endian order, and its end.
//! The answer is not proof of anything: it is for advice only.

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::{
    Stream,
    directory::{self, unix_millis},
};

/// A clock that differs more than this from others' makes listings that do not count.
pub const TOLERANCE: Duration = Duration::from_secs(directory::SKEW);

/// How long either end may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// A clock beside ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// How far it is ahead of ours, in milliseconds; half of the round trip is the error.
    pub ahead_ms: i64,
    /// How long the question took.
    pub round_trip: Duration,
}

/// Answers one question.
pub(super) async fn answer(mut stream: Stream) {
    let answer = async {
        stream.write_all(&unix_millis().to_be_bytes()).await?;
        stream.close().await
    };
    // Who does not read the answer goes without.
    let _ = timeout(PATIENCE, answer).await;
}

/// Reads the answer.
///
/// # Errors
/// In words: there was none.
pub(super) async fn read(mut stream: Stream) -> Result<Reading, String> {
    let (asked, mut answer) = (Instant::now(), [0; 8]);
    match timeout(PATIENCE, stream.read_exact(&mut answer)).await {
        Ok(Ok(())) => Ok(reading(u64::from_be_bytes(answer), unix_millis(), asked.elapsed())),
        Ok(Err(_)) | Err(_) => Err("the relay does not tell its time".to_owned()),
    }
}

/// The answer is taken to be from the middle of the round trip.
fn reading(theirs: u64, now: u64, round_trip: Duration) -> Reading {
    let difference = i128::from(theirs) - i128::from(now) + i128::try_from(round_trip.as_millis() / 2).unwrap_or(0);
    Reading { ahead_ms: i64::try_from(difference).unwrap_or(i64::MAX), round_trip }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_round_trip_is_allowed_for() {
        let trip = Duration::from_millis(40);
        assert_eq!(reading(10_000, 10_020, trip).ahead_ms, 0);
        assert_eq!(reading(10_000, 310_020, trip).ahead_ms, -300_000);
        assert_eq!(reading(u64::MAX, 0, trip).ahead_ms, i64::MAX, "nonsense stays in bounds");
    }

    #[tokio::test]
    async fn an_answer_is_read_as_it_was_given() {
        use tokio_util::compat::TokioAsyncReadCompatExt;
        let (ours, theirs) = tokio::io::duplex(64);
        let (_, read) = tokio::join!(answer(Box::pin(theirs.compat())), read(Box::pin(ours.compat())));
        let Reading { ahead_ms, .. } = read.expect("eight bytes");
        assert!(ahead_ms.abs() < 60_000, "{ahead_ms}: one clock, read twice");
    }
}
