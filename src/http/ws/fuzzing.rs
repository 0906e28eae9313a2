//! Invariants of the reader of messages.

use crate::engine::{self, CallerKey, Engine};
use crate::http::ws::close_reason::CloseReason;
use crate::http::ws::command;
use crate::http::ws::frame::Opcode;
use crate::http::ws::reader::{Message, MessageLimits, MessageReader};
use crate::service::ServiceSettings;
use crate::service::memory::MemoryShares;
use crate::service::policy::RequestPolicy;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::runtime::{self, Runtime};

const LIMITS: MessageLimits = MessageLimits { text: 1 << 10, binary: 16 << 10 };

/// Number of first bytes that are the sizes of pieces.
const SIZES: usize = 4;

#[expect(clippy::expect_used, reason = "a fuzzer may")]
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    runtime::Builder::new_current_thread().enable_time().build().expect("a runtime without threads")
});

/// Counts the memory of messages.
#[expect(clippy::expect_used, reason = "a fuzzer may")]
static MEMORY: LazyLock<Arc<MemoryShares>> = LazyLock::new(|| {
    let engine = Engine::new(engine::EngineSettings::for_workers(1)).expect("an engine");
    MemoryShares::new(Arc::new(engine), ServiceSettings::default().slow_body)
});

/// Reads sizes of pieces, and a stream in them: the messages are the same as in one piece, none is longer than allowed,
/// and memory is reserved only for bytes that arrived.
pub fn websocket(bytes: &[u8]) {
    let Some((sizes, stream)) = bytes.split_first_chunk::<SIZES>() else { return };
    let (in_pieces, whole) = (messages(stream, sizes), messages(stream, &[0]));
    let is_flood = |(_, end): &(_, CloseReason)| matches!(end, CloseReason::Flood); // a matter of the clock
    if !is_flood(&in_pieces) && !is_flood(&whole) {
        assert_eq!(in_pieces.0, whole.0);
        assert_eq!(in_pieces.1.to_string(), whole.1.to_string());
    }
    for (opcode, payload) in whole.0 {
        if let (Opcode::Text, Ok(text)) = (opcode, str::from_utf8(&payload)) {
            let _ = command::parse(&RequestPolicy::default(), text);
            #[cfg(feature = "legacy")]
            if let Some(image) = crate::http::legacy::base64::decode(&payload) {
                assert!(image.len() <= crate::http::legacy::base64::decoded_len(payload.len()));
            }
        }
    }
}

/// The messages of a stream, and its end.
fn messages(stream: &[u8], sizes: &[u8]) -> (Vec<(Opcode, Vec<u8>)>, CloseReason) {
    let before = MEMORY.engine().load().memory_reserved;
    let peer = Peer { left: stream, came: 0, sizes: sizes.iter().cycle() };
    let mut reader =
        MessageReader::new(peer, MEMORY.clone(), CallerKey::default(), &ServiceSettings::default(), LIMITS);
    let mut messages = Vec::new();
    let ended = RUNTIME.block_on(async {
        loop {
            let (opcode, payload, max) = match reader.next().await {
                Ok(Message::Text(text, memory)) => {
                    assert_eq!(memory.bytes(), text.len() as u64);
                    (Opcode::Text, text.into_bytes(), LIMITS.text)
                }
                Ok(Message::Binary(bytes, memory)) => {
                    assert_eq!(memory.bytes(), bytes.len() as u64);
                    assert!(bytes.capacity() <= 2 * bytes.len(), "memory for bytes that did not come");
                    (Opcode::Binary, bytes, LIMITS.binary)
                }
                Ok(Message::Ping(payload)) => (Opcode::Ping, payload.to_vec(), 125),
                Ok(Message::Close(code)) => {
                    (Opcode::Close, code.map_or(Vec::new(), |code| code.to_be_bytes().to_vec()), 2)
                }
                Ok(Message::Started(_)) => continue,
                Ok(Message::NoMemory(..)) => panic!("there is memory for everything"),
                Err(ended) => return ended,
            };
            assert!(payload.len() as u64 <= max);
            messages.push((opcode, payload));
        }
    });
    drop(reader);
    assert_eq!(MEMORY.engine().load().memory_reserved, before, "memory is given back");
    (messages, ended)
}

/// A peer whose bytes come in pieces of these sizes, repeated; 0 is the rest.
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
        assert!(
            MEMORY.engine().load().memory_reserved <= self.came,
            "memory is reserved for bytes that came"
        );
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
