//! The object of one path and hour: a wrapper around [`Aggregator`], which decides everything.

use std::cell::RefCell;

use pathstats_edge::bindings::counted_as;
use pathstats_edge::clock::{alarm_time, now_ms};
use pathstats_edge::database::Database;
use pathstats_edge::databases::Databases;
use pathstats_edge::http;
use pathstats_edge::object_log::ObjectLog;
use pathstats_edge::telemetry;
use pathstats_edge::usage::{self, ObjectCall};
use pathstats_model::aggregator::{AfterSeal, Aggregator, AlarmPlan, FlushRow};
use pathstats_model::calls::{PROBE_PATH, REPLY_HEADER};
use pathstats_model::cost::Operation;
use pathstats_model::hour::PathHour;
use pathstats_model::problem::Problem;
use pathstats_model::snapshot::SnapshotReason;
use worker::{durable_object, DurableObject, Env, Request, Response, Result, State};

use crate::settings::config;
use crate::upkeep::ask_for_snapshot;

/// Counts the events of one path and hour, each once.
#[durable_object(alarm)]
pub struct AggregatorDO {
    state: State,
    env: Env,
    aggregator: RefCell<Aggregator>,
}

impl DurableObject for AggregatorDO {
    fn new(state: State, env: Env) -> Self {
        telemetry::start(&env);
        let aggregator = RefCell::new(Aggregator::new(config(&env).cadence));
        Self { state, env, aggregator }
    }

    /// Counts a group, or tells what of it is counted. The body is read first; from there to the end of
    /// `count` nothing awaits, so no other call comes between reading and writing, and the reply leaves only
    /// when the row is durable.
    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let _call = ObjectCall::begin();
        let probes = request.path() == PROBE_PATH;
        let body = request.bytes().await?;
        let counted = if probes {
            self.aggregator.borrow_mut().probe(&self.log(), &body)
        } else {
            self.aggregator.borrow_mut().count(&mut self.log(), &body, now_ms())
        };
        match counted {
            Ok(counted) => {
                // Dying before the alarm is set: it commits with the row, in one transaction. Refused:
                // the events come again, and an object that forgot what it set sets it then.
                if let Some(at) = counted.alarm {
                    if let Err(error) = self.set_alarm(at).await {
                        self.aggregator.borrow_mut().evict();
                        return Err(error);
                    }
                }
                http::with_header(REPLY_HEADER, &counted.reply.to_header())
            }
            Err(error) => not_counted(&error.to_string()),
        }
    }

    /// Flushes, seals or waits. Never fails: the platform drops an alarm that fails six times.
    async fn alarm(&self) -> Result<Response> {
        let call = ObjectCall::begin();
        if let Err(error) = self.ring().await {
            tracing::warn!(%error, "an object's alarm failed and is set again");
            let again = self.aggregator.borrow_mut().failed(now_ms());
            self.set_alarm(again).await?;
        }
        drop(call);
        // Objects have no work of their own to hang it on: their alarms add up what their instance counted.
        usage::settle(&self.env, counted_as::THE_CONSUMER).await;
        Response::empty()
    }
}

impl AggregatorDO {
    fn log(&self) -> ObjectLog {
        ObjectLog::new(self.state.storage().sql())
    }

    async fn set_alarm(&self, at_ms: i64) -> Result<()> {
        usage::count(Operation::ObjectRowsWritten, 1);
        self.state.storage().set_alarm(alarm_time(at_ms)).await
    }

    async fn ring(&self) -> Result<()> {
        let plan = self.aggregator.borrow_mut().alarm(&self.log(), now_ms()).map_err(|e| e.to_string())?;
        match plan {
            AlarmPlan::Flush(row) => self.flush(row).await,
            AlarmPlan::Seal { key, revision } => self.seal(&key, revision).await,
            AlarmPlan::Wait(until) => self.set_alarm(until).await,
            AlarmPlan::Nothing => Ok(()),
        }
    }

    /// The database that holds the row of a path and hour: always the same one.
    async fn database(&self, key: &PathHour) -> Result<Database> {
        Ok(Database::new(Databases::open(&self.env).await?.of(&key.path, key.hour.date())?))
    }

    async fn flush(&self, row: FlushRow) -> Result<()> {
        // 1. The row, whole. Again, or late: D1 keeps the greater revision. Events that arrive
        //    while D1 writes are counted and flushed next time.
        let began = now_ms();
        self.database(&row.key).await?.write_hour(&row, began).await?;
        let milliseconds = now_ms() - began;
        tracing::debug!(path = row.key.path, hour = %row.key.hour, milliseconds, "a row was flushed");
        // 2. The checkpoint and the next alarm, in one transaction. Dying before: step 1 again.
        let next = self
            .aggregator
            .borrow_mut()
            .flushed(&mut self.log(), row.revision, row.duplicates, now_ms())
            .map_err(|e| e.to_string())?;
        self.set_alarm(next).await?;
        // 3. The snapshot. Dying before: the next flush or the cron asks.
        let reason = if row.asks_for_snapshot { SnapshotReason::TenthUpdate } else { SnapshotReason::Flush };
        if let Err(error) = ask_for_snapshot(&self.env, reason).await {
            tracing::warn!(%error, "a snapshot was not asked for");
        }
        Ok(())
    }

    async fn seal(&self, key: &PathHour, revision: u64) -> Result<()> {
        // 1. The mark. Again: it marks the same row.
        let now = now_ms();
        let found = self.database(key).await?.seal_hour(key, revision, now).await?;
        // 2. The end, unless something arrived meanwhile. Dying before: step 1 again.
        let after = self.aggregator.borrow_mut().sealed(revision, found, now);
        match after {
            AfterSeal::Delete => {
                // The log first: an alarm that still rings on an empty object does nothing.
                self.state.storage().delete_all().await?;
                self.state.storage().delete_alarm().await
            }
            AfterSeal::FlushAgain(at) => self.set_alarm(at).await,
        }
    }
}

fn not_counted(detail: &str) -> Result<Response> {
    http::problem(&Problem::new(500, "not_counted", "The group was not counted", detail))?.try_into()
}
