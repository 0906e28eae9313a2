//! The frames of the TCP protocol: bytes <-> headers, options, bodies and replies. See `docs/PROTOCOL.md`.
//!
//! Works on any `Read` and `Write`; knows no threads, no deadlines and no pixels.

mod header;
mod reply;
mod request;

pub use header::{Form, HEADER_LEN, Header, MAX_BODY_LEN};
pub use reply::{
    Reply, read_extended, read_plain, write_extended, write_failure, write_plain, write_plain_failure,
};
pub use request::{
    Incoming, MAX_OPTIONS_LEN, read_body, read_header, read_options, skip_body, write_request,
};

use crate::report::ReportError;
use std::io;

/// A part of a request or reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FramePart {
    /// The header of a request.
    Header,
    /// The length of its options.
    OptionsLength,
    /// Its options.
    Options,
    /// Its image.
    Image,
    /// The length of a plain reply.
    ReplyLength,
    /// The header of an extended reply.
    ReplyHeader,
    /// Its report.
    Report,
    /// The payload of a reply.
    Reply,
}

impl FramePart {
    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            FramePart::Header => "header",
            FramePart::OptionsLength => "options length",
            FramePart::Options => "options",
            FramePart::Image => "image",
            FramePart::ReplyLength => "reply length",
            FramePart::ReplyHeader => "reply header",
            FramePart::Report => "report",
            FramePart::Reply => "reply",
        }
    }
}

/// An error between two peers.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The connection failed, or timed out.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The peer left within a part.
    #[error("the peer closed the connection after {got} of {want} bytes of the {}", part.name())]
    Truncated {
        /// The part that it was sending.
        part: FramePart,
        /// Bytes that arrived.
        got: u64,
        /// Bytes that were announced.
        want: u64,
    },
    /// A length beyond what the protocol or the reader allows.
    #[error("the {} is {len} bytes long, the limit is {max}", part.name())]
    TooLong {
        /// The part.
        part: FramePart,
        /// The announced length.
        len: u64,
        /// The limit.
        max: u64,
    },
    /// A reply whose report cannot be read.
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// Fills `buffer`.
fn read_exactly(reader: &mut impl io::Read, buffer: &mut [u8], part: FramePart) -> Result<(), WireError> {
    let got = read_until_full(reader, buffer)?;
    if got < buffer.len() {
        return Err(WireError::Truncated { part, got: got as u64, want: buffer.len() as u64 });
    }
    Ok(())
}

/// Reads until `buffer` is full or the stream ends. Returns the number of bytes.
fn read_until_full(reader: &mut impl io::Read, buffer: &mut [u8]) -> Result<usize, WireError> {
    let mut got = 0;
    while got < buffer.len() {
        match reader.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(got)
}
