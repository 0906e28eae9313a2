//! `Transport`: the byte stream to a peer, plain or TLS, for server and client alike.

use std::io::{self, IoSlice, Read, Write};

/// Protection of a connection.
#[cfg(feature = "server")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportKind {
    /// Unencrypted TCP.
    Plain,
    /// TLS.
    Tls,
}

/// A stream `S`, or its encryption `T`.
#[derive(Debug)]
pub(crate) enum Transport<S, T> {
    Plain(S),
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "made only with the feature"))]
    Tls(Box<T>),
}

impl<S: Read, T: Read> Read for Transport<S, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Transport::Plain(stream) => stream.read(buffer),
            Transport::Tls(stream) => match stream.read(buffer) {
                // Requests and replies carry their length, so an end without close_notify hides nothing.
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
