//! Query and form fields of a request to the options that every door has.

use crate::http::{Failure, RequestContext, aliases};
use crate::service::policy::RequestPolicy;
use crate::spec::{Options, decode_pairs};

/// Reads the options of a query and of the fields of a form. The caller's `id` becomes the call's.
///
/// # Errors
/// [`Failure::Options`]; [`Failure::BadRequest`] for a token, which would end up in the logs of proxies, and
/// for other servers' parameters that have no counterpart here.
pub(crate) fn read(
    offer: &RequestPolicy,
    call: &RequestContext,
    query: Option<&str>,
    fields: Vec<(String, String)>,
) -> Result<Options, Failure> {
    let mut pairs = decode_pairs(query.unwrap_or_default().as_bytes())?;
    pairs.extend(fields);
    let refused = |key: &str| match key {
        "token" => Some("a token among the options is not taken: send it as 'Authorization: Bearer TOKEN'"),
        "op" => Some("there is no 'op' over HTTP: ask /health, or name operations in 'ops'"),
        _ => None,
    };
    if let Some(message) = pairs.iter().find_map(|(key, _)| refused(key)) {
        return Err(Failure::BadRequest(message.into()));
    }
    let options = offer.parse_pairs(aliases::translated(pairs)?)?;
    call.name(options.call.id.as_deref());
    Ok(options)
}
