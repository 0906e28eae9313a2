//! `TimeoutKind`: the deadlines of a connection, by name.

use std::time::Duration;

/// The deadline that a peer missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeoutKind {
    /// Pause between two requests. Not a fault: the connection is closed without a warning.
    Idle,
    /// TLS handshake, header and options of a request.
    Header,
    /// A whole body.
    Body,
    /// A pause within a body.
    Stall,
    /// A reply that the peer does not read.
    Write,
}

impl TimeoutKind {
    /// The setting that holds the limit.
    pub fn setting(self) -> &'static str {
        match self {
            TimeoutKind::Idle => "idle_timeout",
            TimeoutKind::Header => "header_timeout",
            TimeoutKind::Body => "body_timeout",
            TimeoutKind::Stall => "stall_timeout",
            TimeoutKind::Write => "write_timeout",
        }
    }

    /// The message for a limit of `after`.
    pub fn message(self, after: Duration) -> String {
        let seconds = (after.as_secs_f64() * 10.0).round() / 10.0;
        let activity = match self {
            TimeoutKind::Idle => "timed out waiting for a request",
            TimeoutKind::Header => "timed out reading the header",
            TimeoutKind::Body => "timed out reading the body",
            TimeoutKind::Stall => "timed out waiting for more of the body",
            TimeoutKind::Write => "write timed out",
        };
        format!("{activity} after {seconds} s ({})", self.setting())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_limit_and_its_setting() {
        let message = |kind: TimeoutKind, ms| kind.message(Duration::from_millis(ms));
        assert_eq!(
            message(TimeoutKind::Header, 5000),
            "timed out reading the header after 5 s (header_timeout)"
        );
        assert_eq!(message(TimeoutKind::Write, 300), "write timed out after 0.3 s (write_timeout)");
    }
}
