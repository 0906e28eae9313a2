//! `AccessRecord`: counts a finished request and logs it in one line. A flood of refusals is counted in full and
//! logged in part.

use crate::metrics::{Metrics, Protocol};
use crate::net::PeerAddress;
use crate::reject_reason::RejectReason;
use crate::report::Report;
use crate::status::Status;
use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, atomic::AtomicU32};
use std::time::{Duration, Instant};

/// Most lines a second for one reject reason.
const LINES_A_SECOND: u32 = 10;

/// A finished request.
#[derive(Debug)]
pub struct AccessRecord<'a> {
    /// Protocol of the request.
    pub protocol: Protocol,
    /// Address of the caller.
    pub peer: PeerAddress,
    /// Id of the request: the caller's, or a generated one.
    pub id: &'a str,
    /// Name of the caller's token.
    pub token: Option<&'a str>,
    /// Facts of the reply.
    pub report: &'a Report,
    /// Length of the result.
    pub bytes_out: usize,
    /// From the last byte of the request to the first of the reply.
    pub total: Duration,
    /// Reason and message of a refusal or failure.
    pub error: Option<(RejectReason, &'a str)>,
    /// Method, path and status code of a request over HTTP.
    pub http: Option<HttpFacts<'a>>,
}

/// Facts of a request over HTTP.
#[derive(Debug, Clone, Copy)]
pub struct HttpFacts<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its path, without the query.
    pub path: &'a str,
    /// Status code of the answer.
    pub code: u16,
}

impl AccessRecord<'_> {
    /// Counts and logs the request.
    pub fn write(&self, metrics: &Metrics) {
        let AccessRecord { protocol, peer, id, token, report, bytes_out, total, error, http } = *self;
        let status = report.status;
        metrics.answered(protocol, status, total);
        metrics.bytes_out.add(bytes_out as u64);
        let mut left_out = None;
        if let Some((reason, _)) = error {
            metrics.rejected(reason);
            match permit(reason) {
                Some(n) => left_out = (n > 0).then_some(n),
                None => return,
            }
        }
        let level = match status {
            Status::Ok => log::Level::Info,
            Status::Internal => log::Level::Error,
            _ => log::Level::Warn,
        };
        let ms = |us: Option<u64>| us.map(|us| hundredths(us as f64 / 1e3));
        let ratio =
            report.source_bytes.filter(|_| bytes_out > 0).map(|bytes| bytes as f64 / bytes_out as f64);
        let source = picture(report.source_format, report.source_width, report.source_height);
        let result = picture(report.format, report.width, report.height);
        let warnings = Some(report.warnings.join(",")).filter(|warnings| !warnings.is_empty());
        log::log!(
            target: "imgsrv::request", level,
            id = id, protocol = protocol.word(), peer:% = peer, token = token,
            method = http.map(|http| http.method), path = http.map(|http| http.path), code = http.map(|http| http.code),
            status = status.word(),
            reason = error.map(|(reason, _)| reason.word()),
            source = source.as_deref(), bytes_in = report.source_bytes.unwrap_or_default(),
            result = result.as_deref(), bytes_out = bytes_out, ratio = ratio.map(hundredths),
            queue_ms = ms(report.queue_us), decode_ms = ms(report.decode_us),
            resize_ms = ms(report.resize_us), encode_ms = ms(report.encode_us),
            total_ms = hundredths(total.as_secs_f64() * 1e3),
            warnings = warnings.as_deref(), left_out = left_out;
            "{}", error.map_or("request", |(_, message)| message)
        );
    }
}

/// Counts and logs a connection that was rejected or cut outside a request.
pub(super) fn connection_closed(
    metrics: &Metrics,
    peer: PeerAddress,
    reason: RejectReason,
    message: impl Display,
) {
    metrics.rejected(reason);
    if let Some(left_out) = permit(reason) {
        let left_out = (left_out > 0).then_some(left_out);
        log::warn!(peer:% = peer, reason = reason.word(), left_out = left_out; "connection closed: {message}");
    }
}

/// Counts and logs a request whose client left before its result was ready.
pub(super) fn client_left(metrics: &Metrics, protocol: Protocol, peer: PeerAddress, id: &str) {
    metrics.rejected(RejectReason::Abandoned);
    if let Some(left_out) = permit(RejectReason::Abandoned) {
        let left_out = (left_out > 0).then_some(left_out);
        log::info!(
            target: "imgsrv::request", id = id, protocol = protocol.word(), peer:% = peer,
            reason = RejectReason::Abandoned.word(), left_out = left_out;
            "the client left before the result was ready"
        );
    }
}

/// Permits a line for this reason, if its share of the second is not used up. Returns the number of lines left out
/// before it.
fn permit(reason: RejectReason) -> Option<u32> {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    static THROTTLES: [Throttle; RejectReason::ALL.len()] =
        [const { Throttle::new() }; RejectReason::ALL.len()];
    THROTTLES[reason.index()].permit(START.elapsed().as_secs())
}

/// Limits lines to a number each second.
#[derive(Debug)]
struct Throttle {
    /// Upper half: the second. Lower half: the lines written in it.
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

fn picture(format: Option<impl Display>, width: Option<u32>, height: Option<u32>) -> Option<String> {
    Some(format!("{}:{}x{}", format?, width?, height?))
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_lines_a_second_pass_and_the_next_tells_how_many_were_left_out() {
        let throttle = Throttle::new();
        let passed = (0..1000).filter(|_| throttle.permit(5).is_some()).count();
        assert_eq!(passed, 10);
        assert_eq!(throttle.permit(6), Some(990));
        assert_eq!(throttle.permit(6), Some(0));
    }
}
