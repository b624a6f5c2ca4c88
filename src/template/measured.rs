//! What operators and filters may write out or compare: values of which the whole, with all that is nested in it, is not too large.
//!
//! A list that holds another one twice takes no more memory than a list of two. But its text is twice as long, and a comparison visits
//! everything twice; forty such lists in each other are beyond all memory and all time. minijinja counts what a filter gives, so it would
//! notice too late.

use super::base::BASE;
use super::joined::{chain, flattened, is_list, join, refused};
use minijinja::value::{Kwargs, Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State};

/// How large a value may be that is written as text: the bytes of its texts, and some for each value in it. Where it is compared, the fuel is
/// the limit.
const LARGEST: usize = 1 << 28;
const ELEMENT: usize = 16;

/// A value of this size is looked at for nothing.
const FREE: usize = 1 << 10;

/// Filters for the operands of operators. No template can name them in front of a bar, so they have signs in their names.
pub(super) const JOIN: &str = "(join)";
pub(super) const WRITE: &str = "(write)";
pub(super) const COMPARE: &str = "(compare)";
pub(super) const CHANGE: &str = "(change)";
pub(super) const SLICE: &str = "(slice)";
pub(super) const KEPT: &str = "(kept)";
// minijinja takes blanks out of a name before it looks for the filter.
pub(super) const LOOK_UP: &str = "(lookup)";
pub(super) const KEYS: &str = "(keys)";

/// Filters that write values as text, or name them in an error. Those that are missing here and below take element after element, which
/// minijinja counts.
const WRITING: [&str; 27] = [
    "safe",
    "escape",
    "e",
    "lower",
    "upper",
    "title",
    "capitalize",
    "replace",
    "trim",
    "join",
    "split",
    "lines",
    "round",
    "abs",
    "int",
    "float",
    "attr",
    "string",
    "indent",
    "format",
    "urlencode",
    "raw",
    "name",
    "stem",
    "suffix",
    "parent",
    "with_suffix",
];

/// Filters that compare values.
const COMPARING: [&str; 6] = ["dictsort", "min", "max", "sort", "groupby", "unique"];

/// Tests that write values as text, and tests that compare them.
const WRITING_TESTS: [&str; 7] = ["divisibleby", "startingwith", "endingwith", "lower", "upper", "odd", "even"];
const COMPARING_TESTS: [&str; 17] = [
    "sameas",
    "eq",
    "equalto",
    "==",
    "ne",
    "!=",
    "lt",
    "lessthan",
    "<",
    "le",
    "<=",
    "gt",
    "greaterthan",
    ">",
    "ge",
    ">=",
    "in",
];

/// Adds the filters for operators, and measures what others get before they get it.
pub(super) fn add_measures(env: &mut Environment<'static>) {
    env.add_filter(JOIN, |state: &State<'_, '_>, operands: Rest<Value>| match &*values(&operands) {
        [first, second] if is_list(first) && is_list(second) => Ok(vec![join(state, first, second)?]),
        _ => Ok(Vec::new()),
    });
    env.add_filter(KEPT, kept);
    let mut add = |name, check: fn(&State<'_, '_>, &[Value]) -> Result<(), Error>| {
        env.add_filter(name, move |state: &State<'_, '_>, operands: Rest<Value>| {
            let mut operands = values(&operands);
            check(state, &operands)?;
            // Unpacking reverses a list.
            operands.reverse();
            Ok(operands)
        });
    };
    add(WRITE, measure_written);
    add(COMPARE, measure_compared);
    add(CHANGE, |state, values| {
        values.iter().try_for_each(|value| read(state, length(value)))?;
        measure_written(state, values)
    });
    add(LOOK_UP, measure_looked_up);
    add(SLICE, measure_sliced);
    add(KEYS, |state, pairs| pairs.iter().step_by(2).try_for_each(|key| measure_key(state, key)));
    for name in WRITING {
        env.add_filter(name, move |state: &mut State<'_, '_>, args: Rest<Value>| {
            measure_written(state, &args)?;
            based(state, |base| base.apply_filter(name, &args))
        });
    }
    for name in COMPARING {
        env.add_filter(name, move |state: &mut State<'_, '_>, args: Rest<Value>| {
            args.iter().try_for_each(|value| measure(state, value, usize::MAX))?;
            based(state, |base| base.apply_filter(name, &args))
        });
    }
    for name in WRITING_TESTS {
        env.add_test(name, move |state: &mut State<'_, '_>, args: Rest<Value>| {
            measure_texts(state, &args)?;
            measure_written(state, &args)?;
            based(state, |base| base.perform_test(name, &args))
        });
    }
    for name in COMPARING_TESTS {
        env.add_test(name, move |state: &mut State<'_, '_>, args: Rest<Value>| {
            measure_compared(state, &args)?;
            based(state, |base| base.perform_test(name, &args))
        });
    }
    env.add_filter("chain", |state: &State<'_, '_>, value: Value, others: Rest<Value>| chain(state, &value, &others));
    env.add_filter("sum", sum);
}

