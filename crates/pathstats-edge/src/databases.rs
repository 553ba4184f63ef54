//! The databases, and which of them holds what: see [`sharding`](pathstats_model::sharding).
//!
//! The first is bound as `D1`, further ones as `D1_1`, `D1_2` and so on without a gap.

use core::cell::RefCell;
use std::rc::Rc;

use pathstats_model::hour::EventDate;
use pathstats_model::sharding::{Layouts, Shard, FRESH_MS, MAX_SHARDS, TRUSTED_MS};
use wasm_bindgen::JsValue;
use worker::{D1Database, Env, Error, Result};

use crate::bindings::D1;
use crate::clock::now_ms;
use crate::layout_store::LayoutStore;

/// The databases that a Worker is bound to, and the layouts by which paths are spread over them.
#[derive(Clone)]
pub struct Databases {
    env: Env,
    layouts: Rc<Layouts>,
}

impl core::fmt::Debug for Databases {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Databases").field("layouts", &self.layouts).finish_non_exhaustive()
    }
}

/// Layouts, and when they were asked for.
type Copy = (Rc<Layouts>, i64);

thread_local! {
    /// The copy of this instance.
    static KNOWN: RefCell<Option<Copy>> = const { RefCell::new(None) };
}

/// Name of a database's binding.
#[must_use]
pub fn binding(shard: Shard) -> String {
    match shard.index() {
        0 => D1.to_owned(),
        index => format!("{D1}_{index}"),
    }
}

/// How many databases a Worker is bound to.
#[must_use]
pub fn bound(env: &Env) -> u8 {
    count(env, D1)
}

/// How many there are of a binding: `NAME`, `NAME_1`, `NAME_2` and so on.
pub(crate) fn count(env: &Env, name: &str) -> u8 {
    let is_bound = |index: &u8| {
        let key = JsValue::from(format!("{name}_{index}"));
        js_sys::Reflect::get(env, &key).is_ok_and(|binding| binding.is_object())
    };
    let further = (1..MAX_SHARDS).take_while(is_bound).count();
    u8::try_from(further).map_or(1, |further| further + 1)
}

/// Every database that a Worker is bound to, in order.
///
/// # Errors
///
/// When there is none.
pub fn every(env: &Env) -> Result<Vec<D1Database>> {
    Shard::first(bound(env)).map(|shard| env.d1(&binding(shard))).collect()
}

impl Databases {
    /// The databases, by layouts that are a minute old at most; while they cannot be read, by a copy that is
    /// old enough for no event to be placed wrongly by it. With one database nothing is read.
    ///
    /// # Errors
    ///
    /// When the layouts cannot be read, and there is no such copy.
    pub async fn open(env: &Env) -> Result<Self> {
        let layouts = if bound(env) == 1 { Rc::default() } else { known(env).await? };
        Ok(Self { env: env.clone(), layouts })
    }

    /// The databases by these layouts.
    #[must_use]
    pub fn by(env: &Env, layouts: Layouts) -> Self {
        Self { env: env.clone(), layouts: Rc::new(layouts) }
    }

    /// The layouts.
    #[must_use]
    pub fn layouts(&self) -> &Layouts {
        &self.layouts
    }

    /// A database.
    ///
    /// # Errors
    ///
    /// When the Worker is not bound to it: it was deployed without a database that a layout needs.
    pub fn d1(&self, shard: Shard) -> Result<D1Database> {
        let name = binding(shard);
        self.env
            .d1(&name)
            .map_err(|error| Error::RustError(format!("a layout needs the database {name}: {error}")))
    }

    /// The one that holds what is of a path and day.
    ///
    /// # Errors
    ///
    /// As [`Self::d1`].
    pub fn of(&self, path: &str, date: EventDate) -> Result<D1Database> {
        self.d1(self.layouts.shard_of(path, date))
    }

    /// Those that hold something of these days, both included.
    ///
    /// # Errors
    ///
    /// As [`Self::d1`].
    pub fn of_days(&self, from: EventDate, to: EventDate) -> Result<Vec<D1Database>> {
        Shard::first(self.layouts.shards_of(from, to)).map(|shard| self.d1(shard)).collect()
    }

    /// Those that hold something of a path on these days, both included.
    ///
    /// # Errors
    ///
    /// As [`Self::d1`].
    pub fn of_path(&self, path: &str, from: EventDate, to: EventDate) -> Result<Vec<D1Database>> {
        self.layouts.shards_of_path(path, from, to).into_iter().map(|shard| self.d1(shard)).collect()
    }

    /// All that the Worker is bound to, in order.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn every(&self) -> Result<Vec<D1Database>> {
        every(&self.env)
    }
}

/// The layouts as this instance knows them. Reads only: two at once read the same.
async fn known(env: &Env) -> Result<Rc<Layouts>> {
    let now = now_ms();
    let copy = KNOWN.with_borrow(Clone::clone);
    if let Some((layouts, _)) = copy.as_ref().filter(|(_, at)| now - at < FRESH_MS) {
        return Ok(Rc::clone(layouts));
    }
    match LayoutStore::new(env.d1(D1)?).read().await {
        Ok(layouts) => {
            let layouts = Rc::new(layouts);
            // As old as the question: a layout may be published behind the answer.
            KNOWN.set(Some((Rc::clone(&layouts), now)));
            Ok(layouts)
        }
        Err(error) => match copy {
            Some((layouts, at)) if now_ms() - at < TRUSTED_MS => {
                tracing::warn!(%error, "the layouts of the databases cannot be read, so a copy is used");
                Ok(layouts)
            }
            _ => Err(error),
        },
    }
}
