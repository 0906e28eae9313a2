//! Request bodies: `RequestBody`, drained in the background if it is dropped before its end, and `BodyStream`, read within
//! the budget of the request.

use crate::http::deadlines::BusyGuard;
use crate::service::{BodyBudget, ReceivedBody, RequestError, Service};
use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::http::header::{CONTENT_LENGTH, HeaderMap};
use futures_util::task::AtomicWaker;
use futures_util::{Stream, StreamExt};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::{Sleep, sleep_until, timeout_at};

/// Least time of a drain, so that a client that was too slow can read that it was.
const LEAST_DRAIN: Duration = Duration::from_secs(1);

/// The body of one request, as hyper reads it.
///
/// Dropped before its end, the rest is drained: a client that still sends reads the answer only if the server goes on
/// reading. The drain is bounded in bytes and time; then the connection, or the stream of HTTP/2, is closed.
#[derive(Debug)]
pub(super) struct RequestBody {
    incoming: Option<Incoming>,
    drain: Option<Drain>,
    refused: Arc<AtomicBool>,
    /// When the head had arrived: a drain shares the time of the body.
    began: Instant,
}

/// What a drain needs.
#[derive(Debug)]
pub(super) struct Drain {
    pub(super) service: Arc<Service>,
    /// Keeps the connection from being idle meanwhile.
    pub(super) busy: BusyGuard,
}

impl RequestBody {
    /// Wraps a body, to be drained if `drain` is given. The flag is raised when the body is dropped before its end.
    pub(super) fn new(incoming: Incoming, drain: Option<Drain>) -> (RequestBody, Arc<AtomicBool>) {
        let refused = Arc::new(AtomicBool::new(false));
        let body =
            RequestBody { incoming: Some(incoming), drain, refused: refused.clone(), began: Instant::now() };
        (body, refused)
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
        if let Some(drain) = self.drain.take() {
            tokio::spawn(drain.run(incoming, self.began));
        }
    }
}

impl Drain {
    async fn run(self, mut incoming: Incoming, began: Instant) {
        let settings = self.service.settings();
        let (least, mut drained) = (Instant::now() + LEAST_DRAIN, 0);
        while drained <= u64::from(settings.max_body) {
            let total = (began + settings.body_time(drained)).max(least);
            let deadline = total.min(Instant::now() + settings.stall_timeout);
            let next = poll_fn(|context| Pin::new(&mut incoming).poll_frame(context));
            match timeout_at(deadline.into(), next).await {
                Ok(Some(Ok(frame))) => drained += frame.data_ref().map_or(0, |data| data.len() as u64),
                Ok(Some(Err(_)) | None) | Err(_) => break,
            }
        }
        drop(incoming);
        drop(self.busy);
    }
}

/// Length of a body, where its head or its frames tell it.
pub(super) fn announced_length(headers: &HeaderMap, body: &Body) -> Option<u64> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    announced.or(body.size_hint().exact())
}

/// The chunks of a body, each within the deadlines and the memory of its budget.
#[derive(Debug)]
pub(crate) struct BodyStream {
    chunks: BodyDataStream,
    budget: BodyBudget,
    timer: Pin<Box<Sleep>>,
    reader: Arc<AtomicWaker>,
}

impl BodyStream {
    pub(crate) fn new(body: Body, budget: BodyBudget) -> BodyStream {
        let timer = Box::pin(sleep_until(budget.deadline().0.into()));
        let reader = Arc::new(AtomicWaker::new());
        let woken = reader.clone();
        budget.on_cut(move || woken.wake());
        BodyStream { chunks: body.into_data_stream(), budget, timer, reader }
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// As [`BodyBudget::push`] and [`BodyBudget::finish`]; [`RequestError::BrokenBody`].
    pub(crate) async fn collect(mut self) -> Result<ReceivedBody, RequestError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.next().await {
            let chunk = chunk?;
            self.budget.make_room(&mut bytes, chunk.len())?;
            bytes.extend_from_slice(&chunk);
        }
        self.budget.finish(bytes)
    }

    /// Reads to the end, of which nothing is kept but `bytes` that came before.
    ///
    /// # Errors
    /// As [`BodyStream::collect`].
    pub(crate) async fn finish(mut self, bytes: Vec<u8>) -> Result<ReceivedBody, RequestError> {
        while let Some(chunk) = self.next().await {
            chunk?;
        }
        self.budget.finish(bytes)
    }
}

impl Stream for BodyStream {
    type Item = Result<Bytes, RequestError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        match this.chunks.poll_next_unpin(context) {
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(RequestError::BrokenBody))),
            Poll::Ready(Some(Ok(chunk))) => {
                let accepted = this.budget.accept(chunk.len(), Instant::now());
                Poll::Ready(Some(accepted.map(|()| chunk)))
            }
            Poll::Pending => {
                this.reader.register(context.waker());
                if let Err(gave_way) = this.budget.check() {
                    return Poll::Ready(Some(Err(gave_way)));
                }
                this.timer.as_mut().reset(this.budget.deadline().0.into());
                this.timer.as_mut().poll(context).map(|()| Some(Err(this.budget.timed_out())))
            }
        }
    }
}
