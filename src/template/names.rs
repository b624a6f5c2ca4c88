//! The names that a template may use at a place of the workflow.

use super::error::TemplateErrorKind;
use indexmap::IndexSet;
use std::sync::Arc;

/// Names in the order in which they were defined. A copy costs nothing, and looking a name up does not depend on their number:
/// a workflow may have thousands of steps, each of which sees those before it.
#[derive(Debug, Clone, Default)]
pub struct NameList {
    names: Arc<IndexSet<String>>,
    /// Whether any other name may be one of them.
    open: bool,
}

impl NameList {
    /// Adds a name.
    pub fn push(&mut self, name: String) {
        Arc::make_mut(&mut self.names).insert(name);
    }

    /// From now on, any name may be one of them.
    pub fn open(&mut self) {
        self.open = true;
    }

    fn has(&self, name: &str) -> bool {
        self.open || self.names.contains(name)
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

impl FromIterator<String> for NameList {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        Self { names: Arc::new(names.into_iter().collect()), open: false }
    }
}

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
    pub params: Option<NameList>,
    /// Environment variables.
    pub env: NameList,
    /// Environment variables that are set, but are not text.
    pub odd_env: NameList,
    /// Earlier steps.
    pub steps: NameList,
    /// The earlier steps that have an aggregate.
    pub aggregates: NameList,
    /// Outputs of earlier steps.
    pub outputs: NameList,
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
                Some(params) if !params.has(member) => {
                    let message = format!("`params.{member}` is not defined");
                    Err(NameError::undefined(message, known("parameters", "the workflow declares none", params)))
                }
                _ => Ok(()),
            },
            "env" if !self.env.has(member) && self.odd_env.has(member) => Err(NameError {
                kind: TemplateErrorKind::UnsetVariable,
                message: format!("environment variable `{member}` is not UTF-8, so it is not text"),
                help: "commands and Python code see its bytes; to use it here, set it to text".to_owned(),
            }),
            "env" if !self.env.has(member) => Err(NameError {
                kind: TemplateErrorKind::UnsetVariable,
                message: format!("environment variable `{member}` is not set"),
                help: "set it, or define it under `env` in the workflow".to_owned(),
            }),
            "summary" if self.summary && !SUMMARY_MEMBERS.contains(&member) => {
                let members = SUMMARY_MEMBERS.into_iter().map(str::to_owned).collect();
                let message = format!("`summary.{member}` is not defined");
                Err(NameError::undefined(message, known("members", "", &members)))
            }
            "steps" if !self.steps.has(member) => {
                let message = format!("`steps.{member}` is not defined");
                Err(NameError::undefined(message, known("earlier steps", "there is no earlier step", &self.steps)))
            }
            "steps" if parts.next() == Some("aggregate") && !self.aggregates.has(member) => {
                let message = format!("step `{member}` has no `aggregate`");
                Err(NameError::undefined(message, format!("add `aggregate` to the inputs of step `{member}`")))
            }
            _ => self.check_root(root),
        }
    }

    /// The same, where an error of the file may have hidden names: there may be an item, and any parameter.
    pub fn unsure(&self) -> Self {
        Self { item: true, item_dir: true, error: true, summary: true, params: None, ..self.clone() }
    }

    /// The outputs and parameters, which are known by their name alone; `None` if any name may be a parameter.
    pub fn bare(&self) -> Option<Vec<String>> {
        let params = self.params.as_ref().filter(|params| !params.open && !self.outputs.open)?;
        Some(self.outputs.iter().chain(params.iter()).map(str::to_owned).collect())
    }

    fn check_root(&self, root: &str) -> Result<(), NameError> {
        let known = match root {
            "params" | "env" | "steps" | "run" => true,
            "item" | "index" | "batch" if self.item => true,
            "item_dir" if self.item_dir => true,
            "error" if self.error => true,
            "summary" if self.summary => true,
            _ => self.outputs.has(root) || self.params.as_ref().is_none_or(|params| params.has(root)),
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
        names.extend(self.outputs.iter());
        names.extend(self.params.iter().flat_map(NameList::iter));
        names.sort_unstable();
        names.dedup();
        quoted(&names)
    }
}

fn known(what: &str, none: &str, names: &NameList) -> String {
    let names: Vec<&str> = names.iter().collect();
    if names.is_empty() {
        return none.to_owned();
    }
    format!("{what}: {}", quoted(&names))
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
