//! The reference of the API, generated from the table of endpoints: OpenAPI 3.1 and Markdown.

use std::collections::BTreeMap;

use axum::Json;
use serde_json::{Map, Value, json};

use crate::endpoint::{Answer, Document, Endpoint, Face, Needs, Parameter, Shape};
use crate::router::endpoints;

/// Schemas of what endpoints answer; a test compares them with real answers.
const SCHEMAS: &str = include_str!("api/schemas.json");

/// `GET /v1/openapi.json`.
pub(crate) async fn openapi() -> Json<Value> {
    Json(openapi_document())
}

/// The API as an OpenAPI 3.1 document.
pub fn openapi_document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for (endpoint, document) in documented() {
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        let method = endpoint.method.to_ascii_lowercase();
        path[method] = operation(endpoint, document);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Deedtrail",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "Intake, events, identities, findings, sources and evidence.",
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "session": { "type": "apiKey", "in": "cookie", "name": "__Host-deedtrail" },
            },
        },
    })
}

/// Schemas by name. The text is part of the program; a test reads it.
pub fn schemas() -> BTreeMap<String, Value> {
    serde_json::from_str(SCHEMAS).unwrap_or_default()
}

fn documented() -> impl Iterator<Item = (&'static Endpoint, &'static Document)> {
    endpoints().filter_map(|endpoint| Some((endpoint, endpoint.document.as_ref()?)))
}

