//! How much memory is resident, as the kernel says.

use crate::arena::Arena;
use crate::error::Error;

/// How much memory this process has, and how much of an arena is in memory. All in bytes.
///
/// PSS counts a page that several processes have mapped in equal parts to each of them: over all processes it adds up to what is
/// really used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Residency {
    /// Resident memory of this process, shared memory included.
    pub rss: u64,
    /// This process's part of it.
    pub pss: u64,
    /// The size of the arena.
    pub arena_size: u64,
    /// How much of the arena this process has touched, or populated.
    pub arena_rss: u64,
    /// This process's part of that.
    pub arena_pss: u64,
}

impl Residency {
    /// What the kernel says of this process now.
    ///
    /// # Errors
    /// [`Error::Io`] when `/proc` cannot be read.
    pub(super) fn read(arena: &Arena) -> Result<Residency, Error> {
        let text = std::fs::read_to_string("/proc/self/smaps")
            .map_err(|source| Error::Io { what: "reading /proc/self/smaps", source })?;
        let inodes = arena.inodes()?;
        Ok(Residency { arena_size: arena.bytes() as u64, ..parse(&text, &inodes) })
    }
}

/// Adds up the mappings; those of the arena are told by their inodes.
fn parse(smaps: &str, inodes: &[u64]) -> Residency {
    let mut sums = Residency::default();
    // An arena may be mapped more than once; a page is resident once.
    let mut resident = vec![(0u64, 0u64); inodes.len()];
    let mut here = None;
    for line in smaps.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(first) = words.next() else { continue };
        let kilobytes = |mut words: std::str::SplitAsciiWhitespace<'_>| {
            words
                .next()
                .and_then(|number| number.parse::<u64>().ok())
                .unwrap_or_default()
                .saturating_mul(1024)
        };
        match first {
            "Rss:" => {
                let bytes = kilobytes(words);
                sums.rss += bytes;
                if let Some(arena) = here {
                    let (most, _): &mut (u64, u64) = &mut resident[arena];
                    *most = bytes.max(*most);
                }
            }
            "Pss:" => {
                let bytes = kilobytes(words);
                sums.pss += bytes;
                if let Some(arena) = here {
                    let (_, part): &mut (u64, u64) = &mut resident[arena];
                    *part += bytes;
                }
            }
            // A mapping begins: its addresses, permissions, offset, device, inode.
            name if !name.ends_with(':') => {
                let inode = words.nth(3).and_then(|number| number.parse().ok());
                here = inode.and_then(|inode: u64| inodes.iter().position(|other| *other == inode));
            }
            _ => {}
        }
    }
    sums.arena_rss = resident.iter().map(|(most, _)| most).sum();
    sums.arena_pss = resident.iter().map(|(_, part)| part).sum();
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_added_up_and_those_of_the_arena_told_apart() {
        let mapping = |inode: u64, rss: u64, pss: u64| {
            format!(
                "7f0000000000-7f0000001000 rw-s 00000000 00:01 {inode} /memfd:x (deleted)\n\
                 Size:  8 kB\nRss:  {rss} kB\nPss:  {pss} kB\nPss_Dirty:  1 kB\nVmFlags: rd wr\n"
            )
        };
        let text = [(0, 100, 90), (7, 8, 4), (7, 4, 2), (9, 20, 10), (8, 1, 1)]
            .map(|(inode, rss, pss)| mapping(inode, rss, pss))
            .concat();
        let seen = parse(&text, &[7, 9]);
        assert_eq!((seen.rss, seen.pss), (133 * 1024, 107 * 1024));
        assert_eq!((seen.arena_rss, seen.arena_pss), (28 * 1024, 16 * 1024));
    }
}
