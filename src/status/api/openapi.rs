//! `/openapi.json` (OpenAPI 3.1), made from the table of operations.

use serde_json::{Map, Value, json};

use super::schema::Schema;
use super::{Input, Operation, Output, PREFIX, operations};
use crate::model::settings::{Kind, Setting};

/// Returns the whole document.
pub(in crate::status) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let mut schemas: Map<String, Value> = Map::new();
    for operation in operations() {
        if let Output::One(schema) | Output::Page(schema) = operation.output {
            schemas.insert(schema.name(), schema.json());
        }
        let path = format!("{PREFIX}{}", operation.path);
        let held = paths.entry(path).or_insert_with(|| json!({}));
        held[operation.method.to_lowercase()] = describe(operation);
    }
    schemas.insert(
        "Problem".to_owned(),
        json!({
            "type": "object",
            "properties": {
                "type": { "type": "string" },
                "title": { "type": "string" },
                "status": { "type": "integer" },
                "detail": { "type": "string" },
            },
            "required": ["type", "title", "status", "detail"],
        }),
    );
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "hookbox",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "All that the status page and the command line can do. Times are RFC 3339, or ages such as 2h in parameters; ids are evt_BOX_N, dlv_BOX_N, att_BOX_N and rpl_BOX_N, or the bare number.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        // It stands on the port of the status page.
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
        "security": [{ "token": [] }, {}],
    })
}

fn describe(operation: &Operation) -> Value {
    let path_parameters = operation
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            json!({
                "name": name, "in": "path", "required": true,
                "schema": { "type": "string", "minLength": 1 },
            })
        });
    let query = operation.query.iter().map(|parameter| {
        json!({
            "name": parameter.name, "in": "query", "description": parameter.help,
            "schema": { "type": type_of(parameter) },
        })
    });
    let mut parameters: Vec<Value> = path_parameters.chain(query).collect();
    if operation.method == "POST" {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header",
            "description": "The same key with the same body is answered as it was, and does nothing again, for a day",
            "schema": { "type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[!-~]+$" },
        }));
    }
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.help,
        "parameters": parameters,
        "responses": responses(operation),
    });
    if let Some(body) = request_body(operation.input) {
        described["requestBody"] = body;
    }
    described
}

/// The JSON type of a value.
fn type_of(setting: &Setting) -> &'static str {
    match setting.kind {
        Kind::Number => "integer",
        Kind::Flag => "boolean",
        _ => "string",
    }
}

fn responses(operation: &Operation) -> Value {
    let one = |schema: Schema| json!({ "$ref": format!("#/components/schemas/{}", schema.name()) });
    let content = match operation.output {
        Output::One(schema) => json!({ "application/json": { "schema": one(schema) } }),
        Output::Page(schema) => json!({ "application/json": { "schema": {
            "type": "object",
            "properties": {
                "items": { "type": "array", "items": one(schema) },
                "next": { "type": ["string", "null"] },
            },
            "required": ["items", "next"],
        } } }),
        Output::Bytes => json!({ "application/octet-stream": {} }),
    };
    let mut responses = Map::new();
    responses.insert(
        operation.status.to_string(),
        json!({ "description": "Done", "content": content }),
    );
    let problem = json!({ "application/problem+json": {
        "schema": { "$ref": "#/components/schemas/Problem" },
    } });
    for (status, what) in [
        (400, "That cannot be done; `detail` says why"),
        (401, "A token is needed"),
        (
            403,
            "The token may only read, or the request comes from another site",
        ),
        (404, "There is none of that"),
        (409, "A request with this Idempotency-Key is under way"),
        (413, "The body is too large"),
        (415, "The body is not application/json"),
        (422, "The Idempotency-Key came with another request"),
        (429, "Too many wrong tokens; try again later"),
        (503, "Nothing can be written now"),
    ] {
        let only_post = matches!(status, 409 | 413 | 415 | 422);
        if only_post && operation.is_safe() {
            continue;
        }
        let told = json!({ "description": what, "content": problem });
        responses.insert(status.to_string(), told);
    }
    Value::Object(responses)
}

/// Returns the names of a body's fields.
pub(super) fn field_names(input: Input) -> Vec<&'static str> {
    match input {
        Input::Nothing => Vec::new(),
        Input::Fields(fields, _) => fields.iter().map(|field| field.0).collect(),
        Input::Settings(required, settings) => {
            let settings = settings.iter().map(|setting| setting.name);
            settings.chain(required.iter().copied()).collect()
        }
    }
}

fn request_body(input: Input) -> Option<Value> {
    let setting = |setting: &Setting| {
        let kind = type_of(setting);
        let is_list = setting.kind == Kind::Lines || setting.value.ends_with(",...");
        // A text is read as on the command line, whatever the kind.
        let mut kinds = vec![kind];
        kinds.extend((kind != "string").then_some("string"));
        kinds.extend(is_list.then_some("array"));
        kinds.push("null");
        let mut schema = json!({
            "type": kinds,
            "description": setting.described(),
            "writeOnly": setting.is_secret,
        });
        if is_list {
            schema["items"] = json!({ "type": "string" });
        }
        (setting.name.to_owned(), schema)
    };
    let (properties, required): (Map<String, Value>, Vec<&str>) = match input {
        Input::Nothing => return None,
        Input::Fields(fields, required) => (
            fields
                .iter()
                .map(|field| (field.0.to_owned(), field.json()))
                .collect(),
            fields[..required].iter().map(|field| field.0).collect(),
        ),
        Input::Settings(required, settings) => {
            let mut properties: Map<String, Value> = settings.iter().map(setting).collect();
            for name in required {
                let text = json!({ "type": "string" });
                properties.entry(*name).or_insert(text);
            }
            (properties, required.to_vec())
        }
    };
    Some(json!({
        "required": !required.is_empty(),
        "content": { "application/json": { "schema": {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        } } },
    }))
}
