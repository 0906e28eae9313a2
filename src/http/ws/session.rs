//! `Session`: one connection's images and answers, until either side has had enough.

use crate::engine::{CallerKey, Reservation};
use crate::http::admitted::identify;
use crate::http::connection::UpgradeContext;
use crate::http::deadlines::BusyGuard;
use crate::http::legacy::gray;
use crate::http::ws::ask::{self, Asked, Order, Said};
use crate::http::ws::channel::{Channel, Message};
use crate::http::ws::ended::Ended;
use crate::http::ws::frame::Opcode;
use crate::http::ws::manner::Manner;
use crate::http::ws::picture::{self, Arrived, Begun, Finished, Payload, Teller};
use crate::http::{Failure, HttpState, RequestContext};
use crate::reject_reason::RejectReason;
use crate::report::Report;
use crate::service::Caller;
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

/// One connection.
pub(super) struct Session {
    door: Arc<HttpState>,
    call: Arc<RequestContext>,
    upgrade: UpgradeContext,
    channel: Channel<TokioIo<Upgraded>>,
    manner: Manner,
    caller: Option<Caller>,
    teller: Teller,
    /// What to make of the next image, or why nothing can be made of it.
    asked: Result<Asked, String>,
    /// Images that have come.
    count: u64,
    /// The one for which there is no share yet.
    held: Option<Arrived>,
    running: FuturesUnordered<BoxFuture<'static, Finished>>,
    on_the_way: HashMap<String, CancellationToken>,
    begun: (UnboundedSender<Begun>, UnboundedReceiver<Begun>),
    ready: BTreeMap<u64, Finished>,
    /// The number of the next result, where results keep the order of the images.
    next: u64,
    /// The peer has said that no more images come.
    is_done: bool,
}

impl Session {
    pub(super) fn new(
        door: Arc<HttpState>,
        call: Arc<RequestContext>,
        upgrade: UpgradeContext,
        io: TokioIo<Upgraded>,
        manner: Manner,
        asked: Result<Asked, Failure>,
        caller: Option<Caller>,
    ) -> Session {
        let settings = &door.settings.door;
        let longest = manner.longest(settings.max_body.into(), caller.is_some());
        let channel = Channel::new(io, door.engine.clone(), settings, longest);
        let token = call.token().cloned();
        Session {
            channel,
            manner,
            caller,
            teller: Teller { peer: call.peer, call: call.id().to_owned(), token },
            asked: asked.map_err(|failure| failure.to_string()),
            count: 0,
            held: None,
            running: FuturesUnordered::new(),
            on_the_way: HashMap::new(),
            begun: unbounded_channel(),
            ready: BTreeMap::new(),
            next: 1,
            is_done: false,
            door,
            call,
            upgrade,
        }
    }

    /// Serves the connection to its end.
    pub(super) async fn run(mut self) {
        let door = self.door.clone();
        let metrics = door.engine.metrics();
        let _open = metrics.connections.hold();
        let ended = self.serve().await;
        let given_up = self.running.len() + self.ready.len() + usize::from(self.held.is_some());
        let (code, why) = match &ended {
            Ok(()) => (Some(1000), String::new()),
            Err(ended) => (ended.close_code(), ended.to_string()),
        };
        if let Some(reason) = ended.err().and_then(|ended| ended.reason()) {
            door.service.connection_closed(self.call.peer, reason, &why);
        }
        let Session { channel, running, held, ready, call, .. } = self;
        drop((running, held, ready)); // their memory is of use to others while the peer says farewell
        for _ in 0..given_up {
            door.service.connection_closed(
                call.peer,
                RejectReason::Abandoned,
                "the caller left before the result was ready",
            );
        }
        channel.close(code, &why).await;
    }

    async fn serve(&mut self) -> Result<(), Ended> {
        let opened = Instant::now();
        let settings = &self.door.settings.door;
        let (idle, known_by) = (settings.idle_timeout, opened + settings.header_timeout);
        let door = self.door.clone();
        let upgrade = self.upgrade.clone();
        let (mut in_hand, mut read_at, mut asked_after): (Option<BusyGuard>, _, _) = (None, opened, None);
        let mut is_leaving = false;
        loop {
            self.answer(is_leaving).await?;
            self.start_held();
            let is_empty = self.running.is_empty() && self.ready.is_empty() && self.held.is_none();
            match (is_empty, is_leaving) {
                (true, true) => return Err(Ended::Stopping),
                (true, false) if self.is_done => return Ok(()),
                (true, false) => in_hand = None,
                (false, _) => {
                    in_hand.get_or_insert_with(|| upgrade.busy());
                }
            }
            let may_read = self.held.is_none() && !is_leaving;
            if !may_read {
                read_at = Instant::now();
            }
            let heard = self.channel.heard().into_std().max(read_at);
            let silent_until = match asked_after {
                Some(since) if since >= heard => heard + idle,
                _ => heard + idle / 3,
            };
            tokio::select! {
                message = self.channel.next(), if may_read => self.take(message?).await?,
                Some(finished) = self.running.next() => {
                    self.on_the_way.remove(&finished.id);
                    self.ready.insert(finished.number, finished);
                }
                Some(begun) = self.begun.1.recv() => self.tell(&begun.id, "processing").await?,
                () = sleep_until(silent_until.into()), if may_read => {
                    if self.channel.heard().into_std() > heard {
                        continue; // a pong, of which nothing is told
                    }
                    if silent_until >= heard + idle {
                        return Err(Ended::Silent);
                    }
                    asked_after = Some(Instant::now());
                    self.channel.ping().await?;
                }
                () = sleep_until(known_by.into()), if self.caller.is_none() => return Err(Ended::Unauthorized),
                () = door.stopping.cancelled(), if !is_leaving => is_leaving = true,
                () = upgrade.evicted() => return Err(Ended::PutOut),
            }
        }
    }

