//! The server's end of a `Transport`: handshake, reading and closing within the current deadline.

use crate::net::timed_stream::{self, TimedStream};
use crate::net::{PeerAddress, TransportKind};
use crate::service::ServiceSettings;
use socket2::Socket;
use std::io::{self, Read};
use std::net::Shutdown;
#[cfg(feature = "tls")]
use std::sync::Arc;

#[cfg(feature = "tls")]
type TlsStream = rustls::StreamOwned<rustls::ServerConnection, TimedStream>;
#[cfg(not(feature = "tls"))]
type TlsStream = TimedStream;

/// Both directions of a connection.
pub(super) type Transport = crate::net::transport::Transport<TimedStream, TlsStream>;

impl Transport {
    /// Wraps a new connection: in TLS where the settings have a certificate and bytes leave the process by the network.
    #[cfg_attr(not(feature = "tls"), expect(clippy::unnecessary_wraps, reason = "TLS can fail"))]
    pub(super) fn accept(
        stream: TimedStream,
        peer: PeerAddress,
        settings: &ServiceSettings,
    ) -> io::Result<Transport> {
        #[cfg(feature = "tls")]
        if let (Some(tls), PeerAddress::Tcp(_)) = (&settings.tls, peer) {
            let config = Arc::clone(&*tls.current());
            let connection = rustls::ServerConnection::new(config).map_err(io::Error::other)?;
            return Ok(Transport::Tls(Box::new(rustls::StreamOwned::new(connection, stream))));
        }
        let _ = (settings, peer);
        Ok(Transport::Plain(stream))
    }

    /// Completes the TLS handshake, if there is one.
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

    /// Tells whether the connection is encrypted.
    pub(super) fn kind(&self) -> TransportKind {
        match self {
            Transport::Plain(_) => TransportKind::Plain,
            Transport::Tls(_) => TransportKind::Tls,
        }
    }

    /// Reads once, at most `most` bytes, into the spare capacity of `buffer`. Returns their number; 0 at the end.
    pub(super) fn append(&mut self, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        match self {
            Transport::Plain(stream) => stream.append(buffer, most),
            Transport::Tls(_) => timed_stream::append(self, buffer, most),
        }
    }

    /// Discards at most `most` bytes. Returns their number; 0 at the end.
    pub(super) fn discard(&mut self, most: u64) -> io::Result<u64> {
        match self {
            Transport::Plain(stream) => stream.discard(most),
            Transport::Tls(_) => io::copy(&mut self.take(most), &mut io::sink()),
        }
    }

    /// The stream below, with its deadline.
    pub(super) fn stream(&mut self) -> &mut TimedStream {
        match self {
            Transport::Plain(stream) => stream,
            #[cfg(feature = "tls")]
            Transport::Tls(stream) => &mut stream.sock,
            #[cfg(not(feature = "tls"))]
            Transport::Tls(stream) => stream,
        }
    }

    /// The socket.
    pub(super) fn socket(&self) -> &Socket {
        match self {
            Transport::Plain(stream) => stream.socket(),
            #[cfg(feature = "tls")]
            Transport::Tls(stream) => stream.sock.socket(),
            #[cfg(not(feature = "tls"))]
            Transport::Tls(stream) => stream.socket(),
        }
    }

    /// Ends the sending direction.
    pub(super) fn finish_writing(&mut self) {
        #[cfg(feature = "tls")]
        if let Transport::Tls(stream) = self {
            stream.conn.send_close_notify();
            let _ = stream.conn.complete_io(&mut stream.sock); // the peer may have left
        }
        let _ = self.socket().shutdown(Shutdown::Write);
    }
}
