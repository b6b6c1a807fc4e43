//! Atomics that say before each write that they are about to make a step which others can see.

use super::{Ordering, step};

macro_rules! counted {
    ($name:ident, $number:ty, $inner:ty) => {
        #[derive(Debug)]
        #[repr(transparent)]
        pub(crate) struct $name($inner);

        #[allow(dead_code, reason = "as much of the standard library's atomic as one may want")]
        impl $name {
            pub(crate) fn new(value: $number) -> $name {
                $name(<$inner>::new(value))
            }

            pub(crate) fn load(&self, order: Ordering) -> $number {
                self.0.load(order)
            }

            pub(crate) fn store(&self, value: $number, order: Ordering) {
                step();
                self.0.store(value, order);
            }

            pub(crate) fn swap(&self, value: $number, order: Ordering) -> $number {
                step();
                self.0.swap(value, order)
            }

            pub(crate) fn compare_exchange(
                &self,
                found: $number,
                wanted: $number,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$number, $number> {
                step();
                self.0.compare_exchange(found, wanted, success, failure)
            }

            pub(crate) fn fetch_add(&self, value: $number, order: Ordering) -> $number {
                step();
                self.0.fetch_add(value, order)
            }

            pub(crate) fn fetch_sub(&self, value: $number, order: Ordering) -> $number {
                step();
                self.0.fetch_sub(value, order)
            }

            pub(crate) fn fetch_or(&self, value: $number, order: Ordering) -> $number {
                step();
                self.0.fetch_or(value, order)
            }

            pub(crate) fn fetch_xor(&self, value: $number, order: Ordering) -> $number {
                step();
                self.0.fetch_xor(value, order)
            }

            pub(crate) fn fetch_and(&self, value: $number, order: Ordering) -> $number {
                step();
                self.0.fetch_and(value, order)
            }
        }
    };
}

#[cfg(loom)]
use loom::sync::atomic as inner;
#[cfg(not(loom))]
use std::sync::atomic as inner;

counted!(AtomicU32, u32, inner::AtomicU32);
counted!(AtomicU64, u64, inner::AtomicU64);

#[cfg(not(loom))]
impl AtomicU32 {
    /// The word as the kernel takes it.
    pub(crate) fn uncounted(&self) -> &inner::AtomicU32 {
        &self.0
    }
}
