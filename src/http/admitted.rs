//! `Admitted`: a caller with a token, where one is needed, and within its rate.

use crate::http::{Failure, HttpState, RequestContext};
use crate::service::{Caller, Peer, auth};
use axum::extract::FromRequestParts;
use axum::http::Extensions;
use axum::http::header::{AUTHORIZATION, HeaderMap};
use axum::http::request::Parts;
use std::sync::Arc;
use std::time::Instant;

/// Proof that the caller may ask. A route that takes it is closed to everybody else, before the body is read.
#[derive(Debug, Clone)]
pub(crate) struct Admitted {
    /// The request.
    pub(crate) call: Arc<RequestContext>,
    /// Whom it counts for.
    pub(crate) caller: Caller,
}

impl FromRequestParts<Arc<HttpState>> for Admitted {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, door: &Arc<HttpState>) -> Result<Self, Failure> {
        let call = call(&parts.extensions)?;
        let caller = identify(door, &call, bearer(&parts.headers))?;
        door.service.rates().request(&caller)?;
        Ok(Admitted { call, caller })
    }
}

/// Whom a request counts for, by the token that it shows where one is needed.
///
/// # Errors
/// [`Failure::Denied`].
pub(super) fn identify(
    door: &HttpState,
    call: &RequestContext,
    token: Option<&str>,
) -> Result<Caller, Failure> {
    let peer = Peer { address: call.peer, transport: call.line };
    let caller = door.service.authenticator().identify(peer, token.map(auth::digest), Instant::now())?;
    if let Caller::Token(name) = &caller {
        call.show_token(name.clone());
    }
    Ok(caller)
}

/// The call that a request is.
///
/// # Errors
/// [`Failure::BadRequest`] for one that did not come through this door.
pub(super) fn call(extensions: &Extensions) -> Result<Arc<RequestContext>, Failure> {
    let call = extensions.get::<Arc<RequestContext>>().cloned();
    call.ok_or_else(|| Failure::BadRequest("this request came in by no door".into()))
}

/// The token of `Authorization: Bearer`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
