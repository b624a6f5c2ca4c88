//! A reduction of one column of one group, as far as it has come.

use super::key::Key;
use super::moments::Moments;
use super::number::{Number, Sum};
use super::quantiles::quantile;
use super::scalar::{Scalar, number, scalar};
use crate::spec::{Reduction, Reductions};
use indexmap::IndexMap;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::mem::size_of;

const TOO_LARGE: &str = "and the sum exceeds 128 bits";
const NOT_COUNTED: &str = "but only text, numbers and booleans can be counted";

/// A reduction of one column of one group.
pub(super) enum State {
    Sum(Sum),
    Mean(Sum),
    Std(Moments),
    /// The least value (`Less`) or the greatest (`Greater`).
    Extreme(Ordering, Option<Extreme>),
    Quantiles(Vec<f64>),
    Distinct(HashSet<Key>),
    /// Each value as it was first written, and how often it was there.
    Top(IndexMap<Key, (String, u64)>),
    First(Option<String>),
    Last(Option<String>),
}

/// The extreme of some values.
pub(super) struct Extreme {
    value: Scalar,
    /// The result with the first of them, and that value as JSON.
    first: (u64, String),
}

/// Where two parts cannot be joined.
pub(super) struct Unjoinable {
    /// The result with the value, and the value; none if no single value is to blame.
    pub(super) value: Option<(u64, String)>,
    pub(super) what: &'static str,
}

impl State {
    /// A reduction of no values.
    pub(super) fn new(reduction: Reduction) -> Self {
        match reduction {
            Reduction::Sum => Self::Sum(Sum::default()),
            Reduction::Mean => Self::Mean(Sum::default()),
            Reduction::Std => Self::Std(Moments::default()),
            Reduction::Min => Self::Extreme(Ordering::Less, None),
            Reduction::Max => Self::Extreme(Ordering::Greater, None),
            Reduction::Quantiles => Self::Quantiles(Vec::new()),
            Reduction::Distinct => Self::Distinct(HashSet::new()),
            Reduction::Top => Self::Top(IndexMap::new()),
            Reduction::First => Self::First(None),
            Reduction::Last => Self::Last(None),
        }
    }

