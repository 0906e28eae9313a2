//! Addresses of both ends of a connection, of the network or of a Unix socket, and connecting to one.

use socket2::{Domain, SockAddr, Socket, Type};
#[cfg(feature = "server")]
use std::fmt;
use std::io;
#[cfg(feature = "server")]
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
#[cfg(feature = "server")]
use std::path::PathBuf;
use std::time::Duration;

/// Stands before the path of a Unix socket, as in `unix:/run/imgsrv/imgsrv.sock`.
const UNIX: &str = "unix:";

#[cfg(feature = "server")]
/// The address of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// An address of the network.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

#[cfg(feature = "server")]
impl ListenAddress {
    /// The address `unix:PATH`; `None` for one of the network.
    pub fn unix(address: &str) -> Option<ListenAddress> {
        unix_path(address).map(|path| ListenAddress::Unix(path.to_owned()))
    }

    /// Returns true if only this machine reaches it.
    pub fn is_local(&self) -> bool {
        match self {
            ListenAddress::Tcp(address) => address.ip().is_loopback(),
            ListenAddress::Unix(_) => true,
        }
    }

    /// The port, of an address of the network.
    pub fn port(&self) -> Option<u16> {
        match self {
            ListenAddress::Tcp(address) => Some(address.port()),
            ListenAddress::Unix(_) => None,
        }
    }

    /// Connects to the listener from this machine.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn connect(&self, timeout: Duration) -> io::Result<Socket> {
        match self {
            ListenAddress::Tcp(address) => connect_tcp(reachable(*address), timeout),
            ListenAddress::Unix(path) => connect_unix(path),
        }
    }
}

#[cfg(feature = "server")]
impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Tcp(address) => address.fmt(f),
            ListenAddress::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

#[cfg(feature = "server")]
/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerAddress {
    /// An address of the network.
    Tcp(SocketAddr),
    /// A process of this machine, over a Unix socket.
    Unix,
}

#[cfg(feature = "server")]
impl PeerAddress {
    /// The address that rates and limits count; loopback for a Unix socket.
    pub fn ip(&self) -> IpAddr {
        match self {
            PeerAddress::Tcp(address) => address.ip(),
            PeerAddress::Unix => Ipv4Addr::LOCALHOST.into(),
        }
    }
}

#[cfg(feature = "server")]
impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> PeerAddress {
        PeerAddress::Tcp(address)
    }
}

#[cfg(feature = "server")]
impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerAddress::Tcp(address) => address.fmt(f),
            PeerAddress::Unix => f.write_str("unix"),
        }
    }
}

/// The path of a `unix:PATH` address.
pub(super) fn unix_path(address: &str) -> Option<&Path> {
    address.strip_prefix(UNIX).map(Path::new)
}

/// Connects to `host:port`, or to `unix:PATH`. Of the addresses of a name, the first that answers is taken.
///
/// # Errors
/// When the name has no address, or none answers within `timeout`.
pub(crate) fn connect(address: &str, timeout: Duration) -> io::Result<Socket> {
    if let Some(path) = unix_path(address) {
        return connect_unix(path);
    }
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    for address in address.to_socket_addrs()? {
        match connect_tcp(address, timeout) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn connect_tcp(address: SocketAddr, timeout: Duration) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.connect_timeout(&address.into(), timeout)?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

/// Connects to a Unix socket, which never waits for a network.
fn connect_unix(path: &Path) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(socket)
}

#[cfg(feature = "server")]
/// The address to connect to for a listener on `address` of this machine.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
