//! `Timed`: a socket under the deadline of the stage that the connection is in.

use crate::net::discard::{Wait, read_past};
use crate::reject_reason::RejectReason;
use crate::wire;
use std::io::{self, BufRead, BufReader, IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Socket timeouts are set in steps of this, so that a stage needs few system calls.
const STEP: Duration = Duration::from_millis(100);

/// Most that is given to the system at once, in bytes: a send that is larger would hide for how long nothing
/// was taken.
const CHUNK: usize = 128 << 10;

/// What is read at once where less is asked for, in bytes: a header with its options is one system call, and of a body
/// little is copied twice.
const AHEAD: usize = 512;

/// What a connection is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The next request on an open connection.
    Idle,
    /// The header and options of a request.
    Header,
    /// The image.
    Body,
    /// The peer to take the reply.
    Write,
}

impl Stage {
    /// What it is called when its time is up. Idling too long is nobody's fault.
    pub(crate) fn overrun(self) -> Option<RejectReason> {
        match self {
            Stage::Idle => None,
            Stage::Header => Some(RejectReason::HeaderTimeout),
            Stage::Body => Some(RejectReason::SlowClient),
            Stage::Write => Some(RejectReason::WriteTimeout),
        }
    }
}

/// A socket whose reads and writes fail with `TimedOut` at the deadline of the current stage, or when the
/// peer makes no progress for the stage's stall time.
#[derive(Debug)]
pub(crate) struct Timed {
    socket: BufReader<Shared>,
    stage: Stage,
    deadline: Instant,
    stall: Duration,
    /// From the first byte of a request the header has this long.
    header: Duration,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl Timed {
    /// Wraps a blocking socket; the first header is due within `header`.
    pub(crate) fn new(socket: Arc<TcpStream>, header: Duration) -> Timed {
        let deadline = Instant::now() + header;
        let (read_timeout, write_timeout) = (None, None);
        let socket = BufReader::with_capacity(AHEAD, Shared(socket));
        Timed { socket, stage: Stage::Header, deadline, stall: header, header, read_timeout, write_timeout }
    }

    /// Waits for the next request: at most `idle` for its first byte, then the header's time.
    pub(crate) fn await_request(&mut self, idle: Duration) {
        self.enter(Stage::Idle, idle, idle);
    }

    /// Starts a stage that must be over within `total`, with no pause longer than `stall`.
    pub(crate) fn enter(&mut self, stage: Stage, total: Duration, stall: Duration) {
        self.stage = stage;
        self.deadline = Instant::now() + total;
        self.stall = stall;
    }

    /// The stage that the connection is in.
    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// The socket itself.
    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket.get_ref().0
    }

    /// Time until the next read or write has to be given up, rounded up to [`STEP`].
    fn patience(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let steps = left.min(self.stall).as_nanos().div_ceil(STEP.as_nanos());
        Ok(STEP.saturating_mul(steps.try_into().unwrap_or(u32::MAX)))
    }

    /// Reads once, at most `most` bytes, into the spare room of `buffer`. How many; 0 at the end.
    pub(crate) fn append(&mut self, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        if !self.socket.buffer().is_empty() || buffer.capacity() - buffer.len() > most {
            return wire::append(self, buffer, most);
        }
        self.before_read()?;
        receive(self.socket(), buffer).map_err(named)
    }

    /// Reads past at most `most` bytes, which nobody wants. Past how many; 0 at the end.
    pub(crate) fn skip(&mut self, most: u64) -> io::Result<u64> {
        let ahead = self.socket.buffer().len().min(most.try_into().unwrap_or(usize::MAX));
        if ahead > 0 {
            self.socket.consume(ahead);
            return Ok(ahead as u64);
        }
        // Mostly it has come by now, and the timeout need not be set.
        let got = read_past(self.socket().into(), most, Wait::No).or_else(|error| match error.kind() {
            io::ErrorKind::WouldBlock => {
                self.before_read()?;
                read_past(self.socket().into(), most, Wait::Yes)
            }
            _ => Err(error),
        });
        got.map(|got| got as u64).map_err(named)
    }

    fn before_read(&mut self) -> io::Result<()> {
        let patience = Some(self.patience()?);
        if self.read_timeout != patience {
            self.socket().set_read_timeout(patience)?;
            self.read_timeout = patience;
        }
        Ok(())
    }

