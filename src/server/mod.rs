//! The blocking TCP door: accept, one bounded thread a connection, deadlines per stage, drain.
//!
//! Knows the wire and the engine, nothing of codecs. The listener and the stop signal are given to it.

mod accept;
mod channel;
mod connection;
mod failure;
mod metrics_door;
mod stop;
mod timed;
#[cfg(feature = "tls")]
mod tls;

pub use accept::serve;
pub use metrics_door::{readiness, serve_metrics};
pub use stop::Stop;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError, tls};

use crate::engine::Engine;
use crate::gate::Gate;
use crate::spec::Offer;
use channel::Channel;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;
use timed::Timed;

/// Connections that the kernel may hold before they are accepted.
const BACKLOG: i32 = 1024;

/// How the door treats its peers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Largest image that is accepted, in bytes. Default: 32 MiB.
    pub max_body: u32,
    /// From the first byte of a request, or from the connect, to the end of its header. Default: 5 s.
    pub header_timeout: Duration,
    /// For a body, beside one second for each 256 KiB of it. Default: 10 s.
    pub body_timeout: Duration,
    /// Longest pause within a body. Default: 5 s.
    pub stall_timeout: Duration,
    /// Longest pause of a peer that is to take its reply. Default: 10 s.
    pub write_timeout: Duration,
    /// Longest pause between two requests. Default: 75 s.
    pub idle_timeout: Duration,
    /// How long requests in flight may take after a stop. Default: 20 s.
    pub drain: Duration,
    /// What can be asked for, and what holds where a request says nothing.
    pub offer: Offer,
    /// Certificate and key. Default: none, everything is in the clear.
    #[cfg(feature = "tls")]
    pub tls: Option<Arc<Tls>>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            max_body: 32 << 20,
            header_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            drain: Duration::from_secs(20),
            offer: Offer::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

/// All that the threads of the door share.
#[derive(Debug)]
struct Door {
    engine: Arc<Engine>,
    settings: Settings,
    gate: Arc<Gate>,
    stop: Stop,
}

impl Door {
    /// The way in for a new connection: under TLS where there is a certificate.
    #[cfg_attr(not(feature = "tls"), expect(clippy::unnecessary_wraps, reason = "TLS can fail"))]
    fn channel(&self, timed: Timed) -> io::Result<Channel> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.settings.tls {
            let config = Arc::clone(&*tls.current());
            let connection = rustls::ServerConnection::new(config).map_err(io::Error::other)?;
            return Ok(Channel::Tls(Box::new(rustls::StreamOwned::new(connection, timed))));
        }
        Ok(Channel::Plain(timed))
    }
}

/// Opens a listening socket on the first address of `bind` (`host:port`, IPv4, IPv6 in brackets, or a name)
/// that can be had. Port 0 takes a free one.
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
