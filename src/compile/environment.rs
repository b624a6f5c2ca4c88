//! The environment and the secrets, which apply to the whole workflow.

use super::ParamValues;
use super::check::template_error;
use super::params::GivenParam;
use super::prepared::Options;
use crate::spec::{Diagnostic, Workflow};
use crate::template::{CompiledTree, ItemScope, Names, Scope, json_or_invalid};
use crate::text::{MASK, Secrets};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

type Environment = (BTreeMap<String, String>, Arc<Vec<(String, String)>>);

/// The environment of tasks: the process's, overridden by the workflow's `env`; and the latter alone.
pub(super) fn environment(
    workflow: &Workflow,
    mut env: BTreeMap<String, String>,
    params: &ParamValues,
    names: &Names,
    errors: &mut Vec<Diagnostic>,
) -> Environment {
    let mut own = Vec::new();
    let mut names = names.clone();
    // That is an error of its own, unless the workflow is only checked.
    let lacks_params =
        names.params.is_none() || workflow.params.iter().flatten().any(|param| !params.contains_key(&param.name));
    for (name, tree) in &workflow.env {
        let values = env.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        let scope = Scope { env: values, params: template_params(params), ..Scope::default() };
        let scope = Arc::new(ItemScope::of_step(Arc::new(scope)));
        let value = CompiledTree::compile(tree).and_then(|tree| {
            let wrong = tree.check(&names);
            match tree.string(&scope) {
                _ if !wrong.is_empty() => Err(wrong),
                // What it renders to is known when all parameters have their values.
                Err(_) if lacks_params => Ok(String::new()),
                rendered => rendered.map_err(|error| vec![error]),
            }
        });
        match value {
            Ok(value) => {
                own.push((name.clone(), value.clone()));
                env.insert(name.clone(), value);
            }
            Err(wrong) => {
                let within = format!("env.{name}");
                errors.extend(wrong.iter().map(|error| template_error(&workflow.source, error, within.clone())));
                // It is reported once; wherever it is used, it counts as set.
                env.insert(name.clone(), String::new());
            }
        }
        names.env.push(name.clone());
    }
    (env, Arc::new(own))
}

/// Parameters as templates see them.
pub fn template_params(params: &ParamValues) -> BTreeMap<String, minijinja::Value> {
    let value = |(name, value): (&String, &serde_json::Value)| {
        (name.clone(), json_or_invalid(&format_args!("parameter `{name}`"), value.to_string().as_bytes()))
    };
    params.iter().map(value).collect()
}

/// The values of `secrets`. A variable and a parameter of the same name are both secret, and so is what was given for a parameter,
/// even if it is not a value of its type.
pub(super) fn secrets(
    workflow: &Workflow,
    env: &BTreeMap<String, String>,
    (params, options): (&ParamValues, &Options),
    errors: &mut Vec<Diagnostic>,
) -> Secrets {
    let mut values = Vec::new();
    for name in &workflow.secrets {
        let (param, variable, given) = (params.get(&name.raw), env.get(&name.raw), options.params.get(&name.raw));
        if param.is_none() && variable.is_none() && given.is_none() && !options.check_only {
            errors.push(
                Diagnostic::at(name.span, format!("secret `{}` is not set", name.raw))
                    .within("secrets")
                    .help(format!("set the environment variable `{0}`, or give the parameter `{0}@=FILE`", name.raw)),
            );
        }
        match (param, given) {
            (Some(Value::Bool(value)), _) => values.push(value.to_string()),
            (Some(value), _) => leaves(value, &mut values),
            (None, _) => {}
        }
        match given {
            Some(GivenParam::Typed(text)) => values.push(text.clone()),
            Some(GivenParam::Value(value)) => leaves(value, &mut values),
            Some(GivenParam::Secret) | None => {}
        }
        values.extend(variable.cloned());
    }
    // It takes the place of a value that cannot be read.
    values.retain(|value| value != MASK);
    Secrets::new(values)
}

/// All strings and numbers in a value.
fn leaves(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::String(text) => into.push(text.clone()),
        Value::Number(number) => {
            into.push(number.to_string());
            // As most programs print it.
            into.extend(number.as_f64().map(|float| float.to_string()));
        }
        Value::Array(values) => values.iter().for_each(|value| leaves(value, into)),
        Value::Object(fields) => fields.values().for_each(|value| leaves(value, into)),
    }
}
