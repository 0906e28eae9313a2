//! `/openapi.json`: the routes as OpenAPI 3.1, with the options of the one table.

mod answers; // responses and their headers.
mod options; // options as parameters and as fields of a form.
mod schemas; // the JSON objects of requests and answers.

use crate::http::{HttpState, reply};
use crate::service::policy::RequestPolicy;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Groups of routes, in the order of the documentation.
const TAGS: [(&str, &str); 4] = [
    ("images", "An image in, a result out"),
    ("facts", "What an image holds, what a server offers"),
    ("tasks", "Work that outlives its request and any crash of the server"),
    ("service", "Health and metrics"),
];

/// Routes that answer with an image: path, operation, summary.
const IMAGES: [(&str, &str, &str); 5] = [
    ("/resize", "resize", "Resize, crop, turn, convert, as the options say"),
    ("/crop", "crop", "Fill the box and cut off the rest (fit=cover)"),
    ("/thumbnail", "thumbnail", "Fit within the box, never larger than the source (fit=inside)"),
    ("/convert", "convert", "Convert to another format, which has to be named"),
    ("/pipeline/{operations}", "pipeline", "Apply the operations of the path, in order"),
];

pub(in crate::http) async fn openapi(State(state): State<Arc<HttpState>>) -> Response {
    reply::json(&document(&state.service.settings().policy.current(), state.service.needs_token()))
}

fn document(policy: &RequestPolicy, needs_token: bool) -> Value {
    let mut paths = Map::new();
    for (path, operation, summary) in IMAGES {
        paths.insert(path.into(), json!({ "post": image_route(path, operation, summary) }));
    }
    let mut put = |path: &str, method: &str, route: Value| {
        paths.entry(path).or_insert_with(|| json!({}))[method] = route;
    };
    for (path, method, route) in tasks().into_iter().chain(facts()).chain(service()) {
        put(path, method, route);
    }
    let security = if needs_token { json!([{ "token": [] }]) } else { json!([{}, { "token": [] }]) };
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "imgsrv",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Resizes, converts and compresses images",
            "description": "An image in the body, options in the query or in a form, the result as the answer. \
                Not described here: WebSocket for many images at /ws, XML-RPC at /RPC2.",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/", "description": "This server" }],
        "tags": TAGS.map(|(name, description)| json!({ "name": name, "description": description })),
        "security": security,
        "paths": paths,
        "components": {
            "parameters": options::parameters(policy),
            "headers": answers::headers(),
            "responses": answers::failures(),
            "schemas": schemas::all(),
            "securitySchemes": { "token": {
                "type": "http", "scheme": "bearer", "description": "A token of the server's token file",
            } },
        },
    })
}

fn image_route(path: &str, operation: &str, summary: &str) -> Value {
    let mut parameters = options::references(|name| match path {
        "/convert" => name != "format",
        "/pipeline/{operations}" => name != "ops",
        _ => true,
    });
    match path {
        "/convert" => parameters.insert(0, options::required_format()),
        "/pipeline/{operations}" => parameters.insert(0, options::operations()),
        _ => {}
    }
    parameters.push(json!({ "$ref": "#/components/parameters/If-None-Match" }));
    json!({
        "operationId": operation, "tags": ["images"], "summary": summary,
        "parameters": parameters, "requestBody": image_body(),
        "responses": answers::with_failures(
            [("200", answers::image()), ("304", answers::not_modified())],
            &["400", "401", "403", "413", "415", "422", "429", "500", "503", "504"],
        ),
    })
}

type Route = (&'static str, &'static str, Value);

