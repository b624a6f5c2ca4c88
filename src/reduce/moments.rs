//! The spread of numbers.
//!
//! Numbers are added one by one as in B. P. Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products",
//! Technometrics 4 (1962), 419-420. Two parts are joined as in T. F. Chan, G. H. Golub and R. J. LeVeque, "Updating Formulae
//! and a Pairwise Algorithm for Computing Sample Variances", Stanford STAN-CS-79-773 (1979).

/// How many numbers, their mean, and the sum of the squares of their distances from it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Adds a number.
    pub(super) fn add(&mut self, number: f64) {
        self.count += 1;
        let distance = number - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (number - self.mean);
    }

    /// Adds what holds for the numbers that follow.
    pub(super) fn merge(&mut self, next: Self) {
        let (ours, theirs) = (self.count as f64, next.count as f64);
        if next.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = next;
            return;
        }
        let (distance, all) = (next.mean - self.mean, ours + theirs);
        self.count += next.count;
        self.mean += distance * (theirs / all);
        self.squares += next.squares + distance * distance * (ours / all * theirs);
    }

    /// The standard deviation of a sample; none of fewer than two numbers.
    pub(super) fn deviation(self) -> Option<f64> {
        (self.count > 1).then(|| (self.squares / (self.count - 1) as f64).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_are_joined_are_the_whole() {
        let mut numbers = (0..1000u32).map(|at| 1e9 + f64::from(at * at % 977) / 7.0);
        let all: Vec<f64> = numbers.by_ref().collect();
        let of = |part: &[f64]| {
            part.iter().fold(Moments::default(), |mut moments, number| {
                moments.add(*number);
                moments
            })
        };
        let whole = of(&all).deviation().unwrap();
        for cut in [0, 1, 500, 999, 1000] {
            let mut first = of(&all[..cut]);
            first.merge(of(&all[cut..]));
            assert!((first.deviation().unwrap() / whole - 1.0).abs() < 1e-9, "{cut}");
        }
        assert_eq!((of(&[]).deviation(), of(&[1.0]).deviation()), (None, None));
        assert_eq!(of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).deviation(), Some((32.0_f64 / 7.0).sqrt()));
    }
}
