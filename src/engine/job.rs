//! What goes into the engine and what comes out: `Job`, `Done`, `JobError`, each with its report.

use crate::codec::{CodecError, Encoded};
use crate::engine::budget::Reservation;
use crate::limits::{LimitKind, Stopped};
use crate::reject_reason::RejectReason;
use crate::report::Report;
use crate::spec::Spec;
use crate::status::Status;
use std::time::Duration;

/// One picture to process.
#[derive(Debug)]
pub struct Job {
    /// The image file.
    pub body: Vec<u8>,
    /// The memory that the body holds, from [`crate::engine::Engine::open`].
    pub memory: Reservation,
    /// What to make of it.
    pub spec: Spec,
    /// Give up after this long, if that is sooner than the engine's own limit.
    pub deadline: Option<Duration>,
}

/// A processed picture.
#[derive(Debug)]
pub struct Done {
    /// The result.
    pub encoded: Encoded,
    /// Length of the source in bytes.
    pub source_bytes: u64,
    /// How long the job waited for a worker.
    pub queued: Duration,
    /// The memory that the result holds, to be kept until it is sent.
    pub memory: Reservation,
}

/// What there is not enough of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusyCause {
    /// Places in the queue, or time to wait in it.
    Places,
    /// Workers: none was free in time.
    Workers,
    /// Memory that all requests share.
    Memory,
}

/// Why a job has no result.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Queue or memory budget are full.
    #[error("the server is busy, try again in {} ms", retry_after.as_millis())]
    Busy {
        /// What ran out.
        scarce: BusyCause,
        /// When trying again may help.
        retry_after: Duration,
    },
    /// Whoever asked has left.
    #[error("the caller left before the result was ready")]
    Abandoned,
    /// The codec says no.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The codec panicked: a defect of ours. The worker lives on.
    #[error("internal error: the codec panicked on this image")]
    Panicked,
}

impl JobError {
    /// The status that a peer is told.
    pub fn status(&self) -> Status {
        match self {
            JobError::Busy { .. } => Status::Busy,
            JobError::Abandoned => Status::Timeout,
            JobError::Codec(error) => error.status(),
            JobError::Panicked => Status::Internal,
        }
    }

    /// The word for metrics and log.
    pub fn reason(&self) -> RejectReason {
        match self {
            JobError::Busy { scarce: BusyCause::Places, .. } => RejectReason::QueueFull,
            JobError::Busy { scarce: BusyCause::Workers, .. } => RejectReason::QueueTimeout,
            JobError::Busy { scarce: BusyCause::Memory, .. } => RejectReason::Memory,
            JobError::Abandoned => RejectReason::Abandoned,
            JobError::Panicked => RejectReason::Internal,
            JobError::Codec(error) => match error {
                CodecError::Unsupported(_) => RejectReason::Unsupported,
                CodecError::Damaged { .. } => RejectReason::Corrupt,
                CodecError::TooLarge(over) => over_limit(over.limit),
                CodecError::BadRequest(_) => RejectReason::BadRequest,
                CodecError::Stopped(Stopped::Cancelled) => RejectReason::Abandoned,
                CodecError::Stopped(Stopped::DeadlinePassed) => RejectReason::Deadline,
                CodecError::OutOfMemory(_) => RejectReason::Memory,
                CodecError::Internal(_) => RejectReason::Internal,
            },
        }
    }

    /// What a peer is told beside the message.
    pub fn report(&self) -> Report {
        let mut report = Report::new(self.status());
        if let JobError::Busy { retry_after, .. } = self {
            report.retry_after_ms = Some(retry_after.as_millis() as u64);
        }
        report
    }
}

/// The word for a limit that is exceeded.
fn over_limit(limit: LimitKind) -> RejectReason {
    match limit {
        LimitKind::Scans | LimitKind::ScannedPixels => RejectReason::TooManyScans,
        LimitKind::SourceSide | LimitKind::SourcePixels | LimitKind::Memory => RejectReason::Bomb,
        LimitKind::ResultWidth
        | LimitKind::ResultHeight
        | LimitKind::ResultPixels
        | LimitKind::ResultBytes
        | LimitKind::ResultBytesAtThisSize => RejectReason::ResultTooLarge,
    }
}

impl Done {
    /// All that is known about the job.
    pub fn report(&self) -> Report {
        let us = |time: Duration| Some(time.as_micros() as u64);
        let Encoded { format, width, height, quality, tries, score, source, warnings, times, bytes: _ } =
            &self.encoded;
        Report {
            width: Some(*width),
            height: Some(*height),
            format: Some(*format),
            quality: quality.map(|quality| quality.get()),
            source_width: Some(source.width),
            source_height: Some(source.height),
            source_format: Some(source.format),
            source_bytes: Some(self.source_bytes),
            queue_us: us(self.queued),
            decode_us: us(times.decode),
            resize_us: us(times.resize),
            encode_us: us(times.encode),
            tries: (*tries > 1).then_some(*tries),
            score: *score,
            warnings: warnings.iter().map(|warning| warning.word().to_owned()).collect(),
            ..Report::new(Status::Ok)
        }
    }
}
