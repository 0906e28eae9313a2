//! The JSON objects of requests and answers.

use crate::format::Format;
use crate::status::Status;
use serde_json::{Map, Value, json};

/// All schemas, by name.
pub(super) fn all() -> Map<String, Value> {
    let schemas = [
        ("Status", json!({ "type": "string", "enum": Status::ALL.map(Status::word) })),
        ("Failure", failure()),
        ("Report", object(&[], report())),
        ("TaskStatus", json!({ "type": "string", "enum": ["queued", "processing", "done", "failed"] })),
        ("Task", task()),
        ("SubmittedTask", submitted()),
        ("CancelledTask", cancelled()),
        ("TaskPage", page()),
        ("Info", info()),
        ("OptionTable", option_table()),
        ("PresetTable", preset_table()),
        ("OpenApi", json!({ "type": "object", "additionalProperties": true })),
        ("Health", json!({ "type": "string", "examples": ["ok\n", "ready\n"] })),
    ];
    schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

fn fields(fields: Value) -> Map<String, Value> {
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn object(required: &[&str], properties: Map<String, Value>) -> Value {
    json!({ "type": "object", "required": required, "properties": properties })
}

/// The form of a request, as a map of its parts: generators of code leave out a named form, or import one that they left
/// out. Options stand in the query, where they have types.
pub(super) fn image_form() -> Value {
    json!({
        "type": "object",
        "description": "The image as the part 'image' or 'file'. Further fields are options that the query does not name",
        "additionalProperties": { "type": "string", "format": "binary" },
    })
}

fn integer(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn boolean(description: &str) -> Value {
    json!({ "type": "boolean", "description": description })
}

fn time(description: &str) -> Value {
    json!({ "type": "string", "format": "date-time", "description": description })
}

fn names(formats: impl Fn(Format) -> bool) -> Value {
    Format::ALL.into_iter().filter(|format| formats(*format)).map(Format::name).collect()
}

fn failure() -> Value {
    let properties = json!({
        "status": { "$ref": "#/components/schemas/Status" },
        "code": integer("the HTTP status"),
        "message": text("for a person"),
        "id": text("the request's id, as in X-Request-Id and the log"),
        "retry_after_ms": integer("milliseconds after which trying again may help"),
    });
    object(&["status", "code", "message", "id"], fields(properties))
}

/// The fields of a report; absent where they are not known.
fn report() -> Map<String, Value> {
    fields(json!({
        "id": text("the caller's id, as given"),
        "width": integer("width of the result in pixels"),
        "height": integer("height of the result in pixels"),
        "format": { "type": "string", "enum": names(Format::is_writable), "description": "format of the result" },
        "quality": integer("quality that it was encoded with"),
        "source_width": integer("width of the upright source in pixels"),
        "source_height": integer("height of the upright source in pixels"),
        "source_format": { "type": "string", "enum": names(|_| true), "description": "format of the source" },
        "source_bytes": integer("length of the source"),
        "queue_us": integer("microseconds waited for a worker"),
        "decode_us": integer("microseconds spent decoding"),
        "resize_us": integer("microseconds spent on resizing, colour and operations"),
        "encode_us": integer("microseconds spent encoding"),
        "tries": integer("encodes that max_bytes or target took"),
        "score": { "type": "number", "description": "measured SSIMULACRA2 score" },
        "warnings": { "type": "array", "items": { "type": "string" }, "description": "what was lost or changed" },
    }))
}

fn task() -> Value {
    let own = json!({
        "task_id": text("its id"),
        "status": { "$ref": "#/components/schemas/TaskStatus" },
        "submitted": time("when it was handed in"),
        "started": time("since when it is worked on"),
        "finished": time("when it ended"),
        "position": integer("place in the queue, 1 is next"),
        "step": { "type": "string", "enum": ["reading", "working", "storing"] },
        "progress": { "type": "integer", "minimum": 0, "maximum": 100, "description": "percent of the steps" },
        "result": text("address of the result"),
        "result_bytes": integer("length of the result"),
        "error": { "$ref": "#/components/schemas/Status" },
        "code": integer("the HTTP status that the same request to /resize gets"),
        "message": text("why it failed, for a person"),
        "retry_after_ms": integer("milliseconds after which trying again may help"),
        "source_bytes": integer("length of the source"),
    });
    let own = object(&["task_id", "status", "submitted", "source_bytes"], fields(own));
    json!({ "description": "A task; with the report of its result once it is done",
        "allOf": [{ "$ref": "#/components/schemas/Report" }, own] })
}

fn submitted() -> Value {
    let properties = json!({
        "task_id": text("its id"),
        "status": { "$ref": "#/components/schemas/TaskStatus" },
        "status_url": text("address of its state"),
    });
    object(&["task_id", "status", "status_url"], fields(properties))
}

fn cancelled() -> Value {
    let properties =
        json!({ "task_id": text("its id"), "status": { "type": "string", "enum": ["cancelled"] } });
    object(&["task_id", "status"], fields(properties))
}

fn page() -> Value {
    let properties = json!({
        "tasks": { "type": "array", "items": { "$ref": "#/components/schemas/Task" } },
        "next": { "type": ["string", "null"], "description": "'after' of the page that follows; null for the last" },
    });
    object(&["tasks", "next"], fields(properties))
}

fn info() -> Value {
    let profile = json!({
        "name": { "type": ["string", "null"], "description": "its description" },
        "bytes": integer("its length"),
        "srgb": boolean("it is sRGB"),
    });
    let metadata = json!({
        "exif": boolean("EXIF"), "gps": boolean("a place"), "ownership": boolean("artist or copyright"),
        "xmp": boolean("XMP"), "iptc": boolean("IPTC"), "other": boolean("anything else, such as comments"),
    });
    let jpeg = json!({
        "process": text("baseline, progressive, ..."),
        "progressive": boolean("it is progressive"),
        "subsampling": { "type": ["string", "null"] },
        "quality": { "type": ["integer", "null"], "description": "estimated from its tables" },
        "quality_exact": { "type": ["boolean", "null"], "description": "the tables are those of this quality" },
        "restart_interval": integer("MCUs between two restart markers; 0 for none"),
        "pictures": integer("pictures in the file"),
        "gain_map": boolean("it has a gain map (HDR)"),
        "trailing_bytes": integer("bytes behind the last picture"),
    });
    let nullable = |properties: Value| {
        let mut schema = object(&[], fields(properties));
        schema["type"] = json!(["object", "null"]);
        schema
    };
    let properties = json!({
        "format": { "type": "string", "enum": names(|_| true) },
        "mime": text("such as image/png"),
        "bytes": integer("length of the file"),
        "width": integer("of the upright image in pixels"),
        "height": integer("of the upright image in pixels"),
        "stored_width": integer("as stored, before the turn of EXIF"),
        "stored_height": integer("as stored, before the turn of EXIF"),
        "orientation": { "type": ["integer", "null"], "minimum": 1, "maximum": 8, "description": "of EXIF" },
        "channels": integer("1 to 4"),
        "alpha": boolean("it has transparency"),
        "cmyk": boolean("its colours are inks"),
        "depth": integer("bits a sample"),
        "animated": boolean("it has several frames"),
        "profile": nullable(profile),
        "metadata": object(&[], fields(metadata)),
        "jpeg": nullable(jpeg),
        "type": text("the format, by imaginary's name"),
        "hasAlpha": boolean("alpha, by imaginary's name"),
        "hasProfile": boolean("there is a profile, by imaginary's name"),
        "space": text("srgb or b-w, by imaginary's name"),
    });
    object(&["format", "mime", "bytes", "width", "height"], fields(properties))
}

fn option_table() -> Value {
    let option = json!({
        "name": text("the key"), "help": text("its effect"), "default": text("what holds without it"),
        "accepts": text("its values, for a person"),
        "words": { "type": "array", "items": { "type": "string" } },
        "min": { "type": "number" }, "max": { "type": "number" }, "step": { "type": "number" },
    });
    let properties = json!({
        "options": { "type": "array", "items": object(&["name", "help", "default", "accepts"], fields(option)) },
        "formats": { "type": "array", "items": { "type": "string" } },
        "max_body": integer("most bytes of an image"),
        "tasks": boolean("tasks are taken"),
        "version": text("release of the server"),
    });
    object(&["options", "formats", "max_body", "tasks", "version"], fields(properties))
}

fn preset_table() -> Value {
    let presets = json!({ "type": "object", "additionalProperties": { "type": "string" },
        "description": "form-encoded options by name" });
    object(&["presets"], fields(json!({ "presets": presets })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;

    fn properties(name: &str) -> Map<String, Value> {
        fields(all()[name]["properties"].clone())
    }

    #[test]
    fn a_report_has_no_field_that_is_not_described() {
        let full = Report::decode(
            b"status=ok&id=1&width=1&height=1&format=jpeg&quality=1&source_width=1&source_height=1&source_format=png\
              &source_bytes=1&queue_us=1&decode_us=1&resize_us=1&encode_us=1&tries=1&score=1.0&warnings=a",
        );
        let mut told = fields(full.unwrap().to_json());
        told.remove("status"); // a task has its own
        let (told, known): (Vec<_>, _) = (told.keys().cloned().collect(), properties("Report"));
        assert!(told.iter().all(|name| known.contains_key(name)), "{told:?}");
        assert_eq!(told.len(), known.len());
    }
}
