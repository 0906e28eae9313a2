//! The one line that is logged for each request, whichever door it came through.

use crate::report::Report;
use crate::status::Status;
use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

/// Logs a finished request. `detail` is the message of a failure; `bytes_out` the length of the result;
/// `total` the time from the last byte of the request to the first of the reply.
pub fn record(
    door: &str,
    peer: SocketAddr,
    id: &str,
    report: &Report,
    bytes_out: usize,
    total: Duration,
    detail: &str,
) {
    let status = report.status;
    let level = match status {
        Status::Ok => log::Level::Info,
        Status::Internal => log::Level::Error,
        _ => log::Level::Warn,
    };
    let ms = |us: Option<u64>| us.map(|us| us as f64 / 1e3);
    let ratio = report.source_bytes.filter(|_| bytes_out > 0).map(|bytes| bytes as f64 / bytes_out as f64);
    log::log!(
        target: "imgsrv::request", level,
        id = id, door = door, peer:% = peer, status = status.word(),
        source = picture(report.source_format, report.source_width, report.source_height).as_str(),
        bytes_in = report.source_bytes.unwrap_or_default(),
        result = picture(report.format, report.width, report.height).as_str(),
        bytes_out = bytes_out,
        ratio = number(ratio).as_str(),
        queue_ms = number(ms(report.queue_us)).as_str(), decode_ms = number(ms(report.decode_us)).as_str(),
        resize_ms = number(ms(report.resize_us)).as_str(), encode_ms = number(ms(report.encode_us)).as_str(),
        total_ms = number(Some(total.as_secs_f64() * 1e3)).as_str(),
        warnings = report.warnings.join(",").as_str();
        "{}", if detail.is_empty() { "request" } else { detail }
    );
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
