//! Bandwidth, applied: the streams of every connection count what they read, and read no more than the [`Shaper`] grants.
//!
//! libp2p's relay copies from stream to stream and knows no rate. A stream that is not read fills its window and its sender waits, so
//! holding back reads is enough. Every byte of a circuit is read exactly once here: on the stream of the side that sent it.

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use futures::io::{AsyncRead, AsyncWrite};
use libp2p::{
    PeerId, Transport as _,
    core::{
        muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent, SubstreamBox},
        transport::Boxed,
    },
};
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{
    limits::Limits,
    metrics::Metrics,
    shaper::{Shaper, StreamId},
};

/// What every stream of a relay is given.
#[derive(Clone)]
pub(super) struct Meter {
    gate: Option<Arc<Gate>>,
    bytes: Counter,
    streams: Gauge,
}

impl Meter {
    pub(super) fn new(gate: Option<Arc<Gate>>, metrics: &Metrics) -> Self {
        Self { gate, bytes: metrics.bytes.clone(), streams: metrics.streams.clone() }
    }
}

/// A transport whose connections are metered.
pub(super) fn transport(inner: Boxed<(PeerId, StreamMuxerBox)>, meter: Meter) -> Boxed<(PeerId, StreamMuxerBox)> {
    inner.map(move |(peer, inner), _| (peer, StreamMuxerBox::new(Shaped { inner, meter }))).boxed()
}

/// The shaper, and who waits for it.
pub(super) struct Gate {
    start: Instant,
    state: Mutex<State>,
    /// The next turn comes earlier than [`Self::run`] thinks.
    sooner: Notify,
}

struct State {
    shaper: Shaper,
    wakers: HashMap<StreamId, Waker>,
    /// When [`Gate::run`] wakes up.
    planned: Option<Duration>,
}

impl Gate {
    /// `None` without a limit.
    pub(super) fn new(limits: &Limits) -> Option<Self> {
        let limited = limits.circuit_bandwidth > 0 || limits.bandwidth > 0;
        let shaper = limited.then(|| Shaper::new(limits.circuit_bandwidth, limits.bandwidth))?;
        let state = Mutex::new(State { shaper, wakers: HashMap::new(), planned: None });
        Some(Self { start: Instant::now(), state, sooner: Notify::new() })
    }

    /// Wakes streams when their turn comes, until it is dropped.
    pub(super) async fn run(self: Arc<Self>) {
        loop {
            let next = self.wake();
            match next {
                Some(next) => tokio::select! {
                    () = sleep_until(self.start + next) => {}
                    () = self.sooner.notified() => {}
                },
                None => self.sooner.notified().await,
            }
        }
    }

    fn wake(&self) -> Option<Duration> {
        let now = self.start.elapsed();
        let mut state = self.state();
        let turns = state.shaper.tick(now);
        let wakers: Vec<Waker> = turns.iter().filter_map(|id| state.wakers.remove(id)).collect();
        state.planned = state.shaper.next(now);
        let planned = state.planned;
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        planned
    }

    fn open(&self) -> StreamId {
        self.state().shaper.open()
    }

    fn close(&self, id: StreamId) {
        let mut state = self.state();
        state.shaper.close(id);
        state.wakers.remove(&id);
    }

    fn poll(&self, id: StreamId, cx: &Context<'_>) -> Poll<u64> {
        let now = self.start.elapsed();
        let mut state = self.state();
        let granted = state.shaper.ask(id, now);
        if granted > 0 {
            return Poll::Ready(granted);
        }
        state.wakers.insert(id, cx.waker().clone());
        let next = state.shaper.next(now);
        if next.is_some_and(|next| state.planned.is_none_or(|planned| next < planned)) {
            state.planned = next;
            self.sooner.notify_one();
        }
        Poll::Pending
    }

    fn took(&self, id: StreamId, bytes: u64) {
        self.state().shaper.took(id, bytes, self.start.elapsed());
    }

    /// Nothing in there is ever half done: a panic elsewhere leaves it whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection whose streams are metered.
struct Shaped {
    inner: StreamMuxerBox,
    meter: Meter,
}

impl Shaped {
    fn inner(self: Pin<&mut Self>) -> Pin<&mut StreamMuxerBox> {
        Pin::new(&mut self.get_mut().inner)
    }
}

impl StreamMuxer for Shaped {
    type Substream = Metered;
    type Error = io::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Metered>> {
        let stream = ready!(self.as_mut().inner().poll_inbound(cx))?;
        Poll::Ready(Ok(Metered::new(stream, &self.meter)))
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Metered>> {
        let stream = ready!(self.as_mut().inner().poll_outbound(cx))?;
        Poll::Ready(Ok(Metered::new(stream, &self.meter)))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_close(cx)
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        self.inner().poll(cx)
    }
}

/// A stream that counts, and waits for its turn to read.
struct Metered {
    inner: SubstreamBox,
    meter: Meter,
    id: Option<StreamId>,
}

impl Metered {
    fn new(inner: SubstreamBox, meter: &Meter) -> Self {
        meter.streams.inc();
        Self { inner, meter: meter.clone(), id: meter.gate.as_ref().map(|gate| gate.open()) }
    }

    fn gate(&self) -> Option<(&Gate, StreamId)> {
        Some((self.meter.gate.as_deref()?, self.id?))
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        self.meter.streams.dec();
        if let Some((gate, id)) = self.gate() {
            gate.close(id);
        }
    }
}

impl AsyncRead for Metered {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let most = match self.gate() {
            Some((gate, id)) => usize::try_from(ready!(gate.poll(id, cx))).unwrap_or(usize::MAX).min(buffer.len()),
            None => buffer.len(),
        };
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buffer[..most]))?;
        self.meter.bytes.inc_by(read as u64);
        if let Some((gate, id)) = self.gate() {
            gate.took(id, read as u64);
        }
        Poll::Ready(Ok(read))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}
