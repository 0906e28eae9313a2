//! `multipart/form-data` (RFC 7578), told apart in a body that has arrived whole.

use memchr::memmem;
use std::ops::Range;

/// Most parts of a form: the picture, and some options.
const MAX_PARTS: usize = 32;

/// Longest head of a part, in bytes.
const MAX_HEAD: usize = 8 << 10;

/// Longest boundary, by RFC 2046.
const MAX_BOUNDARY: usize = 70;

/// One field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: String,
    /// Whether it was a file, by its having a file name; the name itself is of no use here.
    pub(super) is_file: bool,
    /// Where its content stands in the body.
    pub(super) content: Range<usize>,
}

/// Why a body is no form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormError {
    #[error("the Content-Type of a form needs a boundary of 1 to {MAX_BOUNDARY} characters")]
    Boundary,
    #[error("the form does not begin with its boundary")]
    NoStart,
    #[error("the form ends within a part: its last boundary is missing")]
    NoEnd,
    #[error("a form has at most {MAX_PARTS} parts")]
    TooManyParts,
    #[error(
        "a part of a form needs a head of at most {MAX_HEAD} bytes with a Content-Disposition and a name"
    )]
    Head,
}

/// The boundary that a `Content-Type` names, if it is that of a form.
pub(super) fn boundary(content_type: &str) -> Option<Result<&str, FormError>> {
    let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let named = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    });
    let fine = |boundary: &&str| {
        (1..=MAX_BOUNDARY).contains(&boundary.len()) && boundary.bytes().all(|b| (b' '..=b'~').contains(&b))
    };
    Some(named.filter(fine).ok_or(FormError::Boundary))
}

/// The parts of a body.
pub(super) fn parts(body: &[u8], boundary: &str) -> Result<Vec<Part>, FormError> {
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(delimiter.as_bytes());
    let mut at = match body.strip_prefix(&delimiter.as_bytes()[2..]) {
        Some(_) => delimiter.len() - 2,
        None => finder.find(body).ok_or(FormError::NoStart)? + delimiter.len(),
    };
    let mut parts = Vec::new();
    loop {
        let rest = &body[at..];
        if rest.starts_with(b"--") {
            return Ok(parts);
        }
        if parts.len() == MAX_PARTS {
            return Err(FormError::TooManyParts);
        }
        let padding = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        if !rest[padding..].starts_with(b"\r\n") {
            return Err(if rest.len() < padding + 2 { FormError::NoEnd } else { FormError::Head });
        }
        let head_at = at + padding;
        let window = &body[head_at..body.len().min(head_at + MAX_HEAD)];
        let head_len = memmem::find(window, b"\r\n\r\n").ok_or(FormError::Head)?;
        let (name, is_file) = disposition(&window[..head_len]).ok_or(FormError::Head)?;
        let content_at = head_at + head_len + 4;
        // An empty part: its content and the line break before the boundary are one.
        let from = content_at - 2;
        let length = finder.find(&body[from..]).ok_or(FormError::NoEnd)?;
        let content = content_at..(from + length).max(content_at);
        parts.push(Part { name, is_file, content });
        at = from + length + delimiter.len();
    }
}

/// Name of the field, and whether it is a file.
fn disposition(head: &[u8]) -> Option<(String, bool)> {
    let head = std::str::from_utf8(head).ok()?;
    let line = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let mut parameters = Parameters(line.split_once(';')?.1);
    let (mut name, mut is_file) = (None, false);
    while let Some((key, value)) = parameters.next_pair() {
        match key.to_ascii_lowercase().as_str() {
            "name" => name = Some(value),
            "filename" | "filename*" => is_file = true,
            _ => {}
        }
    }
    Some((name?, is_file))
}

/// `; name="a\"b"; filename=c`, pair by pair.
struct Parameters<'a>(&'a str);

impl<'a> Parameters<'a> {
    fn next_pair(&mut self) -> Option<(&'a str, String)> {
        let (key, rest) = self.0.split_once('=')?;
        let (value, rest) = match rest.strip_prefix('"') {
            None => {
                let end = rest.find(';').unwrap_or(rest.len());
                (rest[..end].trim().to_owned(), &rest[end..])
            }
            Some(quoted) => {
                let mut value = String::new();
                let mut characters = quoted.char_indices();
                let end = loop {
                    match characters.next()? {
                        (at, '"') => break at + 1,
                        (_, '\\') => value.push(characters.next()?.1),
                        (_, c) => value.push(c),
                    }
                };
                (value, &quoted[end..])
            }
        };
        self.0 = rest.trim_start().strip_prefix(';').unwrap_or("");
        Some((key.trim(), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts<'a>(body: &'a str, parts: &[Part]) -> Vec<(String, bool, &'a str)> {
        parts.iter().map(|part| (part.name.clone(), part.is_file, &body[part.content.clone()])).collect()
    }

    #[test]
    fn fields_and_files_are_told_apart() {
        let body = "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"width\"\r\n\r\n40\r\n\
                    --b \r\nContent-Type: image/png\r\ncontent-disposition: form-data; name=image; \
                    filename=\"a;\\\"b.png\"\r\n\r\nPNG\r\n--c\r\n\r\n--b\r\nContent-Disposition: form-data; \
                    name=\"empty\"\r\n\r\n\r\n--b--\r\n";
        let parts = parts(body, "b").unwrap();
        let want = [
            ("width".to_owned(), false, "40"),
            ("image".to_owned(), true, "PNG\r\n--c\r\n"),
            ("empty".to_owned(), false, ""),
        ];
        assert_eq!(texts(body, &parts), want);
    }

    fn parts(body: &str, boundary: &str) -> Result<Vec<Part>, FormError> {
        super::parts(body.as_bytes(), boundary)
    }

    #[test]
    fn what_is_no_form_is_told_apart() {
        let part = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n";
        assert_eq!(parts("", "b"), Err(FormError::NoStart));
        assert_eq!(parts("--c--", "b"), Err(FormError::NoStart));
        assert_eq!(parts(part, "b"), Err(FormError::NoEnd));
        assert_eq!(parts("--b", "b"), Err(FormError::NoEnd));
        assert_eq!(parts("--b\r\n\r\n\r\nx\r\n--b--", "b"), Err(FormError::Head));
        assert_eq!(parts(&format!("--b\r\n{}", "x".repeat(9000)), "b"), Err(FormError::Head));
        assert_eq!(parts(&(part.repeat(33) + "--b--"), "b"), Err(FormError::TooManyParts));
        assert_eq!(parts(&(part.repeat(32) + "--b--"), "b").map(|parts| parts.len()), Ok(32));
    }

    #[test]
    fn only_a_form_has_a_boundary() {
        assert_eq!(boundary("image/png"), None);
        assert_eq!(boundary("multipart/form-data; boundary=abc"), Some(Ok("abc")));
        assert_eq!(boundary("Multipart/Form-Data; charset=x; Boundary=\"a b\""), Some(Ok("a b")));
        for bad in ["multipart/form-data", "multipart/form-data; boundary="] {
            assert_eq!(boundary(bad), Some(Err(FormError::Boundary)));
        }
        let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
        assert_eq!(boundary(&long), Some(Err(FormError::Boundary)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_form_or_an_error(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = super::parts(&body, "b");
        }

        #[test]
        fn content_comes_back_as_it_went_in(content in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut body = b"--long-boundary\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\n".to_vec();
            body.extend(&content);
            body.extend(b"\r\n--long-boundary--\r\n");
            let parts = super::parts(&body, "long-boundary").unwrap();
            prop_assert_eq!(&body[parts[0].content.clone()], content);
        }
    }
}
