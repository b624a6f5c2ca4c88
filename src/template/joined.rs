//! Lists that `+`, `chain` and `sum` make of other lists.
//!
//! minijinja's own lists of this kind copy their elements when they are nested too deeply, however many there are. These know how many they
//! have, and a copy costs fuel.

use minijinja::value::{Enumerator, Object, ObjectRepr, Value, ValueIter, ValueKind};
use minijinja::{Error, ErrorKind, State};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// How many values a list may have that is made of others.
const MOST: usize = 1 << 25;

/// How deep such lists may be nested. They are dropped by recursion.
const DEEPEST: usize = 400;

/// Two lists, one after the other.
struct Joined {
    parts: [Value; 2],
    len: usize,
    depth: usize,
}

impl fmt::Debug for Joined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joined").field("len", &self.len).finish_non_exhaustive()
    }
}

impl Object for Joined {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let [first, second] = self.parts.clone();
        Enumerator::Iter(Box::new(Elements { pending: vec![second, first], current: None, left: self.len }))
    }
}

/// The elements of nested lists, read without recursion.
struct Elements {
    /// Lists that follow, the next one last.
    pending: Vec<Value>,
    current: Option<ValueIter>,
    left: usize,
}

impl Iterator for Elements {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(value) = self.current.as_mut().and_then(Iterator::next) {
                self.left = self.left.saturating_sub(1);
                return Some(value);
            }
            self.current = None;
            let list = self.pending.pop()?;
            match list.downcast_object_ref::<Joined>() {
                Some(joined) => self.pending.extend(joined.parts.iter().rev().cloned()),
                None => match list.try_iter() {
                    Ok(elements) => self.current = Some(elements),
                    Err(error) => return Some(Value::from(error)),
                },
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

/// Whether `+` puts this value in a row with another one of its kind. Tuples are copied, which minijinja counts.
pub(super) fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) && !value.is_tuple()
}

/// One list after the other.
///
/// # Errors
/// If they have too many values together.
pub(super) fn join(state: &State<'_, '_>, first: &Value, second: &Value) -> Result<Value, Error> {
    let parts = [sized(state, first)?, sized(state, second)?];
    let measured = parts.each_ref().map(|part| match part.downcast_object_ref::<Joined>() {
        Some(joined) => (joined.len, joined.depth),
        None => (part.len().unwrap_or(0), 0),
    });
    let [(len, depth), (other_len, other_depth)] = measured;
    // An empty list takes time as well, each time that the elements are read, and nothing pays for it.
    let [first, second] = parts;
    match (len, other_len) {
        (_, 0) => return Ok(first),
        (0, _) => return Ok(second),
        _ => {}
    }
    let len = len.saturating_add(other_len);
    if len > MOST {
        return Err(refused(format!("the lists have more than {MOST} values together")));
    }
    let joined = Arc::new(Joined { parts: [first, second], len, depth: depth.max(other_depth) + 1 });
    if joined.depth <= DEEPEST {
        return Ok(Value::from_dyn_object(joined));
    }
    // As much as the slots of a list that the template writes.
    state.consume_fuel(len as u64 / 2)?;
    let elements = Value::from_dyn_object(joined).try_iter()?.checked();
    elements.collect::<Result<Vec<_>, _>>().map(Value::from)
}

/// The list itself, or its elements if it does not know how many it has.
fn sized(state: &State<'_, '_>, list: &Value) -> Result<Value, Error> {
    if list.len().is_some() {
        return Ok(list.clone());
    }
    let mut elements = Vec::new();
    for value in list.try_iter()?.checked() {
        state.consume_fuel(1)?;
        elements.push(value?);
    }
    Ok(Value::from(elements))
}

/// `chain`: lists in a row, or mappings of which the last one that has a key counts.
pub(super) fn chain(state: &State<'_, '_>, value: &Value, others: &[Value]) -> Result<Value, Error> {
    if is_list(value) && others.iter().all(is_list) {
        return others.iter().try_fold(value.clone(), |joined, other| join(state, &joined, other));
    }
    if let Some(other) = [value].into_iter().chain(others).find(|it| it.kind() != ValueKind::Map) {
        let text = format!("`chain` takes lists, or mappings, but not a {} among them", other.kind());
        return Err(refused(text));
    }
    let mut pairs = BTreeMap::new();
    for map in [value].into_iter().chain(others) {
        for key in map.try_iter()? {
            state.consume_fuel(1)?;
            let value = map.get_item(&key)?;
            pairs.insert(key, value);
        }
    }
    Ok(pairs.into_iter().collect())
}

/// The sum of lists or of texts: `sum(start=[])`. minijinja's own copies them again and again.
pub(super) fn flattened(state: &State<'_, '_>, start: &Value, values: Vec<Value>) -> Result<Value, Error> {
    let Some(text) = start.as_str() else {
        let mut all = Vec::new();
        for list in [start].into_iter().chain(&values) {
            if !is_list(list) {
                return Err(refused(format!("`sum` cannot add a {} to a list", list.kind())));
            }
            for value in list.try_iter()?.checked() {
                state.consume_fuel(1)?;
                all.push(value?);
            }
        }
        return Ok(Value::from(all));
    };
    let mut all = text.to_owned();
    for value in &values {
        let text = value.as_str();
        let text = text.ok_or_else(|| refused(format!("`sum` cannot add a {} to a string", value.kind())))?;
        state.consume_fuel(text.len() as u64 / 64 + 1)?;
        all.push_str(text);
    }
    Ok(Value::from(all))
}

/// The error of a value that a template must not make.
pub(super) fn refused(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}
