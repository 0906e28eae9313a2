//! One image on its way through the engine, and the line that tells how it went.

use crate::engine::{Job, JobOutput, Reservation};
use crate::http::legacy::gray;
use crate::http::ws::ask::Asked;
use crate::http::{Failure, HttpState, work};
use crate::metrics::Protocol;
use crate::report::Report;
use crate::service::AccessRecord;
use crate::service::Caller;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether a worker has taken an image whose steps are told.
const GLANCE: Duration = Duration::from_millis(10);

/// An image as it came.
#[derive(Debug)]
pub(super) enum Payload {
    Image(Vec<u8>),
    Base64(String),
}

/// An image that came, and what is to be made of it.
#[derive(Debug)]
pub(super) struct Arrived {
    /// How many came before it on this connection, and one.
    pub(super) number: u64,
    /// What answers call it: what the peer said, or its number.
    pub(super) id: String,
    pub(super) payload: Payload,
    pub(super) memory: Reservation,
    pub(super) asked: Asked,
    pub(super) at: Instant,
    /// Cancelled when the peer does not want it any more.
    pub(super) given_up: CancellationToken,
}

/// A picture that is done with.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) number: u64,
    pub(super) id: String,
    pub(super) at: Instant,
    pub(super) outcome: Result<JobOutput, Failure>,
}

/// An image that a worker has taken.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) id: String,
}

/// Carries an image through the engine. Dropping the future gives it up.
pub(super) async fn process(
    door: Arc<HttpState>,
    caller: Caller,
    arrived: Arrived,
    begun: UnboundedSender<Begun>,
) -> Finished {
    let Arrived { number, id, payload, memory, asked, at, given_up } = arrived;
    let _in_progress = door.engine.metrics().in_progress.hold();
    let work = async {
        door.service.rates().request(&caller)?;
        let (body, memory) = bytes(&door, payload, memory).await?;
        if body.is_empty() {
            return Err(Failure::Empty);
        }
        let job = Job { body, memory, spec: asked.spec, deadline: asked.deadline };
        let mut ticket = work::start(&door, &caller, job).await?;
        while asked.tells_progress && !ticket.has_started() {
            tokio::select! {
                outcome = work::wait(&mut ticket) => return outcome,
                () = tokio::time::sleep(GLANCE) => {}
            }
        }
        if asked.tells_progress {
            let _ = begun.send(Begun { id: id.clone() }); // the session may have ended
        }
        work::wait(&mut ticket).await
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        () = given_up.cancelled() => Err(Failure::Cancelled),
    };
    Finished { number, id, at, outcome }
}

/// The image itself, and the memory that it holds.
async fn bytes(
    door: &Arc<HttpState>,
    payload: Payload,
    mut memory: Reservation,
) -> Result<(Vec<u8>, Reservation), Failure> {
    let text = match payload {
        Payload::Image(bytes) => return Ok((bytes, memory)),
        Payload::Base64(text) => text,
    };
    let door = door.clone();
    let decoded = spawn_blocking(move || {
        let image = gray::image(&door.engine, text.as_bytes(), &mut memory)?;
        drop(text);
        let _ = memory.resize(image.capacity() as u64); // less is always there
        Ok((image, memory))
    });
    decoded.await.map_err(|_| crate::engine::JobError::Panicked)?
}

/// What is told of every image of one connection.
#[derive(Debug)]
pub(super) struct Teller {
    pub(super) peer: SocketAddr,
    /// The handshake's id, which those of the images begin with in the log.
    pub(super) call: String,
    pub(super) token: Option<Arc<str>>,
}

impl Teller {
    /// An image's id in the log.
    pub(super) fn log_id(&self, id: &str) -> String {
        format!("{}.{id}", self.call)
    }

    /// Notes that an image has come.
    pub(super) fn received(&self, id: &str, bytes: usize) {
        log::info!(
            target: "imgsrv::request", id = self.log_id(id).as_str(), protocol = Protocol::WebSocket.word(),
            peer:% = self.peer, bytes_in = bytes; "image received"
        );
    }

    /// Counts and logs how an image ended; `bytes` is the length of its result.
    pub(super) fn processed(&self, door: &HttpState, finished: &Finished, report: &Report, bytes: usize) {
        let message = finished.outcome.as_ref().err().map(|failure| (failure.reason(), failure.to_string()));
        let record = AccessRecord {
            protocol: Protocol::WebSocket,
            peer: self.peer,
            id: &self.log_id(&finished.id),
            token: self.token.as_deref(),
            report,
            bytes_out: bytes,
            total: finished.at.elapsed(),
            error: message.as_ref().map(|(reason, message)| (*reason, message.as_str())),
        };
        record.write(door.engine.metrics());
    }
}
