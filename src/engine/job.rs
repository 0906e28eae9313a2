//! `Job`, its `JobOutput` or `JobError`, and the reports on both.

use crate::codec::{CodecError, Encoded};
use crate::engine::budget::Reservation;
use crate::limits::{LimitKind, Stopped};
use crate::reject_reason::RejectReason;
use crate::report::Report;
use crate::spec::Spec;
use crate::status::Status;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::LazyLock;
use std::time::Duration;

/// The caller of a job, for the fair queue. Keys of one process compare; they mean nothing to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct CallerKey(u64);

impl CallerKey {
    /// The key of a caller that is known by `name`: a token, an address.
    pub fn of(name: &(impl Hash + ?Sized)) -> CallerKey {
        static KEYED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        CallerKey(KEYED.hash_one(name))
    }
}

/// One picture to process.
#[derive(Debug)]
pub struct Job {
    /// The image file.
    pub body: Vec<u8>,
    /// The memory of the body, from [`Engine::reserve`](crate::engine::Engine::reserve).
    pub memory: Reservation,
    /// The options.
    pub spec: Spec,
    /// Longest time for the job, if shorter than the engine's own limit.
    pub deadline: Option<Duration>,
}

/// A processed picture.
#[derive(Debug)]
pub struct JobOutput {
    /// The result.
    pub encoded: Encoded,
    /// Length of the source in bytes.
    pub source_bytes: u64,
    /// Time that the job waited for a worker.
    pub queued: Duration,
    /// The memory of the result, to be kept until it is sent.
    pub memory: Reservation,
}

/// The resource that ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BusyCause {
    /// Places in the queue, or time to wait there.
    Places,
    /// Workers: none was free in time.
    Workers,
    /// Memory that all requests share.
    Memory,
}

/// A job has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// Queue or memory budget is full.
    #[error("the server is busy, try again in {} ms", retry_after.as_millis())]
    Busy {
        /// The resource that ran out.
        cause: BusyCause,
        /// Time after which trying again may help.
        retry_after: Duration,
    },
    /// The caller has left.
    #[error("the caller left before the result was ready")]
    Abandoned,
    /// The codec refused the picture, or could not read it.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The codec panicked, which is a defect of this program. The worker lives on.
    #[error("internal error: the codec panicked on this image")]
    Panicked,
}

impl JobError {
    /// The status for the caller.
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
            JobError::Busy { cause: BusyCause::Places, .. } => RejectReason::QueueFull,
            JobError::Busy { cause: BusyCause::Workers, .. } => RejectReason::QueueTimeout,
            JobError::Busy { cause: BusyCause::Memory, .. } => RejectReason::Memory,
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

    /// The report that accompanies the message.
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
        LimitKind::SourceSide | LimitKind::SourcePixels | LimitKind::Frames | LimitKind::Memory => {
            RejectReason::Bomb
        }
        LimitKind::ResultWidth
        | LimitKind::ResultHeight
        | LimitKind::ResultPixels
        | LimitKind::ResultBytes
        | LimitKind::ResultBytesAtThisSize => RejectReason::ResultTooLarge,
    }
}

impl JobOutput {
    /// The report on the job.
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
