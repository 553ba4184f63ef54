//! A collector of `tracing` that writes each event as one line of JSON: `level`, `message`, the fields of the spans
//! around it, the outermost first, and its own.
//!
//! `tracing-subscriber` would do the same with a registry for many threads; here there is one, and size counts.

use core::cell::RefCell;
use core::fmt;
use std::collections::HashMap;

use pathstats_model::event::cut;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_core::span::Current;

/// Longest text in a line, in characters: a database's message with its statement fits.
const MAX_TEXT_CHARS: usize = 2_000;

/// Writes lines by a function. Spans and events below a level cost next to nothing.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    most: LevelFilter,
    write: fn(Level, &str),
}

/// A span that is not closed yet.
#[derive(Debug)]
struct Open {
    /// Its fields, behind those of the spans around it.
    fields: Map<String, Value>,
    metadata: &'static Metadata<'static>,
    /// Handles to it.
    handles: usize,
}

#[derive(Debug, Default)]
struct Spans {
    last: u64,
    open: HashMap<u64, Open>,
    /// Those that are being worked in, the innermost last.
    entered: Vec<u64>,
}

thread_local! {
    static SPANS: RefCell<Spans> = RefCell::default();
}

impl Console {
    /// Writes lines of these levels by `write`.
    #[must_use]
    pub const fn new(most: LevelFilter, write: fn(Level, &str)) -> Self {
        Self { most, write }
    }
}

impl Spans {
    fn fields_of(&self, id: Option<u64>) -> Map<String, Value> {
        id.and_then(|id| self.open.get(&id)).map(|span| span.fields.clone()).unwrap_or_default()
    }
}

impl Subscriber for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.most
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.most)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let own = Fields::of(|fields| span.record(fields));
        SPANS.with_borrow_mut(|spans| {
            let around = match span.parent() {
                Some(parent) => Some(parent.into_u64()),
                None if span.is_contextual() => spans.entered.last().copied(),
                None => None,
            };
            let mut fields = spans.fields_of(around);
            fields.extend(own);
            spans.last += 1;
            spans.open.insert(spans.last, Open { fields, metadata: span.metadata(), handles: 1 });
            Id::from_u64(spans.last)
        })
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let own = Fields::of(|fields| values.record(fields));
        SPANS.with_borrow_mut(|spans| {
            if let Some(span) = spans.open.get_mut(&id.into_u64()) {
                span.fields.extend(own);
            }
        });
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let level = *event.metadata().level();
        let around = SPANS.with_borrow(|spans| {
            let id = event.parent().map(Id::into_u64).or_else(|| spans.entered.last().copied());
            spans.fields_of(id)
        });
        let mut own = Fields::of(|fields| event.record(fields));
        let mut line = Map::new();
        line.insert("level".to_owned(), level.as_str().to_ascii_lowercase().into());
        if let Some(message) = own.remove("message") {
            line.insert("message".to_owned(), message);
        }
        line.extend(around);
        line.extend(own);
        (self.write)(level, &Value::Object(line).to_string());
    }

    fn enter(&self, id: &Id) {
        SPANS.with_borrow_mut(|spans| spans.entered.push(id.into_u64()));
    }

    fn exit(&self, id: &Id) {
        SPANS.with_borrow_mut(|spans| {
            if let Some(at) = spans.entered.iter().rposition(|entered| *entered == id.into_u64()) {
                spans.entered.remove(at);
            }
        });
    }

    fn clone_span(&self, id: &Id) -> Id {
        SPANS.with_borrow_mut(|spans| {
            if let Some(span) = spans.open.get_mut(&id.into_u64()) {
                span.handles += 1;
            }
        });
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        SPANS.with_borrow_mut(|spans| {
            let Some(span) = spans.open.get_mut(&id.into_u64()) else { return false };
            span.handles = span.handles.saturating_sub(1);
            let closes = span.handles == 0;
            if closes {
                spans.open.remove(&id.into_u64());
            }
            closes
        })
    }

    fn current_span(&self) -> Current {
        SPANS.with_borrow(|spans| {
            let id = spans.entered.last();
            match id.and_then(|id| spans.open.get(id).map(|span| (*id, span.metadata))) {
                Some((id, metadata)) => Current::new(Id::from_u64(id), metadata),
                None => Current::none(),
            }
        })
    }
}

/// Puts fields into an object of JSON.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn of(record: impl FnOnce(&mut Self)) -> Map<String, Value> {
        let mut fields = Self::default();
        record(&mut fields);
        fields.0
    }

    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, cut(value, MAX_TEXT_CHARS));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
