//! `TimedStream`: a blocking socket whose reads and writes keep to a deadline.

use crate::net::discard::{Wait, discard};
use crate::net::timeout::TimeoutKind;
use socket2::Socket;
use std::io::{self, BufRead, BufReader, IoSlice, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Granularity of socket timeouts, so that a deadline needs few system calls.
const STEP: Duration = Duration::from_millis(100);

/// Largest send, in bytes. A larger one would hide a pause of the peer.
const CHUNK: usize = 128 << 10;

/// Size of the read buffer, in bytes: a header with its options is one system call, and little of a body is copied
/// twice.
const AHEAD: usize = 512;

/// Most that [`append`] reads at once, in bytes: a record of TLS.
const APPEND: usize = 16 << 10;

/// A socket whose reads and writes fail with `TimedOut` at the current deadline, or after a pause of the current
/// stall time.
#[derive(Debug)]
pub(crate) struct TimedStream {
    socket: BufReader<SharedSocket>,
    kind: TimeoutKind,
    deadline: Instant,
    /// The limit that the deadline was made of, for messages.
    total: Duration,
    stall: Duration,
    /// Time for a header, from its first byte.
    header: Duration,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl TimedStream {
    /// Wraps a blocking socket; the first header is due within `header`.
    pub(crate) fn new(socket: Arc<Socket>, header: Duration) -> TimedStream {
        TimedStream {
            socket: BufReader::with_capacity(AHEAD, SharedSocket(socket)),
            kind: TimeoutKind::Header,
            deadline: Instant::now() + header,
            total: header,
            stall: header,
            header,
            read_timeout: None,
            write_timeout: None,
        }
    }

    /// Waits for the next request: at most `idle` for its first byte, then the header's time.
    pub(crate) fn await_request(&mut self, idle: Duration) {
        self.enter(TimeoutKind::Idle, idle, idle);
    }

    /// Sets a deadline `total` from now, with no pause longer than `stall`.
    pub(crate) fn enter(&mut self, kind: TimeoutKind, total: Duration, stall: Duration) {
        self.kind = kind;
        self.deadline = Instant::now() + total;
        self.total = total;
        self.stall = stall;
    }

    /// Sets a deadline that was computed elsewhere.
    pub(crate) fn set_deadline(&mut self, kind: TimeoutKind, deadline: Instant) {
        self.kind = kind;
        self.deadline = deadline;
        self.stall = Duration::MAX;
    }

    /// The current deadline's kind and its limit.
    pub(crate) fn timeout(&self) -> (TimeoutKind, Duration) {
        (self.kind, self.total)
    }

    /// The socket itself.
    pub(crate) fn socket(&self) -> &Socket {
        &self.socket.get_ref().0
    }

    /// Time until the next read or write fails, rounded up to [`STEP`].
    fn remaining(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let steps = left.min(self.stall).as_nanos().div_ceil(STEP.as_nanos());
        Ok(STEP.saturating_mul(steps.try_into().unwrap_or(u32::MAX)))
    }

    /// Reads once, at most `most` bytes, into the spare capacity of `buffer`. Returns their number; 0 at the end.
    pub(crate) fn append(&mut self, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        if !self.socket.buffer().is_empty() || buffer.capacity() - buffer.len() > most {
            return append(self, buffer, most);
        }
        self.before_read()?;
        receive(self.socket(), buffer).map_err(timed_out)
    }

    /// Discards at most `most` bytes. Returns their number; 0 at the end.
    pub(crate) fn discard(&mut self, most: u64) -> io::Result<u64> {
        let ahead = self.socket.buffer().len().min(most.try_into().unwrap_or(usize::MAX));
        if ahead > 0 {
            self.socket.consume(ahead);
            return Ok(ahead as u64);
        }
        // Mostly the bytes have arrived by now, and the timeout need not be set.
        let got = discard(self.socket().into(), most, Wait::No).or_else(|error| match error.kind() {
            io::ErrorKind::WouldBlock => {
                self.before_read()?;
                discard(self.socket().into(), most, Wait::Yes)
            }
            _ => Err(error),
        });
        got.map(|got| got as u64).map_err(timed_out)
    }

    fn before_read(&mut self) -> io::Result<()> {
        let remaining = Some(self.remaining()?);
        if self.read_timeout != remaining {
            self.socket().set_read_timeout(remaining)?;
            self.read_timeout = remaining;
        }
        Ok(())
    }

    /// Sends `len` bytes by `send`, which returns short only when the peer was too slow to take the rest.
    fn send(&mut self, len: usize, send: impl FnOnce(&Socket) -> io::Result<usize>) -> io::Result<usize> {
        let remaining = self.remaining()?;
        if self.write_timeout != Some(remaining) {
            self.socket().set_write_timeout(Some(remaining))?;
            self.write_timeout = Some(remaining);
        }
        let started = Instant::now();
        match send(self.socket()).map_err(timed_out)? {
            sent if sent < len && started.elapsed() >= remaining => Err(io::ErrorKind::TimedOut.into()),
            sent => Ok(sent),
        }
    }
}

/// The socket, which the connection's guard holds too.
#[derive(Debug)]
struct SharedSocket(Arc<Socket>);

impl Read for SharedSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buffer)
    }
}

