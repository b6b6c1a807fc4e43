//! A sealed memfd and its mapping.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

use memmap2::{Advice, MmapOptions, MmapRaw};
use rustix::fs::{
    FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate,
    memfd_create,
};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Resource, getrlimit};

use super::SegmentOptions;
use super::available::available_memory;
use crate::error::Error;

/// What keeps every process's mapping valid for good: nobody can resize the file or take these seals off again.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// How much memory is asked for at once: a moment's work, after which the program may look around.
const CHUNK: u64 = 64 << 20;

/// How little is asked for at once where signals keep coming.
const LEAST_CHUNK: u64 = 64 << 10;

/// Shared memory, mapped readable and writable. The mapping goes when this value is dropped.
#[derive(Debug)]
pub(crate) struct Segment {
    fd: OwnedFd,
    map: MmapRaw,
}

impl Segment {
    /// New memory of `size` bytes, zeroed and sealed, that exists for as long as a process holds it. `look_around` is called now
    /// and then while it is made, and ends that with its error.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], [`Error::TooManyFiles`], [`Error::Io`], those of `look_around`.
    pub(crate) fn create(
        label: &str,
        size: usize,
        options: SegmentOptions,
        look_around: &mut dyn FnMut() -> Result<(), Error>,
    ) -> Result<Segment, Error> {
        let refused = |errno: Errno| match errno {
            Errno::MFILE | Errno::NFILE => Error::TooManyFiles { what: "shared memory" },
            errno => Error::OutOfMemory { bytes: size, reason: errno.to_string() },
        };
        if let Some(left) = available_memory().filter(|left| *left < size as u64 && !options.sparse) {
            return Err(Error::OutOfMemory { bytes: size, reason: format!("{left} bytes are available") });
        }
        if let Some(most) = getrlimit(Resource::Fsize).current.filter(|most| *most < size as u64) {
            // The kernel would send SIGXFSZ, which ends the process.
            return Err(Error::OutOfMemory { bytes: size, reason: format!("RLIMIT_FSIZE is {most}") });
        }
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = memfd_create(label, flags).map_err(refused)?;
        retry_on_intr(|| ftruncate(&fd, size as u64)).map_err(refused)?;
        if !options.sparse {
            // Without it a limit on shared memory would show later, as SIGBUS in whoever touches the page.
            let allocate = |start, length| fallocate(&fd, FallocateFlags::empty(), start, length);
            in_chunks(size as u64, look_around, allocate, refused)?;
        }
        fcntl_add_seals(&fd, SEALS)
            .map_err(|errno| Error::Io { what: "sealing memory", source: errno.into() })?;
        Segment::map(fd, size, options)
    }

    /// Maps memory that another process handed over, once it is known to stay as it is. With a `size` that it does not have
    /// nothing is mapped; without one, nothing is populated, so that whoever does not know the size yet can look first.
    ///
    /// # Errors
    /// [`Error::BadSegment`] when it is not a sealed memfd or has another size than `size`, where one is expected;
    /// [`Error::OutOfMemory`] when it cannot be mapped.
    pub(crate) fn open(fd: OwnedFd, size: Option<usize>, options: SegmentOptions) -> Result<Segment, Error> {
        let found = Segment::check(&fd, size)?;
        match size {
            Some(_) => Segment::map(fd, found, options),
            None => Segment::map(fd, found, SegmentOptions { sparse: true }),
        }
    }

    /// The size of memory that is a sealed memfd, of `size` bytes where that is stated.
    fn check(fd: &OwnedFd, size: Option<usize>) -> Result<usize, Error> {
        let bad = |reason: String| Error::BadSegment { reason };
        let seals = fcntl_get_seals(fd).map_err(|_| bad("it is not a memfd".into()))?;
        if !seals.contains(SEALS) {
            return Err(bad(format!("it is not sealed against resizing (seals {:#x})", seals.bits())));
        }
        let stat = fstat(fd).map_err(|errno| Error::Io { what: "fstat", source: errno.into() })?;
        let found = stat.st_size as usize;
        match size {
            Some(expected) if expected != found => {
                Err(bad(format!("it has {found} bytes instead of {expected}")))
            }
            _ if found == 0 || found > isize::MAX as usize => Err(bad(format!("it has {found} bytes"))),
            _ => Ok(found),
        }
    }

