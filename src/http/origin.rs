//! `Origins`: whose pages in a browser may ask. Our own always may; others only where the operator says so.

use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Method, Request};
use std::str::FromStr;

/// For how long a browser may remember that it may ask, in seconds.
const REMEMBERED: &str = "600";

/// The origins that are allowed beside our own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Origins {
    /// None.
    #[default]
    Own,
    /// These.
    Listed(Vec<String>),
    /// Every page of the web.
    All,
}

/// What stands in `--cors-origin` is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no origin: it must be like https://example.org, without a path, or *")]
pub struct BadOrigin(String);

/// A comma separated list, or `*`.
impl FromStr for Origins {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Self, BadOrigin> {
        let parse = |origin: &str| {
            let origin = origin.trim();
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            let fine =
                host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', '*', ' ']));
            if fine {
                Ok(origin.to_ascii_lowercase())
            } else {
                Err(BadOrigin(origin.escape_debug().to_string()))
            }
        };
        match text.trim() {
            "*" => Ok(Origins::All),
            list => list.split(',').map(parse).collect::<Result<_, _>>().map(Origins::Listed),
        }
    }
}

/// Where a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judged {
    /// No browser, or one of our own pages, or somebody who shows a token, or harmless.
    Ours,
    /// A page that may ask and read the answer.
    Allowed(HeaderValue),
    /// A page that wants to change something here and may not.
    Foreign,
}

impl Origins {
    pub(super) fn judge<B>(&self, request: &Request<B>) -> Judged {
        let Some(origin) = request.headers().get(header::ORIGIN) else { return Judged::Ours };
        match self.may_ask(request) {
            true if self.lists(origin) => Judged::Allowed(origin.clone()),
            true => Judged::Ours,
            // A page can neither send an Authorization header nor read an answer without our consent.
            false if request.headers().contains_key(header::AUTHORIZATION) => Judged::Ours,
            false if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) => {
                Judged::Ours
            }
            false => Judged::Foreign,
        }
    }

    /// Whether the page that asks, if it is one, is ours or allowed. What is true for no page.
    pub(crate) fn may_ask<B>(&self, request: &Request<B>) -> bool {
        let Some(origin) = request.headers().get(header::ORIGIN) else { return true };
        let host = request.uri().authority().map(|host| host.as_str()).or_else(|| host(request.headers()));
        let of_origin =
            origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
        self.lists(origin) || of_origin.zip(host).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
    }

    fn lists(&self, origin: &HeaderValue) -> bool {
        match self {
            Origins::Own => false,
            Origins::Listed(list) => {
                list.iter().any(|one| one.as_bytes().eq_ignore_ascii_case(origin.as_bytes()))
            }
            Origins::All => true,
        }
    }
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST)?.to_str().ok()
}

/// Lets the page of an allowed origin read the answer.
pub(super) fn allow(headers: &mut HeaderMap, method: &Method, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*, ETag, Server-Timing"));
    if method == Method::OPTIONS {
        let allow = HeaderValue::from_static("GET, POST, DELETE");
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow);
        let allow = HeaderValue::from_static("Authorization, Content-Type, If-None-Match, X-Request-Id");
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allow);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(REMEMBERED));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, origin: &str, more: &[(&str, &str)]) -> Request<()> {
        let request = Request::builder().method(method).uri("/resize").header("host", "img.example:8080");
        let request = if origin.is_empty() { request } else { request.header("origin", origin) };
        more.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(()).unwrap()
    }

    #[test]
    fn a_foreign_page_changes_nothing_and_everybody_else_may_ask() {
        let own = Origins::Own;
        for (method, origin, judged) in [
            ("POST", "", Judged::Ours),
            ("POST", "http://img.example:8080", Judged::Ours),
            ("POST", "http://img.example", Judged::Foreign),
            ("POST", "https://evil.example", Judged::Foreign),
            ("DELETE", "null", Judged::Foreign),
            ("PUT", "http://img.example:8080.evil.example", Judged::Foreign),
            ("GET", "https://evil.example", Judged::Ours),
        ] {
            assert_eq!(own.judge(&request(method, origin, &[])), judged, "{method} from {origin}");
        }
        let with_token = request("POST", "https://evil.example", &[("authorization", "Bearer x")]);
        assert_eq!(own.judge(&with_token), Judged::Ours);
    }

    #[test]
    fn a_listed_page_may_ask_and_read() {
        let listed: Origins = "https://a.example, http://b.example:81".parse().unwrap();
        let origin = "https://A.example";
        assert_eq!(
            listed.judge(&request("POST", origin, &[])),
            Judged::Allowed(HeaderValue::from_static(origin))
        );
        assert_eq!(listed.judge(&request("POST", "http://b.example", &[])), Judged::Foreign);
        assert!(Origins::All.may_ask(&request("POST", "null", &[])));
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for bad in ["example.org", "https://", "https://a/b", "https://a,b", "https://*.a", ""] {
            assert!(bad.parse::<Origins>().is_err(), "{bad}");
        }
    }
}
