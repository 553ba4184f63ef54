//! The database and the bucket in memory, where any call can fail, before or after its effect.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use pathstats_archive::name::{ArchiveName, Format};
use pathstats_archive::page::Page;
use pathstats_archive::record::DayRecord;
use pathstats_archive::run;
use pathstats_archive::run::{Budget, Order, Outcome, RunError, Settings};
use pathstats_archive::store::{Batch, Deleted, Held, Lease, Store, Usage};
use pathstats_archive::tally::{Figures, HourlyRow};
use pathstats_model::event::response_time_us;
use pathstats_model::hour::EventDate;
use pathstats_model::{EventId, HourBucket, PathHourStats, TrafficEvent};
use sha2::{Digest, Sha256};

pub const PART_BYTES: u64 = 20_000;
const LEASE_MS: i64 = 60_000;

/// Both orders at once: what the nightly cron does.
pub const ALL: Order = Order { archive: true, clean: true, convert: None, reconcile: None };

pub fn settings(formats: (Format, Option<Format>)) -> Settings {
    Settings { formats, part_bytes: PART_BYTES, lease_ms: LEASE_MS, hourly_days: 90 }
}

/// When a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// From this call on, all fail, this one before its effect: the runtime is gone.
    DeadBefore(u32),
    /// The same, but this call still has its effect.
    DeadAfter(u32),
    /// This one call is refused.
    Refused(u32),
    /// This one call has its effect, and its answer is lost.
    Lost(u32),
}

#[derive(Default)]
struct Disk {
    events: BTreeMap<EventId, TrafficEvent>,
    /// Record, carry.
    days: BTreeMap<EventDate, (DayRecord, Vec<u8>)>,
    leases: BTreeMap<EventDate, (String, i64)>,
    pages: BTreeMap<(String, u32), Page>,
    objects: BTreeMap<String, Vec<u8>>,
    uploads: BTreeMap<String, BTreeMap<u32, Vec<u8>>>,
    uploads_begun: u32,
    hourly: BTreeMap<(HourBucket, String), Figures>,
    published: BTreeMap<EventDate, DayRecord>,
}

/// Everything that survives a death, and the clock.
pub struct World {
    disk: RefCell<Disk>,
    now: Cell<i64>,
    calls: Cell<u32>,
    fault: Cell<Option<Fault>>,
    dead: Cell<bool>,
    runs: Cell<u32>,
    /// Events that arrive when that many calls were made.
    arrivals: RefCell<BTreeMap<u32, Vec<TrafficEvent>>>,
    rows_read: Cell<u64>,
    /// The call at which another run takes the day over.
    stolen_at: Cell<Option<u32>>,
}

pub fn day() -> EventDate {
    "2025-10-15".parse().unwrap()
}

