//! Where the bytes of a field are: in one record on its own, and in the columns of an arena.

use super::{Extent, InvalidSchema, Schema};

/// Alignment in bytes of every field of an owned record, and of the first record of every column.
pub const RECORD_ALIGN: usize = 64;

/// Columns start at a multiple of this many bytes: a page.
pub const COLUMN_ALIGN: usize = 4096;

/// Where field values of consecutive records are: record i's value starts at byte `offset + i * stride`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Byte offset of the first record's value from the start of the memory.
    pub offset: usize,
    /// Bytes from one record's value to the next one's.
    pub stride: usize,
    /// Bytes of one record's value, every symbolic dimension at its capacity.
    pub size: usize,
}

impl Schema {
    /// Bytes of one record's value of field `index`, every symbolic dimension at its capacity; `None` when it
    /// exceeds `isize::MAX`.
    #[must_use]
    pub const fn field_size(&self, index: usize) -> Option<usize> {
        let field = &self.fields()[index];
        let extents = field.shape().extents();
        let mut bytes = field.dtype().size() as u64;
        let mut axis = 0;
        while axis < extents.len() {
            let extent = match extents[axis] {
                Extent::Fixed(size) => size,
                Extent::Dim(dim) => self.dims()[dim as usize].max(),
            };
            bytes = match bytes.checked_mul(extent) {
                Some(bytes) => bytes,
                None => return None,
            };
            axis += 1;
        }
        if bytes > isize::MAX as u64 { None } else { Some(bytes as usize) }
    }

    /// Byte offset of field `index` in an owned record; with `index` one past the last field, the size of the
    /// record. `None` when it exceeds `isize::MAX`.
    #[must_use]
    pub const fn record_offset(&self, index: usize) -> Option<usize> {
        let mut offset = 0usize;
        let mut field = 0;
        while field < index {
            match self.next_offset(offset, field) {
                Some(next) => offset = next,
                None => return None,
            }
            field += 1;
        }
        Some(offset)
    }

    /// Where the field after field `index` starts in an owned record, when that one starts at `offset`.
    const fn next_offset(&self, offset: usize, index: usize) -> Option<usize> {
        let Some(size) = self.field_size(index) else { return None };
        let Some(end) = offset.checked_add(size) else { return None };
        let Some(next) = end.checked_next_multiple_of(RECORD_ALIGN) else { return None };
        if next > isize::MAX as usize { None } else { Some(next) }
    }

    /// The columns of `slots` records laid out from byte `start`, and the byte after the last column.
    ///
    /// # Errors
    /// [`InvalidSchema::TooLarge`] names the field with which the columns exceed `isize::MAX` bytes.
    pub fn columns(&self, slots: usize, start: usize) -> Result<(Vec<Column>, usize), InvalidSchema> {
        let mut columns = Vec::with_capacity(self.fields().len());
        let mut end = start;
        for (index, field) in self.fields().iter().enumerate() {
            let place = || {
                let size = self.field_size(index)?;
                let stride = size.checked_next_multiple_of((field.align() as usize).max(1))?;
                let offset = end.checked_next_multiple_of(COLUMN_ALIGN)?;
                let end = offset.checked_add(stride.checked_mul(slots)?)?;
                (end <= isize::MAX as usize - COLUMN_ALIGN).then_some((Column { offset, stride, size }, end))
            };
            let (column, next) =
                place().ok_or_else(|| InvalidSchema::TooLarge { field: field.name().to_owned(), slots })?;
            columns.push(column);
            end = next;
        }
        Ok((columns, end.next_multiple_of(COLUMN_ALIGN)))
    }

    /// Element strides of field `index`, outermost dimension first: compact for the capacity of every dimension.
    #[must_use]
    pub fn element_strides(&self, index: usize) -> Vec<usize> {
        let extents = self.fields()[index].shape().extents();
        let mut strides = vec![1; extents.len()];
        for axis in (1..extents.len()).rev() {
            strides[axis - 1] = strides[axis] * self.capacity(extents[axis]) as usize;
        }
        strides
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DType, Dim, Field, Shape};
    use super::*;

    fn schema() -> Schema {
        Schema::new(
            "test.layout",
            0,
            "",
            vec![Dim::new("seq", 1, 10)],
            vec![
                Field::new("pixels", DType::F32, Shape::new(&[Extent::Fixed(3), Extent::Fixed(5)])),
                Field::new("id", DType::U64, Shape::SCALAR),
                Field::new("flag", DType::Bool, Shape::SCALAR).with_align(64),
                Field::new("ids", DType::I64, Shape::new(&[Extent::Fixed(2), Extent::Dim(0)])),
            ],
        )
        .unwrap()
    }

    #[test]
    fn owned_records_align_every_field() {
        let schema = schema();
        assert_eq!(schema.record_offset(0), Some(0));
        assert_eq!(schema.record_offset(1), Some(64));
        assert_eq!(schema.record_offset(3), Some(192));
        assert_eq!(schema.record_offset(4), Some(192 + 192));
    }

    #[test]
    fn columns_start_on_a_page_and_are_compact_unless_align_is_stated() {
        let (columns, end) = schema().columns(100, 4096).unwrap();
        assert_eq!(columns[0], Column { offset: 4096, stride: 60, size: 60 });
        assert_eq!(columns[1], Column { offset: 4096 + 8192, stride: 8, size: 8 });
        assert_eq!(columns[2], Column { offset: 4096 + 12288, stride: 64, size: 1 });
        assert_eq!(columns[3].offset, 4096 + 12288 + 8192);
        assert_eq!(end, columns[3].offset + 16384);
    }

    #[test]
    fn strides_follow_the_capacity() {
        assert_eq!(schema().element_strides(3), [10, 1]);
        assert_eq!(schema().element_strides(1), [0usize; 0]);
    }

    #[test]
    fn too_many_slots_are_an_error_that_names_the_field() {
        let error = schema().columns(usize::MAX / 8, 0).unwrap_err();
        assert!(error.to_string().contains("pixels"), "{error}");
    }
}
