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
    add(LOOK_UP, |state, operands| operands.iter().skip(1).try_for_each(|key| measure(state, key, usize::MAX)));
    add(KEYS, |state, pairs| pairs.iter().step_by(2).try_for_each(|key| measure(state, key, usize::MAX)));
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
    if values.iter().any(|value| value.as_str().is_some()) {
        return measure_written(state, values);
    }
    // What holds nothing is compared at the first look.
    if held < 2 { Ok(()) } else { values.iter().try_for_each(|value| measure(state, value, usize::MAX)) }
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
    if fits { Ok(()) } else { Err(refused("as text, the value has more than 256 MiB".to_owned())) }
}

/// Takes the size of a value from what is left, if there is as much.
fn spend(value: &Value, left: &mut usize) -> bool {
    let size = ELEMENT + value.as_str().map_or(0, str::len);
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
