//! `ReplyBody`: the body of a reply, given to hyper in slices, each with a deadline by which the peer has to take it.

use crate::http::deadlines::RequestGuard;
use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// Longest slice, in bytes.
const SLICE_BYTES: usize = 256 << 10;

/// A reply's body. Its request is in flight until hyper has let go of the last slice, which is when the peer, or the
/// socket's buffer, has taken it. A window of HTTP/2 that stays closed holds slices back like a socket that is full.
#[derive(Debug)]
pub(super) struct ReplyBody {
    body: Body,
    /// What is left of the last frame.
    rest: Bytes,
    request: Arc<RequestGuard>,
}

impl ReplyBody {
    pub(super) fn new(body: Body, request: RequestGuard) -> ReplyBody {
        request.await_peer(0, Instant::now());
        ReplyBody { body, rest: Bytes::new(), request: Arc::new(request) }
    }

    fn next_slice(&mut self) -> Bytes {
        let bytes = self.rest.split_to(self.rest.len().min(SLICE_BYTES));
        self.request.await_peer(bytes.len(), Instant::now());
        Bytes::from_owner(Slice { bytes, _request: self.request.clone() })
    }
}

/// Bytes on their way to the peer.
struct Slice {
    bytes: Bytes,
    _request: Arc<RequestGuard>,
}

impl AsRef<[u8]> for Slice {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl HttpBody for ReplyBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let polled = Pin::new(&mut self.body).poll_frame(context);
            if polled.is_pending() {
                self.request.await_body();
            }
            match ready!(polled).map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(bytes))) => self.rest = bytes,
                Some(Ok(Err(frame))) => return Poll::Ready(Some(Ok(frame))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        Poll::Ready(Some(Ok(Frame::data(self.next_slice()))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(rest + body.lower());
        if let Some(upper) = body.upper() {
            hint.set_upper(rest + upper);
        }
        hint
    }
}
