//! A table that is being written.

use super::error::TableError;
use super::rows::RowLayout;
use super::target::TableTarget;
use crate::database::{
    Access, Books, Database, DatabaseError, Insert, NewColumn, Part, Store, Table, TableColumn, TableName, open, quoted,
};
use crate::model::IfExists;

/// Which table is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The one that the user named.
    Final,
    /// The new one that will replace it.
    Beside,
}

/// Some results, which go in together.
pub struct Chunk<'a> {
    /// As lines of JSON.
    pub lines: &'a [u8],
    /// The number of the first record.
    pub first_record: u64,
    /// What is noted of them.
    pub part: Part,
}

/// The table of a step, open for writing.
pub struct TableOutput<'a> {
    target: &'a TableTarget,
    store: Box<dyn Store>,
    books: Books,
    table: TableName,
    beside: TableName,
    /// What tells its transactions from those of other steps.
    lock: i64,
}

impl<'a> TableOutput<'a> {
    /// Connects to the database, for a step of a run.
    ///
    /// # Errors
    /// If it cannot be reached, or what is written cannot be noted there.
    pub fn open(target: &'a TableTarget, (run, step): (&str, &str)) -> Result<Self, TableError> {
        let failed = |error| TableError::of(target, error, 0);
        let mut store = open(&target.database).map_err(failed)?;
        let table = store.qualified(&target.table).map_err(failed)?;
        let books = Books::open(&mut *store, &table, (run, step)).map_err(failed)?;
        let hash = xxhash_rust::xxh3::xxh3_64(format!("{run}\n{step}\n{}", table.table).as_bytes());
        let beside = table.beside(format!("batchmill_new_{hash:016x}"));
        let mut opened = Self { target, store, books, table, beside, lock: hash.cast_signed() };
        // What an execution that was killed has left is settled then.
        opened.in_transaction(0, |_, _| Ok(()))?;
        Ok(opened)
    }

    /// Checks that the table is, or is not, there as the target says, and may be written. Returns what the step has written.
    ///
    /// # Errors
    /// If not.
    pub fn check(&mut self) -> Result<Vec<Part>, TableError> {
        let there = self.find(Place::Final)?;
        // What was written to a table that is gone is gone too.
        let parts = if there.is_some() { self.parts(Place::Final)? } else { Vec::new() };
        let access = match (&there, self.target.if_exists) {
            (Some(_), IfExists::Fail) if parts.is_empty() => {
                let error = self.error("the table exists");
                return Err(error.with_help(
                    "set `if_exists: append` to add rows, or `if_exists: replace` to put a new table in its place",
                ));
            }
            (None, _) => Access::Create,
            (Some(_), IfExists::Replace) => Access::Replace,
            (Some(table), _) => {
                self.check_key(table)?;
                if self.target.key.is_empty() { Access::Insert } else { Access::Update }
            }
        };
        self.store.check_access(&self.table, access).map_err(|error| self.failed(error))?;
        Ok(parts)
    }

    /// Whether a table is there.
    ///
    /// # Errors
    /// If that cannot be found out.
    pub fn exists(&mut self, place: Place) -> Result<bool, TableError> {
        Ok(self.find(place)?.is_some())
    }

    /// What the step has written to a table.
    ///
    /// # Errors
    /// If that cannot be found out.
    pub fn parts(&mut self, place: Place) -> Result<Vec<Part>, TableError> {
        let name = self.name(place).clone();
        self.books.parts(&mut *self.store, &name).map_err(|error| self.failed(error))
    }

