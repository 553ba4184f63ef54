//! `/admin/dead-letters…`: letters are read here, and changed by the consumer.

use std::time::Duration;

use pathstats_edge::bindings::{CONSUMER, D1};
use pathstats_edge::clock::now_ms;
use pathstats_edge::http::{self, post, read_body, Body, Response};
use pathstats_edge::letter_store::D1LetterStore;
use pathstats_edge::worker_call::answered;
use pathstats_model::api::given::Given;
use pathstats_model::dead_letters::{
    check_reason, DiscardOrder, Discarded, LetterCursor, LetterPage, OrderError, ReplayOrder, Replayed,
    CALL_MS, DEFAULT_PAGE, DISCARD_PATH, MAX_ID_BYTES, MAX_ORDER_BYTES, MAX_PAGE, REPLAY_PATH,
};
use pathstats_model::problem::Problem;
use serde::de::DeserializeOwned;
use serde::Serialize;
use worker::{Env, Request, Result};

/// A page of letters, with how many there are of each reason.
pub async fn list(given: &Given, env: &Env) -> Result<Response> {
    let parameters = (|| {
        let reason = given.optional("reason", "a word of 64 characters at most", |text| {
            check_reason(text).is_ok().then(|| text.to_owned())
        })?;
        let limit = given.number("limit", DEFAULT_PAGE, 1..=MAX_PAGE)?;
        let cursor = given.optional("cursor", "`nextCursor` of an earlier answer", |text| {
            text.parse::<LetterCursor>().ok()
        })?;
        Ok::<_, Problem>((reason, limit as usize, cursor))
    })();
    let (reason, limit, cursor) = match parameters {
        Ok(parameters) => parameters,
        Err(problem) => return http::problem(&problem),
    };
    let page = async {
        let store = D1LetterStore::new(env.d1(D1)?);
        let reasons = store.reasons(now_ms()).await?.into_iter().map(|state| state.count).collect();
        let letters = store.page(reason.as_deref(), cursor.as_ref(), limit + 1).await?;
        Ok(LetterPage::new(reasons, letters, limit))
    };
    match page.await {
        Ok(page) => http::json(200, &page),
        Err(error) => unreadable(&error),
    }
}

/// One letter, with its body.
pub async fn show(given: &Given, env: &Env) -> Result<Response> {
    let expected = "the id of a letter, as the list tells it";
    let id = given
        .required("id", expected, |text| (1..=MAX_ID_BYTES).contains(&text.len()).then(|| text.to_owned()));
    let id = match id {
        Ok(id) => id,
        Err(problem) => return http::problem(&problem),
    };
    match D1LetterStore::new(env.d1(D1)?).letter(&id).await {
        Ok(Some(letter)) => http::json(200, &letter),
        Ok(None) => {
            let detail = "there is no letter of this id: it may have been replayed or discarded";
            http::problem(&Problem::new(404, "no_such_letter", "There is no such letter", detail))
        }
        Err(error) => unreadable(&error),
    }
}

/// Has letters replayed. Given up waiting for, the consumer may still go on; asked again, what it
/// counted is not counted again.
pub async fn replay(request: &mut Request, env: &Env) -> Result<Response> {
    order::<_, Replayed>(request, env, REPLAY_PATH, ReplayOrder::from_json).await
}

/// Has letters discarded.
pub async fn discard(request: &mut Request, env: &Env) -> Result<Response> {
    order::<_, Discarded>(request, env, DISCARD_PATH, DiscardOrder::from_json).await
}

/// Reads an order, hands it to the consumer, and answers what that one answers.
async fn order<O: Serialize, A: Serialize + DeserializeOwned>(
    request: &mut Request,
    env: &Env,
    path: &str,
    read: impl FnOnce(&[u8]) -> core::result::Result<O, OrderError>,
) -> Result<Response> {
    let Body::Bytes(body) = read_body(request, MAX_ORDER_BYTES).await? else {
        return http::problem(&Problem::too_large("the body of an order", MAX_ORDER_BYTES));
    };
    let order = match read(&body) {
        Ok(order) => order,
        Err(error) => return http::problem(&error.problem()),
    };
    let call = async {
        let request = post(path, &serde_json::to_vec(&order)?)?;
        env.service(CONSUMER)?.fetch_request(request).await
    };
    match answered::<A>("consumer", Duration::from_millis(u64::from(CALL_MS)), call).await {
        Ok(answer) => http::json(200, &answer),
        Err(problem) => http::problem(&problem),
    }
}

fn unreadable(error: &worker::Error) -> Result<Response> {
    tracing::error!(%error, "dead letters cannot be read");
    http::problem(&Problem::database_unreadable())
}
