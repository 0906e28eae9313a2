//! The one request of the first WebSocket and XML-RPC clients: a grayscale JPEG of the same size, in base64.

use crate::engine::Reservation;
use crate::format::Format;
use crate::http::legacy::base64;
use crate::service::policy::RequestPolicy;
use crate::service::{ReceivedBody, RequestError, Service};
use crate::spec::{Op, OutputFormat, Quality, Spec, SpecError};

/// Pillow's default, which the clients were written for: their WebSocket library takes messages of 1 MiB.
const QUALITY: Option<Quality> = Quality::new(75);

/// The spec of that request.
///
/// # Errors
/// [`SpecError::PresetsOnly`] on a server that takes presets only.
pub(in crate::http) fn spec(policy: &RequestPolicy) -> Result<Spec, SpecError> {
    let format = OutputFormat::Fixed(Format::Jpeg);
    let plain = policy.plain(0, 0)?;
    Ok(Spec { format, quality: QUALITY, lossless: false, ops: vec![Op::Grayscale], ..plain })
}

/// Decodes the image in a base64 text, whose memory is `memory`.
///
/// # Errors
/// [`RequestError::Malformed`] when it is not base64, `Busy` when there is no memory for both.
pub(in crate::http) fn decode(
    service: &Service,
    text: &[u8],
    mut memory: Reservation,
) -> Result<ReceivedBody, RequestError> {
    let needed = memory.bytes() + base64::decoded_len(text.len()) as u64;
    service.resize(&mut memory, needed)?;
    let bytes = base64::decode(text);
    let bytes = bytes.ok_or_else(|| RequestError::Malformed("the text is not a base64 image".into()))?;
    Ok(ReceivedBody { bytes, memory })
}

/// Encodes a result as base64 text, with the memory for both.
///
/// # Errors
/// `Busy` when there is no memory for both.
pub(in crate::http) fn encode(
    service: &Service,
    image: &[u8],
    memory: &mut Reservation,
) -> Result<String, RequestError> {
    let needed = memory.bytes() + image.len() as u64 * 4 / 3 + 4;
    service.resize(memory, needed)?;
    Ok(base64::encode(image))
}
