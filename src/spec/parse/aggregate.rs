//! `aggregate`: Python code, or reductions.

use super::python::inputs;
use super::section::{Given, Section, Sink};
use crate::spec::keys;
use crate::spec::setting::Readable;
use crate::spec::tree::NodeKind;
use crate::spec::{Aggregate, Diagnostic, Field, Over, PythonProgram, PythonTask, Reduction, Reductions};

/// What the code of an aggregate sees besides its inputs.
const SEEN: [&str; 3] = ["results", "failed", "stats"];

const FORMS: &str =
    "write Python code that returns it, or reductions such as `{count: true, sum: price, group_by: city}`";

/// Reads the value of `aggregate`.
pub(super) fn aggregate(given: &Given<'_>, sink: &mut Sink) -> Option<Aggregate> {
    match &given.node.kind {
        NodeKind::Text(_) => code(given, None, sink),
        NodeKind::Map(_) => {
            let mut section = given.section(sink);
            let program = section.take("code");
            let aggregate = match &program {
                Some(program) => {
                    let inputs = section.take("inputs");
                    refuse_reductions(&mut section, program, sink);
                    code(program, inputs, sink)
                }
                None => reductions(given, &mut section, sink).map(Aggregate::Reductions),
            };
            section.finish(&[&keys::AGGREGATE], sink);
            aggregate
        }
        _ => {
            sink.push(given.wrong("Python code, or a mapping").help(FORMS));
            None
        }
    }
}

/// Code is no template: braces in it are Python's.
fn code(given: &Given<'_>, values: Option<Given<'_>>, sink: &mut Sink) -> Option<Aggregate> {
    let code = given.filled(sink)?;
    let values = values.map(|values| values.section(sink).rest()).unwrap_or_default();
    for value in values.iter().filter(|value| SEEN.contains(&value.key)) {
        let error =
            Diagnostic::at(value.key_span, format!("input `{}` has a meaning in an aggregate already", value.key));
        sink.push(error.within(value.path.clone()).help("give it another name"));
    }
    let inputs = inputs(values, false, sink);
    let program = PythonProgram::Code(code);
    let task =
        PythonTask { program, setup: None, teardown: None, max_memory: None, max_items_per_worker: None, inputs };
    Some(Aggregate::Code(task))
}

fn refuse_reductions(section: &mut Section<'_>, code: &Given<'_>, sink: &mut Sink) {
    for name in Reduction::ALL.map(Reduction::name).into_iter().chain(["count", "group_by"]) {
        if let Some(other) = section.take(name) {
            let error = Diagnostic::at(other.key_span, format!("`code` and `{name}` cannot stand together"));
            sink.push(error.also(code.key_span, "the code is the aggregate").within(other.path));
        }
    }
}

fn reductions(given: &Given<'_>, section: &mut Section<'_>, sink: &mut Sink) -> Option<Reductions> {
    if let Some(inputs) = section.take("inputs") {
        let error = Diagnostic::at(inputs.key_span, "`inputs` of an aggregate stands only beside `code`");
        sink.push(error.within(inputs.path));
    }
    let count = section.take("count");
    let before = sink.errors.len();
    let count = count.and_then(|given| given.with(bool::read, sink)).unwrap_or(false);
    let mut over_all = Vec::new();
    for reduction in Reduction::ALL {
        let Some(given) = section.take(reduction.name()) else { continue };
        over_all.extend(over(&given, sink).map(|over| (reduction, over)));
    }
    let groups = section.take("group_by");
    let group_by = groups.as_ref().and_then(|given| over(given, sink));
    // What is misspelt or wrong is reported already, or will be as an unknown key with what was meant.
    let is_right = sink.errors.len() == before && section.names().next().is_none();
    if !count && over_all.is_empty() && is_right {
        let help = "give `count: true`, or the fields for `sum`, `mean`, `min` or `max`; or `code`";
        sink.push(given.error("names nothing to compute").help(help));
    }
    let reductions = Reductions { count, over: over_all, group_by };
    if let (Some(given), Some(Over::Fields(fields))) = (&groups, &reductions.group_by) {
        let shown = reductions.over.iter().map(|(reduction, _)| reduction.name()).chain(count.then_some("count"));
        for name in shown.filter(|name| fields.iter().any(|field| field.0 == *name)) {
            let error = given.error(format!("has the field `{name}`, and the aggregate has a `{name}` of its own"));
            sink.push(error.help("give the field of the results another name"));
        }
    }
    Some(reductions)
}

fn over(given: &Given<'_>, sink: &mut Sink) -> Option<Over> {
    let help = "for instance `price`, `[price, stats.total]`, or `true` where results are plain values";
    match &given.node.kind {
        NodeKind::Bool(true) => Some(Over::Result),
        NodeKind::Text(_) => field(given, sink).map(|field| Over::Fields(vec![field])),
        NodeKind::List(list) if !list.is_empty() => {
            let mut fields: Vec<Field> = Vec::new();
            for (index, node) in list.iter().enumerate() {
                let element = given.element(index, node);
                let Some(field) = field(&element, sink) else { continue };
                if fields.contains(&field) {
                    sink.push(element.error(format!("has the field `{field}` twice")));
                } else {
                    fields.push(field);
                }
            }
            Some(Over::Fields(fields))
        }
        NodeKind::List(_) => {
            sink.push(given.error("has no field").help(help));
            None
        }
        _ => {
            sink.push(given.wrong("a field, a list of fields, or `true`").help(help));
            None
        }
    }
}

fn field(given: &Given<'_>, sink: &mut Sink) -> Option<Field> {
    let field = Field(given.word(sink)?.raw);
    if field.names().any(str::is_empty) {
        let error = given.error(format!("has an empty name in the field \"{field}\""));
        sink.push(error.help("write the names with a dot between them: `stats.total`"));
        return None;
    }
    Some(field)
}
