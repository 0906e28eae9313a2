//! `Fault`, why the cluster did not do something, and `Retry`, which asks again for as long as an election lasts.

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::stream::{LastRawMessageError, LastRawMessageErrorKind};
use std::error::Error;
use std::time::Duration;
use tokio::time::Instant;

/// Longest time for one operation, retries included. An election takes two to six seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pause between two tries. A consumer without a leader answers at once, so that a shorter one would flood it.
const PAUSE: Duration = Duration::from_millis(250);

/// An operation that the cluster did not carry out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// It does not answer, or has no leader. It may have carried out the operation all the same.
    #[error("NATS is not reachable: {0}")]
    Away(String),
    /// A stream or disk is full.
    #[error("a NATS stream is full: {0}")]
    Full(String),
    /// The key or subject has changed since it was read.
    #[error("changed by another server")]
    Changed,
}

impl Fault {
    /// A fault of any error of the client: full where the server says so, otherwise away.
    pub(super) fn away(error: impl Error + 'static) -> Fault {
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(error) = cause {
            if let Some(told) = error.downcast_ref::<async_nats::jetstream::Error>() {
                let code = told.error_code();
                let full = [
                    ErrorCode::STREAM_STORE_FAILED,
                    ErrorCode::STORAGE_RESOURCES_EXCEEDED,
                    ErrorCode::INSUFFICIENT_RESOURCES,
                ];
                if full.contains(&code) {
                    return Fault::Full(told.to_string());
                }
                if code == ErrorCode::STREAM_WRONG_LAST_SEQUENCE {
                    return Fault::Changed;
                }
            }
            cause = error.source();
        }
        Fault::Away(error.to_string())
    }

    /// Returns true if the leader has no message of the subject.
    pub(super) fn is_missing(error: &LastRawMessageError) -> bool {
        match error.kind() {
            LastRawMessageErrorKind::NoMessageFound => true,
            LastRawMessageErrorKind::JetStream(error) => error.error_code() == ErrorCode::NO_MESSAGE_FOUND,
            _ => false,
        }
    }
}

impl From<PublishError> for Fault {
    fn from(error: PublishError) -> Fault {
        match error.kind() {
            PublishErrorKind::WrongLastSequence => Fault::Changed,
            _ => Fault::away(error),
        }
    }
}

/// Tries an operation until it is carried out, refused, or late.
#[derive(Debug)]
pub(super) struct Retry {
    deadline: Instant,
}

impl Retry {
    /// The time begins now.
    pub(super) fn new() -> Retry {
        Retry { deadline: Instant::now() + PATIENCE }
    }

    /// Runs an operation that is harmless to repeat.
    ///
    /// # Errors
    /// The last fault.
    pub(super) async fn run<T>(
        &self,
        mut operation: impl AsyncFnMut() -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        loop {
            let fault = match tokio::time::timeout_at(self.deadline, operation()).await {
                Ok(Err(fault @ Fault::Away(_))) => fault,
                Ok(outcome) => return outcome,
                Err(_) => return Err(Fault::Away("timed out".to_owned())),
            };
            if Instant::now() + PAUSE >= self.deadline {
                return Err(fault);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_operation_is_tried_until_it_succeeds_or_the_time_is_over() {
        let mut tries = 0;
        let outcome = Retry::new()
            .run(async || {
                tries += 1;
                if tries < 4 { Err(Fault::Away("no leader".into())) } else { Ok(tries) }
            })
            .await;
        assert_eq!(outcome, Ok(4));
        let began = Instant::now();
        let outcome: Result<(), _> = Retry::new().run(async || Err(Fault::Away("gone".into()))).await;
        assert_eq!(outcome, Err(Fault::Away("gone".into())));
        assert!(began.elapsed() <= PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_stream_is_not_tried_again() {
        let mut tries = 0;
        let full = Fault::Full("maximum bytes exceeded".into());
        let outcome: Result<(), _> = Retry::new()
            .run(async || {
                tries += 1;
                Err(full.clone())
            })
            .await;
        assert_eq!((outcome, tries), (Err(full), 1));
    }
}
