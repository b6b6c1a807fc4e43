//! A field in shared memory, as a plain value that another process can turn back into a view.

use std::mem::size_of;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, fence};

use bytemuck::{Pod, Zeroable};

use super::field::{Extents, FieldRef, InSlot, field_index};
use crate::arena::{Arena, Half};
use crate::error::Error;
use crate::memory::Segment;
use crate::schema::{DType, Element, MAX_RANK};

/// The value of [`Descriptor::form`] that this version makes and understands.
const FORM: u8 = 1;

/// Where a field of a record in a slot is: a plain value of [`Descriptor::SIZE`] bytes that can be written into a pipe, a
/// file or a C struct.
///
/// **It holds nothing.** Whoever made it has to keep the record, loaned or received, until the other process is done;
/// how that is agreed on is up to them. What can be known is checked: a descriptor whose record is gone is an error at
/// opening ([`Error::StaleDescriptor`]), and [`DescribedField::read`] looks again after it has copied.
///
/// A process that is attached to the same arena opens it by any of its endpoints: [`Receiver::open`](super::Receiver::open).
/// One that is not needs the memory's file descriptor, by `SCM_RIGHTS` or as `/proc/PID/fd/FD`, and
/// [`Descriptor::map`].
///
/// ```no_run
/// # use tensor_core::channel::{Descriptor, Receiver};
/// # use tensor_core::view::{Owned, Record};
/// # fn example<R: Record>(first: Receiver<R>, second: Receiver<R>) -> Result<(), tensor_core::Error> {
/// let image = first.receive()?;
/// let bytes = Descriptor::of(&image, "pixels")?.to_bytes(); // 200 bytes, to be sent along any way
///
/// let pixels = second.open(&Descriptor::from_bytes(&bytes)?)?; // in another process
/// let values: Vec<f32> = pixels.read()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Descriptor {
    /// Random for each arena: which one the field is in.
    pub arena: [u8; 16],
    /// The inode of the memory, the same number in every process.
    pub inode: u64,
    /// Bytes of the memory.
    pub memory_size: u64,
    /// Byte offset of the first element in the memory.
    pub offset: u64,
    /// Bytes from the first element to the end of the last.
    pub nbytes: u64,
    /// How often the slot had become free when this was made: another number means another record.
    pub generation: u64,
    /// The slot.
    pub slot: u32,
    /// The memory's file descriptor in the process that made this.
    pub fd: i32,
    /// The process that made this.
    pub pid: u32,
    /// The form of this value; 1.
    pub form: u8,
    /// The code of the dtype, as in [`DType::from_code`].
    pub dtype: u8,
    /// The number of dimensions.
    pub rank: u8,
    /// Zero.
    pub reserved: u8,
    /// The number of elements along each dimension; zeros beyond the rank.
    pub shape: [i64; MAX_RANK],
    /// The distance from one element to the next along each dimension, in elements; zeros beyond the rank.
    pub strides: [i64; MAX_RANK],
}

impl Descriptor {
    /// Bytes of a descriptor.
    pub const SIZE: usize = size_of::<Descriptor>();

    /// Describes field `field` of a [`Loan`](super::Loan), a [`CallLoan`](crate::service::CallLoan) or a
    /// [`Received`](super::Received) record; `pose.position` for one of a nested record.
    ///
    /// # Errors
    /// As [`FieldRef::of`]; [`Error::Io`].
    #[allow(private_bounds, reason = "only this crate's records are in slots")]
    pub fn of<F: InSlot>(record: &F, field: &str) -> Result<Descriptor, Error> {
        let (claim, parts) = (record.claim(), record.parts());
        let index = field_index(record.schema(), field)?;
        let place = FieldRef::at(record, index, &parts)?;
        let arena = claim.arena();
        let column = arena.part(record.half()).columns[index];
        let extents = place.extents();
        let reach = extents.reach().expect("a field of a schema fits the address space");
        Ok(Descriptor {
            arena: arena.header().epoch,
            inode: arena.data().inode()?,
            memory_size: arena.data().len() as u64,
            offset: (column.offset + claim.slot() * column.stride) as u64,
            nbytes: (reach * place.dtype().size()) as u64,
            generation: claim.generation(),
            slot: claim.slot() as u32,
            fd: arena.data().fd().as_raw_fd(),
            pid: std::process::id(),
            form: FORM,
            dtype: place.dtype() as u8,
            rank: extents.rank as u8,
            reserved: 0,
            shape: extents.shape,
            strides: extents.strides,
        })
    }

