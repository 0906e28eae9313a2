//! One connection: reads, runs and answers its requests, one after another.

use crate::engine::{JobError, JobOutput};
use crate::metrics::Protocol;
use crate::net::timed_stream::TimedStream;
use crate::net::{PeerAddress, TimeoutKind, proxy_header};
use crate::reject_reason::RejectReason;
use crate::report::Report;
use crate::service::connections::{ConnectionGuard, ConnectionHandle};
use crate::service::{
    AccessRecord, AuthenticatedCaller, BodyBudget, BodyLength, Peer, ReceivedBody, RequestError, Service,
};
use crate::spec::{Options, decode_pairs};
use crate::status::Status;
use crate::tcp::transport::Transport;
use crate::wire::{self, Form, FramePart, HEADER_LEN, Header, Incoming, WireError};
use socket2::Socket;
use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time for which a refused peer may go on sending before the connection is cut.
const LINGER: Duration = Duration::from_secs(1);

/// Bytes read of a refused peer of which nothing is known.
const LINGER_BYTES: u64 = 8 << 10;

pub(super) struct Connection<'a> {
    peer: Peer,
    number: u64,
    requests: u64,
    /// Bytes of the request's image that have not been read.
    unread: u32,
    transport: Transport,
    socket: Arc<Socket>,
    guard: ConnectionGuard,
    service: &'a Service,
}

/// Reads what a proxy tells of its client before all else, within the header's time.
fn read_proxy_header(stream: &mut TimedStream) -> Result<Option<SocketAddr>, RequestError> {
    proxy_header::read(stream).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => {
            let (kind, after) = stream.timeout();
            RequestError::Timeout { kind, after }
        }
        io::ErrorKind::InvalidData => RequestError::Malformed(error.to_string()),
        _ => RequestError::Io(error),
    })
}

/// The state of the connection after a request.
enum Next {
    Request,
    Close,
}

/// A request as far as it has been understood.
struct Request {
    header: Header,
    options: Options,
    id: String,
    caller: Option<AuthenticatedCaller>,
    /// When its last byte had arrived.
    arrived: Instant,
}

impl<'a> Connection<'a> {
    pub(super) fn new(
        socket: Arc<Socket>,
        address: PeerAddress,
        number: u64,
        guard: ConnectionGuard,
        service: &'a Service,
    ) -> Result<Self, RequestError> {
        let settings = service.settings();
        let mut stream = TimedStream::new(socket.clone(), settings.header_timeout);
        let is_proxied = settings.proxies.trusts(address.ip());
        let mut address = address;
        if is_proxied && let Some(told) = read_proxy_header(&mut stream)? {
            guard.assign(told.ip())?;
            address = told.into();
        }
        let transport = Transport::accept(stream, address, settings)?;
        let peer = Peer { address, transport: transport.kind(), is_proxied };
        Ok(Connection { peer, number, requests: 0, unread: 0, transport, socket, guard, service })
    }

    /// Serves requests until the peer leaves, breaks the protocol, or the server shuts down.
    pub(super) fn serve(mut self) {
        let _open = self.service.metrics().connections.hold();
        self.guard.idle();
        if let Err(error) = self.transport.handshake() {
            match self.wire_error(error.into()) {
                error @ RequestError::Timeout { .. } => self.closed(error.reject_reason(), &error),
                error => self.closed(RejectReason::Tls, &error),
            }
            return;
        }
        loop {
            self.guard.idle();
            if self.service.shutdown().is_requested() {
                return;
            }
            match self.request() {
                Ok(Next::Request) => {
                    let idle = self.service.settings().idle_timeout;
                    self.transport.stream().await_request(idle);
                }
                Ok(Next::Close) => return,
                Err(WireError::Truncated { part: FramePart::Header, got, want }) => {
                    let message = WireError::Truncated { part: FramePart::Header, got, want };
                    return self.closed(RejectReason::ShortHeader, &message);
                }
                Err(error) => match self.wire_error(error) {
                    RequestError::Timeout { kind: TimeoutKind::Idle, .. } => {
                        return log::debug!(peer:% = self.peer.address; "connection closed after idling");
                    }
                    error => return self.closed(error.reject_reason(), &error),
                },
            }
        }
    }

    fn closed(&self, reason: RejectReason, message: &dyn std::fmt::Display) {
        self.service.connection_closed(self.peer.address, reason, message);
    }

