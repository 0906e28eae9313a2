//! `Socket`: the bytes to and from a peer, in the clear or under TLS, as the meter sees them pass.
//!
//! Hyper has no hook for heads that it cannot read: it answers them by itself, with nothing but a number.
//! Since nobody asked for that answer, it is told from all others here, and ours is sent in its place. Nor does it
//! answer heads that are late: a connection keeps a hold of the socket that hyper reads, to do so itself.

use crate::http::Failure;
use crate::http::cutter::Cutter;
use crate::http::meter::Meter;
use crate::net::discard::{Wait, read_past};
use axum::http::StatusCode;
use bytes::{Buf, Bytes, BytesMut};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};

/// How long a peer may go on sending after the last reply, so that closing does not reset the connection
/// before it has read the reply.
const LINGER: Duration = Duration::from_secs(1);

/// Most of a head that is read at once, in bytes. What comes of a body with it is copied once more.
const HEAD: usize = 4 << 10;

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

    /// Hyper has taken up a request of HTTP/1.1, whose body has this length if it is known. Whether
    /// [`Shared::leave_body`] may be called.
    pub(super) fn take_up(&self, length: Option<u64>) -> bool {
        self.lock().cutter.take_up(length)
    }

    /// Other bytes follow than requests of HTTP/1.1.
    pub(super) fn change_protocol(&self) {
        self.lock().cutter.give_up();
    }

    /// Nobody wants the rest of the body of the request at hand: once it has sent its answer hyper ends, as if the peer
    /// were silent, and leaves the connection as it is. A body of which nothing is to come is no reason to.
    pub(super) fn leave_body(&self) {
        let mut socket = self.lock();
        socket.is_body_left = socket.cutter.left() > 0;
    }

    /// Whether hyper has left a body. [`Shared::pass_over`] goes on to the next request.
    pub(super) fn has_left_body(&self) -> bool {
        self.lock().is_body_left
    }

    /// Reads past the body that hyper has left, for which no single pause may be longer than `stall`. Whether the peer is
    /// still there.
    pub(super) async fn pass_over(&self, stall: Duration) -> bool {
        while self.lock().cutter.left() > 0 {
            match timeout(stall, poll_fn(|context| self.lock().poll_past(context))).await {
                Ok(Ok(past)) if past > 0 => {}
                _ => return false,
            }
        }
        self.lock().is_body_left = false;
        true
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
    cutter: Cutter,
    /// What has come and is not yet handed over: it was read with a head.
    ahead: BytesMut,
    is_body_left: bool,
    /// Whether the peer has taken all that hyper has to say.
    is_flushed: bool,
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
        Shared(Arc::new(Mutex::new(Socket {
            stream,
            meter,
            number,
            is_http2: None,
            cutter: Cutter::new(),
            ahead: BytesMut::new(),
            is_body_left: false,
            is_flushed: true,
            instead: None,
            is_over: false,
            lingering: None,
        })))
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

    /// Reads once, at most `most` bytes.
    fn poll_some(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
        most: u64,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining();
        let most = most.min(room as u64) as usize;
        let before = buffer.filled().len();
        if most == room {
            ready!(stream!(self, stream => stream.poll_read(context, buffer)))?;
        } else {
            let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
            ready!(stream!(self, stream => stream.poll_read(context, &mut part)))?;
            let got = part.filled().len();
            buffer.advance(got);
        }
        match &buffer.filled()[before..] {
            [] => self.is_over = true,
            bytes => {
                let is_http2 = self.is_http2.get_or_insert_with(|| bytes.starts_with(HTTP2));
                if *is_http2 {
                    self.cutter.give_up();
                }
                self.meter.has_read();
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads past some of a body. How many bytes; 0 at the end.
    fn poll_past(&mut self, context: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let left = self.cutter.left();
        let past = if self.ahead.is_empty() {
            ready!(self.stream.poll_past(context, left))?
        } else {
            let past = left.min(self.ahead.len() as u64);
            self.ahead.advance(past as usize);
            past
        };
        Poll::Ready(Ok(self.cutter.passed(past)))
    }
}

impl Stream {
    /// Reads past at most `most` bytes. How many; 0 at the end.
    fn poll_past(&mut self, context: &mut Context<'_>, most: u64) -> Poll<io::Result<u64>> {
        match self {
            Stream::Plain(stream) => loop {
                ready!(stream.poll_read_ready(context))?;
                match stream.try_io(Interest::READABLE, || read_past((&*stream).into(), most, Wait::Yes)) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    past => return Poll::Ready(past.map(|past| past as u64)),
                }
            },
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => {
                let mut unwanted = [0; 8 << 10];
                let mut buffer = ReadBuf::new(&mut unwanted[..most.min(8 << 10) as usize]);
                ready!(Pin::new(&mut **stream).poll_read(context, &mut buffer))?;
                Poll::Ready(Ok(buffer.filled().len() as u64))
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_body_left {
            return Poll::Pending; // hyper looks whether there is more of it, and ends
        }
        if self.ahead.is_empty() {
            if !self.cutter.is_in_head() {
                let (before, most) = (buffer.filled().len(), self.cutter.left());
                ready!(self.poll_some(context, buffer, most))?;
                let got = buffer.filled().len() - before;
                self.cutter.passed(got as u64);
                return Poll::Ready(Ok(()));
            }
            let mut head = [0; HEAD];
            let mut head = ReadBuf::new(&mut head);
            ready!(self.poll_some(context, &mut head, HEAD as u64))?;
            self.ahead.extend_from_slice(head.filled());
        }
        let this = &mut *self;
        let given = this.ahead.len().min(buffer.remaining());
        let given = this.cutter.took(&this.ahead[..given]);
        buffer.put_slice(&this.ahead[..given]);
        this.ahead.advance(given);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.is_flushed = false;
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
        self.is_flushed = false;
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
            self.is_flushed = true;
            self.meter.has_flushed();
        }
        self.wrote(polled)
    }

    /// Says that nothing more will be sent, then reads past what the peer still sends, for a short while.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // An answer that the peer does not take is lost with hyper, and so must be the connection.
        self.is_body_left &= self.is_flushed;
        if self.is_body_left {
            return Poll::Ready(Ok(()));
        }
        if self.lingering.is_none() {
            let polled = stream!(self, stream => stream.poll_shutdown(context));
            ready!(self.wrote(polled))?;
            self.lingering = Some(Box::pin(sleep(LINGER)));
        }
        while !self.is_over {
            if self.lingering.as_mut().is_some_and(|time| time.as_mut().poll(context).is_ready()) {
                break;
            }
            // An error ends it as well.
            self.is_over = ready!(self.stream.poll_past(context, u64::MAX)).unwrap_or(0) == 0;
        }
        Poll::Ready(Ok(()))
    }
}
