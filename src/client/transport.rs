//! The client's end of a `Transport`: how it is protected, and whom to trust.

use std::io;
use std::net::TcpStream;
use std::path::PathBuf;

/// How the connection is protected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Security {
    /// Not at all: for loopback and trusted networks.
    #[default]
    Plain,
    /// TLS; the server's certificate must be signed for its name by an authority that this machine trusts.
    Tls,
    /// TLS; the authorities in this PEM file are trusted instead.
    TlsWithCa(PathBuf),
    /// TLS with whoever answers: it keeps listeners out, not impostors. For tests.
    TlsInsecure,
}

#[cfg(feature = "tls")]
type Tls = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;
#[cfg(not(feature = "tls"))]
type Tls = TcpStream;

/// An open connection.
pub(super) type Transport = crate::net::transport::Transport<TcpStream, Tls>;

impl Transport {
    /// Protects a connected socket. `server` is the address as given, `host:port`.
    pub(super) fn open(socket: TcpStream, security: &Security, server: &str) -> io::Result<Transport> {
        match security {
            Security::Plain => Ok(Transport::Plain(socket)),
            #[cfg(feature = "tls")]
            tls => crate::client::tls::handshake(socket, tls, server)
                .map(|stream| Transport::Tls(Box::new(stream))),
            #[cfg(not(feature = "tls"))]
            _ => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("no TLS to {server}: this program was built without the feature 'tls'"),
            )),
        }
    }
}
