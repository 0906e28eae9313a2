//! Options of the one table as parameters of a query.

use crate::service::policy::RequestPolicy;
use crate::spec::{CALL_OPTIONS, Fit, OPTIONS, OptionDef, Spec, ValueSet};
use serde_json::{Map, Value, json};

/// References to the parameters that `wants` names, in the order of the table.
pub(super) fn references(wants: impl Fn(&str) -> bool) -> Vec<Value> {
    let names =
        OPTIONS.iter().map(|option| option.name).chain(["preset"]).chain(call_options().map(|o| o.name));
    names
        .filter(|name| wants(name))
        .map(|name| json!({ "$ref": format!("#/components/parameters/{name}") }))
        .collect()
}

/// All parameters, by name.
pub(super) fn parameters(policy: &RequestPolicy) -> Map<String, Value> {
    let query = |name: &str, (schema, description): (Value, String)| {
        (
            name.to_owned(),
            json!({ "name": name, "in": "query", "description": description, "schema": schema }),
        )
    };
    let mut all: Map<_, _> = fields(policy).map(|(name, field)| query(name, field)).collect();
    let page = json!({ "type": "integer", "minimum": 1, "maximum": 200 });
    all.extend([
        query("limit", (page, "most tasks of the page; 200 without it".into())),
        query("after", (task_id(), "the last task of the page before: 'next' of its answer".into())),
    ]);
    all.insert(
        "task_id".into(),
        json!({ "name": "task_id", "in": "path", "required": true, "description": "the id of a task", "schema": task_id() }),
    );
    all.insert(
        "If-None-Match".into(),
        json!({ "name": "If-None-Match", "in": "header", "schema": { "type": "string" },
            "description": "ETag of a result that the caller has; it is answered by 304 without work" }),
    );
    all
}

/// The `format` of `/convert`, which has to be named.
pub(super) fn required_format() -> Value {
    let (schema, description) = OptionDef::of("format").map(|option| field(option, None)).unwrap_or_default();
    json!({ "name": "format", "in": "query", "required": true, "description": description, "schema": schema })
}

/// The operations of the path of `/pipeline`.
pub(super) fn operations() -> Value {
    let (schema, description) = OptionDef::of("ops").map(|option| field(option, None)).unwrap_or_default();
    json!({ "name": "operations", "in": "path", "required": true, "description": description, "schema": schema,
        "style": "simple" })
}

/// Every option with its schema and its description.
fn fields(policy: &RequestPolicy) -> impl Iterator<Item = (&'static str, (Value, String))> {
    let of_image =
        OPTIONS.iter().map(move |option| (option.name, field(option, harmless_default(option, policy))));
    let mut presets = json!({ "type": "string" });
    if !policy.presets.is_empty() {
        presets["enum"] = policy.presets.keys().cloned().collect();
    }
    let preset = (presets, "a preset of this server, from which the other options start".to_owned());
    let of_call = call_options().map(|option| {
        (option.name, (schema(&option.values()), format!("{}: {}", option.help, option.accepts())))
    });
    of_image.chain([("preset", preset)]).chain(of_call)
}

/// Options of the call. Over HTTP a token is a header, and a probe is /health.
fn call_options() -> impl Iterator<Item = &'static OptionDef<crate::spec::Call>> {
    CALL_OPTIONS.iter().filter(|option| !matches!(option.name, "token" | "op"))
}

fn field(option: &OptionDef<Spec>, default: Option<String>) -> (Value, String) {
    let mut schema = schema(&option.values());
    if let Some(default) = default {
        schema["default"] = match schema["type"].as_str() {
            Some("integer" | "number" | "boolean") => default.parse().unwrap_or(Value::Null),
            _ => default.into(),
        };
    }
    (schema, format!("{}: {} (without it: {})", option.help, option.accepts(), option.default()))
}

/// The default of an option, if naming it is the same as leaving it out: on every route and from every preset.
fn harmless_default(option: &OptionDef<Spec>, policy: &RequestPolicy) -> Option<String> {
    let routes = [Fit::Cover, Fit::Inside].map(|fit| Spec { fit, ..policy.base.clone() });
    let text = option.show(&policy.base);
    let changes_nothing = |base: &Spec| {
        let mut spec = base.clone();
        option.set(&mut spec, &text).is_ok() && spec == *base
    };
    let mut bases = routes.iter().chain([&policy.base]).chain(policy.presets.values());
    (!policy.only_presets && bases.all(changes_nothing)).then_some(text)
}

fn schema(values: &ValueSet) -> Value {
    match values {
        ValueSet::Words(words) if words == &["true", "false"] => json!({ "type": "boolean" }),
        ValueSet::Words(words) => json!({ "type": "string", "enum": words }),
        ValueSet::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        ValueSet::Number { min, max } => json!({ "type": "number", "minimum": min, "maximum": max }),
        ValueSet::Pattern { pattern, .. } => json!({ "type": "string", "pattern": pattern }),
        ValueSet::List { item, min, max, .. } => {
            json!({ "type": "array", "items": schema(item), "minItems": min, "maxItems": max })
        }
        ValueSet::Text(_) => json!({ "type": "string" }),
    }
}

fn task_id() -> Value {
    json!({ "type": "string", "pattern": "^[0-9a-f]{32}$" })
}