    /// Creates a table, with a first part that has nothing in it. What was there is deleted: that is only ever a table that this
    /// step began.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn create(&mut self, place: Place, columns: &[NewColumn], described: &str) -> Result<(), TableError> {
        let (name, target) = (self.name(place).clone(), self.target);
        let begun = Part { columns: described.to_owned(), ..Part::default() };
        self.check_columns(columns)?;
        let sql = self.create_statement(&name, columns);
        self.in_transaction(0, |store, books| {
            if place == Place::Beside {
                store.execute(&format!("DROP TABLE IF EXISTS {}", name.sql()))?;
            }
            books.forget(store, &name)?;
            store.execute(&sql)?;
            if target.if_exists == IfExists::Append { Ok(()) } else { books.note(store, &name, &begun) }
        })
    }

    /// The columns of a table for these columns of records.
    ///
    /// # Errors
    /// If the table lacks one.
    pub fn columns(&mut self, place: Place, columns: &[NewColumn]) -> Result<Vec<TableColumn>, TableError> {
        let Some(table) = self.find(place)? else { return Err(self.error("the table is gone")) };
        if place == Place::Final {
            self.check_key(&table)?;
        }
        let store = &self.store;
        let found = |column: &NewColumn| {
            table.column(|name| store.is_same(name, &column.name)).cloned().ok_or_else(|| {
                let (name, kind) = (&column.name, store.type_name(column.kind));
                let add = format!("ALTER TABLE {} ADD COLUMN {} {kind}", self.table.sql(), quoted(name));
                self.error(format!("the table has no column `{name}`"))
                    .with_help(format!("add it with `{add}`, or leave `{name}` out of the results"))
            })
        };
        self.check_columns(columns)?;
        columns.iter().map(found).collect()
    }

    /// Writes some results, and notes them, in one transaction. Returns how many rows they have.
    ///
    /// # Errors
    /// If a record does not fit, or the database refuses. Then none of them is in the table.
    pub fn write(
        &mut self,
        place: Place,
        (names, columns): (&[NewColumn], &[TableColumn]),
        chunk: &Chunk<'_>,
    ) -> Result<u64, TableError> {
        let table = self.name(place).clone();
        let layout = RowLayout::new(names.iter().map(|column| column.name.clone()).collect(), columns);
        let is_key = |key: &String, name: &NewColumn| name.name == *key;
        let key: Vec<String> = self
            .target
            .key
            .iter()
            .filter_map(|key| {
                let at = names.iter().position(|name| is_key(key, name))?;
                Some(columns[at].name.clone())
            })
            .collect();
        let mut records = 0;
        self.in_transaction(chunk.first_record, |store, books| {
            let into = Insert { table: &table, columns, key: &key };
            store.insert(&into, &mut layout.rows(chunk.lines).inspect(|_| records += 1))?;
            books.note(store, &table, &Part { records, ..chunk.part.clone() })
        })?;
        Ok(records)
    }

    /// Forgets parts of the table that the user named: their rows are to be written once more.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn forget(&mut self, parts: &[Part]) -> Result<(), TableError> {
        let table = self.table.clone();
        if parts.is_empty() {
            return Ok(());
        }
        self.in_transaction(0, |store, books| {
            parts.iter().try_for_each(|part| books.forget_part(store, &table, part.number))
        })
    }

    /// Replaces the table that the user named with the new one. The old one is deleted.
    ///
    /// # Errors
    /// If the database refuses. Then the old table is as it was, and the new one is gone.
    pub fn take_place(&mut self) -> Result<(), TableError> {
        let (beside, table) = (self.beside.clone(), self.table.clone());
        self.store.keep_references().map_err(|error| self.failed(error))?;
        let taken = self.in_transaction(0, |store, books| {
            store.execute(&format!("DROP TABLE IF EXISTS {}", table.sql()))?;
            store.execute(&format!("ALTER TABLE {} RENAME TO {}", beside.sql(), quoted(&table.table)))?;
            books.rename(store, &beside, &table)
        });
        if taken.is_err() {
            // Nobody else knows of the new table, and its rows are in the ledger. The first error is the one that matters.
            drop(self.in_transaction(0, |store, books| {
                store.execute(&format!("DROP TABLE IF EXISTS {}", beside.sql()))?;
                books.forget(store, &beside)
            }));
        }
        taken
    }

    /// What tells the table from all others, however the workflow writes its name.
    ///
    /// # Errors
    /// If the database does not say.
    pub fn identity(&mut self) -> Result<String, TableError> {
        let database = self.store.identity().map_err(|error| self.failed(error))?;
        let case = matches!(self.target.database, Database::Sqlite(_)).then(|| self.table.sql().to_lowercase());
        Ok(format!("{database} {}", case.unwrap_or_else(|| self.table.sql())))
    }

    /// Checks that a table which this step made has the rows that the step wrote, and no others: another table may have taken its
    /// place.
    ///
    /// # Errors
    /// If it has others.
    pub fn check_own(&mut self, parts: &[Part]) -> Result<(), TableError> {
        let count = format!("SELECT CAST(count(*) AS text) FROM {}", self.table.sql());
        let rows = self.store.texts(&count, &[]).map_err(|error| self.failed(error))?.pop();
        let rows: u64 = rows.and_then(|mut row| row.pop()?).and_then(|rows| rows.parse().ok()).unwrap_or(0);
        let written: u64 = parts.iter().map(|part| part.records).sum();
        // With a key, several records may be one row.
        if rows == written || !self.target.key.is_empty() && rows < written {
            return Ok(());
        }
        let noun = if rows == 1 { "row" } else { "rows" };
        let message = format!("the table has {rows} {noun}, but this step wrote {written}: it was changed since");
        Err(self
            .error(message)
            .with_help("rename or delete it; the results are in the run, and `resume` writes them again"))
    }

    /// An error about the table.
    pub fn error(&self, message: impl Into<String>) -> TableError {
        TableError::new(self.target, message)
    }

    fn in_transaction(
        &mut self,
        first_record: u64,
        work: impl FnOnce(&mut dyn Store, &Books) -> Result<(), DatabaseError>,
    ) -> Result<(), TableError> {
        let (store, books, lock) = (&mut *self.store, &self.books, self.lock);
        let done = store.begin().and_then(|()| match store.lock(lock).and_then(|()| work(store, books)) {
            Ok(()) => store.execute("COMMIT"),
            Err(error) => {
                // The error of the work is the one that matters.
                drop(store.execute("ROLLBACK"));
                Err(error)
            }
        });
        done.map_err(|error| TableError::of(self.target, error, first_record))
    }

    fn create_statement(&self, name: &TableName, columns: &[NewColumn]) -> String {
        let mut parts: Vec<String> = columns
            .iter()
            .map(|column| format!("{} {}", quoted(&column.name), self.store.type_name(column.kind)))
            .collect();
        if !self.target.key.is_empty() {
            parts.push(format!("PRIMARY KEY ({})", quoted_key(&self.target.key)));
        }
        format!("CREATE TABLE {} ({})", name.sql(), parts.join(", "))
    }

    /// Rows can be found by their key only through a unique index.
    fn check_key(&self, table: &Table) -> Result<(), TableError> {
        let key = &self.target.key;
        let is_it = |index: &Vec<String>| {
            index.len() == key.len() && key.iter().all(|name| index.iter().any(|it| self.store.is_same(it, name)))
        };
        if key.is_empty() || table.unique.iter().any(is_it) {
            return Ok(());
        }
        let columns = key.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
        let create = format!("CREATE UNIQUE INDEX ON {} ({})", self.table.sql(), quoted_key(key));
        let create = match self.target.database {
            Database::Sqlite(_) => {
                let index = quoted(&format!("{}_key", self.table.table));
                create.replacen("INDEX ON", &format!("INDEX {index} ON"), 1)
            }
            Database::Postgresql(_) => create,
        };
        let error = self.error(format!("the table has no unique index on {columns}, which `key` needs"));
        Err(error.with_help(format!("create one with `{create}`")))
    }

    fn check_columns(&self, columns: &[NewColumn]) -> Result<(), TableError> {
        for (at, column) in columns.iter().enumerate() {
            self.store.check_column(&column.name).map_err(|error| self.failed(error))?;
            if let Some(other) = columns[..at].iter().find(|other| self.store.is_same(&other.name, &column.name)) {
                let (one, two) = (&other.name, &column.name);
                return Err(self.error(format!("the records have `{one}` and `{two}`, which are one column there")));
            }
        }
        match self.target.key.iter().find(|key| columns.iter().all(|column| column.name != **key)) {
            Some(key) => Err(self.error(format!("the records have no column `{key}`, which `key` names"))),
            None => Ok(()),
        }
    }

    fn find(&mut self, place: Place) -> Result<Option<Table>, TableError> {
        let name = self.name(place).clone();
        self.store.table(&name).map_err(|error| self.failed(error))
    }

    fn name(&self, place: Place) -> &TableName {
        match place {
            Place::Final => &self.table,
            Place::Beside => &self.beside,
        }
    }

    fn failed(&self, error: DatabaseError) -> TableError {
        TableError::of(self.target, error, 0)
    }
}

fn quoted_key(key: &[String]) -> String {
    key.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}
