//! `Reason`: why a request or a connection was turned down, one word for the metrics and the log.

/// Why somebody was refused or cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The peer left within the twelve bytes of a header.
    ShortHeader,
    /// The header took too long.
    HeaderTimeout,
    /// The image dripped or stalled.
    SlowClient,
    /// The peer left within the image.
    Truncated,
    /// The connection broke.
    Aborted,
    /// The peer did not take its reply.
    WriteTimeout,
    /// No room for another connection.
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
    /// The token is missing or wrong, or came over an open line.
    Unauthorized,
    /// A page of an origin that is not allowed.
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
    /// The work took too long.
    Deadline,
    /// The caller left before the result was ready.
    Abandoned,
    /// More pixels or memory than allowed.
    Bomb,
    /// A JPEG of too many scans.
    TooManyScans,
    /// Not an image, or a format that is not built in.
    Unsupported,
    /// The data is broken.
    Corrupt,
    /// No room on disk for another task.
    StorageFull,
    /// A defect of ours.
    Internal,
}

impl Reason {
    /// Every reason, in order of declaration.
    pub const ALL: [Reason; 28] = [
        Reason::ShortHeader,
        Reason::HeaderTimeout,
        Reason::SlowClient,
        Reason::Truncated,
        Reason::Aborted,
        Reason::WriteTimeout,
        Reason::Connections,
        Reason::PerAddress,
        Reason::Starved,
        Reason::Tls,
        Reason::ForeignProtocol,
        Reason::BadRequest,
        Reason::Unauthorized,
        Reason::ForeignOrigin,
        Reason::Guessing,
        Reason::RateLimit,
        Reason::BodyTooLarge,
        Reason::QueueFull,
        Reason::QueueTimeout,
        Reason::Memory,
        Reason::Deadline,
        Reason::Abandoned,
        Reason::Bomb,
        Reason::TooManyScans,
        Reason::Unsupported,
        Reason::Corrupt,
        Reason::StorageFull,
        Reason::Internal,
    ];

    /// The word for metrics and log.
    pub fn word(self) -> &'static str {
        match self {
            Reason::ShortHeader => "short_header",
            Reason::HeaderTimeout => "header_timeout",
            Reason::SlowClient => "slow_client",
            Reason::Truncated => "truncated",
            Reason::Aborted => "aborted",
            Reason::WriteTimeout => "write_timeout",
            Reason::Connections => "connections",
            Reason::PerAddress => "per_address",
            Reason::Starved => "starved",
            Reason::Tls => "tls",
            Reason::ForeignProtocol => "foreign_protocol",
            Reason::BadRequest => "bad_request",
            Reason::Unauthorized => "unauthorized",
            Reason::ForeignOrigin => "foreign_origin",
            Reason::Guessing => "guessing",
            Reason::RateLimit => "rate_limit",
            Reason::BodyTooLarge => "body_too_large",
            Reason::QueueFull => "queue_full",
            Reason::QueueTimeout => "queue_timeout",
            Reason::Memory => "memory",
            Reason::Deadline => "deadline",
            Reason::Abandoned => "abandoned",
            Reason::Bomb => "bomb",
            Reason::TooManyScans => "too_many_scans",
            Reason::Unsupported => "unsupported",
            Reason::Corrupt => "corrupt",
            Reason::StorageFull => "storage_full",
            Reason::Internal => "internal",
        }
    }

    /// The place in [`Reason::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_stands_at_its_index_and_has_its_own_word() {
        for (i, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), i);
            assert!(Reason::ALL[..i].iter().all(|other| other.word() != reason.word()), "{reason:?}");
        }
    }
}
