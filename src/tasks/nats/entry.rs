//! `Entry`: what the key-value bucket says of a task. Its value is form-encoded pairs; its key is `OWNER.ID`.

use crate::spec::{decode_pairs, encode_pairs};
use crate::tasks::head::{Content, Head, millis, time_of, value_of};
use crate::tasks::{Owner, State, Step, TaskId, TaskStatus};
use sha2::{Digest, Sha256};
use std::time::SystemTime;

/// Version of the pairs. A server that meets a later one leaves the task to a newer server.
const VERSION: &str = "1";

/// A task as all machines see it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) head: Head,
    /// Times that a worker began it.
    pub(super) attempts: u32,
    pub(super) source: Blob,
    pub(super) phase: Phase,
}

/// The progress of a task.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Phase {
    /// It waits for a worker.
    Queued,
    /// The worker `node` has it.
    Processing {
        /// Name of the worker.
        node: String,
        /// Start of this attempt.
        started: SystemTime,
    },
    /// It has a result, made by the attempt that began at KV revision `attempt`.
    Done {
        /// Revision of the claim, which names the blob.
        attempt: u64,
        /// The result.
        result: Blob,
    },
    /// It has no result.
    Failed,
}

/// An image in the blob stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blob {
    /// Messages that it is cut into.
    pub(super) chunks: usize,
    /// Length in bytes.
    pub(super) bytes: u64,
    /// CRC-32 of the whole.
    pub(super) crc: u32,
}

/// An entry that this server cannot use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadEntry {
    /// Written by a later release.
    #[error("it was written by a newer release of imgsrv")]
    Newer,
    /// Not an entry.
    #[error("it is no task, or is damaged")]
    Damaged,
}

impl Entry {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut pairs = vec![("version", VERSION.to_owned()), ("attempts", self.attempts.to_string())];
        pairs.extend(self.head.pairs());
        self.source.pairs(["source_chunks", "source_length", "source_crc"], &mut pairs);
        match &self.phase {
            Phase::Queued | Phase::Failed => {}
            Phase::Processing { node, started } => {
                pairs.push(("node", node.clone()));
                pairs.push(("started", millis(*started).to_string()));
            }
            Phase::Done { attempt, result } => {
                pairs.push(("attempt", attempt.to_string()));
                result.pairs(["result_chunks", "result_length", "result_crc"], &mut pairs);
            }
        }
        encode_pairs(pairs).into_bytes()
    }

    pub(super) fn decode(value: &[u8]) -> Result<Entry, BadEntry> {
        let pairs = decode_pairs(value).map_err(|_| BadEntry::Damaged)?;
        match value_of(&pairs, "version") {
            Some(VERSION) => Entry::from_pairs(&pairs).ok_or(BadEntry::Damaged),
            Some(_) => Err(BadEntry::Newer),
            None => Err(BadEntry::Damaged),
        }
    }

    fn from_pairs(pairs: &[(String, String)]) -> Option<Entry> {
        let head = Head::from_pairs(pairs)?;
        let phase = match (&head.content, value_of(pairs, "node")) {
            (Content::Task(_), None) => Phase::Queued,
            (Content::Task(_), Some(node)) => {
                Phase::Processing { node: node.to_owned(), started: time_of(pairs, "started")? }
            }
            (Content::Done { .. }, _) => Phase::Done {
                attempt: value_of(pairs, "attempt")?.parse().ok()?,
                result: Blob::from_pairs(["result_chunks", "result_length", "result_crc"], pairs)?,
            },
            (Content::Failed { .. }, _) => Phase::Failed,
        };
        Some(Entry {
            attempts: value_of(pairs, "attempts")?.parse().ok()?,
            source: Blob::from_pairs(["source_chunks", "source_length", "source_crc"], pairs)?,
            head,
            phase,
        })
    }

    /// Returns true if nothing more will happen to the task.
    pub(super) fn is_final(&self) -> bool {
        matches!(self.phase, Phase::Done { .. } | Phase::Failed)
    }

    /// Bytes that the task takes up in the blob stream.
    pub(super) fn stored_bytes(&self) -> u64 {
        match self.phase {
            Phase::Queued | Phase::Processing { .. } => self.source.bytes,
            Phase::Done { result, .. } => result.bytes,
            Phase::Failed => 0,
        }
    }

    /// The task as its owner sees it, with `ahead` tasks before it if it waits.
    pub(super) fn status(&self, id: TaskId, ahead: usize) -> TaskStatus {
        let state = match (&self.head.content, &self.phase) {
            (Content::Done { finished, report }, Phase::Done { result, .. }) => {
                State::Done { finished: *finished, report: (**report).clone(), bytes: result.bytes }
            }
            (Content::Failed { finished, failure }, _) => {
                State::Failed { finished: *finished, failure: failure.clone() }
            }
            // Steps stay on the worker: to store them would cost three Raft writes a task.
            (_, Phase::Processing { started, .. }) => {
                State::Processing { started: *started, step: Step::Working }
            }
            _ => State::Queued { ahead },
        };
        TaskStatus { id, submitted: self.head.submitted, source_bytes: self.head.source_bytes, state }
    }
}

