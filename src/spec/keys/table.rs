//! The table itself. Its texts are shown by editors, through the JSON Schema.

use super::key::{KeyGroup, KeyType, is, key, words};
use super::words::{
    BACKOFFS, BATCH_FORMATS, BATCH_TEXTS, CSV_QUOTES, FORMATS, IF_EXISTS, INCLUDES, ON_MISSING, ON_TYPE_CONFLICT,
    OPERATIONS, OUTPUT_COMPRESSIONS, PARAM_TYPES, STEP_TYPES, TASK_TYPES,
};

const SEED: &str = "Seed of the random numbers of Python code: each item gets its own, always the same";

/// The top of a workflow file.
pub static WORKFLOW: KeyGroup = KeyGroup {
    name: "workflow",
    doc: "A workflow file",
    keys: &[
        key(
            "name",
            KeyType::Word,
            words("the file name without its extension"),
            "Name of the workflow; part of each run ID",
        ),
        key("description", KeyType::FreeText, None, "What the workflow does"),
        key("params", KeyType::Params, None, "Parameters, set with `name=value` on the command line"),
        key("env", KeyType::Scalars, None, "Environment variables for every task"),
        key(
            "shell",
            KeyType::Shell,
            is("sh"),
            "Shell that runs commands; `shell` of a step or a task takes precedence",
        ),
        key(
            "seed",
            KeyType::Integer,
            None,
            "Seed of the random numbers of Python tasks; `seed` of a step takes precedence",
        ),
        key("secrets", KeyType::Texts, None, "Environment variables and parameters whose values are never shown"),
        key(
            "keep_runs",
            KeyType::PlainCount,
            words("20 incremental runs, all others"),
            "How many successful runs to keep for each set of parameters",
        ),
        key(
            "time_limit",
            KeyType::Delay,
            None,
            "Time that a run may take; it starts no new items in time, and can be resumed",
        ),
        key(
            "min_free_memory",
            KeyType::Size,
            None,
            "Start no new batches while the machine has less memory free, for example `2GiB`",
        ),
        key(
            "max_load",
            KeyType::PlainCount,
            None,
            "Start no new batches while the load average of the machine is higher",
        ),
        key("steps", KeyType::Steps, None, "Steps, run one after another"),
        key("on_failure", KeyType::Task, None, "Task to run if the run does not succeed; it can use `summary`"),
        key(
            "finally",
            KeyType::Task,
            None,
            "Task to run at the end of every run, whether it succeeds or fails; it can use `summary`",
        ),
    ],
};

/// One entry of `params`.
pub static PARAM: KeyGroup = KeyGroup {
    name: "param",
    doc: "A parameter",
    keys: &[
        key("type", KeyType::OneOf(PARAM_TYPES), words("any"), "Required type of the value"),
        key("default", KeyType::Any, None, "Value to use if none is given"),
        key("required", KeyType::PlainBool, words("true unless there is a `default`"), "Whether a value must be given"),
        key("description", KeyType::FreeText, None, "What the parameter is for"),
    ],
};

/// One step.
pub static STEP: KeyGroup = KeyGroup {
    name: "step",
    doc: "A step",
    keys: &[
        key("name", KeyType::StepName, None, "Name of the step, if `steps` is a list"),
        key("task", KeyType::OneOf(STEP_TYPES), None, "Type of task that the step runs; `type` is an alias"),
        key("type", KeyType::OneOf(STEP_TYPES), None, "Type of task that the step runs; `task` is an alias"),
        key("inputs", KeyType::Mapping, None, "Inputs of the task"),
        key(
            "outputs",
            KeyType::Outputs,
            None,
            "Name of the result in later steps, or a mapping that says where results go",
        ),
        key("for_each", KeyType::Items, None, "Items to run the task for"),
        key("retry", KeyType::Retry, None, "When to retry; `retry` of the task takes precedence"),
        key("timeout", KeyType::Duration, None, "Time limit for the whole step, including waits and retries"),
        key(
            "shell",
            KeyType::Shell,
            words("`shell` of the workflow"),
            "Shell that runs the commands of the step; `shell` of a task takes precedence",
        ),
        key("seed", KeyType::Integer, words("`seed` of the workflow"), SEED),
    ],
};

