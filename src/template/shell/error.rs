//! Why a value cannot be inserted into a command.

/// Why a value cannot be inserted into a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShellError {
    /// `\{{ item }}`
    #[error("backslash before a substitution")]
    Backslash,
    /// `$'{{ item }}'`
    #[error("substitution inside `$'..'`")]
    DollarQuote,
    /// `<<'EOF'`
    #[error("substitution inside a here-document with a quoted delimiter")]
    QuotedHeredoc(String),
    /// `$(( {{ item }} ))`
    #[error("`{0}` is not an integer; `$((..))` accepts only integers")]
    Arithmetic(String),
    /// `bash -c "echo {{ item }}"`
    #[error("substitution inside code for `{0}`, which would run the value as code")]
    NestedCode(String),
    /// A NUL byte in the command or a value.
    #[error("a command cannot contain a NUL byte")]
    Nul,
}

impl ShellError {
    /// What to write instead.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Backslash => "remove the backslash; batchmill quotes the value".to_owned(),
            Self::DollarQuote => "use `'..'` or `\"..\"`".to_owned(),
            Self::QuotedHeredoc(delimiter) => format!("remove the quotes around `{delimiter}`"),
            Self::NestedCode(_) => "pass the value as an argument (`bash -c 'echo \"$1\"' _ {{ item }}`), read \
                                    `$BATCHMILL_ITEM` in the code, or add `| raw` to run the value as code"
                .to_owned(),
            Self::Arithmetic(_) | Self::Nul => return None,
        })
    }
}
