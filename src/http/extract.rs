//! `AuthenticatedCaller` from the headers of a request: a handler that takes one refuses all others before the body is read.

use crate::http::{HttpState, RequestContext};
use crate::service::{AuthenticatedCaller, RequestError};
use axum::extract::FromRequestParts;
use axum::http::Extensions;
use axum::http::header::{AUTHORIZATION, HeaderMap};
use axum::http::request::Parts;
use std::sync::Arc;

impl FromRequestParts<Arc<HttpState>> for AuthenticatedCaller {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<HttpState>) -> Result<Self, RequestError> {
        let context = context(&parts.extensions)?;
        let caller = state.service.authenticate(context.peer, bearer(&parts.headers))?;
        context.set_token(&caller);
        Ok(caller)
    }
}

/// The context of a request.
///
/// # Errors
/// [`RequestError::Malformed`] for a request that did not come from a connection.
pub(super) fn context(extensions: &Extensions) -> Result<Arc<RequestContext>, RequestError> {
    let context = extensions.get::<Arc<RequestContext>>().cloned();
    context.ok_or_else(|| RequestError::Malformed("the request has no connection".into()))
}

/// The token of `Authorization: Bearer`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
