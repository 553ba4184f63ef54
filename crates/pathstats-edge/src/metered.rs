//! D1 as `worker` has it, with every statement's rows counted by [`usage`](crate::usage). The names are the
//! same, so that a store that uses these instead is metered, and none can forget to count.

use pathstats_model::cost::Operation;
use wasm_bindgen::JsValue;
use worker::{D1Result, Result};

use crate::usage::count;

/// A database whose statements are counted.
#[derive(Debug)]
pub struct D1Database(worker::D1Database);

/// A statement that is counted when it runs.
#[derive(Debug, Clone)]
pub struct D1PreparedStatement(worker::D1PreparedStatement);

impl D1Database {
    /// The database behind this binding.
    #[must_use]
    pub const fn new(d1: worker::D1Database) -> Self {
        Self(d1)
    }

    /// A statement.
    pub fn prepare(&self, sql: impl Into<String>) -> D1PreparedStatement {
        D1PreparedStatement(self.0.prepare(sql))
    }

    /// Runs statements in one transaction.
    ///
    /// # Errors
    ///
    /// When D1 refuses.
    pub async fn batch(&self, statements: Vec<D1PreparedStatement>) -> Result<Vec<D1Result>> {
        let results = self.0.batch(statements.into_iter().map(|statement| statement.0).collect()).await?;
        results.iter().for_each(metered);
        Ok(results)
    }
}

impl D1PreparedStatement {
    /// The statement with its parameters.
    ///
    /// # Errors
    ///
    /// When a parameter has a type that D1 does not take.
    pub fn bind(self, values: &[JsValue]) -> Result<Self> {
        self.0.bind(values).map(Self)
    }

    /// Runs it and tells its rows.
    ///
    /// # Errors
    ///
    /// When D1 refuses.
    pub async fn all(&self) -> Result<D1Result> {
        let result = self.0.all().await?;
        metered(&result);
        Ok(result)
    }

    /// As [`all`](Self::all), of a statement that gives no rows.
    ///
    /// # Errors
    ///
    /// When D1 refuses.
    pub async fn run(&self) -> Result<D1Result> {
        self.all().await
    }
}

/// A result that does not tell its rows is counted as a statement without any.
fn metered(result: &D1Result) {
    count(Operation::D1Queries, 1);
    if let Ok(Some(meta)) = result.meta() {
        count(Operation::D1RowsRead, meta.rows_read.unwrap_or(0) as u64);
        count(Operation::D1RowsWritten, meta.rows_written.unwrap_or(0) as u64);
    }
}
