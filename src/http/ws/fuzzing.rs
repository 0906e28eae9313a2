//! What must hold of a peer's frames.

use crate::engine::{self, Engine};
use crate::http::base64;
use crate::http::ws::ask;
use crate::http::ws::channel::{Channel, Longest, Message};
use crate::http::ws::ended::Ended;
use crate::http::ws::frame::Opcode;
use crate::service::ServiceSettings;
use crate::service::policy::RequestPolicy;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{self, Runtime};

const LONGEST: Longest = Longest { text: 1 << 10, binary: 16 << 10 };

/// How many of the first bytes are the sizes of pieces.
const SIZES: usize = 4;

#[expect(clippy::expect_used, reason = "a fuzzer may")]
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    runtime::Builder::new_current_thread().enable_time().build().expect("a runtime without threads")
});

/// Counts the memory of messages.
#[expect(clippy::expect_used, reason = "a fuzzer may")]
static ENGINE: LazyLock<Arc<Engine>> =
    LazyLock::new(|| Arc::new(Engine::new(engine::EngineSettings::for_workers(1)).expect("an engine")));

/// Sizes of pieces, and what a peer sends in them: the same messages come as if it had come at once, none
/// longer than allowed, in memory for bytes that are there.
pub fn websocket(bytes: &[u8]) {
    let Some((sizes, stream)) = bytes.split_first_chunk::<SIZES>() else { return };
    let (in_pieces, whole) = (said(stream, sizes), said(stream, &[0]));
    let is_flood = |(_, end): &(_, Ended)| matches!(end, Ended::Flood); // a matter of the clock
    if !is_flood(&in_pieces) && !is_flood(&whole) {
        assert_eq!(in_pieces.0, whole.0);
        assert_eq!(in_pieces.1.to_string(), whole.1.to_string());
    }
    for (opcode, payload) in whole.0 {
        if let (Opcode::Text, Ok(text)) = (opcode, str::from_utf8(&payload)) {
            let _ = ask::read(&RequestPolicy::default(), text);
            if let Some(image) = base64::decode(&payload) {
                assert!(image.len() <= base64::decoded_len(payload.len()));
            }
        }
    }
}

/// What a peer said, message by message, and how it ended.
fn said(stream: &[u8], sizes: &[u8]) -> (Vec<(Opcode, Vec<u8>)>, Ended) {
    let before = ENGINE.load().memory_reserved;
    let peer = Peer { left: stream, came: 0, sizes: sizes.iter().cycle() };
    let mut channel = Channel::new(peer, ENGINE.clone(), &ServiceSettings::default(), LONGEST);
    let mut messages = Vec::new();
    let ended = RUNTIME.block_on(async {
        loop {
            let (opcode, payload, max) = match channel.next().await {
                Ok(Message::Text(text, memory)) => {
                    assert_eq!(memory.bytes(), text.len() as u64);
                    (Opcode::Text, text.into_bytes(), LONGEST.text)
                }
                Ok(Message::Binary(bytes, memory)) => {
                    assert_eq!(memory.bytes(), bytes.len() as u64);
                    assert!(bytes.capacity() <= 2 * bytes.len(), "memory for bytes that did not come");
                    (Opcode::Binary, bytes, LONGEST.binary)
                }
                Ok(Message::Ping(payload)) => (Opcode::Ping, payload.to_vec(), 125),
                Ok(Message::Close(code)) => {
                    (Opcode::Close, code.map_or(Vec::new(), |code| code.to_be_bytes().to_vec()), 2)
                }
                Ok(Message::Begun(_)) => continue,
                Ok(Message::Unkept(..)) => panic!("there is memory for everything"),
                Err(ended) => return ended,
            };
            assert!(payload.len() as u64 <= max);
            messages.push((opcode, payload));
        }
    });
    drop(channel);
    assert_eq!(ENGINE.load().memory_reserved, before, "memory is given back");
    (messages, ended)
}

/// A peer whose bytes come in pieces of these sizes, over and over; 0 is all that is left.
struct Peer<'a> {
    left: &'a [u8],
    came: u64,
    sizes: std::iter::Cycle<std::slice::Iter<'a, u8>>,
}

impl AsyncRead for Peer<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        assert!(ENGINE.load().memory_reserved <= self.came, "memory is reserved for bytes that came");
        let size = match self.sizes.next() {
            None | Some(0) => self.left.len(),
            Some(size) => usize::from(*size).min(self.left.len()),
        };
        let (piece, left) = self.left.split_at(size.min(room.remaining()));
        room.put_slice(piece);
        self.came += piece.len() as u64;
        self.left = left;
        Poll::Ready(Ok(()))
    }
}

/// It takes whatever it is sent.
impl AsyncWrite for Peer<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