    /// Acts on what the peer said.
    async fn take(&mut self, message: Message) -> Result<(), Ended> {
        match message {
            Message::Ping(payload) => self.channel.pong(&payload).await,
            Message::Close(code) => Err(Ended::Closed(code)),
            Message::Begun(opcode) => {
                self.look_ahead(opcode);
                Ok(())
            }
            _ if self.is_done => self.refuse("nothing more is taken after 'done'").await,
            Message::Text(text, memory) => match self.manner {
                _ if self.caller.is_none() => self.hear(&text).await,
                Manner::Gray => self.arrive(Payload::Base64(text), memory).await,
                Manner::Upload if text.trim() == "done" => {
                    self.is_done = true;
                    Ok(())
                }
                Manner::Pictures | Manner::Upload => self.hear(&text).await,
            },
            Message::Binary(..) if self.caller.is_none() => Err(Ended::Unauthorized),
            Message::Binary(bytes, memory) => self.arrive(Payload::Image(bytes), memory).await,
            Message::Unkept(opcode, error) => {
                if !self.manner.is_image(opcode) {
                    return self.fail(None, &error.into()).await;
                }
                self.turn_away(error.into());
                Ok(())
            }
        }
    }

    /// Says `busy` to an image that would not be queued, before it is read. One that has to wait for the connection's
    /// own images is not judged before its turn.
    fn look_ahead(&mut self, opcode: Opcode) {
        let Ok(asked) = &self.asked else { return };
        let is_next = self.running.len() < self.share(asked.order);
        if self.manner.is_image(opcode)
            && is_next
            && !self.is_done
            && let Some(caller) = &self.caller
            && let Err(busy) = self.door.engine.admit(CallerKey::of(caller))
        {
            self.channel.pass_over();
            self.turn_away(busy.into());
        }
    }

    /// Has an answer ready for an image that is not taken in.
    fn turn_away(&mut self, why: Failure) {
        let (number, id) = self.number();
        self.ready.insert(number, Finished { number, id, at: Instant::now(), outcome: Err(why) });
    }

    /// Acts on a text that is no image.
    async fn hear(&mut self, text: &str) -> Result<(), Ended> {
        match ask::read(&self.door.settings.door.policy, text) {
            Ok(Said::Options(mut asked)) => {
                if self.caller.is_none() {
                    let token = asked.token.as_ref().map(|token| token.0.as_str());
                    match identify(&self.door, &self.call, token) {
                        Ok(caller) => self.know(caller),
                        Err(failure) => {
                            self.fail(None, &failure).await?;
                            return Err(Ended::Unauthorized);
                        }
                    }
                }
                asked.token = None;
                if self.manner != Manner::Gray {
                    self.asked = Ok(*asked);
                }
                Ok(())
            }
            _ if self.caller.is_none() => Err(Ended::Unauthorized),
            Ok(Said::Cancel(id)) => {
                match (self.on_the_way.get(&id), &self.held) {
                    (Some(given_up), _) => given_up.cancel(),
                    (None, Some(held)) if held.id == id => held.given_up.cancel(),
                    (None, _) => {} // its answer is on the way
                }
                Ok(())
            }
            Err(failure) => {
                // An image that was meant for these options must not be made by others.
                self.asked = Err(format!("the options before this image were refused: {failure}"));
                self.fail(None, &failure).await
            }
        }
    }

    /// From now on the peer is somebody.
    fn know(&mut self, caller: Caller) {
        self.caller = Some(caller);
        self.teller.token = self.call.token().cloned();
        self.channel.longest = self.manner.longest(self.door.settings.door.max_body.into(), true);
    }

