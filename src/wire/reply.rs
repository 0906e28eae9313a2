//! A reply: the bare length and bytes of the plain form, or report and payload of the extended one.

use super::{FramePart, WireError, read_body, read_exactly};
use crate::report::Report;
use crate::status::Status;
use byteorder::{BigEndian, ByteOrder, WriteBytesExt};
use std::io::{self, IoSlice, Read, Write};

const FAILED: u32 = 1 << 31;

/// Longest report that a client reads, in bytes.
const MAX_REPORT_LEN: u32 = 64 << 10;

/// An extended reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Outcome and facts.
    pub report: Report,
    /// The image, or a message for a person when the status is not ok.
    pub payload: Vec<u8>,
}

/// Answers a plain request.
///
/// # Errors
/// [`WireError::TooLong`] when the image does not fit the length field; [`WireError::Io`].
pub fn write_plain(writer: &mut impl Write, image: &[u8]) -> Result<(), WireError> {
    write_all(writer, &payload_len(image)?.to_be_bytes(), image)
}

/// Answers a plain request that failed: size 0. The caller must close the connection after it.
///
/// # Errors
/// [`WireError::Io`].
pub fn write_plain_failure(writer: &mut impl Write) -> Result<(), WireError> {
    write_plain(writer, &[])
}

/// Answers an extended request with an image.
///
/// # Errors
/// As [`write_plain`].
pub fn write_extended(writer: &mut impl Write, report: &Report, image: &[u8]) -> Result<(), WireError> {
    write_all(writer, &extended_head(payload_len(image)?, report)?, image)
}

/// Answers an extended request that failed with a message for a person.
///
/// # Errors
/// As [`write_plain`].
pub fn write_failure(writer: &mut impl Write, report: &Report, message: &str) -> Result<(), WireError> {
    let len = payload_len(message.as_bytes())?;
    write_all(writer, &extended_head(len | FAILED, report)?, message.as_bytes())
}

/// Reads the reply to a plain request; `None` is the server's refusal. Replies over `max` bytes are refused.
///
/// # Errors
/// [`WireError`].
pub fn read_plain(reader: &mut impl Read, max: u32) -> Result<Option<Vec<u8>>, WireError> {
    let mut raw = [0; 4];
    read_exactly(reader, &mut raw, FramePart::ReplyLength)?;
    match BigEndian::read_u32(&raw) {
        0 => Ok(None),
        len => read_payload(reader, len, max).map(Some),
    }
}

/// Reads the reply to an extended request. Payloads over `max` bytes are refused.
///
/// # Errors
/// [`WireError`].
pub fn read_extended(reader: &mut impl Read, max: u32) -> Result<Reply, WireError> {
    let mut raw = [0; 8];
    read_exactly(reader, &mut raw, FramePart::ReplyHeader)?;
    let mut fields = [0; 2];
    BigEndian::read_u32_into(&raw, &mut fields);
    let [size, report_len] = fields;
    if report_len > MAX_REPORT_LEN {
        return Err(too_long(FramePart::Report, report_len, MAX_REPORT_LEN));
    }
    let mut report = vec![0; report_len as usize];
    read_exactly(reader, &mut report, FramePart::Report)?;
    let mut report = Report::decode(&report)?;
    if size & FAILED != 0 && report.status == Status::Ok {
        report.status = Status::Internal; // a message must not be taken for an image
    }
    Ok(Reply { report, payload: read_payload(reader, size & !FAILED, max)? })
}

fn read_payload(reader: &mut impl Read, len: u32, max: u32) -> Result<Vec<u8>, WireError> {
    if len > max {
        return Err(too_long(FramePart::Reply, len, max));
    }
    read_body(reader, len, FramePart::Reply)
}

fn too_long(part: FramePart, len: u32, max: u32) -> WireError {
    WireError::TooLong { part, len: len.into(), max: max.into() }
}

fn payload_len(payload: &[u8]) -> Result<u32, WireError> {
    let len = u32::try_from(payload.len()).ok().filter(|len| len & FAILED == 0);
    len.ok_or_else(|| too_long(FramePart::Reply, u32::MAX, FAILED - 1))
}

fn extended_head(size: u32, report: &Report) -> Result<Vec<u8>, WireError> {
    let report = report.encode();
    let mut head = Vec::with_capacity(8 + report.len());
    head.write_u32::<BigEndian>(size)?;
    head.write_u32::<BigEndian>(payload_len(report.as_bytes())?)?;
    head.extend_from_slice(report.as_bytes());
    Ok(head)
}

/// Head and payload in one segment where the writer can.
fn write_all(writer: &mut impl Write, head: &[u8], payload: &[u8]) -> Result<(), WireError> {
    let mut parts = [IoSlice::new(head), IoSlice::new(payload)];
    let mut left = &mut parts[..];
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        match writer.write_vectored(left) {
            Ok(0) => return Err(WireError::Io(io::ErrorKind::WriteZero.into())),
            Ok(n) => IoSlice::advance_slices(&mut left, n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    writer.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_reply_is_length_and_image() {
        let mut sent = Vec::new();
        write_plain(&mut sent, b"\xff\xd8\xff").unwrap();
        assert_eq!(sent, b"\0\0\0\x03\xff\xd8\xff");
        assert_eq!(read_plain(&mut &sent[..], 100).unwrap().as_deref(), Some(&b"\xff\xd8\xff"[..]));
    }

    #[test]
    fn a_plain_failure_is_four_zero_bytes() {
        let mut sent = Vec::new();
        write_plain_failure(&mut sent).unwrap();
        assert_eq!(sent, [0; 4]);
        assert_eq!(read_plain(&mut &sent[..], 100).unwrap(), None);
    }

    #[test]
    fn an_extended_reply_has_these_bytes() {
        let mut sent = Vec::new();
        write_extended(&mut sent, &Report::new(Status::Ok), b"img").unwrap();
        assert_eq!(sent, b"\0\0\0\x03\0\0\0\x09status=okimg");
        let reply = read_extended(&mut &sent[..], 100).unwrap();
        assert_eq!(reply, Reply { report: Report::new(Status::Ok), payload: b"img".to_vec() });
    }

    #[test]
    fn a_failure_sets_bit_31_and_carries_a_message() {
        let mut sent = Vec::new();
        write_failure(&mut sent, &Report::new(Status::Damaged), "cut off").unwrap();
        assert_eq!(sent, b"\x80\0\0\x07\0\0\0\x0estatus=damagedcut off");
        assert_eq!(read_extended(&mut &sent[..], 100).unwrap().report.status, Status::Damaged);
    }

    #[test]
    fn a_reply_over_the_clients_limit_is_refused_before_memory_is_taken() {
        let sent = b"\x7f\xff\xff\xff";
        assert!(matches!(read_plain(&mut &sent[..], 1000), Err(WireError::TooLong { .. })));
        let sent = b"\0\0\0\x01\xff\xff\xff\xff";
        assert!(matches!(read_extended(&mut &sent[..], 1000), Err(WireError::TooLong { .. })));
    }

    #[test]
    fn a_reply_cut_anywhere_is_truncated() {
        let mut sent = Vec::new();
        write_extended(&mut sent, &Report::new(Status::Ok), b"img").unwrap();
        for cut in 0..sent.len() {
            let outcome = read_extended(&mut &sent[..cut], 100);
            assert!(matches!(outcome, Err(WireError::Truncated { .. })), "cut at {cut}");
        }
    }
}