/// What a filter or test gives that measures nothing. It takes the fuel of the template.
fn based<T>(state: &State<'_, '_>, call: impl FnOnce(&mut State<'_, '_>) -> Result<T, Error>) -> Result<T, Error> {
    let mut base = BASE.empty_state();
    let result = call(&mut base);
    state.consume_fuel(base.fuel_levels().map_or(0, |(consumed, _)| consumed))?;
    result
}

/// The operands in the list that a filter for operators gets.
fn values(operands: &[Value]) -> Vec<Value> {
    operands.first().and_then(|list| list.try_iter().ok()).into_iter().flatten().collect()
}

fn measure_written(state: &State<'_, '_>, values: &[Value]) -> Result<(), Error> {
    values.iter().try_for_each(|value| measure(state, value, LARGEST))
}

/// Measures values that are compared. A text in which a list is looked for has it written.
fn measure_compared(state: &State<'_, '_>, values: &[Value]) -> Result<(), Error> {
    let held = values.iter().filter(|value| holds(value)).count();
    if held == 0 {
        return measure_texts(state, values);
    }
    if values.iter().any(|value| value.as_str().is_some()) {
        return measure_written(state, values);
    }
    // What holds nothing is compared at the first look.
    if held < 2 { Ok(()) } else { values.iter().try_for_each(|value| measure(state, value, usize::MAX)) }
}

/// Measures texts that are read together until they differ, or the only one.
fn measure_texts(state: &State<'_, '_>, values: &[Value]) -> Result<(), Error> {
    read(state, values.iter().map(length).min().unwrap_or(0))
}

/// Measures a key, and a text before its character with this number.
fn measure_looked_up(state: &State<'_, '_>, operands: &[Value]) -> Result<(), Error> {
    let [value, key] = operands else { return Ok(()) };
    match (value.as_str(), key.as_i64()) {
        (Some(text), Some(index)) => {
            let before = usize::try_from(index).map_or(text.len(), |index| index.min(text.len()));
            read(state, before)
        }
        _ => measure_key(state, key),
    }
}

/// Measures a key of a mapping. A text is read for its hash.
fn measure_key(state: &State<'_, '_>, key: &Value) -> Result<(), Error> {
    read(state, length(key))?;
    measure(state, key, usize::MAX)
}

/// Measures a text of which a part is taken, or the elements of a list before that part.
fn measure_sliced(state: &State<'_, '_>, operands: &[Value]) -> Result<(), Error> {
    let [value, start, _, step] = operands else { return Ok(()) };
    if !holds(value) {
        return read(state, length(value));
    }
    let all = value.len().unwrap_or(0);
    let takes_each = step.is_none() || step.as_i64() == Some(1);
    let skipped = match start.as_usize() {
        Some(start) if takes_each => start.min(all),
        None if takes_each && start.is_none() => 0,
        _ => all,
    };
    read(state, skipped.saturating_mul(ELEMENT))
}

