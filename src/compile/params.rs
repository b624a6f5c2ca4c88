//! Parameters: what the workflow declares, what the user passes, and whether they match.

use crate::spec::{
    Diagnostic, DiagnosticKind, Param, RENAME, Workflow, check_param, is_reserved, nearest, reserved, value,
};
use crate::template::{CompiledTree, ItemScope, Scope};
use crate::text::{MASK, Secrets};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Parameters by name.
pub type ParamValues = BTreeMap<String, Value>;

/// A parameter that the user passed. A run keeps it until it is passed again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GivenParam {
    /// On the command line; what it means depends on the declared type.
    Typed(String),
    /// In a file.
    Value(Value),
    /// It is or contains a secret, so a run does not save it.
    Secret,
}

/// Given parameters by name.
pub type GivenParams = BTreeMap<String, GivenParam>;

/// The given parameters that a run saves: no secrets.
pub fn params_to_keep(given: &GivenParams, workflow: &Workflow, secrets: &Secrets) -> GivenParams {
    let is_secret = |name: &String, param: &GivenParam| {
        let value = match param {
            // A number that happens to contain the digits of a secret is not a secret.
            GivenParam::Typed(text) => value(text, None).unwrap_or_else(|_| Value::String(text.clone())),
            GivenParam::Value(value) => value.clone(),
            GivenParam::Secret => return true,
        };
        // A value that merely contains the mask is not a secret, and is saved.
        workflow.secrets.iter().any(|secret| secret.raw == *name) || secrets.masked_value(value.clone()) != value
    };
    let keep = |(name, param): (&String, &GivenParam)| {
        (name.clone(), if is_secret(name, param) { GivenParam::Secret } else { param.clone() })
    };
    given.iter().map(keep).collect()
}

/// The values of given parameters, by their declared types.
fn values_of(given: &GivenParams, declared: &[Param], errors: &mut Vec<Diagnostic>) -> ParamValues {
    let mut values = ParamValues::new();
    for (name, param) in given {
        let kind = declared.iter().find(|param| param.name == *name).and_then(|param| param.kind);
        let read = match param {
            GivenParam::Typed(text) => value(text, kind),
            GivenParam::Value(value) => Ok(value.clone()),
            GivenParam::Secret => Err(format!(
                "is a secret, which is not saved with the run; pass it again: `{name}=VALUE` or `{name}@=FILE`"
            )),
        };
        match read {
            Ok(value) => drop(values.insert(name.clone(), value)),
            Err(message) => {
                errors.push(Diagnostic::of_file(format!("the value of parameter `{name}` {message}")));
                values.insert(name.clone(), Value::String(MASK.to_owned()));
            }
        }
    }
    values
}

/// Combines given values with declared defaults. A workflow that declares no parameters accepts any.
///
/// Returns all errors: values that cannot be read, unknown names, missing ones, values of the wrong type.
pub fn resolve_params(
    workflow: &Workflow,
    given: &GivenParams,
    env: &BTreeMap<String, String>,
) -> (ParamValues, Vec<Diagnostic>) {
    let mut errors = Vec::new();
    let mut values = values_of(given, workflow.params.as_deref().unwrap_or_default(), &mut errors);
    // A value that cannot be read is already an error, and has no type.
    if !errors.is_empty() {
        return (values, errors);
    }
    let Some(declared) = &workflow.params else {
        // Those that are declared were refused in the file.
        let wrong = values.keys().filter(|name| is_reserved(name));
        errors.extend(wrong.map(|name| Diagnostic::of_file(reserved(name)).help(RENAME)));
        return (values, errors);
    };
    errors.extend(unknown(declared, &values));
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
                let hint = format!("pass it on the command line: `{}=VALUE`", param.name);
                let fault = Diagnostic::at(param.span, message).kind(DiagnosticKind::MissingParam).help(hint);
                errors.push(fault.within(format!("params.{}", param.name)));
            }
            None => {
                values.insert(param.name.clone(), Value::Null);
            }
        }
    }
    (values, errors)
}

fn unknown(declared: &[Param], given: &ParamValues) -> Vec<Diagnostic> {
    let known: Vec<&str> = declared.iter().map(|param| param.name.as_str()).collect();
    let unknown = given.keys().filter(|name| !known.contains(&name.as_str()));
    let fault = |name: &String| {
        let fault = Diagnostic::of_file(format!("the workflow has no parameter `{name}`"));
        match nearest(name, known.iter().copied()) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None if known.is_empty() => fault.help("it has no parameters"),
            None => fault.help(format!(
                "its parameters are {}",
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
        // A variable of the environment is a text, which is read as one on the command line is.
        Ok(json) => match serde_json::from_slice(&json) {
            Ok(Value::String(text)) if tree.is_template() => value(&text, param.kind).map_err(fault),
            value => value.map_err(|error| fault(error.to_string())),
        },
        Err(error) => Err(fault(error.message)),
    })
}
