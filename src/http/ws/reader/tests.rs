//! Messages of well-behaved and hostile peers, over a pipe in memory.

use crate::engine::{self, Engine};
use crate::http::ws::reader::*;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

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

/// A reader whose peer sends these bytes and leaves.
fn reader(bytes: Vec<u8>, total_memory: u64) -> MessageReader<DuplexStream> {
    let settings = engine::EngineSettings { total_memory, ..engine::EngineSettings::for_workers(1) };
    let engine = Arc::new(Engine::new(settings).unwrap());
    let (ours, mut theirs) = duplex(64 << 10);
    tokio::spawn(async move {
        for part in bytes.chunks(1000) {
            theirs.write_all(part).await.unwrap_or_default();
        }
        theirs.shutdown().await.unwrap_or_default();
    });
    let (shares, settings) = (MemoryShares::new(engine, 256 << 10), ServiceSettings::default());
    let limits = MessageLimits { text: 1000, binary: MAX };
    MessageReader::new(ours, shares, CallerKey::default(), &settings, limits)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// The next whole message, or the end.
async fn next(reader: &mut MessageReader<DuplexStream>) -> Result<Message, CloseReason> {
    loop {
        match reader.next().await {
            Ok(Message::Started(_)) => {}
            other => return other,
        }
    }
}

/// The first message, or the end.
fn first(bytes: Vec<u8>) -> Result<Message, CloseReason> {
    run(async { next(&mut reader(bytes, 64 << 20)).await })
}

/// The end, after all messages.
fn end(bytes: Vec<u8>) -> CloseReason {
    run(async {
        let mut reader = reader(bytes, 64 << 20);
        loop {
            if let Err(reason) = next(&mut reader).await {
                return reason;
            }
        }
    })
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
        let mut reader = reader(bytes, 64 << 20);
        assert!(matches!(next(&mut reader).await, Ok(Message::Ping(payload)) if payload == "there?"));
        let Ok(Message::Binary(message, memory)) = next(&mut reader).await else { panic!("no image") };
        assert_eq!((&message, memory.bytes()), (&image, 100_000));
        assert!(matches!(next(&mut reader).await, Ok(Message::Text(text, _)) if text == "grün"));
        assert!(matches!(next(&mut reader).await, Ok(Message::Close(Some(1000)))));
        assert!(matches!(next(&mut reader).await, Err(CloseReason::Gone)));
    });
}

#[test]
fn a_message_that_is_too_long_is_refused_by_its_head() {
    let lie = [&[0x82, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255][..], &MASK].concat();
    let endless = [frame(0x02, &[0; 1000]), frame(0x00, &[0; 1000]).repeat(2000)].concat();
    for bytes in [lie, frame(0x81, &[b'x'; 1001]), endless] {
        let ended = first(bytes);
        assert!(matches!(ended, Err(CloseReason::TooLong { .. })), "{ended:?}");
        assert_eq!(ended.unwrap_err().close_code(), Some(1009));
    }
}

#[test]
fn violations_and_floods_end_the_connection() {
    for (bytes, code) in [
        (vec![0x82, 0x01, 0x00], 1002),
        (frame(0x80, b"x"), 1002),
        ([frame(0x02, b"x"), frame(0x82, b"x")].concat(), 1002),
        (frame(0x88, &[3]), 1002),
        (frame(0x88, &1005_u16.to_be_bytes()), 1002),
        (frame(0x81, &[0xFF]), 1007),
        ([frame(0x02, b"x"), frame(0x00, b"").repeat(200)].concat(), 1008),
        (frame(0x8A, b"").repeat(200), 1008),
        (frame(0x82, b"").repeat(200), 1008),
    ] {
        let ended = end(bytes);
        assert_eq!(ended.close_code(), Some(code), "{ended}");
    }
}

#[test]
fn a_message_without_memory_is_reported_and_discarded() {
    run(async {
        let bytes = [frame(0x82, &[0; 50_000]), frame(0x82, &[1; 500])].concat();
        let mut reader = reader(bytes, 1000);
        assert!(matches!(next(&mut reader).await, Ok(Message::NoMemory(Opcode::Binary, _))));
        assert!(matches!(next(&mut reader).await, Ok(Message::Binary(bytes, _)) if bytes == [1; 500]));
    });
}

#[test]
fn a_slow_message_gives_way_to_another_caller_and_the_next_one_is_read() {
    run(async {
        let settings =
            engine::EngineSettings { total_memory: 100_000, ..engine::EngineSettings::for_workers(1) };
        let shares = MemoryShares::new(Arc::new(Engine::new(settings).unwrap()), 256 << 10);
        let (ours, mut theirs) = duplex(64 << 10);
        let (settings, limits) = (ServiceSettings::default(), MessageLimits { text: 1000, binary: MAX });
        let mut reader = MessageReader::new(ours, shares.clone(), CallerKey::of("slow"), &settings, limits);
        let slow = frame(0x82, &[0; 90_000]);
        let (other, ()) = tokio::join!(
            async {
                let started = reader.next().await;
                assert!(matches!(started, Ok(Message::Started(Opcode::Binary))), "{started:?}");
                let cut = reader.next().await;
                assert!(
                    matches!(cut, Ok(Message::NoMemory(Opcode::Binary, RequestError::GaveWay { .. }))),
                    "{cut:?}"
                );
                next(&mut reader).await
            },
            async {
                theirs.write_all(&slow[..80_000]).await.unwrap();
                while shares.engine().load().memory_reserved < 70_000 {
                    tokio::task::yield_now().await;
                }
                let later = std::time::Instant::now() + Duration::from_secs(60);
                shares.arriving(CallerKey::of("other"), later).grow(40_000, 40_000, 40_000, later).unwrap();
                theirs.write_all(&[&slow[80_000..], &frame(0x82, &[1; 500])].concat()).await.unwrap();
            }
        );
        assert!(matches!(other, Ok(Message::Binary(bytes, _)) if bytes == [1; 500]));
    });
}

#[test]
fn a_message_can_be_discarded_from_its_head_on() {
    run(async {
        let unwanted = [frame(0x02, &[0; 50_000]), frame(0x80, &[0; 50_000])].concat();
        let mut reader = reader([unwanted, frame(0x82, &[1; 500])].concat(), 1000);
        assert!(matches!(reader.next().await, Ok(Message::Started(Opcode::Binary))));
        reader.discard();
        assert!(matches!(reader.next().await, Ok(Message::Started(Opcode::Binary))));
        assert!(matches!(reader.next().await, Ok(Message::Binary(bytes, _)) if bytes == [1; 500]));
    });
}
