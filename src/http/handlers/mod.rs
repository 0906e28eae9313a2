//! The routes: each handler reads its options and body, runs the engine, and returns a response.

pub(super) mod health; // /health, /ready, /metrics.
pub(super) mod image; // /resize, /crop, /thumbnail, /convert, /pipeline, /info.
pub(super) mod openapi; // /openapi.json, made from the table of options.
pub(super) mod page; // the pages of web/.
pub(super) mod tasks; // /upload, /status, /result, /tasks.
