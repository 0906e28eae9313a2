//! `Metrics`: what the server counts, as atomics, and their text in Prometheus' exposition format 0.0.4.

mod tasks;

pub(crate) use tasks::TaskMetrics;

use crate::reject_reason::RejectReason;
use crate::status::Status;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The way a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// The binary TCP protocol.
    Tcp,
    /// HTTP.
    Http,
    /// WebSocket.
    WebSocket,
    /// XML-RPC.
    XmlRpc,
}

impl Protocol {
    /// Every door, in order of declaration.
    pub const ALL: [Protocol; 4] = [Protocol::Tcp, Protocol::Http, Protocol::WebSocket, Protocol::XmlRpc];

    /// The word for metrics and log.
    pub fn word(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Http => "http",
            Protocol::WebSocket => "ws",
            Protocol::XmlRpc => "xmlrpc",
        }
    }
}

/// A part of a request's time on its way through the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Waiting for a worker.
    Queue,
    /// Decoding.
    Decode,
    /// Resizing, colour and operations.
    Resize,
    /// Encoding.
    Encode,
}

const STAGES: [(Stage, &str); 4] = [
    (Stage::Queue, "queue"),
    (Stage::Decode, "decode"),
    (Stage::Resize, "resize"),
    (Stage::Encode, "encode"),
];

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// What it has come to.
    pub fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number of things that are there now.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Counts one thing for as long as the guard lives.
    pub fn hold(&self) -> Held<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Held(self)
    }

    /// Says how many there are, where they are counted elsewhere.
    pub fn set(&self, now: u64) {
        self.0.store(now, Ordering::Relaxed);
    }

    /// How many there are.
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One thing that a [`Gauge`] counts.
#[derive(Debug)]
pub struct Held<'a>(&'a Gauge);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Upper bounds of the buckets, in microseconds.
const BOUNDS: [u64; 13] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000,
];

/// How often something took how long.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    /// One for each bound, and one for what is beyond all.
    buckets: [Counter; BOUNDS.len() + 1],
    sum_us: Counter,
}

impl Histogram {
    /// Notes one duration.
    pub(crate) fn observe(&self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[bucket].increment();
        self.sum_us.add(us);
    }
}

/// What is so only at the moment of asking; the engine knows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EngineGauges {
    /// Jobs that wait for a worker.
    pub queue_depth: usize,
    /// Jobs on a worker.
    pub workers_busy: usize,
    /// Bytes reserved from the memory budget.
    pub memory_reserved: u64,
}

/// Everything that is counted. One for a process.
#[derive(Debug, Default)]
pub struct Metrics {
    requests: [[Counter; Status::ALL.len()]; Protocol::ALL.len()],
    request_time: [Histogram; Protocol::ALL.len()],
    stage_time: [Histogram; STAGES.len()],
    rejected: [Counter; RejectReason::ALL.len()],
    /// Requests in hand, from header to reply.
    pub in_progress: Gauge,
    /// Open connections.
    pub connections: Gauge,
    /// Bytes of images received.
    pub bytes_in: Counter,
    /// Bytes of results sent.
    pub bytes_out: Counter,
    /// Source pixels processed.
    pub pixels: Counter,
    /// Panics that were contained.
    pub panics: Counter,
    /// Tasks that outlive their request.
    pub tasks: TaskMetrics,
}

impl Metrics {
    /// Notes an answered request.
    pub fn answered(&self, via: Protocol, status: Status, time: Duration) {
        self.requests[via as usize][status as usize].increment();
        self.request_time[via as usize].observe(time);
    }

    /// Notes the time of one stage.
    pub fn staged(&self, stage: Stage, time: Duration) {
        self.stage_time[stage as usize].observe(time);
    }

    /// Notes a refusal.
    pub fn rejected(&self, reason: RejectReason) {
        self.rejected[reason.index()].increment();
    }

    /// How many refusals had this reason.
    pub fn rejections(&self, reason: RejectReason) -> u64 {
        self.rejected[reason.index()].total()
    }

    /// The exposition.
    pub fn render(&self, moment: EngineGauges) -> String {
        let mut text = String::with_capacity(16 << 10);
        let written = self.write(&mut text, moment);
        debug_assert!(written.is_ok(), "a string takes everything");
        text
    }