/// An event of the day; `n` spreads over it, and tells all its fields.
pub fn event(n: u32) -> TrafficEvent {
    let at = day().start_ms() + (i64::from(n) * 7_919_777) % 86_400_000;
    TrafficEvent {
        id: EventId::from_parts(at, n.wrapping_mul(2_654_435_761)).unwrap(),
        path: format!("/api/{}", n % 23),
        method: "GET".to_owned(),
        status: if n.is_multiple_of(9) { 500 } else { 200 },
        response_time_us: Some(response_time_us(f64::from(n % 1000) / 8.0).unwrap()),
        client_ip_hash: Some(u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        user_agent: Some(hex(&n.to_le_bytes())),
        country: Some(*b"NZ"),
        sample_ratio: 1.0,
    }
}

impl World {
    pub fn new(events: impl IntoIterator<Item = TrafficEvent>) -> Self {
        let world = Self {
            disk: RefCell::default(),
            now: Cell::new(day().end_ms() + 86_400_000),
            calls: Cell::new(0),
            fault: Cell::new(None),
            dead: Cell::new(false),
            runs: Cell::new(0),
            arrivals: RefCell::default(),
            rows_read: Cell::new(0),
            stolen_at: Cell::new(None),
        };
        world.arrive(events);
        world
    }

    /// Events come: stored raw, and counted unless they were.
    pub fn arrive(&self, events: impl IntoIterator<Item = TrafficEvent>) {
        let mut disk = self.disk.borrow_mut();
        for event in events {
            let figures = disk.hourly.entry((event.hour(), event.path.clone())).or_default();
            figures.requests += 1;
            figures.errors += u64::from(event.is_error());
            figures.response_times += u64::from(event.response_time_us.is_some());
            figures.response_time_us += u64::from(event.response_time_us.unwrap_or(0));
            disk.events.insert(event.id, event);
        }
    }

    /// Events come again that were counted before: only the raw rows are new.
    pub fn arrive_again(&self, events: impl IntoIterator<Item = TrafficEvent>) {
        self.disk.borrow_mut().events.extend(events.into_iter().map(|event| (event.id, event)));
    }

    /// Events that arrive in the middle of a run.
    pub fn arrive_at(&self, call: u32, events: Vec<TrafficEvent>) {
        self.arrivals.borrow_mut().insert(call, events);
    }

    /// One run, as a new owner, with a fault if any. The lease of one that died has ended.
    pub fn run(&self, settings: &Settings, order: Order, fault: Option<Fault>) -> Result<Outcome, RunError> {
        self.run_within(settings, order, fault, u32::MAX)
    }

    pub fn run_within(
        &self,
        settings: &Settings,
        order: Order,
        fault: Option<Fault>,
        calls: u32,
    ) -> Result<Outcome, RunError> {
        self.now.set(self.now.get() + LEASE_MS + 1);
        self.calls.set(0);
        self.dead.set(false);
        self.rows_read.set(0);
        self.fault.set(fault);
        self.runs.set(self.runs.get() + 1);
        let owner = format!("run {}", self.runs.get());
        let mut budget = Budget { calls, ends_at_ms: self.now.get() + 3_600_000 };
        let result = block_on(run::run(self, settings, day(), &owner, order, &mut budget));
        self.fault.set(None);
        self.dead.set(false);
        result.map(|(outcome, _)| outcome)
    }

    pub fn calls(&self) -> u32 {
        self.calls.get()
    }

    pub fn rows_read(&self) -> u64 {
        self.rows_read.get()
    }

    pub fn record(&self) -> DayRecord {
        self.disk.borrow().days[&day()].0.clone()
    }

    pub fn record_if_any(&self) -> Option<DayRecord> {
        self.disk.borrow().days.get(&day()).map(|(record, _)| record.clone())
    }

    pub fn has_record(&self) -> bool {
        self.record_if_any().is_some()
    }

    pub fn uploads_begun(&self) -> u32 {
        self.disk.borrow().uploads_begun
    }

    pub fn published(&self) -> Option<DayRecord> {
        self.disk.borrow().published.get(&day()).cloned()
    }

    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.disk.borrow().objects.clone()
    }

    pub fn uploads_open(&self) -> usize {
        self.disk.borrow().uploads.len()
    }

    pub fn raw_events(&self) -> usize {
        self.disk.borrow().events.len()
    }

    pub fn tamper(&self, change: impl FnOnce(&mut BTreeMap<(HourBucket, String), Figures>)) {
        change(&mut self.disk.borrow_mut().hourly);
    }

    pub fn drop_object(&self, name: &str) {
        self.disk.borrow_mut().objects.remove(name);
    }

    pub fn put_object(&self, name: &str, bytes: Vec<u8>) {
        self.disk.borrow_mut().objects.insert(name.to_owned(), bytes);
    }

    pub fn hold_lease(&self, owner: &str, ms: i64) {
        self.disk.borrow_mut().leases.insert(day(), (owner.to_owned(), self.now.get() + ms));
    }

    /// Every event of the originals' files, by reading them as any program would.
    pub fn archived(&self) -> Vec<TrafficEvent> {
        let record = self.record();
        let disk = self.disk.borrow();
        let mut events = Vec::new();
        for file in record.originals() {
            let bytes = &disk.objects[&file.path.to_string()];
            assert_eq!(hex(bytes), file.sha256.clone().unwrap(), "{}", file.path);
            assert_eq!(bytes.len() as u64, file.bytes);
            let before = events.len();
            match file.path.format {
                Format::Jsonl => {
                    let mut text = String::new();
                    flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
                    events.extend(text.lines().map(|line| TrafficEvent::from_json(line).unwrap()));
                }
                Format::Parquet => {
                    let pages =
                        disk.pages.range((file.path.to_string(), 0)..(file.path.to_string(), file.pages));
                    for (_, page) in pages {
                        let bytes = &bytes[page.offset as usize..page.end() as usize];
                        events.extend(pathstats_archive::parquet::decode(&page.metadata, bytes).unwrap());
                    }
                }
            }
            assert_eq!((events.len() - before) as u64, file.records);
            assert_eq!(file.hours.values().sum::<u64>(), file.records);
        }
        events
    }

    /// Holds the whole state against all events that ever came: nothing lost, nothing doubled.
    pub fn check(&self, expected: &BTreeSet<EventId>) {
        let record = self.record();
        let archived = self.archived();
        let ids: BTreeSet<EventId> = archived.iter().map(|event| event.id).collect();
        assert_eq!(ids.len(), archived.len(), "an event is archived twice");
        assert_eq!(&ids, expected, "the archive holds what came");
        assert_eq!(self.raw_events(), 0, "the database holds none");
        assert!(record.cleaned, "and the record says so");
        assert_eq!(record.error, None);
        assert!(record.reconciliation.is_equal(), "{:?}", record.reconciliation.differences);
        assert_eq!(record.reconciliation.hours.len(), 24);
        assert_eq!(record.deleted, expected.len() as u64);
        let seen = self.published().unwrap();
        assert_eq!(seen, DayRecord { updated_at: seen.updated_at, ..record }, "readers see it");
    }

    /// Another run takes the day over at this call, as if the lease had ended.
    pub fn steal_at(&self, call: u32) {
        self.stolen_at.set(Some(call));
    }

    fn call<T>(&self, effect: impl FnOnce(&mut Disk) -> Result<T, String>) -> Result<T, String> {
        let number = self.calls.get();
        self.calls.set(number + 1);
        if let Some(events) = self.arrivals.borrow_mut().remove(&number) {
            self.arrive(events);
        }
        if self.stolen_at.get() == Some(number) {
            self.stolen_at.set(None);
            self.hold_lease("another", LEASE_MS);
        }
        if self.dead.get() {
            return Err("dead".to_owned());
        }
        match self.fault.get() {
            Some(Fault::DeadBefore(at)) if at == number => {
                self.dead.set(true);
                Err("died".to_owned())
            }
            Some(Fault::DeadAfter(at)) if at == number => {
                self.dead.set(true);
                effect(&mut self.disk.borrow_mut())?;
                Err("died after".to_owned())
            }
            Some(Fault::Refused(at)) if at == number => Err("refused".to_owned()),
            Some(Fault::Lost(at)) if at == number => {
                effect(&mut self.disk.borrow_mut())?;
                Err("the answer was lost".to_owned())
            }
            _ => effect(&mut self.disk.borrow_mut()),
        }
    }
}

