//! A blocking client: connect with retries, send an image, receive the result.
//!
//! ```no_run
//! use imgsrv::client::{Client, ClientSettings};
//! use imgsrv::spec::Spec;
//!
//! let mut client = Client::connect(&ClientSettings::default())?;
//! let photo = std::fs::read("photo.jpg")?;
//! let small = client.request(&photo, &Spec { width: 800, ..Spec::default() })?;
//! std::fs::write("small.jpg", small.payload)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod deadline_stream;
mod transport;
mod retry;
mod session;
#[cfg(feature = "tls")]
mod tls;

pub use crate::token::{Token, TokenFileError};
pub use crate::wire::{Reply, WireError};
pub use retry::Backoff;
pub use session::{Event, Session};
pub use transport::Security;

use crate::net;
use crate::report::{Report, Status};
use crate::spec::{Spec, encode_pairs};
use crate::wire::{self, Form, Header, MAX_BODY_LEN};
use deadline_stream::DeadlineStream;
use retry::LONGEST_PAUSE;
use socket2::Socket;
use std::borrow::Cow;
use std::io;
use std::time::{Duration, Instant};
use transport::ClientTransport;

/// Bytes a second that a slow line is granted on top of the timeout.
const SLOWEST_LINE: usize = 256 << 10;

/// The length of the report if the reply is an HTTP status line: the second four bytes of `HTTP/1.1`.
const HTTP_STATUS_LINE: u64 = u32::from_be_bytes(*b"/1.1") as u64;

/// Address of the server, timeouts, and protection of the connection.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// `host:port`, or `unix:PATH`. Default: `127.0.0.1:65432`.
    pub server: String,
    /// For connecting to one address. Default: 5 s.
    pub connect_timeout: Duration,
    /// For a request, from its first byte to the last of its reply, and a second more for each 256 KiB of image.
    /// Default: 60 s.
    pub timeout: Duration,
    /// Retries of a failed connection. Default: none.
    pub retries: Backoff,
    /// Largest reply that is accepted, in bytes. Default: 256 MiB.
    pub max_reply: u32,
    /// Sent with every request. Default: none.
    pub token: Option<Token>,
    /// Protection of the connection. Default: none.
    pub security: Security,
}

impl Default for ClientSettings {
    fn default() -> Self {
        ClientSettings {
            server: "127.0.0.1:65432".into(),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(60),
            retries: Backoff::none(),
            max_reply: 256 << 20,
            token: None,
            security: Security::Plain,
        }
    }
}

/// The reason for a request without a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nothing answers at the address: the server is not running, or the address is wrong.
    #[error("cannot connect to {server}: {source}")]
    Unreachable {
        /// The address as it was given.
        server: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The connection broke or took too long. The request may be sent again.
    #[error("the connection to {server} failed: {source}")]
    Broken {
        /// The address as it was given.
        server: String,
        /// The error of the connection.
        source: WireError,
    },
    /// The server refused the request.
    #[error("{message}")]
    Refused {
        /// The report of the refused request.
        report: Box<Report>,
        /// The message of the server.
        message: String,
    },
    /// The server answers in HTTP.
    #[error("{server} is an HTTP port: give the address of the server's TCP listener, by default port 65432")]
    HttpPort {
        /// The address as it was given.
        server: String,
    },
    /// The image cannot be sent: the protocol has 31 bits for its length.
    #[error("the image is {0} bytes long, the protocol carries at most 2147483647")]
    TooLong(usize),
}

impl ClientError {
    /// The status of the same meaning, for exit codes.
    pub fn status(&self) -> Status {
        match self {
            ClientError::Unreachable { .. } => Status::Busy,
            ClientError::Broken { .. } => Status::Timeout,
            ClientError::Refused { report, .. } => report.status,
            ClientError::TooLong(_) => Status::TooLarge,
            ClientError::HttpPort { .. } => Status::BadRequest,
        }
    }

    /// Shortest wait before the same request is sent again, at most 30 s; `None` if a retry cannot help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            ClientError::Unreachable { source, .. } if is_final(source) => None,
            ClientError::Unreachable { .. } | ClientError::Broken { .. } => Some(Duration::ZERO),
            ClientError::Refused { report, .. } if report.status == Status::Busy => {
                Some(Duration::from_millis(report.retry_after_ms.unwrap_or(0)).min(LONGEST_PAUSE))
            }
            ClientError::Refused { .. } | ClientError::TooLong(_) | ClientError::HttpPort { .. } => None,
        }
    }

    /// Returns true if the connection was closed or reset, rather than silent for too long.
    pub fn is_lost(&self) -> bool {
        match self {
            ClientError::Broken { source: WireError::Truncated { .. }, .. } => true,
            ClientError::Broken { source: WireError::Io(error), .. } => !is_timeout(error),
            _ => false,
        }
    }
}

/// A connection to a server. Requests on it are answered one after another.
#[derive(Debug)]
pub struct Client {
    channel: ClientTransport,
    /// Beneath the channel.
    socket: Socket,
    timeout: Duration,
    /// Deadline of the reply.
    until: Instant,
    server: String,
    max_reply: u32,
    token: Option<Token>,
}

impl Client {
    /// Connects, trying again as `settings.retries` says.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] with the last reason.
    pub fn connect(settings: &ClientSettings) -> Result<Client, ClientError> {
        let mut pauses = settings.retries.pauses();
        loop {
            match Client::connect_once(settings) {
                Ok(client) => return Ok(client),
                Err(error) => {
                    let Some(pause) = error.retry_after().and_then(|_| pauses.next()) else {
                        return Err(error);
                    };
                    log::warn!("{error}; trying again in {pause:.1?}");
                    std::thread::sleep(pause);
                }
            }
        }
    }

