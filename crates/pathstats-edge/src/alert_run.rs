//! One minute of the alerts: look, judge, keep, tell.

use futures_util::future::{join, join_all};
use pathstats_model::alerts::config::AlertConfig;
use pathstats_model::alerts::delivery::{due, Ending};
use pathstats_model::alerts::measure::Measure;
use pathstats_model::alerts::minute_of;
use pathstats_model::alerts::outage::{judge, Outage, KEPT_SECONDS, KEY};
use pathstats_model::alerts::run::{attempt, changes, notification, AlertLog, Receiver};
use pathstats_model::alerts::sample::Sample;
use pathstats_model::cost::Operation;
use worker::{Env, Result};

use crate::alert_store::AlertStore;
use crate::bindings::{D1, KV};
use crate::clock::now_ms;
use crate::random::random_bits;
use crate::webhook::Webhook;
use crate::{health_sources, usage};

/// What is kept in KV of an outage could not be read or written; what is told then is only told again.
const NO_OUTAGE: &str = "what is known of an outage of D1 cannot be kept in KV";

/// Runs the minute that the platform scheduled. It is that minute however late it runs, so that a
/// schedule that fires twice is judged once.
///
/// # Errors
///
/// When nothing could be judged or told.
pub async fn run(env: &Env, config: &AlertConfig, scheduled_ms: i64) -> Result<()> {
    let at_ms = minute_of(scheduled_ms);
    // 1. Judge. Dying here: nothing is kept, and the next minute judges.
    let judged = judged(env, config, at_ms).await;
    if let Err(error) = &judged {
        tracing::error!(%error, "alerts cannot be judged or kept");
    }
    // 2. That alerts cannot be kept is an alert too, and is kept elsewhere.
    outage(env, config, judged.is_err(), at_ms).await;
    judged?;
    // 3. Tell what waits, of this minute and of those before. Dying here: it waits on.
    deliver(env, config, at_ms).await
}

/// Takes a sample, judges each rule by it, and keeps both.
async fn judged(env: &Env, config: &AlertConfig, at_ms: i64) -> Result<()> {
    let store = AlertStore::new(env.d1(D1)?);
    // Reads only: dying here changes nothing.
    let (seen, loaded) = join(health_sources::look(env), store.load(at_ms)).await;
    let loaded = loaded?;
    let checks = seen.checks(now_ms());
    let sample = Sample::of(&seen, &checks, at_ms);
    let changes = changes(config, &loaded, &sample, &checks);
    // One transaction. Dying before it: the next minute decides the same. Dying behind it: what is to be
    // told waits in the database. Another run that overlaps has read the same revisions: of each state one
    // of the two is written, with its notification, and the other's are dropped with it.
    let writer = format!("{:032x}", random_bits()?);
    store.commit(&sample, &changes, config.endpoint.is_some(), &writer).await
}

/// Sends what is due, each rule's at once with the others'.
async fn deliver(env: &Env, config: &AlertConfig, minute_ms: i64) -> Result<()> {
    let Some(endpoint) = &config.endpoint else { return Ok(()) };
    let store = AlertStore::new(env.d1(D1)?);
    let due = due(store.waiting(minute_ms).await?, minute_ms, now_ms());
    let attempts = due.iter().map(|pending| async {
        let what =
            || format!("{} of minute {}, attempt {}", pending.rule, pending.at_ms, pending.attempts + 1);
        match attempt(&store, &Webhook(endpoint), pending, minute_ms, now_ms()).await {
            Ok(None | Some((Ending::Sent, _))) => {}
            Ok(Some((_, answer))) => {
                tracing::warn!(error = %format_args!("{}: {answer}", what()), "a notification was not taken");
            }
            Err(error) => {
                let error = format!("{}: {error}", what());
                tracing::error!(%error, "what became of a notification is not known");
            }
        }
    });
    join_all(attempts).await;
    Ok(())
}

/// Tells that alerts cannot be kept, and that they can be again. KV takes what D1 does not.
async fn outage(env: &Env, config: &AlertConfig, failed: bool, at_ms: i64) {
    let rule = config.rules.rules().iter().find(|rule| rule.measure == Measure::AlertStore);
    let Some(rule) = rule else { return };
    let before = match known_outage(env).await {
        Ok(before) => before,
        Err(error) => return tracing::error!(%error, "{NO_OUTAGE}"),
    };
    // As it nearly always is: one read, and nothing written.
    if before.is_none() && !failed {
        return;
    }
    let next = judge(before, rule, config.rules.remind_minutes(rule), failed, at_ms);
    let delivered = match (&next.due, &config.endpoint) {
        (Some(due), Some(endpoint)) => {
            let notification = notification(config, rule, due, &[], at_ms);
            // Dying behind this: it is sent again in the next minute, under the same id.
            Webhook(endpoint).send(&notification).await.taken
        }
        (Some(_), None) | (None, _) => true,
    };
    let after = if delivered { next.after } else { Some(next.undelivered) };
    if after != before {
        if let Err(error) = keep_outage(env, after.as_ref()).await {
            tracing::error!(%error, "{NO_OUTAGE}");
        }
    }
}

async fn known_outage(env: &Env) -> Result<Option<Outage>> {
    usage::count(Operation::KvReads, 1);
    let text = env.kv(KV)?.get(KEY).text().await?;
    // What does not read is none: at worst people are told once more.
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

async fn keep_outage(env: &Env, outage: Option<&Outage>) -> Result<()> {
    let kv = env.kv(KV)?;
    usage::count(Operation::KvWrites, 1);
    match outage {
        Some(outage) => {
            kv.put(KEY, serde_json::to_string(outage)?)?.expiration_ttl(KEPT_SECONDS).execute().await?;
        }
        None => kv.delete(KEY).await?,
    }
    Ok(())
}
