//! The query of a request to the options that every door has.

use super::{Call, Failure};
use crate::spec::{Offer, Options, decode_pairs};

/// Reads the options of a query. The caller's `id` becomes the call's.
///
/// # Errors
/// [`Failure::Options`]; [`Failure::BadRequest`] for a token, which would end up in logs of proxies.
pub(crate) fn read(offer: &Offer, call: &Call, query: Option<&str>) -> Result<Options, Failure> {
    let pairs = decode_pairs(query.unwrap_or_default().as_bytes())?;
    from_pairs(offer, call, pairs)
}

/// The same for pairs that are decoded already.
///
/// # Errors
/// As [`read`].
pub(crate) fn from_pairs(
    offer: &Offer,
    call: &Call,
    pairs: Vec<(String, String)>,
) -> Result<Options, Failure> {
    if pairs.iter().any(|(key, _)| key == "token") {
        let message = "a token in an address ends up in logs and is not taken: send it as 'Authorization: Bearer TOKEN'";
        return Err(Failure::BadRequest(message.into()));
    }
    if pairs.iter().any(|(key, _)| key == "op") {
        return Err(Failure::BadRequest(
            "there is no 'op' over HTTP: ask /health, or name operations in 'ops'".into(),
        ));
    }
    let options = offer.of_pairs(pairs)?;
    call.name(options.call.id.as_deref());
    Ok(options)
}
