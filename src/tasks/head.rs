//! `Head`: what a store writes about a task beside its images, as form-encoded pairs.

use crate::report::Report;
use crate::spec::{Options, Spec};
use crate::status::Status;
use crate::tasks::{Failure, Owner};
use std::time::{Duration, SystemTime};

/// Facts of a task.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    pub(super) owner: Owner,
    /// Grows from task to task.
    pub(super) number: u64,
    pub(super) submitted: SystemTime,
    /// Length of the source in bytes.
    pub(super) source_bytes: u64,
    pub(super) content: Content,
}

/// The part of a head that changes when the task ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    /// A task that is not ended.
    Task(Box<Spec>),
    /// A task with a result.
    Done { finished: SystemTime, report: Box<Report> },
    /// A task without a result.
    Failed { finished: SystemTime, failure: Failure },
}

impl Head {
    /// The pairs, from which [`Head::from_pairs`] makes the same head.
    pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![
            ("owner", self.owner.name().to_owned()),
            ("number", self.number.to_string()),
            ("submitted", millis(self.submitted).to_string()),
            ("source_bytes", self.source_bytes.to_string()),
        ];
        match &self.content {
            Content::Task(spec) => pairs.push(("spec", spec.canonical())),
            Content::Done { finished, report } => {
                pairs.push(("finished", millis(*finished).to_string()));
                pairs.push(("report", report.encode()));
            }
            Content::Failed { finished, failure } => {
                pairs.push(("finished", millis(*finished).to_string()));
                pairs.push(("failed", failure.status.word().to_owned()));
                pairs.push(("message", failure.message.clone()));
            }
        }
        pairs
    }

    /// A head from its pairs; `None` when one is missing or has no value of its kind. Other pairs are ignored.
    pub(super) fn from_pairs(pairs: &[(String, String)]) -> Option<Head> {
        let value = |name| value_of(pairs, name);
        let content = if let Some(spec) = value("spec") {
            Content::Task(Box::new(Options::parse(spec.as_bytes(), &Spec::default()).ok()?.spec))
        } else if let Some(report) = value("report") {
            let report = Box::new(Report::decode(report.as_bytes()).ok()?);
            Content::Done { finished: time_of(pairs, "finished")?, report }
        } else {
            let status: Status = value("failed")?.parse().ok()?;
            let failure = Failure { status, message: value("message")?.to_owned() };
            Content::Failed { finished: time_of(pairs, "finished")?, failure }
        };
        Some(Head {
            owner: Owner::new(value("owner")),
            number: value("number")?.parse().ok()?,
            submitted: time_of(pairs, "submitted")?,
            source_bytes: value("source_bytes")?.parse().ok()?,
            content,
        })
    }
}

/// The value of the first pair of this name.
pub(super) fn value_of<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// The value of a pair as a time in milliseconds.
pub(super) fn time_of(pairs: &[(String, String)], name: &str) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(value_of(pairs, name)?.parse().ok()?))
}

/// Milliseconds since 1970.
pub(super) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
