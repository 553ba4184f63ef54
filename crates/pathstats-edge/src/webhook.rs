//! Sends a notification to its receiver, within a time.

use core::time::Duration;

use futures_util::StreamExt;
use pathstats_model::alerts::notification::Notification;
use pathstats_model::alerts::run::{Attempt, Receiver};
use pathstats_model::alerts::webhook::{
    Endpoint, ID_HEADER, MAX_ANSWER_BYTES, SIGNATURE_HEADER, TIMEOUT_MS, TIMESTAMP_HEADER,
};
use worker::{
    AbortController, Fetch, Headers, Method, Request, RequestInit, RequestRedirect, Response, Result,
};

use crate::clock::{now_ms, within};

/// The receiver of the configuration.
#[derive(Debug)]
pub struct Webhook<'a>(pub &'a Endpoint);

impl Receiver for Webhook<'_> {
    async fn send(&self, notification: &Notification) -> Attempt {
        send(self.0, notification).await
    }
}

/// Sends once. Sent again it has the same id, so that a receiver can drop what it has. No error of the
/// platform is told or logged: it may hold the address, which is a secret.
async fn send(endpoint: &Endpoint, notification: &Notification) -> Attempt {
    let abort = AbortController::default();
    let signal = abort.signal();
    let exchange = async {
        let request = request(endpoint, notification)?;
        let mut response = Fetch::Request(request).send_with_signal(&signal).await?;
        Ok::<_, worker::Error>((response.status_code(), beginning(&mut response).await))
    };
    match within(Duration::from_millis(u64::from(TIMEOUT_MS)), exchange).await {
        Some(Ok((status, body))) => {
            Attempt { taken: (200..300).contains(&status), answer: endpoint.told(status, &body) }
        }
        Some(Err(_)) => Attempt { taken: false, answer: "no connection".to_owned() },
        None => {
            abort.abort();
            Attempt { taken: false, answer: format!("no answer within {} s", TIMEOUT_MS / 1_000) }
        }
    }
}

fn request(endpoint: &Endpoint, notification: &Notification) -> Result<Request> {
    let body = endpoint.body(notification);
    let timestamp = now_ms() / 1_000;
    let headers = Headers::new();
    headers.set("Content-Type", "application/json; charset=utf-8")?;
    headers.set("User-Agent", "pathstats-alerts/1")?;
    headers.set(ID_HEADER, &notification.id)?;
    headers.set(TIMESTAMP_HEADER, &timestamp.to_string())?;
    if let Some(signature) = endpoint.signature(timestamp, &body) {
        headers.set(SIGNATURE_HEADER, &signature)?;
    }
    let mut init = RequestInit::new();
    // A redirect would carry the notification to who knows whom.
    init.with_method(Method::Post)
        .with_headers(headers)
        .with_redirect(RequestRedirect::Manual)
        .with_body(Some(body.into()));
    Request::new_with_init(endpoint.url(), &init)
}

/// How the answer begins. One that breaks off is told as far as it came.
async fn beginning(response: &mut Response) -> Vec<u8> {
    let mut body = Vec::new();
    let Ok(mut stream) = response.stream() else { return body };
    while let Some(Ok(chunk)) = stream.next().await {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER_BYTES {
            break;
        }
    }
    body.truncate(MAX_ANSWER_BYTES);
    body
}
