//! `Channel`: the bytes to and from a peer, in the clear or under TLS; the server's side and the client's are one.

use std::io::{self, IoSlice, Read, Write};

/// A stream `S`, bare or under the TLS of `T`.
#[derive(Debug)]
pub(crate) enum Channel<S, T> {
    Plain(S),
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "nobody makes one without the feature"))]
    Tls(Box<T>),
}

impl<S: Read, T: Read> Read for Channel<S, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Channel::Plain(stream) => stream.read(buffer),
            Channel::Tls(stream) => match stream.read(buffer) {
                // Requests and replies carry their length: an end without TLS's goodbye hides nothing.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                got => got,
            },
        }
    }
}

impl<S: Write, T: Write> Write for Channel<S, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Channel::Plain(stream) => stream.write(bytes),
            Channel::Tls(stream) => stream.write(bytes),
        }
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Channel::Plain(stream) => stream.write_vectored(parts),
            Channel::Tls(stream) => stream.write_vectored(parts),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Channel::Plain(stream) => stream.flush(),
            Channel::Tls(stream) => stream.flush(),
        }
    }
}
