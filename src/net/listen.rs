//! Listening sockets, and the address at which one is reached from this machine.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

/// Connections that the kernel may hold before they are accepted.
const BACKLOG: i32 = 1024;

/// Opens a listening socket on the first address of `bind` that can be bound: `host:port` with an IPv4 address, an
/// IPv6 address in brackets, or a name. Port 0 takes a free one.
///
/// # Errors
/// When the name has no address or none can be bound.
pub fn listen(bind: &str) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    for address in bind.to_socket_addrs()? {
        match listen_on(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    if cfg!(unix) {
        socket.set_reuse_address(true)?; // a restart must not wait for old connections to time out
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The address to connect to for a listener on `address` of this machine.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
