//! The database and the bucket, as a reader sees them, in memory: things happen between two calls.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use pathstats_archive::name::{ArchiveName, Format};
use pathstats_archive::page::Page;
use pathstats_archive::reading::Library;
use pathstats_archive::record::{DayRecord, FileRecord, Source, Stage};
use pathstats_archive::store::Batch;
use pathstats_archive::{jsonl, parquet};
use pathstats_model::hour::{EventDate, DAY_MS};
use pathstats_model::{EventId, TrafficEvent};

pub const FIRST_MS: i64 = 1_760_486_400_000; // 2025-10-15

/// What the archiver, and who sends events, may do while a reader reads.
#[derive(Debug, Clone)]
pub enum Act {
    /// Events come.
    Arrive(Vec<TrafficEvent>),
    /// A file of what no earlier one holds is written, or only begun.
    Archive { date: EventDate, format: Format, whole: bool },
    /// That many rows that a whole file holds are deleted.
    Clean { date: EventDate, rows: usize },
}

#[derive(Debug, Default)]
pub struct State {
    pub rows: BTreeMap<EventId, TrafficEvent>,
    pub records: BTreeMap<EventDate, DayRecord>,
    pub pages: BTreeMap<String, Vec<Page>>,
    pub objects: BTreeMap<String, Vec<u8>>,
    pub archived: BTreeSet<EventId>,
}

/// A database and a bucket in memory, in which things happen between two calls.
#[derive(Debug)]
pub struct Shelf {
    pub state: RefCell<State>,
    pub calls: Cell<u32>,
    /// What happens before which call.
    pub script: BTreeMap<u32, Vec<Act>>,
    /// Events of a page, and rows that are given at once.
    pub page_events: usize,
    pub batch_rows: usize,
    pub reads: Cell<u32>,
}

impl Shelf {
    pub fn new(acts: Vec<Act>) -> Self {
        let shelf = Self {
            state: RefCell::default(),
            calls: Cell::new(0),
            script: BTreeMap::new(),
            page_events: 5,
            batch_rows: 4,
            reads: Cell::new(0),
        };
        for act in acts {
            shelf.act(act);
        }
        shelf
    }

    pub fn act(&self, act: Act) {
        let state = &mut *self.state.borrow_mut();
        match act {
            Act::Arrive(events) => state.rows.extend(events.into_iter().map(|event| (event.id, event))),
            Act::Archive { date, format, whole } => {
                let rows = state.rows.range(first_id(date)..first_id(next(date)));
                let new: Vec<TrafficEvent> = rows
                    .filter(|(id, _)| !state.archived.contains(id))
                    .map(|(_, event)| event.clone())
                    .collect();
                let record = state.records.entry(date).or_insert_with(|| DayRecord::new(date));
                if new.is_empty() || record.files.iter().any(|file| !file.is_whole()) {
                    return;
                }
                let path = ArchiveName { date, supplement: record.files.len() as u32, format };
                let mut file = FileRecord::new(path, Source::Database);
                let (mut bytes, mut pages) = (Vec::new(), Vec::new());
                for events in new.chunks(self.page_events) {
                    let encoded = match format {
                        Format::Jsonl => jsonl::encode(events).unwrap(),
                        Format::Parquet => parquet::encode(events).unwrap(),
                    };
                    pages.push(
                        Page::describe(pages.len() as u32, bytes.len() as u64, events, &encoded).unwrap(),
                    );
                    bytes.extend(encoded.bytes);
                }
                for event in &new {
                    *file.hours.entry(event.hour()).or_default() += 1;
                }
                file.records = new.len() as u64;
                file.pages = pages.len() as u32;
                file.bytes = bytes.len() as u64;
                if whole {
                    file.stage = Stage::Verified;
                    state.archived.extend(new.iter().map(|event| event.id));
                }
                record.files.push(file);
                state.pages.insert(path.to_string(), pages);
                state.objects.insert(path.to_string(), bytes);
            }
            Act::Clean { date, rows } => {
                let of_day = state.rows.range(first_id(date)..first_id(next(date))).map(|(id, _)| *id);
                let gone: Vec<EventId> = of_day.filter(|id| state.archived.contains(id)).take(rows).collect();
                for id in gone {
                    state.rows.remove(&id);
                }
            }
        }
    }

    fn call(&self) {
        for act in self.script.get(&self.calls.get()).cloned().unwrap_or_default() {
            self.act(act);
        }
        self.calls.set(self.calls.get() + 1);
    }
}

impl Library for Shelf {
    type Error = String;

    fn now_ms(&self) -> i64 {
        0
    }

    async fn record(&self, date: EventDate) -> Result<Option<DayRecord>, String> {
        self.call();
        Ok(self.state.borrow().records.get(&date).cloned())
    }

    async fn events(&self, date: EventDate, after: Option<EventId>, limit: usize) -> Result<Batch, String> {
        self.call();
        let limit = limit.min(self.batch_rows);
        let state = self.state.borrow();
        let rows = state.rows.range(first_id(date)..first_id(next(date))).map(|(_, event)| event);
        let rows = rows.filter(|event| after.is_none_or(|after| event.id > after));
        let events: Vec<TrafficEvent> = rows.take(limit).cloned().collect();
        Ok(Batch { is_last: events.len() < limit, events })
    }

    async fn pages(&self, file: ArchiveName, from: u32, limit: u32) -> Result<Vec<Page>, String> {
        self.call();
        let state = self.state.borrow();
        let pages = state.pages.get(&file.to_string()).ok_or("no such file")?;
        Ok(pages.iter().skip(from as usize).take(limit as usize).cloned().collect())
    }

    async fn read(&self, file: ArchiveName, offset: u64, length: u64) -> Result<Vec<u8>, String> {
        self.call();
        self.reads.set(self.reads.get() + 1);
        let state = self.state.borrow();
        let bytes = state.objects.get(&file.to_string()).ok_or("it is gone")?;
        Ok(bytes.get(offset as usize..(offset + length) as usize).ok_or("too short")?.to_vec())
    }
}

fn first_id(date: EventDate) -> EventId {
    EventId::from_parts(date.start_ms(), 0).unwrap()
}

fn next(date: EventDate) -> EventDate {
    EventDate::from_ms(date.end_ms())
}

pub fn date(day: i64) -> EventDate {
    EventDate::from_ms(FIRST_MS + day * DAY_MS)
}

/// The event of this time and number; fields follow from both.
pub fn event(ms: i64, n: u32) -> TrafficEvent {
    TrafficEvent {
        id: EventId::from_parts(FIRST_MS + ms, n).unwrap(),
        path: format!("/{}", (ms + i64::from(n)) % 3),
        method: "GET".to_owned(),
        status: [200, 204, 404, 500, 503][((ms + i64::from(n)) % 5) as usize],
        response_time_us: (!n.is_multiple_of(4)).then_some(n * 250),
        client_ip_hash: Some(u64::from(n)),
        user_agent: Some(format!("agent {n}")),
        country: None,
        sample_ratio: 1.0,
    }
}
