//! The completeness ledger over all databases: an hour's terms are added up, and entered in the first.
//!
//! Each database notes what changes in it. A check begins in each on its own, so that an event may be seen in one
//! and not yet in another: the hour then differs until the next check, which is before a difference is told.

use pathstats_model::completeness::answers::LedgerQuery;
use pathstats_model::completeness::check::{Finding, Noted, Seen};
use pathstats_model::completeness::settled::Checked;
use pathstats_model::HourBucket;
use worker::{Env, Result};

use crate::at_once::all_at_once;
use crate::databases::every;
use crate::ledger_store::LedgerStore;

/// The ledger of a Worker's databases.
#[derive(Debug)]
pub struct Ledger {
    first: LedgerStore,
    further: Vec<LedgerStore>,
}

impl Ledger {
    /// The ledger of all databases that a Worker is bound to.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn of(env: &Env) -> Result<Self> {
        let mut all = every(env)?.into_iter().map(LedgerStore::new);
        Ok(Self { first: all.next().ok_or("there is no database")?, further: all.collect() })
    }

    fn every(&self) -> impl Iterator<Item = &LedgerStore> {
        core::iter::once(&self.first).chain(&self.further)
    }

    /// As [`LedgerStore::noted`]. When an hour was checked is told by the first database that knows it.
    ///
    /// # Errors
    ///
    /// When a database cannot be read.
    pub async fn noted(&self, before: HourBucket, recent: HourBucket) -> Result<Vec<Noted>> {
        let mut noted: Vec<Noted> = Vec::new();
        for other in all_at_once(self.every().map(|store| store.noted(before, recent))).await?.concat() {
            match noted.iter_mut().find(|known| known.hour == other.hour) {
                Some(known) => known.changed |= other.changed,
                None => noted.push(other),
            }
        }
        Ok(noted)
    }

    /// As [`LedgerStore::look`].
    ///
    /// # Errors
    ///
    /// When a database refuses. The notes may still be there: the hour is checked again then.
    pub async fn look(&self, hour: HourBucket, tried_ms: i64) -> Result<Seen> {
        let looks = self.every().map(|store| store.look(hour, tried_ms));
        let mut all = all_at_once(looks).await?.into_iter();
        let mut seen = all.next().ok_or("there is no database")?;
        all.for_each(|other| seen.add_database(&other));
        Ok(seen)
    }

    /// As [`LedgerStore::raw_rows_among`].
    ///
    /// # Errors
    ///
    /// When a database cannot be read.
    pub async fn raw_rows_among(&self, ids: &[String]) -> Result<u64> {
        Ok(all_at_once(self.every().map(|store| store.raw_rows_among(ids))).await?.iter().sum())
    }

    /// As [`LedgerStore::enter`]. The others first: dying between, the hour is still noted in the first.
    ///
    /// # Errors
    ///
    /// When a database refuses.
    pub async fn enter(&self, hour: HourBucket, tried_ms: i64, finding: Option<Finding>) -> Result<()> {
        all_at_once(self.further.iter().map(|store| store.enter(hour, tried_ms, None))).await?;
        self.first.enter(hour, tried_ms, finding).await
    }

    /// As [`LedgerStore::hours`]. What changed in any database is told to have changed.
    ///
    /// # Errors
    ///
    /// When a database cannot be read.
    pub async fn hours(&self, query: LedgerQuery) -> Result<Vec<Checked>> {
        let mut all = all_at_once(self.every().map(|store| store.hours(query))).await?.into_iter();
        let mut hours = all.next().unwrap_or_default();
        for other in all.flatten() {
            match hours.binary_search_by_key(&other.hour, |known| known.hour) {
                Ok(at) => {
                    if let Some(known) = hours.get_mut(at) {
                        known.changed |= other.changed;
                    }
                }
                Err(at) => hours.insert(at, other),
            }
        }
        Ok(hours)
    }

    /// As [`LedgerStore::forget`].
    ///
    /// # Errors
    ///
    /// When a database refuses.
    pub async fn forget(&self, now_ms: i64) -> Result<()> {
        all_at_once(self.every().map(|store| store.forget(now_ms))).await?;
        Ok(())
    }
}
