//! Copying between two layouts of the same elements.

/// From this many bytes on, a copy lets other Python threads run.
pub(crate) const LARGE: usize = 1 << 18;

/// Strides of elements that lie one after the other, outermost dimension first.
pub(crate) fn compact(shape: &[i64]) -> Vec<i64> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis].max(1);
    }
    strides
}

/// The bytes, relative to the first element, from the lowest to one past the highest that a layout reaches; `None` when
/// there are no elements.
pub(crate) fn reach(shape: &[i64], strides: &[i64], size: usize) -> Option<(isize, isize)> {
    let (mut low, mut high) = (0, size as isize);
    for (length, stride) in shape.iter().zip(strides) {
        if *length == 0 {
            return None;
        }
        let far = (*length as isize - 1) * *stride as isize * size as isize;
        low += far.min(0);
        high += far.max(0);
    }
    Some((low, high))
}

/// One dimension of a copy: how many steps, and the bytes of a step on either side.
#[derive(Clone, Copy)]
struct Axis {
    length: usize,
    from: isize,
    to: isize,
}

/// Copies `shape` elements of `size` bytes. Strides are in elements; those of `from` may be 0 or negative.
///
/// # Safety
/// Every element that `shape` and the strides reach must be valid, to be read at `from` and to be written at `to`, and the
/// two must not overlap.
pub(crate) unsafe fn copy(shape: &[i64], size: usize, from: (*const u8, &[i64]), to: (*mut u8, &[i64])) {
    let mut axes: Vec<Axis> = Vec::with_capacity(shape.len());
    for (axis, length) in shape.iter().enumerate() {
        let step = |strides: &[i64]| strides[axis] as isize * size as isize;
        let next = Axis { length: *length as usize, from: step(from.1), to: step(to.1) };
        match axes.last_mut() {
            _ if next.length == 0 => return,
            _ if next.length == 1 => {}
            // Two dimensions that are one line on both sides are one dimension.
            Some(outer)
                if outer.from == next.from * next.length as isize
                    && outer.to == next.to * next.length as isize =>
            {
                *outer = Axis { length: outer.length * next.length, ..next };
            }
            _ => axes.push(next),
        }
    }
    let mut block = size;
    if let Some(inner) = axes.last()
        && inner.from == size as isize
        && inner.to == size as isize
    {
        block = inner.length * size;
        axes.pop();
    }
    // SAFETY: the merged dimensions reach exactly the elements that the caller vouches for.
    unsafe { walk(&axes, block, from.0, to.0) };
}

/// # Safety
/// As [`copy`]: every block that the axes reach must be valid on both sides.
unsafe fn walk(axes: &[Axis], block: usize, from: *const u8, to: *mut u8) {
    let Some((axis, rest)) = axes.split_first() else {
        // SAFETY: passed on to the caller.
        unsafe { std::ptr::copy_nonoverlapping(from, to, block) };
        return;
    };
    if rest.is_empty() {
        // SAFETY: passed on to the caller. A constant size becomes a load and a store.
        unsafe {
            match block {
                1 => line::<1>(*axis, from, to),
                2 => line::<2>(*axis, from, to),
                4 => line::<4>(*axis, from, to),
                8 => line::<8>(*axis, from, to),
                16 => line::<16>(*axis, from, to),
                _ => {
                    for step in 0..axis.length as isize {
                        let (from, to) = (from.offset(step * axis.from), to.offset(step * axis.to));
                        std::ptr::copy_nonoverlapping(from, to, block);
                    }
                }
            }
        }
        return;
    }
    for step in 0..axis.length as isize {
        // SAFETY: passed on to the caller.
        unsafe { walk(rest, block, from.offset(step * axis.from), to.offset(step * axis.to)) };
    }
}

/// # Safety
/// As [`walk`].
unsafe fn line<const SIZE: usize>(axis: Axis, from: *const u8, to: *mut u8) {
    for step in 0..axis.length as isize {
        // SAFETY: passed on to the caller; an array of bytes needs no alignment.
        unsafe {
            let element = from.offset(step * axis.from).cast::<[u8; SIZE]>().read();
            to.offset(step * axis.to).cast::<[u8; SIZE]>().write(element);
        }
    }
}
