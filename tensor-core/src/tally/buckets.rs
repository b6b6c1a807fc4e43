//! Buckets that are as wide as their values are large: the layout of HDR histograms.

/// Sub-buckets of each power of two, as a power of two.
const PRECISION: u32 = 6;

/// Counts of values by size. Values below 128 have a bucket each; above, a bucket is 1/64 of its values wide, so that its
/// middle is within 0.8 % of each of them: two significant figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Buckets {
    bits: u32,
}

/// Nanoseconds, up to four and a half minutes.
pub(crate) const TIMES: Buckets = Buckets { bits: 38 };

/// Lengths of runs.
pub(crate) const SIZES: Buckets = Buckets { bits: 21 };

impl Buckets {
    /// How many buckets there are.
    pub(crate) const fn len(self) -> usize {
        index(self.most()) + 1
    }

    /// The largest value that is told from larger ones.
    pub(crate) const fn most(self) -> u64 {
        (1 << self.bits) - 1
    }

    /// The bucket of a value; a value that is too large is in the last.
    #[inline]
    pub(crate) fn of(self, value: u64) -> usize {
        index(value.min(self.most()))
    }

    /// The value that stands for those in a bucket: the middle of them.
    ///
    /// # Panics
    /// If there is no such bucket.
    pub(crate) fn middle(self, bucket: usize) -> u64 {
        assert!(bucket < self.len(), "bucket {bucket} of {}", self.len());
        let shift = (bucket >> PRECISION).saturating_sub(1);
        let lowest = ((bucket - (shift << PRECISION)) as u64) << shift;
        lowest + ((1 << shift) >> 1)
    }
}

#[inline]
const fn index(value: u64) -> usize {
    let bits = u64::BITS - value.leading_zeros();
    let shift = bits.saturating_sub(PRECISION + 1);
    ((shift as usize) << PRECISION) + (value >> shift) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_values_are_counted_one_by_one_and_large_ones_are_not_lost() {
        for value in 0..128 {
            assert_eq!((TIMES.of(value), TIMES.middle(value as usize)), (value as usize, value));
        }
        assert_eq!((TIMES.len(), SIZES.len()), (2112, 1024));
        assert_eq!(TIMES.of(u64::MAX), TIMES.len() - 1);
        assert!(TIMES.most() > 270_000_000_000);
    }

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        for bucket in 1..SIZES.len() {
            assert!(SIZES.middle(bucket) > SIZES.middle(bucket - 1));
        }
        for value in 1..=SIZES.most() {
            let step = SIZES.of(value) - SIZES.of(value - 1);
            assert!(step <= 1, "{value}");
        }
    }

    proptest! {
        #[test]
        fn the_middle_of_a_bucket_is_within_two_significant_figures(value in 1..TIMES.most()) {
            let middle = TIMES.middle(TIMES.of(value));
            prop_assert!(middle.abs_diff(value) * 128 <= value, "{} stands for {}", middle, value);
            prop_assert_eq!(TIMES.of(middle), TIMES.of(value));
        }
    }
}