    /// As [`Segment::open`], mapped to be read only.
    ///
    /// # Errors
    /// As [`Segment::open`].
    pub(crate) fn open_to_read(fd: OwnedFd, size: Option<usize>) -> Result<Segment, Error> {
        let size = Segment::check(&fd, size)?;
        let map = MmapOptions::new().len(size).map_raw_read_only(&fd);
        let map = map.map_err(|error| Error::OutOfMemory { bytes: size, reason: error.to_string() })?;
        map.advise(Advice::DontDump).map_err(|source| Error::Io { what: "madvise", source })?;
        Ok(Segment { fd, map })
    }

    fn map(fd: OwnedFd, size: usize, options: SegmentOptions) -> Result<Segment, Error> {
        let out_of_memory =
            |error: std::io::Error| Error::OutOfMemory { bytes: size, reason: error.to_string() };
        let map = MmapOptions::new().len(size).map_raw(&fd).map_err(out_of_memory)?;
        // A core dump of one process should not write everybody's tensors to a disk.
        map.advise(Advice::DontDump).map_err(|source| Error::Io { what: "madvise", source })?;
        let segment = Segment { fd, map };
        if !options.sparse {
            segment.populate()?;
        }
        Ok(segment)
    }

    /// Touches every page, so that no later access is slowed down, or killed, by one that is missing.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], [`Error::Unsupported`].
    pub(crate) fn populate(&self) -> Result<(), Error> {
        let stat = fstat(&self.fd).map_err(|errno| Error::Io { what: "fstat", source: errno.into() })?;
        // Whoever made it allocated it, or else it would be allocated here, on the word of a peer.
        let missing = (self.len() as u64).saturating_sub(stat.st_blocks as u64 * 512);
        let out_of_memory = |reason: String| Error::OutOfMemory { bytes: self.len(), reason };
        if let Some(left) = available_memory().filter(|left| *left < missing) {
            return Err(out_of_memory(format!("{missing} bytes are not allocated and {left} are available")));
        }
        self.map.advise(Advice::PopulateWrite).map_err(|error| match Errno::from_io_error(&error) {
            // The advice, the range and the mapping are right: the kernel does not know it.
            Some(Errno::INVAL) => {
                Error::Unsupported { what: "MADV_POPULATE_WRITE".to_owned(), needs: "5.14 or newer" }
            }
            _ => out_of_memory(error.to_string()),
        })
    }

    /// The first byte. Valid for [`Segment::len`] bytes while `self` lives.
    pub(crate) fn base(&self) -> NonNull<u8> {
        NonNull::new(self.map.as_mut_ptr()).expect("a mapping is never at address 0")
    }

    /// Size in bytes.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// The memfd, to be handed to another process.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The inode, which is the same number in every process.
    pub(crate) fn inode(&self) -> Result<u64, Error> {
        let stat = fstat(&self.fd).map_err(|errno| Error::Io { what: "fstat", source: errno.into() })?;
        Ok(stat.st_ino)
    }
}