fn tasks() -> [Route; 6] {
    let id = || json!([{ "$ref": "#/components/parameters/task_id" }]);
    let route =
        |operation: &str, summary: &str, parameters: Value, code: &str, answer: Value, failures: &[&str]| {
            let failures = [failures, &["401", "403", "429", "500", "501", "503"]].concat();
            json!({
                "operationId": operation, "tags": ["tasks"], "summary": summary, "parameters": parameters,
                "responses": answers::with_failures([(code, answer)], &failures),
            })
        };
    let mut submit = route(
        "submitTask",
        "Keep the image as a task; the answer has its id",
        options::references(|_| true).into(),
        "202",
        answers::json("Image and task are on disk", "SubmittedTask", &["Location"]),
        &["400", "413", "415", "422", "507"],
    );
    submit["requestBody"] = image_body();
    let mut result = route(
        "getResult",
        "The image of a task that is done",
        json!([{ "$ref": "#/components/parameters/task_id" }, { "$ref": "#/components/parameters/If-None-Match" }]),
        "200",
        answers::image(),
        &["400", "404", "409", "413", "415", "422", "504", "507"],
    );
    result["responses"]["304"] = answers::not_modified();
    [
        ("/upload", "post", submit),
        (
            "/status/{task_id}",
            "get",
            route(
                "getTask",
                "State of a task",
                id(),
                "200",
                answers::json("Its state", "Task", &[]),
                &["404"],
            ),
        ),
        (
            "/status/{task_id}",
            "delete",
            route(
                "cancelTask",
                "Cancel a task, or delete its result",
                id(),
                "200",
                answers::json("It is unknown from now on", "CancelledTask", &[]),
                &["404"],
            ),
        ),
        (
            "/status/{task_id}/events",
            "get",
            route(
                "watchTask",
                "States of a task as server-sent events, until it ends",
                id(),
                "200",
                answers::text("text/event-stream", "Events named after the state, with the JSON of Task"),
                &["404"],
            ),
        ),
        ("/result/{task_id}", "get", result),
        (
            "/tasks",
            "get",
            route(
                "listTasks",
                "A page of the caller's tasks, oldest first",
                json!([{ "$ref": "#/components/parameters/limit" }, { "$ref": "#/components/parameters/after" }]),
                "200",
                answers::json("The page", "TaskPage", &[]),
                &["400", "404"],
            ),
        ),
    ]
}

fn facts() -> [Route; 4] {
    let plain = |operation: &str, summary: &str, schema: &str, failures: &[&str]| {
        json!({
            "operationId": operation, "tags": ["facts"], "summary": summary,
            "responses": answers::with_failures([("200", answers::json("The facts", schema, &[]))], failures),
        })
    };
    let mut info = plain(
        "getInfo",
        "Format, size, orientation, profile, metadata, and how a JPEG is coded",
        "Info",
        &["400", "401", "403", "413", "415", "422", "429", "500", "503", "504"],
    );
    info["parameters"] = json!([{ "$ref": "#/components/parameters/id" }]);
    info["requestBody"] = image_body();
    [
        ("/info", "post", info),
        (
            "/options.json",
            "get",
            open(plain("listOptions", "The options and limits of this server", "OptionTable", &[])),
        ),
        (
            "/presets.json",
            "get",
            plain("listPresets", "The presets of this server", "PresetTable", &["401", "429"]),
        ),
        ("/openapi.json", "get", open(plain("getOpenApi", "This document", "OpenApi", &[]))),
    ]
}

fn service() -> [Route; 4] {
    let probe = |operation: &str,
                 summary: &str,
                 answer: Value,
                 more: Option<(&str, Value)>,
                 failures: &[&str]| {
        let mut responses = answers::with_failures([("200", answer)], failures);
        if let (Some((code, answer)), Some(responses)) = (more, responses.as_object_mut()) {
            responses.insert(code.into(), answer);
        }
        json!({ "operationId": operation, "tags": ["service"], "summary": summary, "responses": responses })
    };
    let not_ready = || Some(("503", answers::text("text/plain", "Why not, in a line")));
    [
        ("/health", "get", open(probe("getHealth", "The process lives", answers::health("ok"), None, &[]))),
        (
            "/ready",
            "get",
            open(probe("getReady", "More work is taken", answers::health("ready"), not_ready(), &[])),
        ),
        (
            "/ready/tasks",
            "get",
            open(probe("getTasksReady", "More tasks are taken", answers::health("ready"), not_ready(), &[])),
        ),
        (
            "/metrics",
            "get",
            probe(
                "getMetrics",
                "Counters in the text format of Prometheus",
                answers::text("text/plain", "The counters"),
                None,
                &["401", "429"],
            ),
        ),
    ]
}

