//! Keys, groups of keys, and the types of their values.

/// The keys of one kind of mapping.
#[derive(Debug)]
pub struct KeyGroup {
    /// The name of the group, for example `step` or `shell`.
    pub name: &'static str,
    /// What the mapping is.
    pub doc: &'static str,
    /// The keys, in the order of the documentation.
    pub keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// The name in the file.
    pub name: &'static str,
    /// The values it takes.
    pub key_type: KeyType,
    /// The default, if there is one.
    pub default: Option<DefaultValue>,
    /// What it means, in one line. Editors show it.
    pub doc: &'static str,
}

/// A default.
#[derive(Debug, Clone, Copy)]
pub enum DefaultValue {
    /// A number, `true`, `false` or a string without quotes.
    Value(&'static str),
    /// What cannot be written as a value.
    Words(&'static str),
}

impl DefaultValue {
    /// As text for people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Value(text) | Self::Words(text) => text,
        }
    }
}

/// The types of values.
#[derive(Debug, Clone, Copy)]
pub enum KeyType {
    /// Any value.
    Any,
    /// A string that is not blank; it may be a template, or code.
    Text,
    /// Any string.
    FreeText,
    /// Any string but a template.
    Literal,
    /// A string that is neither blank nor a template.
    Word,
    /// A list of these words.
    Words(&'static [&'static str]),
    /// A mapping of names to items.
    Product,
    /// The name of a shell, or a list with a program and its options.
    Shell,
    /// A text, or a mapping with `batch`.
    Stdin,
    /// A word, or a mapping with `save`.
    OnBadRow,
    /// The name of a step.
    StepName,
    /// The name of a result.
    OutputName,
    /// `module:name`
    Function,
    /// A method of HTTP, or a template.
    Method,
    /// One ASCII character, or this word.
    Character(&'static str),
    /// A mapping of names to formats of `strftime`.
    DateFormats,
    /// One character other than a letter, digit or sign.
    Mark,
    /// What separates two fields.
    Delimiter,
    /// `true`, `false` or a template.
    Bool,
    /// `true` or `false`.
    PlainBool,
    /// A number of lines, from 0, without templates.
    Lines,
    /// A positive number, without templates.
    PlainCount,
    /// A positive integer or a template.
    Count,
    /// An integer or a template.
    Integer,
    /// A positive integer, `auto` or a template.
    CountOrAuto,
    /// A number of seconds, a duration such as `500ms`, or a template.
    Duration,
    /// The same without templates; may be 0.
    Delay,
    /// A number per second, or a rate such as `10/s`.
    Rate,
    /// A number from 0 to 1.
    Share,
    /// `infer`, or a mapping of names to types.
    Types,
    /// `true`, `false` or a list of names.
    Header,
    /// A number of items, a percentage such as `5%`, or a template.
    Tolerance,
    /// A number of bytes, or a size such as `512MB`.
    Size,
    /// A list of names and integers, or a single one.
    RetryOn,
    /// An `aggregate`: Python code or a mapping.
    Aggregate,
    /// A list of numbers from 0 to 1, at least one, each once.
    Shares,
    /// A field of a result, a list of them, or `true`.
    Fields,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of strings.
    Texts,
    /// The same with at least one, each once.
    Columns,
    /// A column, or a list of them.
    ColumnOrColumns,
    /// A pattern of paths, or a list of them.
    Patterns,
    /// A command, or a list with a program and its arguments.
    Command,
    /// A string or a list of strings.
    TextOrTexts,
    /// A mapping of names to strings, numbers and booleans.
    Scalars,
    /// A mapping of names to any values.
    Mapping,
    /// A mapping of names to scalars and lists of scalars.
    Query,
    /// A mapping of names to paths and lists of paths.
    Files,
    /// A list of HTTP statuses and ranges of them, or a single one.
    Statuses,
    /// A list of fields of a response, or a mapping of names to them.
    Parts,
    /// A list of any values.
    List,
    /// A list, a template, `$(command)` or a source.
    Items,
    /// A number of attempts or a `retry` mapping.
    Retry,
    /// A `resources` mapping.
    Resources,
    /// A mapping of names to amounts.
    Amounts,
    /// A number of at least 0.0001.
    Amount,
    /// A `range`: its end, a list or a mapping.
    Range,
    /// An `auth` mapping.
    Auth,
    /// A name or an `outputs` mapping.
    Outputs,
    /// A mapping of parameters.
    Params,
    /// A list or a mapping of steps.
    Steps,
    /// A task in a mapping.
    Task,
}

impl KeyGroup {
    /// The names of all keys.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.keys.iter().map(|key| key.name)
    }
}

/// A key.
pub(super) const fn key(
    name: &'static str,
    key_type: KeyType,
    default: Option<DefaultValue>,
    doc: &'static str,
) -> Key {
    Key { name, key_type, default, doc }
}

/// A default that is a value.
pub(super) const fn is(value: &'static str) -> Option<DefaultValue> {
    Some(DefaultValue::Value(value))
}

/// A default that takes words.
pub(super) const fn words(text: &'static str) -> Option<DefaultValue> {
    Some(DefaultValue::Words(text))
}
