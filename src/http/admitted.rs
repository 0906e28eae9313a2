//! `Admitted`: a caller with a token, where one is needed, and within its rate.

use super::{Call, Door, Failure};
use crate::rate::Caller;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use std::sync::Arc;

/// Proof that the caller may ask. A route that takes it is closed to everybody else, before the body is read.
#[derive(Debug, Clone)]
pub(crate) struct Admitted {
    /// The request.
    pub(crate) call: Arc<Call>,
    /// Whom it counts for.
    pub(crate) caller: Caller,
}

impl FromRequestParts<Arc<Door>> for Admitted {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, door: &Arc<Door>) -> Result<Self, Failure> {
        let call = call(parts)?;
        let ip = call.peer.ip();
        let caller = match door.gate.identify(ip, call.line, bearer(parts))? {
            Some(name) => {
                call.show_token(name.clone());
                Caller::Token(name)
            }
            None => Caller::at(ip),
        };
        door.gate.rates.request(&caller)?;
        Ok(Admitted { call, caller })
    }
}

fn call(parts: &Parts) -> Result<Arc<Call>, Failure> {
    let call = parts.extensions.get::<Arc<Call>>().cloned();
    call.ok_or_else(|| Failure::BadRequest("this request came in by no door".into()))
}

/// The token of `Authorization: Bearer`.
fn bearer(parts: &Parts) -> Option<&str> {
    let (scheme, token) = parts.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
