//! Templates: whatever is written in them, and whatever the item is, they compile and render or say why not, on a stack as slots have it,
//! with bounded work.

use crate::fuzzer::fuzz;
use batchmill::model::Text;
use batchmill::template::{ItemScope, Template};
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::Arc;
use std::thread;

/// Names, filters and functions that expressions use.
const LEAVES: &[&str] = &[
    "item",
    "item.a",
    "item.b[0]",
    "index",
    "1",
    "0",
    "-1",
    "1e300",
    "99999999999",
    "'ab'",
    "''",
    "\"é\\n\"",
    "none",
    "[]",
    "{}",
    "range(9)",
    "range(100000)",
    "ns.v",
    "nothing",
    "loop.index",
    "1000000",
];
const FILTERS: &[&str] = &[
    "string",
    "list",
    "length",
    "tojson",
    "tojson(indent=4)",
    "pprint",
    "int",
    "float",
    "abs",
    "upper",
    "trim",
    "first",
    "last",
    "min",
    "max",
    "sum",
    "sort",
    "unique",
    "reverse",
    "join('x')",
    "join(item)",
    "replace('a', 'aaaa')",
    "replace('', item)",
    "indent(item)",
    "indent(9999999999)",
    "batch(3)",
    "batch(99999999, 1)",
    "slice(3)",
    "slice(99999999)",
    "split('')",
    "lines",
    "items",
    "dictsort",
    "map('upper')",
    "map(attribute='a')",
    "select",
    "groupby('a')",
    "default(item)",
    "format(item)",
    "urlencode",
    "round(400)",
    "chain(item)",
    "zip(item)",
    "bool",
    "e",
    "raw",
    "stem",
    "with_suffix('.x')",
    "attr('a')",
    "nofilter",
];
const OPERATORS: &[&str] =
    &["+", "-", "*", "/", "//", "%", "**", "~", " and ", " or ", " in ", " not in ", "==", "<", " is ", ":", "."];

/// An expression of random parts, right or wrong.
fn expression() -> impl Strategy<Value = String> {
    select(LEAVES).prop_map(str::to_owned).prop_recursive(6, 40, 3, |inner| {
        prop_oneof![
            3 => (inner.clone(), select(FILTERS)).prop_map(|(value, filter)| format!("{value}|{filter}")),
            3 => (inner.clone(), select(OPERATORS), inner.clone()).prop_map(|(left, sign, right)| format!("({left}{sign}{right})")),
            2 => (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("[{one}, {other}]")),
            1 => inner.clone().prop_map(|value| format!("{{'a': {value}}}")),
            1 => (inner.clone(), inner.clone()).prop_map(|(value, at)| format!("{value}[{at}]")),
            1 => (inner.clone(), inner.clone()).prop_map(|(value, test)| format!("({value} if {test} else 1)")),
            1 => (inner.clone(), 1..2_000_usize).prop_map(|(value, times)| format!("{value}{}", "|string".repeat(times))),
            1 => (inner.clone(), 1..2_000_usize).prop_map(|(value, times)| format!("{}{value}", "not ".repeat(times))),
            1 => (inner, 1..300_usize).prop_map(|(value, times)| format!("{}{value}{}", "[".repeat(times), "]".repeat(times))),
        ]
    })
}

/// Text with statements, which loop, remember and repeat.
fn template() -> impl Strategy<Value = String> {
    let text = expression().prop_map(|value| format!("{{{{ {value} }}}}"));
    text.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("{one} - {other}")),
            (expression(), inner.clone()).prop_map(|(over, body)| format!("{{% for x in {over} %}}{body}{{% endfor %}}")),
            (expression(), inner.clone()).prop_map(|(over, body)| format!("{{% for i in range(100000) %}}{body}{{% set x = {over} %}}{{% endfor %}}")),
            (expression(), inner.clone()).prop_map(|(test, body)| format!("{{% if {test} %}}{body}{{% else %}}{{% endif %}}")),
            (expression(), inner.clone()).prop_map(|(value, body)| format!("{{% set ns = namespace(v={value}) %}}{{% for i in range(9999) %}}{{% set ns.v = [ns.v, ns.v ~ 1] %}}{{% endfor %}}{body}")),
            (expression(), inner.clone()).prop_map(|(value, body)| format!("{{% set ns = namespace(v='ab') %}}{{% for i in range(99) %}}{{% set ns.v = ns.v ~ ns.v ~ {value} %}}{{% endfor %}}{body}")),
            inner.clone().prop_map(|body| format!("{{% set y %}}{body}{body}{{% endset %}}{{{{ y ~ y }}}}")),
            inner.clone().prop_map(|body| format!("{{% macro m(n) %}}{body}{{{{ m(n) }}}}{{% endmacro %}}{{{{ m(item) }}}}")),
            (inner, 1..200_usize).prop_map(|(body, times)| format!("{}{body}{}", "{% if 1 %}".repeat(times), "{% endif %}".repeat(times))),
        ]
    })
}

/// Items that templates see.
const ITEMS: &[&str] = &[
    "1",
    "\"a\"",
    "null",
    "[1, [2], {\"a\": 3}]",
    "{\"a\": \"b\", \"b\": [1.5]}",
    "99999999999999999999",
    "-1",
    "1000000",
    "\"%999999d\"",
];

#[test]
fn templates_compile_and_render_or_say_why_not() {
    fuzz(60, &(template(), select(ITEMS)), |(raw, item): (String, &str)| {
        let render = move || {
            let Ok(template) = Template::compile(&Text::new(&raw)) else {
                return;
            };
            template.uses();
            let scope = Arc::new(ItemScope { item: Some(item.as_bytes().to_vec()), ..ItemScope::default() });
            if let Err(error) = template.string(&scope) {
                assert!(!error.message.is_empty() && error.message.len() < 2_000, "{error}");
            }
        };
        // As slots have it.
        let ended = thread::Builder::new().stack_size(2 << 20).spawn(render).unwrap().join();
        prop_assert!(ended.is_ok(), "it panicked");
        Ok(())
    });
}
