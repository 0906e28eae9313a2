//! One connection: requests read, run and answered, one after another.

use crate::engine::{BudgetSpent, CallerKey, Job, JobError, JobOutput, Reservation};
use crate::metrics::Protocol;
use crate::net::timed_stream::{Stage, Timed};
use crate::reject_reason::RejectReason;
use crate::report::Report;
use crate::service::access_log::{self, Line};
use crate::service::admission;
use crate::service::connections::ConnectionGuard;
use crate::service::rates::Caller;
use crate::spec::Options;
use crate::status::Status;
use crate::tcp::Door;
use crate::tcp::failure::{Failure, reason};
use crate::tcp::transport::Transport;
use crate::wire::{self, Form, HEADER_LEN, Header, Incoming, WireError};
use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Slowest body that is still in time, beside the fixed allowance, in bytes per second.
const BODY_RATE: f64 = 256.0 * 1024.0;

/// How long a peer that was refused may go on sending before the connection is cut.
const LINGER: Duration = Duration::from_secs(1);

/// What is read of a peer that was refused before anything is known of it, in bytes.
const LINGER_BYTES: u64 = 8 << 10;

pub(super) struct Connection<'a> {
    peer: SocketAddr,
    number: u64,
    requests: u64,
    /// Bytes of the request's image that have not been read.
    unread: u32,
    channel: Transport,
    seat: ConnectionGuard,
    door: &'a Door,
}

/// What becomes of the connection after a request.
enum Next {
    Request,
    Close,
}

/// A request as far as it has been understood.
struct Request {
    header: Header,
    options: Options,
    id: String,
    /// Name of the token that it came with.
    token: Option<Arc<str>>,
    /// When its last byte had arrived.
    arrived: Instant,
}

impl<'a> Connection<'a> {
    pub(super) fn new(
        socket: Arc<TcpStream>,
        peer: SocketAddr,
        number: u64,
        seat: ConnectionGuard,
        door: &'a Door,
    ) -> io::Result<Self> {
        let channel = door.channel(Timed::new(socket, door.settings.header_timeout))?;
        Ok(Connection { peer, number, requests: 0, unread: 0, channel, seat, door })
    }

    /// Serves requests until the peer leaves, misbehaves, or the server stops.
    pub(super) fn serve(mut self) {
        let _open = self.door.engine.metrics().connections.hold();
        self.seat.idle();
        if let Err(error) = self.channel.handshake() {
            let timed_out = error.kind() == io::ErrorKind::TimedOut;
            self.refused(
                if timed_out { RejectReason::HeaderTimeout } else { RejectReason::Tls },
                &error.to_string(),
            );
            return;
        }
        loop {
            self.seat.idle();
            if self.door.stop.is_asked() {
                return;
            }
            match self.request() {
                Ok(Next::Request) => {
                    let idle = self.door.settings.idle_timeout;
                    self.channel.timed().await_request(idle);
                }
                Ok(Next::Close) => return,
                Err(error) => {
                    match reason(&error, self.channel.timed().stage()) {
                        Some(reason) => self.refused(reason, &error.to_string()),
                        None => log::debug!(peer:% = self.peer; "connection closed after idling"),
                    }
                    return;
                }
            }
        }
    }

    fn refused(&self, reason: RejectReason, message: &str) {
        access_log::refused(self.door.engine.metrics(), self.peer, reason, message);
    }

    /// Reads, runs and answers one request. An error means that the peer can no longer be answered.
    fn request(&mut self) -> Result<Next, WireError> {
        let (header, raw) = match wire::read_header(&mut self.channel)? {
            Incoming::Closed => return Ok(Next::Close),
            Incoming::Request(header, raw) => (header, raw),
        };
        self.seat.busy();
        let _in_hand = self.door.engine.metrics().in_progress.hold();
        self.requests += 1;
        self.unread = header.body_len;
        let mut request = Request {
            header,
            options: Options::default(),
            id: format!("{}-{}", self.number, self.requests),
            token: None,
            arrived: Instant::now(),
        };
        if let Err(failure) = self.read_rest_of_head(&mut request, &raw) {
            return self.refuse(&request, &failure);
        }
        if request.options.call.ping && header.body_len == 0 {
            return self.answer_ping(&request);
        }
        let body = self.read_body(&header);
        request.arrived = Instant::now();
        match body.map(|(body, memory)| self.run(&request, body, memory)) {
            Ok(Ok(done)) => self.answer(&request, &done),
            Ok(Err(failure)) => self.answer_failure(&request, &failure),
            // The body is not read, or not to its end.
            Err(failure) => self.refuse(&request, &failure),
        }
    }

