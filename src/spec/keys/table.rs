//! The keys themselves.

use super::key::{Key, KeyGroup, KeyType};

const fn key(name: &'static str, key_type: KeyType, default: Option<&'static str>, doc: &'static str) -> Key {
    Key { name, key_type, default, doc }
}

/// The task types that a step or an item can run.
pub const TASK_TYPES: &[&str] = &["shell", "python", "http_request", "echo"];
/// The types of a parameter.
pub const PARAM_TYPES: &[&str] = &["string", "integer", "number", "boolean", "list", "mapping"];
/// The ways a delay grows.
pub const BACKOFFS: &[&str] = &["fixed", "linear", "exponential"];
/// The formats that results can be written in.
pub const FORMATS: &[&str] = &["jsonl", "csv", "parquet"];
/// The operations of a python task.
pub const OPERATIONS: &[&str] = &["multiply", "add", "subtract", "divide"];

/// The values of `batch_format`.
pub const BATCH_FORMATS: &[&str] = &["records", "pandas", "polars", "pyarrow"];
/// The values of `compression`.
pub const COMPRESSIONS: &[&str] = &["auto", "none", "gzip", "zstd"];
/// The values of `on_bad_row`.
pub const ON_BAD_ROW: &[&str] = &["fail", "skip", "error"];
/// The values of `on_schema_drift`.
pub const ON_SCHEMA_DRIFT: &[&str] = &["error", "group", "union"];
/// The types of a column.
pub const KINDS: &[&str] = &["text", "integer", "number", "boolean", "date", "datetime"];

const STEP_TYPES: &[&str] = &["shell", "python", "http_request", "echo", "batch"];

/// The top of a workflow file.
pub static WORKFLOW: KeyGroup = KeyGroup {
    name: "workflow",
    doc: "A workflow file",
    keys: &[
        key("name", KeyType::Word, Some("the file's name"), "Name of the workflow, part of each run's name"),
        key("description", KeyType::Word, None, "What the workflow does"),
        key("params", KeyType::Params, None, "Parameters, given as `name=value` on the command line"),
        key("env", KeyType::Scalars, None, "Environment variables for every task"),
        key("secrets", KeyType::Texts, None, "Names of variables and parameters whose values are never shown"),
        key("steps", KeyType::Steps, None, "The steps, run one after another"),
        key("on_failure", KeyType::Task, None, "A task that runs when the run did not succeed; it sees `summary`"),
        key(
            "finally",
            KeyType::Task,
            None,
            "A task that runs at the end of every run, however it ends; it sees `summary`",
        ),
    ],
};

/// One entry of `params`.
pub static PARAM: KeyGroup = KeyGroup {
    name: "param",
    doc: "A parameter",
    keys: &[
        key("type", KeyType::OneOf(PARAM_TYPES), Some("any"), "Type that a value must have"),
        key("default", KeyType::Any, None, "Value where none is given"),
        key("required", KeyType::PlainBool, Some("true without `default`"), "Whether a value must be given"),
        key("description", KeyType::Word, None, "What the parameter is for"),
    ],
};

/// One step.
pub static STEP: KeyGroup = KeyGroup {
    name: "step",
    doc: "A step",
    keys: &[
        key("name", KeyType::Word, None, "Name of the step, where `steps` is a list"),
        key("task", KeyType::OneOf(STEP_TYPES), None, "What the step does; `type` means the same"),
        key("type", KeyType::OneOf(STEP_TYPES), None, "What the step does; `task` means the same"),
        key("inputs", KeyType::Mapping, None, "Inputs of the task"),
        key(
            "outputs",
            KeyType::Outputs,
            None,
            "Name under which later steps find the result, or a mapping: where results go",
        ),
        key("for_each", KeyType::Items, None, "Items to run the task for, one by one"),
        key("retry", KeyType::Retry, None, "How often to try again; the task's own `retry` wins"),
        key("timeout", KeyType::Duration, None, "Longest time for the whole step, waits and retries included"),
    ],
};

