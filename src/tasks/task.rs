//! What a task is and how it stands: `Owner`, `NewTask`, `TaskStatus`, `State`, `Step`, `Failure`.

use crate::report::Report;
use crate::spec::Spec;
use crate::status::Status;
use crate::tasks::TaskId;
use std::fmt;
use std::time::SystemTime;

/// Whose task it is: the name of a token, or everybody's where no tokens are in use.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Owner(String);

impl Owner {
    /// Whoever shows the token of this name; `None` is everybody.
    pub fn new(token: Option<&str>) -> Owner {
        Owner(token.unwrap_or_default().to_owned())
    }

    /// The name of the token; empty for everybody.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// A task that is to be kept.
#[derive(Debug, Clone, Copy)]
pub struct NewTask<'a> {
    /// Who may ask for it later.
    pub owner: &'a Owner,
    /// What to make of the picture.
    pub spec: &'a Spec,
    /// The image file.
    pub image: &'a [u8],
}

/// What is being done with a task that a runner has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The image is read from the store.
    Reading,
    /// It waits for a worker, or is on one.
    Working,
    /// The result is written to the store.
    Storing,
}

impl Step {
    /// The word for a caller.
    pub fn word(self) -> &'static str {
        match self {
            Step::Reading => "reading",
            Step::Working => "working",
            Step::Storing => "storing",
        }
    }

    /// Percent of the steps that lie behind.
    pub fn percent(self) -> u8 {
        match self {
            Step::Reading => 10,
            Step::Working => 20,
            Step::Storing => 90,
        }
    }
}

/// Why a task has no result and will have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The word of its kind.
    pub status: Status,
    /// For a person.
    pub message: String,
}

/// How a task stands.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// It waits.
    Queued {
        /// Tasks that are before it; 0 is the next.
        ahead: usize,
    },
    /// A runner has it.
    Processing {
        /// Since when.
        started: SystemTime,
        /// What is being done.
        step: Step,
    },
    /// The result is there.
    Done {
        /// Since when.
        finished: SystemTime,
        /// What is known about it.
        report: Report,
        /// Length of the result in bytes.
        bytes: u64,
    },
    /// There will be no result.
    Failed {
        /// Since when.
        finished: SystemTime,
        /// Why.
        failure: Failure,
    },
}

impl State {
    /// Whether nothing more will happen.
    pub fn is_final(&self) -> bool {
        matches!(self, State::Done { .. } | State::Failed { .. })
    }

    /// The word for a caller.
    pub fn word(&self) -> &'static str {
        match self {
            State::Queued { .. } => "queued",
            State::Processing { .. } => "processing",
            State::Done { .. } => "done",
            State::Failed { .. } => "failed",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A task as its owner sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskStatus {
    /// Its name.
    pub id: TaskId,
    /// When it was accepted.
    pub submitted: SystemTime,
    /// Length of the source in bytes.
    pub source_bytes: u64,
    /// How it stands.
    pub state: State,
}
