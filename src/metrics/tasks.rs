//! `TaskMetrics`: counters of tasks that outlive their request.

use crate::metrics::{Counter, Gauge, head};
use crate::status::Status;
use std::fmt::{self, Write};

const STATES: [&str; 4] = ["queued", "processing", "done", "failed"];

/// Tasks by state and outcome.
#[derive(Debug, Default)]
pub struct TaskMetrics {
    /// Tasks in the store: queued, processing, done, failed.
    pub states: [Gauge; STATES.len()],
    /// Bytes of images and results in the store.
    pub bytes: Gauge,
    /// Files that failed their check since the start.
    pub quarantined: Gauge,
    /// Tasks accepted.
    pub accepted: Counter,
    /// Tasks cancelled by their owners.
    pub cancelled: Counter,
    finished: [Counter; Status::ALL.len()],
}

impl TaskMetrics {
    /// Notes the end of a task.
    pub fn finished(&self, status: Status) {
        self.finished[status as usize].increment();
    }

    pub(super) fn write(&self, out: &mut String) -> fmt::Result {
        head(out, "imgsrv_tasks", "gauge", "Tasks in the store.")?;
        for (state, now) in STATES.into_iter().zip(&self.states) {
            writeln!(out, "imgsrv_tasks{{state=\"{state}\"}} {}", now.now())?;
        }
        head(out, "imgsrv_tasks_finished_total", "counter", "Tasks finished, by status.")?;
        for status in Status::ALL {
            let total = self.finished[status as usize].total();
            writeln!(out, "imgsrv_tasks_finished_total{{status=\"{status}\"}} {total}")?;
        }
        for (name, kind, help, value) in [
            ("imgsrv_tasks_bytes", "gauge", "Bytes of stored images and results.", self.bytes.now()),
            ("imgsrv_tasks_accepted_total", "counter", "Tasks accepted.", self.accepted.total()),
            (
                "imgsrv_tasks_cancelled_total",
                "counter",
                "Tasks cancelled or deleted.",
                self.cancelled.total(),
            ),
            (
                "imgsrv_tasks_quarantined_total",
                "counter",
                "Damaged files set aside since the start.",
                self.quarantined.now(),
            ),
        ] {
            head(out, name, kind, help)?;
            writeln!(out, "{name} {value}")?;
        }
        Ok(())
    }
}
