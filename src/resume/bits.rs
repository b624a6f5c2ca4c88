//! A set of numbers, one bit for each up to the largest.

/// A set of numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    /// Adds a number.
    pub(super) fn set(&mut self, number: u64) {
        let word = usize::try_from(number / 64).expect("a bit for each item fits into memory");
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (number % 64);
    }

    /// Removes a number.
    pub(super) fn clear(&mut self, number: u64) {
        if let Some(word) = usize::try_from(number / 64).ok().and_then(|word| self.0.get_mut(word)) {
            *word &= !(1 << (number % 64));
        }
    }

    /// Whether it has a number.
    pub(super) fn has(&self, number: u64) -> bool {
        let word = usize::try_from(number / 64).ok().and_then(|word| self.0.get(word));
        word.is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// How many numbers it has.
    pub(super) fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Whether it has no number from this one on.
    pub(super) fn ends_before(&self, number: u64) -> bool {
        number / 64 >= self.0.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_added_and_removed() {
        let mut bits = Bits::default();
        [0, 63, 64, 1000].into_iter().for_each(|number| bits.set(number));
        assert!(bits.has(0) && bits.has(63) && bits.has(64) && bits.has(1000) && !bits.has(1) && !bits.has(1 << 40));
        bits.clear(64);
        bits.clear(1 << 40);
        assert_eq!((bits.count(), bits.has(64)), (3, false));
        assert!(bits.ends_before(1024) && !bits.ends_before(1023) && Bits::default().ends_before(0));
    }
}
