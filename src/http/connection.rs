//! One connection: TLS, hyper, and a watchdog over the stages that the meter tells apart.

use crate::http::call::{self, Remote, Routes};
use crate::http::meter::{InHand, Meter, Overrun};
use crate::http::socket::{Shared, Socket, Stream};
use crate::http::{Door, Failure, body};
use crate::reject_reason::RejectReason;
use crate::service::access_log;
use crate::service::admission::Line;
use crate::service::connections::{ConnectionGuard, ConnectionHandle};
use hyper::body::{Body, Incoming};
use hyper::header::UPGRADE;
use hyper::service::service_fn;
use hyper::{Request, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;
use tokio::net::TcpStream;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// Longest head of an HTTP/1.1 request, and what is read of a body at a time.
const BUFFER_BYTES: usize = 64 << 10;

/// What HTTP/2 may have in flight on one connection.
const STREAMS: u32 = 32;
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
const HEADER_LIST_BYTES: u32 = 16 << 10;

/// How the registry asks a connection to leave.
#[derive(Debug, Default)]
pub(super) struct Leave {
    gently: CancellationToken,
    now: CancellationToken,
}

impl ConnectionHandle for Leave {
    fn shut(&self, how: Shutdown) {
        match how {
            Shutdown::Both => self.now.cancel(),
            Shutdown::Read | Shutdown::Write => self.gently.cancel(),
        }
    }
}

/// What a connection leaves to whoever takes its bytes over, when its protocol changes. An extension of every
/// request.
#[derive(Debug, Clone)]
pub(super) struct Handover {
    meter: Arc<Meter>,
    leave: Arc<Leave>,
}

impl Handover {
    /// The connection has something in hand for as long as the guard lives: it is not put out to make room.
    pub(super) fn busy(&self) -> InHand {
        self.meter.begin(false)
    }

    /// Somebody else needs the place, now.
    pub(super) async fn put_out(&self) {
        self.leave.now.cancelled().await;
    }
}

/// A connection that was let in.
pub(super) struct Visitor {
    pub(super) socket: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) number: u64,
    pub(super) seat: ConnectionGuard,
    pub(super) leave: Arc<Leave>,
}

/// Serves a connection until its peer leaves, misbehaves, or is asked to leave.
pub(super) async fn serve(visitor: Visitor, door: Arc<Door>, routes: Routes) {
    let Visitor { socket, peer, number, seat, leave } = visitor;
    let _open = door.engine.metrics().connections.hold();
    let meter = Meter::new(&door.settings.door, seat);
    let refused = |reason, message: &dyn std::fmt::Display| {
        access_log::refused(door.engine.metrics(), peer, reason, message);
    };
    let patience = door.settings.door.header_timeout;
    let (stream, line) = match timeout(patience, shaken_hands(&door, socket)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return refused(RejectReason::Tls, &error),
        Err(_) => return refused(RejectReason::HeaderTimeout, &"no TLS handshake in time"),
    };
    let socket = Socket::shared(stream, meter.clone(), number);
    let remote = Remote { peer, line, number };
    let connection = Connection { door: door.clone(), routes, remote, meter, leave, socket };
    match connection.run().await {
        Ended::Closed => {}
        Ended::PutOut => log::debug!(peer:% = peer; "connection closed to make room"),
        Ended::Overrun(overrun) => {
            match overrun.reason() {
                Some(reason) => refused(reason, &"its time is up"),
                None => log::debug!(peer:% = peer; "connection closed after idling"),
            }
            if overrun == Overrun::Header {
                connection.socket.refuse_head(&Failure::Head(StatusCode::REQUEST_TIMEOUT)).await;
            }
        }
        Ended::Broken(reason, error) => refused(reason, &error),
    }
}

/// What hyper and the watchdog work on.
struct Connection {
    door: Arc<Door>,
    routes: Routes,
    remote: Remote,
    meter: Arc<Meter>,
    leave: Arc<Leave>,
    socket: Shared,
}

