//! A WebSocket client by hand, which can also say what no client should.

use super::super::support::{Server, is_closed};
use super::Answer;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;

pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8A;

/// A client that speaks in frames.
pub struct Peer(pub TcpStream);

impl Peer {
    pub fn open(server: &Server, target: &str) -> Peer {
        Peer::open_with(server, target, "").unwrap_or_else(|answer| panic!("{answer:?}"))
    }

    /// Opens with more header lines, or tells what was answered instead.
    pub fn open_with(server: &Server, target: &str, headers: &str) -> Result<Peer, Answer> {
        let mut socket = super::connect(server);
        let answer = super::exchange(&mut socket, handshake(target, headers).as_bytes());
        if answer.status != 101 {
            return Err(answer);
        }
        assert_eq!(answer.header("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(answer.header("sec-websocket-extensions"), "", "nothing is compressed");
        Ok(Peer(socket))
    }

    pub fn send(&mut self, first: u8, payload: &[u8]) {
        let _ = self.0.write_all(&frame(first, payload)); // whoever was cut off learns it when reading
    }

    pub fn text(&mut self, text: &str) {
        self.send(TEXT, text.as_bytes());
    }

    /// The next frame.
    pub fn read(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).expect("a frame");
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.0.read_exact(&mut length).unwrap();
                u16::from_be_bytes(length).into()
            }
            127 => {
                let mut length = [0; 8];
                self.0.read_exact(&mut length).unwrap();
                u64::from_be_bytes(length) as usize
            }
            n => usize::from(n),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).unwrap();
        (head[0], payload)
    }

    pub fn json(&mut self) -> Value {
        let (first, payload) = self.read();
        assert_eq!(first, TEXT, "{:?}", String::from_utf8_lossy(&payload));
        serde_json::from_slice(&payload).unwrap()
    }

    /// A report and the result after it.
    pub fn result(&mut self) -> (Value, Vec<u8>) {
        let report = self.json();
        assert_eq!(report["type"], "report", "{report}");
        let (first, image) = self.read();
        assert_eq!((first, Some(image.len() as u64)), (BINARY, report["bytes"].as_u64()));
        (report, image)
    }

    /// The code with which the server closes; frames before the last are passed over.
    pub fn close_code(&mut self) -> u16 {
        loop {
            let (first, payload) = self.read();
            if first == CLOSE {
                let code = u16::from_be_bytes([payload[0], payload[1]]);
                self.send(CLOSE, &payload[..2]);
                assert!(is_closed(&mut self.0));
                return code;
            }
        }
    }
}

pub fn handshake(target: &str, headers: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Extensions: permessage-deflate\r\n{headers}\r\n"
    )
}

pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
    let mut bytes = vec![first];
    match payload.len() {
        length @ ..126 => bytes.push(0x80 | length as u8),
        length @ ..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(a, b)| a ^ b));
    bytes
}
