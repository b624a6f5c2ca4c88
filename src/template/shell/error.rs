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
    #[error("substitution inside code for {0}, which would run the value as code")]
    NestedCode(String),
    /// A place that batchmill may misread.
    #[error("substitution inside {0}, where batchmill cannot be sure how to quote it")]
    Unsure(&'static str),
    /// `shell: [fish, -c]`
    #[error("substitution in a command for `{0}`, whose rules of quoting batchmill does not know")]
    ForeignShell(String),
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
            Self::NestedCode(_) => "pass the value as an argument (`bash -c 'echo \"$1\"' _ {{ item }}`), or read the \
                                    environment variable `BATCHMILL_ITEM` in the code. In code for a shell, \
                                    `{{ item | quote }}` works too; `| raw` runs the value as code"
                .to_owned(),
            Self::Unsure(_) => "assign it to a variable at the start of the command (`value={{ item }}`), and use \
                                `\"$value\"` here"
                .to_owned(),
            Self::ForeignShell(_) => {
                "read the environment variable `BATCHMILL_ITEM` in the command, or use `shell: bash`".to_owned()
            }
            Self::Arithmetic(_) | Self::Nul => return None,
        })
    }
}
