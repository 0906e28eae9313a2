//! `Metrics`: the server's counters, as atomics, and their text in Prometheus' exposition format 0.0.4.

mod tasks;

pub(crate) use tasks::TaskMetrics;

use crate::build_info::{BUILD_INFO, BuildInfo};
use crate::reject_reason::RejectReason;
use crate::status::Status;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// The protocol of a request.
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
    /// All protocols, in order of declaration.
    pub const ALL: [Protocol; 4] = [Protocol::Tcp, Protocol::Http, Protocol::WebSocket, Protocol::XmlRpc];

    /// Word for metrics and log.
    pub fn word(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Http => "http",
            Protocol::WebSocket => "ws",
            Protocol::XmlRpc => "xmlrpc",
        }
    }
}

/// A stage of a job in the engine.
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

    /// The sum so far.
    pub fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that rises and falls.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Counts one more for as long as the guard lives.
    pub fn hold(&self) -> Held<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Held(self)
    }

    /// Sets the number, where it is counted elsewhere.
    pub fn set(&self, now: u64) {
        self.0.store(now, Ordering::Relaxed);
    }

    /// The current number.
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One of those that a [`Gauge`] counts.
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

/// Counts durations by bucket.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    /// One for each bound, and one beyond all.
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

/// The load of the engine at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EngineGauges {
    /// Jobs waiting for a worker.
    pub queue_depth: usize,
    /// Jobs on a worker.
    pub workers_busy: usize,
    /// Bytes reserved from the memory budget.
    pub memory_reserved: u64,
}

/// All counters. One for a process.
#[derive(Debug, Default)]
pub struct Metrics {
    requests: [[Counter; Status::ALL.len()]; Protocol::ALL.len()],
    request_time: [Histogram; Protocol::ALL.len()],
    stage_time: [Histogram; STAGES.len()],
    rejected: [Counter; RejectReason::ALL.len()],
    /// Requests in flight, from header to reply.
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
    started: Started,
    /// Tasks that outlive their request.
    pub tasks: TaskMetrics,
}

impl Metrics {
    /// Notes an answered request.
    pub fn answered(&self, protocol: Protocol, status: Status, time: Duration) {
        self.requests[protocol as usize][status as usize].increment();
        self.request_time[protocol as usize].observe(time);
    }

    /// Notes the time of one stage.
    pub fn staged(&self, stage: Stage, time: Duration) {
        self.stage_time[stage as usize].observe(time);
    }

    /// Notes a refusal.
    pub fn rejected(&self, reason: RejectReason) {
        self.rejected[reason.index()].increment();
    }

    /// Number of refusals for this reason.
    pub fn rejections(&self, reason: RejectReason) -> u64 {
        self.rejected[reason.index()].total()
    }

    /// Writes the exposition.
    pub fn render(&self, gauges: EngineGauges) -> String {
        let mut text = String::with_capacity(16 << 10);
        let written = self.write(&mut text, gauges);
        debug_assert!(written.is_ok(), "a string takes everything");
        text
    }

    fn write(&self, out: &mut String, gauges: EngineGauges) -> fmt::Result {
        head(out, "imgsrv_requests_total", "counter", "Requests answered.")?;
        for protocol in Protocol::ALL {
            for status in Status::ALL {
                let total = self.requests[protocol as usize][status as usize].total();
                let (protocol, status) = (protocol.word(), status.word());
                writeln!(
                    out,
                    "imgsrv_requests_total{{protocol=\"{protocol}\",status=\"{status}\"}} {total}"
                )?;
            }
        }
        let name = "imgsrv_request_duration_seconds";
        head(out, name, "histogram", "From the last byte of a request to the first of its reply.")?;
        for protocol in Protocol::ALL {
            histogram(out, name, "protocol", protocol.word(), &self.request_time[protocol as usize])?;
        }
        let name = "imgsrv_stage_duration_seconds";
        head(out, name, "histogram", "Time of each stage of a job.")?;
        for (stage, word) in STAGES {
            histogram(out, name, "stage", word, &self.stage_time[stage as usize])?;
        }
        head(out, "imgsrv_rejected_total", "counter", "Requests and connections rejected.")?;
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
        let name = "imgsrv_build_info";
        head(out, name, "gauge", "Version, commit, target and cargo features of this build; always 1.")?;
        let BuildInfo { version, commit, target } = BUILD_INFO;
        let features = BUILD_INFO.features().collect::<Vec<_>>().join(",");
        writeln!(
            out,
            "{name}{{version=\"{version}\",commit=\"{commit}\",target=\"{target}\",features=\"{features}\"}} 1"
        )?;
        let name = "process_start_time_seconds";
        head(out, name, "gauge", "Start time of the process since the Unix epoch.")?;
        writeln!(out, "{name} {:.2}", self.started.0)?;
        let name = "process_cpu_seconds_total";
        head(out, name, "counter", "CPU time of all threads, in user and kernel mode.")?;
        writeln!(out, "{name} {:.2}", cpu_seconds())?;
        let process = Process::read();
        for (name, help, now) in [
            ("imgsrv_requests_in_progress", "Requests in flight.", self.in_progress.now()),
            ("imgsrv_connections", "Open connections.", self.connections.now()),
            ("imgsrv_queue_depth", "Jobs waiting for a worker.", gauges.queue_depth as u64),
            ("imgsrv_workers_busy", "Jobs on a worker.", gauges.workers_busy as u64),
            ("imgsrv_memory_reserved_bytes", "Memory reserved for requests.", gauges.memory_reserved),
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

/// Time at which counting began, in seconds since the Unix epoch.
#[derive(Debug)]
struct Started(f64);

impl Default for Started {
    fn default() -> Started {
        Started(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64())
    }
}

/// CPU seconds that this process has used.
#[cfg(unix)]
fn cpu_seconds() -> f64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

/// Elsewhere it is not measured.
#[cfg(not(unix))]
fn cpu_seconds() -> f64 {
    0.0
}

/// Figures of the kernel about this process; zeros where there are none.
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
    fn counters_are_shown_under_the_documented_names() {
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
            "imgsrv_requests_total{protocol=\"tcp\",status=\"ok\"} 2",
            "imgsrv_request_duration_seconds_bucket{protocol=\"tcp\",le=\"0.025\"} 0",
            "imgsrv_request_duration_seconds_bucket{protocol=\"tcp\",le=\"0.05\"} 1",
            "imgsrv_request_duration_seconds_bucket{protocol=\"tcp\",le=\"+Inf\"} 2",
            "imgsrv_request_duration_seconds_sum{protocol=\"tcp\"} 100.03",
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
    fn the_process_is_described_with_its_build_start_and_cpu_time() {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        let metrics = Metrics::default();
        let text = metrics.render(EngineGauges::default());
        let value = |name: &str| {
            let sample = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
            sample.parse::<f64>().unwrap()
        };
        assert!((value("process_start_time_seconds") - now).abs() < 60.0, "{text}");
        let before = value("process_cpu_seconds_total");
        let grows = (0..10_000_000).any(|_| cpu_seconds() > before + 0.01);
        assert_eq!(grows, cfg!(unix), "CPU time stays at {before}");
        let build = format!("imgsrv_build_info{{version=\"{}\",commit=", env!("CARGO_PKG_VERSION"));
        assert!(text.contains(&build), "{text}");
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
