//! Counting what an exchange might leave behind.

use std::io;
use std::path::Path;

/// Open file descriptors of this process.
///
/// # Errors
/// When `/proc/self/fd` cannot be read.
pub(crate) fn descriptors() -> io::Result<usize> {
    // One of them is the directory that is being read.
    Ok(std::fs::read_dir("/proc/self/fd")?.count() - 1)
}

/// Entries of a directory; none when it does not exist.
///
/// # Errors
/// When it exists and cannot be read.
pub(crate) fn files(directory: &Path) -> io::Result<usize> {
    match std::fs::read_dir(directory) {
        Ok(entries) => Ok(entries.count()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_files() {
        let directory = std::env::temp_dir().join(format!("classify-leftovers-{}", std::process::id()));
        assert_eq!(files(&directory).unwrap(), 0);
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("a"), "").unwrap();
        assert_eq!(files(&directory).unwrap(), 1);
        assert!(files(&directory.join("a")).is_err());
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn counts_descriptors() {
        assert!(descriptors().unwrap() >= 3);
    }
}
