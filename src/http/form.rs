//! `Upload`: the image of a request, sent as it is or as a part of a form, and the other fields of the form.

use crate::http::HttpState;
use crate::http::request_body::{BodyStream, announced_length};
use crate::service::{AuthenticatedCaller, BodyLength, ReceivedBody, RequestError};
use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap};
use futures_util::Stream;
use memchr::memmem;
use multer::Multipart;
use std::time::Instant;

/// Most bytes of a form beside its image: fields, names, boundaries.
const OVERHEAD_BYTES: u64 = 64 << 10;

/// Most parts of a form: the image, and some options.
const MAX_PARTS: usize = 32;

/// An image that has arrived.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) image: ReceivedBody,
    /// The fields beside the image: options.
    pub(crate) fields: Vec<(String, String)>,
}

/// Returns true if the body is a form, which may hold more options.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let kind = content_type(headers).split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("multipart/form-data")
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default()
}

/// Admits and reads the image of a request: the whole body, or the part `image` or `file` of a form, or its only file.
///
/// # Errors
/// As [`crate::service::Service::admit`] and [`BodyStream`]; [`RequestError::Malformed`] for a broken form or a second
/// image, [`RequestError::Empty`] without one.
pub(crate) async fn read(
    state: &HttpState,
    caller: &AuthenticatedCaller,
    headers: &HeaderMap,
    body: Body,
) -> Result<Upload, RequestError> {
    let announced = announced_length(headers, &body);
    let admit = |overhead| state.service.admit(caller, BodyLength { announced, overhead }, Instant::now());
    if !is_form(headers) {
        let image = BodyStream::new(body, admit(0)?).collect().await?;
        return Ok(Upload { image, fields: Vec::new() });
    }
    let boundary = multer::parse_boundary(content_type(headers)).map_err(malformed)?;
    let mut stream = BodyStream::new(body, admit(OVERHEAD_BYTES)?);
    let parts = read_parts(&mut stream, boundary).await?;
    let max = state.service.settings().max_body.into();
    if parts.image.len() as u64 > max {
        return Err(RequestError::BodyTooLarge { max });
    }
    Ok(Upload { image: stream.finish(parts.image).await?, fields: parts.fields })
}

/// The parts of a form.
#[derive(Debug, Default)]
pub(super) struct FormParts {
    /// Empty where there is none.
    pub(super) image: Vec<u8>,
    pub(super) fields: Vec<(String, String)>,
}

/// Reads the parts of a form. Empty parts count as absent: browsers send them for inputs that were not filled in.
pub(super) async fn read_parts(
    stream: impl Stream<Item = Result<Bytes, RequestError>> + Send,
    boundary: String,
) -> Result<FormParts, RequestError> {
    let mut form = Multipart::new(stream, boundary);
    let mut parts = FormParts::default();
    let mut image_name: Option<String> = None;
    let mut count = 0;
    while let Some(mut part) = form.next_field().await.map_err(malformed)? {
        count += 1;
        if count > MAX_PARTS {
            return Err(RequestError::Malformed(format!("a form has at most {MAX_PARTS} parts")));
        }
        let name = part.name().map(str::to_owned);
        let name = name.ok_or_else(|| RequestError::Malformed("a part of the form has no name".into()))?;
        // The file name itself may be in any encoding: it is not used.
        let disposition = part.headers().get(CONTENT_DISPOSITION);
        let is_file = disposition.is_some_and(|value| memmem::find(value.as_bytes(), b"filename").is_some());
        let is_image = is_file || matches!(name.as_str(), "image" | "file");
        let mut content = Vec::new();
        while let Some(chunk) = part.chunk().await.map_err(malformed)? {
            content.extend_from_slice(&chunk);
        }
        match (content.is_empty(), is_image, &image_name) {
            (true, _, _) => {}
            (false, true, Some(first)) => {
                let (first, name) = (first.escape_debug(), name.escape_debug());
                let message = format!("the form has two images, '{first}' and '{name}': send one at a time");
                return Err(RequestError::Malformed(message));
            }
            (false, true, None) => (parts.image, image_name) = (content, Some(name)),
            (false, false, _) => {
                let value = String::from_utf8(content);
                let value = value.map_err(|_| {
                    RequestError::Malformed(format!("the field '{}' is not UTF-8", name.escape_debug()))
                })?;
                parts.fields.push((name, value));
            }
        }
    }
    Ok(parts)
}

