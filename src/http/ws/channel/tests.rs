//! Messages of well-behaved and other peers, over a pipe in memory.

use crate::engine;
use crate::http::ws::channel::*;
use tokio::io::{DuplexStream, duplex};

const MAX: u64 = 1 << 20;
const MASK: [u8; 4] = [9, 8, 7, 6];

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::put_head(Opcode::Binary, payload.len(), &mut bytes);
    (bytes[0], bytes[1]) = (first, bytes[1] | 0x80);
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(a, b)| a ^ b));
    bytes
}

/// A channel whose peer sends these bytes and goes.
fn channel(bytes: Vec<u8>, total_memory: u64) -> Channel<DuplexStream> {
    let settings = engine::EngineSettings { total_memory, ..engine::EngineSettings::for_workers(1) };
    let engine = Arc::new(Engine::new(settings).unwrap());
    let (ours, mut theirs) = duplex(64 << 10);
    tokio::spawn(async move {
        for part in bytes.chunks(1000) {
            theirs.write_all(part).await.unwrap_or_default();
        }
        theirs.shutdown().await.unwrap_or_default();
    });
    Channel::new(ours, engine, &ServiceSettings::default(), Longest { text: 1000, binary: MAX })
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// The next message that is there, or the end.
async fn next(channel: &mut Channel<DuplexStream>) -> Result<Message, Ended> {
    loop {
        match channel.next().await {
            Ok(Message::Begun(_)) => {}
            other => return other,
        }
    }
}

/// What the first message, or the end, is.
fn first(bytes: Vec<u8>) -> Result<Message, Ended> {
    run(async { next(&mut channel(bytes, 64 << 20)).await })
}

#[test]
fn fragments_become_one_message_and_pings_pass_between_them() {
    let image: Vec<u8> = (0..100_000_u32).map(|i| i as u8).collect();
    let mut bytes = frame(0x02, &image[..70_000]);
    bytes.extend(frame(0x89, b"there?"));
    bytes.extend(frame(0x80, &image[70_000..]));
    bytes.extend(frame(0x81, "grün".as_bytes()));
    bytes.extend(frame(0x88, &1000_u16.to_be_bytes()));
    run(async {
        let mut channel = channel(bytes, 64 << 20);
        assert!(matches!(next(&mut channel).await, Ok(Message::Ping(payload)) if payload == "there?"));
        let Ok(Message::Binary(message, memory)) = next(&mut channel).await else { panic!("no image") };
        assert_eq!((&message, memory.bytes()), (&image, 100_000));
        assert!(matches!(next(&mut channel).await, Ok(Message::Text(text, _)) if text == "grün"));
        assert!(matches!(next(&mut channel).await, Ok(Message::Close(Some(1000)))));
        assert!(matches!(next(&mut channel).await, Err(Ended::Gone)));
    });
}

#[test]
fn what_is_too_long_is_refused_by_its_head() {
    let lie = [&[0x82, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255][..], &MASK].concat();
    let endless = [frame(0x02, &[0; 1000]), frame(0x00, &[0; 1000]).repeat(2000)].concat();
    for bytes in [lie, frame(0x81, &[b'x'; 1001]), endless] {
        let ended = first(bytes);
        assert!(matches!(ended, Err(Ended::TooLong { .. })), "{ended:?}");
        assert_eq!(ended.unwrap_err().close_code(), Some(1009));
    }
}

#[test]
fn what_breaks_the_rules_ends_the_connection() {
    for (bytes, code) in [
        (vec![0x82, 0x01, 0x00], 1002),
        (frame(0x80, b"x"), 1002),
        ([frame(0x02, b"x"), frame(0x82, b"x")].concat(), 1002),
        (frame(0x88, &[3]), 1002),
        (frame(0x88, &1005_u16.to_be_bytes()), 1002),
        (frame(0x81, &[0xFF]), 1007),
        ([frame(0x02, b"x"), frame(0x00, b"").repeat(200)].concat(), 1008),
        (frame(0x8A, b"").repeat(200), 1008),
    ] {
        let ended = first(bytes).unwrap_err();
        assert_eq!(ended.close_code(), Some(code), "{ended}");
    }
}

#[test]
fn a_message_without_memory_for_it_is_told_and_passed_over() {
    run(async {
        let bytes = [frame(0x82, &[0; 50_000]), frame(0x82, &[1; 500])].concat();
        let mut channel = channel(bytes, 1000);
        assert!(matches!(next(&mut channel).await, Ok(Message::Unkept(Opcode::Binary, _))));
        assert!(matches!(next(&mut channel).await, Ok(Message::Binary(bytes, _)) if bytes == [1; 500]));
    });
}

#[test]
fn a_message_can_be_passed_over_from_its_head_on() {
    run(async {
        let unwanted = [frame(0x02, &[0; 50_000]), frame(0x80, &[0; 50_000])].concat();
        let mut channel = channel([unwanted, frame(0x82, &[1; 500])].concat(), 1000);
        assert!(matches!(channel.next().await, Ok(Message::Begun(Opcode::Binary))));
        channel.pass_over();
        assert!(matches!(channel.next().await, Ok(Message::Begun(Opcode::Binary))));
        assert!(matches!(channel.next().await, Ok(Message::Binary(bytes, _)) if bytes == [1; 500]));
    });
}