/// `outputs` as a mapping.
pub static OUTPUTS: KeyGroup = KeyGroup {
    name: "outputs",
    doc: "Where the results of a step go",
    keys: &[
        key("name", KeyType::Word, None, "Name under which later steps find the result"),
        key("path", KeyType::Text, None, "File to write the results to when the step has ended well"),
        key("format", KeyType::OneOf(FORMATS), Some("by the ending of `path`"), "Format of the file"),
        key(
            "parts",
            KeyType::PlainBool,
            Some("false"),
            "Whether `path` is a folder, to be filled with files of limited size",
        ),
        key("item_files", KeyType::Text, Some("`out/STEP`"), "Folder for the files that items make in `item_dir`"),
    ],
};

/// The inputs of a `batch` step.
pub static BATCH: KeyGroup = KeyGroup {
    name: "batch",
    doc: "Inputs of a `batch` step",
    keys: &[
        key("items", KeyType::Items, None, "What to run the task for"),
        key("task", KeyType::Task, None, "What to run for each item"),
        key(
            "batch_size",
            KeyType::CountOrAuto,
            Some("1"),
            "Items per batch; `auto` learns it from the time items take",
        ),
        key("batched", KeyType::PlainBool, None, "Whether the task gets the whole batch as `item`"),
        key(
            "batch_format",
            KeyType::OneOf(BATCH_FORMATS),
            Some("records"),
            "What the batch is as `item`: a list, or a data frame; implies `batched: true`",
        ),
        key("parallel", KeyType::Bool, Some("false"), "Whether to run batches at the same time, on every core"),
        key("max_parallel", KeyType::CountOrAuto, Some("every core"), "Most batches at the same time"),
        key("queue_size", KeyType::Count, Some("twice the batches at the same time"), "Batches waiting to be run"),
        key("continue_on_error", KeyType::Bool, Some("false"), "Whether to go on after an item failed for good"),
        key(
            "max_failures",
            KeyType::Tolerance,
            None,
            "How many items may fail, or which share of them, before the step stops; implies `continue_on_error`",
        ),
        key("bisect_on_error", KeyType::PlainBool, Some("false"), "Whether to halve a failed batch of a batched task"),
        key("on_item_error", KeyType::Task, None, "Task to run for an item that failed for good, with `error`"),
        key("retry", KeyType::Retry, None, "How often to try an item again; the task's own `retry` wins"),
        key("timeout", KeyType::Duration, None, "Longest time for one item; the task's own `timeout` wins"),
        key("batch_timeout", KeyType::Duration, None, "Longest time for one batch"),
        key("aggregate", KeyType::Aggregate, None, "What to make of all results: Python code, or reductions"),
    ],
};

/// `aggregate` of a batch.
pub static AGGREGATE: KeyGroup = KeyGroup {
    name: "aggregate",
    doc: "What to make of all results of a batch",
    keys: &[
        key(
            "code",
            KeyType::Word,
            None,
            "Python code that returns the aggregate; it sees `results`, `failed`, `stats`",
        ),
        key("inputs", KeyType::Mapping, None, "Variables for the code"),
        key("count", KeyType::PlainBool, Some("false"), "Whether to count the results"),
        key("sum", KeyType::Fields, None, "Fields to add up"),
        key("mean", KeyType::Fields, None, "Fields whose mean to take"),
        key("min", KeyType::Fields, None, "Fields whose least value to find"),
        key("max", KeyType::Fields, None, "Fields whose greatest value to find"),
        key("group_by", KeyType::Fields, None, "Fields whose values make the groups"),
    ],
};

/// What every task takes, whatever its type.
pub static TASK: KeyGroup = KeyGroup {
    name: "task",
    doc: "A task",
    keys: &[
        key("type", KeyType::OneOf(TASK_TYPES), None, "What the task does; `task` means the same"),
        key("task", KeyType::OneOf(TASK_TYPES), None, "What the task does; `type` means the same"),
        key("inputs", KeyType::Mapping, None, "Inputs of the task, which may also stand beside `type`"),
        key("retry", KeyType::Retry, None, "How often to try again"),
        key("timeout", KeyType::Duration, None, "Longest time for one item"),
    ],
};

