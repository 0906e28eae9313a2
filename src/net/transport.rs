//! `Transport`: the bytes to and from a peer, in the clear or under TLS; the server's side and the client's are one.

use std::io::{self, IoSlice, Read, Write};

/// A stream `S`, bare or under the TLS of `T`.
#[derive(Debug)]
pub(crate) enum Transport<S, T> {
    Plain(S),
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "nobody makes one without the feature"))]
    Tls(Box<T>),
}

impl<S: Read, T: Read> Read for Transport<S, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Transport::Plain(stream) => stream.read(buffer),
            Transport::Tls(stream) => match stream.read(buffer) {
                // Requests and replies carry their length: an end without TLS's goodbye hides nothing.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                got => got,
            },
        }
    }
}

impl<S: Write, T: Write> Write for Transport<S, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Transport::Plain(stream) => stream.write(bytes),
            Transport::Tls(stream) => stream.write(bytes),
        }
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Transport::Plain(stream) => stream.write_vectored(parts),
            Transport::Tls(stream) => stream.write_vectored(parts),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Transport::Plain(stream) => stream.flush(),
            Transport::Tls(stream) => stream.flush(),
        }
    }
}
