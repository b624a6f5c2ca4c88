//! Reductions of results: one pass over their lines. Memory grows only with the number of groups.
//!
//! Null and missing fields only count as results. If a value cannot be reduced, the pass ends with an error that names
//! the result.

mod number;
mod pick;

use crate::spec::{Over, Reduction, Reductions};
use number::{Number, Sum};
use pick::{Found, Picker};
use serde_json::value::RawValue;
use std::cmp::Ordering;
use std::collections::HashMap;

/// A reduction under way.
pub struct Reducer<'a> {
    spec: &'a Reductions,
    picker: Picker,
    /// Each reduction of a column.
    measures: Vec<(Reduction, usize)>,
    /// The columns to group by.
    by: Vec<usize>,
    groups: Vec<Group>,
    places: HashMap<Vec<Key>, usize>,
    /// How many results were added.
    count: u64,
    /// Whether a column has been found in any result.
    found: Vec<bool>,
}

/// What holds for a group so far.
struct Group {
    /// The values of the group's columns as JSON, as they stand in its first result.
    keys: Vec<String>,
    count: u64,
    states: Vec<State>,
}

/// A reduction of one column of one group.
#[derive(Clone)]
enum State {
    Sum(Sum),
    Mean(Sum),
    /// The least value (`Less`) or the greatest (`Greater`).
    Extreme(Ordering, Option<Scalar>),
}

#[derive(Clone)]
enum Scalar {
    Number(Number),
    Text(String),
}

/// A value to group by.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Null,
    Bool(bool),
    Whole(i128),
    Float(u64),
    Text(String),
}

/// Something that cannot go on.
struct Wrong {
    column: usize,
    value: String,
    what: &'static str,
}

impl<'a> Reducer<'a> {
    /// A reduction of no results yet.
    pub fn new(spec: &'a Reductions) -> Self {
        let mut picker = Picker::default();
        let mut columns = |over: &Over| match over {
            Over::Result => vec![picker.column(None)],
            Over::Fields(fields) => fields.iter().map(|field| picker.column(Some(field))).collect::<Vec<_>>(),
        };
        let by = spec.group_by.as_ref().map(&mut columns).unwrap_or_default();
        let measures = spec.over.iter().flat_map(|(reduction, over)| {
            columns(over).into_iter().map(|column| (*reduction, column)).collect::<Vec<_>>()
        });
        let measures = measures.collect();
        let found = vec![false; picker.columns.len()];
        let mut reducer =
            Self { spec, picker, measures, by, groups: Vec::new(), places: HashMap::new(), count: 0, found };
        if spec.group_by.is_none() {
            reducer.new_group(Vec::new());
        }
        reducer
    }

    /// Adds a result, given as a line of JSON; the error is the reason why it cannot be.
    pub fn add(&mut self, line: &[u8]) -> Result<(), String> {
        let index = self.count;
        self.count += 1;
        let line = std::str::from_utf8(line).map_err(|_| format!("result {index} is not UTF-8"))?;
        let mut values = Vec::new();
        self.picker.pick(line, &mut values).map_err(|wrong| {
            let of = wrong.field.map_or_else(String::new, |field| format!(": `{field}`"));
            let (value, wanted) = (shorten(&wrong.value), wrong.wanted);
            format!("result {index}{of} is {value}, not a mapping with a field `{wanted}`")
        })?;
        for (found, value) in self.found.iter_mut().zip(&values) {
            *found |= value.is_some();
        }
        self.add_values(&values).map_err(|wrong| {
            let of =
                self.picker.columns[wrong.column].as_ref().map_or_else(String::new, |field| format!(": `{field}`"));
            format!("result {index}{of} is {}, {}", shorten(&wrong.value), wrong.what)
        })
    }

