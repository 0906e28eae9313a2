//! The accept loop: gives each admitted connection a thread, rejects the others, and survives running out of
//! descriptors and threads.

use crate::net::{ListenAddress, Listener, PeerAddress};
use crate::reject_reason::RejectReason;
use crate::service::Service;
use crate::service::connections::ConnectionLimit;
use crate::tcp::connection::Connection;
use socket2::Socket;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Stack of a connection's thread, in bytes: it reads, probes and writes, and never decodes.
const STACK_BYTES: usize = 512 << 10;

/// Longest pause after a failed accept.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Time to wake the accept loop at a shutdown.
const WAKE_TIMEOUT: Duration = Duration::from_secs(1);

/// Accepts connections until the service's shutdown. Connections end later; see [`Service::drain`].
pub fn serve(listener: &Listener, service: &Arc<Service>) {
    let (wake, socket) = (listener.address().clone(), listener.try_clone());
    // The accept call blocks until a connection comes, or the socket of a Unix path, which may be deleted, is shut down.
    service.shutdown().on_request(move || match (&wake, socket) {
        (ListenAddress::Unix(_), Ok(socket)) => drop(socket.shutdown(Shutdown::Read)),
        _ => drop(wake.connect(WAKE_TIMEOUT)),
    });
    let mut backoff = Backoff::default();
    let mut spare = SpareDescriptor::new();
    let mut accepted = 0_u64;
    while !service.shutdown().is_requested() {
        let (socket, peer) = match listener.accept() {
            Ok(_) if service.shutdown().is_requested() => break,
            Ok(accepted) => accepted,
            Err(_) if service.shutdown().is_requested() => break,
            Err(error) => {
                service.metrics().rejected(RejectReason::Starved);
                log::warn!("cannot accept a connection: {error}");
                spare.reject_one(listener);
                backoff.sleep(); // out of descriptors, most likely: retrying at once would not find any
                continue;
            }
        };
        accepted += 1;
        match start(socket, peer, accepted, service) {
            Ok(()) => backoff = Backoff::default(),
            Err(rejected) => {
                service.connection_closed(peer, rejected.reject_reason(), &rejected);
                if matches!(rejected, Rejected::Io(_)) {
                    backoff.sleep();
                }
            }
        }
    }
}

/// Why a connection gets no thread.
#[derive(Debug, thiserror::Error)]
enum Rejected {
    #[error(transparent)]
    Limit(#[from] ConnectionLimit),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Rejected {
    fn reject_reason(&self) -> RejectReason {
        match self {
            Rejected::Limit(limit) => limit.reject_reason(),
            Rejected::Io(_) => RejectReason::Starved,
        }
    }
}

fn start(socket: Socket, peer: PeerAddress, number: u64, service: &Arc<Service>) -> Result<(), Rejected> {
    let socket = Arc::new(socket);
    let _ = socket.set_tcp_nodelay(true); // the peer may have left already, which reading will tell; a Unix socket has no delay
    let is_proxy = service.settings().proxies.trusts(peer.ip());
    let counted = (!is_proxy).then_some(peer.ip());
    let guard = service.connections().register(counted, socket.clone()).inspect_err(|_| reject(&socket))?;
    let service = service.clone();
    let work = move || match Connection::new(socket, peer, number, guard, &service) {
        Ok(connection) => connection.serve(),
        Err(error) => service.connection_closed(peer, error.reject_reason(), &error),
    };
    thread::Builder::new().name(format!("conn-{number}")).stack_size(STACK_BYTES).spawn(work)?;
    Ok(())
}

/// Sends `size = 0`, a refusal in both request forms, without waiting.
fn reject(mut socket: &Socket) {
    let mut refusal = || {
        socket.set_nonblocking(true)?;
        socket.write_all(&[0; 4])?;
        socket.shutdown(Shutdown::Write)?;
        socket.read(&mut [0; 4096]) // unread bytes would turn the close into a reset that overtakes the reply
    };
    let _: io::Result<usize> = refusal(); // a peer that left needs no reply
}

/// A reserved descriptor, so that a peer can be rejected when all others are in use.
#[derive(Debug)]
struct SpareDescriptor(Option<File>);

impl SpareDescriptor {
    fn new() -> SpareDescriptor {
        SpareDescriptor(File::open("/dev/null").ok())
    }

    /// Rejects the first connection of the backlog, if there is a descriptor for it.
    fn reject_one(&mut self, listener: &Listener) {
        if self.0.take().is_some() && listener.set_nonblocking(true).is_ok() {
            if let Ok((socket, _)) = listener.accept() {
                reject(&socket);
            }
            let _ = listener.set_nonblocking(false); // as before; a listener supports both
        }
        *self = SpareDescriptor::new();
    }
}

/// A pause that doubles from 5 ms.
#[derive(Debug, Default)]
struct Backoff(u32);

impl Backoff {
    fn sleep(&mut self) {
        thread::sleep(Duration::from_millis(5 << self.0).min(LONGEST_PAUSE));
        self.0 = (self.0 + 1).min(8);
    }
}