impl Connection {
    /// Until its end: hyper begins anew after each body that it has left.
    async fn run(&self) -> Ended {
        loop {
            match self.speak().await {
                Ended::Closed if self.socket.has_left_body() => {}
                ended => return ended,
            }
            let unwanted = self.meter.pass_over();
            let settings = &self.door.settings.door;
            let past = timeout(body::unwanted_time(settings), self.socket.pass_over(settings.stall_timeout));
            let is_past = tokio::select! {
                is_past = past => is_past == Ok(true),
                () = self.leave.now.cancelled() => return Ended::PutOut,
            };
            drop(unwanted);
            if !is_past {
                return Ended::Closed;
            }
        }
    }

    /// Lets hyper speak until it has nothing more to say.
    async fn speak(&self) -> Ended {
        let Connection { door, routes, remote, meter, leave, socket } = self;
        let handover = Handover { meter: meter.clone(), leave: leave.clone() };
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(handover.clone());
            let is_http2 = request.version() >= Version::HTTP_2;
            let may_leave_body = if is_http2 || request.headers().contains_key(UPGRADE) {
                socket.change_protocol();
                false
            } else {
                socket.take_up(request.body().size_hint().exact())
            };
            let in_hand = meter.begin(is_http2);
            let (door, routes, socket) = (door.clone(), routes.clone(), socket.clone());
            let answered = call::answer(door, routes, *remote, in_hand, may_leave_body, request);
            async move {
                let answer = answered.await;
                if answer.body().leaves_body() {
                    socket.leave_body();
                }
                Ok::<_, Infallible>(answer)
            }
        });
        let builder = builder();
        let io = TokioIo::new(socket.clone());
        let mut connection = pin!(builder.serve_connection_with_upgrades(io, service));
        let mut watchdog = pin!(sleep_until(Instant::now().into()));
        let (mut asked, mut cut) = (pin!(leave.gently.cancelled()), pin!(leave.now.cancelled()));
        let (mut stopping, mut is_leaving) = (pin!(door.stopping.cancelled()), false);
        poll_fn(|context| {
            meter.watch(context.waker());
            if !is_leaving
                && (asked.as_mut().poll(context).is_ready() || stopping.as_mut().poll(context).is_ready())
            {
                is_leaving = true;
                connection.as_mut().graceful_shutdown();
            }
            if let Poll::Ready(ended) = connection.as_mut().poll(context) {
                return Poll::Ready(Ended::of(ended));
            }
            if cut.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ended::PutOut);
            }
            loop {
                let (deadline, overrun) = meter.deadline();
                if deadline <= Instant::now() {
                    return Poll::Ready(Ended::Overrun(overrun));
                }
                watchdog.as_mut().reset(deadline.into());
                if Pin::new(&mut watchdog).poll(context).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }
}

/// How a connection ended.
enum Ended {
    Closed,
    PutOut,
    Overrun(Overrun),
    Broken(RejectReason, Box<dyn Error + Send + Sync>),
}

impl Ended {
    fn of(result: Result<(), Box<dyn Error + Send + Sync>>) -> Ended {
        let Err(error) = result else { return Ended::Closed };
        let reason = match error.downcast_ref::<hyper::Error>() {
            Some(error) if error.is_parse() => RejectReason::BadRequest,
            Some(error) if error.is_incomplete_message() => RejectReason::ShortHeader,
            _ => RejectReason::Aborted,
        };
        Ended::Broken(reason, error)
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

/// Under TLS where there is a certificate.
#[cfg_attr(not(feature = "tls"), expect(clippy::unused_async, reason = "TLS takes time"))]
async fn shaken_hands(door: &Door, socket: TcpStream) -> io::Result<(Stream, Line)> {
    #[cfg(feature = "tls")]
    if let Some(tls) = &door.settings.door.tls {
        let mut config = rustls::ServerConfig::clone(&tls.current());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let stream = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(socket).await?;
        return Ok((Stream::Tls(Box::new(stream)), Line::Encrypted));
    }
    let _ = door;
    Ok((Stream::Plain(socket), Line::Open))
}