    /// Sends `len` bytes by `send`, which comes back short only when the peer took too long to take the rest.
    fn send(&mut self, len: usize, send: impl FnOnce(&TcpStream) -> io::Result<usize>) -> io::Result<usize> {
        let patience = self.patience()?;
        if self.write_timeout != Some(patience) {
            self.socket().set_write_timeout(Some(patience))?;
            self.write_timeout = Some(patience);
        }
        let began = Instant::now();
        match send(self.socket()).map_err(named)? {
            sent if sent < len && began.elapsed() >= patience => Err(io::ErrorKind::TimedOut.into()),
            sent => Ok(sent),
        }
    }
}

/// The socket, which the seat of the connection has too.
#[derive(Debug)]
struct Shared(Arc<TcpStream>);

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buffer)
    }
}

/// A socket timeout is `WouldBlock` on Unix and `TimedOut` on Windows: one word for both from here on.
fn named(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

/// Reads as much as has arrived into the spare room of `buffer`, which is not cleared before: that is a
/// tenth of what it costs to receive a photo.
#[cfg(unix)]
fn receive(socket: &TcpStream, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let room = rustix::buffer::spare_capacity(buffer);
    Ok(rustix::io::read(socket, room)?)
}

/// Reads as much as has arrived into the spare room of `buffer`.
#[cfg(not(unix))]
fn receive(mut socket: &TcpStream, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let room = buffer.capacity() - buffer.len();
    wire::append(&mut socket, buffer, room)
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.socket.buffer().is_empty() {
            self.before_read()?;
        }
        let got = self.socket.read(buffer).map_err(named)?;
        if self.stage == Stage::Idle && got > 0 {
            self.enter(Stage::Header, self.header, self.header);
        }
        Ok(got)
    }
}

impl Write for Timed {
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
    use std::net::TcpListener;

    fn pair() -> (Timed, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Timed::new(Arc::new(listener.accept().unwrap().0), Duration::from_millis(200)), peer)
    }

    #[test]
    fn silence_ends_at_the_deadline_of_the_stage() {
        let (mut timed, _peer) = pair();
        let error = timed.read(&mut [0]).unwrap_err();
        assert_eq!((error.kind(), timed.stage()), (io::ErrorKind::TimedOut, Stage::Header));
    }

    #[test]
    fn the_first_byte_turns_idling_into_a_header() {
        let (mut timed, mut peer) = pair();
        timed.await_request(Duration::from_secs(60));
        peer.write_all(b"x").unwrap();
        assert_eq!(timed.read(&mut [0; 12]).unwrap(), 1);
        assert_eq!(timed.stage(), Stage::Header);
        assert_eq!(timed.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_drip_does_not_extend_a_stage() {
        let (mut timed, mut peer) = pair();
        timed.enter(Stage::Body, Duration::from_millis(300), Duration::from_millis(300));
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
    fn what_nobody_wants_is_read_past_and_what_follows_is_not() {
        let (mut timed, mut peer) = pair();
        let unwanted = vec![7; 300_000];
        let sender = std::thread::spawn(move || {
            peer.write_all(&unwanted).unwrap();
            peer.write_all(b"next").unwrap();
        });
        timed.enter(Stage::Body, Duration::from_secs(60), Duration::from_secs(60));
        let mut left = 300_000;
        while left > 0 {
            left -= timed.skip(left).unwrap();
        }
        let mut next = [0; 4];
        timed.read_exact(&mut next).unwrap();
        assert_eq!(&next, b"next");
        sender.join().unwrap();
        assert_eq!(timed.skip(9).unwrap(), 0, "the peer has left");
    }

    #[test]
    fn a_peer_that_takes_nothing_is_given_up_after_one_stall_however_much_there_is_to_send() {
        let (mut timed, _peer) = pair();
        timed.enter(Stage::Write, Duration::from_secs(60), Duration::from_millis(300));
        let much = vec![0; 64 << 20];
        let outcomes = std::iter::repeat_with(|| timed.write(&much));
        let sent: Vec<_> = outcomes
            .map_while(|outcome| outcome.map_err(|e| assert_eq!(e.kind(), io::ErrorKind::TimedOut)).ok())
            .collect();
        // A send that came back short and were tried again would wait for a second stall.
        assert!(sent.iter().all(|sent| *sent == CHUNK), "{sent:?}");
    }
}