    /// Reads, runs and answers one request. An error means that the peer can no longer be answered.
    fn request(&mut self) -> Result<Next, WireError> {
        let (header, raw) = match wire::read_header(&mut self.transport)? {
            Incoming::Closed => return Ok(Next::Close),
            Incoming::Request(header, raw) => (header, raw),
        };
        self.guard.busy();
        let _in_progress = self.service.metrics().in_progress.hold();
        self.requests += 1;
        self.unread = header.body_len;
        let mut request = Request {
            header,
            options: Options::default(),
            id: format!("{}-{}", self.number, self.requests),
            caller: None,
            arrived: Instant::now(),
        };
        let caller = match self.read_head(&mut request, &raw) {
            Ok(caller) => caller,
            Err(error) => return self.refuse(&request, &error),
        };
        if request.options.call.ping && header.body_len == 0 {
            return self.answer_ping(&request);
        }
        let budget = match self.admit(&mut request, &caller) {
            Ok(budget) => budget,
            Err(error) => return self.refuse(&request, &error),
        };
        let body = match self.read_body(budget) {
            Ok(body) => body,
            Err(error) => return self.refuse(&request, &error),
        };
        request.arrived = Instant::now();
        match self.run(&request, &caller, body) {
            Ok(done) => self.answer(&request, &done),
            Err(error) => self.answer_error(&request, &error),
        }
    }

    /// Reads the options, and accepts the caller and then the options.
    fn read_head(
        &mut self,
        request: &mut Request,
        raw: &[u8; HEADER_LEN],
    ) -> Result<AuthenticatedCaller, RequestError> {
        let settings = self.service.settings();
        let Header { form, body_len, .. } = request.header;
        if let Some(protocol) = Header::foreign_protocol(raw).filter(|_| body_len > settings.max_body) {
            return Err(RequestError::ForeignProtocol(protocol));
        }
        // An impossible length is refused before the options: the peer may never send them.
        if form == Form::Extended && body_len > settings.max_body {
            return Err(RequestError::BodyTooLarge { max: settings.max_body.into() });
        }
        let encoded = match form {
            Form::Plain => Vec::new(),
            Form::Extended => {
                wire::read_options(&mut self.transport).map_err(|error| self.wire_error(error))?
            }
        };
        // The token is among the options, which are refused only after the caller is accepted.
        let pairs = decode_pairs(&encoded);
        let mut named = pairs.iter().flatten();
        let token = named.find_map(|(key, value)| (key == "token").then(|| value.clone()));
        let options = pairs.and_then(|pairs| match form {
            Form::Plain => Ok(Options::default()),
            Form::Extended => settings.policy.current().parse_pairs(pairs),
        });
        if let Ok(Options { call, .. }) = &options
            && let Some(id) = &call.id
        {
            request.id.clone_from(id);
            request.options.call.id.clone_from(&call.id);
        }
        let caller = self.service.authenticate(self.peer, token.as_deref())?;
        request.caller = Some(caller.clone());
        request.options = options?;
        Ok(caller)
    }

    /// Applies the size of the header, and admits the body.
    fn admit(&self, request: &mut Request, caller: &AuthenticatedCaller) -> Result<BodyBudget, RequestError> {
        let policy = self.service.settings().policy.current();
        let Header { form, body_len, width, height } = request.header;
        request.options.spec = match form {
            Form::Plain => policy.plain(width, height)?,
            Form::Extended => policy.sized(std::mem::take(&mut request.options.spec), width, height)?,
        };
        self.service.admit(caller, BodyLength::exactly(body_len.into()), Instant::now())
    }

    /// Reads the image within its budget.
    fn read_body(&mut self, mut budget: BodyBudget) -> Result<ReceivedBody, RequestError> {
        let (mut body, socket) = (Vec::new(), self.socket.clone());
        budget.on_cut(move || socket.shut(Shutdown::Read));
        while !budget.is_complete() {
            let room = budget.make_room(&mut body, 1)?;
            let (deadline, kind) = budget.deadline();
            self.transport.stream().set_deadline(kind, deadline);
            let appended = self.transport.append(&mut body, room);
            budget.check()?; // the end of a body that gave way is not the peer's
            match appended {
                Ok(0) => break,
                Ok(got) => {
                    self.unread -= got as u32;
                    budget.accept(got, Instant::now())?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(budget.timed_out()),
                Err(error) => return Err(error.into()),
            }
        }
        budget.finish(body)
    }

    fn run(
        &self,
        request: &Request,
        caller: &AuthenticatedCaller,
        body: ReceivedBody,
    ) -> Result<JobOutput, RequestError> {
        let Options { spec, call } = request.options.clone();
        let ticket = self.service.submit(caller, body, spec, call.deadline)?;
        let socket = self.transport.socket();
        Ok(ticket.wait(|| matches!(socket.take_error(), Ok(None)))?)
    }

    /// Turns an error of the wire into that of the request, by the current deadline.
    fn wire_error(&mut self, error: WireError) -> RequestError {
        match error {
            WireError::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                let (kind, after) = self.transport.stream().timeout();
                RequestError::Timeout { kind, after }
            }
            WireError::Io(error) => RequestError::Io(error),
            WireError::Truncated { part, got, want } => {
                RequestError::Truncated { part: part.name(), got, want }
            }
            error @ (WireError::TooLong { .. } | WireError::Report(_)) => {
                RequestError::Malformed(error.to_string())
            }
        }
    }

