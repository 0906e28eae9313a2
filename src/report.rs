//! `Report`: what a reply tells about its request, and its form-encoded text.

use crate::format::Format;
use crate::spec::{SpecError, decode_pairs, encode_pairs};
pub use crate::status::{Status, UnknownStatus};

/// What is known about a request when it is answered. Absent where it is not known.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How it ended.
    pub status: Status,
    /// The caller's id, as given.
    pub id: Option<String>,
    /// Width of the result in pixels.
    pub width: Option<u32>,
    /// Height of the result in pixels.
    pub height: Option<u32>,
    /// Format of the result.
    pub format: Option<Format>,
    /// Quality it was encoded with, 1 to 100.
    pub quality: Option<u8>,
    /// Width of the upright source in pixels.
    pub source_width: Option<u32>,
    /// Height of the upright source in pixels.
    pub source_height: Option<u32>,
    /// Format of the source.
    pub source_format: Option<Format>,
    /// Length of the source in bytes.
    pub source_bytes: Option<u64>,
    /// Microseconds waited for a worker.
    pub queue_us: Option<u64>,
    /// Microseconds spent decoding.
    pub decode_us: Option<u64>,
    /// Microseconds spent on resizing, colour and operations.
    pub resize_us: Option<u64>,
    /// Microseconds spent encoding.
    pub encode_us: Option<u64>,
    /// Encodes it took to meet `max_bytes` or `target`.
    pub tries: Option<u32>,
    /// Measured SSIMULACRA2 score.
    pub score: Option<f64>,
    /// Milliseconds after which trying again may help.
    pub retry_after_ms: Option<u64>,
    /// Words for what was lost or changed.
    pub warnings: Vec<String>,
}

impl Report {
    /// A report that says nothing but how it ended.
    pub fn new(status: Status) -> Report {
        Report {
            status,
            id: None,
            width: None,
            height: None,
            format: None,
            quality: None,
            source_width: None,
            source_height: None,
            source_format: None,
            source_bytes: None,
            queue_us: None,
            decode_us: None,
            resize_us: None,
            encode_us: None,
            tries: None,
            score: None,
            retry_after_ms: None,
            warnings: Vec::new(),
        }
    }

    /// Form-encoded, `status` first, then what is known.
    pub fn encode(&self) -> String {
        fn text(value: Option<impl ToString>) -> Option<String> {
            value.map(|value| value.to_string())
        }
        let pairs = [
            ("status", Some(self.status.word().to_owned())),
            ("id", self.id.clone()),
            ("width", text(self.width)),
            ("height", text(self.height)),
            ("format", text(self.format)),
            ("quality", text(self.quality)),
            ("source_width", text(self.source_width)),
            ("source_height", text(self.source_height)),
            ("source_format", text(self.source_format)),
            ("source_bytes", text(self.source_bytes)),
            ("queue_us", text(self.queue_us)),
            ("decode_us", text(self.decode_us)),
            ("resize_us", text(self.resize_us)),
            ("encode_us", text(self.encode_us)),
            ("tries", text(self.tries)),
            ("score", self.score.map(|score| format!("{score:.2}"))),
            ("retry_after_ms", text(self.retry_after_ms)),
            ("warnings", (!self.warnings.is_empty()).then(|| self.warnings.join(","))),
        ];
        encode_pairs(pairs.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))))
    }

    /// The same as a JSON object, with numbers as numbers and the warnings as a list.
    pub fn to_json(&self) -> serde_json::Value {
        let mut report = serde_json::json!({
            "status": self.status.word(),
            "id": self.id,
            "width": self.width,
            "height": self.height,
            "format": self.format.map(|format| format.name()),
            "quality": self.quality,
            "source_width": self.source_width,
            "source_height": self.source_height,
            "source_format": self.source_format.map(|format| format.name()),
            "source_bytes": self.source_bytes,
            "queue_us": self.queue_us,
            "decode_us": self.decode_us,
            "resize_us": self.resize_us,
            "encode_us": self.encode_us,
            "tries": self.tries,
            "score": self.score,
            "retry_after_ms": self.retry_after_ms,
            "warnings": self.warnings,
        });
        if let Some(fields) = report.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        report
    }

    /// Reads what [`Report::encode`] wrote. Keys of a newer server are passed over, and a value that
    /// does not read counts as unknown.
    ///
    /// # Errors
    /// [`ReportError`] when it is not form-encoded or has no known status.
    pub fn decode(encoded: &[u8]) -> Result<Report, ReportError> {
        let pairs = decode_pairs(encoded)?;
        let status = pairs.iter().find(|(key, _)| key == "status").and_then(|(_, word)| word.parse().ok());
        let mut report = Report::new(status.ok_or(ReportError::NoStatus)?);
        for (key, value) in pairs {
            match key.as_str() {
                "id" => report.id = Some(value),
                "width" => report.width = value.parse().ok(),
                "height" => report.height = value.parse().ok(),
                "format" => report.format = Format::from_name(&value),
                "quality" => report.quality = value.parse().ok(),
                "source_width" => report.source_width = value.parse().ok(),
                "source_height" => report.source_height = value.parse().ok(),
                "source_format" => report.source_format = Format::from_name(&value),
                "source_bytes" => report.source_bytes = value.parse().ok(),
                "queue_us" => report.queue_us = value.parse().ok(),
                "decode_us" => report.decode_us = value.parse().ok(),
                "resize_us" => report.resize_us = value.parse().ok(),
                "encode_us" => report.encode_us = value.parse().ok(),
                "tries" => report.tries = value.parse().ok(),
                "score" => report.score = value.parse().ok(),
                "retry_after_ms" => report.retry_after_ms = value.parse().ok(),
                "warnings" => report.warnings = value.split(',').map(str::to_owned).collect(),
                _ => {}
            }
        }
        Ok(report)
    }
}

/// Why a report cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Not form-encoded text.
    #[error("the report is not form-encoded: {0}")]
    Encoding(#[from] SpecError),
    /// The status is absent or unknown.
    #[error("the report has no known status")]
    NoStatus,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_report_reads_back_as_itself() {
        let report = Report {
            id: Some("a&b=c".into()),
            width: Some(800),
            height: Some(600),
            format: Some(Format::Jpeg),
            quality: Some(85),
            source_width: Some(3000),
            source_height: Some(2000),
            source_format: Some(Format::Png),
            source_bytes: Some(123_456),
            queue_us: Some(1),
            decode_us: Some(2),
            resize_us: Some(3),
            encode_us: Some(4),
            tries: Some(5),
            score: Some(77.25),
            retry_after_ms: Some(250),
            warnings: vec!["upscaled".into(), "profile_dropped".into()],
            ..Report::new(Status::Ok)
        };
        assert_eq!(Report::decode(report.encode().as_bytes()), Ok(report));
    }

    #[test]
    fn a_bare_report_is_its_status_alone() {
        assert_eq!(Report::new(Status::Busy).encode(), "status=busy");
    }

    #[test]
    fn newer_keys_are_passed_over_and_a_missing_status_is_an_error() {
        assert_eq!(Report::decode(b"status=ok&colour=blue"), Ok(Report::new(Status::Ok)));
        assert_eq!(Report::decode(b"width=3"), Err(ReportError::NoStatus));
    }
}