    /// Connects without a second try.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`].
    pub fn connect_once(settings: &ClientSettings) -> Result<Client, ClientError> {
        let ClientSettings { server, timeout, max_reply, token, .. } = settings.clone();
        match open(settings) {
            Ok((channel, socket)) => {
                let until = Instant::now() + timeout;
                Ok(Client { channel, socket, timeout, until, server, max_reply, token })
            }
            Err(source) => Err(ClientError::Unreachable { server, source }),
        }
    }

    /// Sends an image and returns the result that `spec` describes.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn request(&mut self, image: &[u8], spec: &Spec) -> Result<Reply, ClientError> {
        self.send(image, &spec.canonical())?;
        self.receive()
    }

    /// Sends an extended request with options that are form-encoded already; the token is added to them.
    ///
    /// # Errors
    /// [`ClientError::Broken`], [`ClientError::TooLong`].
    pub fn send(&mut self, image: &[u8], options: &str) -> Result<(), ClientError> {
        let body_len = u32::try_from(image.len()).ok().filter(|len| *len <= MAX_BODY_LEN);
        let body_len = body_len.ok_or(ClientError::TooLong(image.len()))?;
        let header = Header { form: Form::Extended, body_len, width: 0, height: 0 };
        let options = self.with_token(options);
        let sending = Duration::from_secs((image.len() / SLOWEST_LINE) as u64);
        self.until = Instant::now() + self.timeout + sending;
        let sent = wire::write_request(&mut self.stream(), &header, &options, image);
        match sent {
            // A server that refuses may close while the image is sent: its answer says more than the broken pipe.
            Err(WireError::Io(error)) if is_hangup(&error) => Ok(()),
            sent => sent.map_err(|source| self.broken(source)),
        }
    }

    /// Receives the answer to what was sent.
    ///
    /// # Errors
    /// [`ClientError::Broken`], [`ClientError::Refused`].
    pub fn receive(&mut self) -> Result<Reply, ClientError> {
        let max_reply = self.max_reply;
        let reply = match wire::read_extended(&mut self.stream(), max_reply) {
            // Four zero bytes and the end: refused before the request was read.
            Err(WireError::Truncated { part: wire::FramePart::ReplyHeader, got: 4, .. }) => {
                let report = Box::new(Report::new(Status::Busy));
                return Err(ClientError::Refused {
                    report,
                    message: "the server has too many connections".into(),
                });
            }
            Err(WireError::TooLong { len: HTTP_STATUS_LINE, .. }) => {
                return Err(ClientError::HttpPort { server: self.server.clone() });
            }
            reply => reply.map_err(|source| self.broken(source))?,
        };
        match reply.report.status {
            Status::Ok => Ok(reply),
            _ => {
                let message = String::from_utf8_lossy(&reply.payload).into_owned();
                Err(ClientError::Refused { report: Box::new(reply.report), message })
            }
        }
    }

    /// Sends a health probe and returns the time until its answer.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn ping(&mut self) -> Result<Duration, ClientError> {
        let asked = Instant::now();
        self.send(&[], &encode_pairs([("op", "ping")]))?;
        self.receive()?;
        Ok(asked.elapsed())
    }

    fn with_token<'a>(&self, options: &'a str) -> Cow<'a, str> {
        let Some(token) = &self.token else { return options.into() };
        let token = encode_pairs([("token", token.reveal())]);
        if options.is_empty() { token.into() } else { format!("{token}&{options}").into() }
    }

    fn stream(&mut self) -> DeadlineStream<'_> {
        DeadlineStream { channel: &mut self.channel, socket: &self.socket, until: self.until }
    }

    fn broken(&self, source: WireError) -> ClientError {
        ClientError::Broken { server: self.server.clone(), source }
    }
}

fn is_hangup(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Returns true for errors that a retry would repeat: a malformed address, a certificate, a build without TLS.
/// (A name that cannot be resolved just now has another kind.)
fn is_final(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, Unsupported};
    matches!(error.kind(), InvalidInput | InvalidData | Unsupported | Other)
}

/// The connection, and the socket beneath it.
fn open(settings: &ClientSettings) -> io::Result<(ClientTransport, Socket)> {
    let socket = net::connect(&settings.server, settings.connect_timeout)?;
    socket.set_read_timeout(Some(settings.timeout))?;
    socket.set_write_timeout(Some(settings.timeout))?;
    let beneath = socket.try_clone()?;
    let channel = ClientTransport::open(socket, &settings.security, &settings.server)?;
    Ok((channel, beneath))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: Status, retry_after_ms: Option<u64>) -> ClientError {
        let report = Report { retry_after_ms, ..Report::new(status) };
        ClientError::Refused { report: Box::new(report), message: String::new() }
    }

    #[test]
    fn a_busy_server_is_obeyed_up_to_thirty_seconds() {
        let wait = |ms| refused(Status::Busy, ms).retry_after();
        assert_eq!(wait(Some(1500)), Some(Duration::from_millis(1500)));
        assert_eq!(wait(Some(u64::MAX)), Some(Duration::from_secs(30)));
        assert_eq!(wait(None), Some(Duration::ZERO));
        assert_eq!(refused(Status::Damaged, Some(1)).retry_after(), None);
    }
}
