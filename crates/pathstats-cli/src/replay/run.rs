//! One run: a thread reads, some send, this one counts.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{channel, sync_channel, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::batch::Batch;
use super::journal::Journal;
use super::ledger::Ledger;
use super::reader::Reader;
use super::rejects::Rejects;
use super::scan::{Position, Scan};
use super::sender::{Destination, NotSent, Taken};
use super::stop::Stop;
use crate::clock;
use crate::failure::Failure;
use crate::moment::grouped;
use crate::progress::Progress;

/// How often the journal is written, at most.
const JOURNAL_EVERY: Duration = Duration::from_millis(500);
/// How often progress is shown when nothing happens.
const TICK: Duration = Duration::from_millis(200);

/// What senders tell.
enum Told {
    /// A batch is through.
    Through(Batch, Result<Taken, NotSent>),
    /// An attempt failed; there will be another.
    Waiting(String),
}

/// Counts what is sent, and keeps the journal.
pub struct Run<'a> {
    /// What is acknowledged.
    pub ledger: Ledger,
    /// What was not taken.
    pub rejects: Rejects,
    /// The journal and where it stands.
    pub journal: Option<(PathBuf, Journal)>,
    /// Progress.
    pub progress: Progress,
    /// Ends the run early.
    pub stop: &'a Stop,
    /// Bytes read.
    pub bytes: Arc<AtomicU64>,
    /// Why the run failed.
    pub failure: Option<Failure>,
    /// When the journal was written last.
    pub journaled: Instant,
    /// How many events are still to be shown.
    pub samples: usize,
}

/// How bodies are made and sent.
pub struct Threads<'a> {
    /// Reads lines.
    pub scan: Scan<'a>,
    /// Where to begin.
    pub from: Position,
    /// Where bodies go; `None` sends nothing.
    pub destination: Option<&'a Destination>,
    /// Bodies on their way at once.
    pub concurrency: usize,
}

impl Run<'_> {
    /// Runs until all is sent, or it stops.
    pub fn run<'a>(
        &mut self,
        threads: Threads<'a>,
        reader: impl FnOnce(std::sync::mpsc::SyncSender<Batch>, Receiver<()>) -> Reader<'a> + Send + 'a,
    ) {
        let Threads { scan, from, destination, concurrency } = threads;
        let (batch_in, batch_out) = sync_channel(concurrency);
        let batch_out = Mutex::new(batch_out);
        let (tell, told) = channel();
        let (permit, permits) = channel();
        for _ in 0..concurrency * 8 {
            // The receiver is in scope: this does not fail.
            let _ = permit.send(());
        }
        let stop = scan.stop;
        thread::scope(|scope| {
            let reading = scope.spawn(move || reader(batch_in, permits).run(&scan, from));
            for _ in 0..concurrency {
                let (tell, batch_out) = (tell.clone(), &batch_out);
                scope.spawn(move || send_all(destination, batch_out, stop, &tell));
            }
            drop(tell);
            self.count(&told, permit);
            if let Ok(Err(failure)) = reading.join() {
                self.failure.get_or_insert(failure);
            }
        });
        self.write_journal();
    }

    /// Hears what senders tell until the last of them ends.
    fn count(&mut self, told: &Receiver<Told>, permit: Sender<()>) {
        let mut permit = Some(permit);
        let mut waiting = String::new();
        loop {
            match told.recv_timeout(TICK) {
                Ok(Told::Through(batch, Ok(taken))) => {
                    waiting.clear();
                    for index in 0..batch.origins.len().min(self.samples) {
                        super::print_line(&batch.event(index));
                        self.samples -= 1;
                    }
                    let (refused, completed) = self.ledger.acknowledge(batch, &taken);
                    for _ in 0..completed {
                        // The reader may have ended: then it needs no permits.
                        let _ = permit.as_ref().map(|permit| permit.send(()));
                    }
                    match self.rejects.take(&refused) {
                        Ok(shown) => shown.iter().for_each(|line| self.progress.print(line)),
                        Err(failure) => self.fail(failure),
                    }
                }
                Ok(Told::Through(_, Err(NotSent::Stopped))) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Told::Through(_, Err(NotSent::Refused(message)))) => {
                    self.fail(Failure::new(message));
                }
                Ok(Told::Waiting(message)) => {
                    if waiting.is_empty() {
                        self.progress.print(&message);
                    }
                    waiting = message;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.stop.is_requested() {
                // Frees the reader, should it wait for a permit.
                permit = None;
            }
            let behind =
                self.journal.as_ref().is_some_and(|(_, journal)| journal.position != self.ledger.position);
            if behind && self.journaled.elapsed() >= JOURNAL_EVERY {
                self.write_journal();
            }
            let message = if waiting.is_empty() {
                format!("{} events", grouped(self.ledger.totals.sent))
            } else {
                waiting.clone()
            };
            self.progress.set(self.bytes.load(Ordering::Relaxed), &message);
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
        self.stop.request();
    }

    fn write_journal(&mut self) {
        let Some((path, journal)) = &mut self.journal else {
            return;
        };
        journal.position = self.ledger.position;
        journal.totals = self.ledger.totals.clone();
        self.journaled = clock::instant();
        if let Err(failure) = journal.write(path) {
            self.fail(failure);
        }
    }
}

/// Sends batches until there are no more.
fn send_all(
    destination: Option<&Destination>,
    batches: &Mutex<Receiver<Batch>>,
    stop: &Stop,
    tell: &Sender<Told>,
) {
    loop {
        // The lock is held while waiting: the other senders would only wait beside.
        let next = batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(batch) = next else { return };
        let result = match destination {
            _ if batch.origins.is_empty() => Ok(Taken::default()),
            Some(destination) => destination.send(&batch, stop, |message| {
                // The counting thread lives as long as senders do.
                let _ = tell.send(Told::Waiting(message));
            }),
            None => Ok(Taken { accepted: batch.origins.len() as u64, ..Taken::default() }),
        };
        let _ = tell.send(Told::Through(batch, result));
    }
}
