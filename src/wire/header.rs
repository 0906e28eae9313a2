//! The twelve bytes that every request begins with.

use byteorder::{BigEndian, ByteOrder};

/// Bytes in a request header.
pub const HEADER_LEN: usize = 12;

/// Longest body that the 31 bits of the size field can announce.
pub const MAX_BODY_LEN: u32 = (1 << 31) - 1;

const EXTENDED: u32 = 1 << 31;

/// The two forms of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Form of the first client: image only, bare reply.
    Plain,
    /// With options before the image and a report in the reply.
    Extended,
}

/// A request header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Plain or extended.
    pub form: Form,
    /// Length of the image in bytes, at most [`MAX_BODY_LEN`].
    pub body_len: u32,
    /// Target width in pixels; 0 follows the height.
    pub width: u32,
    /// Target height in pixels; 0 follows the width.
    pub height: u32,
}

impl Header {
    /// Decodes a header. Every twelve bytes are one.
    pub fn decode(raw: &[u8; HEADER_LEN]) -> Header {
        let mut fields = [0; 3];
        BigEndian::read_u32_into(raw, &mut fields);
        let [size, width, height] = fields;
        let form = if size & EXTENDED == 0 { Form::Plain } else { Form::Extended };
        Header { form, body_len: size & MAX_BODY_LEN, width, height }
    }

    /// Writes the header.
    ///
    /// # Panics
    /// When `body_len` is over [`MAX_BODY_LEN`].
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        assert!(self.body_len <= MAX_BODY_LEN, "a body has at most 2^31 - 1 bytes");
        let size = match self.form {
            Form::Plain => self.body_len,
            Form::Extended => self.body_len | EXTENDED,
        };
        let mut raw = [0; HEADER_LEN];
        BigEndian::write_u32_into(&[size, self.width, self.height], &mut raw);
        raw
    }

    /// Names another protocol that these bytes look like, sent to this port by mistake.
    pub fn foreign_protocol(raw: &[u8; HEADER_LEN]) -> Option<&'static str> {
        match &raw[..4] {
            b"GET " | b"POST" | b"HEAD" | b"PUT " | b"OPTI" | b"PRI " => Some("HTTP"),
            [0x16, 0x03, 0..=4, _] => Some("TLS"),
            b"SSH-" => Some("SSH"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_plain_header_is_what_struct_pack_makes_of_size_width_height() {
        let raw = *b"\x00\x1f\x42\x40\x00\x00\x03\x20\x00\x00\x02\x58";
        let header = Header { form: Form::Plain, body_len: 2_048_576, width: 800, height: 600 };
        assert_eq!(Header::decode(&raw), header);
        assert_eq!(header.encode(), raw);
    }

    #[test]
    fn bit_31_of_the_size_marks_the_extended_form() {
        let raw = *b"\x80\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x01";
        let header = Header { form: Form::Extended, body_len: 5, width: 0, height: 1 };
        assert_eq!(Header::decode(&raw), header);
        assert_eq!(header.encode(), raw);
    }

    #[test]
    fn strangers_at_the_wrong_port_are_recognised() {
        assert_eq!(Header::foreign_protocol(b"GET / HTTP/1"), Some("HTTP"));
        assert_eq!(Header::foreign_protocol(b"\x16\x03\x01\x02\x00\x01\0\0\0\0\0\0"), Some("TLS"));
        assert_eq!(Header::foreign_protocol(b"SSH-2.0-Open"), Some("SSH"));
        assert_eq!(Header::foreign_protocol(&[0; 12]), None);
    }

    proptest! {
        #[test]
        fn every_twelve_bytes_survive_decoding_and_encoding(raw in any::<[u8; HEADER_LEN]>()) {
            prop_assert_eq!(Header::decode(&raw).encode(), raw);
        }
    }
}