/// A route that needs no token.
fn open(mut route: Value) -> Value {
    route["security"] = json!([]);
    route
}

/// The body of a request with an image: as it is, whatever its type says, or as a form.
fn image_body() -> Value {
    json!({ "required": true, "description": "The image as it is, or a form", "content": {
        "application/octet-stream": { "schema": { "type": "string", "format": "binary" } },
        "multipart/form-data": { "schema": schemas::image_form() },
    } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::OPTIONS;
    use std::collections::BTreeSet;

    fn of(policy: &RequestPolicy) -> Value {
        document(policy, false)
    }

    fn default_of<'a>(document: &'a Value, option: &str) -> &'a Value {
        &document["components"]["parameters"][option]["schema"]["default"]
    }

    #[test]
    fn every_option_is_a_parameter_with_its_type() {
        let document = of(&RequestPolicy::default());
        let parameters = document["paths"]["/resize"]["post"]["parameters"].as_array().unwrap();
        let fields = &document["components"]["parameters"];
        for option in OPTIONS {
            let reference = format!("#/components/parameters/{}", option.name);
            assert!(parameters.iter().any(|parameter| parameter["$ref"] == *reference), "{}", option.name);
        }
        for (name, kind) in [
            ("width", "integer"),
            ("scale", "number"),
            ("flip", "boolean"),
            ("fit", "string"),
            ("ops", "array"),
        ] {
            assert_eq!(fields[name]["schema"]["type"], kind, "{name}");
        }
        assert_eq!(fields["width"]["schema"]["maximum"], 16384);
        assert_eq!(fields["crop"]["schema"]["minItems"], 4);
        assert_eq!(fields["fit"]["schema"]["enum"][1], "cover");
    }

    #[test]
    fn a_default_is_stated_only_where_sending_it_changes_nothing() {
        let plain = of(&RequestPolicy::default());
        assert_eq!(default_of(&plain, "kernel"), "lanczos3");
        assert_eq!(default_of(&plain, "linear"), false);
        assert!(default_of(&plain, "quality").is_null(), "a named quality asks for a new encoding");
        assert!(default_of(&plain, "fit").is_null(), "/crop has another");
        let mut policy = RequestPolicy::default();
        policy.add_preset("thumb", &[("kernel", "box")]).unwrap();
        assert!(default_of(&of(&policy), "kernel").is_null(), "it would undo the preset");
        assert_eq!(default_of(&of(&policy), "linear"), false);
        let only = of(&RequestPolicy { only_presets: true, ..policy });
        assert!(default_of(&only, "linear").is_null(), "no option may be named");
    }

    #[test]
    fn a_token_is_asked_for_where_one_is_needed() {
        let document = |needs_token| document(&RequestPolicy::default(), needs_token);
        assert_eq!(document(true)["security"], json!([{ "token": [] }]));
        assert_eq!(document(false)["security"], json!([{}, { "token": [] }]));
        assert_eq!(document(true)["paths"]["/health"]["get"]["security"], json!([]));
    }

    #[test]
    fn every_reference_leads_to_a_component_and_every_component_is_used() {
        fn references(value: &Value, found: &mut BTreeSet<String>) {
            match value {
                Value::Object(fields) => {
                    if let Some(Value::String(reference)) = fields.get("$ref") {
                        found.insert(reference.clone());
                    }
                    fields.values().for_each(|value| references(value, found));
                }
                Value::Array(values) => values.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let document = of(&RequestPolicy::default());
        let mut used = BTreeSet::new();
        references(&document, &mut used);
        let mut defined = BTreeSet::new();
        for (kind, components) in document["components"].as_object().unwrap() {
            let names = components.as_object().unwrap().keys();
            defined.extend(names.map(|name| format!("#/components/{kind}/{name}")));
        }
        defined.retain(|reference| !reference.contains("securitySchemes"));
        assert_eq!(used, defined);
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let document = of(&RequestPolicy::default());
        let mut names = BTreeSet::new();
        for route in document["paths"].as_object().unwrap().values() {
            for operation in route.as_object().unwrap().values() {
                assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()));
                assert!(TAGS.iter().any(|(tag, _)| operation["tags"][0] == *tag));
            }
        }
    }
}
