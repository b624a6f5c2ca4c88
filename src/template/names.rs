//! Which names there will be at a place of the workflow.

/// Which names there will be at a place of the workflow, to check templates before anything runs.
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
    /// The parameters; `None` where the workflow takes any.
    pub params: Option<Vec<String>>,
    /// Environment variables.
    pub env: Vec<String>,
    /// Earlier steps.
    pub steps: Vec<String>,
    /// Those of them that have an aggregate.
    pub aggregates: Vec<String>,
    /// Outputs of earlier steps.
    pub outputs: Vec<String>,
}

impl Names {
    /// What is wrong with a dotted name that a template uses; `None` if nothing is known to be.
    pub fn error(&self, name: &str) -> Option<String> {
        let mut parts = name.split('.');
        let root = parts.next().unwrap_or_default();
        let member = parts.next();
        match (root, member) {
            ("item" | "index" | "batch", _) if self.item => None,
            ("item_dir", _) if self.item_dir => None,
            ("error", _) if self.error => None,
            ("summary", _) if self.summary => None,
            ("params", Some(member)) => match &self.params {
                Some(params) if !params.iter().any(|param| param == member) => Some(missing("params", member, params)),
                _ => None,
            },
            ("env", Some(member)) if !self.env.iter().any(|name| name == member) => {
                Some(format!("environment variable `{member}` is not set"))
            }
            ("steps", Some(member)) if !self.steps.iter().any(|step| step == member) => {
                Some(missing("steps", member, &self.steps))
            }
            ("steps", Some(member))
                if parts.next() == Some("aggregate") && !self.aggregates.iter().any(|step| step == member) =>
            {
                Some(format!("step `{member}` has no `aggregate`"))
            }
            ("params" | "env" | "steps" | "run", _) => None,
            _ if self.outputs.iter().any(|output| output == root) => None,
            _ if self.params.as_ref().is_none_or(|params| params.iter().any(|param| param == root)) => None,
            _ => Some(format!("`{root}` is not defined; names here are {}", self.list())),
        }
    }

    /// The names as a sentence part: `batch`, `env`, `index`, ...
    pub fn list(&self) -> String {
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

fn missing(of: &str, member: &str, there_are: &[String]) -> String {
    if there_are.is_empty() {
        return format!("`{of}.{member}` is not defined; `{of}` is empty here");
    }
    let names: Vec<&str> = there_are.iter().map(String::as_str).collect();
    format!("`{of}.{member}` is not defined; `{of}` has {}", quoted(&names))
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
