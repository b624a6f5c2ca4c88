//! A dialect needs no more than its delimiters and a rewrite of the tree.

use crate::spec::diagnostic::{Diagnostic, Diagnostics, ErrorList};
use crate::spec::dialect::{Content, Delimiters, Dialect};
use crate::spec::node::{Entry, Node, NodeKind};
use crate::spec::parse::file::parse_dialect;
use crate::spec::{Command, StepKind, TaskKind, Workflow};
use std::path::Path;

/// `jobs` is a mapping of names to commands, in which `[% name %]` is a template.
struct Jobs;

impl Dialect for Jobs {
    fn templates(&self) -> &'static [Delimiters] {
        &[Delimiters { open: "[%", close: "%]", content: Content::Expression }]
    }

    fn lower(&self, root: Node, errors: &mut ErrorList) -> Node {
        let text = |span, text: &str| Node::new(span, NodeKind::Text(text.to_owned()));
        let entry = |key: &str, value: Node| Entry { key: key.to_owned(), key_span: value.span, value };
        let step = |job: Entry| {
            let NodeKind::Text(command) = &job.value.kind else {
                errors.push(Diagnostic::at(job.value.span, format!("job `{}` must be a command", job.key)));
                return None;
            };
            let command = command.replace("[%", "{{").replace("%]", "}}");
            let inputs = vec![entry("command", text(job.value.span, &command))];
            let fields = vec![
                entry("name", text(job.key_span, &job.key)),
                entry("task", text(job.key_span, "shell")),
                entry("inputs", Node::new(job.value.span, NodeKind::Map(inputs))),
            ];
            Some(Node::new(job.key_span, NodeKind::Map(fields)))
        };
        let NodeKind::Map(mut entries) = root.kind else { return root };
        let jobs = entries.swap_remove(0);
        let NodeKind::Map(list) = jobs.value.kind else { return jobs.value };
        let steps = Node::new(jobs.value.span, NodeKind::List(list.into_iter().filter_map(step).collect()));
        Node::new(root.span, NodeKind::Map(vec![entry("steps", steps)]))
    }
}

fn parse(text: &str) -> Result<Workflow, Diagnostics> {
    parse_dialect(&Jobs, Path::new("jobs.yaml"), text.as_bytes())
}

#[test]
fn another_dialect_is_lowered_to_the_native_one() {
    let flow = parse("jobs:\n  list: [% program %] -l\n").unwrap();
    let StepKind::Single(single) = &flow.steps[0].kind else { panic!("not a single step") };
    let TaskKind::Shell(shell) = &single.task.kind else { panic!("not a shell task") };
    assert!(matches!(&shell.command, Command::Line(text) if text.raw == "{{ program }} -l"));
    assert_eq!(flow.steps[0].name.as_str(), "list");
}

#[test]
fn errors_of_another_dialect_point_into_its_file() {
    let errors = parse("jobs:\n  list: ls\n  empty: ' '\n  none: 5\n").unwrap_err();
    let shown: Vec<_> = errors.errors().iter().map(|error| (error.span, error.message.as_str())).collect();
    let line = |start, end| Some(crate::model::Span::new(start, end));
    assert_eq!(shown, [(line(26, 29), "`command` is empty"), (line(38, 39), "job `none` must be a command")]);
}