    fn write(&self, out: &mut String, moment: EngineGauges) -> fmt::Result {
        head(out, "imgsrv_requests_total", "counter", "Requests answered.")?;
        for via in Protocol::ALL {
            for status in Status::ALL {
                let total = self.requests[via as usize][status as usize].total();
                let (via, status) = (via.word(), status.word());
                writeln!(out, "imgsrv_requests_total{{door=\"{via}\",status=\"{status}\"}} {total}")?;
            }
        }
        let name = "imgsrv_request_duration_seconds";
        head(out, name, "histogram", "From the last byte of a request to the first of its reply.")?;
        for via in Protocol::ALL {
            histogram(out, name, "door", via.word(), &self.request_time[via as usize])?;
        }
        let name = "imgsrv_stage_duration_seconds";
        head(out, name, "histogram", "Time of each stage of a job.")?;
        for (stage, word) in STAGES {
            histogram(out, name, "stage", word, &self.stage_time[stage as usize])?;
        }
        head(out, "imgsrv_rejected_total", "counter", "Requests and connections turned down.")?;
        for reason in RejectReason::ALL {
            let (word, total) = (reason.word(), self.rejections(reason));
            writeln!(out, "imgsrv_rejected_total{{reason=\"{word}\"}} {total}")?;
        }
        for (name, help, total) in [
            ("imgsrv_bytes_in_total", "Bytes of images received.", &self.bytes_in),
            ("imgsrv_bytes_out_total", "Bytes of results sent.", &self.bytes_out),
            ("imgsrv_pixels_total", "Source pixels processed.", &self.pixels),
            ("imgsrv_panics_total", "Panics contained.", &self.panics),
        ] {
            head(out, name, "counter", help)?;
            writeln!(out, "{name} {}", total.total())?;
        }
        let process = Process::read();
        for (name, help, now) in [
            ("imgsrv_requests_in_progress", "Requests in hand.", self.in_progress.now()),
            ("imgsrv_connections", "Open connections.", self.connections.now()),
            ("imgsrv_queue_depth", "Jobs that wait for a worker.", moment.queue_depth as u64),
            ("imgsrv_workers_busy", "Jobs on a worker.", moment.workers_busy as u64),
            ("imgsrv_memory_reserved_bytes", "Memory reserved for requests.", moment.memory_reserved),
            ("process_resident_memory_bytes", "Resident memory.", process.resident),
            ("process_threads", "Threads.", process.threads),
            ("process_open_fds", "Open descriptors.", process.descriptors),
        ] {
            head(out, name, "gauge", help)?;
            writeln!(out, "{name} {now}")?;
        }
        self.tasks.write(out)
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn histogram(out: &mut String, name: &str, label: &str, value: &str, times: &Histogram) -> fmt::Result {
    let mut below = 0;
    for (bucket, bound) in times.buckets.iter().zip(BOUNDS) {
        below += bucket.total();
        let bound = bound as f64 / 1e6;
        writeln!(out, "{name}_bucket{{{label}=\"{value}\",le=\"{bound}\"}} {below}")?;
    }
    below += times.buckets[BOUNDS.len()].total();
    writeln!(out, "{name}_bucket{{{label}=\"{value}\",le=\"+Inf\"}} {below}")?;
    writeln!(out, "{name}_sum{{{label}=\"{value}\"}} {}", times.sum_us.total() as f64 / 1e6)?;
    writeln!(out, "{name}_count{{{label}=\"{value}\"}} {below}")
}

/// What the kernel says about this process; zeros where it says nothing.
#[derive(Debug, Default)]
struct Process {
    resident: u64,
    threads: u64,
    descriptors: u64,
}

impl Process {
    fn read() -> Process {
        let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return Process::default() };
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        Process {
            resident: field("VmRSS:").unwrap_or_default() * 1024,
            threads: field("Threads:").unwrap_or_default(),
            descriptors: std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_shown_under_the_documented_names() {
        let metrics = Metrics::default();
        metrics.answered(Protocol::Tcp, Status::Ok, Duration::from_millis(30));
        metrics.answered(Protocol::Tcp, Status::Ok, Duration::from_secs(100));
        metrics.rejected(RejectReason::Bomb);
        metrics.staged(Stage::Decode, Duration::from_micros(500));
        metrics.bytes_in.add(7);
        let _held = metrics.connections.hold();
        drop(metrics.in_progress.hold());
        let text = metrics.render(EngineGauges { queue_depth: 3, workers_busy: 2, memory_reserved: 99 });
        for line in [
            "imgsrv_requests_total{door=\"tcp\",status=\"ok\"} 2",
            "imgsrv_request_duration_seconds_bucket{door=\"tcp\",le=\"0.025\"} 0",
            "imgsrv_request_duration_seconds_bucket{door=\"tcp\",le=\"0.05\"} 1",
            "imgsrv_request_duration_seconds_bucket{door=\"tcp\",le=\"+Inf\"} 2",
            "imgsrv_request_duration_seconds_sum{door=\"tcp\"} 100.03",
            "imgsrv_stage_duration_seconds_count{stage=\"decode\"} 1",
            "imgsrv_rejected_total{reason=\"bomb\"} 1",
            "imgsrv_rejected_total{reason=\"corrupt\"} 0",
            "imgsrv_bytes_in_total 7",
            "imgsrv_connections 1",
            "imgsrv_requests_in_progress 0",
            "imgsrv_queue_depth 3",
            "imgsrv_memory_reserved_bytes 99",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn every_sample_belongs_to_the_family_announced_before_it() {
        let text = Metrics::default().render(EngineGauges::default());
        let mut family = "";
        for line in text.lines() {
            match line.strip_prefix("# ") {
                Some(comment) => family = comment.split(' ').nth(1).unwrap(),
                None => {
                    assert!(line.starts_with(family), "{line} under {family}");
                    assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
                }
            }
        }
    }
}
