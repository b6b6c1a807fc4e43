//! Fetching a cache line before it is needed.

/// What a line is fetched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fetch {
    /// Others may keep it.
    ToRead,
    /// Nobody else keeps it.
    ToWrite,
}

impl Fetch {
    /// Begins to fetch the line of an address, which may be any.
    #[inline(always)]
    pub(crate) fn line(self, address: *const u8) {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        // SAFETY: a prefetch changes nothing but what is in the cache, and faults on no address. By its own instruction, because
        // the compiler makes a read of the intrinsic wherever it is not told that the processor has this one.
        unsafe {
            match self {
                Fetch::ToRead => {
                    std::arch::asm!("prefetcht0 [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
                }
                Fetch::ToWrite => {
                    std::arch::asm!("prefetchw [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
                }
            }
        }
        #[cfg(not(all(target_arch = "x86_64", not(miri))))]
        let _ = address;
    }
}
