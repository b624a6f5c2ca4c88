//! The words that keys take, and the names that they refuse.

/// The types of tasks.
pub const TASK_TYPES: &[&str] = &["shell", "python", "http_request", "echo"];
/// The types of a parameter.
pub const PARAM_TYPES: &[&str] = &["string", "integer", "number", "boolean", "list", "mapping"];
/// The ways a delay grows.
pub const BACKOFFS: &[&str] = &["fixed", "linear", "exponential"];
/// Values of `on_missing`.
pub const ON_MISSING: &[&str] = &["run", "ignore"];

/// Values of `if_exists`.
pub const IF_EXISTS: &[&str] = &["fail", "append", "replace"];

/// The formats for results.
pub const FORMATS: &[&str] = &["jsonl", "csv", "parquet"];
/// The values of `compression` of an output.
pub const OUTPUT_COMPRESSIONS: &[&str] = &["none", "gzip", "zstd"];
/// The values of `quote` of an output.
pub const CSV_QUOTES: &[&str] = &["minimal", "all"];
/// The values of `on_type_conflict`.
pub const ON_TYPE_CONFLICT: &[&str] = &["error", "text"];
/// What a response consists of: what `fields` may begin with.
pub const RESPONSE_PARTS: &[&str] = &["status", "headers", "body", "body_base64", "json", "elapsed", "saved_to"];
/// The operations of a python task.
pub const OPERATIONS: &[&str] = &["multiply", "add", "subtract", "divide"];

/// The values of `batch_format`.
pub const BATCH_FORMATS: &[&str] = &["records", "pandas", "polars", "pyarrow"];
/// The values of `compression`.
pub const COMPRESSIONS: &[&str] = &["auto", "none", "gzip", "zstd", "bzip2", "xz"];
/// The values of `dialect`.
pub const DIALECTS: &[&str] = &["auto"];
/// What `dialect: auto` finds out.
pub const FOUND_OUT: &[&str] = &[
    "delimiter",
    "quote",
    "escape",
    "stray_quotes",
    "ragged",
    "trailing_delimiter",
    "trim",
    "nul",
    "skip_lines",
    "header_lines",
    "skip_after_header",
    "skip_footer",
    "comment",
    "header",
];
/// The values of `stray_quotes`.
pub const STRAY_QUOTES: &[&str] = &["python", "fail", "literal"];
/// The values of `ragged`.
pub const RAGGED: &[&str] = &["fail", "pad", "truncate", "fill"];
/// The values of `nul`.
pub const NULS: &[&str] = &["keep", "drop"];
/// The values of `nan`.
pub const NANS: &[&str] = &["fail", "drop", "keep"];
/// The values of `names`.
pub const NAMES: &[&str] = &["repair", "error"];
/// The values of `on_bad_row`.
pub const ON_BAD_ROW: &[&str] = &["fail", "skip", "error"];
/// The values of `on_schema_drift`.
pub const ON_SCHEMA_DRIFT: &[&str] = &["error", "group", "union"];
/// The types of a column.
pub const KINDS: &[&str] = &["text", "integer", "number", "boolean", "date", "datetime"];

/// The types of tasks, and of steps that run one for each item.
pub const STEP_TYPES: &[&str] = &["shell", "python", "http_request", "echo", "batch"];

/// The shells whose rules of quoting are known.
pub const SHELLS: &[&str] = &["sh", "dash", "bash", "ksh", "zsh"];
/// The values of `include`.
pub const INCLUDES: &[&str] = &["item", "index", "attempts", "error"];
/// The values of `batch` in `stdin`.
pub const BATCH_TEXTS: &[&str] = &["jsonl", "csv", "lines"];

/// The beginning of keys that are the user's own, for YAML anchors, in every mapping that has a fixed set of keys.
pub const EXTENSION: &str = "x-";

/// Names that are defined in Python code, so no input can have them.
pub const RESERVED_INPUTS: &[&str] = &["index", "batch", "params", "env", "steps", "inputs"];
/// Keywords of Python.
pub const PYTHON_KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];
/// Names that are defined in templates, so no result can have them.
pub const RESERVED_OUTPUTS: &[&str] = &["item", "item_dir", "index", "batch", "error", "params", "env", "steps", "run"];
/// Names in templates that no parameter can have.
pub const RESERVED_PARAMS: &[&str] =
    &["item", "item_dir", "index", "batch", "error", "params", "env", "steps", "run", "summary", "loop", "self"];
/// Keywords of templates.
pub const TEMPLATE_KEYWORDS: &[&str] = &["true", "false", "none", "not", "and", "or", "in", "is", "if", "else"];

/// What only CSV has, besides that.
const OF_CSV: &[&str] =
    &["dialect", "names", "types", "null", "decimal", "thousands", "dates", "true_values", "false_values"];
/// Options of rows that JSON Lines does not have.
pub const NOT_OF_JSON_LINES: &[&[&str]] =
    &[FOUND_OUT, OF_CSV, &["columns", "where_from", "partitions", "on_schema_drift"]];
/// Options of rows that Parquet does not have.
pub const NOT_OF_PARQUET: &[&[&str]] = &[FOUND_OUT, OF_CSV, &["encoding", "compression", "nan"]];