impl Store for World {
    type Error = String;

    fn now_ms(&self) -> i64 {
        self.now.get()
    }

    fn usage(&self) -> Usage {
        Usage { rows_read: self.rows_read.get(), ..Usage::default() }
    }

    async fn lease(&self, date: EventDate, owner: &str, until_ms: i64) -> Result<Lease, String> {
        let now = self.now.get();
        self.call(|disk| {
            if let Some((other, until)) = disk.leases.get(&date).filter(|(_, until)| *until > now) {
                if other != owner {
                    return Ok(Lease::Busy(*until));
                }
            }
            disk.leases.insert(date, (owner.to_owned(), until_ms));
            let (record, carry) = disk.days.get(&date).cloned().unwrap_or((DayRecord::new(date), Vec::new()));
            Ok(Lease::Granted(Box::new(Held { record, carry })))
        })
    }

    async fn save(
        &self,
        owner: &str,
        until_ms: i64,
        record: &DayRecord,
        carry: &[u8],
        (file, pages): (ArchiveName, &[Page]),
    ) -> Result<bool, String> {
        assert!(carry.len() <= 1_900_000, "a row of D1 has 2 MB at most");
        // As it crosses: the record is JSON.
        let record: DayRecord = serde_json::from_str(&serde_json::to_string(record).unwrap()).unwrap();
        self.call(|disk| {
            if disk.leases.get(&record.date).map(|(owner, _)| owner.as_str()) != Some(owner) {
                return Ok(false);
            }
            disk.leases.insert(record.date, (owner.to_owned(), until_ms));
            for page in pages {
                disk.pages.insert((file.to_string(), page.number), page.clone());
            }
            disk.days.insert(record.date, (record, carry.to_vec()));
            Ok(true)
        })
    }

