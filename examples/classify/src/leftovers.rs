//! Counting what an exchange might leave behind.

use std::path::Path;
use std::{fmt, fs, io};

/// What a service takes of this process and of the file system while it lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traces {
    /// Open file descriptors.
    pub(crate) descriptors: usize,
    /// Files in the meeting directory that bear the run's name.
    pub(crate) files: usize,
    /// Mappings of shared memory.
    pub(crate) mappings: usize,
}

impl Traces {
    /// Counts what there is now. Other programs may meet in `directory` too: only files with `run` in their names are
    /// this one's.
    ///
    /// # Errors
    /// When `/proc` or the directory cannot be read.
    pub(crate) fn now(directory: &Path, run: &str) -> io::Result<Traces> {
        Ok(Traces { descriptors: descriptors()?, files: files(directory, run)?, mappings: mappings()? })
    }

    /// How much more there is than there was `before`.
    pub(crate) fn since(&self, before: &Traces) -> Traces {
        Traces {
            descriptors: self.descriptors.saturating_sub(before.descriptors),
            files: self.files.saturating_sub(before.files),
            mappings: self.mappings.saturating_sub(before.mappings),
        }
    }
}

impl fmt::Display for Traces {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Traces { descriptors, files, mappings } = self;
        write!(out, "file descriptors: {descriptors}, files: {files}, mappings: {mappings}")
    }
}

fn descriptors() -> io::Result<usize> {
    // One of them is the directory that is being read.
    Ok(fs::read_dir("/proc/self/fd")?.count().saturating_sub(1))
}

fn files(directory: &Path, run: &str) -> io::Result<usize> {
    match fs::read_dir(directory) {
        Ok(entries) => entries
            .map(|entry| Ok(usize::from(entry?.file_name().to_string_lossy().contains(run))))
            .sum::<io::Result<usize>>(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

fn mappings() -> io::Result<usize> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    Ok(maps.lines().filter(|line| line.contains("/memfd:tensorbridge")).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_files_of_this_run() {
        let directory = std::env::temp_dir().join(format!("classify-leftovers-{}", std::process::id()));
        assert_eq!(files(&directory, "run").unwrap(), 0);
        fs::create_dir(&directory).unwrap();
        for name in ["run.sock", ".run.sock.12", "other.sock"] {
            fs::write(directory.join(name), "").unwrap();
        }
        assert_eq!(files(&directory, "run").unwrap(), 2);
        assert!(files(&directory.join("run.sock"), "run").is_err());
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn counts_descriptors() {
        let before = descriptors().unwrap();
        let files: Vec<fs::File> = (0..50).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        // Other tests open and close files too.
        assert!(descriptors().unwrap() > before + 10, "{before}");
        drop(files);
    }

    #[test]
    fn only_what_is_new_counts() {
        let before = Traces { descriptors: 5, files: 0, mappings: 2 };
        let after = Traces { descriptors: 7, files: 0, mappings: 1 };
        assert_eq!(after.since(&before), Traces { descriptors: 2, files: 0, mappings: 0 });
    }
}