/// The inputs of a `shell` task.
pub static SHELL: KeyGroup = KeyGroup {
    name: "shell",
    doc: "Inputs of a `shell` task",
    keys: &[
        key("command", KeyType::TextOrTexts, None, "Command for the shell, or a list: a program and its arguments"),
        key("working_dir", KeyType::Text, Some("the current folder"), "Folder to run the command in"),
        key("env", KeyType::Scalars, None, "Further environment variables"),
    ],
};

/// The inputs of a `python` task.
pub static PYTHON: KeyGroup = KeyGroup {
    name: "python",
    doc: "Inputs of a `python` task; all others are variables for the code",
    keys: &[
        key("code", KeyType::Word, None, "Code to run; its result is what it returns, or the variable `result`"),
        key("function", KeyType::Word, None, "Function to call, as `module:name`"),
        key("script", KeyType::Word, None, "File whose text is run like `code`"),
        key("operation", KeyType::OneOf(OPERATIONS), None, "Arithmetic on `item` and `factor`"),
        key("item", KeyType::Any, Some("the item"), "First operand of `operation`"),
        key("factor", KeyType::Any, None, "Second operand of `operation`"),
        key("setup", KeyType::Word, None, "Code to run once per worker before its first item"),
        key("teardown", KeyType::Word, None, "Code to run once per worker at its end"),
        key("max_memory", KeyType::Size, None, "Most memory of a worker, such as `512MB`"),
        key("max_items_per_worker", KeyType::Count, None, "Items after which a worker is replaced by a fresh one"),
    ],
};

/// The inputs of an `http_request` task.
pub static HTTP: KeyGroup = KeyGroup {
    name: "http_request",
    doc: "Inputs of an `http_request` task",
    keys: &[
        key("url", KeyType::Text, None, "Address to request"),
        key("method", KeyType::Text, Some("GET, with a body POST"), "Method of the request"),
        key("headers", KeyType::Scalars, None, "Headers of the request"),
        key("params", KeyType::Mapping, None, "Query of the address; a list gives a name several times"),
        key("json", KeyType::Any, None, "Body to send as JSON"),
        key("body", KeyType::Text, None, "Body to send as text"),
        key("auth", KeyType::Auth, None, "Credentials"),
        key("save_to", KeyType::Text, None, "File for the body of the answer"),
        key("rate_limit", KeyType::Rate, None, "Most requests per second and host"),
    ],
};

/// The inputs of an `echo` task.
pub static ECHO: KeyGroup = KeyGroup {
    name: "echo",
    doc: "Inputs of an `echo` task",
    keys: &[key("message", KeyType::Any, None, "Value to give back, of any type")],
};

/// `retry`.
pub static RETRY: KeyGroup = KeyGroup {
    name: "retry",
    doc: "How often, and after what time, to try again",
    keys: &[
        key("max_attempts", KeyType::Count, Some("3"), "Attempts in all, the first included"),
        key("delay", KeyType::Duration, Some("1"), "Time before the second attempt"),
        key("backoff", KeyType::OneOf(BACKOFFS), Some("fixed"), "How the delay grows"),
        key("max_delay", KeyType::Duration, Some("1d"), "Where the delay stops growing"),
        key("jitter", KeyType::Share, Some("0"), "Share of the delay that is left to chance, 0 to 1"),
        key(
            "on",
            KeyType::RetryOn,
            None,
            "What to try again after: exception names, exit codes, HTTP statuses, `timeout`, `crash`",
        ),
    ],
};

