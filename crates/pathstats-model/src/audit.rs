//! What was done, by whom: one entry a change, written before the change is made.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::access::Identity;
use crate::api::given::Given;
use crate::event::cut;
use crate::hour::{iso_time, DAY_MS};
use crate::problem::Problem;

/// How long an entry stays, in milliseconds: a year and a month, so that the same time of last year
/// can still be looked at.
pub const AUDIT_KEPT_MS: i64 = 400 * DAY_MS;

/// Entries that are too old and go when one is written. More go than come, so a backlog shrinks, and
/// no single change pays for all of it.
pub const AUDIT_DELETED_AT_ONCE: u32 = 20;

/// Longest target, in characters.
pub const MAX_TARGET_CHARS: usize = 500;

/// Longest action, in characters.
const MAX_ACTION_CHARS: usize = 200;

/// Entries of an answer, when nothing else is asked for, and at most.
const PAGE: u32 = 50;
const MAX_PAGE: u32 = 200;

/// An entry's id: the time in milliseconds in 13 digits, a hyphen, 16 random hexadecimal digits. As
/// text it sorts by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditId(String);

impl AuditId {
    /// An id of this time. `random` tells apart what happens in one millisecond.
    #[must_use]
    pub fn new(at_ms: i64, random: u64) -> Self {
        Self(format!("{:013}-{random:016x}", at_ms.max(0)))
    }

    /// The id that a text is.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (time, random) = text.split_once('-')?;
        let is_id = time.len() == 13
            && time.bytes().all(|b| b.is_ascii_digit())
            && random.len() == 16
            && random.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_id.then(|| Self(text.to_owned()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The least text that an id of this time or later can be.
    #[must_use]
    pub fn from_time(at_ms: i64) -> String {
        format!("{:013}", at_ms.max(0))
    }
}

/// One change that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Names it.
    pub id: AuditId,
    /// When, in milliseconds.
    pub at_ms: i64,
    /// Who: an identity's name.
    pub actor: String,
    /// How that one was recognised: `token` or `access`.
    pub via: String,
    /// Method and path: `POST /admin/archive/trigger`.
    pub action: String,
    /// What was asked, as short JSON.
    pub target: Option<String>,
    /// The request's id, as the logs have it.
    pub request_id: String,
    /// How it ended. `None`: it is not known to have ended, so it may have been done.
    pub status: Option<u16>,
}

impl AuditEntry {
    /// An entry of a change that is asked for now.
    #[must_use]
    pub fn new(
        identity: &Identity,
        (method, path): (&str, &str),
        target: Option<String>,
        request_id: &str,
        (at_ms, random): (i64, u64),
    ) -> Self {
        Self {
            id: AuditId::new(at_ms, random),
            at_ms,
            actor: identity.name.clone(),
            via: identity.via.as_str().to_owned(),
            action: cut(&format!("{method} {path}"), MAX_ACTION_CHARS).to_owned(),
            target,
            request_id: request_id.to_owned(),
            status: None,
        }
    }
}

/// What was asked, as JSON of at most [`MAX_TARGET_CHARS`] characters: the query's parameters and the
/// members of the body, without secrets, long texts and lists shortened. `None` when nothing was asked
/// but the action itself.
#[must_use]
pub fn target<'a>(query: impl Iterator<Item = (&'a str, &'a str)>, body: &[u8]) -> Option<String> {
    let mut asked = Map::new();
    for (name, value) in query {
        asked.insert(cut(name, 40).to_owned(), Value::from(value));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => asked.extend(members),
        Ok(other) => drop(asked.insert("body".to_owned(), other)),
        Err(_) if body.is_empty() => {}
        Err(_) => drop(asked.insert("bodyBytes".to_owned(), Value::from(body.len()))),
    }
    if asked.is_empty() {
        return None;
    }
    // Shorter and shorter, until it fits.
    for (chars, items) in [(200, 20), (60, 5), (20, 2), (8, 1)] {
        let text = shortened(&Value::Object(asked.clone()), chars, items, 4).to_string();
        if text.chars().count() <= MAX_TARGET_CHARS {
            return Some(text);
        }
    }
    Some(format!(r#"{{"bodyBytes":{}}}"#, body.len()))
}

fn shortened(value: &Value, chars: usize, items: usize, depth: u32) -> Value {
    match value {
        Value::String(text) => {
            let short = cut(text, chars);
            Value::from(if short.len() < text.len() { format!("{short}…") } else { text.clone() })
        }
        Value::Array(_) | Value::Object(_) if depth == 0 => Value::from("…"),
        Value::Array(list) => {
            let more = list.len().saturating_sub(items);
            let kept = list.iter().take(items).map(|item| shortened(item, chars, items, depth - 1));
            kept.chain((more > 0).then(|| Value::from(format!("… {more} more")))).collect()
        }
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| {
                let value = if is_secret(name) {
                    Value::from("(not kept)")
                } else {
                    shortened(member, chars, items, depth - 1)
                };
                (cut(name, 40).to_owned(), value)
            })
            .collect(),
        other => other.clone(),
    }
}

/// Whether a member of this name may hold a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["token", "secret", "password", "authorization", "cookie", "jwt", "apikey", "api_key", "api-key"]
        .iter()
        .any(|word| name.contains(word))
}