    fn add_values(&mut self, values: &[Found<'_>]) -> Result<(), Wrong> {
        let at = if self.by.is_empty() {
            0
        } else {
            let key = self.by.iter().map(|column| key(*column, values[*column])).collect::<Result<Vec<_>, _>>()?;
            match self.places.get(&key) {
                Some(at) => *at,
                None => {
                    let shown = self.by.iter().map(|column| values[*column].map_or("null", RawValue::get).to_owned());
                    let at = self.new_group(shown.collect());
                    self.places.insert(key, at);
                    at
                }
            }
        };
        let group = &mut self.groups[at];
        group.count += 1;
        for ((_, column), state) in self.measures.iter().zip(&mut group.states) {
            if let Some(value) = values[*column] {
                state.add(value.get()).map_err(|what| Wrong {
                    column: *column,
                    value: value.get().to_owned(),
                    what,
                })?;
            }
        }
        Ok(())
    }

    fn new_group(&mut self, keys: Vec<String>) -> usize {
        let state = |(reduction, _): &(Reduction, usize)| match reduction {
            Reduction::Sum => State::Sum(Sum::default()),
            Reduction::Mean => State::Mean(Sum::default()),
            Reduction::Min => State::Extreme(Ordering::Less, None),
            Reduction::Max => State::Extreme(Ordering::Greater, None),
        };
        self.groups.push(Group { keys, count: 0, states: self.measures.iter().map(state).collect() });
        self.groups.len() - 1
    }

    /// Fields that none of the results has, though there are results.
    pub fn never_found(&self) -> Vec<String> {
        let columns = self.picker.columns.iter().zip(&self.found).filter(|(_, found)| !**found && self.count > 0);
        columns.filter_map(|(field, _)| field.as_ref().map(ToString::to_string)).collect()
    }

    /// The aggregate as JSON text.
    pub fn finish(self) -> Result<Box<RawValue>, String> {
        let groups: Vec<String> = self.groups.iter().map(|group| self.write(group)).collect::<Result<_, _>>()?;
        let json = match (&self.spec.group_by, groups.into_iter()) {
            (None, mut groups) => groups.next().unwrap_or_default(),
            (Some(_), groups) => format!("[{}]", groups.collect::<Vec<_>>().join(",")),
        };
        RawValue::from_string(json).map_err(|error| error.to_string())
    }

    fn write(&self, group: &Group) -> Result<String, String> {
        let named = |column: usize| self.picker.columns[column].as_ref().map_or("value", |field| field.0.as_str());
        let mut members: Vec<String> =
            self.by.iter().zip(&group.keys).map(|(column, value)| member(named(*column), value)).collect();
        if self.spec.count {
            members.push(member("count", &group.count.to_string()));
        }
        let mut measures = self.measures.iter().zip(&group.states);
        for (reduction, over) in &self.spec.over {
            let name = reduction.name();
            let mut next = || {
                let ((_, column), state) = measures.next().expect("there is one for each field");
                let beyond = || format!("`{name}` of `{}` is too large for a float", named(*column));
                state.to_json().map(|json| (*column, json)).ok_or_else(beyond)
            };
            let value = match over {
                Over::Result => next()?.1,
                Over::Fields(fields) => {
                    let fields: Vec<String> = fields
                        .iter()
                        .map(|_| next().map(|(column, json)| member(named(column), &json)))
                        .collect::<Result<_, _>>()?;
                    format!("{{{}}}", fields.join(","))
                }
            };
            members.push(member(name, &value));
        }
        Ok(format!("{{{}}}", members.join(",")))
    }
}

impl State {
    /// Adds a value that is not null; the error is what is wrong with it.
    fn add(&mut self, json: &str) -> Result<(), &'static str> {
        match self {
            Self::Sum(sum) | Self::Mean(sum) => match scalar(json)? {
                Scalar::Number(number) if sum.add(number) => Ok(()),
                Scalar::Number(_) => Err("and the sum exceeds 128 bits"),
                Scalar::Text(_) => Err(NO_NUMBER),
            },
            Self::Extreme(wanted, so_far) => {
                let value = scalar(json)?;
                let order = match (&value, &*so_far) {
                    (_, None) => *wanted,
                    (Scalar::Number(value), Some(Scalar::Number(other))) => value.compare(*other),
                    (Scalar::Text(value), Some(Scalar::Text(other))) => value.cmp(other),
                    (Scalar::Text(_), Some(_)) => return Err("but earlier values are numbers"),
                    (Scalar::Number(_), Some(_)) => return Err("but earlier values are text"),
                };
                if order == *wanted {
                    *so_far = Some(value);
                }
                Ok(())
            }
        }
    }

