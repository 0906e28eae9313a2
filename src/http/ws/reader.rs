//! `MessageReader`: messages from one peer. Memory is reserved as the bytes arrive; messages that are too long or too
//! slow, and floods of empty frames, end the conversation.

use crate::engine::{CallerKey, Reservation};
use crate::http::ws::close_reason::{CloseReason, IDLE_FRAMES};
use crate::http::ws::frame::{self, Head, Opcode, Violation};
use crate::service::memory::{ArrivingMemory, MemoryShares};
use crate::service::{RequestError, ServiceSettings, transfer_time};
use bytes::{Buf, Bytes, BytesMut};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// Bytes read at a time.
const READ_BYTES: usize = 16 << 10;

/// A message of the peer.
#[derive(Debug)]
pub(super) enum Message {
    /// A text or an image begins: [`MessageReader::discard`] drops the rest of it.
    Started(Opcode),
    Text(String, Reservation),
    Binary(Vec<u8>, Reservation),
    /// There is no memory for the message that is coming, or no longer; the rest of it is discarded.
    NoMemory(Opcode, RequestError),
    Ping(Bytes),
    Close(Option<u16>),
}

/// Longest messages, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct MessageLimits {
    pub(super) text: u64,
    pub(super) binary: u64,
}

/// Reads the messages of one peer.
#[derive(Debug)]
pub(super) struct MessageReader<R> {
    io: R,
    shares: Arc<MemoryShares>,
    /// Who holds the memory of the messages.
    pub(super) caller: CallerKey,
    /// Notified when a message has to give way.
    cut: Arc<Notify>,
    pub(super) limits: MessageLimits,
    body: Duration,
    stall: Duration,
    received: BytesMut,
    /// The frame whose payload is being read, and the bytes of it that have been.
    frame: Option<(Head, u64)>,
    message: Option<PartialMessage>,
    last_read: Instant,
    /// Frames without payload, since this moment.
    idle_frames: (Instant, u32),
}

/// A message of which a part has arrived.
#[derive(Debug)]
struct PartialMessage {
    opcode: Opcode,
    bytes: Vec<u8>,
    length: u64,
    memory: ArrivingMemory,
    is_discarded: bool,
    started: Instant,
    last_read: Instant,
}

impl<R: AsyncRead + Unpin> MessageReader<R> {
    pub(super) fn new(
        io: R,
        shares: Arc<MemoryShares>,
        caller: CallerKey,
        settings: &ServiceSettings,
        limits: MessageLimits,
    ) -> MessageReader<R> {
        let now = Instant::now();
        MessageReader {
            io,
            shares,
            caller,
            cut: Arc::default(),
            limits,
            body: settings.body_timeout,
            stall: settings.stall_timeout,
            received: BytesMut::new(),
            frame: None,
            message: None,
            last_read: now,
            idle_frames: (now, 0),
        }
    }

    /// The moment at which the last byte arrived.
    pub(super) fn last_read(&self) -> Instant {
        self.last_read
    }

    /// The next message. May be dropped and called again: nothing is lost.
    ///
    /// # Errors
    /// [`CloseReason`].
    pub(super) async fn next(&mut self) -> Result<Message, CloseReason> {
        loop {
            if let Some(message) = self.parse()? {
                return Ok(message);
            }
            if let Some(message) = self.message.as_mut().filter(|message| !message.is_discarded)
                && let Err(gave_way) = message.memory.check()
            {
                message.discard();
                return Ok(Message::NoMemory(message.opcode, gave_way));
            }
            self.received.reserve(READ_BYTES);
            let deadline = self.message.as_ref().map(|message| {
                let total = transfer_time(self.body, message.length);
                (message.started + total).min(message.last_read + self.stall)
            });
            let read = self.io.read_buf(&mut self.received);
            let in_time = async {
                match deadline {
                    Some(deadline) => timeout_at(deadline, read).await.map_err(|_| CloseReason::SlowMessage),
                    None => Ok(read.await),
                }
            };
            let read = tokio::select! {
                read = in_time => read?,
                () = self.cut.notified() => continue,
            };
            if read.map_err(|_| CloseReason::Gone)? == 0 {
                return Err(CloseReason::Gone);
            }
            self.last_read = Instant::now();
        }
    }

    /// Takes the next message out of the received bytes, if all of it is there.
    fn parse(&mut self) -> Result<Option<Message>, CloseReason> {
        loop {
            let (head, done) = match self.frame.take() {
                Some(frame) => frame,
                None => {
                    let Some((head, length)) = Head::parse(&self.received)? else { return Ok(None) };
                    self.admit(&head)?;
                    self.received.advance(length);
                    if matches!(head.opcode, Opcode::Text | Opcode::Binary) {
                        self.frame = Some((head, 0));
                        return Ok(Some(Message::Started(head.opcode)));
                    }
                    (head, 0)
                }
            };
            let left = usize::try_from(head.length - done).unwrap_or(usize::MAX);
            let part = left.min(self.received.len());
            if head.opcode.is_control() {
                if part < left {
                    self.frame = Some((head, done));
                    return Ok(None);
                }
                let mut payload = self.received.split_to(part);
                frame::unmask(&mut payload, head.mask, 0);
                match head.opcode {
                    Opcode::Ping => return Ok(Some(Message::Ping(payload.freeze()))),
                    Opcode::Close => return Ok(Some(Message::Close(close_code(&payload)?))),
                    _ => continue, // a pong only shows that the peer is there
                }
            }
            let Some(message) = &mut self.message else { return Err(Violation::NothingToContinue.into()) };
            let mut payload = self.received.split_to(part);
            frame::unmask(&mut payload, head.mask, done);
            let kept = message.extend(&payload, head.length - done);
            let (opcode, is_whole) = (message.opcode, part == left);
            if !is_whole {
                self.frame = Some((head, done + part as u64));
            }
            let ended = self.message.take_if(|_| is_whole && head.is_last);
            if let Err(refused) = kept {
                return Ok(Some(Message::NoMemory(opcode, refused)));
            }
            match ended {
                Some(message) if !message.is_discarded => return message.finish().map(Some),
                None if !is_whole => return Ok(None),
                _ => {}
            }
        }
    }