/// `outputs` as a mapping.
pub static OUTPUTS: KeyGroup = KeyGroup {
    name: "outputs",
    doc: "Where the results of a step go",
    keys: &[
        key("name", KeyType::OutputName, None, "Name of the result in later steps"),
        key("path", KeyType::Text, None, "File for the results, written when the step has succeeded"),
        key("format", KeyType::OneOf(FORMATS), words("by file extension"), "Format of the file"),
        key(
            "parts",
            KeyType::PlainBool,
            is("false"),
            "Whether `path` is a directory for several files of limited size",
        ),
        key("only_new", KeyType::PlainBool, is("false"), "Whether to write only results that this run produced"),
        key("compression", KeyType::OneOf(OUTPUT_COMPRESSIONS), words("by file extension"), "Compression of the file"),
        key("columns", KeyType::Columns, words("all"), "Columns to write, in this order"),
        key(
            "include",
            KeyType::Words(INCLUDES),
            None,
            "What each row has besides the result: the item or its fields, and more; with `error`, failed items have rows",
        ),
        key("delimiter", KeyType::Character("tab"), is(","), "Character between two fields of CSV; `tab` for a tab"),
        key("quote", KeyType::OneOf(CSV_QUOTES), is("minimal"), "Fields of CSV to quote: those that need it, or all"),
        key("null", KeyType::Literal, words("empty"), "Text in CSV for null and for missing keys"),
        key("bom", KeyType::PlainBool, is("false"), "Whether CSV begins with a byte order mark, as Excel likes it"),
        key(
            "on_type_conflict",
            KeyType::OneOf(ON_TYPE_CONFLICT),
            is("error"),
            "What to do if a Parquet column has no type",
        ),
        key("drop_null", KeyType::PlainBool, is("false"), "Whether null results are left out of JSON Lines"),
        key("sql", KeyType::Text, None, "Database for the results: `sqlite:///PATH` or `postgresql://..`"),
        key("table", KeyType::Text, None, "Table for the results in the database of `sql`"),
        key("key", KeyType::ColumnOrColumns, None, "Columns that identify a row, so that rows are updated"),
        key("if_exists", KeyType::OneOf(IF_EXISTS), is("fail"), "What happens if the table exists"),
        key(
            "on_missing",
            KeyType::OneOf(ON_MISSING),
            is("run"),
            "What a resumed or incremental run does with an item whose files in `item_files` are missing or edited",
        ),
        key(
            "item_files",
            KeyType::Text,
            words("`out/STEP`"),
            "Directory for the files that items create in `item_dir`",
        ),
    ],
};

/// The inputs of a `batch` step.
pub static BATCH: KeyGroup = KeyGroup {
    name: "batch",
    doc: "Inputs of a `batch` step",
    keys: &[
        key("items", KeyType::Items, None, "Items to run the task for"),
        key("task", KeyType::Task, None, "Task to run for each item"),
        key("where", KeyType::Text, words("all"), "Expression that decides which items run"),
        key("batch_size", KeyType::CountOrAuto, is("1"), "Items per batch; `auto` derives it from how long items take"),
        key("allow_empty", KeyType::PlainBool, is("false"), "Whether a step without items is a success"),
        key("repeatable", KeyType::PlainBool, is("false"), "Whether `profile` may run the task again and again"),
        key("batched", KeyType::PlainBool, None, "Whether the task gets a whole batch as `item`"),
        key(
            "batch_format",
            KeyType::OneOf(BATCH_FORMATS),
            is("records"),
            "Form of a batch as `item`: a list or a data frame; implies `batched: true`",
        ),
        key("seed", KeyType::Integer, words("`seed` of the step"), SEED),
        key("parallel", KeyType::Bool, is("false"), "Whether to run batches in parallel, on every core"),
        key(
            "max_parallel",
            KeyType::CountOrAuto,
            words("every core"),
            "Maximum number of batches that run at the same time",
        ),
        key("resources", KeyType::Resources, None, "What each batch that runs needs of its machine"),
        key("queue_size", KeyType::Count, words("twice `max_parallel`"), "Maximum number of batches that wait to run"),
        key(
            "continue_on_error",
            KeyType::Bool,
            is("false"),
            "Whether to continue after an item has failed its last attempt",
        ),
        key(
            "max_failures",
            KeyType::Tolerance,
            None,
            "Number or percentage of items that may fail before the step stops; implies `continue_on_error`",
        ),
        key(
            "bisect_on_error",
            KeyType::PlainBool,
            is("false"),
            "Whether to split a failed batch of a batched task in two",
        ),
        key(
            "on_item_error",
            KeyType::Task,
            None,
            "Task to run for an item that has failed its last attempt; it can use `error`",
        ),
        key("retry", KeyType::Retry, None, "When to retry an item; `retry` of the task takes precedence"),
        key("timeout", KeyType::Duration, None, "Time limit for one item; `timeout` of the task takes precedence"),
        key("batch_timeout", KeyType::Duration, None, "Time limit for one batch"),
        key("aggregate", KeyType::Aggregate, None, "One value computed from all results, by Python code or reductions"),
    ],
};

