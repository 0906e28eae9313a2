//! The door's runtime and its accept loop: admits connections to tasks of their own, turns the rest away.

use crate::engine::Engine;
use crate::http::call::Routes;
use crate::http::connection::{self, Leave, Visitor};
use crate::http::{Door, Failure, HttpSettings, router};
use crate::reject_reason::RejectReason;
use crate::service::access_log;
use crate::service::admission::Gate;
use crate::service::connections::Full;
use crate::service::shutdown::Stop;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

/// Threads that read, write and wait for all connections; the pictures have their own.
const THREADS: usize = 2;

/// Threads that read the headers of pictures and touch disks.
const BLOCKING_THREADS: usize = 16;

/// Pause before trying to accept again when there is nothing to accept with.
const PAUSE: Duration = Duration::from_millis(50);

/// A door that is open. Dropping it ends whatever it still does.
#[derive(Debug)]
pub struct Running {
    runtime: Option<Runtime>,
}

/// Opens the door on `listener` until `stop` is triggered. Its connections are guests of the gate, where the
/// last one to leave can be waited for.
///
/// # Errors
/// When the threads cannot be started.
pub fn start(
    listener: TcpListener,
    engine: Arc<Engine>,
    gate: Arc<Gate>,
    settings: HttpSettings,
    stop: Stop,
) -> io::Result<Running> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name("http")
        .enable_io()
        .enable_time()
        .build()?;
    listener.set_nonblocking(true)?;
    let stopping = CancellationToken::new();
    let asked = stopping.clone();
    stop.when_asked(move || asked.cancel());
    let door = Arc::new(Door { engine, gate, settings, stop, stopping });
    let _entered = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    runtime.spawn(accept(listener, door));
    drop(_entered);
    Ok(Running { runtime: Some(runtime) })
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, door: Arc<Door>) {
    let routes = Routes::new(router(door.clone()));
    let mut number = 0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = door.stopping.cancelled() => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                number += 1;
                match admit(socket, peer, number, &door) {
                    Ok(visitor) => {
                        drop(tokio::spawn(connection::serve(visitor, door.clone(), routes.clone())))
                    }
                    Err(full) => {
                        let failure = Failure::from(full);
                        access_log::refused(door.engine.metrics(), peer, failure.reason(), failure);
                    }
                }
            }
            Err(error) => {
                door.engine.metrics().rejected(RejectReason::Starved);
                log::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(PAUSE).await; // out of descriptors, most likely: spinning would not find any
            }
        }
    }
}

fn admit(socket: TcpStream, peer: SocketAddr, number: u64, door: &Door) -> Result<Visitor, Full> {
    let _ = socket.set_nodelay(true); // the peer may be gone already; reading will tell
    let leave = Arc::new(Leave::default());
    match door.gate.guests.enter(peer.ip(), leave.clone()) {
        Ok(seat) => Ok(Visitor { socket, peer, number, seat, leave }),
        Err(full) => {
            turn_away(&socket, &Failure::from(full).last_words(&format!("h{number}-0")));
            Err(full)
        }
    }
}

/// Tells a peer that there is no room, without waiting for anything.
fn turn_away(socket: &TcpStream, words: &[u8]) {
    let _ = socket.try_io(Interest::WRITABLE, || {
        let socket = socket2::SockRef::from(socket);
        socket.send(words)?;
        socket.shutdown(std::net::Shutdown::Write)
    }); // a peer that is gone needs no farewell
    let _ = socket.try_read(&mut [0; 4096]); // unread bytes would turn the close into a reset
}
