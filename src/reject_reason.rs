//! `RejectReason`: why a request or connection was rejected, in one word for metrics and log.

/// Why a request or connection was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectReason {
    /// The peer left within the twelve bytes of a header.
    ShortHeader,
    /// The header took too long.
    HeaderTimeout,
    /// The body was too slow or paused too long.
    SlowClient,
    /// The peer left within the image.
    Truncated,
    /// The connection broke.
    Aborted,
    /// The peer did not read its reply.
    WriteTimeout,
    /// Connection limit reached.
    Connections,
    /// Too many connections of one address.
    PerAddress,
    /// No descriptors or threads left.
    Starved,
    /// The TLS handshake failed.
    Tls,
    /// Another protocol on the binary port.
    ForeignProtocol,
    /// Header or options cannot be understood.
    BadRequest,
    /// The token is missing or wrong, or came unencrypted.
    Unauthorized,
    /// A page of an origin, or a host name, that is not allowed.
    ForeignOrigin,
    /// Too many wrong tokens from this address.
    Guessing,
    /// Over the caller's requests a second or megapixels a minute.
    RateLimit,
    /// More bytes than allowed.
    BodyTooLarge,
    /// The queue is full, or the wait would be too long.
    QueueFull,
    /// No worker was free in time.
    QueueTimeout,
    /// The shared memory is spent.
    Memory,
    /// The body was slow while other callers needed its memory.
    GaveWay,
    /// The work took too long.
    Deadline,
    /// The caller left before the result was ready.
    Abandoned,
    /// More pixels or memory than allowed.
    Bomb,
    /// A result of more pixels or bytes than allowed.
    ResultTooLarge,
    /// A JPEG with too many scans.
    TooManyScans,
    /// Not an image, or a format that is not built in.
    Unsupported,
    /// The data is broken.
    Corrupt,
    /// No room on disk for another task.
    StorageFull,
    /// The machines that keep tasks do not answer.
    StoreAway,
    /// A defect of ours.
    Internal,
}

impl RejectReason {
    /// Every reason, in order of declaration.
    pub const ALL: [RejectReason; 31] = [
        RejectReason::ShortHeader,
        RejectReason::HeaderTimeout,
        RejectReason::SlowClient,
        RejectReason::Truncated,
        RejectReason::Aborted,
        RejectReason::WriteTimeout,
        RejectReason::Connections,
        RejectReason::PerAddress,
        RejectReason::Starved,
        RejectReason::Tls,
        RejectReason::ForeignProtocol,
        RejectReason::BadRequest,
        RejectReason::Unauthorized,
        RejectReason::ForeignOrigin,
        RejectReason::Guessing,
        RejectReason::RateLimit,
        RejectReason::BodyTooLarge,
        RejectReason::QueueFull,
        RejectReason::QueueTimeout,
        RejectReason::Memory,
        RejectReason::GaveWay,
        RejectReason::Deadline,
        RejectReason::Abandoned,
        RejectReason::Bomb,
        RejectReason::ResultTooLarge,
        RejectReason::TooManyScans,
        RejectReason::Unsupported,
        RejectReason::Corrupt,
        RejectReason::StorageFull,
        RejectReason::StoreAway,
        RejectReason::Internal,
    ];

    /// The word for metrics and log.
    pub fn word(self) -> &'static str {
        match self {
            RejectReason::ShortHeader => "short_header",
            RejectReason::HeaderTimeout => "header_timeout",
            RejectReason::SlowClient => "slow_client",
            RejectReason::Truncated => "truncated",
            RejectReason::Aborted => "aborted",
            RejectReason::WriteTimeout => "write_timeout",
            RejectReason::Connections => "connections",
            RejectReason::PerAddress => "per_address",
            RejectReason::Starved => "starved",
            RejectReason::Tls => "tls",
            RejectReason::ForeignProtocol => "foreign_protocol",
            RejectReason::BadRequest => "bad_request",
            RejectReason::Unauthorized => "unauthorized",
            RejectReason::ForeignOrigin => "foreign_origin",
            RejectReason::Guessing => "guessing",
            RejectReason::RateLimit => "rate_limit",
            RejectReason::BodyTooLarge => "body_too_large",
            RejectReason::QueueFull => "queue_full",
            RejectReason::QueueTimeout => "queue_timeout",
            RejectReason::Memory => "memory",
            RejectReason::GaveWay => "gave_way",
            RejectReason::Deadline => "deadline",
            RejectReason::Abandoned => "abandoned",
            RejectReason::Bomb => "bomb",
            RejectReason::ResultTooLarge => "too_large",
            RejectReason::TooManyScans => "too_many_scans",
            RejectReason::Unsupported => "unsupported",
            RejectReason::Corrupt => "corrupt",
            RejectReason::StorageFull => "storage_full",
            RejectReason::StoreAway => "store_away",
            RejectReason::Internal => "internal",
        }
    }

    /// Index in [`RejectReason::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_at_its_index_and_has_its_own_word() {
        for (i, reason) in RejectReason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), i);
            assert!(RejectReason::ALL[..i].iter().all(|other| other.word() != reason.word()), "{reason:?}");
        }
    }
}
