//! Query and form fields of a request to the options that all protocols share.

use crate::http::{RequestContext, imaginary};
use crate::service::RequestError;
use crate::service::policy::RequestPolicy;
use crate::spec::{Options, decode_pairs};

/// Reads the options of a query and of the fields of a form. The option `id` names the request.
///
/// # Errors
/// [`RequestError::Options`]; [`RequestError::Malformed`] for a token, which would end up in the logs of proxies, and
/// for parameters of other servers that have no counterpart here.
pub(crate) fn read(
    policy: &RequestPolicy,
    context: &RequestContext,
    query: Option<&str>,
    fields: Vec<(String, String)>,
) -> Result<Options, RequestError> {
    let mut pairs = decode_pairs(query.unwrap_or_default().as_bytes())?;
    pairs.extend(fields);
    let refusal = |key: &str| match key {
        "token" => Some("a token among the options is not taken: send it as 'Authorization: Bearer TOKEN'"),
        "op" => Some("there is no 'op' over HTTP: ask /health, or name operations in 'ops'"),
        _ => None,
    };
    if let Some(message) = pairs.iter().find_map(|(key, _)| refusal(key)) {
        return Err(RequestError::Malformed(message.into()));
    }
    let options = imaginary::parse(policy, pairs)?;
    context.set_id(options.call.id.as_deref());
    Ok(options)
}
