//! Text and values of a workflow file, with their positions.

/// A range of bytes in the text of the workflow file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset after the last byte.
    pub end: usize,
}

impl Span {
    /// The span from `start` up to but not including `end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

/// A string of the workflow file, which may contain template expressions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    /// The string as YAML gives it: escapes resolved, block indentation removed.
    pub raw: String,
    /// Its position in the file, including quotes or block indicator.
    pub span: Span,
}

impl Text {
    /// A text without a position in the file.
    pub fn new(raw: impl Into<String>) -> Self {
        Self { raw: raw.into(), span: Span::default() }
    }

    /// Whether it contains a template expression or statement.
    pub fn is_template(&self) -> bool {
        self.raw.contains("{{") || self.raw.contains("{%") || self.raw.contains("{##")
    }
}

/// A value of the workflow file whose strings may be templates.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as JSON writes it, so integers keep all their digits. Never NaN or infinite.
    Number(String),
    /// A string
    Text(Text),
    /// A sequence
    List(Vec<Tree>),
    /// A mapping in file order; keys are not templates
    Map(Vec<(String, Tree)>),
}

impl Tree {
    /// Whether any string in it is a template.
    pub fn is_template(&self) -> bool {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) => false,
            Self::Text(text) => text.is_template(),
            Self::List(list) => list.iter().any(Self::is_template),
            Self::Map(map) => map.iter().any(|(_, value)| value.is_template()),
        }
    }

    /// Calls `visit` with every string in it, in file order.
    pub fn texts<'a>(&'a self, visit: &mut dyn FnMut(&'a Text)) {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) => {}
            Self::Text(text) => visit(text),
            Self::List(list) => list.iter().for_each(|value| value.texts(visit)),
            Self::Map(map) => map.iter().for_each(|(_, value)| value.texts(visit)),
        }
    }
}