    async fn release(&self, date: EventDate, owner: &str) -> Result<(), String> {
        self.call(|disk| {
            if disk.leases.get(&date).is_some_and(|(holder, _)| holder == owner) {
                disk.leases.remove(&date);
            }
            Ok(())
        })
    }

    async fn events(&self, date: EventDate, after: Option<EventId>, limit: usize) -> Result<Batch, String> {
        // Small pages: a day of the tests has many.
        let limit = limit.min(100);
        let batch = self.call(|disk| {
            let all = disk.events.values().filter(|event| event.hour().date() == date);
            let events: Vec<_> =
                all.filter(|e| after.is_none_or(|after| e.id > after)).take(limit).cloned().collect();
            Ok(Batch { is_last: events.len() < limit, events })
        })?;
        self.rows_read.set(self.rows_read.get() + batch.events.len() as u64);
        Ok(batch)
    }

    async fn has_events(&self, date: EventDate) -> Result<bool, String> {
        self.call(|disk| Ok(disk.events.values().any(|event| event.hour().date() == date)))
    }

    async fn delete_range(
        &self,
        date: EventDate,
        owner: &str,
        first: EventId,
        last: EventId,
        records: u32,
    ) -> Result<Deleted, String> {
        self.call(|disk| {
            let ids: Vec<_> = disk.events.range(first..=last).map(|(id, _)| *id).collect();
            let held = disk.leases.get(&date).is_some_and(|(holder, _)| holder == owner);
            if !held || ids.len() != records as usize {
                return Ok(Deleted::Nothing);
            }
            for id in ids {
                disk.events.remove(&id);
            }
            Ok(Deleted::Exactly)
        })
    }

    async fn delete_ids(&self, ids: &[EventId]) -> Result<u64, String> {
        self.call(|disk| Ok(ids.iter().filter(|id| disk.events.remove(id).is_some()).count() as u64))
    }

    async fn hourly(&self, hour: HourBucket) -> Result<Vec<HourlyRow>, String> {
        self.call(|disk| {
            let rows = disk.hourly.iter().filter(|((of, _), _)| *of == hour);
            Ok(rows.map(|((_, path), figures)| HourlyRow { path: path.clone(), figures: *figures }).collect())
        })
    }

    async fn rewrite_hour(
        &self,
        hour: HourBucket,
        statistics: &[(String, PathHourStats)],
    ) -> Result<(), String> {
        self.call(|disk| {
            for (path, stats) in statistics {
                let figures = Figures {
                    requests: stats.counters.requests,
                    errors: stats.counters.errors,
                    response_time_us: stats.counters.sum_response_time_us,
                    response_times: stats.counters.count_response_time,
                };
                if figures.requests == 0 {
                    disk.hourly.remove(&(hour, path.clone()));
                } else {
                    disk.hourly.insert((hour, path.clone()), figures);
                }
            }
            Ok(())
        })
    }

    async fn pages(&self, file: ArchiveName, from: u32, limit: u32) -> Result<Vec<Page>, String> {
        let name = file.to_string();
        self.call(|disk| {
            Ok(disk
                .pages
                .range((name.clone(), from)..(name, from + limit))
                .map(|(_, page)| page.clone())
                .collect())
        })
    }

