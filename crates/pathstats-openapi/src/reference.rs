//! The reference for readers: the document as Markdown, behind an introduction that is written by hand.

use std::fmt::Write;

use pathstats_model::api::operations::{all, Access, Operation, RETIRED};
use serde_json::{Map, Value};

use crate::problems;

const INTRODUCTION: &str = include_str!("introduction.md");

/// The reference of a document.
#[must_use]
pub fn reference(document: &Value) -> String {
    let mut text = INTRODUCTION.to_owned();
    // Writing to a text does not fail.
    let _ = overview(&mut text);
    for operation in all() {
        let method = operation.method.name().to_lowercase();
        let told = document.get("paths").and_then(|paths| paths.get(operation.path)?.get(method));
        let _ = section(&mut text, operation, told.unwrap_or(&Value::Null));
    }
    let _ = retired(&mut text);
    let _ = schemas(&mut text, document.pointer("/components/schemas"));
    text
}

type Written = std::fmt::Result;

const fn who(operation: &Operation) -> &'static str {
    match operation.access {
        Access::Open => "everybody",
        Access::Read => "readers",
        Access::Change => "administrators",
    }
}

fn overview(text: &mut String) -> Written {
    writeln!(text, "## Operations\n\n| operation | who may | what |\n| --- | --- | --- |")?;
    for operation in all() {
        let (method, path) = (operation.method.name(), operation.path);
        writeln!(
            text,
            "| [{method} {path}](#{}) | {} | {} |",
            anchor(operation),
            who(operation),
            operation.summary
        )?;
    }
    writeln!(text)
}

/// As GitHub makes it of a heading.
fn anchor(operation: &Operation) -> String {
    let heading = format!("{} {}", operation.method.name(), operation.path).to_lowercase();
    heading
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == '-' || *c == ' ')
        .collect::<String>()
        .replace(' ', "-")
}

fn section(text: &mut String, operation: &Operation, told: &Value) -> Written {
    let (method, path) = (operation.method.name(), operation.path);
    writeln!(text, "### {method} {path}\n\n{}. {}\n", operation.summary, operation.description)?;
    let parameters = told.get("parameters").and_then(Value::as_array).filter(|all| !all.is_empty());
    if let Some(parameters) = parameters {
        writeln!(text, "| parameter | value | |\n| --- | --- | --- |")?;
        for parameter in parameters {
            let required = parameter.get("required") == Some(&Value::Bool(true));
            let mark = if required { ", required" } else { "" };
            let value = cell(&value(parameter.get("schema")));
            writeln!(
                text,
                "| `{}`{mark} | {value} | {} |",
                word(parameter, "name"),
                cell(word(parameter, "description"))
            )?;
        }
        writeln!(text)?;
    }
    if let Some(body) = operation.body {
        writeln!(text, "The body is {}, as in `{}`.\n", link(body.schema), body.example)?;
    }
    for answer in operation.answers {
        let schema = told
            .pointer(&format!("/responses/{}/content/application~1json/schema", answer.status))
            .map(|schema| format!("{}: ", kind(schema)))
            .unwrap_or_default();
        writeln!(text, "- **{}** {schema}{}", answer.status, answer.about)?;
    }
    if operation.has_tag() {
        writeln!(text, "- **304** without a body, to the `If-None-Match` of this answer's `ETag`.")?;
    }
    let statuses: Vec<String> = problems::of(operation).iter().map(u16::to_string).collect();
    writeln!(text, "- problems: {}\n", statuses.join(", "))
}

fn retired(text: &mut String) -> Written {
    writeln!(text, "## Calls that are gone\n\nThey answer 410, with `successor`.\n")?;
    writeln!(text, "| call | use | since |\n| --- | --- | --- |")?;
    for call in RETIRED {
        writeln!(text, "| `{}` | `{}` | {} |", call.path, call.successor, call.about)?;
    }
    writeln!(text)
}

