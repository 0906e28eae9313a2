//! `Protocol`: the same request over TCP or over HTTP, and its outcome.

use crate::harness::{extended, header, read_extended};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The protocol under attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Tcp,
    Http,
}

/// Outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Good,
    /// Refused, with the time after which to retry.
    Busy(Duration),
    Other,
}

impl Protocol {
    /// Name of a row that exists for both protocols.
    pub(crate) fn row(self, tcp: &'static str, http: &'static str) -> &'static str {
        if self == Protocol::Tcp { tcp } else { http }
    }

    /// A complete request with this picture.
    pub(crate) fn request(self, image: &[u8], options: &str) -> Vec<u8> {
        match self {
            Protocol::Tcp => extended(image, options),
            Protocol::Http => {
                let head = format!("POST /resize?{options} HTTP/1.1\r\nHost: localhost\r\n");
                [head.as_bytes(), format!("Content-Length: {}\r\n\r\n", image.len()).as_bytes(), image]
                    .concat()
            }
        }
    }

    /// Two incomplete requests: a partial header, and a header without its image.
    pub(crate) fn beginnings(self) -> [Vec<u8>; 2] {
        match self {
            Protocol::Tcp => [vec![0], header(100_000, 64, 64)],
            Protocol::Http => [
                b"POST /resize HTTP/1.1\r\nX-Slow: ".to_vec(),
                b"POST /resize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n".to_vec(),
            ],
        }
    }

    /// Sends a whole request and reads its reply.
    pub(crate) fn exchange(self, socket: &mut TcpStream, request: &[u8]) -> io::Result<Outcome> {
        let sent = socket.write_all(request); // fails when the server refuses before it has read the image
        match self {
            Protocol::Tcp => {
                let (report, _) = read_extended(socket)?;
                Ok(match report.split('&').next() {
                    Some("status=ok") => Outcome::Good,
                    Some("status=busy") => Outcome::Busy(hint(&report, "retry_after_ms=")),
                    _ => Outcome::Other,
                })
            }
            Protocol::Http => {
                let (status, body) = read_http(socket).or_else(|error| sent.and(Err(error)))?;
                Ok(match status {
                    200 => Outcome::Good,
                    429 | 503 => Outcome::Busy(hint(&String::from_utf8_lossy(&body), "\"retry_after_ms\":")),
                    _ => Outcome::Other,
                })
            }
        }
    }
}

/// Reads the milliseconds behind this word.
fn hint(text: &str, word: &str) -> Duration {
    let digits = text.split(word).nth(1).unwrap_or_default().split(|c: char| !c.is_ascii_digit()).next();
    Duration::from_millis(digits.and_then(|digits| digits.parse().ok()).unwrap_or(0))
}

/// Reads status and body of an HTTP response with a `Content-Length`.
pub(crate) fn read_http(socket: &mut impl Read) -> io::Result<(u16, Vec<u8>)> {
    let (mut got, mut part) = (Vec::new(), [0; 16 << 10]);
    let mut receive = |got: &mut Vec<u8>| match socket.read(&mut part)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        more => {
            got.extend_from_slice(&part[..more]);
            io::Result::Ok(())
        }
    };
    let end = loop {
        if let Some(at) = got.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        receive(&mut got)?;
    };
    let head = String::from_utf8_lossy(&got[..end]).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
    while got.len() < end + length {
        receive(&mut got)?;
    }
    Ok((status, got.split_off(end)))
}