/// Turns `WouldBlock`, the socket timeout of Unix, into `TimedOut`, that of Windows.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

/// Reads once, at most `most` bytes, to the end of `buffer`. Returns their number; 0 at the end.
pub(crate) fn append(reader: &mut impl Read, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
    let before = buffer.len();
    buffer.resize(before + most.min(APPEND), 0); // a reader cannot be given uninitialised memory
    let got = reader.read(&mut buffer[before..]);
    buffer.truncate(before + *got.as_ref().unwrap_or(&0));
    got
}

/// Reads once into the spare capacity of `buffer`. Clearing it before would cost a tenth of receiving a photo.
#[cfg(unix)]
fn receive(socket: &Socket, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let room = rustix::buffer::spare_capacity(buffer);
    Ok(rustix::io::read(socket, room)?)
}

/// Reads once into the spare capacity of `buffer`.
#[cfg(not(unix))]
fn receive(mut socket: &Socket, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let room = buffer.capacity() - buffer.len();
    append(&mut socket, buffer, room)
}

impl Read for TimedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.socket.buffer().is_empty() {
            self.before_read()?;
        }
        let got = self.socket.read(buffer).map_err(timed_out)?;
        if self.kind == TimeoutKind::Idle && got > 0 {
            self.enter(TimeoutKind::Header, self.header, self.header);
        }
        Ok(got)
    }
}

impl Write for TimedStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chunk = &bytes[..bytes.len().min(CHUNK)];
        self.send(chunk.len(), |mut socket| socket.write(chunk))
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut room = CHUNK;
        let chunk: Vec<_> = parts
            .iter()
            .map(|part| {
                let taken = part.len().min(room);
                room -= taken;
                IoSlice::new(&part[..taken])
            })
            .collect();
        self.send(CHUNK - room, |mut socket| socket.write_vectored(&chunk))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    fn pair() -> (TimedStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (TimedStream::new(Arc::new(listener.accept().unwrap().0.into()), Duration::from_millis(200)), peer)
    }

    #[test]
    fn silence_ends_at_the_deadline() {
        let (mut timed, _peer) = pair();
        let error = timed.read(&mut [0]).unwrap_err();
        assert_eq!((error.kind(), timed.timeout().0), (io::ErrorKind::TimedOut, TimeoutKind::Header));
    }

    #[test]
    fn the_first_byte_turns_idling_into_a_header() {
        let (mut timed, mut peer) = pair();
        timed.await_request(Duration::from_secs(60));
        peer.write_all(b"x").unwrap();
        assert_eq!(timed.read(&mut [0; 12]).unwrap(), 1);
        assert_eq!(timed.timeout().0, TimeoutKind::Header);
        assert_eq!(timed.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_drip_does_not_extend_a_deadline() {
        let (mut timed, mut peer) = pair();
        timed.enter(TimeoutKind::Body, Duration::from_millis(300), Duration::from_millis(300));
        let dripper = std::thread::spawn(move || {
            while peer.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let error = std::iter::repeat_with(|| timed.read(&mut [0])).find_map(Result::err).unwrap();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(timed);
        dripper.join().unwrap();
    }

    #[test]
    fn discarding_stops_where_the_next_request_begins() {
        let (mut timed, mut peer) = pair();
        let body = vec![7; 300_000];
        let sender = std::thread::spawn(move || {
            peer.write_all(&body).unwrap();
            peer.write_all(b"next").unwrap();
        });
        timed.enter(TimeoutKind::Body, Duration::from_secs(60), Duration::from_secs(60));
        let mut left = 300_000;
        while left > 0 {
            left -= timed.discard(left).unwrap();
        }
        let mut next = [0; 4];
        timed.read_exact(&mut next).unwrap();
        assert_eq!(&next, b"next");
        sender.join().unwrap();
        assert_eq!(timed.discard(9).unwrap(), 0, "the peer has left");
    }

    #[test]
    fn a_peer_that_reads_nothing_is_cut_after_one_stall_however_much_there_is_to_send() {
        let (mut timed, _peer) = pair();
        timed.enter(TimeoutKind::Write, Duration::from_secs(60), Duration::from_millis(300));
        let much = vec![0; 64 << 20];
        let outcomes = std::iter::repeat_with(|| timed.write(&much));
        let sent: Vec<_> = outcomes
            .map_while(|outcome| outcome.map_err(|e| assert_eq!(e.kind(), io::ErrorKind::TimedOut)).ok())
            .collect();
        // Retrying a short send would wait for a second stall.
        assert!(sent.iter().all(|sent| *sent == CHUNK), "{sent:?}");
    }
}