/// The sources that `items` and `for_each` take.
pub static SOURCES: KeyGroup = KeyGroup {
    name: "items",
    doc: "A source of items",
    keys: &[
        key("glob", KeyType::TextOrTexts, None, "Files that match a pattern, sorted"),
        key("range", KeyType::Range, None, "Integers: the end, or start, stop and step"),
        key("lines", KeyType::Text, None, "Lines of a text file"),
        key("command", KeyType::Text, None, "Lines that a shell command prints"),
        key("csv", KeyType::TextOrTexts, None, "Rows of CSV files: paths and patterns"),
        key("jsonl", KeyType::TextOrTexts, None, "Lines of JSON Lines files: paths and patterns"),
        key("parquet", KeyType::TextOrTexts, None, "Rows of Parquet files: paths and patterns"),
        key("sql", KeyType::Text, None, "Rows that a database gives for a query"),
    ],
};

/// What may stand beside `csv`, `jsonl` and `parquet`.
pub static ROWS: KeyGroup = KeyGroup {
    name: "rows",
    doc: "How rows of files are read",
    keys: &[
        key("columns", KeyType::Texts, Some("all"), "Columns to keep, in this order"),
        key("types", KeyType::Types, Some("text"), "Types of columns by name, or `infer`"),
        key("delimiter", KeyType::Word, Some(","), "Character between two fields; `tab` is one"),
        key("quote", KeyType::Word, Some("\""), "Character around fields; `none` where there is none"),
        key("header", KeyType::Header, Some("true"), "Whether the first record names the columns, or their names"),
        key("encoding", KeyType::Word, Some("utf-8"), "Encoding of the files, by its name on the web"),
        key("null", KeyType::TextOrTexts, None, "Texts that stand for nothing"),
        key(
            "compression",
            KeyType::OneOf(COMPRESSIONS),
            Some("auto"),
            "Compression of the files; `auto` goes by their names",
        ),
        key("where_from", KeyType::Word, None, "Column to add for the path of the row's file"),
        key("limit", KeyType::Count, None, "Most rows"),
        key("skip", KeyType::Integer, Some("0"), "Rows to pass over first"),
        key("on_bad_row", KeyType::OneOf(ON_BAD_ROW), Some("fail"), "What becomes of rows that cannot be read"),
        key(
            "on_schema_drift",
            KeyType::OneOf(ON_SCHEMA_DRIFT),
            Some("error"),
            "What to do where files differ in columns",
        ),
    ],
};

/// What may stand beside `sql`.
pub static SQL: KeyGroup = KeyGroup {
    name: "sql",
    doc: "Which database is asked, and how",
    keys: &[
        key("url", KeyType::Text, None, "The database: `sqlite:///PATH` or `postgresql://..`"),
        key("params", KeyType::List, None, "Values for the places of the query"),
        key("limit", KeyType::Count, None, "Most rows"),
    ],
};

/// `range` as a mapping.
pub static RANGE: KeyGroup = KeyGroup {
    name: "range",
    doc: "A range of integers",
    keys: &[
        key("start", KeyType::Integer, Some("0"), "First integer"),
        key("stop", KeyType::Integer, None, "Where to stop, itself not included"),
        key("step", KeyType::Integer, Some("1"), "Distance of neighbours, not 0"),
    ],
};

/// `auth` of an HTTP request.
pub static AUTH: KeyGroup = KeyGroup {
    name: "auth",
    doc: "Credentials of an HTTP request",
    keys: &[
        key("username", KeyType::Text, None, "User name, together with `password`"),
        key("password", KeyType::Text, None, "Password, together with `username`"),
        key("bearer", KeyType::Text, None, "Bearer token"),
    ],
};

/// Every group of keys.
pub fn key_groups() -> [&'static KeyGroup; 17] {
    [
        &WORKFLOW, &PARAM, &STEP, &OUTPUTS, &BATCH, &AGGREGATE, &SOURCES, &ROWS, &SQL, &RANGE, &TASK, &RETRY, &SHELL,
        &PYTHON, &HTTP, &AUTH, &ECHO,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_line_of_documentation() {
        for group in key_groups() {
            for key in group.keys {
                assert!(!key.doc.is_empty() && !key.doc.ends_with('.') && !key.doc.contains('\n'), "{}", key.name);
            }
        }
    }
}