/// The keys of every task.
pub static TASK: KeyGroup = KeyGroup {
    name: "task",
    doc: "A task",
    keys: &[
        key("type", KeyType::OneOf(TASK_TYPES), None, "Type of the task; `task` is an alias"),
        key("task", KeyType::OneOf(TASK_TYPES), None, "Type of the task; `type` is an alias"),
        key("inputs", KeyType::Mapping, None, "Inputs of the task, which can also be next to `type`"),
        key("retry", KeyType::Retry, None, "When to retry"),
        key("timeout", KeyType::Duration, None, "Time limit for one item"),
    ],
};

/// The inputs of a `shell` task.
pub static SHELL: KeyGroup = KeyGroup {
    name: "shell",
    doc: "Inputs of a `shell` task",
    keys: &[
        key("command", KeyType::Command, None, "Shell command, or a list with a program and its arguments"),
        key("working_dir", KeyType::Text, words("the current directory"), "Directory to run the command in"),
        key("env", KeyType::Scalars, None, "Additional environment variables"),
        key(
            "shell",
            KeyType::Shell,
            words("`shell` of the step or of the workflow, or `sh`"),
            "Shell that runs `command` if that is a string: a name, or a list with a program and its options",
        ),
        key("max_memory", KeyType::Size, None, "Memory limit of the command and all it starts, for example `512MB`"),
        key("stdin", KeyType::Stdin, words("empty"), "What the command reads: a text, or the items of a whole batch"),
    ],
};

/// `stdin` as a mapping.
pub static STDIN: KeyGroup = KeyGroup {
    name: "stdin",
    doc: "The items of a batch as the input of one command, whose lines are the results",
    keys: &[key("batch", KeyType::OneOf(BATCH_TEXTS), None, "How items are written, and how results are read")],
};

/// The inputs of a `python` task.
pub static PYTHON: KeyGroup = KeyGroup {
    name: "python",
    doc: "Inputs of a `python` task; any other key is a variable for the code",
    keys: &[
        key("code", KeyType::Text, None, "Code to run; the result is its return value or the variable `result`"),
        key("function", KeyType::Function, None, "Function to call, as `module:name`"),
        key("script", KeyType::Word, None, "File to run like `code`"),
        key("operation", KeyType::OneOf(OPERATIONS), None, "Arithmetic on `item` and `factor`"),
        key("item", KeyType::Any, words("the item"), "First operand of `operation`"),
        key("factor", KeyType::Any, None, "Second operand of `operation`"),
        key("setup", KeyType::FreeText, None, "Code that each worker runs before its first item"),
        key("teardown", KeyType::FreeText, None, "Code that each worker runs before it exits"),
        key("max_memory", KeyType::Size, None, "Memory limit of a worker, for example `512MB`"),
        key("max_items_per_worker", KeyType::PlainCount, None, "Number of items after which a worker is replaced"),
    ],
};

