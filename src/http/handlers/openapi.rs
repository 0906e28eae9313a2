//! `/openapi.json`: the routes and options as OpenAPI 3.1, made from the table of options.

use crate::format::Format;
use crate::http::{HttpState, reply};
use crate::spec::{CALL_OPTIONS, OPTIONS, OptionDef, ValueSet};
use crate::status::Status;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Routes that answer with an image, and their summaries.
const IMAGES: [(&str, &str); 5] = [
    ("/resize", "Resize, crop, turn, convert, as the options say"),
    ("/crop", "Fill the box and cut off the rest (fit=cover)"),
    ("/thumbnail", "Fit within the box, never larger than the source (fit=inside)"),
    ("/convert", "Convert to another format, which has to be named"),
    ("/pipeline/{operations}", "Apply the operations of the path, in order"),
];

/// Routes of tasks that outlive their request: path, method, summary, status of the answer.
const TASKS: [(&str, &str, &str, &str); 6] = [
    ("/upload", "post", "Keep the image as a task; the answer has its id", "202"),
    ("/status/{id}", "get", "State of a task", "200"),
    ("/status/{id}", "delete", "Cancel a task, or delete its result", "200"),
    ("/status/{id}/events", "get", "States of a task as server-sent events", "200"),
    ("/result/{id}", "get", "The result of a task that is done; 409 while it is not", "200"),
    (
        "/tasks",
        "get",
        "A page of the caller's tasks, oldest first; 'next' is the 'after' of the page that follows",
        "200",
    ),
];

pub(in crate::http) async fn openapi(State(state): State<Arc<HttpState>>) -> Response {
    reply::json(&document(state.service.needs_token()))
}

fn document(needs_token: bool) -> Value {
    let mut paths = Map::new();
    for (path, summary) in IMAGES {
        let mut parameters = options();
        if path.contains("{operations}") {
            parameters.retain(|parameter| parameter["name"] != "ops");
            let operations = OptionDef::of("ops").map(OptionDef::accepts).unwrap_or_default();
            parameters.insert(0, parameter("operations", "path", &operations));
        }
        let mut responses = failures();
        let images = Format::ALL.into_iter().filter(|format| format.is_writable());
        let content: Map<_, _> = images.map(|format| (format.mime().to_owned(), binary())).collect();
        responses.insert("200".into(), json!({ "description": "The result", "content": content }));
        responses.insert("304".into(), json!({ "description": "The client has it (If-None-Match)" }));
        paths.insert(
            path.into(),
            json!({ "post": {
            "summary": summary, "parameters": parameters, "requestBody": image(), "responses": responses,
        } }),
        );
    }
    let mut responses = failures();
    responses.insert(
        "200".into(),
        json!({ "description": "Facts about the image",
        "content": { "application/json": { "schema": { "type": "object" } } } }),
    );
    paths.insert(
        "/info".into(),
        json!({ "post": {
        "summary": "Format, size, orientation, profile, metadata, and how a JPEG is coded",
        "requestBody": image(), "responses": responses,
    } }),
    );
    for (path, method, summary, code) in TASKS {
        let mut responses = failures();
        responses.insert(code.into(), json!({ "description": "Yes" }));
        responses.insert("404".into(), json!({ "description": "Unknown, expired, or another caller's" }));
        let mut route = json!({ "summary": summary, "responses": responses });
        if method == "post" {
            (route["parameters"], route["requestBody"]) = (options().into(), image());
        } else if path.contains("{id}") {
            route["parameters"] = json!([parameter("id", "path", "32 hexadecimal digits")]);
        } else {
            route["parameters"] = json!([
                parameter("limit", "query", "1 to 200 tasks"),
                parameter("after", "query", "the id of the last task of the page before"),
            ]);
        }
        paths.entry(path).or_insert_with(|| json!({}))[method] = route;
    }
    paths.insert(
        "/ws".into(),
        json!({ "get": {
        "summary": "Upgrade to a WebSocket for many images: see docs/sockets.md", "parameters": options(),
        "responses": { "101": { "description": "Frames follow" } },
    } }),
    );
    #[cfg(feature = "legacy")]
    paths.insert(
        "/RPC2".into(),
        json!({ "post": {
        "summary": "XML-RPC: preto_branco, process, system.listMethods",
        "requestBody": { "content": { "text/xml": { "schema": { "type": "string" } } } },
        "responses": { "200": { "description": "A result or a fault" } },
    } }),
    );
    for (path, summary) in [
        ("/health", "The process lives"),
        ("/ready", "More work is taken"),
        ("/ready/tasks", "More tasks are taken"),
        ("/metrics", "Counters in the text format of Prometheus"),
        ("/openapi.json", "This document"),
    ] {
        paths.insert(
            path.into(),
            json!({ "get": {
            "summary": summary, "responses": { "200": { "description": "Yes" } },
        } }),
        );
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "imgsrv", "version": env!("CARGO_PKG_VERSION"), "license": { "name": "MIT" },
            "description": "An image in the body, options in the query, the result as the answer.",
        },
        "paths": paths,
        "components": {
            "schemas": { "Failure": failure() },
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    });
    if needs_token {
        document["security"] = json!([{ "token": [] }]);
    }
    document
}

