//! The blocking TCP door: accept, one bounded thread a connection, deadlines per stage, drain.
//!
//! Knows the wire and the engine, nothing of codecs. The listener and the stop signal are given to it.

mod connection;
mod registry;
mod timed;

use crate::engine::Engine;
use crate::spec::Spec;
use registry::{Full, Registry};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Stack of a connection's thread: it reads, probes and writes, and never decodes.
const STACK_BYTES: usize = 512 << 10;

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
    /// Most open connections. Default: 2,048.
    pub max_connections: usize,
    /// Most open connections of one address. Default: 256.
    pub per_ip: usize,
    /// How long requests in flight may take after a stop. Default: 20 s.
    pub drain: Duration,
    /// What a request asks for where it says nothing.
    pub base: Spec,
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
            max_connections: 2048,
            per_ip: 256,
            drain: Duration::from_secs(20),
            base: Spec::default(),
        }
    }
}

/// All that the threads of the door share.
#[derive(Debug)]
struct Door {
    engine: Arc<Engine>,
    settings: Settings,
    stop: Stop,
}

/// Asks a running server to finish. Clones ask the same one.
#[derive(Debug, Clone)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    wake: SocketAddr,
}

impl Stop {
    /// A signal for the server that will run on `listener`.
    ///
    /// # Errors
    /// When the listener has no local address.
    pub fn new(listener: &TcpListener) -> io::Result<Stop> {
        let mut wake = listener.local_addr()?;
        match wake.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => wake.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => wake.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        Ok(Stop { asked: Arc::default(), wake })
    }

    /// Stops accepting; requests in flight are finished.
    pub fn trigger(&self) {
        self.asked.store(true, Ordering::Release);
        // The accept call sleeps until somebody comes.
        drop(TcpStream::connect_timeout(&self.wake, Duration::from_secs(1)));
    }

    /// Whether the server was asked to stop.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
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

/// Serves until `stop` is triggered, then finishes what is in flight for at most `settings.drain`.
/// Whether everything could be finished.
pub fn serve(listener: TcpListener, engine: Arc<Engine>, settings: Settings, stop: Stop) -> bool {
    let registry = Registry::new(settings.max_connections, settings.per_ip);
    let drain = settings.drain;
    let door = Arc::new(Door { engine, settings, stop });
    let mut pause = Pause::default();
    let mut accepted = 0_u64;
    while !door.stop.is_asked() {
        match listener.accept() {
            Ok(_) if door.stop.is_asked() => break,
            Ok((socket, peer)) => {
                pause = Pause::default();
                accepted += 1;
                if let Err(reason) = admit(socket, peer, accepted, &registry, &door) {
                    log::warn!(peer:% = peer; "connection refused: {reason}");
                }
            }
            Err(error) => {
                log::warn!("cannot accept a connection: {error}");
                pause.sleep(); // out of descriptors, most likely: spinning would not find any
            }
        }
    }
    drop(listener);
    log::info!(connections = registry.len(); "stopping: finishing the requests in flight");
    registry.close_idle();
    registry.wait_until_empty(drain)
}

/// Why a connection gets no thread.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Full(#[from] Full),
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn admit(
    socket: TcpStream,
    peer: SocketAddr,
    number: u64,
    registry: &Arc<Registry>,
    door: &Arc<Door>,
) -> Result<(), Refused> {
    socket.set_nodelay(true)?;
    let seat = match registry.enter(peer.ip(), socket.try_clone()?) {
        Ok(seat) => seat,
        Err(full) => {
            turn_away(&socket);
            return Err(full.into());
        }
    };
    let door = door.clone();
    let work = move || connection::Connection::new(socket, peer, number, seat, &door).serve();
    thread::Builder::new().name(format!("conn-{number}")).stack_size(STACK_BYTES).spawn(work)?;
    Ok(())
}

/// Says `size = 0`, which both request forms understand as a refusal, without waiting for anything.
fn turn_away(mut socket: &TcpStream) {
    let mut farewell = || {
        socket.set_nonblocking(true)?;
        socket.write_all(&[0; 4])?;
        socket.shutdown(Shutdown::Write)?;
        socket.read(&mut [0; 4096]) // unread bytes would turn the close into a reset that overtakes the reply
    };
    let _: io::Result<usize> = farewell(); // a peer that is gone needs no farewell
}

/// A pause that doubles from 5 ms to a second.
#[derive(Debug, Default)]
struct Pause(u32);

impl Pause {
    fn sleep(&mut self) {
        thread::sleep(Duration::from_millis(5 << self.0).min(Duration::from_secs(1)));
        self.0 = (self.0 + 1).min(8);
    }
}