/// The inputs of an `http_request` task.
pub static HTTP: KeyGroup = KeyGroup {
    name: "http_request",
    doc: "Inputs of an `http_request` task",
    keys: &[
        key("url", KeyType::Text, None, "URL to request"),
        key("method", KeyType::Method, words("POST with a body, else GET"), "HTTP method"),
        key("headers", KeyType::Scalars, None, "Headers of the request"),
        key("params", KeyType::Query, None, "Query parameters; a list repeats the name"),
        key("json", KeyType::Any, None, "Body to send as JSON"),
        key("body", KeyType::FreeText, None, "Body to send as text"),
        key("form", KeyType::Query, None, "Fields to send as an HTML form does"),
        key("files", KeyType::Files, None, "Files to send, by the names of their fields; a list repeats the name"),
        key("auth", KeyType::Auth, None, "Credentials"),
        key("save_to", KeyType::Text, None, "File for the body of the response"),
        key("fields", KeyType::Parts, words("the whole response"), "Fields of the response that are the result"),
        key("ok_statuses", KeyType::Statuses, words("below 400"), "Statuses that are a success"),
        key("rate_limit", KeyType::Rate, None, "Maximum number of requests per second and host"),
        key("cookies", KeyType::PlainBool, is("false"), "Whether the requests of the step share a cookie jar"),
        key("forward_body", KeyType::PlainBool, is("false"), "Whether a redirect may send the body to another server"),
        key("ca_file", KeyType::Text, words("those of the system"), "Certificates of authorities to trust, in PEM"),
        key("verify", KeyType::PlainBool, is("true"), "Whether to check the certificates of servers"),
        key("client_cert", KeyType::Text, None, "Certificate to present to servers, in PEM"),
        key("client_key", KeyType::Text, words("in `client_cert`"), "Private key of `client_cert`, in PEM"),
    ],
};

/// The inputs of an `echo` task.
pub static ECHO: KeyGroup = KeyGroup {
    name: "echo",
    doc: "Inputs of an `echo` task",
    keys: &[key("message", KeyType::Any, None, "Value to return, of any type")],
};

/// `retry`.
pub static RETRY: KeyGroup = KeyGroup {
    name: "retry",
    doc: "How often and after which delay to retry",
    keys: &[
        key("max_attempts", KeyType::PlainCount, is("3"), "Total number of attempts"),
        key("delay", KeyType::Delay, is("1"), "Delay before the second attempt"),
        key("backoff", KeyType::OneOf(BACKOFFS), is("fixed"), "How the delay grows"),
        key("max_delay", KeyType::Delay, is("1d"), "Maximum delay"),
        key("jitter", KeyType::Share, is("0"), "Random share of the delay, from 0 to 1"),
        key(
            "on",
            KeyType::RetryOn,
            None,
            "Failures to retry: exception names, exit codes, HTTP statuses, `timeout`, `crash`",
        ),
    ],
};

/// The sources that `items` and `for_each` take.
pub static SOURCES: KeyGroup = KeyGroup {
    name: "items",
    doc: "A source of items",
    keys: &[
        key("glob", KeyType::Patterns, None, "Files that match a pattern, sorted"),
        key("range", KeyType::Range, None, "Integers: the end, or start, end and step"),
        key("product", KeyType::Product, None, "All combinations of the values of some names, as mappings"),
        key("lines", KeyType::Text, None, "Lines of a text file"),
        key("command", KeyType::Text, None, "Lines that a shell command prints"),
        key("csv", KeyType::Patterns, None, "Rows of CSV files: paths and patterns"),
        key("jsonl", KeyType::Patterns, None, "Lines of JSON Lines files: paths and patterns"),
        key("parquet", KeyType::Patterns, None, "Rows of Parquet files: paths and patterns"),
        key("sql", KeyType::Text, None, "Rows of a database query"),
    ],
};

/// `range` as a mapping.
pub static RANGE: KeyGroup = KeyGroup {
    name: "range",
    doc: "A range of integers",
    keys: &[
        key("start", KeyType::Integer, is("0"), "First integer"),
        key("stop", KeyType::Integer, None, "End, not included"),
        key("step", KeyType::Integer, is("1"), "Difference between two neighbours, not 0"),
    ],
};

/// `auth` of an HTTP request.
pub static AUTH: KeyGroup = KeyGroup {
    name: "auth",
    doc: "Credentials of an HTTP request",
    keys: &[
        key("username", KeyType::FreeText, None, "User name, together with `password`"),
        key("password", KeyType::FreeText, None, "Password, together with `username`"),
        key("bearer", KeyType::Text, None, "Bearer token"),
    ],
};
