//! `application/x-www-form-urlencoded`: pairs to text and back.

use super::error::SpecError;

/// Splits `application/x-www-form-urlencoded` bytes into pairs.
///
/// # Errors
/// [`SpecError::BadEncoding`] for broken escapes or text that is not UTF-8.
pub fn decode_pairs(encoded: &[u8]) -> Result<Vec<(String, String)>, SpecError> {
    let pairs = encoded.split(|&b| b == b'&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let mut halves = pair.splitn(2, |&b| b == b'=');
            let mut next = || unescape(halves.next().unwrap_or_default());
            Ok((next()?, next()?))
        })
        .collect()
}

/// Joins pairs as `application/x-www-form-urlencoded`.
pub fn encode_pairs<K: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (K, V)>) -> String {
    let mut encoded = String::new();
    for (key, value) in pairs {
        if !encoded.is_empty() {
            encoded.push('&');
        }
        escape(key.as_ref(), &mut encoded);
        encoded.push('=');
        escape(value.as_ref(), &mut encoded);
    }
    encoded
}

fn unescape(text: &[u8]) -> Result<String, SpecError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    let digit = |rest: &mut dyn Iterator<Item = u8>| {
        rest.next().and_then(|b| char::from(b).to_digit(16)).ok_or(SpecError::BadEncoding)
    };
    while let Some(b) = rest.next() {
        bytes.push(match b {
            b'+' => b' ',
            b'%' => (digit(&mut rest)? * 16 + digit(&mut rest)?) as u8,
            b => b,
        });
    }
    String::from_utf8(bytes).map_err(|_| SpecError::BadEncoding)
}

fn escape(text: &str, out: &mut String) {
    for b in text.bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b',' | b':' => {
                out.push(char::from(b))
            }
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn broken_escapes_and_broken_utf8_are_refused() {
        for bad in [&b"id=%4"[..], b"id=%zz", b"id=%ff", b"id=\xff"] {
            assert_eq!(decode_pairs(bad), Err(SpecError::BadEncoding));
        }
    }

    proptest! {
        #[test]
        fn pairs_survive_encoding(pairs in proptest::collection::vec((".{0,12}", ".{0,12}"), 0..6)) {
            let kept: Vec<_> = pairs.into_iter().collect();
            let encoded = encode_pairs(kept.iter().map(|(k, v)| (k, v)));
            prop_assert_eq!(decode_pairs(encoded.as_bytes()).unwrap(), kept);
        }
    }
}
