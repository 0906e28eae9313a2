//! The accept loop: admits connections to threads of their own, turns the rest away, and survives
//! running out of descriptors and threads.

use crate::engine::Engine;
use crate::reject_reason::RejectReason;
use crate::service::access_log;
use crate::service::admission::Gate;
use crate::service::connections::Full;
use crate::tcp::connection::Connection;
use crate::tcp::{Door, ServiceSettings, Stop};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Stack of a connection's thread: it reads, probes and writes, and never decodes.
const STACK_BYTES: usize = 512 << 10;

/// Longest pause before trying to accept again when there is nothing to accept with.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Serves until `stop` is triggered, then waits until the last guest of the gate has left, through
/// whichever door, for at most `settings.drain`. Whether everything could be finished.
pub fn serve(
    listener: TcpListener,
    engine: Arc<Engine>,
    gate: Arc<Gate>,
    settings: ServiceSettings,
    stop: Stop,
) -> bool {
    let drain = settings.drain;
    let door = Arc::new(Door { engine, settings, gate: gate.clone(), stop });
    accept(&listener, &door);
    drop(listener);
    let guests = &gate.guests;
    log::info!(connections = guests.count(); "stopping: finishing the requests in flight");
    guests.close_idle();
    guests.wait_until_empty(drain)
}

fn accept(listener: &TcpListener, door: &Arc<Door>) {
    let mut pause = Pause::default();
    let mut spare = Spare::new();
    let mut accepted = 0_u64;
    while !door.stop.is_asked() {
        let (socket, peer) = match listener.accept() {
            Ok(_) if door.stop.is_asked() => return,
            Ok(accepted) => accepted,
            Err(error) => {
                door.engine.metrics().rejected(RejectReason::Starved);
                log::warn!("cannot accept a connection: {error}");
                spare.turn_one_away(listener);
                pause.sleep(); // out of descriptors, most likely: spinning would not find any
                continue;
            }
        };
        accepted += 1;
        match admit(socket, peer, accepted, door) {
            Ok(()) => pause = Pause::default(),
            Err(refused) => {
                access_log::refused(door.engine.metrics(), peer, refused.reason(), &refused);
                if matches!(refused, Refused::Io(_)) {
                    pause.sleep();
                }
            }
        }
    }
}

/// Why a connection gets no thread.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Full(#[from] Full),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Refused {
    fn reason(&self) -> RejectReason {
        match self {
            Refused::Full(full) => full.reason(),
            Refused::Io(_) => RejectReason::Starved,
        }
    }
}

fn admit(socket: TcpStream, peer: SocketAddr, number: u64, door: &Arc<Door>) -> Result<(), Refused> {
    let socket = Arc::new(socket);
    let _ = socket.set_nodelay(true); // the peer may be gone already; reading will tell
    let seat = door.gate.guests.enter(peer.ip(), socket.clone()).inspect_err(|_| turn_away(&socket))?;
    let door = door.clone();
    let work = move || match Connection::new(socket, peer, number, seat, &door) {
        Ok(connection) => connection.serve(),
        Err(error) => log::error!(peer:% = peer; "cannot serve a connection: {error}"),
    };
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

/// A descriptor kept back, so that when all others are taken a peer can still be told so.
#[derive(Debug)]
struct Spare(Option<File>);

impl Spare {
    fn new() -> Spare {
        Spare(File::open("/dev/null").ok())
    }

    /// Answers the connection that waits first, if there is one to answer with.
    fn turn_one_away(&mut self, listener: &TcpListener) {
        if self.0.take().is_some() && listener.set_nonblocking(true).is_ok() {
            if let Ok((socket, _)) = listener.accept() {
                turn_away(&socket);
            }
            let _ = listener.set_nonblocking(false); // as it was; a listener takes both
        }
        *self = Spare::new();
    }
}

/// A pause that doubles from 5 ms.
#[derive(Debug, Default)]
struct Pause(u32);

impl Pause {
    fn sleep(&mut self) {
        thread::sleep(Duration::from_millis(5 << self.0).min(LONGEST_PAUSE));
        self.0 = (self.0 + 1).min(8);
    }
}