    async fn pages_within(
        &self,
        file: ArchiveName,
        first: EventId,
        last: EventId,
    ) -> Result<Vec<Page>, String> {
        let name = file.to_string();
        self.call(|disk| {
            let pages = disk.pages.range((name.clone(), 0)..=(name, u32::MAX)).map(|(_, page)| page.clone());
            Ok(pages.filter(|page| page.first_id <= last && page.last_id >= first).collect())
        })
    }

    async fn length(&self, file: ArchiveName) -> Result<Option<u64>, String> {
        self.call(|disk| Ok(disk.objects.get(&file.to_string()).map(|bytes| bytes.len() as u64)))
    }

    async fn read(&self, file: ArchiveName, offset: u64, length: u64) -> Result<Vec<u8>, String> {
        self.call(|disk| {
            let bytes = disk.objects.get(&file.to_string()).ok_or("no such file")?;
            bytes
                .get(offset as usize..(offset + length) as usize)
                .map(<[u8]>::to_vec)
                .ok_or("out of range".to_owned())
        })
    }

    async fn put_new(&self, file: ArchiveName, bytes: Vec<u8>) -> Result<bool, String> {
        assert!(bytes.len() as u64 <= PART_BYTES, "more than one part goes up in parts");
        self.call(|disk| {
            if disk.objects.contains_key(&file.to_string()) {
                return Ok(false);
            }
            disk.objects.insert(file.to_string(), bytes);
            Ok(true)
        })
    }

    async fn begin_upload(&self, _file: ArchiveName) -> Result<String, String> {
        self.call(|disk| {
            disk.uploads_begun += 1;
            let id = format!("upload {}", disk.uploads_begun);
            disk.uploads.insert(id.clone(), BTreeMap::new());
            Ok(id)
        })
    }

    async fn upload_part(
        &self,
        _file: ArchiveName,
        upload: &str,
        number: u32,
        bytes: Vec<u8>,
    ) -> Result<String, String> {
        self.call(|disk| {
            let parts = disk.uploads.get_mut(upload).ok_or("no such upload")?;
            let etag = hex(&bytes);
            parts.insert(number, bytes);
            Ok(etag)
        })
    }

    async fn complete_upload(&self, file: ArchiveName, upload: &str, etags: &[String]) -> Result<(), String> {
        self.call(|disk| {
            let parts = disk.uploads.get(upload).ok_or("no such upload")?;
            let known: Vec<String> = parts.values().map(|bytes| hex(bytes)).collect();
            if known.get(..etags.len()) != Some(etags) {
                return Err("a part is not the one that was uploaded".to_owned());
            }
            let (last, whole) = etags.len().checked_sub(1).map(|n| (n, &etags[..n])).ok_or("no parts")?;
            for (at, (_, bytes)) in parts.iter().take(whole.len()).enumerate() {
                assert_eq!(bytes.len() as u64, PART_BYTES, "part {}", at + 1);
            }
            let last = parts.values().nth(last).ok_or("a part is missing")?;
            assert!(!last.is_empty() && last.len() as u64 <= PART_BYTES);
            let bytes: Vec<u8> = parts.values().take(etags.len()).flatten().copied().collect();
            let there = disk.objects.insert(file.to_string(), bytes);
            assert_eq!(there, None, "{file} is overwritten");
            disk.uploads.remove(upload);
            Ok(())
        })
    }

    async fn abort_upload(&self, _file: ArchiveName, upload: &str) -> Result<(), String> {
        self.call(|disk| {
            disk.uploads.remove(upload);
            Ok(())
        })
    }

    async fn publish(&self, record: &DayRecord) -> Result<(), String> {
        self.call(|disk| {
            disk.published.insert(record.date, record.clone());
            Ok(())
        })
    }
}

/// Runs a future whose calls all answer at once.
fn block_on<T>(future: impl core::future::Future<Output = T>) -> T {
    let mut future = core::pin::pin!(future);
    let mut context = core::task::Context::from_waker(core::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        core::task::Poll::Ready(value) => value,
        core::task::Poll::Pending => unreachable!("nothing waits"),
    }
}

/// SHA-256 in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
