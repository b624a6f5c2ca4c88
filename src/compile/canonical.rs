//! The user's own keys and values in one canonical form: what fingerprints are made of.
//!
//! A key is called what the workflow reference calls it, a value is written as JSON. So neither a name of a Rust type nor
//! its `Debug` output can change a fingerprint, and `[]`, `{}`, `null` and `"null"` are four different values. Keys of
//! mappings keep their order, because Python code can see it. Changing what this file writes makes every step of every run
//! start over: raise [`Fingerprint::VERSION`](crate::model::Fingerprint::VERSION) then.

use crate::model::{CsvDialect, Delimiter, Tree};
use crate::spec::{
    Auth, BatchText, Command, DateFormat, DialectFrom, Header, HttpTask, Names, OnSchemaDrift, Over, PythonProgram,
    PythonTask, Reduction, Reductions, RequestBody, ResponseUse, RowsSpec, Setting, Stdin, Task, TaskKind, Types,
};
use std::fmt::Write;
use std::path::Path;

/// A value of the workflow file without its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// As JSON writes it.
    Number(String),
    Text(String),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

impl Value {
    fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    fn texts<'a>(texts: impl IntoIterator<Item = &'a String>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    /// As JSON without white space.
    pub(super) fn to_json(&self) -> String {
        let mut json = String::new();
        self.write(&mut json);
        json
    }

    fn write(&self, json: &mut String) {
        match self {
            Self::Null => json.push_str("null"),
            Self::Bool(value) => drop(write!(json, "{value}")),
            Self::Number(number) => json.push_str(number),
            Self::Text(text) => json.push_str(&serde_json::Value::from(text.as_str()).to_string()),
            Self::List(list) => {
                json.push('[');
                for (position, value) in list.iter().enumerate() {
                    json.push_str(if position == 0 { "" } else { "," });
                    value.write(json);
                }
                json.push(']');
            }
            Self::Map(map) => {
                json.push('{');
                for (position, (key, value)) in map.iter().enumerate() {
                    json.push_str(if position == 0 { "" } else { "," });
                    Self::text(key).write(json);
                    json.push(':');
                    value.write(json);
                }
                json.push('}');
            }
        }
    }
}

impl From<&Tree> for Value {
    fn from(tree: &Tree) -> Self {
        match tree {
            Tree::Null => Self::Null,
            Tree::Bool(value) => Self::Bool(*value),
            Tree::Number(number) => Self::Number(number.clone()),
            Tree::Text(text) => Self::text(&text.raw),
            Tree::List(list) => Self::List(list.iter().map(Self::from).collect()),
            Tree::Map(map) => Self::Map(map.iter().map(|(key, value)| (key.clone(), Self::from(value))).collect()),
        }
    }
}

/// Keys with their values.
pub(super) type Values = Vec<(String, Value)>;

/// The keys of a task that its results depend on. Scripts are read from `folder`.
pub(super) fn task_values(task: &Task, folder: &Path) -> Values {
    let mut values = Values::new();
    match &task.kind {
        TaskKind::Echo(task) => values.push(("message".to_owned(), Value::from(&task.message))),
        TaskKind::Shell(task) => {
            let command = match &task.command {
                Command::Line(line) => Value::text(&line.raw),
                Command::Argv(words) => Value::texts(words.iter().map(|word| &word.raw)),
            };
            values.push(("command".to_owned(), command));
            values.extend(task.working_dir.iter().map(|text| ("working_dir".to_owned(), Value::text(&text.raw))));
            values.extend(prefixed("env", &task.env));
            let shell = task.shell.as_ref().map(|shell| ("shell".to_owned(), Value::texts(&shell.0)));
            values.extend(shell);
            values.extend(task.stdin.as_ref().map(|stdin| ("stdin".to_owned(), stdin_value(stdin))));
        }
        TaskKind::Http(task) => values.extend(http_values(task)),
        TaskKind::Python(task) => values.extend(python_values(task, folder)),
    }
    values
}

fn stdin_value(stdin: &Stdin) -> Value {
    match stdin {
        Stdin::Text(tree) => Value::from(tree),
        Stdin::Batch(text, _) => {
            let text = match text {
                BatchText::JsonLines => "jsonl",
                BatchText::Csv => "csv",
                BatchText::Lines => "lines",
            };
            Value::Map(vec![("batch".to_owned(), Value::text(text))])
        }
    }
}

fn prefixed<'a>(prefix: &'a str, pairs: &'a [(String, Tree)]) -> impl Iterator<Item = (String, Value)> + 'a {
    pairs.iter().map(move |(name, value)| (format!("{prefix}.{name}"), Value::from(value)))
}

