//! `Failure`: why a request has no result, and what its caller, the metrics and the log are told.

use crate::engine::JobError;
use crate::http::multipart::FormError;
use crate::reject_reason::RejectReason;
use crate::report::Report;
use crate::service::TooManyGuesses;
use crate::service::auth::Denied;
use crate::service::connections::ConnectionLimit;
use crate::service::rates::OverRate;
use crate::spec::SpecError;
use crate::status::Status;
use crate::tasks::{self, StoreError};
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("there is nothing at {0:?}: see /openapi.json for what there is")]
    NoSuchPath(String),
    #[error("{0} is not possible here: see the header Allow")]
    NoSuchMethod(Method),
    #[error("a page of another origin asks, which is not allowed: see --cors-origin")]
    ForeignOrigin,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    OverRate(#[from] OverRate),
    #[error(transparent)]
    Options(#[from] SpecError),
    #[error(transparent)]
    Full(#[from] ConnectionLimit),
    /// What only this door can get wrong about a request.
    #[error("{0}")]
    BadRequest(String),
    #[error("the body is empty: send the image as it is, or as the part 'image' or 'file' of a form")]
    Empty,
    #[error("the body is longer than {max} bytes")]
    BodyTooLarge { max: u64 },
    #[error(transparent)]
    Form(#[from] FormError),
    #[error("the body came too slowly")]
    SlowBody,
    #[error("the body ended early")]
    BrokenBody,
    #[error("given up, as was asked")]
    Cancelled,
    #[error(transparent)]
    Job(#[from] JobError),
    /// Unknown, another's or gone: nobody is told which.
    #[error("there is no such task: its result may have expired")]
    NoSuchTask,
    #[error("the task is {0}: ask /status/ID, or listen to /status/ID/events")]
    NotDone(&'static str),
    #[error("{}", .0.message)]
    TaskFailed(tasks::Failure),
    #[error(transparent)]
    NotKept(StoreError),
    #[error("tasks are off on this server: its operator can turn them on with --data-dir DIR")]
    NoTasks,
}

impl Failure {
    /// The word that every door has for it.
    pub(crate) fn status(&self) -> Status {
        match self {
            Failure::NoSuchPath(_)
            | Failure::NoSuchMethod(_)
            | Failure::Options(_)
            | Failure::BadRequest(_)
            | Failure::BrokenBody
            | Failure::Form(_)
            | Failure::NoSuchTask
            | Failure::NotDone(_)
            | Failure::NoTasks
            | Failure::Empty => Status::BadRequest,
            Failure::ForeignOrigin => Status::Unauthorized,
            Failure::Denied(denied) => denied.status(),
            Failure::OverRate(_) | Failure::Full(_) => Status::Busy,
            Failure::BodyTooLarge { .. } => Status::TooLarge,
            Failure::SlowBody | Failure::Cancelled => Status::Timeout,
            Failure::Job(error) => error.status(),
            Failure::TaskFailed(failure) => failure.status,
            Failure::NotKept(_) => Status::StorageFull,
        }
    }

    /// The number that HTTP has for it: that of the status, where HTTP has no better one.
    pub(crate) fn http(&self) -> StatusCode {
        match self {
            Failure::NoSuchPath(_) | Failure::NoSuchTask => StatusCode::NOT_FOUND,
            Failure::NotDone(_) => StatusCode::CONFLICT,
            Failure::NoTasks => StatusCode::NOT_IMPLEMENTED,
            Failure::NoSuchMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
            Failure::ForeignOrigin => StatusCode::FORBIDDEN,
            Failure::Denied(Denied::Guessing(_)) | Failure::OverRate(_) => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::from_u16(self.status().http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    pub(crate) fn reason(&self) -> RejectReason {
        match self {
            Failure::NoSuchPath(_) | Failure::NoSuchMethod(_) | Failure::Options(_) => {
                RejectReason::BadRequest
            }
            Failure::BadRequest(_) | Failure::Form(_) => RejectReason::BadRequest,
            Failure::Empty => RejectReason::BadRequest,
            Failure::Full(full) => full.reject_reason(),
            Failure::NoSuchTask | Failure::NotDone(_) | Failure::NoTasks => RejectReason::BadRequest,
            Failure::TaskFailed(_) => RejectReason::BadRequest,
            Failure::NotKept(_) => RejectReason::StorageFull,
            Failure::ForeignOrigin => RejectReason::ForeignOrigin,
            Failure::Denied(denied) => denied.reject_reason(),
            Failure::OverRate(_) => RejectReason::RateLimit,
            Failure::BodyTooLarge { .. } => RejectReason::BodyTooLarge,
            Failure::SlowBody => RejectReason::SlowClient,
            Failure::BrokenBody => RejectReason::Truncated,
            Failure::Cancelled => RejectReason::Abandoned,
            Failure::Job(error) => error.reason(),
        }
    }

    /// What is told beside the message.
    pub(crate) fn report(&self) -> Report {
        Report {
            retry_after_ms: self.retry_after().map(|time| time.as_millis() as u64),
            ..Report::new(self.status())
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Failure::Job(JobError::Busy { retry_after, .. })
            | Failure::Denied(Denied::Guessing(TooManyGuesses { retry_after }))
            | Failure::OverRate(OverRate { retry_after, .. }) => Some(*retry_after),
            Failure::Full(_) => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// The JSON object that the caller gets.
    pub(crate) fn to_json(&self, id: &str) -> serde_json::Value {
        let (status, code) = (self.status().word(), self.http().as_u16());
        let mut body = json!({ "status": status, "code": code, "message": self.to_string(), "id": id });
        if let Some(time) = self.retry_after() {
            body["retry_after_ms"] = json!(time.as_millis() as u64);
        }
        body
    }

    /// The whole answer to the request of this id.
    pub(super) fn answer(&self, id: &str) -> Response {
        let mut response = Response::new(Body::from(self.to_json(id).to_string() + "\n"));
        *response.status_mut() = self.http();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(time) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(time.as_millis().div_ceil(1000).max(1) as u64));
        }
        if self.http() == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer realm=\"imgsrv\"");
            headers.insert(axum::http::header::WWW_AUTHENTICATE, bearer);
        }
        response
    }

    /// The same as bytes, after which the connection ends: for peers whom hyper does not answer, or barely.
    pub(super) fn to_http1(&self, id: &str) -> Vec<u8> {
        let body = self.to_json(id).to_string() + "\n";
        let (status, length) = (self.http(), body.len());
        let mut bytes = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nx-request-id: {id}\r\nconnection: close\r\n"
        )
        .into_bytes();
        for (name, value) in self.answer(id).headers() {
            bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        bytes.extend(b"\r\n");
        bytes.extend(body.as_bytes());
        bytes
    }
}

/// A route's failure travels as an extension; the answer is written where the request's id is known.
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.http();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}
