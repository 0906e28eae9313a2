//! The HTTP listener: its runtime, and the accept loop that gives each connection a task.

use crate::http::connection::{self, AcceptedConnection, CloseSignal};
use crate::http::listener::{AsyncListener, AsyncSocket, sock_ref};
use crate::http::request::Routes;
use crate::http::{HttpSettings, HttpState, error, router};
use crate::net::{Listener, PeerAddress};
use crate::reject_reason::RejectReason;
use crate::service::connections::ConnectionLimit;
use crate::service::{RequestError, Service};
use std::io;
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

/// Threads for the I/O of all connections. Images are processed by the engine's workers.
const THREADS: usize = 2;

/// Threads that probe images and touch disks.
const BLOCKING_THREADS: usize = 16;

/// Pause after a failed accept, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A running listener. Dropping it ends its connections.
#[derive(Debug)]
pub struct Running {
    runtime: Option<Runtime>,
}

/// Serves `listener` until the shutdown of the service. Its connections are in the registry, where their end can be
/// waited for.
///
/// # Errors
/// When the threads cannot be started.
pub fn start(listener: Listener, service: Arc<Service>, settings: HttpSettings) -> io::Result<Running> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name("http")
        .enable_io()
        .enable_time()
        .build()?;
    let stopping = CancellationToken::new();
    let token = stopping.clone();
    service.shutdown().on_request(move || token.cancel());
    let address = listener.address().clone();
    let state = Arc::new(HttpState { service, settings, address, stopping });
    let entered = runtime.enter();
    let listener = AsyncListener::new(listener)?;
    runtime.spawn(accept(listener, state));
    drop(entered);
    Ok(Running { runtime: Some(runtime) })
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: AsyncListener, state: Arc<HttpState>) {
    let routes = Routes::new(router(state.clone()));
    let mut number = 0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = state.stopping.cancelled() => return,
        };
        match accepted {
            Ok((socket, address)) => {
                number += 1;
                match admit(socket, address, number, &state.service) {
                    Ok(accepted) => {
                        drop(tokio::spawn(connection::serve(accepted, state.clone(), routes.clone())));
                    }
                    Err(limit) => state.service.connection_closed(address, limit.reject_reason(), limit),
                }
            }
            Err(error) => {
                state.service.metrics().rejected(RejectReason::Starved);
                log::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn admit(
    socket: AsyncSocket,
    address: PeerAddress,
    number: u64,
    service: &Service,
) -> Result<AcceptedConnection, ConnectionLimit> {
    let _ = sock_ref(&socket).set_tcp_nodelay(true); // fails if the peer is gone, which reading finds out; a Unix socket has no delay
    let close = Arc::new(CloseSignal::default());
    let is_proxy = service.settings().proxies.trusts(address.ip());
    match service.connections().register((!is_proxy).then_some(address.ip()), close.clone()) {
        Ok(guard) => Ok(AcceptedConnection { socket, address, number, guard, close }),
        Err(limit) => {
            reject(&socket, &error::to_http1(&RequestError::Connections(limit), &format!("h{number}-0")));
            Err(limit)
        }
    }
}

/// Answers a connection that gets no slot, without waiting for anything.
fn reject(socket: &AsyncSocket, answer: &[u8]) {
    let socket = sock_ref(socket); // it does not block
    let _ = socket.send(answer).and_then(|_| socket.shutdown(Shutdown::Write)); // fails if the peer is gone
    let _ = socket.recv(&mut [MaybeUninit::uninit(); 4096]); // unread bytes would turn the close into a reset
}
