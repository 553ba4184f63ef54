//! Which hours are checked, and the steps of a check, over [`Books`] that do the I/O.

use std::collections::{BTreeMap, BTreeSet};

use super::booking::EventKey;
use super::figures::{Entry, Exhausted, Figures};
use super::settled::differs_since;
use super::{CHECKS_PER_RUN, LETTERS_PER_CHECK, PROBES_PER_CHECK, RECENT_HOURS, RECHECK_MS, SETTLE_MS};
use crate::budget::{NOT_FOUND, OTHER};
use crate::calls::{CountReply, RowState};
use crate::cells::Method;
use crate::hour::{HourBucket, PathHour};
use crate::ingest::Group;
use crate::packed::{PackedEvent, WEIGHT_ONE};

/// What the ledger knows of an hour before it is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    /// The hour.
    pub hour: HourBucket,
    /// Something of it changed since it was checked, or the check did not come to its end.
    pub changed: bool,
    /// It did not balance.
    pub differs: bool,
    /// When a check of it last began; 0: never.
    pub tried_ms: i64,
    /// When it was checked; `None`: never yet.
    pub checked_ms: Option<i64>,
}

/// The raw events of an hour that left the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Archived {
    /// None did.
    No,
    /// They are leaving: what is where cannot be told.
    UnderWay,
    /// So many, and those of the day that are in the database came later.
    Yes(u64),
}

/// What is to be seen of an hour, all at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Raw rows in the database.
    pub raw: u64,
    /// Raw rows that left it.
    pub archived: Archived,
    /// Requests of all hourly rows.
    pub counted: u64,
    /// Duplicates that the objects told of.
    pub duplicates: u64,
    /// Letters that were neither stored nor counted.
    pub dead: u64,
    /// Events that came after the hour was sealed.
    pub late: u64,
    /// Events of letters that ran out of attempts, a list a letter, one more than [`LETTERS_PER_CHECK`] at
    /// most.
    pub exhausted: Vec<Vec<EventKey>>,
    /// Its hourly rows were merged into daily ones and are gone.
    pub purged: bool,
    /// What the check before this one found to differ.
    pub difference_before: i64,
    /// Since when it has differed by as much.
    pub differs_since_ms: Option<i64>,
}

impl Seen {
    /// Adds what another database holds of the hour. Letters, the archive and what was found before stand in the
    /// first one alone.
    pub const fn add_database(&mut self, other: &Self) {
        self.raw += other.raw;
        self.counted += other.counted;
        self.duplicates += other.duplicates;
        self.purged |= other.purged;
    }
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// What the hour came to.
    pub entry: Entry,
    /// Since when it has differed by as much; `None`: it balances.
    pub differs_since_ms: Option<i64>,
}

/// The ledger, and what it is made from. Each call may be repeated with the same arguments at any time.
#[allow(async_fn_in_trait)]
pub trait Books {
    /// What went wrong.
    type Error: core::fmt::Display;

    /// Milliseconds since the epoch.
    fn now_ms(&self) -> i64;

    /// The hours before one that are known to have changed or to differ, all from `recent` on, and of those
    /// that the ledger does not know the ones that have raw events.
    async fn noted(&self, before: HourBucket, recent: HourBucket) -> Result<Vec<Noted>, Self::Error>;

    /// Notes that a check of the hour begins, and reads what is to be seen, in one transaction: what
    /// changes behind it is noted as a change.
    async fn look(&self, hour: HourBucket, tried_ms: i64) -> Result<Seen, Self::Error>;

    /// How many of these ids have a raw row in the database.
    async fn raw_rows_among(&self, ids: &[String]) -> Result<u64, Self::Error>;

    /// Asks the object of each group which of its events it has counted.
    async fn probe(&self, groups: &[Group]) -> Vec<CountReply>;