    /// The bytes of it, little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Descriptor::SIZE] {
        bytemuck::cast(*self)
    }

    /// What [`Descriptor::to_bytes`] gave.
    ///
    /// # Errors
    /// [`Error::BadDescriptor`] when these are other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Descriptor, Error> {
        let length = bytes.len();
        let descriptor: Descriptor = bytemuck::try_pod_read_unaligned(bytes)
            .map_err(|_| bad(format!("it has {length} bytes instead of {}", Descriptor::SIZE)))?;
        descriptor.checked()?;
        Ok(descriptor)
    }

    /// Maps the memory that `fd` is, to be read. The process need not be attached to the arena, so nobody can tell it
    /// whether the record is still there: [`DescribedField::is_current`] gives `None`.
    ///
    /// # Errors
    /// [`Error::BadSegment`] when `fd` is not this memory, or not sealed against resizing; [`Error::BadDescriptor`],
    /// [`Error::OutOfMemory`], [`Error::Io`].
    pub fn map(&self, fd: impl Into<OwnedFd>) -> Result<DescribedField, Error> {
        let (dtype, extents) = self.checked()?;
        let size = usize::try_from(self.memory_size).ok();
        let memory = Segment::open_to_read(fd.into(), size)?;
        if memory.inode()? != self.inode {
            let found = memory.inode()?;
            return Err(Error::BadSegment {
                reason: format!("it is inode {found} instead of {}", self.inode),
            });
        }
        self.check_inside(dtype, memory.len())?;
        Ok(DescribedField { memory: Memory::Mapped(memory), descriptor: *self, dtype, extents })
    }

    /// Finds the field in an arena that this process is attached to.
    pub(crate) fn open(&self, arena: &Arc<Arena>) -> Result<DescribedField, Error> {
        arena.check_process()?;
        let (dtype, extents) = self.checked()?;
        if self.arena != arena.header().epoch {
            return Err(bad(format!("it is of another arena than the one that `{}` is now", arena.name())));
        }
        let slot = self.slot as usize;
        if slot >= arena.slots() {
            return Err(bad(format!("it is of slot {slot}, and there are {}", arena.slots())));
        }
        self.check_inside(dtype, arena.data().len())?;
        let parts = [Some(arena.part(Half::Request)), arena.reply()];
        let mut fields =
            parts.into_iter().flatten().flat_map(|part| part.schema.fields().iter().zip(&part.columns));
        let is_here = fields.any(|(field, column)| {
            (column.offset + slot * column.stride) as u64 == self.offset
                && field.dtype() == dtype
                && self.nbytes <= column.size as u64
        });
        if !is_here {
            return Err(bad(format!("no {dtype} field of slot {slot} begins at byte {}", self.offset)));
        }
        let memory = Memory::Attached(Arc::clone(arena));
        let field = DescribedField { memory, descriptor: *self, dtype, extents };
        field.check_current()?;
        Ok(field)
    }

    /// What can be checked without the memory.
    fn checked(&self) -> Result<(DType, Extents), Error> {
        if self.form != FORM {
            return Err(bad(format!("it is of form {}, and this version knows {FORM}", self.form)));
        }
        let dtype =
            DType::from_code(self.dtype).ok_or_else(|| bad(format!("no dtype has code {}", self.dtype)))?;
        let rank = usize::from(self.rank);
        if rank > MAX_RANK {
            return Err(bad(format!("it has {rank} dimensions; at most {MAX_RANK} are possible")));
        }
        let extents = Extents { rank, shape: self.shape, strides: self.strides };
        if rank > 0 && extents.shape[rank - 1] > 1 && extents.strides[rank - 1] != 1 {
            return Err(bad(format!("its rows have a stride of {}", extents.strides[rank - 1])));
        }
        let reach = extents.reach().and_then(|reach| reach.checked_mul(dtype.size()));
        if reach.is_none_or(|reach| reach as u64 != self.nbytes) {
            let (shape, strides) = (extents.shape(), extents.strides());
            return Err(bad(format!(
                "shape {shape:?} with strides {strides:?} of {dtype} is not {} bytes",
                self.nbytes
            )));
        }
        // A stride of 0 would repeat an element as often as one likes, and whoever copies would make room for all of them.
        if extents.len() > extents.reach() {
            let (shape, strides) = (extents.shape(), extents.strides());
            return Err(bad(format!("elements of shape {shape:?} with strides {strides:?} overlap")));
        }
        Ok((dtype, extents))
    }

    fn check_inside(&self, dtype: DType, size: usize) -> Result<(), Error> {
        let end = self.offset.checked_add(self.nbytes);
        if end.is_none_or(|end| end > size as u64) {
            return Err(bad(format!(
                "{} bytes from byte {} on are outside of {size}",
                self.nbytes, self.offset
            )));
        }
        if !self.offset.is_multiple_of(dtype.size().min(8) as u64) {
            return Err(bad(format!("byte {} is no place for a {dtype}", self.offset)));
        }
        Ok(())
    }
}