    /// Discards the message that is coming: the rest of it is read and dropped.
    pub(super) fn discard(&mut self) {
        if let Some(message) = &mut self.message {
            message.discard();
        }
    }

    /// Checks the head of a frame against the limits, before its payload.
    fn admit(&mut self, head: &Head) -> Result<(), CloseReason> {
        let now = Instant::now();
        // The last fragment is often empty.
        let is_last_fragment = head.opcode == Opcode::Continuation && head.is_last;
        let carries_nothing = head.opcode.is_control() || (head.length == 0 && !is_last_fragment);
        if carries_nothing {
            let (since, count) = &mut self.idle_frames;
            if now - *since >= Duration::from_secs(1) {
                (*since, *count) = (now, 0);
            }
            *count += 1;
            if *count > IDLE_FRAMES {
                return Err(CloseReason::Flood);
            }
        }
        match (head.opcode, &self.message) {
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => return Ok(()),
            (Opcode::Text | Opcode::Binary, Some(_)) => return Err(Violation::Interleaved.into()),
            (Opcode::Continuation, None) => return Err(Violation::NothingToContinue.into()),
            (Opcode::Continuation, Some(_)) => {}
            (opcode @ (Opcode::Text | Opcode::Binary), None) => {
                let (memory, cut) = (self.shares.arriving(self.caller, now.into_std()), self.cut.clone());
                memory.on_cut(move || cut.notify_one());
                self.message = Some(PartialMessage {
                    opcode,
                    bytes: Vec::new(),
                    length: 0,
                    memory,
                    is_discarded: false,
                    started: now,
                    last_read: now,
                });
            }
        }
        let Some(message) = &self.message else { return Ok(()) };
        let max = match message.opcode {
            Opcode::Text => self.limits.text,
            _ => self.limits.binary,
        };
        if message.length.saturating_add(head.length) > max {
            Err(CloseReason::TooLong { max })
        } else {
            Ok(())
        }
    }

    /// Notes that the message that is coming is not read for a while, which is not the peer's fault.
    pub(super) fn pause(&self) {
        if let Some(message) = &self.message {
            message.memory.pause();
        }
    }

    /// Goes on after a pause: extends the deadlines of the message that is coming by its time.
    pub(super) fn resume(&mut self, time: Duration) {
        if let Some(message) = &mut self.message {
            message.memory.resume(Instant::now().into_std());
            message.started += time;
            message.last_read += time;
        }
    }
}

impl PartialMessage {
    fn discard(&mut self) {
        self.is_discarded = true;
        self.bytes = Vec::new();
        self.memory.release();
    }

    /// Appends a part of a frame of which `left` bytes are still to come, this part included. Without memory for it the
    /// message is discarded.
    fn extend(&mut self, part: &[u8], left: u64) -> Result<(), RequestError> {
        self.length += part.len() as u64;
        if !part.is_empty() {
            self.last_read = Instant::now();
        }
        if self.is_discarded {
            return Ok(());
        }
        let now = Instant::now().into_std();
        if let Err(refused) = self.memory.grow(part.len() as u64, self.length, self.length, now) {
            self.discard();
            return Err(refused);
        }
        let (have, need) = (self.bytes.capacity(), self.bytes.len() + part.len());
        if need > have {
            // The announced length counts once half of it has arrived.
            let announced = self.bytes.len().saturating_add(usize::try_from(left).unwrap_or(usize::MAX));
            self.bytes.reserve_exact(announced.clamp(need, 2 * need) - self.bytes.len());
        }
        self.bytes.extend_from_slice(part);
        Ok(())
    }

    fn finish(self) -> Result<Message, CloseReason> {
        let PartialMessage { opcode, bytes, memory, .. } = self;
        let memory = match memory.finish(bytes.len() as u64, Instant::now().into_std()) {
            Ok(memory) => memory,
            Err(refused) => return Ok(Message::NoMemory(opcode, refused)),
        };
        if opcode == Opcode::Text {
            let text = String::from_utf8(bytes).map_err(|_| CloseReason::NotUtf8)?;
            return Ok(Message::Text(text, memory));
        }
        Ok(Message::Binary(bytes, memory))
    }
}

/// The code of a peer's close frame.
fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    match payload {
        [] => Ok(None),
        [a, b, why @ ..] => match u16::from_be_bytes([*a, *b]) {
            code @ (1000..=1003 | 1007..=1014 | 3000..=4999) if std::str::from_utf8(why).is_ok() => {
                Ok(Some(code))
            }
            _ => Err(Violation::BadClose),
        },
        [_] => Err(Violation::BadClose),
    }
}

#[cfg(test)]
mod tests;
