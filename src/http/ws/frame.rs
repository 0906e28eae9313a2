//! Frames of RFC 6455: heads from and to bytes, and the mask. Knows no sockets.

/// Longest payload of a control frame.
pub(super) const MAX_CONTROL: usize = 125;

/// Kind of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

impl Opcode {
    const ALL: [Opcode; 6] =
        [Opcode::Continuation, Opcode::Text, Opcode::Binary, Opcode::Close, Opcode::Ping, Opcode::Pong];

    /// Returns true if it may come between the fragments of a message.
    pub(super) fn is_control(self) -> bool {
        self as u8 >= Opcode::Close as u8
    }
}

/// The head of a frame that a client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) is_last: bool,
    pub(super) opcode: Opcode,
    /// Announced length of the payload.
    pub(super) length: u64,
    pub(super) mask: [u8; 4],
}

/// A violation of the protocol by the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Violation {
    #[error("a frame has reserved bits, and no extension was agreed on")]
    ReservedBits,
    #[error("a frame has an unknown opcode")]
    UnknownOpcode,
    #[error("a frame is not masked")]
    Unmasked,
    #[error("a frame announces more than 2^63 bytes")]
    AbsurdLength,
    #[error("a control frame is longer than 125 bytes or in fragments")]
    LongControl,
    #[error("a message begins within another")]
    Interleaved,
    #[error("a fragment continues nothing")]
    NothingToContinue,
    #[error("a close frame has half a code, or one that may not be sent")]
    BadClose,
}

impl Head {
    /// Parses a head, and returns it with its length; `None` when `bytes` end within it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Violation> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(Violation::ReservedBits);
        }
        let opcode = Opcode::ALL.into_iter().find(|opcode| *opcode as u8 == first & 0x0F);
        let opcode = opcode.ok_or(Violation::UnknownOpcode)?;
        if second & 0x80 == 0 {
            return Err(Violation::Unmasked);
        }
        let extended = match second & 0x7F {
            126 => rest.split_first_chunk().map(|(n, rest)| (u16::from_be_bytes(*n).into(), rest)),
            127 => rest.split_first_chunk().map(|(n, rest)| (u64::from_be_bytes(*n), rest)),
            n => Some((n.into(), rest)),
        };
        let Some((length, rest)) = extended else { return Ok(None) };
        if length > i64::MAX as u64 {
            return Err(Violation::AbsurdLength);
        }
        let is_last = first & 0x80 != 0;
        if opcode.is_control() && (length > MAX_CONTROL as u64 || !is_last) {
            return Err(Violation::LongControl);
        }
        let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
        Ok(Some((Head { is_last, opcode, length, mask: *mask }, bytes.len() - rest.len())))
    }
}

/// Appends the head of a whole message, or of a control frame, of ours.
pub(super) fn put_head(opcode: Opcode, length: usize, out: &mut Vec<u8>) {
    out.push(0x80 | opcode as u8);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ ..126), _) => out.push(length),
        (_, Ok(length)) => {
            out.push(126);
            out.extend(length.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend((length as u64).to_be_bytes());
        }
    }
}

/// Unmasks a part of a payload that begins `offset` bytes into it.
pub(super) fn unmask(bytes: &mut [u8], mask: [u8; 4], offset: u64) {
    let key: [u8; 8] = std::array::from_fn(|i| mask[(offset as usize + i) % 4]);
    let wide = u64::from_le_bytes(key);
    let (chunks, rest) = bytes.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_le_bytes(*chunk) ^ wide).to_le_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MASK: [u8; 4] = [1, 2, 3, 4];

    /// A frame as a client sends it.
    fn frame(first: u8, length: &[u8]) -> Vec<u8> {
        [&[first], length, &MASK].concat()
    }

    #[test]
    fn heads_of_each_length_are_read_and_need_all_their_bytes() {
        for (bytes, length) in [
            (frame(0x82, &[0x80]), 0),
            (frame(0x82, &[0x80 | 125]), 125),
            (frame(0x82, &[0x80 | 126, 1, 0]), 256),
            (frame(0x82, &[0x80 | 127, 0, 0, 0, 0, 0, 1, 0, 0]), 65_536),
            (frame(0x82, &[0x80 | 127, 0x7F, 255, 255, 255, 255, 255, 255, 255]), i64::MAX as u64),
        ] {
            let head = Head { is_last: true, opcode: Opcode::Binary, length, mask: MASK };
            assert_eq!(Head::parse(&bytes), Ok(Some((head, bytes.len()))));
            for cut in 0..bytes.len() {
                assert_eq!(Head::parse(&bytes[..cut]), Ok(None), "{bytes:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn what_no_client_may_send_is_named() {
        for (bytes, violation) in [
            (frame(0xC2, &[0x80]), Violation::ReservedBits),
            (frame(0x83, &[0x80]), Violation::UnknownOpcode),
            (frame(0x82, &[0x05]), Violation::Unmasked),
            (frame(0x82, &[0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0]), Violation::AbsurdLength),
            (frame(0x09, &[0x80]), Violation::LongControl),
            (frame(0x89, &[0x80 | 126, 0, 126]), Violation::LongControl),
        ] {
            assert_eq!(Head::parse(&bytes), Err(violation), "{bytes:?}");
        }
    }

    #[test]
    fn heads_of_ours_have_the_shortest_length() {
        for (length, bytes) in [
            (125, &[0x82, 125][..]),
            (126, &[0x82, 126, 0, 126]),
            (256, &[0x82, 126, 1, 0]),
            (65_535, &[0x82, 126, 255, 255]),
            (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut out = Vec::new();
            put_head(Opcode::Binary, length, &mut out);
            assert_eq!(out, bytes);
        }
    }

    #[test]
    fn a_payload_unmasks_the_same_in_whatever_parts_it_comes() {
        let plain: Vec<u8> = (0..50).collect();
        let masked: Vec<u8> = plain.iter().zip(MASK.iter().cycle()).map(|(a, b)| a ^ b).collect();
        for cut in 0..masked.len() {
            let mut parts = masked.clone();
            let (a, b) = parts.split_at_mut(cut);
            unmask(a, MASK, 0);
            unmask(b, MASK, cut as u64);
            assert_eq!(parts, plain, "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_head_or_the_beginning_of_one_or_a_violation(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            if let Ok(Some((head, length))) = Head::parse(&bytes) {
                prop_assert!(length <= bytes.len() && head.length <= i64::MAX as u64);
            }
        }
    }
}