    /// Its value; none where no number is left that could be written.
    fn to_json(&self) -> Option<String> {
        match self {
            Self::Sum(sum) => sum.total().to_json(),
            Self::Mean(sum) => sum.mean().map_or_else(|| Some("null".to_owned()), Number::to_json),
            Self::Extreme(_, None) => Some("null".to_owned()),
            Self::Extreme(_, Some(Scalar::Number(number))) => number.to_json(),
            Self::Extreme(_, Some(Scalar::Text(text))) => serde_json::to_string(text).ok(),
        }
    }
}

const NO_NUMBER: &str = "not a number";

fn scalar(json: &str) -> Result<Scalar, &'static str> {
    match json.as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => {
            Number::read(json).map(Scalar::Number).ok_or("which exceeds 128 bits or the range of a float")
        }
        Some(b'"') => serde_json::from_str(json).map(Scalar::Text).map_err(|_| NO_NUMBER),
        _ => Err(NO_NUMBER),
    }
}

fn key(column: usize, value: Found<'_>) -> Result<Key, Wrong> {
    let Some(json) = value.map(RawValue::get) else { return Ok(Key::Null) };
    let wrong = |what| Wrong { column, value: json.to_owned(), what };
    match json {
        "true" | "false" => Ok(Key::Bool(json == "true")),
        _ if json.starts_with(['{', '[']) => Err(wrong("but only text, numbers, booleans and null can form groups")),
        _ => Ok(match scalar(json).map_err(wrong)? {
            Scalar::Text(text) => Key::Text(text),
            Scalar::Number(number) => match number.canonical() {
                Number::Whole(number) => Key::Whole(number),
                Number::Float(number) => Key::Float(number.to_bits()),
            },
        }),
    }
}

fn member(name: &str, json: &str) -> String {
    format!("{}:{json}", serde_json::Value::from(name))
}

fn shorten(json: &str) -> String {
    if json.chars().count() <= 80 { json.to_owned() } else { json.chars().take(79).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Field;

    fn fields(names: &[&str]) -> Over {
        Over::Fields(names.iter().map(|name| Field((*name).to_owned())).collect())
    }

    fn reduce(spec: &Reductions, lines: &[&str]) -> Result<String, String> {
        let mut reducer = Reducer::new(spec);
        lines.iter().try_for_each(|line| reducer.add(line.as_bytes()))?;
        reducer.finish().map(|json| json.get().to_owned())
    }

    fn all(over: Over) -> Vec<(Reduction, Over)> {
        Reduction::ALL.map(|reduction| (reduction, over.clone())).to_vec()
    }

    #[test]
    fn without_groups_there_is_one_mapping() {
        let spec = Reductions { count: true, over: all(fields(&["a", "b.c"])), group_by: None };
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
        let spec = Reductions { count: false, over: all(Over::Result), group_by: None };
        assert_eq!(reduce(&spec, &["3", "null", "1.5"]).unwrap(), r#"{"sum":4.5,"mean":2.25,"min":1.5,"max":3}"#);
        let spec = Reductions { count: true, over: Vec::new(), group_by: Some(Over::Result) };
        let expected = r#"[{"value":"x","count":2},{"value":1,"count":1}]"#;
        assert_eq!(reduce(&spec, &["\"x\"", "1", "\"x\""]).unwrap(), expected);
    }

    #[test]
    fn the_least_and_the_greatest_of_texts_are_theirs() {
        let over = vec![(Reduction::Min, fields(&["d"])), (Reduction::Max, fields(&["d"]))];
        let spec = Reductions { count: false, over, group_by: None };
        let days = [r#"{"d":"2013-01-09"}"#, r#"{"d":"2013-01-10"}"#];
        assert_eq!(reduce(&spec, &days).unwrap(), r#"{"min":{"d":"2013-01-09"},"max":{"d":"2013-01-10"}}"#);
        let mixed = [days[0], r#"{"d":5}"#];
        assert_eq!(reduce(&spec, &mixed).unwrap_err(), "result 1: `d` is 5, but earlier values are text");
    }

    #[test]
    fn what_cannot_be_reduced_is_named_with_its_place() {
        let sum = Reductions { count: false, over: vec![(Reduction::Sum, fields(&["a.b"]))], group_by: None };
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
        let group = Reductions { count: true, over: Vec::new(), group_by: Some(fields(&["a"])) };
        let said = reduce(&group, &[good]).unwrap_err();
        assert_eq!(said, "result 0: `a` is {\"b\":1}, but only text, numbers, booleans and null can form groups");
    }
}
