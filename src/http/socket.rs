//! `Socket`: the bytes to and from a peer, in the clear or under TLS, as the meter sees them pass.
//!
//! Hyper has no hook for heads that it cannot read: it answers them by itself, with nothing but a number.
//! Since nobody asked for that answer, it is told from all others here, and ours is sent in its place. Nor does it
//! answer heads that are late: a connection keeps a hold of the socket that hyper reads, to do so itself.

use super::Failure;
use super::meter::Meter;
use axum::http::StatusCode;
use bytes::{Buf, Bytes};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};

/// How long a peer may go on sending after the last reply, so that closing does not reset the connection
/// before it has read the reply.
const LINGER: Duration = Duration::from_secs(1);

/// How HTTP/2 begins, and no method.
const HTTP2: &[u8] = b"PRI ";

/// One socket, in several hands.
#[derive(Debug, Clone)]
pub(super) struct Shared(Arc<Mutex<Socket>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Socket> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the head that has begun to come, if it is one of HTTP/1.1, and ends the connection. Nobody else may use
    /// the socket any more.
    pub(super) async fn refuse_head(mut self, failure: &Failure) {
        let words = self.lock().last_words(failure);
        if let Some(words) = words {
            let farewell = async {
                self.write_all(&words).await?;
                self.shutdown().await
            };
            let _ = timeout(2 * LINGER, farewell).await; // who does not listen need not hear it
        }
    }
}

impl AsyncRead for Shared {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_read(context, buffer)
    }
}

impl AsyncWrite for Shared {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.lock()).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.lock()).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.lock().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_shutdown(context)
    }
}

/// A connection's two directions.
#[derive(Debug)]
pub(super) struct Socket {
    stream: Stream,
    meter: Arc<Meter>,
    /// The connection's number.
    number: u64,
    /// Whether the peer has begun as HTTP/2 does; nothing before its first byte.
    is_http2: Option<bool>,
    /// What is left of our answer in place of hyper's.
    instead: Option<Bytes>,
    is_over: bool,
    lingering: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

macro_rules! stream {
    ($self:ident, $stream:ident => $call:expr) => {
        match &mut $self.stream {
            Stream::Plain(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => {
                let $stream = Pin::new(&mut **stream);
                $call
            }
        }
    };
}

impl Socket {
    pub(super) fn shared(stream: Stream, meter: Arc<Meter>, number: u64) -> Shared {
        let (is_http2, instead, lingering) = (None, None, None);
        let socket = Socket { stream, meter, number, is_http2, instead, is_over: false, lingering };
        Shared(Arc::new(Mutex::new(socket)))
    }

    /// The answer to a head that is not there yet, to a peer that speaks HTTP/1.1.
    fn last_words(&self, failure: &Failure) -> Option<Vec<u8>> {
        let request = self.meter.unasked().filter(|_| self.is_http2 == Some(false))?;
        Some(failure.last_words(&format!("h{}-{request}", self.number)))
    }

    /// Our answer in place of one that hyper gives by itself.
    fn instead_of(&self, bytes: &[u8]) -> Option<Bytes> {
        let status = bytes.strip_prefix(b"HTTP/1.1 ")?.first_chunk::<3>()?;
        let status = StatusCode::from_bytes(status).ok().filter(StatusCode::is_client_error)?;
        self.last_words(&Failure::Head(status)).map(Bytes::from)
    }

    /// Writes our answer, if hyper has begun one of its own with these bytes; then they are done with.
    fn poll_instead(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<bool>> {
        if self.instead.is_none() {
            self.instead = self.instead_of(bytes);
        }
        let Some(mut left) = self.instead.take() else { return Poll::Ready(Ok(false)) };
        while !left.is_empty() {
            match stream!(self, stream => stream.poll_write(context, &left)) {
                Poll::Ready(written) => left.advance(written?),
                Poll::Pending => {
                    self.instead = Some(left);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(true))
    }

    fn wrote<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.meter.has_written(polled.is_pending());
        polled
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(stream!(self, stream => stream.poll_read(context, buffer)))?;
        match &buffer.filled()[before..] {
            [] => self.is_over = true,
            bytes => {
                self.is_http2.get_or_insert_with(|| bytes.starts_with(HTTP2));
                self.meter.has_read();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if ready!(self.poll_instead(context, bytes))? {
            return Poll::Ready(Ok(bytes.len()));
        }
        let polled = stream!(self, stream => stream.poll_write(context, bytes));
        self.wrote(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if ready!(self.poll_instead(context, parts.first().map_or(&[], |part| part)))? {
            return Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()));
        }
        let polled = stream!(self, stream => stream.poll_write_vectored(context, parts));
        self.wrote(polled)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = stream!(self, stream => stream.poll_flush(context));
        if polled.is_ready() {
            self.meter.has_flushed();
        }
        self.wrote(polled)
    }

    /// Says that nothing more will be sent, then reads past what the peer still sends, for a short while.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            let polled = stream!(self, stream => stream.poll_shutdown(context));
            ready!(self.wrote(polled))?;
            self.lingering = Some(Box::pin(sleep(LINGER)));
        }
        let mut unwanted = [0; 8 << 10];
        while !self.is_over {
            if self.lingering.as_mut().is_some_and(|time| time.as_mut().poll(context).is_ready()) {
                break;
            }
            let mut buffer = ReadBuf::new(&mut unwanted);
            if ready!(stream!(self, stream => stream.poll_read(context, &mut buffer))).is_err() {
                break;
            }
            self.is_over = buffer.filled().is_empty();
        }
        Poll::Ready(Ok(()))
    }
}