    /// Takes in an image.
    async fn arrive(&mut self, payload: Payload, memory: Reservation) -> Result<(), Ended> {
        let bytes = match &payload {
            Payload::Image(bytes) => bytes.len(),
            Payload::Base64(text) => text.len(),
        };
        self.door.engine.metrics().bytes_in.add(bytes as u64);
        let (number, id) = self.number();
        self.teller.received(&id, bytes);
        let at = Instant::now();
        let refused = match &self.asked {
            Ok(_) if self.on_the_way.contains_key(&id) => {
                Failure::BadRequest(format!("an image of the id '{id}' is on its way already"))
            }
            Ok(asked) => {
                let (asked, given_up) = (asked.clone(), CancellationToken::new());
                let tells_progress = asked.tells_progress;
                if tells_progress {
                    self.tell(&id, "received").await?;
                }
                self.held = Some(Arrived { number, id, payload, memory, asked, at, given_up });
                return Ok(());
            }
            Err(why) => Failure::BadRequest(why.clone()),
        };
        self.ready.insert(number, Finished { number, id, at, outcome: Err(refused) });
        Ok(())
    }

    /// The next image's number and id.
    fn number(&mut self) -> (u64, String) {
        let said = self.asked.as_mut().ok().and_then(|asked| asked.id.take());
        self.count += 1;
        (self.count, said.unwrap_or_else(|| self.count.to_string()))
    }

    /// How many of the connection's images may be in the engine.
    fn share(&self, order: Order) -> usize {
        self.manner.share(order, self.door.engine.settings().workers)
    }

    /// Gives the image that is held to the engine, if the connection's share has room for it.
    fn start_held(&mut self) {
        let Some(order) = self.held.as_ref().map(|held| held.asked.order) else { return };
        if self.running.len() >= self.share(order) {
            return;
        }
        let Some((held, caller)) = self.held.take().zip(self.caller.clone()) else { return };
        self.on_the_way.insert(held.id.clone(), held.given_up.clone());
        self.running.push(Box::pin(picture::process(self.door.clone(), caller, held, self.begun.0.clone())));
    }

    /// Sends what is ready and due.
    async fn answer(&mut self, is_leaving: bool) -> Result<(), Ended> {
        while let Some(finished) = self.due(is_leaving) {
            self.send(finished).await?;
        }
        Ok(())
    }

    /// The next result to be sent. Whoever uploads may not read before it has said `done`: until then its
    /// results are kept, as far as they take no more memory than one image may.
    fn due(&mut self, is_leaving: bool) -> Option<Finished> {
        if self.manner != Manner::Upload {
            return self.ready.pop_first().map(|(_, finished)| finished);
        }
        let length =
            |finished: &Finished| finished.outcome.as_ref().map_or(0, |done| done.encoded.bytes.len());
        let kept: usize = self.ready.values().map(length).sum();
        if !self.is_done && !is_leaving && kept as u64 <= u64::from(self.door.settings.door.max_body) {
            return None;
        }
        let finished = self.ready.remove(&self.next)?;
        self.next += 1;
        Some(finished)
    }

    /// Sends one result, or why there is none.
    async fn send(&mut self, mut finished: Finished) -> Result<(), Ended> {
        let text = match &mut finished.outcome {
            Ok(done) if self.manner == Manner::Gray => {
                gray::text(&self.door.engine, &done.encoded.bytes, &mut done.memory).map(Some)
            }
            _ => Ok(None),
        };
        let text = text.unwrap_or_else(|failure| {
            finished.outcome = Err(failure);
            None
        });
        let id = finished.id.clone();
        let report = match &finished.outcome {
            Ok(done) => Report { id: Some(id.clone()), ..done.report() },
            Err(failure) => failure.report(),
        };
        let length = match (&finished.outcome, &text) {
            (Ok(_), Some(text)) => text.len(),
            (Ok(done), None) => done.encoded.bytes.len(),
            (Err(_), _) => 0,
        };
        self.teller.processed(&self.door, &finished, &report, length);
        match (&finished.outcome, text) {
            (Err(failure), _) => self.fail(Some(&id), failure).await,
            (Ok(_), Some(text)) => self.channel.text(&text).await,
            (Ok(done), None) => {
                let image = (Opcode::Binary, done.encoded.bytes.as_slice());
                if self.manner == Manner::Upload {
                    return self.channel.send(&[image]).await;
                }
                let mut told = report.to_json();
                told["type"] = json!("report");
                told["bytes"] = json!(length);
                self.channel.send(&[(Opcode::Text, told.to_string().as_bytes()), image]).await
            }
        }
    }

    /// Tells a step of an image.
    async fn tell(&mut self, id: &str, step: &str) -> Result<(), Ended> {
        let queued = self.door.engine.load().queue_depth;
        let told = json!({ "type": "progress", "id": id, "step": step, "queue": queued });
        self.channel.text(&told.to_string()).await
    }

    /// Tells why there is no result, or why a text was refused.
    async fn fail(&mut self, id: Option<&str>, failure: &Failure) -> Result<(), Ended> {
        let mut told = failure.to_json(id.unwrap_or_default());
        told["type"] = json!("error");
        if id.is_none() {
            told["id"] = Value::Null;
        }
        self.channel.text(&told.to_string()).await
    }

    async fn refuse(&mut self, why: &str) -> Result<(), Ended> {
        self.fail(None, &Failure::BadRequest(why.into())).await
    }
}
