//! `TimedStream`: a byte stream that notes reads in the connection's deadlines and closes without losing the last bytes
//! it sent. Knows nothing of HTTP.

use crate::http::deadlines::ConnectionDeadlines;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Time for requests in flight after the peer has closed its sending side. A peer that has left looks the same.
const HALF_CLOSE_GRACE: Duration = Duration::from_secs(5);

/// Time to discard what the peer still sends after the last reply: closing a socket with unread bytes resets the
/// connection, and the peer may lose the reply.
const LINGER: Duration = Duration::from_secs(1);

/// Most bytes that are discarded after the last reply.
const LINGER_BYTES: usize = 8 << 20;

/// One connection's bytes, plain or under TLS.
#[derive(Debug)]
pub(super) struct TimedStream<S> {
    stream: S,
    deadlines: Arc<ConnectionDeadlines>,
    /// Runs once the peer has closed its sending side.
    half_closed: Option<Pin<Box<Sleep>>>,
    /// Runs once our sending side is closed.
    lingering: Option<Pin<Box<Sleep>>>,
    discarded: usize,
}

impl<S> TimedStream<S> {
    pub(super) fn new(stream: S, deadlines: Arc<ConnectionDeadlines>) -> TimedStream<S> {
        TimedStream { stream, deadlines, half_closed: None, lingering: None, discarded: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.half_closed.is_none() {
            let before = buffer.remaining();
            ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
            if buffer.remaining() < before || before == 0 {
                this.deadlines.note_read(Instant::now());
                return Poll::Ready(Ok(()));
            }
        }
        let grace = this.half_closed.get_or_insert_with(|| Box::pin(sleep(HALF_CLOSE_GRACE)));
        if this.deadlines.is_in_flight() { grace.as_mut().poll(context).map(Ok) } else { Poll::Ready(Ok(())) }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TimedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Closes our sending side, then discards what the peer still sends until it closes too, within bounds.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            this.lingering = Some(Box::pin(sleep(LINGER)));
        }
        let mut unread = [0; 8 << 10];
        while this.half_closed.is_none() && this.discarded < LINGER_BYTES {
            if this.lingering.as_mut().is_some_and(|time| time.as_mut().poll(context).is_ready()) {
                break;
            }
            let mut buffer = ReadBuf::new(&mut unread);
            match ready!(Pin::new(&mut this.stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => this.discarded += buffer.filled().len(),
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
