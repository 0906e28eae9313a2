//! One connection: requests read, run and answered, one after another.

use super::registry::Seat;
use super::timed::{Stage, Timed};
use super::{Door, Settings};
use crate::access_log;
use crate::engine::{BudgetSpent, Done, Job, JobError};
use crate::report::Report;
use crate::spec::{Call, Options, Spec, SpecError};
use crate::status::Status;
use crate::wire::{self, Form, Header, Incoming, WireError};
use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Slowest body that is still in time, beside the fixed allowance, in bytes per second.
const BODY_RATE: f64 = 256.0 * 1024.0;

/// How long a peer that was refused may go on sending before the connection is cut.
const LINGER: Duration = Duration::from_secs(2);

pub(super) struct Connection<'a> {
    peer: SocketAddr,
    number: u64,
    requests: u64,
    socket: Timed,
    seat: Seat,
    door: &'a Door,
}

/// What becomes of the connection after a request.
enum Next {
    Request,
    Close,
}

/// A request that got no further than its header or options.
struct Request {
    header: Header,
    options: Options,
    id: String,
}

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    BadRequest(String),
    #[error(transparent)]
    Options(#[from] SpecError),
    #[error("the image is {len} bytes long, the limit is {max}")]
    BodyTooLarge { len: u32, max: u32 },
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Budget(#[from] BudgetSpent),
    #[error(transparent)]
    Job(#[from] JobError),
}

impl<'a> Connection<'a> {
    pub(super) fn new(socket: TcpStream, peer: SocketAddr, number: u64, seat: Seat, door: &'a Door) -> Self {
        let socket = Timed::new(socket, door.settings.header_timeout);
        Connection { peer, number, requests: 0, socket, seat, door }
    }

    /// Serves requests until the peer leaves, misbehaves, or the server stops.
    pub(super) fn serve(mut self) {
        loop {
            self.seat.idle();
            if self.door.stop.is_asked() {
                return;
            }
            match self.request() {
                Ok(Next::Request) => self.socket.await_request(self.door.settings.idle_timeout),
                Ok(Next::Close) => return,
                Err(error) => {
                    let reason = reason(&error, self.socket.stage());
                    log::warn!(peer:% = self.peer, connection = self.number, reason = reason; "connection closed: {error}");
                    return;
                }
            }
        }
    }

    /// Reads, runs and answers one request. An error means that the peer can no longer be answered.
    fn request(&mut self) -> Result<Next, WireError> {
        let (header, raw) = match wire::read_header(&mut self.socket)? {
            Incoming::Closed => return Ok(Next::Close),
            Incoming::Request(header, raw) => (header, raw),
        };
        self.seat.busy();
        self.requests += 1;
        let mut request = Request {
            header,
            options: Options { spec: self.door.settings.base.clone(), call: Call::default() },
            id: format!("{}-{}", self.number, self.requests),
        };
        let read = self.read_rest_of_head(&mut request);
        if let Some(id) = &request.options.call.id {
            request.id.clone_from(id);
        }
        if let Err(failure) = read {
            if let Some(protocol) = Header::foreign_protocol(&raw) {
                log::warn!(peer:% = self.peer; "{protocol} on the binary port: is the client set to the right address?");
            }
            return self.refuse(&request, failure);
        }
        if request.options.call.ping && header.body_len == 0 {
            return self.answer_ping(&request);
        }
        let body_read = self.read_body(&header);
        let arrived = Instant::now();
        let outcome = match body_read {
            Ok((body, memory)) => {
                let Options { spec, call } = request.options.clone();
                let socket = self.socket.socket();
                let still_there = || matches!(socket.take_error(), Ok(None));
                let job = Job { body, memory, spec, deadline: call.deadline };
                self.door.engine.run(job, still_there).map_err(Failure::Job)
            }
            Err(Failure::Wire(error)) => {
                // The peer went silent or left: say why, if it still listens, and go.
                self.refuse(&request, Failure::Wire(error))?;
                return Ok(Next::Close);
            }
            Err(failure) => return self.refuse(&request, failure),
        };
        match outcome {
            Ok(done) => self.answer(&request, &done, arrived.elapsed()),
            Err(failure) => self.answer_failure(&request, &failure, arrived.elapsed()),
        }
    }

    /// Reads the options, and refuses what can be refused before the body.
    fn read_rest_of_head(&mut self, request: &mut Request) -> Result<(), Failure> {
        let Request { header, options, .. } = request;
        let base = match header.form {
            Form::Plain => Spec { passthrough: false, ..self.door.settings.base.clone() },
            Form::Extended => self.door.settings.base.clone(),
        };
        if header.form == Form::Extended {
            let encoded = wire::read_options(&mut self.socket)?;
            *options = Options::parse(&encoded, &base)?;
        } else {
            options.spec = base;
        }
        if options.call.ping {
            return Ok(());
        }
        options.spec = std::mem::take(&mut options.spec).sized(header.width, header.height)?;
        let max = self.door.settings.max_body;
        match header.body_len {
            0 => Err(Failure::BadRequest("the image is empty".into())),
            len if len > max => Err(Failure::BodyTooLarge { len, max }),
            _ => Ok(()),
        }
    }

    /// Reads the image into memory that is reserved as it arrives.
    fn read_body(&mut self, header: &Header) -> Result<(Vec<u8>, crate::engine::Reservation), Failure> {
        self.enter_body(header.body_len);
        let mut memory = self.door.engine.open();
        let body = wire::read_body(&mut self.socket, header.body_len, |room| {
            memory.resize(room as u64).map_err(Failure::Budget)
        })?;
        Ok((body, memory))
    }

    fn enter_body(&mut self, len: u32) {
        let Settings { body_timeout, stall_timeout, .. } = self.door.settings;
        let total = body_timeout + Duration::from_secs_f64(f64::from(len) / BODY_RATE);
        self.socket.enter(Stage::Body, total, stall_timeout);
    }

    fn enter_write(&mut self, len: usize) {
        let stall = self.door.settings.write_timeout;
        self.socket.enter(Stage::Write, stall + Duration::from_secs_f64(len as f64 / BODY_RATE), stall);
    }

    /// Refuses a request whose body has not been read: answers at once, then skips the body so that the
    /// connection stays usable, or closes when the body is too long or the form is plain.
    fn refuse(&mut self, request: &Request, failure: Failure) -> Result<Next, WireError> {
        let next = self.answer_failure(request, &failure, Duration::ZERO)?;
        let skippable = matches!(failure, Failure::Options(_) | Failure::BadRequest(_) | Failure::Budget(_));
        match next {
            Next::Request if skippable && request.header.body_len <= self.door.settings.max_body => {
                self.enter_body(request.header.body_len);
                wire::skip_body(&mut self.socket, request.header.body_len)?;
                Ok(Next::Request)
            }
            _ => {
                if !matches!(failure, Failure::Wire(_)) {
                    self.linger();
                }
                Ok(Next::Close)
            }
        }
    }

    /// Reads what the peer still sends, for a short while, so that closing does not reset the connection
    /// before the peer has read the answer.
    fn linger(&mut self) {
        let _ = self.socket.socket().shutdown(Shutdown::Write); // it may be gone already
        self.socket.enter(Stage::Body, LINGER, LINGER);
        let _ =
            io::copy(&mut (&mut self.socket).take(u64::from(self.door.settings.max_body)), &mut io::sink());
    }

    fn answer(&mut self, request: &Request, done: &Done, total: Duration) -> Result<Next, WireError> {
        let report = Report { id: request.options.call.id.clone(), ..done.report() };
        let image = &done.encoded.bytes;
        access_log::record("tcp", self.peer, &request.id, &report, image.len(), total, "");
        self.enter_write(image.len());
        match request.header.form {
            Form::Plain => wire::write_plain(&mut self.socket, image)?,
            Form::Extended => wire::write_extended(&mut self.socket, &report, image)?,
        }
        Ok(Next::Request)
    }

    fn answer_failure(
        &mut self,
        request: &Request,
        failure: &Failure,
        total: Duration,
    ) -> Result<Next, WireError> {
        let mut report = failure.report(self.socket.stage());
        report.id.clone_from(&request.options.call.id);
        report.source_bytes = Some(request.header.body_len.into());
        let message = failure.to_string();
        access_log::record("tcp", self.peer, &request.id, &report, 0, total, &message);
        self.enter_write(message.len());
        match request.header.form {
            Form::Plain => {
                wire::write_plain_failure(&mut self.socket)?;
                Ok(Next::Close)
            }
            Form::Extended => {
                wire::write_failure(&mut self.socket, &report, &message)?;
                Ok(Next::Request)
            }
        }
    }

    fn answer_ping(&mut self, request: &Request) -> Result<Next, WireError> {
        let report = Report { id: request.options.call.id.clone(), ..Report::new(Status::Ok) };
        self.enter_write(0);
        wire::write_extended(&mut self.socket, &report, &[])?;
        Ok(Next::Request)
    }
}

impl Failure {
    fn status(&self, stage: Stage) -> Status {
        match self {
            Failure::BadRequest(_) | Failure::Options(_) => Status::BadRequest,
            Failure::BodyTooLarge { .. } => Status::TooLarge,
            Failure::Wire(error) if reason(error, stage) == stage.word() => Status::Timeout,
            Failure::Wire(_) => Status::BadRequest,
            Failure::Budget(_) => Status::Busy,
            Failure::Job(error) => error.status(),
        }
    }

    fn report(&self, stage: Stage) -> Report {
        match self {
            Failure::Job(error) => error.report(),
            _ => Report::new(self.status(stage)),
        }
    }
}

/// One word for why a connection ended.
fn reason(error: &WireError, stage: Stage) -> &'static str {
    match error {
        WireError::Io(error) if error.kind() == io::ErrorKind::TimedOut => stage.word(),
        WireError::Io(_) => "aborted",
        WireError::Truncated { .. } => "truncated",
        WireError::TooLong { .. } | WireError::Report(_) => "bad_request",
    }
}
