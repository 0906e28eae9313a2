//! `Security`: protection of a connection, and the authorities that are trusted.

use socket2::Socket;
use std::io;
use std::path::PathBuf;

/// Protection of the connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Security {
    /// None: for loopback and trusted networks.
    #[default]
    Plain,
    /// TLS; the server's certificate must be signed for its name by an authority that this machine trusts.
    Tls,
    /// TLS; the authorities in this PEM file are trusted instead.
    TlsWithCa(PathBuf),
    /// TLS without a check of the certificate: it stops eavesdroppers, not impostors. For tests.
    TlsInsecure,
}

#[cfg(feature = "tls")]
type ClientTls = rustls::StreamOwned<rustls::ClientConnection, Socket>;
#[cfg(not(feature = "tls"))]
type ClientTls = Socket;

/// An open connection.
pub(super) type ClientTransport = crate::net::transport::Transport<Socket, ClientTls>;

impl ClientTransport {
    /// Protects a connected socket. `server` is the address as given, `host:port`.
    pub(super) fn open(socket: Socket, security: &Security, server: &str) -> io::Result<ClientTransport> {
        match security {
            Security::Plain => Ok(ClientTransport::Plain(socket)),
            #[cfg(feature = "tls")]
            tls => crate::client::tls::handshake(socket, tls, server)
                .map(|stream| ClientTransport::Tls(Box::new(stream))),
            #[cfg(not(feature = "tls"))]
            _ => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("no TLS to {server}: this program was built without the feature 'tls'"),
            )),
        }
    }
}
