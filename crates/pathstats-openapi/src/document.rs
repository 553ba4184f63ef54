//! The OpenAPI 3.1 document.

use pathstats_model::api::operations::{all, Access, Answer, Content, Operation, Retired, Verb, RETIRED};
use serde_json::{json, Map, Value};

use crate::{parameters, problems, schemas};

const DESCRIPTION: &str = "Path statistics for HTTP traffic. Times are ISO 8601 in UTC with milliseconds; hours are \
     written `2025-10-15T14`, days `2025-10-15`. Every error is a problem (RFC 9457). A `GET` takes `HEAD` too, and \
     another method is answered with 405. A query has 4,000 bytes at most, as it is encoded; a parameter that is not \
     known, or comes twice, is refused.";

const BEARER: &str = "`READ_TOKEN` reads. `ADMIN_TOKEN` reads and changes.";
const ACCESS: &str =
    "A login at Cloudflare Access. Cloudflare puts the header there; who reads and who changes is \
     configured.";

/// The document.
#[must_use]
pub fn document() -> Value {
    let mut paths = Map::new();
    for operation in all() {
        let method = operation.method.name().to_lowercase();
        paths.insert(operation.path.to_owned(), json!({ method: operation_object(operation) }));
    }
    for retired in RETIRED {
        let (path, object) = retired_object(retired);
        paths.insert(path, json!({ "get": object }));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "pathstats",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "Where this document comes from." }],
        "tags": TAGS.iter().map(|(name, about)| json!({ "name": name, "description": about })).collect::<Vec<_>>(),
        "security": security(),
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": BEARER },
                "login": { "type": "apiKey", "in": "header", "name": "Cf-Access-Jwt-Assertion", "description": ACCESS },
            },
            "headers": headers(),
            "responses": problems::responses(),
            "schemas": schemas::all(),
        },
    })
}

const TAGS: &[(&str, &str)] = &[
    ("Statistics", "What was counted, and the events themselves."),
    ("Operation", "Whether all is well, who may, and who changed what."),
    ("Dead letters", "What could not be counted, and taking it in again."),
    ("Archive", "Days that went to R2, and how long what is kept."),
    ("Gone", "Calls that are answered with 410 and what took their place."),
];

fn tag(path: &str) -> &'static str {
    if path.starts_with("/paths") {
        "Statistics"
    } else if path.starts_with("/admin/dead-letters") {
        "Dead letters"
    } else if ["/admin/archive", "/admin/cleanup", "/admin/reconcile", "/admin/retention", "/admin/capacity"]
        .iter()
        .any(|start| path.starts_with(start))
    {
        "Archive"
    } else {
        "Operation"
    }
}

fn security() -> Value {
    json!([{ "token": [] }, { "login": [] }])
}

fn headers() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "X-Request-Id": {
            "description": "Names the exchange, in the logs too: the request's own header, or one that was made.",
            "required": true,
            "schema": text,
        },
        "ETag": {
            "description": "Names this state of the answer. Sent back as `If-None-Match`, it saves the body.",
            "required": true,
            "schema": text,
        },
    })
}

fn operation_object(operation: &Operation) -> Value {
    let id = format!("{:?}", operation.id);
    let (first, rest) = id.split_at(1);
    let mut responses = Map::new();
    for answer in operation.answers {
        responses.insert(answer.status.to_string(), answer_object(operation, answer));
    }
    if operation.has_tag() {
        responses.insert(
            "304".to_owned(),
            json!({
                "description": "What `If-None-Match` names is still so. Without a body.",
                "headers": references(&["X-Request-Id", "ETag"]),
            }),
        );
    }
    for status in problems::of(operation) {
        responses.insert(status.to_string(), problems::reference(status));
    }
    let mut object = json!({
        "operationId": format!("{}{rest}", first.to_lowercase()),
        "tags": [tag(operation.path)],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": operation.parameters.iter().map(parameters::parameter).collect::<Vec<_>>(),
        "responses": responses,
    });
    if operation.access == Access::Open {
        object["security"] = json!([]);
    }
    if operation.method == Verb::Post {
        object["x-needs"] = json!("administrator");
    }
    if let Some(body) = operation.body {
        let schema = json!({ "$ref": format!("#/components/schemas/{}", body.schema) });
        let example: Value = serde_json::from_str(body.example).unwrap_or_default();
        object["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": schema, "example": example } },
        });
    }
    object
}

fn references(names: &[&str]) -> Value {
    let headers = names
        .iter()
        .map(|name| ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") })));
    Value::Object(headers.collect())
}

fn answer_object(operation: &Operation, answer: &Answer) -> Value {
    let mut headers =
        references(if operation.has_tag() { &["X-Request-Id", "ETag"] } else { &["X-Request-Id"] });
    if answer.status == 206 {
        headers["Content-Range"] = json!({
            "description": "Which bytes these are, and of how many.",
            "required": true,
            "schema": { "type": "string", "pattern": "^bytes [0-9]+-[0-9]+/[0-9]+$" },
        });
    }
    let mut content = Map::new();
    match answer.content {
        Content::Json(schema) => {
            let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
            content.insert("application/json".to_owned(), json!({ "schema": schema }));
        }
        Content::Text(types) => {
            content.extend(types.iter().map(|media_type| ((*media_type).to_owned(), json!({}))));
        }
        Content::Stream(types) => {
            headers["Content-Disposition"] = json!({
                "description": "What the file is called.",
                "required": true,
                "schema": { "type": "string" },
            });
            content.extend(types.iter().map(|media_type| ((*media_type).to_owned(), json!({}))));
        }
    }
    json!({ "description": answer.about, "headers": headers, "content": content })
}

fn retired_object(retired: &Retired) -> (String, Value) {
    let mut object = json!({
        "tags": ["Gone"],
        "summary": format!("Gone: use {}", retired.successor),
        "description": format!("Answered with 410, by any method: {}.", retired.about),
        "deprecated": true,
        "responses": {
            "400": problems::reference(400),
            "401": problems::reference(401),
            "410": problems::reference(410),
            "429": problems::reference(429),
            "500": problems::reference(500),
        },
    });
    match retired.path.rsplit_once("/:") {
        Some((start, name)) => {
            object["parameters"] = json!([{
                "name": name, "in": "path", "required": true, "schema": { "type": "string" }, "description": "Any.",
            }]);
            (format!("{start}/{{{name}}}"), object)
        }
        None => (retired.path.to_owned(), object),
    }
}