    /// Enters what the check that began at `tried_ms` found; `None` leaves the entry as it is. Does nothing
    /// if another check began since.
    async fn enter(
        &self,
        hour: HourBucket,
        tried_ms: i64,
        finding: Option<Finding>,
    ) -> Result<(), Self::Error>;
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Done {
    /// Hours that were checked.
    pub checked: usize,
    /// Of them, those that do not balance.
    pub differing: usize,
    /// Hours that could not be checked now: their day is on its way to the archive, or an object did not
    /// answer.
    pub postponed: usize,
    /// Hours that are left for the next run.
    pub left: usize,
}

/// Checks the hours that are due, as many as a run may.
///
/// # Errors
///
/// When the ledger cannot be read or written: what was checked before stays.
pub async fn run<B: Books>(books: &B) -> Result<Done, B::Error> {
    let now = books.now_ms();
    // An hour is checked once what was sent in it has had its time.
    let open = HourBucket::from_ms(now - SETTLE_MS);
    let recent = open.plus(-RECENT_HOURS);
    // 1. Reads only.
    let hours = due(&books.noted(open, recent).await?, recent, open, now);
    let mut done = Done { left: hours.len().saturating_sub(CHECKS_PER_RUN), ..Done::default() };
    for hour in hours.into_iter().take(CHECKS_PER_RUN) {
        // 2. Each hour for itself. Dying within leaves it noted as changed: the next run checks it.
        match check(books, hour, books.now_ms()).await? {
            Outcome::Checked(entry) => {
                done.checked += 1;
                done.differing += usize::from(entry.difference() != 0);
            }
            Outcome::Closed => done.checked += 1,
            Outcome::Postponed => done.postponed += 1,
        }
    }
    Ok(done)
}

/// The hours to be checked, the longest untried first.
#[must_use]
pub fn due(noted: &[Noted], recent: HourBucket, open: HourBucket, now_ms: i64) -> Vec<HourBucket> {
    let stale = |note: &Noted| note.checked_ms.is_none_or(|at| at + RECHECK_MS <= now_ms);
    let mut told: Vec<&Noted> = noted
        .iter()
        .filter(|note| note.hour < open)
        .filter(|note| note.changed || note.differs || (note.hour >= recent && stale(note)))
        .collect();
    told.sort_by_key(|note| (note.tried_ms, core::cmp::Reverse(note.hour)));
    told.into_iter().map(|note| note.hour).collect()
}

enum Outcome {
    Checked(Entry),
    /// What the entry is made from is gone: it stays as it is.
    Closed,
    Postponed,
}

async fn check<B: Books>(books: &B, hour: HourBucket, tried_ms: i64) -> Result<Outcome, B::Error> {
    // 1. What is there. Again: it begins anew.
    let seen = books.look(hour, tried_ms).await?;
    let stored = match (seen.archived, seen.raw) {
        (Archived::No, raw) => raw,
        (Archived::Yes(archived), 0) => archived,
        // The archiver takes what came late, or came twice, within minutes.
        (Archived::Yes(_) | Archived::UnderWay, _) => return Ok(Outcome::Postponed),
    };
    // Of an archived event it is not known any more whether it is one of a letter's; and an hour whose
    // statistics are gone cannot be compared.
    if seen.purged || (seen.archived != Archived::No && !seen.exhausted.is_empty()) {
        books.enter(hour, tried_ms, None).await?;
        return Ok(Outcome::Closed);
    }
    // 2. What of the exhausted letters is stored and counted. Reads only.
    let Some(exhausted) = look_into(books, hour, &seen.exhausted).await? else {
        return Ok(Outcome::Postponed);
    };
    let entry = Entry::from(Figures {
        stored,
        counted: seen.counted,
        duplicates: seen.duplicates,
        dead: seen.dead,
        late: seen.late,
        exhausted,
    });
    // 3. The entry. Dying before: the hour is still noted. Another check meanwhile: the later one's stays.
    let differs_since_ms =
        differs_since(seen.difference_before, seen.differs_since_ms, entry.difference(), tried_ms);
    books.enter(hour, tried_ms, Some(Finding { entry, differs_since_ms })).await?;
    Ok(Outcome::Checked(entry))
}

/// What of exhausted letters' events is stored and counted; `None` when that cannot be found out now.
async fn look_into<B: Books>(
    books: &B,
    hour: HourBucket,
    letters: &[Vec<EventKey>],
) -> Result<Option<Exhausted>, B::Error> {
    if letters.is_empty() {
        return Ok(Some(Exhausted::default()));
    }
    if letters.len() > LETTERS_PER_CHECK {
        return Ok(None);
    }
    // An event may lie in two letters.
    let events: BTreeSet<&EventKey> = letters.iter().flatten().collect();
    let mut paths: BTreeMap<&str, Vec<PackedEvent>> = BTreeMap::new();
    for (id, path) in &events {
        let offset = id.timestamp_ms() - hour.start_ms();
        let event = PackedEvent {
            offset_ms: u32::try_from(offset).unwrap_or_default(),
            hash: id.hash(),
            method: Method::Unknown,
            status: 200,
            response_time_us: None,
            client_ip_hash: None,
            weight_milli: WEIGHT_ONE,
        };
        // It counts in one of three: its own path, or what takes in paths beyond the hour's budget and 404s.
        for path in [path.as_str(), OTHER, NOT_FOUND] {
            paths.entry(path).or_default().push(event);
        }
    }
    if paths.len() > PROBES_PER_CHECK {
        return Ok(None);
    }
    let group = |(path, events): (&str, Vec<PackedEvent>)| Group {
        key: PathHour { path: path.to_owned(), hour },
        row: RowState::Young,
        events,
    };
    let groups: Vec<Group> = paths.into_iter().map(group).collect();
    let mut counted = 0;
    for reply in books.probe(&groups).await {
        match reply {
            CountReply::Counted { duplicates, .. } => counted += u64::from(duplicates),
            CountReply::NotNow | CountReply::Failed => return Ok(None),
        }
    }
    // An id has one raw row, whatever paths it came with.
    let ids: BTreeSet<String> = events.iter().map(|(id, _)| id.to_string()).collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let stored = books.raw_rows_among(&ids).await?;
    Ok(Some(Exhausted { events: events.len() as u64, stored, counted }))
}
