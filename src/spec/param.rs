//! The parameters that a workflow declares.

use crate::model::{Span, Tree};

/// One entry of `params`.
#[derive(Debug, Clone)]
pub struct Param {
    /// The name: an identifier.
    pub name: String,
    /// The place of the name.
    pub span: Span,
    /// `type`
    pub kind: Option<ParamKind>,
    /// `default`, of the declared type.
    pub default: Option<Tree>,
    /// `required`. Default: true unless there is a `default`.
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
