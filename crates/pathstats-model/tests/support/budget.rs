//! The budgets of hours: one object an hour, over its log in memory.

use std::cell::RefCell;

use pathstats_model::aggregator::{Log, Stored};
use pathstats_model::budget::admission::{BudgetError, PathBudget};
use pathstats_model::budget::call::{BudgetCall, BudgetReply};
use pathstats_model::budget::{is_catch_all, BudgetSettings, History};

use super::database::Database;
use super::faults::{Faults, Outage, Step};

/// The object of an hour.
pub struct BudgetObject {
    /// The logic, with what it has in memory.
    pub budget: PathBudget,
    /// What storage holds.
    pub stored: Stored,
}

impl BudgetObject {
    /// One that has stored nothing.
    pub fn new(settings: BudgetSettings) -> Self {
        Self { budget: PathBudget::new(settings), stored: Stored::default() }
    }

    /// One call, as it crosses the wire.
    pub fn call(
        &mut self,
        call: &BudgetCall<'_>,
        database: &Database,
        faults: &RefCell<Faults>,
        now_ms: i64,
    ) -> Result<BudgetReply, Outage> {
        let body = call.encode();
        let decoded = BudgetCall::decode(&body).unwrap();
        let mut log = BudgetLog { stored: &mut self.stored, faults };
        let answered = self.budget.ask(&mut log, &decoded, Some(history(call, database)), now_ms);
        match answered {
            Ok(answered) => Ok(BudgetReply::decode(&answered.reply.encode(), call.paths.len()).unwrap()),
            Err(BudgetError::Storage(outage)) => Err(outage),
            Err(error) => panic!("the budget of {}: {error}", call.hour),
        }
    }
}

/// What D1 knows of the hour.
fn history(call: &BudgetCall<'_>, database: &Database) -> History {
    let ending = format!(":{}", call.hour);
    let rows = database.hourly.keys().filter_map(|name| name.strip_suffix(&ending));
    rows.fold(History::None, |history, path| match history {
        History::CatchAll => history,
        _ if is_catch_all(path) => History::CatchAll,
        _ => History::Paths,
    })
}

struct BudgetLog<'a> {
    stored: &'a mut Stored,
    faults: &'a RefCell<Faults>,
}

impl Log for BudgetLog<'_> {
    type Error = Outage;

    fn load(&self) -> Result<Stored, Outage> {
        self.faults.borrow_mut().fate(Step::BudgetLoad).told(self.stored.clone())
    }

    fn append(&mut self, number: u64, row: &[u8]) -> Result<(), Outage> {
        let fate = self.faults.borrow_mut().fate(Step::BudgetAppend);
        if fate.persists() {
            assert_eq!(number, self.stored.rows.len() as u64 + 1, "rows are numbered without gaps");
            self.stored.rows.push(row.to_vec());
        }
        fate.told(())
    }

    fn checkpoint(&mut self, bytes: &[u8]) -> Result<(), Outage> {
        self.stored.checkpoint = Some(bytes.to_vec());
        Ok(())
    }
}
