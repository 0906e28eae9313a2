//! `Channel`: the bytes to and from a peer, in the clear or under TLS, each within the stage's deadline.

use super::timed::Timed;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};

/// A connection's two directions.
#[derive(Debug)]
pub(super) enum Channel {
    Plain(Timed),
    #[cfg(feature = "tls")]
    Tls(Box<rustls::StreamOwned<rustls::ServerConnection, Timed>>),
}

impl Channel {
    /// Shakes hands, where that is called for, within the time of the stage.
    pub(super) fn handshake(&mut self) -> io::Result<()> {
        match self {
            Channel::Plain(_) => Ok(()),
            #[cfg(feature = "tls")]
            Channel::Tls(stream) => {
                while stream.conn.is_handshaking() {
                    stream.conn.complete_io(&mut stream.sock)?;
                }
                Ok(())
            }
        }
    }

    /// Whether nobody on the way can read along.
    pub(super) fn is_encrypted(&self) -> bool {
        match self {
            Channel::Plain(_) => false,
            #[cfg(feature = "tls")]
            Channel::Tls(_) => true,
        }
    }

    /// The deadlines.
    pub(super) fn timed(&mut self) -> &mut Timed {
        match self {
            Channel::Plain(timed) => timed,
            #[cfg(feature = "tls")]
            Channel::Tls(stream) => &mut stream.sock,
        }
    }

    /// The socket.
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Channel::Plain(timed) => timed.socket(),
            #[cfg(feature = "tls")]
            Channel::Tls(stream) => stream.sock.socket(),
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

impl Read for Channel {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Channel::Plain(timed) => timed.read(buffer),
            #[cfg(feature = "tls")]
            Channel::Tls(stream) => match stream.read(buffer) {
                // Requests carry their length: an end without TLS's goodbye hides nothing.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                got => got,
            },
        }
    }
}

impl Write for Channel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Channel::Plain(timed) => timed.write(bytes),
            #[cfg(feature = "tls")]
            Channel::Tls(stream) => stream.write(bytes),
        }
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Channel::Plain(timed) => timed.write_vectored(parts),
            #[cfg(feature = "tls")]
            Channel::Tls(stream) => stream.write_vectored(parts),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Channel::Plain(timed) => timed.flush(),
            #[cfg(feature = "tls")]
            Channel::Tls(stream) => stream.flush(),
        }
    }
}