/// Allocates `size` bytes, a chunk at a time, looking around before each. A kernel before 6.10 gives a chunk up at any signal and takes
/// back what it had of it, so the next attempt is at a smaller one: a timer that ticks every millisecond must not keep it for good.
fn in_chunks(
    size: u64,
    look_around: &mut dyn FnMut() -> Result<(), Error>,
    mut allocate: impl FnMut(u64, u64) -> Result<(), Errno>,
    refused: impl Fn(Errno) -> Error,
) -> Result<(), Error> {
    let (mut start, mut chunk) = (0, CHUNK);
    while start < size {
        look_around()?;
        let length = chunk.min(size - start);
        match allocate(start, length) {
            Ok(()) => start += length,
            Err(Errno::INTR) => chunk = (chunk / 2).max(LEAST_CHUNK),
            Err(errno) => return Err(refused(errno)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(size: usize) -> Result<Segment, Error> {
        Segment::create("test", size, SegmentOptions::default(), &mut || Ok(()))
    }

    /// As a kernel before 6.10 has it, under a timer that ticks more often than a large chunk takes.
    #[test]
    fn signals_while_memory_is_allocated_are_no_lack_of_memory() {
        let (size, mut ticks, mut done) = (3 * CHUNK + 4096, 0, 0);
        let allocate = |start: u64, length: u64| {
            ticks += 1;
            if length > 1 << 20 || ticks % 3 == 0 {
                return Err(Errno::INTR);
            }
            assert_eq!(start, done);
            done += length;
            Ok(())
        };
        in_chunks(size, &mut || Ok(()), allocate, |errno| panic!("{errno}")).unwrap();
        assert_eq!(done, size);
    }

    #[test]
    fn a_program_that_looks_around_ends_the_making_of_memory() {
        let mut looks = 0;
        let mut look_around = || {
            looks += 1;
            if looks == 2 { Err(Error::Interrupted) } else { Ok(()) }
        };
        let size = 2 * CHUNK as usize;
        let error = Segment::create("test", size, SegmentOptions::default(), &mut look_around).unwrap_err();
        assert!(matches!(error, Error::Interrupted), "{error}");
        assert_eq!(looks, 2);
    }

    #[test]
    fn two_mappings_of_one_segment_are_the_same_memory() {
        let first = create(8192).unwrap();
        let fd = first.fd().try_clone_to_owned().unwrap();
        let second = Segment::open(fd, Some(8192), SegmentOptions::default()).unwrap();
        assert_ne!(first.base(), second.base());
        // SAFETY: byte 5000 is inside both mappings, and only this thread touches them.
        let seen = unsafe {
            first.base().add(5000).write(42);
            second.base().add(5000).read()
        };
        assert_eq!(seen, 42);
        assert_eq!(first.inode().unwrap(), second.inode().unwrap());
    }

    #[test]
    fn a_segment_cannot_be_resized() {
        let segment = create(8192).unwrap();
        assert_eq!(ftruncate(segment.fd(), 4096), Err(Errno::PERM));
        assert_eq!(ftruncate(segment.fd(), 16384), Err(Errno::PERM));
        assert_eq!(fcntl_add_seals(segment.fd(), SealFlags::WRITE), Err(Errno::PERM));
    }

    #[test]
    fn unsealed_truncated_and_foreign_memory_is_refused() {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let open = |fd, size| Segment::open(fd, size, SegmentOptions::default()).map(|_| ());

        let unsealed = memfd_create("test", flags).unwrap();
        ftruncate(&unsealed, 4096).unwrap();
        assert!(
            matches!(open(unsealed, None), Err(Error::BadSegment { reason }) if reason.contains("sealed"))
        );

        let short = memfd_create("test", flags).unwrap();
        ftruncate(&short, 4096).unwrap();
        fcntl_add_seals(&short, SEALS).unwrap();
        assert!(
            matches!(open(short, Some(8192)), Err(Error::BadSegment { reason }) if reason.contains("4096"))
        );

        let pipe = rustix::pipe::pipe().unwrap().0;
        assert!(matches!(open(pipe, None), Err(Error::BadSegment { reason }) if reason.contains("memfd")));
    }

    #[test]
    fn memory_that_nobody_allocated_is_not_allocated_on_a_peers_word() {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let promised = || {
            let fd = memfd_create("test", flags).unwrap();
            ftruncate(&fd, 1 << 44).unwrap();
            fcntl_add_seals(&fd, SEALS).unwrap();
            fd
        };
        let error = Segment::open(promised(), Some(1 << 44), SegmentOptions::default()).unwrap_err();
        assert!(
            matches!(&error, Error::OutOfMemory { reason, .. } if reason.contains("allocated")),
            "{error}"
        );
        // Of unknown size it is mapped to be looked at, and not touched.
        let unknown = Segment::open(promised(), None, SegmentOptions::default()).unwrap();
        assert_eq!(fstat(unknown.fd()).unwrap().st_blocks, 0);
    }

    #[test]
    fn memory_that_is_not_to_be_had_is_a_typed_error() {
        let error = create(1 << 50).unwrap_err();
        assert!(matches!(error, Error::OutOfMemory { bytes, .. } if bytes == 1 << 50), "{error}");
    }
}
