//! The parameters that a workflow declares.

use crate::model::{Span, Tree};

/// One entry of `params`.
#[derive(Debug, Clone)]
pub struct Param {
    /// The name, an identifier.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// `type`, if given.
    pub kind: Option<ParamKind>,
    /// `default`; already of the declared type.
    pub default: Option<Tree>,
    /// `required`; true by default where there is no `default`.
    pub required: bool,
    /// `description`
    pub description: Option<String>,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// `string`
    String,
    /// `integer`
    Integer,
    /// `number`: an integer or a float
    Number,
    /// `boolean`
    Boolean,
    /// `list`
    List,
    /// `mapping`
    Mapping,
}
