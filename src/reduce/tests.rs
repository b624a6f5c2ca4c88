//! Tests of reductions.

use super::Reducer;
use crate::spec::{Field, Over, Reduction, Reductions};

fn fields(names: &[&str]) -> Over {
    Over::Fields(names.iter().map(|name| Field((*name).to_owned())).collect())
}

fn reduce(spec: &Reductions, lines: &[&str]) -> Result<String, String> {
    let mut reducer = Reducer::new(spec);
    let added = lines.iter().try_for_each(|line| reducer.add(line.as_bytes()));
    added.map_err(|(index, message)| format!("result {index}{message}"))?;
    reducer.finish().map(|json| json.get().to_owned())
}

fn all(over: Over) -> Vec<(Reduction, Over)> {
    [Reduction::Sum, Reduction::Mean, Reduction::Min, Reduction::Max]
        .map(|reduction| (reduction, over.clone()))
        .to_vec()
}

#[test]
fn without_groups_there_is_one_mapping() {
    let spec = Reductions { count: true, over: all(fields(&["a", "b.c"])), group_by: None, ..Reductions::default() };
    let lines = [r#"{"a":1,"b":{"c":0.1}}"#, r#"{"a":3}"#, r#"{"a":null,"b":{"c":0.2}}"#, "null"];
    let expected = r#"{"count":4,"sum":{"a":4,"b.c":0.30000000000000004},"mean":{"a":2.0,"b.c":0.15000000000000002},"min":{"a":1,"b.c":0.1},"max":{"a":3,"b.c":0.2}}"#;
    assert_eq!(reduce(&spec, &lines).unwrap(), expected);
    let expected = r#"{"count":0,"sum":{"a":0,"b.c":0},"mean":{"a":null,"b.c":null},"min":{"a":null,"b.c":null},"max":{"a":null,"b.c":null}}"#;
    assert_eq!(reduce(&spec, &[]).unwrap(), expected);
}

#[test]
fn groups_come_in_order_of_first_appearance_with_their_keys_first() {
    let spec = Reductions {
        count: true,
        over: vec![(Reduction::Max, fields(&["n"]))],
        group_by: Some(fields(&["k", "l"])),
        ..Reductions::default()
    };
    let lines = [
        r#"{"k":"b","n":1}"#,
        r#"{"k":2.0,"l":true,"n":-5}"#,
        r#"{"k":"b","l":null,"n":7}"#,
        r#"{"k":2,"l":true,"n":-9}"#,
        "{}",
    ];
    let expected = r#"[{"k":"b","l":null,"count":2,"max":{"n":7}},{"k":2.0,"l":true,"count":2,"max":{"n":-5}},{"k":null,"l":null,"count":1,"max":{"n":null}}]"#;
    assert_eq!(reduce(&spec, &lines).unwrap(), expected);
    assert_eq!(reduce(&spec, &[]).unwrap(), "[]");
}

#[test]
fn plain_results_are_reduced_themselves() {
    let spec = Reductions { count: false, over: all(Over::Result), group_by: None, ..Reductions::default() };
    assert_eq!(reduce(&spec, &["3", "null", "1.5"]).unwrap(), r#"{"sum":4.5,"mean":2.25,"min":1.5,"max":3}"#);
    let spec = Reductions { count: true, over: Vec::new(), group_by: Some(Over::Result), ..Reductions::default() };
    let expected = r#"[{"value":"x","count":2},{"value":1,"count":1}]"#;
    assert_eq!(reduce(&spec, &["\"x\"", "1", "\"x\""]).unwrap(), expected);
}

#[test]
fn the_least_and_the_greatest_of_texts_are_theirs() {
    let over = vec![(Reduction::Min, fields(&["d"])), (Reduction::Max, fields(&["d"]))];
    let spec = Reductions { count: false, over, group_by: None, ..Reductions::default() };
    let days = [r#"{"d":"2013-01-09"}"#, r#"{"d":"2013-01-10"}"#];
    assert_eq!(reduce(&spec, &days).unwrap(), r#"{"min":{"d":"2013-01-09"},"max":{"d":"2013-01-10"}}"#);
    let mixed = [days[0], r#"{"d":5}"#];
    assert_eq!(reduce(&spec, &mixed).unwrap_err(), "result 1: `d` is 5, but earlier values are text");
}

#[test]
fn what_cannot_be_reduced_is_named_with_its_place() {
    let sum = Reductions {
        count: false,
        over: vec![(Reduction::Sum, fields(&["a.b"]))],
        group_by: None,
        ..Reductions::default()
    };
    let good = r#"{"a":{"b":1}}"#;
    for (bad, said) in [
        (r#"{"a":{"b":"n/a"}}"#, "result 1: `a.b` is \"n/a\", not a number"),
        (r#"{"a":{"b":true}}"#, "result 1: `a.b` is true, not a number"),
        (r#"{"a":{"b":[1]}}"#, "result 1: `a.b` is [1], not a number"),
        (r#"{"a":7}"#, "result 1: `a` is 7, not a mapping with a field `b`"),
        ("\"text\"", "result 1 is \"text\", not a mapping with a field `a`"),
    ] {
        assert_eq!(reduce(&sum, &[good, bad]).unwrap_err(), said);
    }
    let large = format!("{{\"a\":{{\"b\":{}}}}}", i128::MAX);
    let said = reduce(&sum, &[&large, good]).unwrap_err();
    assert_eq!(said, "result 1: `a.b` is 1, and the sum exceeds 128 bits");
    let said = reduce(&sum, &[r#"{"a":{"b":1e308}}"#; 2]).unwrap_err();
    assert_eq!(said, "`sum` of `a.b` is too large for a float");
    let group = Reductions { count: true, over: Vec::new(), group_by: Some(fields(&["a"])), ..Reductions::default() };
    let said = reduce(&group, &[good]).unwrap_err();
    assert_eq!(said, "result 0: `a` is {\"b\":1}, but only text, numbers, booleans and null can form groups");
}

/// Everything over `n` and `t`, by `k`.
fn everything() -> Reductions {
    let numbers =
        [Reduction::Sum, Reduction::Mean, Reduction::Std, Reduction::Min, Reduction::Max, Reduction::Quantiles];
    let values = [Reduction::Distinct, Reduction::Top, Reduction::First, Reduction::Last];
    let over = numbers.map(|reduction| (reduction, fields(&["n"]))).into_iter();
    let over = over.chain(values.map(|reduction| (reduction, fields(&["t", "n"])))).collect();
    let at = ["0.1", "0.5"].map(str::to_owned).to_vec();
    Reductions { count: true, over, group_by: Some(fields(&["k"])), at, top_size: 2 }
}

#[test]
fn every_reduction_has_its_value() {
    let spec = Reductions { group_by: None, ..everything() };
    let lines =
        [r#"{"n":1,"t":"b"}"#, r#"{"n":2.0,"t":"a"}"#, r#"{"n":2,"t":"b"}"#, r#"{"n":7,"t":null}"#, r#"{"t":"a"}"#];
    let expected = r#"{"count":5,"sum":{"n":12.0},"mean":{"n":3.0},"std":{"n":2.70801280154532},"min":{"n":1},"max":{"n":7},"quantiles":{"n":{"0.1":1.3,"0.5":2.0}},"distinct":{"t":2,"n":3},"top":{"t":[{"value":"b","count":2},{"value":"a","count":2}],"n":[{"value":2.0,"count":2},{"value":1,"count":1}]},"first":{"t":"b","n":1},"last":{"t":"a","n":7}}"#;
    assert_eq!(reduce(&spec, &lines).unwrap(), expected);
    let expected = r#"{"count":0,"sum":{"n":0},"mean":{"n":null},"std":{"n":null},"min":{"n":null},"max":{"n":null},"quantiles":{"n":{"0.1":null,"0.5":null}},"distinct":{"t":0,"n":0},"top":{"t":[],"n":[]},"first":{"t":null,"n":null},"last":{"t":null,"n":null}}"#;
    assert_eq!(reduce(&spec, &[]).unwrap(), expected);
}

#[test]
fn parts_that_are_merged_in_order_are_the_whole() {
    let spec = everything();
    let line = |at: u32| match at % 7 {
        0 => format!(r#"{{"k":{},"t":"late{at}"}}"#, at % 3),
        1 => "{}".to_owned(),
        _ => format!(r#"{{"k":{},"n":{},"t":"t{}"}}"#, at % 5, at * at % 101, at % 11),
    };
    let lines: Vec<String> = (0..300).map(line).collect();
    let of = |lines: &[String]| {
        let mut reducer = Reducer::new(&spec);
        lines.iter().for_each(|line| reducer.add(line.as_bytes()).unwrap());
        reducer
    };
    let parsed =
        |reducer: Reducer<'_>| serde_json::from_str::<serde_json::Value>(reducer.finish().unwrap().get()).unwrap();
    let whole = parsed(of(&lines));
    for size in [1, 7, 100, 299] {
        let mut merged = of(&[]);
        lines.chunks(size).for_each(|part| merged.merge(of(part)).unwrap());
        let merged = parsed(merged);
        for (group, other) in whole.as_array().unwrap().iter().zip(merged.as_array().unwrap()) {
            for (name, value) in group.as_object().unwrap().iter().filter(|(name, _)| *name != "std") {
                assert_eq!(value, &other[name], "{size}: {name}");
            }
            let (one, other) = (group["std"]["n"].as_f64(), other["std"]["n"].as_f64());
            assert!(one.zip(other).is_none_or(|(one, other)| (one - other).abs() < 1e-9), "{one:?} {other:?}");
        }
    }
}

#[test]
fn what_does_not_go_together_across_parts_is_named_with_its_place() {
    let spec = Reductions { over: vec![(Reduction::Max, fields(&["d"]))], ..Reductions::default() };
    let of = |lines: &[&str]| {
        let mut reducer = Reducer::new(&spec);
        lines.iter().for_each(|line| reducer.add(line.as_bytes()).unwrap());
        reducer
    };
    let mut first = of(&[r#"{"d":"x"}"#, "{}"]);
    let said = first.merge(of(&["{}", r#"{"d":5}"#, r#"{"d":6}"#])).unwrap_err();
    assert_eq!(said, "result 3: `d` is 5, but earlier values are text");
}
