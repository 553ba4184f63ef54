//! Holding the files against the hourly statistics once more, and making the statistics anew.

use std::collections::BTreeMap;

use pathstats_model::packed::PackedEvent;
use pathstats_model::{HourBucket, PathHourStats, TrafficEvent};

use super::{Context, Reconcile, Result, Run};
use crate::name::ArchiveName;
use crate::store::Store;
use crate::tally::{Difference, RowsOfHour};

/// Path-hours that are rewritten at once: a parameter of D1 has 2 MB, and sketches some kilobytes.
const ROWS_AT_ONCE: usize = 100;

impl<S: Store> Run<'_, S> {
    /// Compares every hour that the files hold. Dying within: the hours before it are written, and
    /// the next order begins anew.
    pub(super) async fn reconcile(&mut self, how: Reconcile) -> Result<()> {
        let date = self.held.record.date;
        for hour in (0..24).map(|hour| date.first_hour().plus(hour)) {
            let (mut differences, places) = self.compare(hour).await?;
            let kept = self.keeps_statistics();
            if how == Reconcile::Repair && kept && !differences.is_empty() {
                self.repair(hour, &differences, &places).await?;
                differences = self.compare(hour).await?.0;
            }
            let archived = self.held.record.originals().any(|file| file.hours.contains_key(&hour));
            if kept && (archived || !differences.is_empty()) {
                self.held.record.reconciliation.record(hour, differences);
            }
        }
        self.held.record.published = false;
        self.save(None, &[]).await
    }

    async fn compare(&mut self, hour: HourBucket) -> Result<(Vec<Difference>, RowsOfHour)> {
        let mut tally = self.tally(hour).await?;
        for (file, page) in self.all_pages_of_hour(hour).await? {
            let events = self.page_events(file, &page).await?;
            events.iter().filter(|event| event.hour() == hour).for_each(|event| tally.add(event));
        }
        self.spend(1);
        let rows = self.store.hourly(hour).await.context("the hourly statistics cannot be read")?;
        Ok(tally.compare(hour, rows))
    }

    /// Makes the rows that differ anew, some paths at a time: each with all its events, sketches
    /// included.
    async fn repair(
        &mut self,
        hour: HourBucket,
        differences: &[Difference],
        places: &RowsOfHour,
    ) -> Result<()> {
        for some in differences.chunks(ROWS_AT_ONCE) {
            let mut statistics: BTreeMap<&str, PathHourStats> =
                some.iter().map(|difference| (difference.path.as_str(), PathHourStats::default())).collect();
            for (file, page) in self.all_pages_of_hour(hour).await? {
                for event in self.page_events(file, &page).await? {
                    add(&mut statistics, hour, places, &event);
                }
            }
            let rows: Vec<_> =
                statistics.into_iter().map(|(path, statistics)| (path.to_owned(), statistics)).collect();
            self.spend(1);
            self.store.rewrite_hour(hour, &rows).await.context("the hourly statistics cannot be written")?;
        }
        Ok(())
    }

    async fn all_pages_of_hour(&mut self, hour: HourBucket) -> Result<Vec<(ArchiveName, crate::page::Page)>> {
        let whole = self.held.record.originals().filter(|file| file.is_whole());
        let files: Vec<ArchiveName> = whole.map(|file| file.path).collect();
        let mut all = Vec::new();
        for file in files {
            all.extend(self.pages_of_hour(file, hour).await?.into_iter().map(|page| (file, page)));
        }
        Ok(all)
    }
}

fn add(
    statistics: &mut BTreeMap<&str, PathHourStats>,
    hour: HourBucket,
    places: &RowsOfHour,
    event: &TrafficEvent,
) {
    if event.hour() == hour {
        if let Some(statistics) = statistics.get_mut(places.row_of(event)) {
            statistics.add(&PackedEvent::new(event));
        }
    }
}
