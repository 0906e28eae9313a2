//! `Bounded`: a connection that is read and written up to a deadline and no longer.

use crate::client::transport::Transport;
use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

/// A timeout of a socket bounds one pause, and a peer that sends a byte now and then never pauses for long: so
/// each call gets what is left of the whole.
pub(super) struct Bounded<'a> {
    pub(super) channel: &'a mut Transport,
    /// The socket beneath.
    pub(super) socket: &'a TcpStream,
    pub(super) until: Instant,
}

impl Bounded<'_> {
    fn in_time(&mut self) -> io::Result<&mut Transport> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        // Both, because TLS may have to write for a read.
        self.socket.set_read_timeout(Some(left))?;
        self.socket.set_write_timeout(Some(left))?;
        Ok(self.channel)
    }
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.in_time()?.read(buffer)
    }
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.in_time()?.write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.in_time()?.write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.in_time()?.flush()
    }
}
