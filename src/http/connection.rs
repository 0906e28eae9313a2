//! One connection: TLS handshake, hyper, and the task that closes it at a missed deadline or when told to leave.

use crate::http::HttpState;
use crate::http::deadlines::{BusyGuard, ConnectionDeadlines};
use crate::http::listener::AsyncSocket;
use crate::http::request::{self, Routes};
use crate::http::timed_stream::TimedStream;
use crate::net::{PeerAddress, TimeoutKind, TransportKind};
use crate::reject_reason::RejectReason;
use crate::service::Peer;
use crate::service::connections::{ConnectionGuard, ConnectionHandle};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

/// Longest head of an HTTP/1.1 request, and longest read of a body.
const BUFFER_BYTES: usize = 64 << 10;

/// Limits of one HTTP/2 connection.
const STREAMS: u32 = 32;
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
const HEADER_LIST_BYTES: u32 = 16 << 10;

/// Tells a connection to close.
#[derive(Debug, Default)]
pub(super) struct CloseSignal {
    after_requests: CancellationToken,
    now: CancellationToken,
}

impl ConnectionHandle for CloseSignal {
    fn shut(&self, how: Shutdown) {
        match how {
            Shutdown::Both => self.now.cancel(),
            Shutdown::Read | Shutdown::Write => self.after_requests.cancel(),
        }
    }
}

/// The connection of a request, for a handler that takes over its bytes. An extension of every request.
#[derive(Debug, Clone)]
pub(super) struct UpgradeContext {
    deadlines: Arc<ConnectionDeadlines>,
    close: Arc<CloseSignal>,
}

impl UpgradeContext {
    /// Notes that the bytes are no longer those of HTTP.
    pub(super) fn upgrade(&self) {
        self.deadlines.upgrade();
    }

    /// Keeps the connection from being evicted until the guard is dropped.
    pub(super) fn busy(&self) -> BusyGuard {
        self.deadlines.busy()
    }

    /// Completes when the connection is evicted.
    pub(super) async fn evicted(&self) {
        self.close.now.cancelled().await;
    }
}

/// A connection that has a slot in the registry.
pub(super) struct AcceptedConnection {
    pub(super) socket: AsyncSocket,
    pub(super) address: PeerAddress,
    pub(super) number: u64,
    pub(super) guard: ConnectionGuard,
    pub(super) close: Arc<CloseSignal>,
}

/// Serves a connection until its peer leaves, misses a deadline, or is evicted.
pub(super) async fn serve(accepted: AcceptedConnection, state: Arc<HttpState>, routes: Routes) {
    let AcceptedConnection { socket, address, number, guard, close } = accepted;
    let service = state.service.clone();
    let _open = service.metrics().connections.hold();
    let deadlines = ConnectionDeadlines::new(service.settings(), guard, Instant::now());
    let end = {
        let deadlines = deadlines.clone();
        let connection = |transport| {
            let peer = Peer { address, transport, is_proxied: false };
            Connection { state: state.clone(), routes, peer, number, deadlines, close }
        };
        serve_transport(&state, socket, address, connection).await
    };
    match end {
        ConnectionEnd::Closed => {}
        ConnectionEnd::Evicted => {
            log::debug!(peer:% = address; "connection evicted: connection limit reached");
        }
        ConnectionEnd::Timeout(TimeoutKind::Idle) => {
            log::debug!(peer:% = address; "connection closed after idling");
        }
        ConnectionEnd::Timeout(kind) => {
            let settings = service.settings();
            let (reason, limit) = match kind {
                TimeoutKind::Write => (RejectReason::WriteTimeout, settings.write_timeout),
                TimeoutKind::Idle | TimeoutKind::Header | TimeoutKind::Body | TimeoutKind::Stall => {
                    (RejectReason::HeaderTimeout, settings.header_timeout)
                }
            };
            service.connection_closed(address, reason, kind.message(limit));
        }
        ConnectionEnd::Failed(RejectReason::BadRequest, error) => {
            let message =
                format_args!("not HTTP on the HTTP port, is the client set to the TCP port? {error}");
            service.connection_closed(address, RejectReason::BadRequest, message);
        }
        ConnectionEnd::Failed(reason, error) => service.connection_closed(address, reason, error),
    }
}

