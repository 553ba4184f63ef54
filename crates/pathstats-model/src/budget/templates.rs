//! Templates that would have absorbed the paths for which there was no room.
//!
//! The paths make a tree of segments. Where a node has many children and hardly a path shares one, the
//! children are values rather than names: they become one placeholder, and what lies below them is merged.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::path_policy::templates::is_template;
use crate::path_policy::PathPolicy;

/// Distinct values from which segments may be values rather than names.
const MIN_VALUES: usize = 10;
/// Templates that are suggested at most.
const MAX_SUGGESTIONS: usize = 10;
/// Endings below a placeholder, from which they become `*`.
const MAX_ENDINGS: usize = 4;
/// Segments that are looked at: what lies deeper becomes `*`.
const MAX_DEPTH: usize = 12;
/// Paths that are shown with a template.
const EXAMPLES: usize = 3;

/// A template, and what of the sample it would have absorbed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Suggestion {
    /// The template, as `PATH_TEMPLATES` takes it: `/products/:name`.
    pub template: String,
    /// Paths of the sample that it absorbs.
    pub sampled_paths: u64,
    /// The share of the sample that they are.
    pub share: f64,
    /// Some of them.
    pub examples: Vec<String>,
}

/// Templates for these distinct paths, those that absorb most first. None begins with a placeholder: it
/// would take every path of the site.
#[must_use]
pub fn suggest(paths: &[&str]) -> Vec<Suggestion> {
    let rests: Vec<Rest<'_>> =
        paths.iter().map(|path| Rest { path, segments: path.split('/').skip(1).collect() }).collect();
    let mut found: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (first, rests) in children(&rests, 0) {
        walk(&mut found, &format!("/{first}"), &rests, 1);
    }
    found.retain(|template, absorbed| absorbed.len() >= MIN_VALUES && is_template(template));
    let mut suggestions: Vec<Suggestion> = found
        .into_iter()
        .map(|(template, absorbed)| Suggestion {
            template,
            sampled_paths: absorbed.len() as u64,
            share: share(absorbed.len(), paths.len()),
            examples: absorbed.iter().take(EXAMPLES).map(|path| (*path).to_owned()).collect(),
        })
        .collect();
    suggestions
        .sort_by(|a, b| b.sampled_paths.cmp(&a.sampled_paths).then_with(|| a.template.cmp(&b.template)));
    suggestions.truncate(MAX_SUGGESTIONS);
    suggestions
}

/// A path, taken apart.
#[derive(Debug, Clone)]
struct Rest<'a> {
    path: &'a str,
    segments: Vec<&'a str>,
}

fn children<'a>(rests: &[Rest<'a>], depth: usize) -> BTreeMap<&'a str, Vec<Rest<'a>>> {
    let mut children: BTreeMap<&str, Vec<Rest<'a>>> = BTreeMap::new();
    for rest in rests {
        if let Some(segment) = rest.segments.get(depth) {
            children.entry(segment).or_default().push(rest.clone());
        }
    }
    children
}

/// Goes down from `prefix`, below which these paths lie.
fn walk<'a>(found: &mut BTreeMap<String, Vec<&'a str>>, prefix: &str, rests: &[Rest<'a>], depth: usize) {
    let (ended, going): (Vec<_>, Vec<_>) = rests.iter().partition(|rest| rest.segments.len() <= depth);
    if prefix.contains("/:") {
        found.entry(prefix.to_owned()).or_default().extend(ended.iter().map(|rest| rest.path));
    }
    let going: Vec<Rest<'a>> = going.into_iter().cloned().collect();
    if going.is_empty() {
        return;
    }
    if depth >= MAX_DEPTH {
        found.entry(format!("{prefix}/*")).or_default().extend(going.iter().map(|rest| rest.path));
        return;
    }
    let by_segment = children(&going, depth);
    // A trailing slash is no value.
    let values = by_segment.keys().filter(|segment| !segment.is_empty()).count();
    if values < MIN_VALUES || values * 2 < going.len() && !spread(&by_segment) {
        for (segment, rests) in by_segment {
            walk(found, &format!("{prefix}/{segment}"), &rests, depth + 1);
        }
        return;
    }
    let merged = format!("{prefix}/:{}", name_of(by_segment.keys().copied()));
    let mut below: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    walk(&mut below, &merged, &going, depth + 1);
    below.retain(|_, absorbed| !absorbed.is_empty());
    if below.len() > MAX_ENDINGS {
        found.entry(format!("{prefix}/*")).or_default().extend(going.iter().map(|rest| rest.path));
    } else {
        for (template, absorbed) in below {
            found.entry(template).or_default().extend(absorbed);
        }
    }
}

/// Whether no child has a tenth of the paths: values with several pages each.
fn spread(by_segment: &BTreeMap<&str, Vec<Rest<'_>>>) -> bool {
    let all: usize = by_segment.values().map(Vec::len).sum();
    by_segment.values().all(|rests| rests.len() * 10 <= all)
}

/// `id`, `uuid` or `hash` if all values are such, as the path policy tells them; `name` otherwise.
fn name_of<'a>(mut values: impl Iterator<Item = &'a str>) -> &'static str {
    let kind = |value: &str| PathPolicy::default().placeholder(value);
    let first = values.next().and_then(kind);
    if values.all(|value| kind(value) == first) {
        first.and_then(|kind| kind.strip_prefix(':')).unwrap_or("name")
    } else {
        "name"
    }
}

#[allow(clippy::cast_precision_loss)]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}
