//! Shapes: up to [`MAX_RANK`] extents, each a number or a symbolic dimension.

use std::fmt;

/// The largest number of dimensions of a field.
pub const MAX_RANK: usize = 8;

/// The largest number of symbolic dimensions of a schema.
pub const MAX_DIMS: usize = 8;

/// The size of a field along one dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    /// A fixed number of elements.
    Fixed(u64),
    /// The symbolic dimension with this index in [`Schema::dims`](super::Schema::dims); its length is set for
    /// each record.
    Dim(u8),
}

/// The shape of a field in one record.
#[derive(Clone, Copy)]
pub struct Shape {
    rank: u8,
    extents: [Extent; MAX_RANK],
}

impl Shape {
    /// The shape of a single element: no dimensions.
    pub const SCALAR: Shape = Shape { rank: 0, extents: [Extent::Fixed(1); MAX_RANK] };

    /// The shape with these extents.
    ///
    /// # Panics
    /// If there are more than [`MAX_RANK`].
    #[must_use]
    pub const fn new(extents: &[Extent]) -> Shape {
        assert!(extents.len() <= MAX_RANK, "a field has at most 8 dimensions");
        let mut shape = Shape::SCALAR;
        let mut axis = 0;
        while axis < extents.len() {
            shape.extents[axis] = extents[axis];
            axis += 1;
        }
        shape.rank = extents.len() as u8;
        shape
    }

    /// This shape with one more dimension in front. Beyond [`MAX_RANK`] the innermost extent falls off: whoever
    /// accepts nested arrays compares their depth with [`MAX_RANK`] first.
    #[must_use]
    pub(crate) const fn nested_in(self, outer: Extent) -> Shape {
        let mut shape = Shape::SCALAR;
        shape.extents[0] = outer;
        let mut axis = 0;
        while axis < self.rank as usize && axis + 1 < MAX_RANK {
            shape.extents[axis + 1] = self.extents[axis];
            axis += 1;
        }
        shape.rank = if (self.rank as usize) < MAX_RANK { self.rank + 1 } else { self.rank };
        shape
    }

    /// Number of dimensions.
    #[must_use]
    pub const fn rank(&self) -> usize {
        self.rank as usize
    }

    /// The extents, outermost first.
    #[must_use]
    pub const fn extents(&self) -> &[Extent] {
        self.extents.split_at(self.rank as usize).0
    }
}

impl PartialEq for Shape {
    fn eq(&self, other: &Shape) -> bool {
        self.extents() == other.extents()
    }
}

impl Eq for Shape {}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.extents()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_adds_the_outer_dimension_in_front() {
        let shape = Shape::new(&[Extent::Fixed(4)]).nested_in(Extent::Dim(0));
        assert_eq!(shape.extents(), [Extent::Dim(0), Extent::Fixed(4)]);
    }

    #[test]
    fn shapes_compare_by_the_extents_they_use() {
        let short = Shape::new(&[Extent::Fixed(2)]);
        assert_ne!(short, Shape::new(&[Extent::Fixed(2), Extent::Fixed(1)]));
        assert_eq!(short, Shape::new(&[Extent::Fixed(2)]));
    }
}