    fn enter_write(&mut self, len: usize) {
        let settings = self.service.settings();
        let total = settings.write_time(len as u64);
        self.transport.stream().enter(TimeoutKind::Write, total, settings.write_timeout);
    }

    /// Refuses a request whose body has not been read, or not to its end. Answers at once, then discards the body so
    /// that the connection stays usable, or closes.
    fn refuse(&mut self, request: &Request, error: &RequestError) -> Result<Next, WireError> {
        let unread = self.unread;
        let next = self.write_error(request, error)?;
        let settings = self.service.settings();
        match next {
            Next::Request if error.keeps_connection() && unread <= settings.max_body => {
                let total = settings.body_time(unread.into());
                self.transport.stream().enter(TimeoutKind::Body, total, settings.stall_timeout);
                wire::skip_body(unread, |most| self.transport.discard(most))?;
                Ok(Next::Request)
            }
            _ => {
                match error {
                    // The peer has had its time, or has left.
                    RequestError::Timeout { .. }
                    | RequestError::Truncated { .. }
                    | RequestError::BrokenBody
                    | RequestError::Io(_) => {}
                    RequestError::Denied(_) => self.linger(LINGER_BYTES),
                    _ => self.linger(LINGER_BYTES + u64::from(unread)),
                }
                Ok(Next::Close)
            }
        }
    }

    /// Reads what the peer still sends, for a short while. Closing with unread bytes would reset the connection before
    /// the peer has read the answer.
    fn linger(&mut self, bytes: u64) {
        self.transport.finish_writing();
        self.transport.stream().enter(TimeoutKind::Body, LINGER, LINGER);
        let most = bytes.min(self.service.settings().max_body.into());
        let _ = io::copy(&mut (&mut self.transport).take(most), &mut io::sink());
    }

    fn answer(&mut self, request: &Request, done: &JobOutput) -> Result<Next, WireError> {
        let report = Report { id: request.options.call.id.clone(), ..done.report() };
        let image = &done.encoded.bytes;
        self.record(request, &report, image.len(), None);
        self.enter_write(image.len());
        match request.header.form {
            Form::Plain => wire::write_plain(&mut self.transport, image)?,
            Form::Extended => wire::write_extended(&mut self.transport, &report, image)?,
        }
        Ok(Next::Request)
    }

    /// Answers a request whose body was read.
    fn answer_error(&mut self, request: &Request, error: &RequestError) -> Result<Next, WireError> {
        if matches!(error, RequestError::Job(JobError::Abandoned)) {
            self.closed(RejectReason::Abandoned, error);
            return Ok(Next::Close);
        }
        let next = self.write_error(request, error)?;
        if matches!(next, Next::Close) {
            self.linger(LINGER_BYTES);
        }
        Ok(next)
    }

    /// Writes an error to the peer, the metrics and the log.
    fn write_error(&mut self, request: &Request, error: &RequestError) -> Result<Next, WireError> {
        let message = error.to_string();
        let report = Report {
            id: request.options.call.id.clone(),
            source_bytes: Some(request.header.body_len.into()),
            ..error.report()
        };
        self.record(request, &report, 0, Some((error.reject_reason(), &message)));
        self.enter_write(message.len());
        match request.header.form {
            Form::Plain => wire::write_plain_failure(&mut self.transport).map(|()| Next::Close),
            Form::Extended => {
                wire::write_failure(&mut self.transport, &report, &message).map(|()| Next::Request)
            }
        }
    }

    fn record(
        &self,
        request: &Request,
        report: &Report,
        bytes_out: usize,
        error: Option<(RejectReason, &str)>,
    ) {
        let token = request.caller.as_ref().and_then(AuthenticatedCaller::token);
        let record = AccessRecord {
            protocol: Protocol::Tcp,
            peer: self.peer.address,
            id: &request.id,
            token: token.map(AsRef::as_ref),
            report,
            bytes_out,
            total: request.arrived.elapsed(),
            error,
            http: None,
        };
        record.write(self.service.metrics());
    }

    fn answer_ping(&mut self, request: &Request) -> Result<Next, WireError> {
        let report = Report { id: request.options.call.id.clone(), ..Report::new(Status::Ok) };
        self.enter_write(0);
        wire::write_extended(&mut self.transport, &report, &[])?;
        Ok(Next::Request)
    }
}
