//! The server's end of a `Transport`: handshake and goodbye, within the deadline of the stage.

use crate::net::timed_stream::Timed;
use crate::wire;
use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};

#[cfg(feature = "tls")]
type Tls = rustls::StreamOwned<rustls::ServerConnection, Timed>;
#[cfg(not(feature = "tls"))]
type Tls = Timed;

/// A connection's two directions.
pub(super) type Transport = crate::net::transport::Transport<Timed, Tls>;

impl Transport {
    /// Shakes hands, where that is called for, within the time of the stage.
    pub(super) fn handshake(&mut self) -> io::Result<()> {
        match self {
            #[cfg(feature = "tls")]
            Transport::Tls(stream) => {
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
        matches!(self, Transport::Tls(_))
    }

    /// Reads once, at most `most` bytes, into the spare room of `buffer`. How many; 0 at the end.
    pub(super) fn append(&mut self, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        match self {
            Transport::Plain(timed) => timed.append(buffer, most),
            Transport::Tls(_) => wire::append(self, buffer, most),
        }
    }

    /// Reads past at most `most` bytes. Past how many; 0 at the end.
    pub(super) fn skip(&mut self, most: u64) -> io::Result<u64> {
        match self {
            Transport::Plain(timed) => timed.skip(most),
            Transport::Tls(_) => io::copy(&mut self.take(most), &mut io::sink()),
        }
    }

    /// The deadlines.
    pub(super) fn timed(&mut self) -> &mut Timed {
        match self {
            Transport::Plain(timed) => timed,
            #[cfg(feature = "tls")]
            Transport::Tls(stream) => &mut stream.sock,
            #[cfg(not(feature = "tls"))]
            Transport::Tls(timed) => timed,
        }
    }

    /// The socket.
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Transport::Plain(timed) => timed.socket(),
            #[cfg(feature = "tls")]
            Transport::Tls(stream) => stream.sock.socket(),
            #[cfg(not(feature = "tls"))]
            Transport::Tls(timed) => timed.socket(),
        }
    }

    /// Says that nothing more will be sent; the peer may already be gone.
    pub(super) fn finish_writing(&mut self) {
        #[cfg(feature = "tls")]
        if let Transport::Tls(stream) = self {
            stream.conn.send_close_notify();
            let _ = stream.conn.complete_io(&mut stream.sock);
        }
        let _ = self.socket().shutdown(Shutdown::Write);
    }
}