/// The part of a list, which minijinja takes again and again from the list otherwise, and skips what comes before it each time.
fn kept(state: &State<'_, '_>, part: Value) -> Result<Value, Error> {
    if part.kind() != ValueKind::Iterable {
        return Ok(part);
    }
    let mut elements = Vec::new();
    for element in part.try_iter()?.checked() {
        state.consume_fuel(1)?;
        elements.push(element?);
    }
    Ok(Value::from(elements))
}

/// How many bytes a text has; 0 if the value is not a text.
fn length(value: &Value) -> usize {
    value.as_str().map_or(0, str::len)
}

/// Pays for so many bytes that are read.
fn read(state: &State<'_, '_>, bytes: usize) -> Result<(), Error> {
    if bytes > FREE { state.consume_fuel(bytes as u64 / 64) } else { Ok(()) }
}

/// Whether a value can hold others.
fn holds(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map)
}

/// Refuses a value that is larger than this or than the fuel, which pays for looking at it.
fn measure(state: &State<'_, '_>, value: &Value, largest: usize) -> Result<(), Error> {
    if !holds(value) {
        return Ok(());
    }
    let fuel = state.fuel_levels().map_or(u64::MAX, |(_, remaining)| remaining.saturating_mul(64));
    let fuel = usize::try_from(fuel).unwrap_or(usize::MAX);
    let limit = largest.min(fuel).max(FREE);
    let mut left = limit;
    let fits = spend(value, &mut left);
    let spent = if fits { limit - left } else { limit };
    if spent > FREE {
        state.consume_fuel(spent as u64 / 64)?;
    }
    if fits {
        return Ok(());
    }
    if limit < largest {
        // Nothing is left of it.
        state.consume_fuel(u64::MAX)?;
    }
    Err(refused("as text, the value has more than 256 MiB".to_owned()))
}

/// Takes the size of a value from what is left, if there is as much.
fn spend(value: &Value, left: &mut usize) -> bool {
    let size = ELEMENT + length(value);
    let Some(less) = left.checked_sub(size) else { return false };
    *left = less;
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter().map_or(true, |mut elements| elements.all(|element| spend(&element, left)))
        }
        ValueKind::Map => value.try_iter().map_or(true, |mut keys| {
            keys.all(|key| spend(&key, left) && value.get_item(&key).map_or(true, |value| spend(&value, left)))
        }),
        _ => true,
    }
}

/// minijinja's own, but for lists and texts.
fn sum(
    state: &State<'_, '_>,
    values: Value,
    attribute: Option<String>,
    start: Option<Value>,
    options: Kwargs,
) -> Result<Value, Error> {
    let attribute = if attribute.is_some() { attribute } else { options.get("attribute")? };
    let start = if start.is_some() { start } else { options.get("start")? };
    options.assert_all_used()?;
    let Some(start) = start.clone().filter(|start| is_list(start) || start.as_str().is_some()) else {
        let no_options = std::iter::empty::<(&str, Value)>().collect();
        return minijinja::filters::sum(state, values, attribute.as_deref(), start, no_options);
    };
    if values.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    let mut all = Vec::new();
    for value in values.try_iter()?.checked() {
        state.consume_fuel(1)?;
        let value = match &attribute {
            Some(path) => at(value?, path)?,
            None => value?,
        };
        if !value.is_undefined() {
            all.push(value);
        }
    }
    flattened(state, &start, all)
}

/// The value at a path such as `a.0.b`.
fn at(value: Value, path: &str) -> Result<Value, Error> {
    path.split('.').try_fold(value, |value, part| match part.parse::<usize>() {
        Ok(index) => value.get_item(&Value::from(index)),
        Err(_) => value.get_attr(part),
    })
}
