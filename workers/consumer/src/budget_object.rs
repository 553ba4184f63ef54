//! The object of an hour's budget of paths: a wrapper around [`PathBudget`], which decides everything.

use std::cell::RefCell;

use pathstats_edge::bindings::counted_as;
use pathstats_edge::budget_store::BudgetStore;
use pathstats_edge::clock::{alarm_time, now_ms};
use pathstats_edge::http;
use pathstats_edge::object_log::ObjectLog;
use pathstats_edge::telemetry;
use pathstats_edge::usage::{self, ObjectCall};
use pathstats_model::budget::admission::{AfterSettle, BudgetAlarm, PathBudget};
use pathstats_model::budget::call::{BudgetCall, BudgetReply};
use pathstats_model::budget::report::HourBudget;
use pathstats_model::cost::Operation;
use pathstats_model::problem::Problem;
use pathstats_model::HourBucket;
use worker::{durable_object, DurableObject, Env, Request, Response, Result, State};

use crate::settings::config;

/// Admits paths to one hour.
#[durable_object(alarm)]
pub struct PathBudgetDO {
    state: State,
    env: Env,
    budget: RefCell<PathBudget>,
}

impl DurableObject for PathBudgetDO {
    fn new(state: State, env: Env) -> Self {
        telemetry::start(&env);
        let budget = RefCell::new(PathBudget::new(config(&env).budget));
        Self { state, env, budget }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let _call = ObjectCall::begin();
        let body = request.bytes().await?;
        match self.ask(&body).await {
            Ok(reply) => Response::from_bytes(reply.encode()),
            Err(error) => {
                let detail = error.to_string();
                http::problem(&Problem::new(500, "no_budget", "The budget did not answer", detail))?
                    .try_into()
            }
        }
    }

    /// Reports, deletes itself or waits. Never fails: the platform drops an alarm that fails six times.
    async fn alarm(&self) -> Result<Response> {
        let call = ObjectCall::begin();
        if let Err(error) = self.ring().await {
            tracing::warn!(%error, "a budget's alarm failed and is set again");
            let again = self.budget.borrow_mut().failed(now_ms());
            self.set_alarm(again).await?;
        }
        drop(call);
        // As with the aggregators: alarms add up what their instance counted.
        usage::settle(&self.env, counted_as::THE_CONSUMER).await;
        Response::empty()
    }
}

impl PathBudgetDO {
    fn log(&self) -> ObjectLog {
        ObjectLog::new(self.state.storage().sql())
    }

    async fn set_alarm(&self, at_ms: i64) -> Result<()> {
        usage::count(Operation::ObjectRowsWritten, 1);
        self.state.storage().set_alarm(alarm_time(at_ms)).await
    }

    fn store(&self) -> Result<BudgetStore> {
        BudgetStore::of(&self.env)
    }

    async fn ask(&self, body: &[u8]) -> Result<BudgetReply> {
        let call = BudgetCall::decode(body).map_err(|error| error.to_string())?;
        // 1. What the database knows of an hour that begins. Two calls at once both look; the first that
        //    answers fixes the terms, and the other finds them.
        let begun = self.budget.borrow_mut().has_begun(&self.log()).map_err(|error| error.to_string())?;
        let history = if begun { None } else { Some(self.store()?.history(call.hour).await?) };
        // 2. The answer. Nothing awaits within, and it leaves only when its row is durable.
        let answered = self.budget.borrow_mut().ask(&mut self.log(), &call, history, now_ms());
        let answered = answered.map_err(|error| error.to_string())?;
        // 3. The alarm, in one transaction with the row. Refused: the call comes again, and an object that
        //    forgot what it set sets it then.
        if let Some(at) = answered.alarm {
            if let Err(error) = self.set_alarm(at).await {
                self.budget.borrow_mut().evict();
                return Err(error);
            }
        }
        Ok(answered.reply)
    }

    async fn ring(&self) -> Result<()> {
        let now = now_ms();
        let plan = self.budget.borrow_mut().alarm(&self.log(), now).map_err(|error| error.to_string())?;
        match plan {
            BudgetAlarm::Report(report) => self.report(&report).await,
            BudgetAlarm::Settle(hour) => self.settle(hour, now).await,
            BudgetAlarm::Wait(until) => self.set_alarm(until).await,
            BudgetAlarm::Nothing => Ok(()),
        }
    }

    async fn report(&self, report: &HourBudget) -> Result<()> {
        // 1. The row, whole. Again: the same row.
        self.store()?.report(report, now_ms()).await?;
        // 2. The checkpoint and the next alarm, in one transaction. Dying before: step 1 again.
        let next = self.budget.borrow_mut().reported(&mut self.log(), report, now_ms());
        self.set_alarm(next.map_err(|error| error.to_string())?).await
    }

    async fn settle(&self, hour: HourBucket, asked_ms: i64) -> Result<()> {
        // 1. Whether an object of the hour is left. Again: reads only.
        let all_sealed = self.store()?.all_sealed(hour).await?;
        let after = self.budget.borrow_mut().settled(all_sealed, asked_ms, now_ms());
        match after {
            AfterSettle::Delete => {
                // 2. The end: calls are refused from here. Dying within: the alarm rings again, and what is
                //    still there goes then. The log before the alarm, which does nothing on an empty object.
                self.store()?.forget(hour).await?;
                self.state.storage().delete_all().await?;
                self.state.storage().delete_alarm().await
            }
            AfterSettle::Wait(at) => self.set_alarm(at).await,
        }
    }
}