fn parameter(name: &str, place: &str, accepts: &str) -> Value {
    json!({ "name": name, "in": place, "required": place == "path", "description": accepts,
        "schema": { "type": "string" } })
}

fn options() -> Vec<Value> {
    let of_image = OPTIONS.iter().map(|option| {
        let mut parameter = option_parameter(option);
        let (default, schema) = (option.default(), &mut parameter["schema"]);
        if schema["type"] == "string" {
            schema["default"] = default.into();
        } else if let Ok(number) = default.parse::<serde_json::Number>() {
            schema["default"] = number.into();
        }
        parameter
    });
    let preset = "the name of a preset of this server, from which the other options start";
    // Over HTTP a token is a header, and a probe is /health.
    let of_call = CALL_OPTIONS.iter().filter(|option| !matches!(option.name, "token" | "op"));
    let of_call = of_call.map(option_parameter);
    of_image.chain([parameter("preset", "query", preset)]).chain(of_call).collect()
}

fn option_parameter<T>(option: &OptionDef<T>) -> Value {
    let mut parameter = parameter(option.name, "query", &format!("{}: {}", option.help, option.accepts()));
    match option.values() {
        ValueSet::Words(words) => parameter["schema"]["enum"] = words.into(),
        ValueSet::Integer { min, max } => {
            parameter["schema"] = json!({ "type": "integer", "minimum": min, "maximum": max });
        }
        ValueSet::Number { min, max } => {
            parameter["schema"] = json!({ "type": "number", "minimum": min, "maximum": max });
        }
        _ => {}
    }
    parameter
}

fn binary() -> Value {
    json!({ "schema": { "type": "string", "format": "binary" } })
}

fn image() -> Value {
    let form = json!({ "schema": { "type": "object", "required": ["image"], "properties": {
        "image": { "type": "string", "format": "binary" } } } });
    json!({ "required": true, "description": "The image as it is, or as the part 'image' or 'file' of a form",
        "content": { "image/*": binary(), "application/octet-stream": binary(), "multipart/form-data": form } })
}

fn failures() -> Map<String, Value> {
    let content = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Failure" } } });
    let failed = Status::ALL.into_iter().filter(|status| *status != Status::Ok);
    let of = |status: Status| {
        (status.http().to_string(), json!({ "description": status.word(), "content": content }))
    };
    failed.map(of).collect()
}

fn failure() -> Value {
    let words: Vec<_> =
        Status::ALL.into_iter().filter(|status| *status != Status::Ok).map(Status::word).collect();
    json!({ "type": "object", "required": ["status", "code", "message", "id"], "properties": {
        "status": { "type": "string", "enum": words },
        "code": { "type": "integer", "description": "the HTTP status" },
        "message": { "type": "string", "description": "for a person" },
        "id": { "type": "string", "description": "the request's id, as in X-Request-Id and the log" },
        "retry_after_ms": { "type": "integer" },
    } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_documented_under_its_name() {
        let document = document(false);
        let parameters = document["paths"]["/resize"]["post"]["parameters"].as_array().unwrap();
        for option in OPTIONS {
            assert!(parameters.iter().any(|parameter| parameter["name"] == option.name), "{}", option.name);
        }
        assert_eq!(parameters.len(), OPTIONS.len() + 3);
    }

    #[test]
    fn a_token_is_asked_for_where_one_is_needed() {
        assert!(document(false).get("security").is_none());
        assert!(document(true).get("security").is_some());
    }
}