fn schemas(text: &mut String, all: Option<&Value>) -> Written {
    writeln!(text, "## Schemas\n")?;
    for (name, schema) in all.and_then(Value::as_object).into_iter().flatten() {
        writeln!(text, "### {name}\n")?;
        if let Some(about) = schema.get("description").and_then(Value::as_str) {
            writeln!(text, "{}\n", line(about))?;
        }
        if schema.get("properties").is_some() {
            fields(text, schema)?;
        }
        for (at, choice) in alternatives(schema).enumerate() {
            if choice.get("properties").is_some() {
                writeln!(text, "{}:\n", if at == 0 { "Either" } else { "Or" })?;
                fields(text, choice)?;
            } else {
                let about = choice.get("description").and_then(Value::as_str).unwrap_or_default();
                writeln!(text, "- {} {}", kind(choice), line(about))?;
            }
        }
        if let Some(words) = schema.get("enum") {
            writeln!(text, "{}", values(words))?;
        }
        writeln!(text)?;
    }
    Ok(())
}

fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf"].into_iter().filter_map(|name| schema.get(name)?.as_array()).flatten()
}

fn fields(text: &mut String, schema: &Value) -> Written {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    writeln!(text, "| field | type | |\n| --- | --- | --- |")?;
    let empty = Map::new();
    for (name, field) in schema.get("properties").and_then(Value::as_object).unwrap_or(&empty) {
        let mark = if required.contains(&name.as_str()) { "" } else { ", optional" };
        writeln!(text, "| `{name}`{mark} | {} | {} |", cell(&kind(field)), cell(word(field, "description")))?;
    }
    writeln!(text)
}

/// What a value of a query may be.
fn value(schema: Option<&Value>) -> String {
    let Some(schema) = schema else { return String::new() };
    let number = |name: &str| schema.get(name).map(Value::to_string);
    let mut text = if let Some(words) = schema.get("enum") {
        values(words)
    } else if let (Some(least), Some(most)) = (number("minimum"), number("maximum")) {
        format!("{least} to {most}")
    } else if let (Some(above), Some(below)) = (number("exclusiveMinimum"), number("exclusiveMaximum")) {
        format!("above {above}, below {below}")
    } else if schema.get("type") == Some(&Value::from("boolean")) {
        "`true`, `false`".to_owned()
    } else {
        let most = number("maxLength").map(|most| format!(", {most} characters at most")).unwrap_or_default();
        let examples =
            schema.get("examples").map(|some| format!(" such as {}", values(some))).unwrap_or_default();
        format!("text{examples}{most}")
    };
    if let Some(default) = schema.get("default") {
        let _ = write!(
            text,
            "; default `{}`",
            default.as_str().map_or_else(|| default.to_string(), str::to_owned)
        );
    }
    text
}

fn values(words: &Value) -> String {
    let words = words.as_array().into_iter().flatten();
    let shown =
        words.map(|word| format!("`{}`", word.as_str().map_or_else(|| word.to_string(), str::to_owned)));
    shown.collect::<Vec<_>>().join(", ")
}

/// A schema in a few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()) {
        return link(name);
    }
    if let Some(constant) = schema.get("const") {
        return format!("`{}`", constant.as_str().map_or_else(|| constant.to_string(), str::to_owned));
    }
    if let Some(words) = schema.get("enum") {
        return values(words);
    }
    let choices: Vec<String> = alternatives(schema).map(kind).collect();
    if !choices.is_empty() {
        return choices.join(" or ");
    }
    match schema.get("type") {
        Some(Value::Array(types)) => types
            .iter()
            .filter_map(Value::as_str)
            .map(|name| if name == "array" { list(schema) } else { name.to_owned() })
            .collect::<Vec<_>>()
            .join(" or "),
        Some(Value::String(name)) if name == "array" => list(schema),
        Some(Value::String(name)) if name == "object" && schema.get("properties").is_none() => {
            "object by name".to_owned()
        }
        Some(Value::String(name)) => name.clone(),
        _ => "any".to_owned(),
    }
}

fn list(schema: &Value) -> String {
    format!("list of {}", schema.get("items").map_or_else(|| "two".to_owned(), kind))
}

fn link(name: &str) -> String {
    format!("[{name}](#{})", name.to_lowercase())
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cell(text: &str) -> String {
    line(text).replace('|', "\\|")
}
