//! Base64 with or without padding and line breaks, in either alphabet, behind a `data:` prefix or not.

use data_encoding::{BASE64, Encoding, Specification};
use std::sync::LazyLock;

static LENIENT: LazyLock<Encoding> = LazyLock::new(|| {
    let mut form = Specification::new();
    form.symbols.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    form.translate.from.push_str("-_");
    form.translate.to.push_str("+/");
    form.ignore.push_str(" \t\r\n=");
    form.check_trailing_bits = false;
    #[expect(clippy::expect_used, reason = "the specification is a constant")]
    form.encoding().expect("a valid specification")
});

/// Decodes a text; `None` when it is not base64.
pub(in crate::http) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let text = match text.strip_prefix(b"data:") {
        Some(url) => &url[1 + url.iter().position(|&b| b == b',')?..],
        None => text,
    };
    LENIENT.decode(text).ok()
}

/// Most bytes in a text of this length.
pub(in crate::http) fn decoded_len(text: usize) -> usize {
    text / 4 * 3 + 3
}

/// Encodes bytes on one line, with padding.
pub(in crate::http) fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_form_is_decoded() {
        let bytes = [0xFB, 0xEF, 0xFF, 0x00];
        assert_eq!(encode(&bytes), "++//AA==");
        for text in ["++//AA==", "++//AA", "--__AA", " ++/\r\n/AA=\n=\n", "data:image/png;base64,++//AA=="] {
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(&bytes[..]), "{text:?}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["{}", "a", "data:image/png;base64", "ab\u{e9}c"] {
            assert_eq!(decode(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn no_text_decodes_to_more_than_its_bound() {
        for length in 0..100 {
            let text = encode(&vec![0; length]);
            assert!(decoded_len(text.len()) >= length);
        }
    }
}