fn http_values(task: &HttpTask) -> Values {
    let mut values = vec![("url".to_owned(), Value::text(&task.url.raw))];
    let body = match &task.body {
        RequestBody::Text(text) => Some(text),
        _ => None,
    };
    let texts = [
        ("method", &task.method),
        ("body", &body.cloned()),
        ("save_to", &task.response.save_to),
        ("client_cert", &task.tls.client_cert),
    ];
    values.extend(texts.into_iter().filter_map(|(name, text)| {
        let text = text.as_ref()?;
        Some((name.to_owned(), Value::text(&text.raw)))
    }));
    values.extend(prefixed("headers", &task.headers));
    values.extend(prefixed("params", &task.params));
    match &task.body {
        RequestBody::Json(value) => values.push(("json".to_owned(), Value::from(value))),
        RequestBody::Form(fields) => values.extend(prefixed("form", fields)),
        RequestBody::Multipart { fields, files } => {
            values.extend(prefixed("form", fields));
            values.extend(prefixed("files", files));
        }
        RequestBody::None | RequestBody::Text(_) => {}
    }
    let auth = task.auth.as_ref().map(|auth| {
        Value::Map(match auth {
            Auth::Basic { username, password } => vec![
                ("username".to_owned(), Value::text(&username.raw)),
                ("password".to_owned(), Value::text(&password.raw)),
            ],
            Auth::Bearer(token) => vec![("bearer".to_owned(), Value::text(&token.raw))],
        })
    });
    values.extend(auth.map(|auth| ("auth".to_owned(), auth)));
    values.extend(task.cookies.then(|| ("cookies".to_owned(), Value::Bool(true))));
    values.extend(response_values(&task.response));
    values
}

/// What a result has of a response. What is as by default is left out.
fn response_values(response: &ResponseUse) -> Values {
    let mut values = Values::new();
    if !response.ok_statuses.is_empty() {
        let ranges = response.ok_statuses.iter().map(|range| format!("{}-{}", range.start(), range.end()));
        values.push(("ok_statuses".to_owned(), Value::List(ranges.map(Value::Text).collect())));
    }
    if !response.fields.is_empty() {
        let field = |(name, part): &(String, crate::spec::Field)| (name.clone(), Value::text(&part.0));
        values.push(("fields".to_owned(), Value::Map(response.fields.iter().map(field).collect())));
    }
    values
}

/// `seed` of the step. Not what an input of that name is called.
pub(super) const SEED: &str = "seed of the step";

fn python_values(task: &PythonTask, folder: &Path) -> Values {
    let (name, value) = match &task.program {
        PythonProgram::Code(code) => ("code", code.raw.clone()),
        PythonProgram::Function { module, name, .. } => ("function", format!("{module}:{name}")),
        PythonProgram::Operation { name, .. } => ("operation", name.clone()),
        PythonProgram::Script(path) => {
            // A script that cannot be read was an error before anything ran.
            ("script", script_text(folder, &path.raw))
        }
    };
    let mut values = vec![(name.to_owned(), Value::Text(value))];
    values.extend(task.setup.iter().map(|text| ("setup".to_owned(), Value::text(&text.raw))));
    values.extend(task.seed.iter().map(|seed| {
        let seed = match seed {
            Setting::Fixed(seed) => Value::Number(seed.to_string()),
            Setting::Template(text) => Value::text(&text.raw),
        };
        (SEED.to_owned(), seed)
    }));
    values.extend(task.inputs.iter().map(|(name, value)| (name.clone(), Value::from(value))));
    values
}

/// The keys of `{csv:}` and the like that say how rows are read. Which rows there are is a matter of their keys.
pub(super) fn rows_values(rows: &RowsSpec) -> Values {
    let columns = rows.columns.as_ref();
    let columns = columns.map_or(Value::Null, |columns| Value::texts(columns.iter().map(|text| &text.raw)));
    let character = |byte: u8| Value::text(char::from(byte));
    let values = [
        ("columns", columns),
        ("types", types(&rows.types)),
        ("delimiter", delimiter(&rows.dialect.delimiter)),
        ("quote", rows.dialect.quote.map_or(Value::Bool(false), character)),
        ("header", header(&rows.header)),
        ("encoding", Value::text(rows.encoding.name())),
        ("null", Value::texts(&rows.null)),
        ("where_from", rows.where_from.as_ref().map_or(Value::Null, Value::text)),
        ("on_schema_drift", Value::text(on_schema_drift(rows.on_schema_drift))),
    ];
    let named = values.into_iter().map(|(name, value)| (name.to_owned(), value));
    named.chain(format_values(rows)).collect()
}

