//! `RequestBody`: the body of a request, drained in the background if nobody reads it to its end; and its reading, under
//! deadlines, into memory that is reserved as the bytes arrive.

use crate::engine::{BudgetSpent, Reservation};
use crate::http::deadlines::{BusyGuard, RATE};
use crate::http::{Failure, HttpState, RequestContext};
use crate::service::ServiceSettings;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{CONTENT_LENGTH, HeaderMap};
use futures_util::StreamExt;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Most bytes of a form beside its image.
const FORM_BYTES: u64 = 64 << 10;

/// Deadlines of a body, wanted or not: a fixed allowance, time earned by each byte, and a limit on pauses.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyTimes {
    total: Duration,
    stall: Duration,
}

impl BodyTimes {
    pub(super) fn new(settings: &ServiceSettings) -> BodyTimes {
        BodyTimes { total: settings.body_timeout, stall: settings.stall_timeout }
    }

    /// Deadline of the next bytes of a body that began at `start`, at `now`, after bytes worth `length`.
    fn deadline(self, start: Instant, now: Instant, length: u64) -> Instant {
        let total = self.total + Duration::from_secs_f64(length as f64 / RATE);
        (start + total).min(now + self.stall)
    }
}

/// The body of one request.
///
/// Dropped before its end, the rest is drained: a client that still sends reads the answer only if the server goes on
/// reading. The drain is bounded in bytes and time; then the connection, or the stream of HTTP/2, is closed.
#[derive(Debug)]
pub(super) struct RequestBody {
    incoming: Option<Incoming>,
    drain: Drain,
    refused: Arc<AtomicBool>,
}

/// Bounds of a drain.
#[derive(Debug)]
pub(super) struct Drain {
    pub(super) most: u64,
    pub(super) times: BodyTimes,
    /// Keeps the connection from being idle meanwhile. A client that waits for `100 Continue` sends nothing to drain.
    pub(super) busy: Option<BusyGuard>,
}

impl RequestBody {
    /// Wraps a body. The flag is raised when the body is dropped before its end.
    pub(super) fn new(incoming: Incoming, drain: Drain) -> (RequestBody, Arc<AtomicBool>) {
        let refused = Arc::new(AtomicBool::new(false));
        (RequestBody { incoming: Some(incoming), drain, refused: refused.clone() }, refused)
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        let polled = Pin::new(incoming).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.incoming = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or(SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let Some(incoming) = self.incoming.take().filter(|incoming| !incoming.is_end_stream()) else {
            return;
        };
        self.refused.store(true, Ordering::Relaxed);
        let Drain { most, times, busy } = &mut self.drain;
        if let Some(busy) = busy.take() {
            tokio::spawn(drain(incoming, *most, *times, busy));
        }
    }
}

async fn drain(mut incoming: Incoming, most: u64, times: BodyTimes, busy: BusyGuard) {
    let start = Instant::now();
    let mut drained = 0;
    while drained <= most {
        let deadline = times.deadline(start, Instant::now(), drained);
        let next = poll_fn(|context| Pin::new(&mut incoming).poll_frame(context));
        match timeout_at(deadline, next).await {
            Ok(Some(Ok(frame))) => drained += frame.data_ref().map_or(0, |data| data.len() as u64),
            Ok(Some(Err(_)) | None) | Err(_) => break,
        }
    }
    drop(incoming);
    drop(busy);
}

/// A body that has arrived whole, and the memory it holds.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Vec<u8>,
    pub(crate) memory: Reservation,
}

/// Reads a body of at most the settings' `max_body` bytes, and what a form adds to them.
///
/// # Errors
/// [`Failure::BodyTooLarge`] before anything is read where the length is announced,
/// [`Failure::SlowBody`], [`Failure::BrokenBody`], and [`Failure::Job`] when the memory budget is spent.
pub(crate) async fn read(
    door: &HttpState,
    call: &RequestContext,
    headers: &HeaderMap,
    body: Body,
) -> Result<Received, Failure> {
    let settings = &door.settings.door;
    let max = u64::from(settings.max_body) + FORM_BYTES;
    let too_large = || Failure::BodyTooLarge { max: settings.max_body.into() };
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.or(body.size_hint().exact()).is_some_and(|length| length > max) {
        return Err(too_large());
    }
    let times = BodyTimes::new(settings);
    let mut memory = door.engine.reserve();
    let mut bytes = Vec::new();
    let started = Instant::now();
    let mut parts = body.into_data_stream();
    loop {
        let length = announced.unwrap_or(bytes.len() as u64);
        let part = match timeout_at(times.deadline(started, Instant::now(), length), parts.next()).await {
            Err(_) => return Err(Failure::SlowBody),
            Ok(None) => break,
            Ok(Some(Err(_))) => return Err(Failure::BrokenBody),
            Ok(Some(Ok(part))) => part,
        };
        let arrived = bytes.len() + part.len();
        if arrived as u64 > max {
            return Err(too_large());
        }
        memory.resize(arrived as u64).map_err(|BudgetSpent| door.engine.busy())?;
        if arrived > bytes.capacity() {
            let room =
                announced.map_or(2 * arrived, |length| arrived.max(length.min(2 * arrived as u64) as usize));
            bytes.reserve_exact(room - bytes.len());
        }
        bytes.extend_from_slice(&part);
    }
    call.has_arrived();
    door.engine.metrics().bytes_in.add(bytes.len() as u64);
    Ok(Received { bytes, memory })
}
