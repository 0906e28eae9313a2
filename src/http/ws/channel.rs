//! `Channel`: messages to and from one peer. What a message needs is reserved as its bytes arrive; whoever
//! announces too much, dawdles or floods is cut off, and so is who does not take what is sent.

use crate::engine::{BudgetSpent, Engine, JobError, Reservation};
use crate::http::deadlines::RATE;
use crate::http::ws::ended::{Ended, IDLE_FRAMES};
use crate::http::ws::frame::{self, Head, MAX_CONTROL, Opcode, Violation};
use crate::service::ServiceSettings;
use bytes::{Buf, Bytes, BytesMut};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

/// What is read at a time.
const READ_BYTES: usize = 16 << 10;

/// Longest farewell: a close frame, and the peer's own.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a peer said.
#[derive(Debug)]
pub(super) enum Message {
    /// A text or an image begins: [`Channel::pass_over`] if nobody wants it.
    Begun(Opcode),
    Text(String, Reservation),
    Binary(Vec<u8>, Reservation),
    /// There is no memory for the message that is coming; the rest of it is passed over.
    Unkept(Opcode, JobError),
    Ping(Bytes),
    Close(Option<u16>),
}

/// Longest messages that are taken, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Longest {
    pub(super) text: u64,
    pub(super) binary: u64,
}

/// One peer's messages over a byte stream.
#[derive(Debug)]
pub(super) struct Channel<S> {
    io: S,
    engine: Arc<Engine>,
    pub(super) longest: Longest,
    body: Duration,
    stall: Duration,
    write: Duration,
    received: BytesMut,
    /// The frame whose payload is being read, and how much of it has been.
    frame: Option<(Head, u64)>,
    message: Option<Partial>,
    /// When the last byte came.
    heard: Instant,
    /// Frames that carried nothing, since when.
    idle_frames: (Instant, u32),
}

