//! `DeadlineStream`: a connection that is read and written up to one deadline.

use crate::client::transport::ClientTransport;
use socket2::Socket;
use std::io::{self, IoSlice, Read, Write};
use std::time::Instant;

/// A socket timeout bounds one pause, which a peer that sends a byte now and then never exceeds. Each call therefore
/// gets the time that is left of the whole.
pub(super) struct DeadlineStream<'a> {
    pub(super) channel: &'a mut ClientTransport,
    /// The socket beneath.
    pub(super) socket: &'a Socket,
    pub(super) until: Instant,
}

impl DeadlineStream<'_> {
    fn within_deadline(&mut self) -> io::Result<&mut ClientTransport> {
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

impl Read for DeadlineStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.within_deadline()?.read(buffer)
    }
}

impl Write for DeadlineStream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.within_deadline()?.write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.within_deadline()?.write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.within_deadline()?.flush()
    }
}
