use core::cell::Cell;

use super::env;
use pathstats_edge::audit_store::{audited, AuditStore};
use pathstats_edge::bindings::D1;
use pathstats_edge::http;
use pathstats_model::access::{Identity, Role, Via};
use pathstats_model::audit::{AuditEntry, AuditId, AUDIT_DELETED_AT_ONCE, AUDIT_KEPT_MS};
use wasm_bindgen_test::wasm_bindgen_test;
use worker::Error;

const AT: i64 = 1_760_536_800_000;

fn store() -> AuditStore {
    AuditStore::new(env().d1(D1).unwrap())
}

/// An entry of this time. Tests share a table: `random` is a test's own.
fn entry(at_ms: i64, random: u64) -> AuditEntry {
    let identity = Identity {
        role: Role::Admin,
        via: Via::Access,
        name: "alice@example.com".to_owned(),
        expires_at_ms: None,
    };
    let target = Some(r#"{"date":"2025-10-15"}"#.to_owned());
    AuditEntry::new(&identity, ("POST", "/admin/reconcile"), target, "request-1", (at_ms, random))
}

/// The statuses of the entries with these random bits, newest first.
async fn statuses(random: u64) -> Vec<(i64, Option<u16>)> {
    let entries = store().page(None, 500).await.unwrap();
    let ending = format!("{random:016x}");
    entries
        .into_iter()
        .filter(|entry| entry.id.as_str().ends_with(&ending))
        .map(|entry| (entry.at_ms, entry.status))
        .collect()
}

#[wasm_bindgen_test]
async fn an_audit_entry_reads_back_as_written() {
    let refused = AuditEntry { status: Some(403), target: None, ..entry(AT, 1) };
    for written in [entry(AT + 1, 1), refused] {
        store().write(&written).await.unwrap();
        let next = AuditId::new(written.at_ms, 2);
        assert_eq!(store().page(Some(&next), 1).await.unwrap(), [written]);
    }
}

#[wasm_bindgen_test]
async fn audit_entries_page_by_key_from_the_newest() {
    let start = AT + 1_000;
    for n in 0..5 {
        store().write(&entry(start + n, 3)).await.unwrap();
    }
    let mut before = AuditId::new(start + 5, 0);
    let mut seen = Vec::new();
    loop {
        let page = store().page(Some(&before), 2).await.unwrap();
        let page: Vec<AuditEntry> = page.into_iter().filter(|entry| entry.at_ms >= start).collect();
        let Some(last) = page.last() else { break };
        before = last.id.clone();
        seen.extend(page.into_iter().map(|entry| entry.at_ms - start));
    }
    assert_eq!(seen, [4, 3, 2, 1, 0]);
}

#[wasm_bindgen_test]
async fn a_change_ends_with_its_status_and_the_first_end_stands() {
    let change = || async { http::json(202, &"begun") };
    let answer = audited(&store(), &entry(AT, 4), change()).await.unwrap();
    assert_eq!((answer.status(), statuses(4).await), (202, vec![(AT, Some(202))]));
    store().end(&entry(AT, 4).id, 500).await.unwrap();
    assert_eq!(statuses(4).await, [(AT, Some(202))]);
    let change = async { Err(Error::RustError("no".into())) };
    assert!(audited(&store(), &entry(AT + 1, 4), change).await.is_err());
    assert_eq!(statuses(4).await.first(), Some(&(AT + 1, Some(500))));
}

#[wasm_bindgen_test]
async fn a_change_that_is_under_way_has_an_entry_without_a_status() {
    let seen = Cell::new(None);
    let change = async {
        seen.set(Some(statuses(5).await));
        http::json(200, &"changed")
    };
    audited(&store(), &entry(AT, 5), change).await.unwrap();
    assert_eq!(seen.take().unwrap(), [(AT, None)], "written before the change, as dying within it leaves it");
}

#[wasm_bindgen_test]
async fn without_an_audit_entry_nothing_is_changed() {
    // An id that is taken stands for a database that refuses.
    store().write(&entry(AT, 6)).await.unwrap();
    let changed = Cell::new(false);
    let change = async {
        changed.set(true);
        http::json(200, &"changed")
    };
    let answer = audited(&store(), &entry(AT, 6), change).await.unwrap();
    assert_eq!((answer.status(), changed.get()), (503, false));
    assert_eq!(statuses(6).await, [(AT, None)], "the other entry is left alone");
}

#[wasm_bindgen_test]
async fn entries_go_after_four_hundred_days_a_few_at_a_time() {
    let count = AUDIT_DELETED_AT_ONCE as usize + 5;
    let many = i64::from(AUDIT_DELETED_AT_ONCE) + 5;
    // Older than what the other tests write.
    let old = AT - 2 * AUDIT_KEPT_MS;
    for n in 0..many {
        store().write(&entry(old + n, 7)).await.unwrap();
    }
    assert_eq!(statuses(7).await.len(), count);
    // The oldest of them is not yet too old.
    store().write(&entry(old + AUDIT_KEPT_MS, 8)).await.unwrap();
    assert_eq!(statuses(7).await.len(), count);
    store().write(&entry(old + AUDIT_KEPT_MS + many, 8)).await.unwrap();
    let left = statuses(7).await;
    assert_eq!((left.len(), left.last()), (5, Some(&(old + many - 5, None))), "the oldest went first");
    store().write(&entry(old + AUDIT_KEPT_MS + many + 1, 8)).await.unwrap();
    assert_eq!(statuses(7).await, []);
}