    /// Reads the options, and refuses what can be refused before the body.
    fn read_rest_of_head(&mut self, request: &mut Request, raw: &[u8; HEADER_LEN]) -> Result<(), Failure> {
        let settings = &self.door.settings;
        let Header { form, body_len, width, height } = request.header;
        if body_len > settings.max_body {
            let too_large = Failure::BodyTooLarge { len: body_len, max: settings.max_body };
            return Err(Header::foreign_protocol(raw).map_or(too_large, Failure::ForeignProtocol));
        }
        if form == Form::Extended {
            let encoded = wire::read_options(&mut self.channel).map_err(|error| self.wire(error))?;
            request.options = settings.offer.parse(&encoded)?;
        }
        if let Some(id) = &request.options.call.id {
            request.id.clone_from(id);
        }
        request.token = self.authenticate(request)?;
        self.door.gate.rates.request(&self.caller(request))?;
        if request.options.call.ping {
            return Ok(());
        }
        request.options.spec = match form {
            Form::Plain => settings.offer.plain(width, height)?,
            Form::Extended => {
                settings.offer.sized(std::mem::take(&mut request.options.spec), width, height)?
            }
        };
        if body_len == 0 {
            return Err(Failure::Empty);
        }
        Ok(self.door.engine.admit(CallerKey::of(&self.caller(request)))?) // refuse before reading the body
    }

    /// The name of the token that the request shows, where one is needed.
    fn authenticate(&self, request: &Request) -> Result<Option<Arc<str>>, Failure> {
        let line =
            if self.channel.is_encrypted() { admission::Line::Encrypted } else { admission::Line::Open };
        Ok(self.door.gate.identify(self.peer.ip(), line, request.options.call.token.as_deref())?)
    }

    fn caller(&self, request: &Request) -> Caller {
        match &request.token {
            Some(name) => Caller::Token(name.clone()),
            None => Caller::at(self.peer.ip()),
        }
    }

    /// Reads the image into memory that is reserved as it arrives.
    fn read_body(&mut self, header: &Header) -> Result<(Vec<u8>, Reservation), Failure> {
        enum Stopped {
            Wire(WireError),
            Budget,
        }
        impl From<WireError> for Stopped {
            fn from(error: WireError) -> Self {
                Stopped::Wire(error)
            }
        }
        self.enter_body(header.body_len);
        let mut memory = self.door.engine.reserve();
        let grow = |room| memory.resize(room as u64).map_err(|BudgetSpent| Stopped::Budget);
        let more = |body: &mut Vec<u8>, most| {
            let got = self.channel.append(body, most)?;
            self.unread -= got as u32;
            Ok(got)
        };
        match wire::gather_body(header.body_len, grow, more) {
            Ok(body) => {
                self.door.engine.metrics().bytes_in.add(body.len() as u64);
                Ok((body, memory))
            }
            Err(Stopped::Budget) => Err(self.door.engine.busy().into()),
            Err(Stopped::Wire(error)) => Err(self.wire(error)),
        }
    }

    fn run(&self, request: &Request, body: Vec<u8>, memory: Reservation) -> Result<JobOutput, Failure> {
        let Options { spec, call } = request.options.clone();
        let engine = &self.door.engine;
        let examined = engine.probe(Job { body, memory, spec, deadline: call.deadline })?;
        let caller = self.caller(request);
        self.door.gate.rates.pixels(&caller, examined.cost())?;
        let socket = self.channel.socket();
        let still_there = || matches!(socket.take_error(), Ok(None));
        Ok(engine.submit(examined, CallerKey::of(&caller))?.wait(still_there)?)
    }

    fn wire(&mut self, error: WireError) -> Failure {
        Failure::Wire { error, stage: self.channel.timed().stage() }
    }

