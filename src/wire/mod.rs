//! Bytes of the TCP protocol <-> headers, options, bodies and replies. See `docs/PROTOCOL.md`.
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
    Incoming, MAX_OPTIONS_LEN, append, gather_body, read_body, read_header, read_options, skip_body,
    write_request,
};

use crate::report::ReportError;
use std::io;

/// What can go wrong between two peers.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The connection failed, or timed out.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The peer left in the middle of something.
    #[error("the peer closed the connection after {got} of {want} bytes of the {part}")]
    Truncated {
        /// What it was sending.
        part: &'static str,
        /// Bytes that came.
        got: u64,
        /// Bytes that were promised.
        want: u64,
    },
    /// A length beyond what the protocol or the reader allows.
    #[error("the {part} is {len} bytes long, the limit is {max}")]
    TooLong {
        /// Which part.
        part: &'static str,
        /// The promised length.
        len: u64,
        /// The limit.
        max: u64,
    },
    /// A reply whose report cannot be read.
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// Fills `buffer`, or says how far it got.
fn read_exactly(reader: &mut impl io::Read, buffer: &mut [u8], part: &'static str) -> Result<(), WireError> {
    let got = read_until_full(reader, buffer)?;
    if got < buffer.len() {
        return Err(WireError::Truncated { part, got: got as u64, want: buffer.len() as u64 });
    }
    Ok(())
}

/// Reads until `buffer` is full or the peer has no more; how many bytes that was.
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
