//! `Door`: the same request through TCP or through HTTP, and what came of it.

use crate::harness::{extended, header, read_extended};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Which of the server's doors is attacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Tcp,
    Http,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Good,
    /// With the time after which to come again.
    Busy(Duration),
    Other,
}

impl Door {
    /// The name of a row that both doors have.
    pub(crate) fn row(self, tcp: &'static str, http: &'static str) -> &'static str {
        if self == Door::Tcp { tcp } else { http }
    }

    /// A whole request for a picture of this picture.
    pub(crate) fn request(self, image: &[u8], options: &str) -> Vec<u8> {
        match self {
            Door::Tcp => extended(image, options),
            Door::Http => {
                let head = format!("POST /resize?{options} HTTP/1.1\r\nHost: a\r\n");
                [head.as_bytes(), format!("Content-Length: {}\r\n\r\n", image.len()).as_bytes(), image]
                    .concat()
            }
        }
    }

    /// The beginning of a request: some of a header, or a header and nothing of the image that it announces.
    pub(crate) fn beginnings(self) -> [Vec<u8>; 2] {
        match self {
            Door::Tcp => [vec![0], header(100_000, 64, 64)],
            Door::Http => [
                b"POST /resize HTTP/1.1\r\nX-Slow: ".to_vec(),
                b"POST /resize HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n".to_vec(),
            ],
        }
    }

    /// Sends a whole request and reads its reply.
    pub(crate) fn ask(self, socket: &mut TcpStream, request: &[u8]) -> io::Result<Answer> {
        let sent = socket.write_all(request); // who refuses before the image need not have read it
        match self {
            Door::Tcp => {
                let (report, _) = read_extended(socket)?;
                Ok(match report.split('&').next() {
                    Some("status=ok") => Answer::Good,
                    Some("status=busy") => Answer::Busy(hint(&report, "retry_after_ms=")),
                    _ => Answer::Other,
                })
            }
            Door::Http => {
                let (status, body) = read_http(socket).or_else(|error| sent.and(Err(error)))?;
                Ok(match status {
                    200 => Answer::Good,
                    429 | 503 => Answer::Busy(hint(&String::from_utf8_lossy(&body), "\"retry_after_ms\":")),
                    _ => Answer::Other,
                })
            }
        }
    }
}

/// The milliseconds that stand behind this word.
fn hint(text: &str, word: &str) -> Duration {
    let digits = text.split(word).nth(1).unwrap_or_default().split(|c: char| !c.is_ascii_digit()).next();
    Duration::from_millis(digits.and_then(|digits| digits.parse().ok()).unwrap_or(0))
}

/// The status and body of an HTTP answer that tells its length.
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
