//! How a request's end is told, whichever door it came through: counted in the metrics, and logged in one
//! line. A flood of refusals is counted in full and logged in part.

use crate::metrics::{Metrics, Protocol};
use crate::reject_reason::RejectReason;
use crate::report::Report;
use crate::status::Status;
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, atomic::AtomicU32};
use std::time::{Duration, Instant};

/// Most lines a second for one reason of refusal.
const LINES_A_SECOND: u32 = 10;

/// What is told about one request.
#[derive(Debug)]
pub struct Line<'a> {
    /// The door it came through.
    pub via: Protocol,
    /// Who asked.
    pub peer: SocketAddr,
    /// The request's id: the caller's, or ours.
    pub id: &'a str,
    /// Name of the token it came with.
    pub token: Option<&'a str>,
    /// What is known about it.
    pub report: &'a Report,
    /// Length of the result.
    pub bytes_out: usize,
    /// From the last byte of the request to the first of the reply.
    pub total: Duration,
    /// Why it failed, and the message for a person.
    pub failure: Option<(RejectReason, &'a str)>,
}

/// Counts and logs a finished request.
pub fn record(metrics: &Metrics, line: &Line) {
    let Line { via, peer, id, token, report, bytes_out, total, failure } = *line;
    let status = report.status;
    metrics.answered(via, status, total);
    metrics.bytes_out.add(bytes_out as u64);
    let mut left_out = 0;
    if let Some((reason, _)) = failure {
        metrics.rejected(reason);
        match permit(reason) {
            Some(n) => left_out = n,
            None => return,
        }
    }
    let level = match status {
        Status::Ok => log::Level::Info,
        Status::Internal => log::Level::Error,
        _ => log::Level::Warn,
    };
    let ms = |us: Option<u64>| us.map(|us| us as f64 / 1e3);
    let ratio = report.source_bytes.filter(|_| bytes_out > 0).map(|bytes| bytes as f64 / bytes_out as f64);
    log::log!(
        target: "imgsrv::request", level,
        id = id, door = via.word(), peer:% = peer, token = token.unwrap_or("-"), status = status.word(),
        reason = failure.map_or("-", |(reason, _)| reason.word()),
        source = picture(report.source_format, report.source_width, report.source_height).as_str(),
        bytes_in = report.source_bytes.unwrap_or_default(),
        result = picture(report.format, report.width, report.height).as_str(),
        bytes_out = bytes_out,
        ratio = number(ratio).as_str(),
        queue_ms = number(ms(report.queue_us)).as_str(), decode_ms = number(ms(report.decode_us)).as_str(),
        resize_ms = number(ms(report.resize_us)).as_str(), encode_ms = number(ms(report.encode_us)).as_str(),
        total_ms = number(Some(total.as_secs_f64() * 1e3)).as_str(),
        warnings = report.warnings.join(",").as_str(),
        left_out = left_out;
        "{}", failure.map_or("request", |(_, message)| message)
    );
}

/// Counts and logs a connection that was turned away or cut off.
pub fn refused(metrics: &Metrics, peer: SocketAddr, reason: RejectReason, message: impl Display) {
    metrics.rejected(reason);
    if let Some(left_out) = permit(reason) {
        log::warn!(peer:% = peer, reason = reason.word(), left_out = left_out; "connection closed: {message}");
    }
}

/// Whether a line for this reason may be written now: how many were left out before it.
fn permit(reason: RejectReason) -> Option<u32> {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    static THROTTLES: [Throttle; RejectReason::ALL.len()] =
        [const { Throttle::new() }; RejectReason::ALL.len()];
    THROTTLES[reason.index()].permit(START.elapsed().as_secs())
}

/// Lets some lines through each second.
#[derive(Debug)]
struct Throttle {
    /// The second in the upper half, the lines written in it in the lower.
    written: AtomicU64,
    left_out: AtomicU32,
}

impl Throttle {
    const fn new() -> Throttle {
        Throttle { written: AtomicU64::new(0), left_out: AtomicU32::new(0) }
    }

    fn permit(&self, second: u64) -> Option<u32> {
        let count = |written: u64| {
            let lines = if written >> 32 == second { written & u64::from(u32::MAX) } else { 0 };
            (lines < u64::from(LINES_A_SECOND)).then_some(second << 32 | (lines + 1))
        };
        match self.written.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count) {
            Ok(_) => Some(self.left_out.swap(0, Ordering::Relaxed)),
            Err(_) => {
                self.left_out.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}

fn picture(format: Option<impl Display>, width: Option<u32>, height: Option<u32>) -> String {
    match (format, width, height) {
        (Some(format), Some(width), Some(height)) => format!("{format}:{width}x{height}"),
        _ => "-".to_owned(),
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_lines_a_second_pass_and_the_next_one_tells_how_many_did_not() {
        let throttle = Throttle::new();
        let passed = (0..1000).filter(|_| throttle.permit(5).is_some()).count();
        assert_eq!(passed, 10);
        assert_eq!(throttle.permit(6), Some(990));
        assert_eq!(throttle.permit(6), Some(0));
    }
}
