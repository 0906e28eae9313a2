//! What the first WebSocket and XML-RPC clients ask for without a word: a grayscale JPEG of the same size.

use crate::engine::{BudgetSpent, Engine, Reservation};
use crate::format::Format;
use crate::http::{Failure, base64};
use crate::service::policy::RequestPolicy;
use crate::spec::{Op, OutputFormat, Spec, SpecError};

/// The picture that they want.
///
/// # Errors
/// [`SpecError::PresetsOnly`] on a server that offers nothing else.
pub(crate) fn spec(offer: &RequestPolicy) -> Result<Spec, SpecError> {
    let format = OutputFormat::Fixed(Format::Jpeg);
    Ok(Spec { format, lossless: false, ops: vec![Op::Grayscale], ..offer.plain(0, 0)? })
}

/// The image that a base64 text stands for, in the memory that the text held.
///
/// # Errors
/// [`Failure::BadRequest`] when it is not base64, [`Failure::Job`] when there is no memory for both.
pub(crate) fn image(engine: &Engine, text: &[u8], memory: &mut Reservation) -> Result<Vec<u8>, Failure> {
    let held = memory.bytes();
    let needed = base64::decoded_len(text.len()) as u64;
    memory.resize(held + needed).map_err(|BudgetSpent| engine.busy())?;
    base64::decode(text).ok_or_else(|| Failure::BadRequest("the text is not a base64 image".into()))
}

/// A result as base64 text, with the memory for both.
///
/// # Errors
/// [`Failure::Job`] when there is not so much.
pub(crate) fn text(engine: &Engine, image: &[u8], memory: &mut Reservation) -> Result<String, Failure> {
    let needed = image.len() as u64 * 4 / 3 + 4;
    memory.resize(memory.bytes() + needed).map_err(|BudgetSpent| engine.busy())?;
    Ok(base64::encode(image))
}