fn bad(reason: String) -> Error {
    Error::BadDescriptor { reason }
}

/// A field that another process described, to be read. It keeps the memory mapped, and holds no record.
#[derive(Debug)]
pub struct DescribedField {
    memory: Memory,
    descriptor: Descriptor,
    dtype: DType,
    extents: Extents,
}

enum Memory {
    Attached(Arc<Arena>),
    Mapped(Segment),
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Memory::Attached(arena) => write!(f, "attached to `{}`", arena.name()),
            Memory::Mapped(_) => f.write_str("mapped"),
        }
    }
}

impl DescribedField {
    /// The first element. Valid for the elements that shape and strides reach while `self` lives; what they are is up to
    /// whoever holds the record.
    #[must_use]
    pub fn as_ptr(&self) -> *const u8 {
        let base = match &self.memory {
            Memory::Attached(arena) => arena.data().base(),
            Memory::Mapped(memory) => memory.base(),
        };
        // `wrapping_add`: an empty field at the end of the memory begins one past it.
        base.as_ptr().wrapping_add(self.descriptor.offset as usize).cast_const()
    }

    /// The type of an element.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The number of elements along each dimension.
    #[must_use]
    pub fn shape(&self) -> &[i64] {
        self.extents.shape()
    }

    /// The distance from one element to the next along each dimension, in elements.
    #[must_use]
    pub fn strides(&self) -> &[i64] {
        self.extents.strides()
    }

    /// Whether the record that was described is still in its slot; `None` when only the memory was handed over, and nobody
    /// can tell.
    #[must_use]
    pub fn is_current(&self) -> Option<bool> {
        match &self.memory {
            Memory::Attached(arena) => {
                Some(arena.is_held(self.descriptor.slot as usize, self.descriptor.generation))
            }
            Memory::Mapped(_) => None,
        }
    }

    fn check_current(&self) -> Result<(), Error> {
        if self.is_current() == Some(false) {
            let Descriptor { slot, generation, .. } = self.descriptor;
            return Err(Error::StaleDescriptor { slot, generation });
        }
        Ok(())
    }

    /// A copy of the elements, outermost dimension first. An attached process looks afterwards whether the record was there
    /// all the time; the copy of one that was not is thrown away.
    ///
    /// # Errors
    /// [`Error::WrongDType`]; [`Error::StaleDescriptor`].
    pub fn read<E: Element>(&self) -> Result<Vec<E>, Error> {
        if !self.dtype.can_be_stored_as(E::DTYPE) {
            return Err(Error::WrongDType {
                field: format!("at byte {}", self.descriptor.offset),
                expected: self.dtype.to_string(),
                found: E::DTYPE.to_string(),
            });
        }
        self.check_current()?;
        let mut values = vec![E::zeroed(); self.extents.len().unwrap_or(0)];
        let row = self.extents.shape().last().map_or(1, |length| *length as usize);
        let mut index = [0i64; MAX_RANK];
        for row in values.chunks_exact_mut(row.max(1)) {
            let steps = index.iter().zip(self.extents.strides()).map(|(at, stride)| at * stride);
            let offset = steps.sum::<i64>() as usize * size_of::<E>();
            // SAFETY: `checked` and `check_inside` saw that every index leads into the memory, whose mapping `self` keeps,
            // at a multiple of the alignment of the dtype, which `E` has the size of and no stricter alignment; along the last
            // dimension elements are neighbours, as `checked` demands.
            unsafe { copy_racing(self.as_ptr().add(offset), bytemuck::cast_slice_mut(row), align_of::<E>()) };
            for axis in (0..self.extents.rank.saturating_sub(1)).rev() {
                index[axis] += 1;
                if index[axis] < self.extents.shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        // What was read above is before this in time, so a generation that is still the same was the same all along.
        fence(Ordering::Acquire);
        self.check_current()?;
        Ok(values)
    }
}

/// Copies bytes that another process may be writing: they may be a mixture then, and never undefined behaviour.
///
/// # Safety
/// `from` is valid for reads of as many bytes as `to` has and, like `to`, aligned to `align`, which divides their number.
unsafe fn copy_racing(from: *const u8, to: &mut [u8], align: usize) {
    macro_rules! copy {
        ($atomic:ty, $integer:ty) => {
            for (index, value) in bytemuck::cast_slice_mut::<u8, $integer>(to).iter_mut().enumerate() {
                // SAFETY: passed on to the caller; an atomic has the size and the alignment of its integer.
                *value = unsafe { &*from.cast::<$atomic>().add(index) }.load(Ordering::Relaxed);
            }
        };
    }
    match align {
        8 => copy!(AtomicU64, u64),
        4 => copy!(AtomicU32, u32),
        2 => copy!(AtomicU16, u16),
        _ => copy!(AtomicU8, u8),
    }
}