/// Which entries are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditQuery {
    /// Entries at most.
    pub limit: u32,
    /// Only entries before this one.
    pub before: Option<AuditId>,
}

impl AuditQuery {
    /// Reads `limit` and `cursor`.
    ///
    /// # Errors
    ///
    /// The problem to answer.
    pub fn read(given: &Given) -> Result<Self, Problem> {
        Ok(Self {
            limit: given.number("limit", PAGE, 1..=MAX_PAGE)?,
            before: given.optional("cursor", "a `nextCursor` of this call", AuditId::parse)?,
        })
    }
}

/// Entries, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditList {
    entries: Vec<AuditShown>,
    /// What to send as `cursor` for the entries before these; `null` when there are none.
    next_cursor: Option<String>,
}

/// A change that was asked for, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct AuditShown {
    id: String,
    /// When, ISO 8601 in UTC.
    at: String,
    /// Who.
    actor: String,
    /// `token` or `access`.
    via: String,
    /// Method and path.
    action: String,
    /// What was asked, as JSON of at most 500 characters.
    target: Option<String>,
    /// The status that was answered; `null`: it is not known to have ended.
    status: Option<u16>,
    /// As in the logs.
    request_id: String,
}

impl AuditList {
    /// The answer that these entries are, when up to `limit` were wanted and one more was looked for.
    #[must_use]
    pub fn new(mut entries: Vec<AuditEntry>, limit: u32) -> Self {
        let limit = limit as usize;
        let has_more = entries.len() > limit;
        entries.truncate(limit);
        let next_cursor = entries.last().filter(|_| has_more).map(|last| last.id.0.clone());
        let shown = |entry: AuditEntry| AuditShown {
            at: iso_time(entry.at_ms),
            id: entry.id.0,
            actor: entry.actor,
            via: entry.via,
            action: entry.action,
            target: entry.target,
            status: entry.status,
            request_id: entry.request_id,
        };
        Self { entries: entries.into_iter().map(shown).collect(), next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Role, Via};
    use crate::api::operations::{parameters, OperationId};

    const AT: i64 = 1_760_536_800_000;

    fn entry(at_ms: i64) -> AuditEntry {
        let alice = Identity {
            role: Role::Admin,
            via: Via::Access,
            name: "alice@example.com".to_owned(),
            expires_at_ms: None,
        };
        AuditEntry::new(&alice, ("POST", "/admin/reconcile"), None, "request-1", (at_ms, 0xfeed))
    }

    fn of_body(body: &str) -> Option<String> {
        target(core::iter::empty(), body.as_bytes())
    }

    #[test]
    fn ids_sort_by_time_and_read_back() {
        let id = AuditId::new(AT, 0xfeed);
        assert_eq!(id.as_str(), "1760536800000-000000000000feed");
        assert_eq!(AuditId::parse(id.as_str()), Some(id.clone()));
        assert!(AuditId::new(AT, u64::MAX) < AuditId::new(AT + 1, 0));
        assert!(AuditId::from_time(AT).as_str() < id.as_str());
        assert!(AuditId::from_time(AT).as_str() > AuditId::new(AT - 1, u64::MAX).as_str());
        for wrong in [
            "",
            "1760536800000",
            "1760536800000-feed",
            "176053680000a-000000000000feed",
            "1760536800000-000000000000FEED",
            "' OR 1=1 --",
        ] {
            assert_eq!(AuditId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_target_is_what_was_asked() {
        assert_eq!(of_body(""), None);
        assert_eq!(of_body("{}"), None);
        assert_eq!(
            of_body(r#"{"date":"2026-11-20","wait":true}"#).unwrap(),
            r#"{"date":"2026-11-20","wait":true}"#
        );
        assert_eq!(of_body("[1]").unwrap(), r#"{"body":[1]}"#);
        assert_eq!(of_body("not json").unwrap(), r#"{"bodyBytes":8}"#);
        let query = [("force", "true")].into_iter();
        assert_eq!(target(query, br#"{"n":1}"#).unwrap(), r#"{"force":"true","n":1}"#);
    }

    #[test]
    fn a_target_holds_no_secret() {
        let text =
            of_body(r#"{"adminToken":"abc","a":[{"Password":"abc"}],"x-api-key":"abc","date":"d"}"#).unwrap();
        assert!(!text.contains("abc") && text.contains(r#""date":"d""#), "{text}");
        let text = target([("access_token", "abc")].into_iter(), b"").unwrap();
        assert!(!text.contains("abc"), "{text}");
    }

    #[test]
    fn a_long_target_is_shortened_and_stays_json() {
        let ids: Vec<String> = (0..100).map(|n| format!("message-{n:030}")).collect();
        let many = serde_json::json!({ "ids": ids, "reason": "🦀".repeat(600) }).to_string();
        let wide: Map<String, Value> = (0..900).map(|n| (format!("member-{n}"), Value::from(n))).collect();
        let deep = format!("{}1{}", r#"{"a":"#.repeat(60), "}".repeat(60));
        for body in [many.clone(), Value::Object(wide).to_string(), deep] {
            let text = of_body(&body).unwrap();
            assert!(text.chars().count() <= MAX_TARGET_CHARS, "{text}");
            assert!(serde_json::from_str::<Value>(&text).unwrap().is_object(), "{text}");
        }
        assert!(of_body(&many).unwrap().contains("message-0"), "the first ids are told");
        assert!(of_body(&many).unwrap().contains("more"), "and that there are more");
    }

    #[test]
    fn a_cursor_comes_only_when_there_is_more() {
        let entries = |count: i64| (0..count).map(|n| entry(AT - n)).collect::<Vec<_>>();
        let list = serde_json::to_value(AuditList::new(entries(3), 2)).unwrap();
        assert_eq!(list["entries"].as_array().unwrap().len(), 2);
        assert_eq!(list["nextCursor"], AuditId::new(AT - 1, 0xfeed).as_str());
        assert_eq!(
            list["entries"][0],
            serde_json::json!({"id": "1760536800000-000000000000feed", "at": "2025-10-15T14:00:00.000Z",
                "actor": "alice@example.com", "via": "access", "action": "POST /admin/reconcile",
                "target": null, "status": null, "requestId": "request-1"})
        );
        assert_eq!(serde_json::to_value(AuditList::new(entries(2), 2)).unwrap()["nextCursor"], Value::Null);
    }

    #[test]
    fn limit_and_cursor_are_checked() {
        let read = |query: &'static [(&str, &str)]| {
            let pairs = query.iter().map(|(name, value)| ((*name).into(), (*value).into()));
            AuditQuery::read(&Given::read(pairs, parameters(OperationId::Audit))?)
        };
        assert_eq!(read(&[]).unwrap(), AuditQuery { limit: 50, before: None });
        let asked = read(&[("limit", "200"), ("cursor", "1760536800000-000000000000feed")]).unwrap();
        assert_eq!(asked, AuditQuery { limit: 200, before: Some(AuditId::new(AT, 0xfeed)) });
        for wrong in [
            &[("limit", "0")],
            &[("limit", "201")],
            &[("limit", "x")],
            &[("cursor", "")],
            &[("cursor", "1")],
            &[("sort", "x")],
        ] {
            assert_eq!(read(wrong).unwrap_err().status, 400, "{wrong:?}");
        }
    }
}
