//! One image of a conversation: its way through the engine, and its log lines.

use crate::engine::{JobOutput, Reservation};
use crate::http::handlers::tasks::rfc3339;
use crate::http::ws::command::{ImageRequest, Order};
use crate::http::{HttpState, job};
use crate::metrics::Protocol;
use crate::net::PeerAddress;
use crate::report::Report;
use crate::service::{AccessRecord, AuthenticatedCaller, ReceivedBody, RequestError};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

/// Interval at which the start of an image is looked up, where its progress is reported.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// An image as it was sent.
#[derive(Debug)]
pub(super) enum Payload {
    Image(Vec<u8>),
    #[cfg(feature = "legacy")]
    Base64(String),
}

impl Payload {
    pub(super) fn len(&self) -> usize {
        match self {
            Payload::Image(bytes) => bytes.len(),
            #[cfg(feature = "legacy")]
            Payload::Base64(text) => text.len(),
        }
    }
}

/// An image's identity and the times of its arrival.
#[derive(Debug, Clone)]
pub(super) struct ImageLabel {
    /// Position among the images of the connection, from 1.
    pub(super) number: u64,
    /// The id that the peer gave, or the number.
    pub(super) id: String,
    pub(super) received: Instant,
    /// For the log.
    pub(super) received_at: SystemTime,
    pub(super) order: Order,
}

/// An image that has arrived.
#[derive(Debug)]
pub(super) struct ArrivedImage {
    pub(super) label: ImageLabel,
    pub(super) payload: Payload,
    pub(super) memory: Reservation,
    pub(super) request: ImageRequest,
    /// Cancelled when the peer takes its request back.
    pub(super) cancelled: CancellationToken,
}

/// An image with its result, or the reason why there is none.
#[derive(Debug)]
pub(super) struct FinishedImage {
    pub(super) label: ImageLabel,
    pub(super) result: Result<JobOutput, RequestError>,
}

impl FinishedImage {
    /// Length of the result in bytes.
    pub(super) fn len(&self) -> usize {
        self.result.as_ref().map_or(0, |done| done.encoded.bytes.len())
    }
}

/// Processes an image. Dropping the future cancels its job.
pub(super) async fn process(
    state: Arc<HttpState>,
    caller: AuthenticatedCaller,
    image: ArrivedImage,
    started: UnboundedSender<String>,
) -> FinishedImage {
    let ArrivedImage { label, payload, memory, request, cancelled } = image;
    let _in_progress = state.service.metrics().in_progress.hold();
    let work = async {
        // The token may have been revoked since the handshake.
        let caller = state.service.authenticate_again(&caller)?;
        let body = body(&state, payload, memory).await?;
        if body.bytes.is_empty() {
            return Err(RequestError::Empty);
        }
        let mut ticket = job::submit(&state, &caller, body, request.spec, request.deadline).await?;
        while request.reports_progress && !ticket.has_started() {
            tokio::select! {
                result = job::wait(&mut ticket) => return result,
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
        }
        if request.reports_progress {
            let _ = started.send(label.id.clone()); // the session may have ended
        }
        job::wait(&mut ticket).await
    };
    let result = tokio::select! {
        result = work => result,
        () = cancelled.cancelled() => Err(RequestError::Cancelled),
    };
    FinishedImage { label, result }
}

/// The image itself, decoded if it is base64.
async fn body(
    state: &Arc<HttpState>,
    payload: Payload,
    memory: Reservation,
) -> Result<ReceivedBody, RequestError> {
    let _ = state; // base64 alone needs it
    match payload {
        Payload::Image(bytes) => Ok(ReceivedBody { bytes, memory }),
        #[cfg(feature = "legacy")]
        Payload::Base64(text) => {
            let service = state.service.clone();
            job::blocking(move || {
                let mut image = crate::http::legacy::gray::decode(&service, text.as_bytes(), memory)?;
                drop(text);
                let _ = image.memory.resize(image.bytes.capacity() as u64); // never more than before
                Ok(image)
            })
            .await
        }
    }
}

/// Writes the log lines of one connection's images.
#[derive(Debug)]
pub(super) struct ImageLog {
    pub(super) peer: PeerAddress,
    /// Id of the handshake, which the ids of the images begin with.
    pub(super) connection_id: String,
    pub(super) token: Option<Arc<str>>,
}

impl ImageLog {
    fn id(&self, label: &ImageLabel) -> String {
        format!("{}.{}", self.connection_id, label.id)
    }

    /// Logs that an image has arrived.
    pub(super) fn received(&self, label: &ImageLabel, bytes: usize) {
        log::info!(
            target: "imgsrv::request", id = self.id(label).as_str(), protocol = Protocol::WebSocket.word(),
            peer:% = self.peer, bytes_in = bytes; "image received"
        );
    }

    /// Counts and logs the end of an image; `bytes` is the length of its result.
    pub(super) fn finished(&self, state: &HttpState, image: &FinishedImage, report: &Report, bytes: usize) {
        let id = self.id(&image.label);
        let error = image.result.as_ref().err().map(|error| (error.reject_reason(), error.to_string()));
        let record = AccessRecord {
            protocol: Protocol::WebSocket,
            peer: self.peer,
            id: &id,
            token: self.token.as_deref(),
            report,
            bytes_out: bytes,
            total: image.label.received.elapsed(),
            error: error.as_ref().map(|(reason, message)| (*reason, message.as_str())),
            http: None,
        };
        record.write(state.service.metrics());
        if image.result.is_ok() {
            log::info!(
                target: "imgsrv::request", id = id.as_str(), protocol = Protocol::WebSocket.word(),
                mode = image.label.order.word(), received = rfc3339(image.label.received_at).as_str(),
                processed = rfc3339(SystemTime::now()).as_str(); "image processed"
            );
        }
    }
}
