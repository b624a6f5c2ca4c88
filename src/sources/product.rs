//! `{product:}`: a mapping for each combination of values, the last name changing fastest.

use super::chunk::Chunk;
use super::error::SourceError;
use super::source::{Reread, Source};
use crate::model::{ItemKey, Items, Keys};
use crate::rows;

/// The most values of one name. They are held in memory; their combinations are not.
const MOST_VALUES: usize = 1_000_000;

/// A name, and the values it takes.
pub(super) struct Axis {
    /// `"name":`
    prefix: Vec<u8>,
    values: Vec<Vec<u8>>,
    keys: Vec<ItemKey>,
    /// Where the values come from. If they name files, their keys change with these.
    source: Box<dyn Source>,
}

/// All combinations.
pub(super) struct Product {
    axes: Vec<Axis>,
    total: u64,
    next: u64,
}

impl Axis {
    /// Reads the values that a name takes.
    ///
    /// # Errors
    /// If they cannot be read, or there are too many.
    pub(super) fn read(name: &str, source: Box<dyn Source>) -> Result<Self, SourceError> {
        let prefix = format!("{}:", serde_json::Value::from(name)).into_bytes();
        let mut axis = Self { prefix, values: Vec::new(), keys: Vec::new(), source };
        (axis.values, axis.keys) = read_all(&mut *axis.source)?;
        Ok(axis)
    }
}

/// All values of a source, and their keys.
fn read_all(source: &mut dyn Source) -> Result<(Vec<Vec<u8>>, Vec<ItemKey>), SourceError> {
    let forms = source.forms();
    let (mut values, mut keys) = (Vec::new(), Vec::new());
    while let Some(chunk) = source.next(usize::MAX)? {
        for position in 0..chunk.items.len() {
            let json = rows::to_json(&forms[chunk.form], &chunk.items, position, chunk.origin.as_ref());
            values.push(json.map_err(|bad| SourceError::invalid(bad.to_string()))?);
        }
        keys.extend(chunk.keys.iter());
        if values.len() > MOST_VALUES {
            return Err(SourceError::invalid(format!("more than {MOST_VALUES} values in `product`")));
        }
    }
    Ok((values, keys))
}

impl Product {
    /// # Errors
    /// If there are more combinations than can be counted.
    pub(super) fn new(axes: Vec<Axis>) -> Result<Self, SourceError> {
        let total = axes.iter().try_fold(1_u64, |total, axis| total.checked_mul(axis.values.len() as u64));
        let total = total.ok_or_else(|| SourceError::invalid("`product` has too many combinations"))?;
        Ok(Self { axes, total, next: 0 })
    }

    /// The position in each axis for a combination.
    fn positions(&self, mut number: u64) -> Vec<usize> {
        let mut positions = vec![0; self.axes.len()];
        for (at, axis) in self.axes.iter().enumerate().rev() {
            let count = axis.values.len() as u64;
            positions[at] = usize::try_from(number % count).expect("less than the number of values");
            number /= count;
        }
        positions
    }

    fn combination(&self, number: u64) -> (Vec<u8>, ItemKey) {
        let (mut json, mut keys) = (vec![b'{'], Vec::new());
        for (axis, position) in self.axes.iter().zip(self.positions(number)) {
            json.extend_from_slice(if json.len() == 1 { b"" } else { b"," });
            json.extend_from_slice(&axis.prefix);
            json.extend_from_slice(&axis.values[position]);
            keys.extend_from_slice(&axis.prefix);
            keys.extend_from_slice(&axis.keys[position].to_bytes());
        }
        json.push(b'}');
        (json, ItemKey::of(&keys))
    }
}

impl Source for Product {
    fn total(&self) -> Option<u64> {
        Some(self.total)
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        let (mut items, mut keys) = (Items::default(), Vec::new());
        while items.len() < most && !items.is_full() && self.next < self.total {
            let (json, key) = self.combination(self.next);
            items.push(&json);
            keys.push(key);
            self.next += 1;
        }
        let chunk = Chunk::of_json(items, |_| ItemKey::of(b""));
        Ok(chunk.map(|chunk| Chunk { keys: Keys::List(keys), ..chunk }))
    }

    fn reread(&mut self) -> Result<Reread, SourceError> {
        self.next = 0;
        Ok(Reread::Ready)
    }

    fn compare_content(&mut self) {
        for axis in &mut self.axes {
            axis.source.compare_content();
            // What cannot be read again keeps its keys: it names no files.
            if matches!(axis.source.reread(), Ok(Reread::Ready))
                && let Ok((values, keys)) = read_all(&mut *axis.source)
                && values == axis.values
            {
                axis.keys = keys;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::list::List;
    use crate::sources::testing::{numbers, read};

    fn axis(name: &str, values: &[&str]) -> Axis {
        Axis::read(name, Box::new(List::new(values.iter().map(|it| it.as_bytes().to_vec()).collect()))).unwrap()
    }

    #[test]
    fn the_last_name_changes_fastest() {
        let mut product = Product::new(vec![axis("a", &["1", "\"x\""]), axis("b c", &["true", "[2]"])]).unwrap();
        let items = read(&mut product, 3).concat().into_iter().map(|item| String::from_utf8(item).unwrap());
        let expected =
            [r#"{"a":1,"b c":true}"#, r#"{"a":1,"b c":[2]}"#, r#"{"a":"x","b c":true}"#, r#"{"a":"x","b c":[2]}"#];
        assert_eq!(items.collect::<Vec<_>>(), expected);
        assert_eq!((product.total(), product.reread().unwrap()), (Some(4), Reread::Ready));
    }

    #[test]
    fn combinations_keep_their_keys_when_values_are_added() {
        let keys = |values: &[&str]| {
            let mut product = Product::new(vec![axis("a", values), axis("b", &["1", "2"])]).unwrap();
            product.next(100).unwrap().unwrap().keys.iter().collect::<Vec<_>>()
        };
        assert_eq!(keys(&["0", "7"]), keys(&["5", "0", "7"])[2..]);
    }

    #[test]
    fn a_name_without_values_leaves_nothing_to_combine() {
        let mut product = Product::new(vec![axis("a", &["1"]), axis("b", &[])]).unwrap();
        assert_eq!((product.total(), product.next(9).unwrap()), (Some(0), None));
        let many = |name: &str| Axis::read(name, Box::new(List::new(numbers(100_000)))).unwrap();
        assert!(Product::new(vec![many("a"), many("b"), many("c"), many("d")]).is_err());
    }
}