/// A message of which something has come.
#[derive(Debug)]
struct Partial {
    opcode: Opcode,
    bytes: Vec<u8>,
    length: u64,
    memory: Reservation,
    /// Whether it is kept, or passed over.
    is_wanted: bool,
    began: Instant,
    grew: Instant,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Channel<S> {
    pub(super) fn new(
        io: S,
        engine: Arc<Engine>,
        settings: &ServiceSettings,
        longest: Longest,
    ) -> Channel<S> {
        let now = Instant::now();
        Channel {
            io,
            engine,
            longest,
            body: settings.body_timeout,
            stall: settings.stall_timeout,
            write: settings.write_timeout,
            received: BytesMut::new(),
            frame: None,
            message: None,
            heard: now,
            idle_frames: (now, 0),
        }
    }

    /// When the last byte came.
    pub(super) fn heard(&self) -> Instant {
        self.heard
    }

    /// The next message. May be dropped and called again: nothing is lost.
    ///
    /// # Errors
    /// [`Ended`].
    pub(super) async fn next(&mut self) -> Result<Message, Ended> {
        loop {
            if let Some(message) = self.parse()? {
                return Ok(message);
            }
            self.received.reserve(READ_BYTES);
            let deadline = self.message.as_ref().map(|message| {
                let earned = Duration::from_secs_f64(message.length as f64 / RATE);
                (message.began + self.body + earned).min(message.grew + self.stall)
            });
            let read = self.io.read_buf(&mut self.received);
            let read = match deadline {
                Some(deadline) => timeout_at(deadline, read).await.map_err(|_| Ended::Slow)?,
                None => read.await,
            };
            if read.map_err(|_| Ended::Gone)? == 0 {
                return Err(Ended::Gone);
            }
            self.heard = Instant::now();
        }
    }

    /// The next message in what was received, if all of it is there.
    fn parse(&mut self) -> Result<Option<Message>, Ended> {
        loop {
            let (head, done) = match self.frame.take() {
                Some(frame) => frame,
                None => {
                    let Some((head, length)) = Head::parse(&self.received)? else { return Ok(None) };
                    self.admit(&head)?;
                    self.received.advance(length);
                    if matches!(head.opcode, Opcode::Text | Opcode::Binary) {
                        self.frame = Some((head, 0));
                        return Ok(Some(Message::Begun(head.opcode)));
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
                    _ => continue, // a pong has been heard, which is all it is for
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
            if let Err(BudgetSpent) = kept {
                return Ok(Some(Message::Unkept(opcode, self.engine.busy())));
            }
            match ended {
                Some(message) if message.is_wanted => return message.finish().map(Some),
                None if !is_whole => return Ok(None),
                _ => {}
            }
        }
    }

    /// Passes over the rest of the message that is coming, and forgets what has come of it.
    pub(super) fn pass_over(&mut self) {
        if let Some(message) = &mut self.message {
            message.pass_over();
        }
    }

    /// Takes a frame for what it announces, or not.
    fn admit(&mut self, head: &Head) -> Result<(), Ended> {
        let now = Instant::now();
        let carries_nothing = head.opcode.is_control() || (head.length == 0 && !head.is_last);
        if carries_nothing {
            let (since, count) = &mut self.idle_frames;
            if now - *since >= Duration::from_secs(1) {
                (*since, *count) = (now, 0);
            }
            *count += 1;
            if *count > IDLE_FRAMES {
                return Err(Ended::Flood);
            }
        }
        match (head.opcode, &self.message) {
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => return Ok(()),
            (Opcode::Text | Opcode::Binary, Some(_)) => return Err(Violation::Interleaved.into()),
            (Opcode::Continuation, None) => return Err(Violation::NothingToContinue.into()),
            (Opcode::Continuation, Some(_)) => {}
            (opcode @ (Opcode::Text | Opcode::Binary), None) => {
                self.message = Some(Partial {
                    opcode,
                    bytes: Vec::new(),
                    length: 0,
                    memory: self.engine.reserve(),
                    is_wanted: true,
                    began: now,
                    grew: now,
                });
            }
        }
        let Some(message) = &self.message else { return Ok(()) };
        let max = match message.opcode {
            Opcode::Text => self.longest.text,
            _ => self.longest.binary,
        };
        if message.length.saturating_add(head.length) > max { Err(Ended::TooLong { max }) } else { Ok(()) }
    }

    /// Lets the message that is being read have the time in which nobody read it.
    pub(super) fn forgive(&mut self, time: Duration) {
        if let Some(message) = &mut self.message {
            message.began += time;
            message.grew += time;
        }
    }

    /// Sends a text.
    ///
    /// # Errors
    /// [`Ended::Gone`] and [`Ended::NotTaken`].
    pub(super) async fn text(&mut self, text: &str) -> Result<(), Ended> {
        self.send(&[(Opcode::Text, text.as_bytes())]).await
    }

    /// Sends messages, whole and directly one after the other.
    ///
    /// # Errors
    /// As [`Channel::text`].
    pub(super) async fn send(&mut self, messages: &[(Opcode, &[u8])]) -> Result<(), Ended> {
        let began = Instant::now();
        let bytes: usize = messages.iter().map(|(_, payload)| payload.len()).sum();
        let deadline = began + self.write + Duration::from_secs_f64(bytes as f64 / RATE);
        let mut small = Vec::new();
        for (opcode, payload) in messages {
            frame::put_head(*opcode, payload.len(), &mut small);
            if payload.len() <= READ_BYTES {
                small.extend_from_slice(payload);
            } else {
                self.write(&small, deadline).await?;
                self.write(payload, deadline).await?;
                small.clear();
            }
        }
        self.write(&small, deadline).await?;
        timeout_at(deadline, self.io.flush()).await.map_err(|_| Ended::NotTaken)?.map_err(|_| Ended::Gone)?;
        self.forgive(began.elapsed());
        Ok(())
    }

    async fn write(&mut self, mut bytes: &[u8], deadline: Instant) -> Result<(), Ended> {
        while !bytes.is_empty() {
            let progress = deadline.min(Instant::now() + self.write);
            let written = timeout_at(progress, self.io.write(bytes)).await.map_err(|_| Ended::NotTaken)?;
            bytes = match written {
                Ok(n @ 1..) => &bytes[n..],
                Ok(0) | Err(_) => return Err(Ended::Gone),
            };
        }
        Ok(())
    }

    /// Answers a ping.
    ///
    /// # Errors
    /// As [`Channel::text`].
    pub(super) async fn pong(&mut self, payload: &[u8]) -> Result<(), Ended> {
        self.send(&[(Opcode::Pong, payload)]).await
    }

    /// Asks a silent peer whether it is there.
    ///
    /// # Errors
    /// As [`Channel::text`].
    pub(super) async fn ping(&mut self) -> Result<(), Ended> {
        self.send(&[(Opcode::Ping, b"")]).await
    }

    /// Says farewell, and reads past what the peer still sends until it has done so too.
    pub(super) async fn close(mut self, code: Option<u16>, why: &str) {
        let farewell = async {
            if let Some(code) = code {
                let mut payload = code.to_be_bytes().to_vec();
                payload.extend(why.bytes().take(MAX_CONTROL - 2));
                self.send(&[(Opcode::Close, &payload)]).await?;
            }
            self.io.shutdown().await.map_err(|_| Ended::Gone)
        };
        let _ = timeout(FAREWELL, farewell).await; // who does not listen need not hear it
    }
}

impl Partial {
    fn pass_over(&mut self) {
        self.is_wanted = false;
        self.bytes = Vec::new();
        let _ = self.memory.resize(0); // less is always there
    }

    /// Takes in a part of a frame of which `left` bytes are still to come, this part included. Without memory for it
    /// the message is passed over.
    fn extend(&mut self, part: &[u8], left: u64) -> Result<(), BudgetSpent> {
        self.length += part.len() as u64;
        if !part.is_empty() {
            self.grew = Instant::now();
        }
        if !self.is_wanted {
            return Ok(());
        }
        if let Err(spent) = self.memory.resize(self.length) {
            self.pass_over();
            return Err(spent);
        }
        let (have, need) = (self.bytes.capacity(), self.bytes.len() + part.len());
        if need > have {
            // What is announced is taken for true as far as half of it has come.
            let announced = self.bytes.len().saturating_add(usize::try_from(left).unwrap_or(usize::MAX));
            self.bytes.reserve_exact(announced.clamp(need, 2 * need) - self.bytes.len());
        }
        self.bytes.extend_from_slice(part);
        Ok(())
    }

    fn finish(self) -> Result<Message, Ended> {
        let Partial { opcode, bytes, memory, .. } = self;
        if opcode == Opcode::Text {
            let text = String::from_utf8(bytes).map_err(|_| Ended::NotText)?;
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
