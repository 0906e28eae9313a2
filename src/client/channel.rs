//! `Channel`: the bytes to and from a server, in the clear or under TLS, and whom to trust.

use std::io::{self, IoSlice, Read, Write};
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

/// An open connection.
#[derive(Debug)]
pub(super) enum Channel {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, TcpStream>>),
}

impl Channel {
    /// Protects a connected socket. `server` is the address as given, `host:port`.
    pub(super) fn open(socket: TcpStream, security: &Security, server: &str) -> io::Result<Channel> {
        match security {
            Security::Plain => Ok(Channel::Plain(socket)),
            #[cfg(feature = "tls")]
            tls => super::tls::handshake(socket, tls, server).map(|stream| Channel::Tls(Box::new(stream))),
            #[cfg(not(feature = "tls"))]
            _ => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("no TLS to {server}: this program was built without the feature 'tls'"),
            )),
        }
    }
}

impl Read for Channel {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Channel::Plain(socket) => socket.read(buffer),
            #[cfg(feature = "tls")]
            Channel::Tls(stream) => match stream.read(buffer) {
                // Replies carry their length: an end without TLS's goodbye hides nothing.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                got => got,
            },
        }
    }
}

impl Write for Channel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Channel::Plain(socket) => socket.write(bytes),
            #[cfg(feature = "tls")]
            Channel::Tls(stream) => stream.write(bytes),
        }
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Channel::Plain(socket) => socket.write_vectored(parts),
            #[cfg(feature = "tls")]
            Channel::Tls(stream) => stream.write_vectored(parts),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Channel::Plain(socket) => socket.flush(),
            #[cfg(feature = "tls")]
            Channel::Tls(stream) => stream.flush(),
        }
    }
}
