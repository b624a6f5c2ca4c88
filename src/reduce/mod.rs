//! Reductions of results: one pass over their lines. Memory grows only with the number of groups, and with the values that
//! quantiles and counts need.
//!
//! Null and missing fields only count as results. If a value cannot be reduced, the pass ends with an error that names
//! the result.

mod key;
mod moments;
mod number;
mod pick;
mod quantiles;
mod scalar;
mod state;
#[cfg(test)]
mod tests;

use crate::spec::{Over, Reduction, Reductions};
use key::Key;
use pick::{Found, Picker};
use serde_json::value::RawValue;
use state::{State, Unjoinable};
use std::collections::HashMap;

/// How many results are reduced together. Their number is fixed, and parts are joined in order: so the same results give the
/// same digits, however many threads there are, and whatever batches the results came in.
pub const RANGE: usize = 8192;

/// The most bytes of values that reductions hold which need them all.
const MOST_BYTES: u64 = 512 << 20;

const TOO_MUCH: &str = "and `quantiles`, `distinct` and `top` hold more than 512 MiB by now; compute them with `code`";

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
    /// How many bytes of values are held.
    held: u64,
}

/// What holds for a group so far.
struct Group {
    /// The values of the group's columns as JSON, as they stand in its first result.
    keys: Vec<String>,
    count: u64,
    states: Vec<State>,
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
            Self { spec, picker, measures, by, groups: Vec::new(), places: HashMap::new(), count: 0, found, held: 0 };
        if spec.group_by.is_none() {
            reducer.new_group(Vec::new());
        }
        reducer
    }

    /// How many results were added.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds a result, given as a line of JSON; the error is its index, and the reason why it cannot be.
    pub fn add(&mut self, line: &[u8]) -> Result<(), (u64, String)> {
        let index = self.count;
        self.count += 1;
        let line = std::str::from_utf8(line).map_err(|_| (index, " is not UTF-8".to_owned()))?;
        let mut values = Vec::new();
        self.picker.pick(line, &mut values).map_err(|wrong| {
            let of = wrong.field.map_or_else(String::new, |field| format!(": `{field}`"));
            let (value, wanted) = (shorten(&wrong.value), wrong.wanted);
            (index, format!("{of} is {value}, not a mapping with a field `{wanted}`"))
        })?;
        for (found, value) in self.found.iter_mut().zip(&values) {
            *found |= value.is_some();
        }
        self.add_values(&values, index).map_err(|wrong| {
            let of =
                self.picker.columns[wrong.column].as_ref().map_or_else(String::new, |field| format!(": `{field}`"));
            (index, format!("{of} is {}, {}", shorten(&wrong.value), wrong.what))
        })
    }

    fn add_values(&mut self, values: &[Found<'_>], index: u64) -> Result<(), Wrong> {
        let at = if self.by.is_empty() {
            0
        } else {
            // There may be millions of groups, so none takes more than it needs.
            let mut keys = Vec::with_capacity(self.by.len());
            for column in &self.by {
                keys.push(key(*column, values[*column])?);
            }
            match self.places.get(&keys) {
                Some(at) => *at,
                None => {
                    let shown = self.by.iter().map(|column| values[*column].map_or("null", RawValue::get).to_owned());
                    let at = self.new_group(shown.collect());
                    self.places.insert(keys, at);
                    at
                }
            }
        };
        let group = &mut self.groups[at];
        group.count += 1;
        for ((_, column), state) in self.measures.iter().zip(&mut group.states) {
            if let Some(value) = values[*column] {
                let wrong = |what| Wrong { column: *column, value: value.get().to_owned(), what };
                self.held += state.add(value.get(), index).map_err(wrong)?;
                if self.held > MOST_BYTES {
                    return Err(wrong(TOO_MUCH));
                }
            }
        }
        Ok(())
    }

    /// Adds what holds for the results that follow; the error is the reason why it cannot be.
    pub fn merge(&mut self, next: Self) -> Result<(), String> {
        let before = self.count;
        self.count += next.count;
        self.found.iter_mut().zip(next.found).for_each(|(found, next)| *found |= next);
        let mut keys: Vec<Vec<Key>> = next.groups.iter().map(|_| Vec::new()).collect();
        for (key, at) in next.places {
            keys[at] = key;
        }
        for (group, key) in next.groups.into_iter().zip(keys) {
            let at = match self.places.get(&key) {
                Some(at) => *at,
                None if self.by.is_empty() => 0,
                None => {
                    let at = self.new_group(group.keys);
                    self.places.insert(key, at);
                    at
                }
            };
            let ours = &mut self.groups[at];
            ours.count += group.count;
            for (((_, column), state), next) in self.measures.iter().zip(&mut ours.states).zip(group.states) {
                let of =
                    || self.picker.columns[*column].as_ref().map_or_else(String::new, |field| format!(": `{field}`"));
                let merged = state.merge(next, before).map_err(|Unjoinable { value, what }| match value {
                    Some((index, value)) => format!("result {index}{} is {}, {what}", of(), shorten(&value)),
                    None => format!("result {} or an earlier one{} is one too many, {what}", self.count - 1, of()),
                });
                self.held += merged?;
                if self.held > MOST_BYTES {
                    return Err(format!(
                        "result {} or an earlier one{} is one too many, {TOO_MUCH}",
                        self.count - 1,
                        of()
                    ));
                }
            }
        }
        Ok(())
    }

    fn new_group(&mut self, keys: Vec<String>) -> usize {
        let states = self.measures.iter().map(|(reduction, _)| State::new(*reduction)).collect();
        self.groups.push(Group { keys, count: 0, states });
        self.groups.len() - 1
    }

    /// Fields that none of the results has, though there are results.
    pub fn never_found(&self) -> Vec<String> {
        let columns = self.picker.columns.iter().zip(&self.found).filter(|(_, found)| !**found && self.count > 0);
        columns.filter_map(|(field, _)| field.as_ref().map(ToString::to_string)).collect()
    }

    /// The aggregate as JSON text.
    pub fn finish(mut self) -> Result<Box<RawValue>, String> {
        self.places = HashMap::new();
        let is_grouped = self.spec.group_by.is_some();
        let mut json = if is_grouped { "[".to_owned() } else { String::new() };
        for group in std::mem::take(&mut self.groups) {
            if json.len() > 1 {
                json.push(',');
            }
            json.push_str(&self.write(&group)?);
        }
        if is_grouped {
            json.push(']');
        }
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
                state.to_json(self.spec).map(|json| (*column, json)).ok_or_else(beyond)
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

fn key(column: usize, value: Found<'_>) -> Result<Key, Wrong> {
    let Some(json) = value.map(RawValue::get) else { return Ok(Key::Null) };
    let what = "but only text, numbers, booleans and null can form groups";
    Key::read(json, what).map_err(|what| Wrong { column, value: json.to_owned(), what })
}

fn member(name: &str, json: &str) -> String {
    format!("{}:{json}", serde_json::Value::from(name))
}

fn shorten(json: &str) -> String {
    if json.chars().count() <= 80 { json.to_owned() } else { json.chars().take(79).chain(['…']).collect() }
}
