//! The table `batchmill_written`, next to the tables that runs write: it records which results are in them.
//!
//! A line of it goes in with the rows that it is about, in one transaction, so it is there if and only if they are.

use super::error::DatabaseError;
use super::name::TableName;
use super::store::Store;

/// The name of the table.
const NAME: &str = "batchmill_written";

/// Some rows of a table, which went in together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Part {
    /// Its number among those of a run, a step and a table.
    pub number: u64,
    /// Which rows of the ledger they are made of, as the ledger writes that.
    pub ledger_rows: String,
    /// How many items these have.
    pub items: u64,
    /// The sum of the hashes of their results.
    pub checksum: u64,
    /// How many rows.
    pub records: u64,
    /// The columns of the table when the run began to write it.
    pub columns: String,
}

/// What is written of one step of a run.
#[derive(Debug, Clone)]
pub struct Books {
    /// Where it is kept: in the schema of the tables.
    place: TableName,
    run: String,
    step: String,
}

impl Books {
    /// Opens `batchmill_written` in the schema of this table, and creates it if it is missing.
    ///
    /// # Errors
    /// If they can be neither read nor created.
    pub fn open(store: &mut dyn Store, beside: &TableName, (run, step): (&str, &str)) -> Result<Self, DatabaseError> {
        let place = beside.beside(NAME);
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {} (run TEXT NOT NULL, step TEXT NOT NULL, table_name TEXT NOT NULL,
             part INTEGER NOT NULL, ledger_rows TEXT NOT NULL, items BIGINT NOT NULL, checksum TEXT NOT NULL,
             records BIGINT NOT NULL, columns TEXT NOT NULL, PRIMARY KEY (run, step, table_name, part))",
            place.sql()
        );
        let cannot = |what: &str, error: DatabaseError| {
            DatabaseError::from(format!("cannot {what} the table `{NAME}`, which notes what is written: {error}"))
        };
        // Who may not create tables may still use those of others.
        if store.table(&place)?.is_none() {
            let created = store.execute(&create);
            // Another run may have created it in the same moment.
            if store.table(&place)?.is_none() {
                created.map_err(|error| cannot("create", error))?;
            }
        }
        store.execute(&format!("DELETE FROM {} WHERE part < 0", place.sql())).map_err(|error| {
            let is_busy = error.message.contains("locked");
            let error = cannot("write to", error);
            match is_busy {
                true => error.with_help("end the program that writes to the database, and run again"),
                false => error.with_help(format!("let its owner run `GRANT ALL ON {} TO USER`", place.sql())),
            }
        })?;
        Ok(Self { place, run: run.to_owned(), step: step.to_owned() })
    }

    /// What is written of this table, in the order in which it was.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn parts(&self, store: &mut dyn Store, table: &TableName) -> Result<Vec<Part>, DatabaseError> {
        let sql = format!(
            "SELECT CAST(part AS TEXT), ledger_rows, CAST(items AS TEXT), checksum, CAST(records AS TEXT), columns
             FROM {} WHERE run = $1 AND step = $2 AND table_name = $3 ORDER BY part",
            self.place.sql()
        );
        let rows = store.texts(&sql, &[&self.run, &self.step, &table.table])?;
        let part = |row: Vec<Option<String>>| {
            let mut fields = row.into_iter().map(Option::unwrap_or_default);
            let mut next = || fields.next().unwrap_or_default();
            let number = |text: String| text.parse().unwrap_or(0);
            Part {
                number: number(next()),
                ledger_rows: next(),
                items: number(next()),
                checksum: number(next()),
                records: number(next()),
                columns: next(),
            }
        };
        Ok(rows.into_iter().map(part).collect())
    }

    /// Notes rows, in the transaction in which they go in.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn note(&self, store: &mut dyn Store, table: &TableName, part: &Part) -> Result<(), DatabaseError> {
        let Part { number, ledger_rows, items, checksum, records, columns } = part;
        let sql = format!(
            "INSERT INTO {} (run, step, table_name, part, ledger_rows, items, checksum, records, columns)
             VALUES ($1, $2, $3, {number}, $4, {items}, '{checksum}', {records}, $5)",
            self.place.sql()
        );
        store.texts(&sql, &[&self.run, &self.step, &table.table, ledger_rows, columns]).map(drop)
    }

    /// Forgets what any run has written to this table: its rows are gone.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn forget(&self, store: &mut dyn Store, table: &TableName) -> Result<(), DatabaseError> {
        let sql = format!("DELETE FROM {} WHERE table_name = $1", self.place.sql());
        store.texts(&sql, &[&table.table]).map(drop)
    }

    /// Forgets a part.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn forget_part(&self, store: &mut dyn Store, table: &TableName, number: u64) -> Result<(), DatabaseError> {
        let place = self.place.sql();
        let sql = format!("DELETE FROM {place} WHERE run = $1 AND step = $2 AND table_name = $3 AND part = {number}");
        store.texts(&sql, &[&self.run, &self.step, &table.table]).map(drop)
    }

    /// One table has taken the name of another, with what is written of it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn rename(&self, store: &mut dyn Store, from: &TableName, to: &TableName) -> Result<(), DatabaseError> {
        self.forget(store, to)?;
        let sql = format!("UPDATE {} SET table_name = $1 WHERE table_name = $2", self.place.sql());
        store.texts(&sql, &[&to.table, &from.table]).map(drop)
    }
}
