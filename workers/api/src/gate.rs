//! The gate before every change: who may, and an entry of the audit before it is made.

use core::future::Future;

use pathstats_edge::access;
use pathstats_edge::audit_store::{audited, AuditStore};
use pathstats_edge::bindings::D1;
use pathstats_edge::clock::now_ms;
use pathstats_edge::http::{self, read_body, Body, Response};
use pathstats_edge::random::random_bits;
use pathstats_model::access::Identity;
use pathstats_model::api::operations::Operation;
use pathstats_model::audit::{target, AuditEntry};
use pathstats_model::dead_letters::MAX_ORDER_BYTES;
use pathstats_model::problem::Problem;
use wasm_bindgen::JsValue;
use worker::{Env, Request, RequestInit, Result};

/// Most bytes of a body that changes something: no order is longer than one of a hundred dead letters.
const MAX_BODY_BYTES: usize = MAX_ORDER_BYTES;

/// Has a change made by `act`, if this one may make it.
pub async fn change<F: Future<Output = Result<Response>>>(
    operation: &Operation,
    mut request: Request,
    env: &Env,
    identity: &Identity,
    request_id: &str,
    act: impl FnOnce(Request) -> F,
) -> Result<Response> {
    let Body::Bytes(body) = read_body(&mut request, MAX_BODY_BYTES).await? else {
        return http::problem(&Problem::too_large("the body of a change", MAX_BODY_BYTES));
    };
    let url = request.url()?;
    let query: Vec<_> = url.query_pairs().collect();
    let target = target(query.iter().map(|(name, value)| (name.as_ref(), value.as_ref())), &body);
    // The lower half of the bits is as random as the whole.
    #[allow(clippy::cast_possible_truncation)]
    let random = random_bits()? as u64;
    let action = (operation.method.name(), operation.path);
    let entry = AuditEntry::new(identity, action, target, request_id, (now_ms(), random));
    let store = AuditStore::new(env.d1(D1)?);
    if let Err(problem) = access::may_change(&request, identity)? {
        return refuse(&store, entry, env, identity, problem).await;
    }
    audited(&store, &entry, act(with_body(&request, &body)?)).await
}

/// Refuses, and notes who asked for it. Nothing was done, so a note that cannot be taken changes nothing.
async fn refuse(
    store: &AuditStore,
    entry: AuditEntry,
    env: &Env,
    identity: &Identity,
    problem: Problem,
) -> Result<Response> {
    if access::refused_once_too_often(env, identity).await {
        return http::problem(&access::too_many_changes());
    }
    if let Err(error) = store.write(&AuditEntry { status: Some(problem.status), ..entry }).await {
        tracing::error!(%error, "a refused change is not in the audit");
    }
    http::problem(&problem)
}

/// The request once more, with the body that was read of it.
fn with_body(request: &Request, body: &[u8]) -> Result<Request> {
    let mut init = RequestInit::new();
    init.with_method(request.method()).with_headers(request.headers().clone());
    if !body.is_empty() {
        init.with_body(Some(JsValue::from(js_sys::Uint8Array::from(body))));
    }
    Request::new_with_init(request.url()?.as_str(), &init)
}
