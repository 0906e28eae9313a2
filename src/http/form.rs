//! `Upload`: the picture of a request, sent as it is or as a part of a form, and the form's other fields.

use crate::engine::Reservation;
use crate::http::multipart::{self, Part};
use crate::http::request_body::{self, Received};
use crate::http::{Failure, HttpState, RequestContext};
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderMap};

/// A picture that has arrived.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) image: Vec<u8>,
    pub(crate) memory: Reservation,
    /// The fields beside the picture: options.
    pub(crate) fields: Vec<(String, String)>,
}

/// Whether a form is announced, which may hold more options.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    multipart::boundary(content_type(headers)).is_some()
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default()
}

/// Reads the picture of a request: the whole body, or the part `image` or `file` of a form.
///
/// # Errors
/// As [`request_body::read`]; [`Failure::Form`], [`Failure::Empty`] without a picture.
pub(crate) async fn read(
    door: &HttpState,
    call: &RequestContext,
    headers: &HeaderMap,
    body: Body,
) -> Result<Upload, Failure> {
    let boundary = multipart::boundary(content_type(headers)).transpose()?;
    let Received { bytes, mut memory } = request_body::read(door, call, headers, body).await?;
    let (image, fields) = match boundary {
        None => (bytes, Vec::new()),
        Some(boundary) => picked(bytes, boundary)?,
    };
    if image.is_empty() {
        return Err(Failure::Empty);
    }
    let max = door.settings.door.max_body.into();
    if image.len() as u64 > max {
        return Err(Failure::BodyTooLarge { max });
    }
    let _ = memory.resize(image.len() as u64); // no more than before
    Ok(Upload { image, memory, fields })
}

type Picked = (Vec<u8>, Vec<(String, String)>);

/// The picture, in the memory of the body, and the other fields.
pub(super) fn picked(mut body: Vec<u8>, boundary: &str) -> Result<Picked, Failure> {
    let mut parts = multipart::parts(&body, boundary)?;
    let is_picture = |part: &Part| matches!(part.name.as_str(), "image" | "file");
    let index = parts.iter().position(is_picture).or_else(|| parts.iter().position(|part| part.is_file));
    let picture = parts.remove(index.ok_or(Failure::Empty)?);
    let text = |part: Part| {
        let value = std::str::from_utf8(&body[part.content]).ok()?;
        Some((part.name, value.to_owned()))
    };
    let fields = parts.into_iter().map(text).collect::<Option<_>>();
    let fields = fields.ok_or_else(|| Failure::BadRequest("a field of the form is not UTF-8".into()))?;
    body.truncate(picture.content.end);
    body.drain(..picture.content.start);
    Ok((body, fields))
}
