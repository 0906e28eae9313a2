//! `TaskId`: 128 random bits by which a task is known, so that nobody finds one by guessing.

use std::fmt;
use std::str::FromStr;

/// The name of a task: 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(u128);

impl TaskId {
    /// A new one, from the system's random numbers.
    ///
    /// # Errors
    /// When the system has none.
    pub fn random() -> Result<TaskId, getrandom::Error> {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits)?;
        Ok(TaskId(u128::from_be_bytes(bits)))
    }

    /// The shard of the task among `shards`, from 0.
    #[cfg(feature = "nats")]
    pub(super) fn shard(self, shards: usize) -> usize {
        (self.0 % shards.max(1) as u128) as usize
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({self})")
    }
}

/// The text is no task's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a task's id is 32 hexadecimal digits")]
pub struct BadTaskId;

impl FromStr for TaskId {
    type Err = BadTaskId;

    /// Takes what `Display` writes and no other spelling, so that a task has one name.
    fn from_str(text: &str) -> Result<Self, BadTaskId> {
        let fine = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        u128::from_str_radix(text, 16).ok().filter(|_| fine).map(TaskId).ok_or(BadTaskId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_one_spelling() {
        let id = TaskId(0xab);
        assert_eq!(id.to_string(), "000000000000000000000000000000ab");
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "ab", "+00000000000000000000000000000ab", "000000000000000000000000000000AB", "../x"]
        {
            assert_eq!(bad.parse::<TaskId>(), Err(BadTaskId), "{bad}");
        }
    }

    #[test]
    fn no_two_ids_are_alike_and_every_bit_varies() {
        let ids: Vec<u128> = (0..200).map(|_| TaskId::random().unwrap().0).collect();
        assert_eq!(ids.iter().fold(0, |all, id| all | id), u128::MAX);
        assert_eq!(ids.iter().fold(u128::MAX, |all, id| all & id), 0);
        assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), ids.len());
    }
}
