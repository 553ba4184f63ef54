//! The document and the reference in the tree are those of the code.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use pathstats_model::api::operations::{all, Content};
use pathstats_openapi::{
    document, document_text, problems, reference, schemas, DOCUMENT_FILE, REFERENCE_FILE,
};
use serde_json::Value;

fn in_tree(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)).unwrap()
}

#[test]
fn the_document_in_the_tree_is_that_of_the_code() {
    assert!(in_tree(DOCUMENT_FILE) == document_text().unwrap(), "{DOCUMENT_FILE} is old: run `just openapi`");
}

#[test]
fn the_reference_in_the_tree_is_that_of_the_code() {
    assert!(in_tree(REFERENCE_FILE) == reference(&document()), "{REFERENCE_FILE} is old: run `just openapi`");
}

#[test]
fn every_schema_that_an_operation_names_is_there() {
    let schemas = schemas::all();
    for operation in all() {
        for answer in operation.answers {
            if let Content::Json(name) = answer.content {
                assert!(schemas.contains_key(name), "{} answers {name}", operation.path);
            }
        }
        if let Some(body) = operation.body {
            assert!(schemas.contains_key(body.schema), "{} takes {}", operation.path, body.schema);
        }
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let document = document();
    let mut found = 0;
    visit(&document, &mut |name, value| {
        if let ("$ref", Some(path)) = (name, value.as_str()) {
            found += 1;
            assert!(document.pointer(path.strip_prefix('#').unwrap()).is_some(), "{path}");
        }
    });
    assert!(found > 100, "{found}");
}

#[test]
fn every_problem_is_told() {
    for status in all().flat_map(problems::of) {
        assert!(problems::ALL.iter().any(|(told, _, _)| *told == status), "{status}");
    }
}

fn visit(value: &Value, see: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                see(name, field);
                visit(field, see);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| visit(item, see)),
        _ => {}
    }
}