    fn enter_body(&mut self, len: u32) {
        let crate::service::settings::ServiceSettings { body_timeout, stall_timeout, .. } =
            self.door.settings;
        let total = body_timeout + Duration::from_secs_f64(f64::from(len) / BODY_RATE);
        self.channel.timed().enter(Stage::Body, total, stall_timeout);
    }

    fn enter_write(&mut self, len: usize) {
        let stall = self.door.settings.write_timeout;
        let total = stall + Duration::from_secs_f64(len as f64 / BODY_RATE);
        self.channel.timed().enter(Stage::Write, total, stall);
    }

    /// Refuses a request whose body has not been read, or not to its end: answers at once, then reads past the body so that
    /// the connection stays usable, or closes.
    fn refuse(&mut self, request: &Request, failure: &Failure) -> Result<Next, WireError> {
        let unread = self.unread;
        let next = self.tell(request, failure)?;
        match next {
            Next::Request if failure.is_forgivable() && unread <= self.door.settings.max_body => {
                self.enter_body(unread);
                wire::skip_body(unread, |most| self.channel.skip(most))?;
                Ok(Next::Request)
            }
            _ => {
                match failure {
                    Failure::Wire { .. } => {} // it has had its time, or is gone
                    Failure::Denied(_) => {
                        self.linger(LINGER_BYTES);
                    }
                    _ => self.linger(LINGER_BYTES + u64::from(unread)),
                }
                Ok(Next::Close)
            }
        }
    }

    /// Reads what the peer still sends, for a short while, so that closing does not reset the connection
    /// before the peer has read the answer.
    fn linger(&mut self, bytes: u64) {
        self.channel.finish_writing();
        self.channel.timed().enter(Stage::Body, LINGER, LINGER);
        let most = bytes.min(self.door.settings.max_body.into());
        let _ = io::copy(&mut (&mut self.channel).take(most), &mut io::sink());
    }

    fn answer(&mut self, request: &Request, done: &JobOutput) -> Result<Next, WireError> {
        let report = Report { id: request.options.call.id.clone(), ..done.report() };
        let image = &done.encoded.bytes;
        self.record(request, &report, image.len(), None);
        self.enter_write(image.len());
        match request.header.form {
            Form::Plain => wire::write_plain(&mut self.channel, image)?,
            Form::Extended => wire::write_extended(&mut self.channel, &report, image)?,
        }
        Ok(Next::Request)
    }

    /// Answers a request whose body was read.
    fn answer_failure(&mut self, request: &Request, failure: &Failure) -> Result<Next, WireError> {
        if matches!(failure, Failure::Job(JobError::Abandoned)) {
            self.refused(RejectReason::Abandoned, &failure.to_string());
            return Ok(Next::Close);
        }
        let next = self.tell(request, failure)?;
        if matches!(next, Next::Close) {
            self.linger(LINGER_BYTES);
        }
        Ok(next)
    }

    /// Tells the peer, the metrics and the log that a request failed.
    fn tell(&mut self, request: &Request, failure: &Failure) -> Result<Next, WireError> {
        let message = failure.to_string();
        let report = Report {
            id: request.options.call.id.clone(),
            source_bytes: Some(request.header.body_len.into()),
            ..failure.report()
        };
        self.record(request, &report, 0, Some((failure.reason(), &message)));
        self.enter_write(message.len());
        match request.header.form {
            Form::Plain => wire::write_plain_failure(&mut self.channel).map(|()| Next::Close),
            Form::Extended => {
                wire::write_failure(&mut self.channel, &report, &message).map(|()| Next::Request)
            }
        }
    }

    fn record(
        &self,
        request: &Request,
        report: &Report,
        bytes_out: usize,
        failure: Option<(RejectReason, &str)>,
    ) {
        let line = Line {
            via: Protocol::Tcp,
            peer: self.peer,
            id: &request.id,
            token: request.token.as_deref(),
            report,
            bytes_out,
            total: request.arrived.elapsed(),
            failure,
        };
        access_log::record(self.door.engine.metrics(), &line);
    }

    fn answer_ping(&mut self, request: &Request) -> Result<Next, WireError> {
        let report = Report { id: request.options.call.id.clone(), ..Report::new(Status::Ok) };
        self.enter_write(0);
        wire::write_extended(&mut self.channel, &report, &[])?;
        Ok(Next::Request)
    }
}
