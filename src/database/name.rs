//! Names of tables and columns, as they are written in statements.

use super::address::Database;
use super::error::DatabaseError;
use std::fmt;

/// The longest name of PostgreSQL, in bytes. It cuts off longer ones.
const MOST_BYTES: usize = 63;

/// A name in a statement: in quotes, so that capitals, keywords and any other characters are part of it.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Several of them, with commas.
pub fn quoted_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}

/// The name of a table, with its schema if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// The schema.
    pub schema: Option<String>,
    /// The table in it.
    pub table: String,
}

impl TableName {
    /// Reads a name as the user writes it: in PostgreSQL, a dot outside of double quotes separates the schema. In SQLite, all of
    /// it is the table's name.
    ///
    /// # Errors
    /// If it is not a name.
    pub fn parse(text: &str, database: &Database) -> Result<Self, DatabaseError> {
        if text.contains('\0') {
            return Err("`table` contains a NUL byte".into());
        }
        if text
            .rsplit('.')
            .next()
            .is_some_and(|table| table.trim_matches('"').eq_ignore_ascii_case("batchmill_written"))
        {
            let error =
                DatabaseError::from("`batchmill_written` is the table in which batchmill notes what is written");
            return Err(error.with_help("choose another table"));
        }
        let whole = |table: String| Self { schema: None, table };
        if matches!(database, Database::Sqlite(_)) {
            return Ok(whole(text.to_owned()));
        }
        let mut parts = parts(text).filter(|parts| parts.len() <= 2 && parts.iter().all(|part| !part.is_empty()));
        let (Some(table), schema) = (parts.as_mut().and_then(Vec::pop), parts.and_then(|mut parts| parts.pop())) else {
            let error = DatabaseError::from(format!("`table` is not the name of a table (`{text}`)"));
            return Err(error.with_help("write `TABLE` or `SCHEMA.TABLE`; put a name with a dot in double quotes"));
        };
        [Some(&table), schema.as_ref()].into_iter().flatten().try_for_each(|name| check_length("name", name))?;
        Ok(Self { schema, table })
    }

    /// Another table in the same schema.
    #[must_use]
    pub fn beside(&self, table: impl Into<String>) -> Self {
        Self { schema: self.schema.clone(), table: table.into() }
    }

    /// The name in a statement.
    pub fn sql(&self) -> String {
        let schema = self.schema.as_ref().map_or(String::new(), |schema| format!("{}.", quoted(schema)));
        format!("{schema}{}", quoted(&self.table))
    }
}

/// The name as the user would write it.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        f.write_str(&self.table)
    }
}

/// Refuses a name that PostgreSQL would cut off.
pub fn check_length(what: &str, name: &str) -> Result<(), DatabaseError> {
    if name.len() <= MOST_BYTES {
        return Ok(());
    }
    let beginning: String = name.chars().take(MOST_BYTES).collect();
    Err(format!("the {what} `{beginning}…` has more than {MOST_BYTES} bytes, which PostgreSQL would cut off").into())
}

/// The parts between dots, without quotes; none if a quote is not closed.
fn parts(text: &str) -> Option<Vec<String>> {
    let (mut parts, mut inside) = (vec![String::new()], false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let last = parts.last_mut()?;
        match character {
            '"' if inside && characters.next_if_eq(&'"').is_some() => last.push('"'),
            '"' => inside = !inside,
            '.' if !inside => parts.push(String::new()),
            other => last.push(other),
        }
    }
    (!inside).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_and_its_schema_apart() {
        let server = Database::parse("sql", "postgres://ada@h/d").unwrap();
        let file = Database::parse("sql", "sqlite:///a.db").unwrap();
        let name = |text, database| TableName::parse(text, database).map(|name| name.sql()).map_err(|e| e.message);
        assert_eq!(name("Sales.order", &server).unwrap(), "\"Sales\".\"order\"");
        assert_eq!(name("\"a.b\".\"say \"\"x\"\"\"", &server).unwrap(), "\"a.b\".\"say \"\"x\"\"\"");
        assert_eq!(name("main.\"x", &file).unwrap(), "\"main.\"\"x\"");
        for wrong in ["a.b.c", ".a", "a.", "\"a", "\"\""] {
            assert!(name(wrong, &server).is_err(), "{wrong}");
        }
        assert!(name(&"ü".repeat(32), &server).unwrap_err().contains("63 bytes"));
    }
}
