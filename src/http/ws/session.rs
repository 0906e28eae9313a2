//! `Session`: the images and answers of one connection, until either side ends it.

use crate::engine::Reservation;
use crate::http::connection::UpgradeContext;
use crate::http::deadlines::BusyGuard;
use crate::http::ws::close_reason::CloseReason;
use crate::http::ws::command::{self, Command, ImageRequest, Order};
use crate::http::ws::endpoint::Endpoint;
use crate::http::ws::frame::Opcode;
use crate::http::ws::image::{self, ArrivedImage, FinishedImage, ImageLabel, ImageLog, Payload};
use crate::http::ws::reader::{Message, MessageReader};
use crate::http::ws::writer::MessageWriter;
use crate::http::{HttpState, RequestContext, error};
use crate::metrics::Protocol;
use crate::report::Report;
use crate::service::{AuthenticatedCaller, RequestError};
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

/// Most results that wait for `done`.
const MAX_WAITING: usize = 256;

type Io = TokioIo<Upgraded>;

/// One connection.
pub(super) struct Session {
    state: Arc<HttpState>,
    context: Arc<RequestContext>,
    upgrade: UpgradeContext,
    reader: MessageReader<ReadHalf<Io>>,
    writer: MessageWriter<WriteHalf<Io>>,
    endpoint: Endpoint,
    caller: Option<AuthenticatedCaller>,
    log: ImageLog,
    /// Options of the next image, or the reason why it is refused.
    request: Result<ImageRequest, String>,
    /// Images that have arrived.
    count: u64,
    /// An image that waits for a share of the engine.
    held: Option<ArrivedImage>,
    running: FuturesUnordered<BoxFuture<'static, FinishedImage>>,
    in_flight: HashMap<String, CancellationToken>,
    started: (UnboundedSender<String>, UnboundedReceiver<String>),
    ready: ReadyImages,
    /// The peer has said that no more images come.
    is_done: bool,
    /// Why the peer of an upload is gone. Its images are finished and logged all the same.
    left: Option<CloseReason>,
}

/// Results and refusals that are not sent yet.
#[derive(Debug)]
struct ReadyImages {
    by_number: BTreeMap<u64, FinishedImage>,
    /// Bytes of all results.
    bytes: usize,
    /// Number of the next image, where results keep the order of the images.
    next: u64,
    /// Since when there have been any.
    since: Option<Instant>,
}

impl ReadyImages {
    fn insert(&mut self, image: FinishedImage) {
        self.bytes += image.len();
        self.since.get_or_insert_with(Instant::now);
        self.by_number.insert(image.label.number, image);
    }

    /// Takes the first one, or only the next in the order of the images.
    fn take(&mut self, in_order: bool) -> Option<FinishedImage> {
        let (number, _) = self.by_number.first_key_value()?;
        if in_order && *number != self.next {
            return None;
        }
        let (number, image) = self.by_number.pop_first()?;
        self.next = number + 1;
        self.bytes -= image.len();
        if self.by_number.is_empty() {
            self.since = None;
        }
        Some(image)
    }
}

impl Session {
    pub(super) fn new(
        state: Arc<HttpState>,
        context: Arc<RequestContext>,
        upgrade: UpgradeContext,
        io: Io,
        endpoint: Endpoint,
        request: Result<ImageRequest, RequestError>,
        caller: Option<AuthenticatedCaller>,
    ) -> Session {
        let settings = state.service.settings();
        let (read, write) = tokio::io::split(io);
        let limits = endpoint.limits(settings.max_body.into(), caller.is_some());
        let log = ImageLog {
            peer: context.peer.address,
            connection_id: context.id().to_owned(),
            token: context.token().cloned(),
        };
        // Before its token a client is a stranger among strangers, who may send little.
        let key = caller.as_ref().map(AuthenticatedCaller::key).unwrap_or_default();
        let memory = state.service.memory().clone();
        Session {
            reader: MessageReader::new(read, memory, key, settings, limits),
            writer: MessageWriter::new(write, settings),
            endpoint,
            caller,
            log,
            request: request.map_err(|error| error.to_string()),
            count: 0,
            held: None,
            running: FuturesUnordered::new(),
            in_flight: HashMap::new(),
            started: unbounded_channel(),
            ready: ReadyImages { by_number: BTreeMap::new(), bytes: 0, next: 1, since: None },
            is_done: false,
            left: None,
            state,
            context,
            upgrade,
        }
    }

