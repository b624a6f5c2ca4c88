//! Where in a command a substitution cannot stand.

/// What is wrong with a substitution's place in a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShellError {
    /// `\{{ item }}`
    #[error("a backslash stands right before a substitution; substitutions are quoted by themselves")]
    Backslash,
    /// `$'{{ item }}'`
    #[error("a substitution cannot stand inside `$'..'`; use '..' or \"..\"")]
    DollarQuote,
    /// `<<'EOF'`
    #[error(
        "a substitution cannot stand inside a here-document with a quoted delimiter; leave the quotes of `{0}` away"
    )]
    QuotedHeredoc(String),
    /// `$(( {{ item }} ))`
    #[error("only a whole number can stand inside `$((..))`; found `{0}`")]
    Arithmetic(String),
    /// `bash -c "echo {{ item }}"`
    #[error(
        "a substitution stands inside code for `{0}`, which would run what the item says; hand it over as an argument \
         (`bash -c 'echo \"$1\"' _ {{{{ item }}}}`), read `$BATCHMILL_ITEM` there, or write `| raw` if that is meant"
    )]
    InnerCode(String),
    /// Marker characters in the command or a value.
    #[error("a command cannot hold a NUL byte")]
    Nul,
}
