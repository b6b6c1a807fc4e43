//! Which file an address of this process belongs to, from `/proc/self/maps`.

use std::fmt;

/// A place in a memory file. Two processes that see the same place share that byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Inode of the file.
    pub(crate) inode: u64,
    /// Bytes from its beginning.
    pub(crate) offset: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "inode {} at byte {}", self.inode, self.offset)
    }
}

/// The place behind a value of this process; `None` when it lies in no file.
///
/// # Errors
/// When `/proc/self/maps` cannot be read.
pub(crate) fn place_of<T>(value: &[T]) -> std::io::Result<Option<Place>> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    Ok(find(&maps, value.as_ptr().addr() as u64))
}

fn find(maps: &str, address: u64) -> Option<Place> {
    maps.lines().filter_map(parse).find_map(|(start, end, place)| {
        let inside = (start..end).contains(&address) && place.inode != 0;
        inside.then(|| Place { offset: place.offset + (address - start), ..place })
    })
}

/// One line: `start-end permissions offset device inode path`.
fn parse(line: &str) -> Option<(u64, u64, Place)> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let offset = words.nth(1)?;
    let inode = words.nth(1)?;
    let hexadecimal = |word| u64::from_str_radix(word, 16).ok();
    let place = Place { inode: inode.parse().ok()?, offset: hexadecimal(offset)? };
    Some((hexadecimal(start)?, hexadecimal(end)?, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
7f0000000000-7f0000010000 rw-s 00003000 00:01 4242                       /memfd:data (deleted)
7f0000010000-7f0000020000 rw-p 00000000 00:00 0
not a line
";

    #[test]
    fn finds_inode_and_offset() {
        assert_eq!(find(MAPS, 0x7f00_0000_0040), Some(Place { inode: 4242, offset: 0x3040 }));
    }

    #[test]
    fn private_memory_has_no_place() {
        assert_eq!(find(MAPS, 0x7f00_0001_0000), None, "the end of a range is outside");
        assert_eq!(find(MAPS, 0x10), None);
        let heap = vec![0_u8; 1 << 20];
        assert_eq!(place_of(&heap).unwrap(), None);
    }

    #[test]
    fn this_programs_constants_lie_in_its_file() {
        static TEXT: [u8; 4] = *b"text";
        assert!(place_of(&TEXT).unwrap().is_some());
    }
}
