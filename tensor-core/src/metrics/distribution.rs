//! Values by how often they were seen.

use crate::tally::Buckets;

/// How often which values were seen: nanoseconds, or lengths of runs.
///
/// Values below 128 are exact. Larger ones are kept in buckets, as an HDR histogram does, to two significant figures: what
/// is reported is within 0.8 % of the value. Times are told apart up to four and a half minutes, lengths up to two million.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    buckets: Buckets,
    counts: Box<[u64]>,
}

impl Distribution {
    pub(super) fn empty(buckets: Buckets) -> Distribution {
        Distribution { buckets, counts: vec![0; buckets.len()].into() }
    }

    /// Adds what a row has. Words that no honest participant writes make large numbers, and nothing else.
    pub(super) fn add(&mut self, counts: impl Iterator<Item = u64>) {
        for (sum, more) in self.counts.iter_mut().zip(counts) {
            *sum = sum.saturating_add(more);
        }
    }

    pub(super) fn add_value(&mut self, value: u64, times: u64) {
        let sum = &mut self.counts[self.buckets.of(value)];
        *sum = sum.saturating_add(times);
    }

    /// What was seen after `earlier`.
    pub(super) fn since(&self, earlier: &Distribution) -> Distribution {
        let counts = self.counts.iter().zip(&earlier.counts);
        Distribution {
            buckets: self.buckets,
            counts: counts.map(|(now, then)| now.saturating_sub(*then)).collect(),
        }
    }

    /// Each value that was seen, from the smallest on, and how often.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = (u64, u64)> + '_ {
        let seen = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        seen.map(|(bucket, count)| (self.buckets.middle(bucket), *count))
    }

    /// How many values were seen.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The value that a part `quantile` of all values, 0.5 for the median, does not exceed; `None` when none was seen.
    ///
    /// ```
    /// # let name = format!("quantile.p{}", std::process::id());
    /// # use tensor_core::{dynamic::{DynHost, HostSettings}, metrics::metrics};
    /// # use tensor_core::schema::{DType, Field, Schema, Shape};
    /// # let id = Field::new("id", DType::U64, Shape::SCALAR);
    /// # let schema = Schema::new("vision.image", 0, "", vec![], vec![id]).unwrap();
    /// # let _host = match DynHost::create(&HostSettings::new(&name), schema, None, &mut || Ok(())) {
    /// #     Err(tensor_core::Error::Unsupported { .. }) => return Ok(()),
    /// #     host => host?,
    /// # };
    /// let seen = metrics(&name)?;
    /// match seen.waiting.quantile(0.99) {
    ///     Some(nanoseconds) => println!("99 of 100 records waited for at most {nanoseconds} ns"),
    ///     None => println!("nobody has received anything yet"),
    /// }
    /// # Ok::<(), tensor_core::Error>(())
    /// ```
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        let count = self.count();
        let rank = (quantile.clamp(0.0, 1.0) * count as f64).ceil().max(1.0) as u64;
        let mut seen = 0u64;
        self.values().find_map(|(value, times)| {
            seen = seen.saturating_add(times);
            (seen >= rank).then_some(value)
        })
    }

    /// The mean; 0 when no value was seen.
    #[must_use]
    pub fn mean(&self) -> f64 {
        let sum: f64 = self.values().map(|(value, times)| value as f64 * times as f64).sum();
        sum / self.count().max(1) as f64
    }

    /// The smallest value; `None` when none was seen.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        self.values().next().map(|(value, _)| value)
    }

    /// The largest value; `None` when none was seen.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        self.values().next_back().map(|(value, _)| value)
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    use super::*;
    use crate::tally::{SIZES, TIMES};

    fn of(values: &[u64]) -> Distribution {
        let mut seen = Distribution::empty(TIMES);
        values.iter().for_each(|value| seen.add_value(*value, 1));
        seen
    }

    #[test]
    fn nothing_seen_has_no_quantiles() {
        let seen = Distribution::empty(SIZES);
        assert_eq!((seen.count(), seen.quantile(0.5), seen.min(), seen.max()), (0, None, None, None));
        assert!(seen.mean().abs() < f64::EPSILON);
    }

    #[test]
    fn small_values_are_exact() {
        let seen = of(&[1, 2, 3, 4, 100]);
        let at = |quantile| seen.quantile(quantile).unwrap();
        assert_eq!([at(0.0), at(0.2), at(0.5), at(0.8), at(0.81), at(1.0)], [1, 1, 3, 4, 100, 100]);
        assert!((seen.mean() - 22.0).abs() < f64::EPSILON);
        assert_eq!(seen.values().collect::<Vec<_>>(), [(1, 1), (2, 1), (3, 1), (4, 1), (100, 1)]);
    }

    #[test]
    fn absurd_counts_overflow_nothing() {
        let mut seen = Distribution::empty(TIMES);
        for _ in 0..3 {
            seen.add(std::iter::repeat_n(u64::MAX, 5000));
        }
        assert_eq!((seen.count(), seen.min()), (u64::MAX, Some(0)));
        assert!(seen.quantile(0.99).is_some() && seen.mean().is_finite());
        assert_eq!(of(&[7]).since(&seen).count(), 0);
    }

    proptest! {
        /// The quantiles of an HDR histogram of the same values, of three significant figures.
        #[test]
        fn quantiles_are_those_of_an_hdr_histogram(
            values in proptest::collection::vec(0..100_000_000_000u64, 1..200),
            quantile in 0.0..1.0f64,
        ) {
            let mut other = Histogram::<u64>::new_with_bounds(1, 1 << 38, 3).unwrap();
            values.iter().for_each(|value| other.record(*value).unwrap());
            let (ours, theirs) = (of(&values).quantile(quantile).unwrap(), other.value_at_quantile(quantile));
            prop_assert!(ours.abs_diff(theirs) as f64 <= 0.01 * theirs as f64, "{} and {}", ours, theirs);
        }

        #[test]
        fn what_came_later_is_what_was_not_there_before(first in proptest::collection::vec(any::<u64>(), 0..50), then in proptest::collection::vec(any::<u64>(), 0..50)) {
            let both = of(&[first.clone(), then.clone()].concat());
            prop_assert_eq!(both.since(&of(&first)), of(&then));
        }
    }
}