    /// Serves the connection to its end.
    pub(super) async fn run(mut self) {
        let state = self.state.clone();
        let service = &state.service;
        let _open = service.metrics().connections.hold();
        let end = self.serve().await;
        let abandoned = self.running.len() + self.ready.by_number.len() + usize::from(self.held.is_some());
        let (code, message) = match &end {
            Ok(()) => (Some(1000), String::new()),
            Err(reason) => (reason.close_code(), reason.to_string()),
        };
        let peer = self.context.peer.address;
        if let Some(reason) = end.err().and_then(|reason| reason.reject_reason()) {
            service.connection_closed(peer, reason, &message);
        }
        let Session { writer, running, held, ready, context, .. } = self;
        drop((running, held, ready)); // releases their memory before the close handshake
        for _ in 0..abandoned {
            service.client_left(Protocol::WebSocket, peer, context.id());
        }
        writer.close(code, &message).await;
    }

    async fn serve(&mut self) -> Result<(), CloseReason> {
        let opened = Instant::now();
        let state = self.state.clone();
        let settings = state.service.settings();
        let (idle, authenticated_by) = (settings.idle_timeout, opened + settings.header_timeout);
        let upgrade = self.upgrade.clone();
        let (mut busy, mut read_at, mut pinged): (Option<BusyGuard>, _, _) = (None, opened, None);
        let mut is_leaving = false;
        loop {
            self.send_due(is_leaving).await?;
            self.start_held();
            let is_empty = self.running.is_empty() && self.ready.by_number.is_empty() && self.held.is_none();
            match (is_empty, self.left.take(), is_leaving) {
                (true, Some(left), _) => return Err(left),
                (true, None, true) => return Err(CloseReason::Stopping),
                (true, None, false) if self.is_done => return Ok(()),
                (true, None, false) => busy = None,
                (false, left, _) => {
                    self.left = left;
                    busy.get_or_insert_with(|| upgrade.busy());
                }
            }
            let may_read = self.held.is_none() && !is_leaving && self.left.is_none();
            if !may_read {
                read_at = Instant::now();
            }
            let last_read = self.reader.last_read().into_std().max(read_at);
            let silent_until = match pinged {
                Some(since) if since >= last_read => last_read + idle,
                _ => last_read + idle / 3,
            };
            let send_at = self.waits_until();
            tokio::select! {
                message = self.reader.next(), if may_read => match message {
                    Ok(message) => self.handle(message).await?,
                    Err(reason) => self.end_reading(reason)?,
                },
                Some(image) = self.running.next() => {
                    self.in_flight.remove(&image.label.id);
                    self.ready.insert(image);
                }
                Some(id) = self.started.1.recv() => self.report_step(&id, "processing").await?,
                () = sleep_until(silent_until.into()), if may_read => {
                    if self.reader.last_read().into_std() > last_read {
                        continue; // a pong, which is no message
                    }
                    if silent_until >= last_read + idle {
                        return Err(CloseReason::Silent);
                    }
                    pinged = Some(Instant::now());
                    self.write(&[(Opcode::Ping, b"")]).await?;
                }
                () = sleep_until(send_at.unwrap_or(opened).into()), if send_at.is_some() => {}
                () = sleep_until(authenticated_by.into()), if self.caller.is_none() => {
                    return Err(CloseReason::Unauthorized);
                }
                () = state.stopping.cancelled(), if !is_leaving => is_leaving = true,
                () = upgrade.evicted() => return Err(CloseReason::Evicted),
            }
        }
    }

    /// Ends the conversation, or, once an upload is complete, the reading alone.
    fn end_reading(&mut self, reason: CloseReason) -> Result<(), CloseReason> {
        let has_left = matches!(reason, CloseReason::Gone | CloseReason::Closed(_));
        if self.endpoint == Endpoint::Upload && self.is_done && has_left {
            self.left = Some(reason);
            return Ok(());
        }
        Err(reason)
    }

    /// Acts on a message.
    async fn handle(&mut self, message: Message) -> Result<(), CloseReason> {
        match message {
            Message::Ping(payload) => self.write(&[(Opcode::Pong, &payload)]).await,
            Message::Close(code) => self.end_reading(CloseReason::Closed(code)),
            Message::Started(opcode) => {
                self.admit(opcode);
                Ok(())
            }
            _ if self.is_done => self.refuse("nothing more is taken after 'done'").await,
            Message::Text(text, memory) => match self.endpoint {
                _ if self.caller.is_none() => self.handle_text(&text).await,
                #[cfg(feature = "legacy")]
                Endpoint::Gray => self.arrive(Payload::Base64(text), memory).await,
                Endpoint::Upload if text.trim() == "done" => {
                    self.is_done = true;
                    Ok(())
                }
                Endpoint::Images | Endpoint::Upload => {
                    drop(memory);
                    self.handle_text(&text).await
                }
            },
            Message::Binary(..) if self.caller.is_none() => Err(CloseReason::Unauthorized),
            Message::Binary(bytes, memory) => self.arrive(Payload::Image(bytes), memory).await,
            Message::NoMemory(opcode, error) => {
                if !self.endpoint.is_image(opcode) {
                    return self.report_error(None, &error).await;
                }
                self.reject(error);
                Ok(())
            }
        }
    }