impl Blob {
    fn pairs(self, [chunks, length, crc]: [&'static str; 3], pairs: &mut Vec<(&'static str, String)>) {
        pairs.push((chunks, self.chunks.to_string()));
        pairs.push((length, self.bytes.to_string()));
        pairs.push((crc, self.crc.to_string()));
    }

    fn from_pairs([chunks, length, crc]: [&str; 3], pairs: &[(String, String)]) -> Option<Blob> {
        Some(Blob {
            chunks: value_of(pairs, chunks)?.parse().ok()?,
            bytes: value_of(pairs, length)?.parse().ok()?,
            crc: value_of(pairs, crc)?.parse().ok()?,
        })
    }
}

/// The key of a task. Another owner's key differs, so that another's task is unknown by construction.
pub(super) fn key(owner: &Owner, id: TaskId) -> String {
    format!("{}.{id}", owner_part(owner))
}

/// The task of a key.
pub(super) fn id_of(key: &str) -> Option<TaskId> {
    key.split_once('.')?.1.parse().ok()
}

/// Names of tokens may hold characters that a subject must not, so their digest stands for them.
fn owner_part(owner: &Owner) -> String {
    if owner.name().is_empty() {
        return "-".to_owned();
    }
    Sha256::digest(owner.name()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;
    use crate::spec::Spec;
    use crate::status::Status;
    use crate::tasks::Failure;
    use std::time::Duration;

    #[test]
    fn an_entry_of_each_phase_reads_back() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let blob = Blob { chunks: 3, bytes: 2_500_000, crc: 0xDEAD_BEEF };
        let spec = Content::Task(Box::new(Spec { width: 80, ..Spec::default() }));
        let report = Box::new(Report { width: Some(80), ..Report::new(Status::Ok) });
        let failure = Failure { status: Status::Damaged, message: "50% = broken".into() };
        for (content, phase) in [
            (spec.clone(), Phase::Queued),
            (spec, Phase::Processing { node: "host & co".into(), started: now }),
            (Content::Done { finished: now, report }, Phase::Done { attempt: 9, result: blob }),
            (Content::Failed { finished: now, failure }, Phase::Failed),
        ] {
            let owner = Owner::new(Some("web=shop"));
            let head = Head { owner, number: 7, submitted: now, source_bytes: 2_500_000, content };
            let entry = Entry { head, attempts: 2, source: blob, phase };
            assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
        }
    }

    #[test]
    fn a_later_version_is_told_from_damage() {
        assert_eq!(Entry::decode(b"version=2&x=y"), Err(BadEntry::Newer));
        assert_eq!(Entry::decode(b"version=1&attempts=0"), Err(BadEntry::Damaged));
        assert_eq!(Entry::decode(b"\xff"), Err(BadEntry::Damaged));
    }

    #[test]
    fn keys_of_two_owners_differ_and_hold_no_character_of_a_subject() {
        let id = TaskId::random().unwrap();
        let keys = [None, Some("a.b >"), Some("a.b *")].map(|name| key(&Owner::new(name), id));
        assert!(keys[0] != keys[1] && keys[1] != keys[2]);
        for key in keys {
            assert_eq!(id_of(&key), Some(id));
            assert!(key.chars().all(|c| c.is_ascii_hexdigit() || c == '-' || c == '.'), "{key}");
        }
    }
}
