//! `MessageWriter`: messages to one peer, each with a deadline.

use crate::http::ws::close_reason::CloseReason;
use crate::http::ws::frame::{self, MAX_CONTROL, Opcode};
use crate::service::{ServiceSettings, transfer_time};
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

/// Longest payload that is copied behind its head, to be written at once.
const COPY_BYTES: usize = 16 << 10;

/// Longest close handshake.
const CLOSE_TIME: Duration = Duration::from_secs(2);

/// Writes messages to one peer.
#[derive(Debug)]
pub(super) struct MessageWriter<W> {
    io: W,
    timeout: Duration,
}

impl<W: AsyncWrite + Unpin> MessageWriter<W> {
    pub(super) fn new(io: W, settings: &ServiceSettings) -> MessageWriter<W> {
        MessageWriter { io, timeout: settings.write_timeout }
    }

    /// Sends messages, each in one frame, without others between them.
    ///
    /// # Errors
    /// [`CloseReason::Gone`] and [`CloseReason::WriteTimeout`].
    pub(super) async fn send(&mut self, messages: &[(Opcode, &[u8])]) -> Result<(), CloseReason> {
        let bytes: usize = messages.iter().map(|(_, payload)| payload.len()).sum();
        let deadline = Instant::now() + transfer_time(self.timeout, bytes as u64);
        let mut small = Vec::new();
        for (opcode, payload) in messages {
            frame::put_head(*opcode, payload.len(), &mut small);
            if payload.len() <= COPY_BYTES {
                small.extend_from_slice(payload);
            } else {
                self.write(&small, deadline).await?;
                self.write(payload, deadline).await?;
                small.clear();
            }
        }
        self.write(&small, deadline).await?;
        let flushed = timeout_at(deadline, self.io.flush()).await;
        flushed.map_err(|_| CloseReason::WriteTimeout)?.map_err(|_| CloseReason::Gone)
    }

    async fn write(&mut self, mut bytes: &[u8], deadline: Instant) -> Result<(), CloseReason> {
        while !bytes.is_empty() {
            let progress = deadline.min(Instant::now() + self.timeout);
            let written = timeout_at(progress, self.io.write(bytes)).await;
            bytes = match written.map_err(|_| CloseReason::WriteTimeout)? {
                Ok(n @ 1..) => &bytes[n..],
                Ok(0) | Err(_) => return Err(CloseReason::Gone),
            };
        }
        Ok(())
    }

    /// Sends a close frame with this code and reason, and closes the sending side.
    pub(super) async fn close(mut self, code: Option<u16>, reason: &str) {
        let close = async {
            if let Some(code) = code {
                let mut payload = code.to_be_bytes().to_vec();
                payload.extend(reason.bytes().take(MAX_CONTROL - 2));
                self.send(&[(Opcode::Close, &payload)]).await?;
            }
            self.io.shutdown().await.map_err(|_| CloseReason::Gone)
        };
        let _ = timeout(CLOSE_TIME, close).await; // the peer may have left
    }
}