    /// Adds a value that is not null, of the result with this index. Returns how many more bytes are held; the error is
    /// what is wrong with the value.
    pub(super) fn add(&mut self, json: &str, index: u64) -> Result<u64, &'static str> {
        match self {
            Self::Sum(sum) | Self::Mean(sum) => {
                if !sum.add(number(json)?) {
                    return Err(TOO_LARGE);
                }
            }
            Self::Std(moments) => moments.add(number(json)?.to_float()),
            Self::Extreme(wanted, so_far) => {
                let value = Extreme { value: scalar(json)?, first: (index, String::new()) };
                match so_far {
                    None => *so_far = Some(Extreme { first: (index, json.to_owned()), ..value }),
                    Some(so_far) => so_far.take(value, *wanted)?,
                }
            }
            Self::Quantiles(numbers) => {
                numbers.push(number(json)?.to_float());
                return Ok(size_of::<f64>() as u64);
            }
            Self::Distinct(keys) => {
                let key = Key::read(json, NOT_COUNTED)?;
                let bytes = key.bytes();
                return Ok(if keys.insert(key) { bytes } else { 0 });
            }
            Self::Top(counts) => {
                let key = Key::read(json, NOT_COUNTED)?;
                let bytes = key.bytes() + json.len() as u64;
                let before = counts.len();
                counts.entry(key).or_insert_with(|| (json.to_owned(), 0)).1 += 1;
                return Ok(if counts.len() > before { bytes } else { 0 });
            }
            Self::First(first) => drop(first.get_or_insert_with(|| json.to_owned())),
            Self::Last(last) => *last = Some(json.to_owned()),
        }
        Ok(0)
    }

    /// Adds what holds for the values that follow; their results come after `before` others. Returns how many more bytes
    /// are held.
    pub(super) fn merge(&mut self, next: Self, before: u64) -> Result<u64, Unjoinable> {
        match (self, next) {
            (Self::Sum(sum), Self::Sum(next)) | (Self::Mean(sum), Self::Mean(next)) => {
                let fits = sum.merge(next);
                return fits.then_some(0).ok_or(Unjoinable { value: None, what: TOO_LARGE });
            }
            (Self::Std(moments), Self::Std(next)) => moments.merge(next),
            (Self::Extreme(wanted, so_far), Self::Extreme(_, Some(mut next))) => {
                next.first.0 += before;
                match so_far {
                    None => *so_far = Some(next),
                    Some(so_far) => {
                        let value = Some(next.first.clone());
                        so_far.take(next, *wanted).map_err(|what| Unjoinable { value, what })?;
                    }
                }
            }
            (Self::Quantiles(numbers), Self::Quantiles(next)) => {
                numbers.extend_from_slice(&next);
                return Ok((next.len() * size_of::<f64>()) as u64);
            }
            (Self::Distinct(keys), Self::Distinct(next)) => {
                let mut bytes = 0;
                for key in next {
                    let more = key.bytes();
                    bytes += if keys.insert(key) { more } else { 0 };
                }
                return Ok(bytes);
            }
            (Self::Top(counts), Self::Top(next)) => {
                let mut bytes = 0;
                for (key, (json, count)) in next {
                    let more = key.bytes() + json.len() as u64;
                    let known = counts.len();
                    counts.entry(key).or_insert((json, 0)).1 += count;
                    bytes += if counts.len() > known { more } else { 0 };
                }
                return Ok(bytes);
            }
            (Self::First(first @ None), Self::First(next)) => *first = next,
            (Self::Last(last), Self::Last(Some(next))) => *last = Some(next),
            // There is nothing to add: both parts reduce the same column in the same way.
            _ => {}
        }
        Ok(0)
    }

    /// Its value as JSON; none where no number is left that could be written.
    pub(super) fn to_json(&self, spec: &Reductions) -> Option<String> {
        let null = || Some("null".to_owned());
        match self {
            Self::Sum(sum) => sum.total().to_json(),
            Self::Mean(sum) => sum.mean().map_or_else(null, Number::to_json),
            Self::Std(moments) => moments.deviation().map_or_else(null, |number| Number::Float(number).to_json()),
            Self::Extreme(_, None) => null(),
            Self::Extreme(_, Some(Extreme { value: Scalar::Number(number), .. })) => number.to_json(),
            Self::Extreme(_, Some(Extreme { value: Scalar::Text(text), .. })) => serde_json::to_string(text).ok(),
            Self::Quantiles(numbers) => {
                let mut sorted = numbers.clone();
                sorted.sort_unstable_by(f64::total_cmp);
                let of = |share: &str| share.parse().ok().and_then(|share| quantile(&sorted, share));
                let member = |share: &String| {
                    let value = of(share).map_or_else(null, |number| Number::Float(number).to_json())?;
                    Some(format!("\"{share}\":{value}"))
                };
                let members: Option<Vec<String>> = spec.at.iter().map(member).collect();
                Some(format!("{{{}}}", members?.join(",")))
            }
            Self::Distinct(keys) => Some(keys.len().to_string()),
            Self::Top(counts) => Some(top(counts, spec.top_size)),
            Self::First(value) | Self::Last(value) => value.clone().or_else(null),
        }
    }
}

/// The most frequent values. Those that are equally frequent come in order of first appearance.
fn top(counts: &IndexMap<Key, (String, u64)>, size: usize) -> String {
    let mut values: Vec<&(String, u64)> = counts.values().collect();
    values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let values: Vec<String> =
        values.iter().take(size).map(|(json, count)| format!("{{\"value\":{json},\"count\":{count}}}")).collect();
    format!("[{}]", values.join(","))
}

impl Extreme {
    /// Takes another value if it is more extreme; the error is why it cannot be compared.
    fn take(&mut self, other: Self, wanted: Ordering) -> Result<(), &'static str> {
        let order = match (&other.value, &self.value) {
            (Scalar::Number(value), Scalar::Number(other)) => value.compare(*other),
            (Scalar::Text(value), Scalar::Text(other)) => value.cmp(other),
            (Scalar::Text(_), _) => return Err("but earlier values are numbers"),
            (Scalar::Number(_), _) => return Err("but earlier values are text"),
        };
        if order == wanted {
            self.value = other.value;
        }
        Ok(())
    }
}