    /// Refuses an image that would not be queued before it is read. One that waits for the connection's own images is
    /// judged when its turn comes.
    fn admit(&mut self, opcode: Opcode) {
        let Ok(request) = &self.request else { return };
        let is_next = self.running.len() < self.share(request.order);
        if self.endpoint.is_image(opcode)
            && is_next
            && !self.is_done
            && let Some(caller) = &self.caller
            && let Err(busy) = self.state.service.engine().admit(caller.key())
        {
            self.reader.discard();
            self.reject(busy.into());
        }
    }

    /// Answers an image that is not processed.
    fn reject(&mut self, error: RequestError) {
        let label = self.label();
        self.ready.insert(FinishedImage { label, result: Err(error) });
    }

    /// Acts on a text that is not an image.
    async fn handle_text(&mut self, text: &str) -> Result<(), CloseReason> {
        match command::parse(&self.state.service.settings().policy.current(), text) {
            Ok(Command::Options(mut request)) => {
                if self.caller.is_none() {
                    let token = request.token.as_ref().map(|token| token.0.as_str());
                    match self.state.service.connect(self.context.peer, token) {
                        Ok(caller) => self.authenticated(caller),
                        Err(error) => {
                            self.report_error(None, &error).await?;
                            return Err(CloseReason::Unauthorized);
                        }
                    }
                }
                request.token = None;
                if !self.endpoint.is_base64() {
                    self.request = Ok(*request);
                }
                Ok(())
            }
            _ if self.caller.is_none() => Err(CloseReason::Unauthorized),
            Ok(Command::Cancel(id)) => {
                match (self.in_flight.get(&id), &self.held) {
                    (Some(cancelled), _) => cancelled.cancel(),
                    (None, Some(held)) if held.label.id == id => held.cancelled.cancel(),
                    (None, _) => {} // its answer is ready
                }
                Ok(())
            }
            Err(error) => {
                // An image that was meant for these options must not be processed with others.
                self.request = Err(format!("the options before this image were refused: {error}"));
                self.report_error(None, &error).await
            }
        }
    }

    fn authenticated(&mut self, caller: AuthenticatedCaller) {
        self.context.set_token(&caller);
        self.log.token = self.context.token().cloned();
        self.reader.limits = self.endpoint.limits(self.state.service.settings().max_body.into(), true);
        self.reader.caller = caller.key();
        self.caller = Some(caller);
    }

    /// Accepts an image that has arrived.
    async fn arrive(&mut self, payload: Payload, memory: Reservation) -> Result<(), CloseReason> {
        self.state.service.metrics().bytes_in.add(payload.len() as u64);
        let label = self.label();
        self.log.received(&label, payload.len());
        let refusal = match &self.request {
            Ok(_) if self.in_flight.contains_key(&label.id) => {
                format!("an image of the id '{}' is in flight already", label.id)
            }
            Ok(request) => {
                let (request, cancelled) = (request.clone(), CancellationToken::new());
                if request.reports_progress {
                    self.report_step(&label.id, "received").await?;
                }
                self.held = Some(ArrivedImage { label, payload, memory, request, cancelled });
                return Ok(());
            }
            Err(message) => message.clone(),
        };
        self.ready.insert(FinishedImage { label, result: Err(RequestError::Malformed(refusal)) });
        Ok(())
    }

    /// Number, id and times of the image that arrives now.
    fn label(&mut self) -> ImageLabel {
        self.count += 1;
        let request = self.request.as_mut().ok();
        let order = request.as_ref().map_or(Order::Parallel, |request| request.order);
        let id = request.and_then(|request| request.id.take()).unwrap_or_else(|| self.count.to_string());
        let (received, received_at) = (Instant::now(), SystemTime::now());
        ImageLabel { number: self.count, id, received, received_at, order }
    }

    /// Most images of the connection in the engine.
    fn share(&self, order: Order) -> usize {
        self.endpoint.share(order, self.state.service.engine().settings().workers)
    }