fn malformed(error: multer::Error) -> RequestError {
    let message = match error {
        multer::Error::StreamReadFailed(error) => match error.downcast::<RequestError>() {
            Ok(error) => return *error,
            Err(error) => error.to_string(),
        },
        multer::Error::IncompleteFieldData { .. }
        | multer::Error::IncompleteHeaders
        | multer::Error::IncompleteStream => {
            "the form ends within a part: its last boundary is missing".into()
        }
        multer::Error::NoBoundary | multer::Error::DecodeContentType(_) => {
            "the Content-Type of a form needs a boundary".into()
        }
        error => format!("the form cannot be read: {error}"),
    };
    RequestError::Malformed(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use proptest::prelude::*;

    /// The parts of a body that comes in chunks of `size` bytes.
    fn parts_in(body: &[u8], size: usize) -> Result<FormParts, RequestError> {
        let chunks: Vec<_> = body.chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        block_on(read_parts(stream::iter(chunks), "b".into()))
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn part(disposition: &[u8], content: &[u8]) -> Vec<u8> {
        let head = b"--b\r\nContent-Disposition: form-data; ";
        [head, disposition, b"\r\n\r\n", content, b"\r\n"].concat()
    }

    fn form(parts: &[Vec<u8>]) -> Vec<u8> {
        [parts.concat(), b"--b--\r\n".to_vec()].concat()
    }

    #[test]
    fn fields_and_the_image_are_told_apart_however_they_arrive() {
        let body = form(&[
            part(b"name=\"width\"", b"40"),
            part(b"name=photo; filename=\"a;b.png\"", b"PNG\r\n--c\r\n"),
            part(b"name=\"ops\"", b"blur:2"),
        ]);
        for size in [1, 7, 1000] {
            let parts = parts_in(&body, size).unwrap();
            assert_eq!(parts.image, b"PNG\r\n--c\r\n");
            let fields = [("width".to_owned(), "40".to_owned()), ("ops".to_owned(), "blur:2".to_owned())];
            assert_eq!(parts.fields, fields, "in chunks of {size}");
        }
    }

    #[test]
    fn a_file_name_may_be_in_any_encoding() {
        for name in [&b"gr\xfcn.jpg"[..], b"\x82\xa0.jpg", "\u{1F600}\u{202E}.jpg".as_bytes(), b"a\\\"b.jpg"]
        {
            let disposition = [&b"name=\"photo\"; filename=\""[..], name, b"\""].concat();
            let parts = parts_in(&form(&[part(&disposition, b"PNG")]), 50).unwrap();
            assert_eq!(parts.image, b"PNG", "{name:?}");
        }
        let extended = b"name=\"photo\"; filename*=UTF-8''gr%C3%BCn.jpg";
        assert_eq!(parts_in(&form(&[part(extended, b"PNG")]), 50).unwrap().image, b"PNG");
    }

    #[test]
    fn empty_inputs_are_absent_and_a_second_image_is_named() {
        let empty = part(b"name=\"other\"; filename=\"\"", b"");
        let body = form(&[empty, part(b"name=\"height\"", b""), part(b"name=\"image\"; filename=a", b"PNG")]);
        let parts = parts_in(&body, 50).unwrap();
        assert_eq!((parts.image, parts.fields), (b"PNG".to_vec(), Vec::new()));
        let two = form(&[part(b"name=\"a\"; filename=x", b"PNG"), part(b"name=\"b\"; filename=y", b"PNG")]);
        let error = parts_in(&two, 50).unwrap_err().to_string();
        assert_eq!(error, "the form has two images, 'a' and 'b': send one at a time");
    }

    #[test]
    fn a_broken_form_is_malformed() {
        let field = part(b"name=a", b"x");
        for body in
            [b"".to_vec(), b"no form".to_vec(), field.clone(), b"--b".to_vec(), form(&vec![field; 33])]
        {
            let error = parts_in(&body, 50).unwrap_err();
            assert!(matches!(error, RequestError::Malformed(_)), "{body:?}: {error}");
        }
        let latin1 = form(&[part(b"name=a", b"\xfc")]);
        assert_eq!(parts_in(&latin1, 50).unwrap_err().to_string(), "the field 'a' is not UTF-8");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_form_or_an_error(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parts_in(&body, 9);
        }

        #[test]
        fn an_image_comes_back_as_it_was_sent(image in proptest::collection::vec(any::<u8>(), 1..200)) {
            prop_assume!(memmem::find(&image, b"\r\n--b").is_none());
            let body = form(&[part(b"name=\"image\"", &image)]);
            prop_assert_eq!(parts_in(&body, 17).unwrap().image, image);
        }
    }
}
