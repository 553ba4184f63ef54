//! Which problems an operation may answer, and what they say.

use std::collections::BTreeSet;

use pathstats_model::api::operations::{Access, Operation};
use pathstats_model::problem::PROBLEM_JSON;
use serde_json::{json, Map, Value};

/// Every status of a problem, what it means, and whether it always says when to try again.
pub const ALL: &[(u16, &str, bool)] = &[
    (400, "A parameter or the body is wrong. `detail` names it, what came, and what may come.", false),
    (401, "No token or login came, or one that is not valid.", false),
    (403, "The caller may read only, or a page of another site asks.", false),
    (404, "There is no such thing.", false),
    (409, "The day has not ended, or another run has it.", false),
    (410, "The call is gone: `successor` took its place. Any call with `source=do` is.", false),
    (413, "The body is too large.", false),
    (416, "The file has no such bytes.", false),
    (429, "Too many tries without a valid token, or of changes that the caller may not make.", true),
    (500, "Something went wrong, or the Worker is not configured.", false),
    (502, "Another Worker does not answer, or what is stored is not whole.", false),
    (503, "The database or another store does not answer.", true),
    (504, "Another Worker takes too long. What it does may go on.", true),
];

/// The statuses of an operation's problems: its own, and those of all that are like it.
#[must_use]
pub fn of(operation: &Operation) -> BTreeSet<u16> {
    let mut statuses: BTreeSet<u16> = operation.problems.iter().copied().collect();
    // A query that is too long, a parameter that is not known, one that is gone, and the Worker's own fault.
    statuses.extend([400, 410, 500]);
    if operation.access != Access::Open {
        statuses.extend([401, 429]);
    }
    if operation.access == Access::Change {
        // 503 when the audit takes no entry.
        statuses.extend([403, 413, 503]);
    }
    if operation.is_archivers() {
        statuses.extend([502, 503, 504]);
    }
    statuses
}

/// The responses of all problems, by the names that [`reference`] gives.
#[must_use]
pub fn responses() -> Map<String, Value> {
    let mut responses = Map::new();
    for (status, about, retries) in ALL {
        let mut headers = json!({ "X-Request-Id": { "$ref": "#/components/headers/X-Request-Id" } });
        if *status == 401 {
            headers["WWW-Authenticate"] =
                json!({ "description": "`Bearer`.", "required": true, "schema": { "type": "string" } });
        }
        if *retries || matches!(status, 409 | 502) {
            let about = "Seconds after which to try again.";
            headers["Retry-After"] =
                json!({ "description": about, "required": retries, "schema": { "type": "integer" } });
        }
        let schema = json!({
            "allOf": [{ "$ref": "#/components/schemas/Problem" }],
            "properties": { "status": { "const": status } },
        });
        let response = json!({ "description": about, "headers": headers, "content": { PROBLEM_JSON: { "schema": schema } } });
        responses.insert(name(*status), response);
    }
    responses
}

/// Refers to a problem's response.
#[must_use]
pub fn reference(status: u16) -> Value {
    json!({ "$ref": format!("#/components/responses/{}", name(status)) })
}

fn name(status: u16) -> String {
    format!("Problem{status}")
}