fn operation(endpoint: &Endpoint, document: &Document) -> Value {
    let mut operation = json!({
        "summary": document.summary,
        "operationId": operation_id(endpoint),
        "responses": responses(endpoint, document),
        "security": match endpoint.needs {
            Needs::Nothing | Needs::Signature => json!([]),
            Needs::Scope(_) => json!([{ "token": [] }, { "session": [] }]),
        },
    });
    if let Needs::Scope(scope) = endpoint.needs {
        operation["x-scope"] = deedtrail_app::access::scope_name(scope).into();
    }
    if !document.detail.is_empty() {
        operation["description"] = document.detail.into();
    }
    if !document.parameters.is_empty() {
        let parameters = document.parameters.iter();
        operation["parameters"] = parameters.map(|p| parameter(endpoint, p)).collect();
    }
    if let Some(body) = document.body {
        let schema = body.schema.map_or(json!({}), reference);
        let content = body.media_types.iter();
        let content: Map<String, Value> = content
            .map(|kind| ((*kind).to_owned(), json!({ "schema": schema })))
            .collect();
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    operation
}

/// `get_v1_events_uid` for `GET /v1/events/{uid}`.
fn operation_id(endpoint: &Endpoint) -> String {
    let words = endpoint.path.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    format!(
        "{}_{}",
        endpoint.method.to_ascii_lowercase(),
        words.join("_")
    )
}

fn in_path(endpoint: &Endpoint, parameter: &Parameter) -> bool {
    endpoint.path.contains(&format!("{{{}}}", parameter.name))
}

fn parameter(endpoint: &Endpoint, parameter: &Parameter) -> Value {
    let in_path = in_path(endpoint, parameter);
    let mut value = json!({
        "name": parameter.name,
        "in": if in_path { "path" } else { "query" },
        "required": in_path,
        "description": parameter.meaning,
        "schema": shape_schema(parameter.shape),
    });
    if matches!(parameter.shape, Shape::Flag) {
        value["allowEmptyValue"] = true.into();
    }
    value
}

fn shape_schema(shape: Shape) -> Value {
    match shape {
        Shape::Text | Shape::Flag => json!({ "type": "string" }),
        Shape::Time => json!({ "type": "string", "format": "date-time" }),
        Shape::Count => json!({ "type": "integer", "minimum": 0 }),
        Shape::Id => json!({ "type": "string", "pattern": "^[0-9a-f]{32}$" }),
        Shape::OneOf(names) => json!({ "type": "string", "enum": names() }),
    }
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn responses(endpoint: &Endpoint, document: &Document) -> Value {
    let mut responses = Map::new();
    let content = match document.answer {
        Answer::Json(schema) => json!({ "application/json": { "schema": reference(schema) } }),
        Answer::Text(kind) => json!({ kind: { "schema": { "type": "string" } } }),
    };
    responses.insert(
        "200".to_owned(),
        json!({ "description": "Done.", "content": content }),
    );
    for (status, when) in refusals(endpoint, document) {
        let (kind, schema) = match endpoint.face {
            Face::Api | Face::Page => ("application/problem+json", "Problem"),
            Face::Splunk => ("application/json", "HecRefusal"),
            Face::Elastic => ("application/json", "ElasticRefusal"),
            Face::Otlp | Face::Grpc => ("application/json", "OtlpRefusal"),
        };
        let content = json!({ kind: { "schema": reference(schema) } });
        let refusal = json!({ "description": when, "content": content });
        responses.insert(status.to_string(), refusal);
    }
    Value::Object(responses)
}

fn refusals(endpoint: &Endpoint, document: &Document) -> Vec<(u16, &'static str)> {
    let mut refusals = document.refusals.to_vec();
    if matches!(endpoint.needs, Needs::Scope(_)) {
        refusals.push((401, "Not signed in."));
        refusals.push((403, "The token lacks the scope."));
    }
    refusals.sort_unstable();
    refusals
}

/// The reference page `docs/reference/http-api.md`.
pub fn markdown() -> String {
    let mut page = String::from(HEAD);
    for (endpoint, document) in documented() {
        section(&mut page, endpoint, document);
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

const HEAD: &str = "\
# HTTP API

Generated from the code; a test compares. The same as OpenAPI 3.1: `GET /v1/openapi.json`.

**Who asks.** Every endpoint but health checks and signed webhooks wants a token \
(`Authorization: Bearer dt_…`, made by `deedtrail token create`) or the session of a signed-in \
browser. Each endpoint names the scope it needs; `admin` has all.

**Errors** are problem details (RFC 9457, `application/problem+json`): `type`, `title`, `status`, \
and a `detail` that says what to do. `429`, `503` and `507` carry `Retry-After` in seconds. The \
endpoints of Splunk's and Elastic's clients refuse in the words those clients read.

**Lists** answer newest first. Where there is a `next_cursor`, pass it back as `cursor`.

**Caching.** Answers carry an `ETag`; send it as `If-None-Match` and get `304` when nothing \
changed. **Tracing.** Every answer has an `x-request-id`; the server's log has the same id.

";

fn section(page: &mut String, endpoint: &Endpoint, document: &Document) {
    let scope = match endpoint.needs {
        Needs::Nothing => "none",
        Needs::Signature => "none, but signed",
        Needs::Scope(scope) => deedtrail_app::access::scope_name(scope),
    };
    let mut text = format!(
        "## `{} {}`\n\n{}. Scope: {scope}.",
        endpoint.method, endpoint.path, document.summary
    );
    if !document.detail.is_empty() {
        text.push(' ');
        text.push_str(document.detail);
    }
    text.push_str("\n\n");
    if !document.parameters.is_empty() {
        text.push_str("| parameter | in | meaning |\n|---|---|---|\n");
        for parameter in document.parameters {
            let place = if in_path(endpoint, parameter) {
                "path"
            } else {
                "query"
            };
            let meaning = format!("{}{}", parameter.meaning, shape_words(parameter.shape));
            let row = format!("| `{}` | {place} | {meaning} |\n", parameter.name);
            text.push_str(&row);
        }
        text.push('\n');
    }
    let answer = match document.answer {
        Answer::Json(schema) => format!("Answers `{schema}` (JSON)."),
        Answer::Text(kind) => format!("Answers `{kind}`."),
    };
    text.push_str(&answer);
    for (status, when) in document.refusals {
        let refusal = format!(" `{status}`: {when}");
        text.push_str(&refusal);
    }
    text.push_str("\n\n");
    page.push_str(&text);
}

fn shape_words(shape: Shape) -> String {
    match shape {
        Shape::Text | Shape::Count => String::new(),
        Shape::Time => " RFC 3339, or a day.".to_owned(),
        Shape::Id => " 32 hex digits.".to_owned(),
        Shape::Flag => " Present or not.".to_owned(),
        Shape::OneOf(names) => format!(" One of `{}`.", names().join("`, `")),
    }
}