fn delimiter(delimiter: &Delimiter) -> Value {
    match delimiter {
        Delimiter::Byte(byte) => Value::text(char::from(*byte)),
        Delimiter::Text(text) => Value::text(text),
        Delimiter::Whitespace => Value::Null,
    }
}

/// What else is said of how a file is written. What is as by default is left out, so that these keys could be added without
/// making every step run again.
fn format_values(rows: &RowsSpec) -> Values {
    let dialect = &rows.dialect;
    let plain = CsvDialect { delimiter: dialect.delimiter.clone(), quote: dialect.quote, ..CsvDialect::default() };
    let mut values = Values::new();
    if *dialect != plain {
        values.push(("dialect".to_owned(), Value::Text(serde_json::to_string(dialect).unwrap_or_default())));
    }
    if rows.dialect_from != DialectFrom::Workflow {
        // Another number for each version that may find out something else.
        values.push(("dialect".to_owned(), Value::text(format!("auto {}", crate::sniff::VERSION))));
    }
    if !rows.values.is_usual() {
        values.push(("values".to_owned(), Value::Text(serde_json::to_string(&rows.values).unwrap_or_default())));
    }
    if !rows.dates.is_empty() {
        let date = |(name, date): &(String, DateFormat)| (name.clone(), Value::text(&date.format));
        values.push(("dates".to_owned(), Value::Map(rows.dates.iter().map(date).collect())));
    }
    if rows.partitions {
        values.push(("partitions".to_owned(), Value::Bool(true)));
    }
    if rows.names == Names::Error {
        values.push(("names".to_owned(), Value::text("error")));
    }
    values
}

fn types(types: &Types) -> Value {
    match types {
        Types::AsTheyAre => Value::Null,
        Types::Infer => Value::text("infer"),
        Types::Named(named) => {
            Value::Map(named.iter().map(|(name, of)| (name.clone(), Value::text(of.name()))).collect())
        }
    }
}

fn header(header: &Header) -> Value {
    match header {
        Header::First => Value::Bool(true),
        Header::Missing => Value::Bool(false),
        Header::Named(names) => Value::texts(names),
    }
}

fn on_schema_drift(drift: OnSchemaDrift) -> &'static str {
    match drift {
        OnSchemaDrift::Error => "error",
        OnSchemaDrift::Group => "group",
        OnSchemaDrift::Union => "union",
    }
}

/// `aggregate` where the engine computes it.
pub(super) fn reductions_value(reductions: &Reductions) -> Value {
    let over = |over: &Over| match over {
        Over::Result => Value::Bool(true),
        Over::Fields(fields) => Value::texts(fields.iter().map(|field| &field.0)),
    };
    let mut map = Vec::new();
    if reductions.count {
        map.push(("count".to_owned(), Value::Bool(true)));
    }
    map.extend(reductions.over.iter().map(|(reduction, of)| (reduction.name().to_owned(), over(of))));
    let uses = |reduction| reductions.over.iter().any(|(other, _)| *other == reduction);
    if uses(Reduction::Quantiles) {
        map.push(("at".to_owned(), Value::texts(&reductions.at)));
    }
    if uses(Reduction::Top) {
        map.push(("top_size".to_owned(), Value::Number(reductions.top_size.to_string())));
    }
    map.extend(reductions.group_by.iter().map(|of| ("group_by".to_owned(), over(of))));
    Value::Map(map)
}

/// The content of a script, whatever its encoding: each byte counts.
fn script_text(folder: &Path, name: &str) -> String {
    let Ok(bytes) = std::fs::read(folder.join(name)) else { return name.to_owned() };
    String::from_utf8(bytes).unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_differ_are_written_differently() {
        let values = [
            Value::Null,
            Value::text("null"),
            Value::List(Vec::new()),
            Value::Map(Vec::new()),
            Value::text(""),
            Value::Bool(false),
            Value::text("false"),
            Value::Number("1".to_owned()),
            Value::text("1"),
            Value::List(vec![Value::text("a"), Value::text("b")]),
            Value::List(vec![Value::text("a,b")]),
            Value::List(vec![Value::text("a\",\"b")]),
            Value::Map(vec![("a".to_owned(), Value::text("b"))]),
        ];
        let written: std::collections::BTreeSet<String> = values.iter().map(Value::to_json).collect();
        assert_eq!(written.len(), values.len());
        assert_eq!(values[9].to_json(), r#"["a","b"]"#);
    }
}
