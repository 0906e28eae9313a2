//! A request, part by part: the header, the options, the body. The reader decides between the parts
//! whether to go on.

use super::{Form, HEADER_LEN, Header, WireError, read_exactly, read_until_full};
use byteorder::{BigEndian, ByteOrder, WriteBytesExt};
use std::io::{self, Read, Write};

/// Most bytes of options.
pub const MAX_OPTIONS_LEN: u32 = 8192;

/// The first allocation for a body.
const FIRST_CHUNK: usize = 16 << 10;

/// How many times larger the room for a body becomes when it is full.
const GROWTH: usize = 64;

/// Most that [`append`] reads at once: a record of TLS.
const APPEND: usize = 16 << 10;

/// What stands at the beginning of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming {
    /// A header, and its raw bytes.
    Request(Header, [u8; HEADER_LEN]),
    /// The peer left between two requests: nothing is wrong.
    Closed,
}

/// Reads a header, or sees that the peer has no more requests.
///
/// # Errors
/// [`WireError::Truncated`] when the peer leaves within the header; [`WireError::Io`].
pub fn read_header(reader: &mut impl Read) -> Result<Incoming, WireError> {
    let mut raw = [0; HEADER_LEN];
    match read_until_full(reader, &mut raw)? {
        0 => Ok(Incoming::Closed),
        HEADER_LEN => Ok(Incoming::Request(Header::decode(&raw), raw)),
        got => Err(WireError::Truncated { part: "header", got: got as u64, want: HEADER_LEN as u64 }),
    }
}

/// Reads the options of an extended request: their length, then their form-encoded bytes.
///
/// # Errors
/// [`WireError::TooLong`] past [`MAX_OPTIONS_LEN`], before anything else is read.
pub fn read_options(reader: &mut impl Read) -> Result<Vec<u8>, WireError> {
    let mut raw = [0; 4];
    read_exactly(reader, &mut raw, "options length")?;
    let len = BigEndian::read_u32(&raw);
    if len > MAX_OPTIONS_LEN {
        return Err(WireError::TooLong { part: "options", len: len.into(), max: MAX_OPTIONS_LEN.into() });
    }
    let mut options = vec![0; len as usize];
    read_exactly(reader, &mut options, "options")?;
    Ok(options)
}

/// Reads a body of `len` bytes into memory that grows with what arrives, never with what was promised.
/// `grow` is told as it grows how many bytes are to be allowed for; its error ends the reading.
///
/// # Errors
/// What `grow` says, or a [`WireError`].
pub fn read_body<E: From<WireError>>(
    reader: &mut impl Read,
    len: u32,
    grow: impl FnMut(usize) -> Result<(), E>,
) -> Result<Vec<u8>, E> {
    gather_body(len, grow, |body, most| append(reader, body, most))
}

/// As [`read_body`], of a body that comes by `more`: it appends at most so many bytes, for which there is room, and says how
/// many; 0 at the end.
///
/// # Errors
/// What `grow` says, or a [`WireError`].
pub fn gather_body<E: From<WireError>>(
    len: u32,
    mut grow: impl FnMut(usize) -> Result<(), E>,
    mut more: impl FnMut(&mut Vec<u8>, usize) -> io::Result<usize>,
) -> Result<Vec<u8>, E> {
    let len = len as usize;
    let (mut body, mut held) = (Vec::new(), FIRST_CHUNK.min(len));
    grow(held)?;
    while body.len() < len {
        if body.len() == body.capacity() {
            // Few steps, as each may move what has come. The system finds memory only for what is written to.
            let capacity = (GROWTH * body.len()).clamp(FIRST_CHUNK.min(len), len);
            body.try_reserve_exact(capacity - body.len())
                .map_err(|_| WireError::Io(io::ErrorKind::OutOfMemory.into()))?;
        }
        let most = body.capacity().min(len) - body.len();
        match more(&mut body, most) {
            Ok(0) => {
                let (got, want) = (body.len() as u64, len as u64);
                return Err(WireError::Truncated { part: "image", got, want }.into());
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(WireError::Io(error).into()),
        }
        if body.len() > held {
            held = (2 * body.len()).min(len);
            grow(held)?;
        }
    }
    Ok(body)
}

/// Reads once, at most `most` bytes, to the end of `buffer`.
///
/// # Errors
/// Those of the reader.
pub fn append(reader: &mut impl Read, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
    let before = buffer.len();
    buffer.resize(before + most.min(APPEND), 0); // a reader cannot be given room that nothing was written to
    let got = reader.read(&mut buffer[before..]);
    buffer.truncate(before + *got.as_ref().unwrap_or(&0));
    got
}

/// Passes over a body of `len` bytes that nobody wants, so that the next header can be read after it. `skip` reads
/// past at most so many bytes, and says past how many; 0 at the end.
///
/// # Errors
/// [`WireError::Truncated`], and what `skip` says.
pub fn skip_body(len: u32, mut skip: impl FnMut(u64) -> io::Result<u64>) -> Result<(), WireError> {
    let (want, mut got) = (u64::from(len), 0);
    while got < want {
        match skip(want - got) {
            Ok(0) => return Err(WireError::Truncated { part: "image", got, want }),
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
            return Err(WireError::TooLong { part: "options", len: len.into(), max: MAX_OPTIONS_LEN.into() });
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

    fn body(reader: &mut impl Read, len: u32) -> Result<Vec<u8>, WireError> {
        read_body(reader, len, |_| Ok(()))
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
        assert_eq!(body(&mut drip, 5).unwrap(), b"image");
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
    fn a_body_grows_with_what_arrives_and_not_with_what_is_promised() {
        let mut sent: &[u8] = &[1; 100];
        let mut held = 0;
        let outcome = read_body(&mut sent, 1 << 30, |room| {
            held = room;
            Ok::<_, WireError>(())
        });
        assert!(matches!(outcome, Err(WireError::Truncated { got: 100, .. })));
        assert_eq!(held, FIRST_CHUNK);
    }

    #[test]
    fn a_body_of_any_length_arrives_whole() {
        for len in [0, 1, FIRST_CHUNK - 1, FIRST_CHUNK, FIRST_CHUNK + 1, 5 * FIRST_CHUNK + 3] {
            let sent: Vec<u8> = (0..len).map(|i| i as u8).collect();
            assert_eq!(body(&mut &sent[..], len as u32).unwrap(), sent);
        }
    }

    #[test]
    fn a_refused_growth_ends_the_reading() {
        let refuse = |_| Err(WireError::TooLong { part: "image", len: 100, max: 0 });
        let mut sent: &[u8] = &[0; 100];
        assert!(matches!(read_body(&mut sent, 100, refuse), Err(WireError::TooLong { .. })));
        assert_eq!(sent.len(), 100);
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
