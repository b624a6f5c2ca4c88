//! Templates that would take all memory, all time or all of the stack.

use crate::support::{Ended, Sandbox};
use proptest::prelude::*;
use proptest::sample::select;

/// What came of a template that is rendered for an item.
fn rendered(template: &str) -> Ended {
    let sandbox = Sandbox::with(&format!(
        "
steps:
  - name: a
    for_each: [1, 2]
    continue_on_error: true
    task: echo
    inputs:
      message: '{}'
",
        template.replace('\'', "''")
    ));
    sandbox.run(&[])
}

/// What a loop makes of a value that is kept from round to round.
fn kept(start: &str, next: &str, end: &str) -> String {
    format!(
        "{{% set ns = namespace(v={start}) %}}{{% for i in range(100000) %}}{{% set ns.v = {next} %}}{{% endfor %}}{end}"
    )
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_template_that_takes_too_much_fails_its_item() {
    let nested = kept("[]", "[ns.v]", "");
    let templates = [
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{{ 'a\\nb' | indent(100000000000) }}",
        "{{ [1] | batch(100000000000, 1) }}",
        "{{ [1] | slice(100000000000, 1) }}",
        "{{ 'a' * 100000000000 }}",
        "{{ '%100000000000d' | format(1) }}",
        &kept("'aaaa'", "ns.v ~ ns.v", ""),
        &kept("'aaaa'", "ns.v | replace('a', 'aa')", ""),
        &nested,
        &kept("{}", "{'a': ns.v}", ""),
        &kept("[]", "[ns.v, ns.v]", ""),
    ];
    for template in templates {
        let ended = rendered(template);
        assert_eq!(ended.code, Some(1), "{template}: {}", ended.stderr);
        assert!(ended.stderr.contains("a template may take"), "{template}: {}", ended.stderr);
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn what_reads_a_long_value_again_and_again_pays_for_it() {
    let values = "{% set text = 'a' * 1000000 %}{% set list = range(10000) | list %}{% set list = list + list + list + list + list %}";
    let reads = [
        "{% set x = text[1:2] %}",
        "{% set x = text[-1] %}",
        "{% set x = text[500000] %}",
        "{% set x = {text: 1} %}",
        "{% set x = {'a': 1}[text] %}",
        "{% if text < text %}{% endif %}",
        "{% if text ~ 'b' in [text] %}{% endif %}",
        "{% if text is lower %}{% endif %}",
        "{% if text is startingwith(text) %}{% endif %}",
        "{% if loop.changed(text) %}{% endif %}",
        "{% set x = list[49990:] %}",
        "{% set x = list[::40000] %}",
    ];
    for read in reads {
        // With `namespace`, there is so little fuel that the test is quick.
        let template = format!("{{% set ns = namespace() %}}{values}{{% for i in range(5000) %}}{read}{{% endfor %}}");
        let ended = rendered(&template);
        assert_eq!(ended.code, Some(1), "{read}: {}", ended.stderr);
        assert!(ended.stderr.contains("a template may take"), "{read}: {}", ended.stderr);
    }
}

#[test]
fn what_reads_little_of_a_long_value_pays_little() {
    let values = "{% set ns = namespace() %}{% set text = 'a' * 1000000 %}{% set list = range(10000) | list %}";
    let reads = [
        "{% set x = text[0] %}",
        "{% set x = list[:5] %}",
        "{% if text == 'a' %}{% endif %}",
        "{% if i ~ '' in list[:5] %}{% endif %}",
        "{% set x = {'a': text}['a'] %}",
    ];
    for read in reads {
        let template = format!(
            "{values}{{% for i in range(1000) %}}{read}{{% endfor %}}{{{{ list[9998:] ~ list[3:5] ~ list[::-5000] }}}}"
        );
        let ended = rendered(&template);
        assert_eq!(ended.code, Some(0), "{read}: {}", ended.stderr);
    }
}

#[test]
fn lists_of_nothing_stay_nothing_however_often_they_double() {
    let doubled = "{% set e = [] %}".to_owned() + &"{% set e = e + e %}".repeat(25);
    let template = format!("{doubled}{{% for i in range(1000) %}}{{% set x = e ~ '' %}}{{% endfor %}}{{{{ e }}}}");
    assert_eq!(rendered(&template).code, Some(0));
}

#[test]
#[ignore = "heavy: takes seconds"]
fn lists_that_double_again_and_again_fail_their_item() {
    let doubled =
        |next: &str, end: &str| format!("a{{% set a = [1] %}}{}{end}", format!("{{% set a = {next} %}}").repeat(40));
    for (next, end, says) in [
        ("a | chain(a)", "{{ a | length }}", "the lists have more than 33554432 values together"),
        ("a + a", "{{ a | length }}", "the lists have more than 33554432 values together"),
        ("[a + [], a] | sum(start=[])", "{{ a | length }}", "a template may take 16,777,216 operations"),
        ("[a, a]", "{{ a | pprint }}", "the value holds more than 4194304 values"),
    ] {
        let ended = rendered(&doubled(next, end));
        assert_eq!(ended.code, Some(1), "{next}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{next}: {}", ended.stderr);
    }
}

#[test]
#[ignore = "heavy: writes up to a gigabyte"]
fn lists_that_hold_each_other_again_and_again_are_too_long_as_json() {
    let ended = rendered(&format!("a{{% set a = [1] %}}{}{{{{ a }}}}", "{% set a = [a, a] %}".repeat(40)));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("is longer than 1 GiB"), "{}", ended.stderr);
}

#[test]
fn a_value_that_a_loop_nests_can_be_compared_printed_and_dropped() {
    let nested = |end: &str| {
        format!(
            "{{% set ns = namespace(v=[], w=[]) %}}{{% for i in range(900) %}}{{% set ns.v = [[[[[[[[[[ns.v]]]]]]]]]] %}}{{% endfor %}}{end}"
        )
    };
    for end in [
        "a",
        "{{ ns.v == [ns.v] }}",
        "{{ ns.v | string | length }}",
        "{{ ns.v < [ns.v] }}",
        "{{ [ns.v, ns.w] | unique | length }}",
    ] {
        rendered(&nested(end)).exits_with(0);
    }
    for end in ["{{ ns.v }}", "{{ ns.v | tojson }}", "{{ ns.v | pprint }}", "{{ {'a': ns.v} }}"] {
        let ended = rendered(&nested(end));
        assert_eq!(ended.code, Some(1), "{end}: {}", ended.stderr);
        assert!(ended.stderr.contains("nested more than 120 levels deep"), "{end}: {}", ended.stderr);
    }
}

#[test]
fn an_expression_of_too_many_operators_is_refused_with_its_place() {
    for (part, times) in
        [("not ", 100_000), ("-", 100_000), ("1 + ", 501), ("1 ~ ", 100_000), ("item.a | string ~ ", 300)]
    {
        let text = format!(
            "steps:\n  - name: a\n    task: echo\n    inputs:\n      message: '{{{{ {}1 }}}}'\n",
            part.repeat(times)
        );
        let ended = Sandbox::with(&text).batchmill(&["validate", "workflow.yaml"]);
        assert_eq!(ended.code, Some(2), "{part}: {}", ended.stderr);
        assert!(ended.stderr.contains("more than 500 operators in one expression"), "{part}: {}", ended.stderr);
        assert!(ended.stderr.contains("workflow.yaml:5:16"), "{part}: {}", ended.stderr);
    }
}

/// How a list or a mapping becomes twice as large; `v` is its name.
const DOUBLINGS: &[&str] = &[
    "v + v",
    "[v, v]",
    "(v, v)",
    "[v] * 2",
    "v | list + v | list",
    "(v if 1 else 2) + v",
    "[v, v] | sum(start=[])",
    "[v + [], v] | list",
    "v | chain(v)",
    "[v] | map('list') | list + [v]",
    "v[:] + v | reverse | list",
    "{'a': v, 'b': v}",
    "dict(a=v, b=[v])",
    "[v | first, v, v]",
    "v + [v ~ '']",
    "namespace(a=v, b=v)",
];

/// What is done with it then.
const USES: &[&str] = &[
    "v ~ ''",
    "'' ~ v ~ v",
    "v | string",
    "v | upper",
    "v | length",
    "v | list | length",
    "v == [v]",
    "v < [v, 1]",
    "v != v | list",
    "1 < 2 < v",
    "v in [v]",
    "v in 'text'",
    "v is eq([v])",
    "v is in([[v]])",
    "v is startingwith('a')",
    "[v, v] | unique | list",
    "[v, [v]] | sort",
    "[[v], [v]] | max",
    "[v] | map('string') | join",
    "[v, v] | join(v)",
    "'%s' | format(v)",
    "'a' | replace(v, v)",
    "[v] | select('eq', [v]) | list",
    "{v: 1}",
    "{1: 2, 3: 4}[v]",
    "v + v",
    "v | pprint",
    "v | urlencode",
];

/// The same, where up to a gigabyte is written first.
const SLOW_USES: &[&str] = &["v | tojson", "v | quote", "v"];

/// A template without its braces: `v` doubles in rounds that are written out, looped or nested, and is used.
fn template_that_doubles(uses: Vec<&'static str>) -> impl Strategy<Value = String> {
    let rounds = (select(DOUBLINGS), select(DOUBLINGS)).prop_map(|(one, other)| (one.to_owned(), other.to_owned()));
    (
        select(&["[1]", "[]", "['text']", "{'a': 1}", "item", "(1,)"][..]),
        rounds,
        0..4_usize,
        select(uses),
        any::<bool>(),
    )
        .prop_map(|(start, (one, other), way, used, is_long)| {
            let times = if is_long { 60 } else { 3 };
            let set = |name: &str, value: &str| format!("{{% set {name} = {} %}}", value);
            // With `namespace`, less is allowed, and so the end comes sooner.
            let begin = format!("{{% set ns = namespace(v={start}) %}}{}", set("v", start));
            let rounds = match way {
                0 => format!("{}{}", set("v", one.as_str()), set("v", other.as_str())).repeat(times / 2),
                1 => {
                    let body = set("ns.v", &named(&one, "ns.v"));
                    format!("{{% for i in range({times}) %}}{body}{{% endfor %}}{}", set("v", "ns.v"))
                }
                2 => {
                    let opened = format!("{{% for v in [{one}] %}}{{% with v = {other} %}}").repeat(times / 2);
                    let closed = "{% endwith %}{% endfor %}".repeat(times / 2);
                    return format!("{begin}{opened}{{{{ {used} }}}}{closed}");
                }
                _ => {
                    let inner = format!("{{{{ loop([{one}]) if loop.depth < {times} else '' }}}}");
                    return format!("{begin}{{% for v in [v] recursive %}}{{{{ {used} }}}}{inner}{{% endfor %}}");
                }
            };
            format!("{begin}{rounds}{{{{ {used} }}}}")
        })
}

/// An expression about something that is not called `v`.
fn named(expression: &str, name: &str) -> String {
    let mut out = String::new();
    let mut before = ' ';
    let chars: Vec<char> = expression.chars().collect();
    for (at, c) in chars.iter().enumerate() {
        let after = chars.get(at + 1).copied().unwrap_or(' ');
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        if *c == 'v' && !is_word(before) && !is_word(after) {
            out.push_str(name)
        } else {
            out.push(*c)
        }
        before = *c;
    }
    out
}

/// Workflows in which a template may be, in the place of `HERE`.
const PLACES: &[&str] = &[
    "  - {name: a, for_each: [[1]], task: echo, inputs: {message: HERE}}",
    "  - {name: a, for_each: [[1]], task: shell, command: HERE}",
    "  - {name: a, for_each: [[1]], task: shell, command: [echo, HERE]}",
    "  - {name: a, for_each: HERE, task: echo, inputs: {message: a}}",
    "  - {name: a, for_each: [[1]], where: HERE, task: echo, inputs: {message: a}}",
    "  - {name: a, task: shell, command: 'true', env: {A: HERE}}",
    "  - {name: a, task: echo, inputs: {message: HERE}}",
];

/// Checks that the engine ends as it should, with little memory.
fn lives(template: &str, place: &str) -> Result<(), TestCaseError> {
    let quoted = format!("'{}'", template.replace('\'', "''"));
    let workflow = format!("steps:\n{}\n", place.replace("HERE", &quoted));
    let ended = Sandbox::with(&workflow).under("-v 6000000", &["run", "workflow.yaml"]);
    prop_assert!(matches!(ended.code, Some(0..=4)), "{workflow}{:?} {}", ended.code, ended.stderr);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_doubles_and_wherever_the_engine_lives(
        template in template_that_doubles(USES.to_vec()),
        place in select(PLACES),
    ) {
        lives(&template, place)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    #[ignore = "heavy: writes and compares what is as large as it may be"]
    fn whatever_doubles_and_however_much_is_written_the_engine_lives(
        template in template_that_doubles([USES, SLOW_USES].concat()),
        place in select(PLACES),
    ) {
        lives(&template, place)?;
    }
}