/// Reason for the end of a connection.
enum ConnectionEnd {
    Closed,
    Evicted,
    Timeout(TimeoutKind),
    Failed(RejectReason, Box<dyn Error + Send + Sync>),
}

/// Shakes hands where there is a certificate and bytes leave the process by the network, then serves the connection.
async fn serve_transport(
    state: &HttpState,
    socket: AsyncSocket,
    peer: PeerAddress,
    connection: impl FnOnce(TransportKind) -> Connection,
) -> ConnectionEnd {
    #[cfg(feature = "tls")]
    if let (Some(tls), PeerAddress::Tcp(_)) = (&state.service.settings().tls, peer) {
        let mut config = rustls::ServerConfig::clone(&tls.current());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let handshake = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(socket);
        return match tokio::time::timeout(state.service.settings().header_timeout, handshake).await {
            Ok(Ok(stream)) => connection(TransportKind::Tls).serve(stream).await,
            Ok(Err(error)) => ConnectionEnd::Failed(RejectReason::Tls, error.into()),
            Err(_) => ConnectionEnd::Timeout(TimeoutKind::Header),
        };
    }
    let _ = (state, peer);
    connection(TransportKind::Plain).serve(socket).await
}

/// State that hyper and the deadlines of a connection share.
struct Connection {
    state: Arc<HttpState>,
    routes: Routes,
    peer: Peer,
    number: u64,
    deadlines: Arc<ConnectionDeadlines>,
    close: Arc<CloseSignal>,
}

impl Connection {
    async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) -> ConnectionEnd {
        let Connection { state, routes, peer, number, deadlines, close } = &self;
        let upgrade = UpgradeContext { deadlines: deadlines.clone(), close: close.clone() };
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(upgrade.clone());
            let guard = deadlines.begin(request.version() >= Version::HTTP_2);
            let answer = request::answer(state.clone(), routes.clone(), *peer, *number, guard, request);
            async { Ok::<_, Infallible>(answer.await) }
        });
        let builder = builder();
        let io = TokioIo::new(TimedStream::new(stream, deadlines.clone()));
        let mut connection = pin!(builder.serve_connection_with_upgrades(io, service));
        let mut timer = pin!(sleep_until(Instant::now().into()));
        let (mut idle, mut evicted) = (pin!(close.after_requests.cancelled()), pin!(close.now.cancelled()));
        let (mut stopping, mut is_leaving) = (pin!(state.stopping.cancelled()), false);
        poll_fn(|context| {
            deadlines.watch(context.waker());
            if !is_leaving
                && (idle.as_mut().poll(context).is_ready() || stopping.as_mut().poll(context).is_ready())
            {
                is_leaving = true;
                connection.as_mut().graceful_shutdown();
            }
            if let Poll::Ready(result) = connection.as_mut().poll(context) {
                return Poll::Ready(ConnectionEnd::of(result));
            }
            if evicted.as_mut().poll(context).is_ready() {
                return Poll::Ready(ConnectionEnd::Evicted);
            }
            loop {
                let now = Instant::now();
                let (deadline, kind) = deadlines.earliest(now);
                if deadline <= now {
                    return Poll::Ready(ConnectionEnd::Timeout(kind));
                }
                timer.as_mut().reset(deadline.into());
                if Pin::new(&mut timer).poll(context).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }
}

impl ConnectionEnd {
    fn of(result: Result<(), Box<dyn Error + Send + Sync>>) -> ConnectionEnd {
        let Err(error) = result else { return ConnectionEnd::Closed };
        let reason = match error.downcast_ref::<hyper::Error>() {
            Some(error) if error.is_parse() => RejectReason::BadRequest,
            Some(error) if error.is_incomplete_message() => RejectReason::ShortHeader,
            _ => RejectReason::Aborted,
        };
        ConnectionEnd::Failed(reason, error)
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(BUFFER_BYTES);
    builder
        .http2()
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(STREAM_WINDOW as usize)
        .max_header_list_size(HEADER_LIST_BYTES);
    builder
}
