//! The server's end of a `Channel`: handshake and goodbye, within the deadline of the stage.

use super::timed::Timed;
use crate::wire;
use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};

#[cfg(feature = "tls")]
type Tls = rustls::StreamOwned<rustls::ServerConnection, Timed>;
#[cfg(not(feature = "tls"))]
type Tls = Timed;

/// A connection's two directions.
pub(super) type Channel = crate::channel::Channel<Timed, Tls>;

impl Channel {
    /// Shakes hands, where that is called for, within the time of the stage.
    pub(super) fn handshake(&mut self) -> io::Result<()> {
        match self {
            #[cfg(feature = "tls")]
            Channel::Tls(stream) => {
                while stream.conn.is_handshaking() {
                    stream.conn.complete_io(&mut stream.sock)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether nobody on the way can read along.
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self, Channel::Tls(_))
    }

    /// Reads once, at most `most` bytes, into the spare room of `buffer`. How many; 0 at the end.
    pub(super) fn append(&mut self, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        match self {
            Channel::Plain(timed) => timed.append(buffer, most),
            Channel::Tls(_) => wire::append(self, buffer, most),
        }
    }

    /// Reads past at most `most` bytes. Past how many; 0 at the end.
    pub(super) fn skip(&mut self, most: u64) -> io::Result<u64> {
        match self {
            Channel::Plain(timed) => timed.skip(most),
            Channel::Tls(_) => io::copy(&mut self.take(most), &mut io::sink()),
        }
    }

    /// The deadlines.
    pub(super) fn timed(&mut self) -> &mut Timed {
        match self {
            Channel::Plain(timed) => timed,
            #[cfg(feature = "tls")]
            Channel::Tls(stream) => &mut stream.sock,
            #[cfg(not(feature = "tls"))]
            Channel::Tls(timed) => timed,
        }
    }

    /// The socket.
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Channel::Plain(timed) => timed.socket(),
            #[cfg(feature = "tls")]
            Channel::Tls(stream) => stream.sock.socket(),
            #[cfg(not(feature = "tls"))]
            Channel::Tls(timed) => timed.socket(),
        }
    }

    /// Says that nothing more will be sent; the peer may already be gone.
    pub(super) fn finish_writing(&mut self) {
        #[cfg(feature = "tls")]
        if let Channel::Tls(stream) = self {
            stream.conn.send_close_notify();
            let _ = stream.conn.complete_io(&mut stream.sock);
        }
        let _ = self.socket().shutdown(Shutdown::Write);
    }
}
