//! The pages of `web/`: a picture before and after, and what can be asked. Plain HTML, CSS and modules of our
//! own, allowed to load nothing from anywhere else.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName};
use axum::response::IntoResponse;

/// What a page may do: run our scripts, show pictures that the visitor chose, and ask this server.
const OWN_SCRIPTS: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

type Page = ([(HeaderName, &'static str); 3], &'static str);

fn page(kind: &'static str, text: &'static str) -> Page {
    ([(CONTENT_TYPE, kind), (CONTENT_SECURITY_POLICY, OWN_SCRIPTS), (CACHE_CONTROL, "no-cache")], text)
}

pub(super) async fn home() -> impl IntoResponse {
    page("text/html; charset=utf-8", include_str!("../../web/index.html"))
}

pub(super) async fn docs() -> impl IntoResponse {
    page("text/html; charset=utf-8", include_str!("../../web/docs.html"))
}

pub(super) async fn style() -> impl IntoResponse {
    page("text/css; charset=utf-8", include_str!("../../web/page.css"))
}

pub(super) async fn script() -> impl IntoResponse {
    page("text/javascript; charset=utf-8", include_str!("../../web/page.js"))
}

pub(super) async fn docs_script() -> impl IntoResponse {
    page("text/javascript; charset=utf-8", include_str!("../../web/docs.js"))
}
