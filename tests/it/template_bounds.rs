//! Templates that would take all memory, all time or all of the stack.

use crate::support::{Ended, Sandbox};

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
        &kept("'aaaa'", "[ns.v, ns.v] | join(ns.v)", ""),
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
fn lists_that_double_again_and_again_fail_their_item() {
    let doubled =
        |next: &str, end: &str| format!("a{{% set a = [1] %}}{}{end}", format!("{{% set a = {next} %}}").repeat(40));
    for (next, end, says) in [
        ("a | chain(a)", "{{ a | length }}", "the lists have more than 33554432 values together"),
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
