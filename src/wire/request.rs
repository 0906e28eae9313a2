//! A request, part by part: header, options, body. The reader may refuse it between the parts.

use super::{Form, FramePart, HEADER_LEN, Header, WireError, read_exactly, read_until_full};
use byteorder::{BigEndian, ByteOrder, WriteBytesExt};
use std::io::{self, Read, Write};

/// Most bytes of options.
pub const MAX_OPTIONS_LEN: u32 = 8192;

/// The beginning of a request, or the end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming {
    /// A header, and its raw bytes.
    Request(Header, [u8; HEADER_LEN]),
    /// The peer left between two requests, which is no error.
    Closed,
}

/// Reads the header of the next request, if there is one.
///
/// # Errors
/// [`WireError::Truncated`] when the peer leaves within the header; [`WireError::Io`].
pub fn read_header(reader: &mut impl Read) -> Result<Incoming, WireError> {
    let mut raw = [0; HEADER_LEN];
    match read_until_full(reader, &mut raw)? {
        0 => Ok(Incoming::Closed),
        HEADER_LEN => Ok(Incoming::Request(Header::decode(&raw), raw)),
        got => {
            Err(WireError::Truncated { part: FramePart::Header, got: got as u64, want: HEADER_LEN as u64 })
        }
    }
}

/// Reads the options of an extended request: their length, then their form-encoded bytes.
///
/// # Errors
/// [`WireError::TooLong`] past [`MAX_OPTIONS_LEN`], before anything else is read.
pub fn read_options(reader: &mut impl Read) -> Result<Vec<u8>, WireError> {
    let mut raw = [0; 4];
    read_exactly(reader, &mut raw, FramePart::OptionsLength)?;
    let len = BigEndian::read_u32(&raw);
    if len > MAX_OPTIONS_LEN {
        return Err(WireError::TooLong {
            part: FramePart::Options,
            len: len.into(),
            max: MAX_OPTIONS_LEN.into(),
        });
    }
    let mut options = vec![0; len as usize];
    read_exactly(reader, &mut options, FramePart::Options)?;
    Ok(options)
}

/// Reads a body of `len` bytes into memory that grows as they arrive.
///
/// # Errors
/// [`WireError`].
pub fn read_body(reader: &mut impl Read, len: u32, part: FramePart) -> Result<Vec<u8>, WireError> {
    let mut body = Vec::new();
    let got = reader.take(len.into()).read_to_end(&mut body)? as u64;
    if got < len.into() {
        return Err(WireError::Truncated { part, got, want: len.into() });
    }
    Ok(body)
}

/// Skips a body of `len` bytes, so that the next header can be read after it. `skip` discards at most the given number
/// of bytes and returns how many; 0 at the end.
///
/// # Errors
/// [`WireError::Truncated`], and those of `skip`.
pub fn skip_body(len: u32, mut skip: impl FnMut(u64) -> io::Result<u64>) -> Result<(), WireError> {
    let (want, mut got) = (u64::from(len), 0);
    while got < want {
        match skip(want - got) {
            Ok(0) => return Err(WireError::Truncated { part: FramePart::Image, got, want }),
            Ok(more) => got += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Writes a whole request; `options` count only in the extended form.
///
/// # Errors
/// [`WireError::TooLong`] before anything is written; [`WireError::Io`].
pub fn write_request(
    writer: &mut impl Write,
    header: &Header,
    options: &str,
    image: &[u8],
) -> Result<(), WireError> {
    let mut head = header.encode().to_vec();
    if header.form == Form::Extended {
        let len = u32::try_from(options.len()).unwrap_or(u32::MAX);
        if len > MAX_OPTIONS_LEN {
            return Err(WireError::TooLong {
                part: FramePart::Options,
                len: len.into(),
                max: MAX_OPTIONS_LEN.into(),
            });
        }
        head.write_u32::<BigEndian>(len)?;
        head.extend_from_slice(options.as_bytes());
    }
    writer.write_all(&head)?;
    writer.write_all(image)?;
    writer.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = buffer.len().min(1);
            self.0.read(&mut buffer[..n])
        }
    }

    #[test]
    fn closed_cut_off_and_whole_headers_are_three_answers() {
        let raw = [7; HEADER_LEN];
        assert_eq!(read_header(&mut &raw[..0]).unwrap(), Incoming::Closed);
        assert_eq!(read_header(&mut &raw[..]).unwrap(), Incoming::Request(Header::decode(&raw), raw));
        for cut in 1..HEADER_LEN {
            let error = read_header(&mut &raw[..cut]).unwrap_err();
            assert!(matches!(error, WireError::Truncated { got, .. } if got == cut as u64), "cut at {cut}");
        }
    }

    #[test]
    fn a_request_reads_back_however_it_is_cut_into_segments() {
        let header = Header { form: Form::Extended, body_len: 5, width: 3, height: 4 };
        let mut sent = Vec::new();
        write_request(&mut sent, &header, "quality=80", b"image").unwrap();
        let mut drip = Drip(&sent);
        assert_eq!(read_header(&mut drip).unwrap(), Incoming::Request(header, header.encode()));
        assert_eq!(read_options(&mut drip).unwrap(), b"quality=80");
        assert_eq!(read_body(&mut drip, 5, FramePart::Image).unwrap(), b"image");
        assert_eq!(read_header(&mut drip).unwrap(), Incoming::Closed);
    }

    #[test]
    fn an_extended_request_has_these_bytes() {
        let header = Header { form: Form::Extended, body_len: 2, width: 1, height: 0 };
        let mut sent = Vec::new();
        write_request(&mut sent, &header, "id=x", b"\xff\xd8").unwrap();
        assert_eq!(sent, b"\x80\0\0\x02\0\0\0\x01\0\0\0\0\0\0\0\x04id=x\xff\xd8");
    }

    #[test]
    fn options_that_are_too_long_are_refused_unread() {
        let mut sent: &[u8] = b"\0\0\x20\x01rest";
        assert!(matches!(read_options(&mut sent), Err(WireError::TooLong { len: 8193, max: 8192, .. })));
        assert_eq!(sent, b"rest");
    }

    #[test]
    fn a_body_arrives_whole_or_is_truncated() {
        for len in [0, 1, 16 << 10, (80 << 10) + 3] {
            let sent: Vec<u8> = (0..len).map(|i| i as u8).collect();
            assert_eq!(read_body(&mut &sent[..], len as u32, FramePart::Image).unwrap(), sent);
        }
        let cut = read_body(&mut &[1; 100][..], 1 << 30, FramePart::Image);
        assert!(matches!(cut, Err(WireError::Truncated { part: FramePart::Image, got: 100, .. })));
    }

    #[test]
    fn a_signal_does_not_end_the_skipping_of_a_body() {
        let mut turns = 0;
        let skip = |most: u64| {
            turns += 1;
            if turns == 1 { Err(io::ErrorKind::Interrupted.into()) } else { Ok(most) }
        };
        skip_body(5, skip).unwrap();
        assert_eq!(turns, 2);
    }

    #[test]
    fn a_skipped_body_leaves_the_next_header() {
        let mut sent: &[u8] = b"imagenext";
        let mut skip = |most: u64| io::copy(&mut (&mut sent).take(most.min(3)), &mut io::sink());
        skip_body(5, &mut skip).unwrap();
        assert!(matches!(skip_body(5, &mut skip), Err(WireError::Truncated { got: 4, .. })));
    }
}