    /// Starts the image that is held, if the connection's share has room for it.
    fn start_held(&mut self) {
        let Some(order) = self.held.as_ref().map(|held| held.request.order) else { return };
        if self.running.len() >= self.share(order) {
            return;
        }
        let Some((held, caller)) = self.held.take().zip(self.caller.clone()) else { return };
        self.in_flight.insert(held.label.id.clone(), held.cancelled.clone());
        self.running.push(Box::pin(image::process(self.state.clone(), caller, held, self.started.0.clone())));
    }

    /// The moment until which the results of an upload wait for `done`. A client may read only after it has said so,
    /// but results hold memory: there are limits to their number, their bytes and their time.
    fn waits_until(&self) -> Option<Instant> {
        if self.endpoint != Endpoint::Upload || self.is_done {
            return None;
        }
        let settings = self.state.service.settings();
        let is_full = self.ready.by_number.len() > MAX_WAITING
            || self.ready.bytes as u64 > u64::from(settings.max_body);
        self.ready.since.map(|since| if is_full { since } else { since + settings.body_timeout })
    }

    /// Sends the results that are ready and due.
    async fn send_due(&mut self, is_leaving: bool) -> Result<(), CloseReason> {
        let in_order = self.endpoint == Endpoint::Upload;
        loop {
            let waits = !is_leaving && self.waits_until().is_some_and(|until| until > Instant::now());
            if waits {
                return Ok(());
            }
            match self.ready.take(in_order) {
                Some(image) => self.send(image).await?,
                None => return Ok(()),
            }
        }
    }

    /// Sends one result, or the reason why there is none.
    async fn send(&mut self, mut image: FinishedImage) -> Result<(), CloseReason> {
        let text = self.encode_text(&mut image);
        let id = image.label.id.clone();
        let report = match &image.result {
            Ok(done) => Report { id: Some(id.clone()), ..done.report() },
            Err(error) => error.report(),
        };
        let length = text.as_ref().map_or(image.len(), String::len);
        self.log.finished(&self.state, &image, &report, length);
        match (&image.result, text) {
            (Err(error), _) => {
                self.report_error(Some(&id), error).await?;
                match error {
                    RequestError::Denied(_) => Err(CloseReason::Unauthorized),
                    _ => Ok(()),
                }
            }
            (Ok(_), Some(text)) => self.write(&[(Opcode::Text, text.as_bytes())]).await,
            (Ok(done), None) => {
                let result = (Opcode::Binary, done.encoded.bytes.as_slice());
                if self.endpoint == Endpoint::Upload {
                    return self.write(&[result]).await;
                }
                let mut object = report.to_json();
                object["type"] = json!("report");
                object["bytes"] = json!(length);
                self.write(&[(Opcode::Text, object.to_string().as_bytes()), result]).await
            }
        }
    }

    /// The result as base64, where the endpoint answers so.
    fn encode_text(&self, image: &mut FinishedImage) -> Option<String> {
        #[cfg(feature = "legacy")]
        if self.endpoint.is_base64()
            && let Ok(done) = &mut image.result
        {
            let encoded =
                crate::http::legacy::gray::encode(&self.state.service, &done.encoded.bytes, &mut done.memory);
            match encoded {
                Ok(text) => return Some(text),
                Err(error) => image.result = Err(error),
            }
        }
        let _ = image;
        None
    }

    /// Reports a step of an image.
    async fn report_step(&mut self, id: &str, step: &str) -> Result<(), CloseReason> {
        let queued = self.state.service.engine().load().queue_depth;
        let object = json!({ "type": "progress", "id": id, "step": step, "queue": queued });
        self.write(&[(Opcode::Text, object.to_string().as_bytes())]).await
    }

    /// Reports why an image has no result, or why a text was refused.
    async fn report_error(&mut self, id: Option<&str>, error: &RequestError) -> Result<(), CloseReason> {
        let mut object = error::to_json(error, id.unwrap_or_default());
        object["type"] = json!("error");
        if id.is_none() {
            object["id"] = Value::Null;
        }
        self.write(&[(Opcode::Text, object.to_string().as_bytes())]).await
    }

    async fn refuse(&mut self, message: &str) -> Result<(), CloseReason> {
        self.report_error(None, &RequestError::Malformed(message.into())).await
    }

    /// Writes messages. The time counts neither for nor against the message that the peer is sending.
    async fn write(&mut self, messages: &[(Opcode, &[u8])]) -> Result<(), CloseReason> {
        if self.left.is_some() {
            return Ok(());
        }
        let start = Instant::now();
        self.reader.pause();
        let written = self.writer.send(messages).await;
        self.reader.resume(start.elapsed());
        match written {
            Err(CloseReason::Gone) if self.endpoint == Endpoint::Upload && self.is_done => {
                self.left = Some(CloseReason::Gone);
                Ok(())
            }
            written => written,
        }
    }
}
