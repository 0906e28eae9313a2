//! `AsyncListener`: a [`Listener`] of the runtime, TCP or Unix, and its connections.

use crate::net::{ListenAddress, Listener, PeerAddress};
use socket2::SockRef;
use std::io;
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

/// An accepted connection.
#[cfg(unix)]
pub(super) type AsyncSocket = tokio_util::either::Either<TcpStream, UnixStream>;
/// An accepted connection.
#[cfg(not(unix))]
pub(super) type AsyncSocket = TcpStream;

/// A listening socket of the runtime.
#[derive(Debug)]
pub(super) struct AsyncListener {
    kind: Kind,
    /// Holds the lock of a Unix path.
    _listener: Listener,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl AsyncListener {
    /// Registers a listener with the runtime of this thread.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub(super) fn new(listener: Listener) -> io::Result<AsyncListener> {
        listener.set_nonblocking(true)?;
        let socket = listener.try_clone()?;
        let kind = match listener.address() {
            #[cfg(unix)]
            ListenAddress::Unix(_) => Kind::Unix(UnixListener::from_std(socket.into())?),
            _ => Kind::Tcp(TcpListener::from_std(socket.into())?),
        };
        Ok(AsyncListener { kind, _listener: listener })
    }

    /// Accepts a connection.
    ///
    /// # Errors
    /// Those of the socket.
    #[cfg(unix)]
    pub(super) async fn accept(&self) -> io::Result<(AsyncSocket, PeerAddress)> {
        match &self.kind {
            Kind::Tcp(listener) => {
                let (socket, address) = listener.accept().await?;
                Ok((AsyncSocket::Left(socket), address.into()))
            }
            Kind::Unix(listener) => {
                let (socket, _) = listener.accept().await?;
                Ok((AsyncSocket::Right(socket), PeerAddress::Unix))
            }
        }
    }

    /// Accepts a connection.
    ///
    /// # Errors
    /// Those of the socket.
    #[cfg(not(unix))]
    pub(super) async fn accept(&self) -> io::Result<(AsyncSocket, PeerAddress)> {
        let Kind::Tcp(listener) = &self.kind;
        let (socket, address) = listener.accept().await?;
        Ok((socket, address.into()))
    }
}

/// The socket of a connection, for its options.
#[cfg(unix)]
pub(super) fn sock_ref(socket: &AsyncSocket) -> SockRef<'_> {
    match socket {
        AsyncSocket::Left(socket) => socket.into(),
        AsyncSocket::Right(socket) => socket.into(),
    }
}

/// The socket of a connection, for its options.
#[cfg(not(unix))]
pub(super) fn sock_ref(socket: &AsyncSocket) -> SockRef<'_> {
    socket.into()
}
