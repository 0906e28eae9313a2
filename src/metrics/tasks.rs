//! `TaskMetrics`: counters of tasks that outlive their request.

use crate::metrics::{Counter, Gauge, head};
use crate::status::Status;
use std::fmt::{self, Write};
use std::sync::{Mutex, PoisonError};

const STATES: [&str; 4] = ["queued", "processing", "done", "failed"];

/// Name, type and help of the facts of a cluster.
const CLUSTER: [(&str, &str, &str); 4] = [
    ("imgsrv_nats_up", "gauge", "1 while NATS is connected."),
    ("imgsrv_nats_reconnects_total", "counter", "Connections to NATS after the first."),
    ("imgsrv_task_redeliveries_total", "counter", "Tasks taken that another worker had begun."),
    ("imgsrv_task_overtaken_total", "counter", "Writes of tasks that came after another server's."),
];

/// Tasks by state and outcome.
#[derive(Debug, Default)]
pub struct TaskMetrics {
    /// Tasks in the store: queued, processing, done, failed.
    pub states: [Gauge; STATES.len()],
    /// Bytes of images and results in the store.
    pub bytes: Gauge,
    /// Files that failed their check since the start.
    pub quarantined: Gauge,
    /// Time that the longest waiting task has waited, in seconds.
    pub oldest_seconds: Gauge,
    cluster: Mutex<Option<[u64; CLUSTER.len()]>>,
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

    /// Publishes the facts of a cluster: up, reconnects, redelivered, overtaken; `None` without one.
    pub fn set_cluster(&self, facts: Option<[u64; 4]>) {
        *self.cluster.lock().unwrap_or_else(PoisonError::into_inner) = facts;
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
            (
                "imgsrv_tasks_oldest_seconds",
                "gauge",
                "Time that the longest waiting task has waited.",
                self.oldest_seconds.now(),
            ),
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
        // Shown as zero without a cluster, so that rules and dashboards find each name.
        let cluster = self.cluster.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or_default();
        for ((name, kind, help), value) in CLUSTER.into_iter().zip(cluster) {
            head(out, name, kind, help)?;
            writeln!(out, "{name} {value}")?;
        }
        Ok(())
    }
}
