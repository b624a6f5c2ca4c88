//! The names that a template may use at a place of the workflow.

use super::error::TemplateErrorKind;

/// The members of `summary`.
pub const SUMMARY_MEMBERS: [&str; 8] =
    ["run_id", "workflow", "status", "failed", "failures", "other_failures", "report", "steps"];

/// The names defined at a place of the workflow, so that templates can be checked before anything runs.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Whether there is an item: `item`, `index`, `batch`.
    pub item: bool,
    /// Whether there is `item_dir`.
    pub item_dir: bool,
    /// Whether there is `error`.
    pub error: bool,
    /// Whether there is `summary`.
    pub summary: bool,
    /// The parameters; `None` if the workflow accepts any.
    pub params: Option<Vec<String>>,
    /// Environment variables.
    pub env: Vec<String>,
    /// Earlier steps.
    pub steps: Vec<String>,
    /// The earlier steps that have an aggregate.
    pub aggregates: Vec<String>,
    /// Outputs of earlier steps.
    pub outputs: Vec<String>,
}

/// Why a name cannot be used.
#[derive(Debug)]
pub(super) struct NameError {
    pub kind: TemplateErrorKind,
    pub message: String,
    pub help: String,
}

impl NameError {
    fn undefined(message: String, help: String) -> Self {
        Self { kind: TemplateErrorKind::UndefinedName, message, help }
    }
}

impl Names {
    /// Checks a dotted name that a template uses. An error if it is known not to be defined.
    pub(super) fn check(&self, name: &str) -> Result<(), NameError> {
        let mut parts = name.split('.');
        let root = parts.next().unwrap_or_default();
        let Some(member) = parts.next() else { return self.check_root(root) };
        match root {
            "params" => match &self.params {
                Some(params) if !params.iter().any(|param| param == member) => {
                    let message = format!("`params.{member}` is not defined");
                    Err(NameError::undefined(message, known("parameters", "the workflow declares none", params)))
                }
                _ => Ok(()),
            },
            "env" if !self.env.iter().any(|name| name == member) => Err(NameError {
                kind: TemplateErrorKind::UnsetVariable,
                message: format!("environment variable `{member}` is not set"),
                help: "set it, or define it under `env` in the workflow".to_owned(),
            }),
            "summary" if self.summary && !SUMMARY_MEMBERS.contains(&member) => {
                let members = SUMMARY_MEMBERS.map(str::to_owned);
                let message = format!("`summary.{member}` is not defined");
                Err(NameError::undefined(message, known("members", "", &members)))
            }
            "steps" if !self.steps.iter().any(|step| step == member) => {
                let message = format!("`steps.{member}` is not defined");
                Err(NameError::undefined(message, known("earlier steps", "there is no earlier step", &self.steps)))
            }
            "steps" if parts.next() == Some("aggregate") && !self.aggregates.iter().any(|step| step == member) => {
                let message = format!("step `{member}` has no `aggregate`");
                Err(NameError::undefined(message, format!("add `aggregate` to the inputs of step `{member}`")))
            }
            _ => self.check_root(root),
        }
    }

    fn check_root(&self, root: &str) -> Result<(), NameError> {
        let known = match root {
            "params" | "env" | "steps" | "run" => true,
            "item" | "index" | "batch" if self.item => true,
            "item_dir" if self.item_dir => true,
            "error" if self.error => true,
            "summary" if self.summary => true,
            _ => {
                self.outputs.iter().any(|output| output == root)
                    || self.params.as_ref().is_none_or(|params| params.iter().any(|param| param == root))
            }
        };
        if known {
            return Ok(());
        }
        Err(NameError::undefined(format!("`{root}` is not defined"), format!("defined names: {}", self.list())))
    }

    /// All names, for a message: `batch`, `env`, `index`, ...
    fn list(&self) -> String {
        let mut names: Vec<&str> = vec!["env", "params", "run", "steps"];
        names.extend(self.item.then_some(["batch", "index", "item"]).into_iter().flatten());
        names.extend(self.item_dir.then_some("item_dir"));
        names.extend(self.error.then_some("error"));
        names.extend(self.summary.then_some("summary"));
        names.extend(self.outputs.iter().map(String::as_str));
        names.extend(self.params.iter().flatten().map(String::as_str));
        names.sort_unstable();
        names.dedup();
        quoted(&names)
    }
}

fn known(what: &str, none: &str, names: &[String]) -> String {
    if names.is_empty() {
        return none.to_owned();
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    format!("{what}: {}", quoted(&names))
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
