//! Parameters: what the workflow declares, what the user gave, and whether the two fit.

use crate::spec::{Diagnostic, DiagnosticKind, Param, Workflow, check_param, nearest};
use crate::template::{CompiledTree, ItemScope, Scope};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Parameters by name.
pub type ParamValues = BTreeMap<String, Value>;

/// Joins given values with declared deerrors. A workflow that declares no parameters takes any.
///
/// # Errors
/// All errors: unknown names, missing ones, values of the wrong type.
pub fn resolve_params(
    workflow: &Workflow,
    given: ParamValues,
    env: &BTreeMap<String, String>,
) -> Result<ParamValues, Vec<Diagnostic>> {
    let Some(declared) = &workflow.params else { return Ok(given) };
    let mut errors = unknown(declared, &given);
    let mut values = given;
    for param in declared {
        let value = values.get(&param.name).cloned().map(Ok).or_else(|| default(param, env));
        match value {
            Some(Ok(value)) => {
                if let Err(message) = check_param(param, &value) {
                    errors.push(Diagnostic::at(param.span, message).within(format!("params.{}", param.name)));
                }
                values.insert(param.name.clone(), value);
            }
            Some(Err(fault)) => errors.push(fault),
            None if param.required => {
                let message = format!("parameter `{}` is required", param.name);
                let hint = format!("give it behind the file: `{}=VALUE`", param.name);
                let fault = Diagnostic::at(param.span, message).kind(DiagnosticKind::MissingParam).help(hint);
                errors.push(fault.within(format!("params.{}", param.name)));
            }
            None => {
                values.insert(param.name.clone(), Value::Null);
            }
        }
    }
    if errors.is_empty() { Ok(values) } else { Err(errors) }
}

fn unknown(declared: &[Param], given: &ParamValues) -> Vec<Diagnostic> {
    let known: Vec<&str> = declared.iter().map(|param| param.name.as_str()).collect();
    let unknown = given.keys().filter(|name| !known.contains(&name.as_str()));
    let fault = |name: &String| {
        let fault = Diagnostic::of_file(format!("the workflow has no parameter `{name}`"));
        match nearest(name, known.iter().copied()) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None if known.is_empty() => fault.help("it declares none"),
            None => fault.help(format!(
                "it has {}",
                known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            )),
        }
    };
    unknown.map(fault).collect()
}

/// The default; a template in it sees `env`.
fn default(param: &Param, env: &BTreeMap<String, String>) -> Option<Result<Value, Diagnostic>> {
    let tree = param.default.as_ref()?;
    let env = env.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let scope = Arc::new(ItemScope::of_step(Arc::new(Scope { env, ..Scope::default() })));
    let compiled = CompiledTree::compile(tree).map_err(|mut errors| errors.swap_remove(0));
    let json = compiled.and_then(|compiled| compiled.json(&scope));
    let fault = |message: String| Diagnostic::at(param.span, message).within(format!("params.{}.default", param.name));
    Some(match json {
        Ok(json) => serde_json::from_slice(&json).map_err(|error| fault(error.to_string())),
        Err(error) => Err(fault(error.message)),
    })
}
