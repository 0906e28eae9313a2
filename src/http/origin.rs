//! `Origins`: pages in a browser that may use the server: its own, and those that the operator lists.

use crate::net::TransportKind;
use crate::service::RequestError;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, Request};
use std::str::FromStr;

/// Seconds for which a browser may keep the answer to a preflight.
const PREFLIGHT_AGE: &str = "600";

/// Scheme of the public address, as proxies tell it. A page cannot send it without our consent.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Allowed origins beside our own.
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

/// A text that is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an origin: it must be like https://example.org, without a path, or *")]
pub struct BadOrigin(String);

/// Parses a comma separated list, or `*`.
impl FromStr for Origins {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Self, BadOrigin> {
        let parse = |origin: &str| {
            let origin = origin.trim();
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            let is_valid =
                host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', '*', ' ']));
            if is_valid {
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

/// A request that may be served, by the origin of its page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OriginVerdict {
    /// No page, our own page, a caller with a token, or a request that changes nothing.
    Own,
    /// A page that may also read the answer.
    Allowed(HeaderValue),
}

impl Origins {
    /// Judges a request by the page that sends it.
    ///
    /// # Errors
    /// [`RequestError::ForeignOrigin`] for a page that may not change anything here.
    pub(super) fn judge<B>(
        &self,
        request: &Request<B>,
        transport: TransportKind,
    ) -> Result<OriginVerdict, RequestError> {
        let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(OriginVerdict::Own) };
        let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        match self.check(request, transport) {
            Ok(()) if self.lists(origin) => Ok(OriginVerdict::Allowed(origin.clone())),
            Ok(()) => Ok(OriginVerdict::Own),
            // A page can neither send an Authorization header nor read an answer without our consent.
            Err(_) if is_safe || request.headers().contains_key(header::AUTHORIZATION) => {
                Ok(OriginVerdict::Own)
            }
            Err(error) => Err(error),
        }
    }

    /// Checks that the page that sends a request, if there is one, is our own or listed.
    ///
    /// # Errors
    /// [`RequestError::ForeignOrigin`].
    pub(crate) fn check<B>(
        &self,
        request: &Request<B>,
        transport: TransportKind,
    ) -> Result<(), RequestError> {
        let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(()) };
        if self.lists(origin) || is_own(origin, request, transport) {
            return Ok(());
        }
        let origin = String::from_utf8_lossy(origin.as_bytes()).chars().take(200).collect();
        Err(RequestError::ForeignOrigin(origin))
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

/// Returns true if the origin has the scheme and the host at which the server was asked.
fn is_own<B>(origin: &HeaderValue, request: &Request<B>, transport: TransportKind) -> bool {
    let headers = request.headers();
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let scheme = match (transport, text(FORWARDED_PROTO)) {
        (TransportKind::Tls, _) => "https",
        (TransportKind::Plain, Some(proto)) if proto.eq_ignore_ascii_case("https") => "https",
        (TransportKind::Plain, _) => "http",
    };
    let host = request.uri().authority().map(|host| host.as_str()).or_else(|| text(header::HOST));
    let parts = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    parts.zip(host).is_some_and(|((own_scheme, own_host), host)| {
        own_scheme.eq_ignore_ascii_case(scheme) && own_host.eq_ignore_ascii_case(host)
    })
}

/// Lets the page of an allowed origin read the answer.
pub(super) fn allow(headers: &mut HeaderMap, method: &Method, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*, ETag, Server-Timing"));
    if method == Method::OPTIONS {
        let methods = HeaderValue::from_static("GET, POST, DELETE");
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        let names = HeaderValue::from_static("Authorization, Content-Type, If-None-Match, X-Request-Id");
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_AGE));
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

    fn is_foreign(origins: &Origins, request: &Request<()>) -> bool {
        matches!(origins.judge(request, TransportKind::Plain), Err(RequestError::ForeignOrigin(_)))
    }

    #[test]
    fn a_foreign_page_changes_nothing_and_all_other_callers_may_ask() {
        for (method, origin, foreign) in [
            ("POST", "", false),
            ("POST", "http://img.example:8080", false),
            ("POST", "http://IMG.example:8080", false),
            ("POST", "http://img.example", true),
            ("POST", "https://evil.example", true),
            ("DELETE", "null", true),
            ("PUT", "http://img.example:8080.evil.example", true),
            ("GET", "https://evil.example", false),
        ] {
            let request = request(method, origin, &[]);
            assert_eq!(is_foreign(&Origins::Own, &request), foreign, "{method} from {origin}");
        }
        let with_token = request("POST", "https://evil.example", &[("authorization", "Bearer x")]);
        assert!(!is_foreign(&Origins::Own, &with_token));
    }

    #[test]
    fn the_scheme_of_an_origin_counts() {
        let own = |origin, more: &[_], transport| {
            Origins::Own.check(&request("POST", origin, more), transport).is_ok()
        };
        let proxied = [("x-forwarded-proto", "https")];
        let (http, https) = ("http://img.example:8080", "https://img.example:8080");
        assert!(own(http, &[], TransportKind::Plain) && own(https, &[], TransportKind::Tls));
        assert!(!own(https, &[], TransportKind::Plain) && !own(http, &[], TransportKind::Tls));
        assert!(own(https, &proxied, TransportKind::Plain) && !own(http, &proxied, TransportKind::Plain));
    }

    #[test]
    fn a_listed_page_may_ask_and_read() {
        let listed: Origins = "https://a.example, http://b.example:81".parse().unwrap();
        let origin = "https://A.example";
        let verdict = listed.judge(&request("POST", origin, &[]), TransportKind::Plain).unwrap();
        assert_eq!(verdict, OriginVerdict::Allowed(HeaderValue::from_static(origin)));
        assert!(is_foreign(&listed, &request("POST", "http://b.example", &[])));
        assert!(Origins::All.check(&request("POST", "null", &[]), TransportKind::Plain).is_ok());
    }

    #[test]
    fn a_text_that_is_not_an_origin_is_refused() {
        for bad in ["example.org", "https://", "https://a/b", "https://a,b", "https://*.a", ""] {
            assert!(bad.parse::<Origins>().is_err(), "{bad}");
        }
    }
}
