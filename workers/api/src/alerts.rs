//! `/admin/alerts…`, and the cron of every minute.

use pathstats_edge::alert_run;
use pathstats_edge::alert_store::AlertStore;
use pathstats_edge::bindings::{EnvVariables, D1};
use pathstats_edge::clock::now_ms;
use pathstats_edge::http::{self, read_body, Body, Response};
use pathstats_edge::webhook::Webhook;
use pathstats_model::access::Identity;
use pathstats_model::alerts::answers::{AlertTest, AlertsAnswer, HistoryQuery, Unsilenced};
use pathstats_model::alerts::config::AlertConfig;
use pathstats_model::alerts::notification::Notification;
use pathstats_model::alerts::run::Receiver as _;
use pathstats_model::alerts::silence::{ShownSilence, SilenceOrder, UnsilenceOrder, MAX_ORDER_BYTES};
use pathstats_model::api::given::Given;
use pathstats_model::config::ConfigError;
use pathstats_model::problem::Problem;
use worker::{Env, Request, Result};

fn config(env: &Env) -> core::result::Result<AlertConfig, ConfigError> {
    AlertConfig::from_variables(&EnvVariables(env))
}

/// A minute of the alerts.
pub async fn run(env: &Env, scheduled_ms: i64) {
    let done = match config(env) {
        Ok(config) => alert_run::run(env, &config, scheduled_ms).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = done {
        tracing::error!(%error, "the alerts' cron failed");
    }
}

/// How every rule stands.
pub async fn list(env: &Env) -> Result<Response> {
    let config = match config(env) {
        Ok(config) => config,
        Err(error) => return http::problem(&Problem::configuration(&error)),
    };
    let now = now_ms();
    match AlertStore::new(env.d1(D1)?).found(now).await {
        Ok(found) => http::json(200, &AlertsAnswer::new(&config, found, now)),
        Err(error) => unreadable(&error),
    }
}

/// A page of samples.
pub async fn history(given: &Given, env: &Env) -> Result<Response> {
    let query = match HistoryQuery::read(given, now_ms()) {
        Ok(query) => query,
        Err(problem) => return http::problem(&problem),
    };
    match AlertStore::new(env.d1(D1)?).samples(&query).await {
        Ok(samples) => http::json(200, &query.page(samples)),
        Err(error) => unreadable(&error),
    }
}

/// Holds notifications back.
pub async fn silence(request: &mut Request, identity: Option<&Identity>, env: &Env) -> Result<Response> {
    let Body::Bytes(body) = read_body(request, MAX_ORDER_BYTES).await? else {
        return http::problem(&Problem::too_large("the body of an order", MAX_ORDER_BYTES));
    };
    let config = match config(env) {
        Ok(config) => config,
        Err(error) => return http::problem(&Problem::configuration(&error)),
    };
    let by = identity.map_or("unknown", |identity| identity.name.as_str());
    let silence = match SilenceOrder::read(&body, &config.rules, by, now_ms()) {
        Ok(silence) => silence,
        Err(problem) => return http::problem(&problem),
    };
    match AlertStore::new(env.d1(D1)?).silence(&silence).await {
        Ok(()) => http::json(200, &ShownSilence::from(silence)),
        Err(error) => unreadable(&error),
    }
}

/// Ends a silence.
pub async fn unsilence(request: &mut Request, env: &Env) -> Result<Response> {
    let Body::Bytes(body) = read_body(request, MAX_ORDER_BYTES).await? else {
        return http::problem(&Problem::too_large("the body of an order", MAX_ORDER_BYTES));
    };
    let rule = match UnsilenceOrder::read(&body) {
        Ok(rule) => rule,
        Err(problem) => return http::problem(&problem),
    };
    match AlertStore::new(env.d1(D1)?).unsilence(&rule, now_ms()).await {
        Ok(ended) => http::json(200, &Unsilenced { ended }),
        Err(error) => unreadable(&error),
    }
}

/// Tries the receiver.
pub async fn test(identity: Option<&Identity>, env: &Env) -> Result<Response> {
    let config = match config(env) {
        Ok(config) => config,
        Err(error) => return http::problem(&Problem::configuration(&error)),
    };
    let Some(endpoint) = &config.endpoint else {
        let detail = "there is no receiver: set the secret ALERT_WEBHOOK_URL";
        return http::problem(&Problem::new(409, "no_webhook", "Nobody would be told", detail));
    };
    let by = identity.map_or("unknown", |identity| identity.name.as_str());
    let notification = Notification::test(by, now_ms(), &config.place);
    let attempt = Webhook(endpoint).send(&notification).await;
    http::json(200, &AlertTest { delivered: attempt.taken, answer: attempt.answer, id: notification.id })
}

fn unreadable(error: &worker::Error) -> Result<Response> {
    tracing::error!(%error, "alerts cannot be read or written");
    http::problem(&Problem::database_unreadable())
}
