//! The log of an aggregator object in its own SQLite: a table of which row 0 is the checkpoint, and one
//! of the duplicates, once there are any.

use pathstats_model::aggregator::{Duplicates, Log, Stored, Tally};
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

    /// The tables that there are. An object that never counted has none: one that did not must not
    /// get one by a look at it. Asked of the schema, since a read that fails must not pass for an empty log.
    fn tables(&self) -> Result<Vec<String>, Error> {
        const SELECT: &str =
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('log', 'duplicates')";
        let name = |row: Result<Vec<SqlStorageValue>, Error>| match row?.into_iter().next() {
            Some(SqlStorageValue::String(name)) => Ok(name),
            _ => Err(Error::RustError("a table without a name".to_owned())),
        };
        let rows = self.sql.exec(SELECT, None)?;
        let tables = rows.raw().map(name).collect();
        metered(&rows);
        tables
    }

    fn duplicates(&self) -> Result<Duplicates, Error> {
        let rows = self.sql.exec("SELECT counted, told FROM duplicates", None)?;
        let row = rows.raw().next().transpose()?;
        metered(&rows);
        match row.as_deref() {
            None => Ok(Duplicates::default()),
            Some([SqlStorageValue::Integer(counted), SqlStorageValue::Integer(told)]) => {
                Ok(Duplicates { counted: counted.unsigned_abs(), told: told.unsigned_abs() })
            }
            Some(_) => Err(Error::RustError("the count of duplicates is no number".to_owned())),
        }
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
        let tables = self.tables()?;
        if tables.iter().any(|name| name == "duplicates") {
            stored.duplicates = self.duplicates()?;
        }
        if !tables.iter().any(|name| name == "log") {
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

impl Tally for ObjectLog {
    fn tally(&mut self, duplicates: Duplicates) -> Result<(), Error> {
        // In the same transaction as the row, as above.
        let made = self.sql.exec(
            "CREATE TABLE IF NOT EXISTS duplicates \
             (one INTEGER PRIMARY KEY, counted INTEGER NOT NULL, told INTEGER NOT NULL)",
            None,
        )?;
        // Counts are far below 2^53.
        #[allow(clippy::cast_precision_loss)]
        let [counted, told] = [duplicates.counted, duplicates.told].map(|n| JsValue::from_f64(n as f64));
        let written =
            self.sql.exec_raw("INSERT OR REPLACE INTO duplicates VALUES (1, ?, ?)", vec![counted, told])?;
        metered(&made);
        metered(&written);
        Ok(())
    }
}

/// Counts the rows of a statement that ran to its end.
fn metered(cursor: &SqlCursor) {
    count(Operation::ObjectRowsRead, cursor.rows_read() as u64);
    count(Operation::ObjectRowsWritten, cursor.rows_written() as u64);
}
