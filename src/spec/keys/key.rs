//! What a key and a group of keys are.

/// A group of keys that may stand in one mapping.
#[derive(Debug)]
pub struct KeyGroup {
    /// The group's name, for instance `step` or `shell`.
    pub name: &'static str,
    /// What the mapping is.
    pub doc: &'static str,
    /// Its keys in the order of the documentation.
    pub keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// As it is written in the file.
    pub name: &'static str,
    /// What values it takes.
    pub key_type: KeyType,
    /// What holds where it is left out, in words; `None` where nothing holds.
    pub default: Option<&'static str>,
    /// What it means, in one line.
    pub doc: &'static str,
}

/// What values a key takes.
#[derive(Debug, Clone, Copy)]
pub enum KeyType {
    /// Any value.
    Any,
    /// A string, perhaps with templates.
    Text,
    /// A string without templates.
    Word,
    /// `true`, `false` or a template.
    Bool,
    /// `true` or `false`.
    PlainBool,
    /// An integer, at least 1, or a template.
    Count,
    /// Any integer, or a template.
    Integer,
    /// An integer, at least 1, or `auto`, or a template.
    CountOrAuto,
    /// Seconds, or a text such as `500ms`, or a template.
    Duration,
    /// A number per second, or a text such as `10/s`.
    Rate,
    /// A number from 0 to 1.
    Share,
    /// `infer`, or a mapping of names to types.
    Types,
    /// `true`, `false` or a list of names.
    Header,
    /// A number of items, or a share such as `5%`, or a template.
    Tolerance,
    /// A number of bytes, or a text such as `512MB`.
    Size,
    /// A list of names and integers, or one of them.
    RetryOn,
    /// An `aggregate`: Python code or a mapping.
    Aggregate,
    /// A field of a result, a list of them, or `true`.
    Fields,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of strings.
    Texts,
    /// A string or a list of strings.
    TextOrTexts,
    /// A mapping of names to strings, numbers and booleans.
    Scalars,
    /// A mapping of names to any values.
    Mapping,
    /// A list of any values.
    List,
    /// A list, a template, `$(command)` or a source.
    Items,
    /// A number of attempts, or a `retry` mapping.
    Retry,
    /// A `range`: the end, a list or a mapping.
    Range,
    /// An `auth` mapping.
    Auth,
    /// A name, or an `outputs` mapping.
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
