//! Telling a forked child from its parent.

use memmap2::{Advice, MmapMut};
use rustix::mm::{Advice as KernelAdvice, madvise};

use crate::error::Error;

/// A byte that is 1 in the process that made it and 0 in every child it forks.
///
/// A child inherits the parent's leases but not its place in the arena; whatever a child drops must change nothing.
#[derive(Debug)]
pub(crate) struct ForkFlag {
    page: MmapMut,
}

impl ForkFlag {
    pub(crate) fn new() -> Result<ForkFlag, Error> {
        let io = |source| Error::Io { what: "mapping the fork flag", source };
        let mut page = MmapMut::map_anon(rustix::param::page_size()).map_err(io)?;
        page.advise(Advice::DontDump).map_err(io)?;
        // SAFETY: WIPEONFORK changes what a child sees of this private page, which nobody else borrows yet.
        unsafe { madvise(page.as_mut_ptr().cast(), page.len(), KernelAdvice::LinuxWipeOnFork) }
            .map_err(|errno| io(errno.into()))?;
        page[0] = 1;
        Ok(ForkFlag { page })
    }

    /// Whether this process is a forked child of the one that made the flag.
    #[inline]
    pub(crate) fn in_child(&self) -> bool {
        // SAFETY: the byte is inside the page, which lives as long as `self`. The read is volatile because a fork
        // changes it behind the compiler's back.
        unsafe { std::ptr::read_volatile(self.page.as_ptr()) == 0 }
    }
}
