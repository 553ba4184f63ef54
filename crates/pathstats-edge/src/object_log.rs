//! The log of an aggregator object in its own SQLite: one table, row 0 the checkpoint.

use pathstats_model::aggregator::{Log, Stored};
use pathstats_model::cost::Operation;
use wasm_bindgen::JsValue;
use worker::{Error, SqlCursor, SqlStorage, SqlStorageValue};

use crate::usage::count;

/// The log of the object whose storage this is.
#[derive(Debug)]
pub struct ObjectLog {
    sql: SqlStorage,
}

impl ObjectLog {
    /// The log in this storage.
    #[must_use]
    pub const fn new(sql: SqlStorage) -> Self {
        Self { sql }
    }

    /// Whether the object ever counted: one that did not has no table, and a look at it must not
    /// make one. Asked of the schema, since a read that fails must not pass for an empty log.
    fn exists(&self) -> Result<bool, Error> {
        let tables =
            self.sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'log'", None)?;
        let exists = tables.raw().next().transpose()?.is_some();
        metered(&tables);
        Ok(exists)
    }

    fn write(&self, statement: &str, number: u64, bytes: &[u8]) -> Result<(), Error> {
        // A log never has 2^53 rows.
        #[allow(clippy::cast_precision_loss)]
        let number = JsValue::from_f64(number as f64);
        let bytes = JsValue::from(js_sys::Uint8Array::from(bytes));
        metered(&self.sql.exec_raw(statement, vec![number, bytes])?);
        Ok(())
    }
}

impl Log for ObjectLog {
    type Error = Error;

    fn load(&self) -> Result<Stored, Error> {
        let mut stored = Stored::default();
        if !self.exists()? {
            return Ok(stored);
        }
        let rows = self.sql.exec("SELECT number, body FROM log ORDER BY number", None)?;
        for row in rows.raw() {
            let mut row = row?.into_iter();
            match (row.next(), row.next()) {
                (Some(SqlStorageValue::Integer(0)), Some(SqlStorageValue::Blob(bytes))) => {
                    stored.checkpoint = Some(bytes);
                }
                (_, Some(SqlStorageValue::Blob(bytes))) => stored.rows.push(bytes),
                _ => return Err(Error::RustError("the log holds a row that is no BLOB".to_owned())),
            }
        }
        metered(&rows);
        Ok(stored)
    }

    fn append(&mut self, number: u64, row: &[u8]) -> Result<(), Error> {
        if number == 1 {
            // In the same transaction as the row: no await lies between them.
            metered(&self.sql.exec(
                "CREATE TABLE IF NOT EXISTS log (number INTEGER PRIMARY KEY, body BLOB NOT NULL)",
                None,
            )?);
        }
        // A row is never replaced: a number that is taken means that two instances write.
        self.write("INSERT INTO log VALUES (?, ?)", number, row)
    }

    fn checkpoint(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.write("INSERT OR REPLACE INTO log VALUES (?, ?)", 0, bytes)
    }
}

/// Counts the rows of a statement that ran to its end.
fn metered(cursor: &SqlCursor) {
    count(Operation::ObjectRowsRead, cursor.rows_read() as u64);
    count(Operation::ObjectRowsWritten, cursor.rows_written() as u64);
}
