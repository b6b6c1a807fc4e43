//! The private directory in which meeting points lie.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags, fstat, mkdir, open};
use rustix::io::Errno;

use super::meeting::meeting_directory;
use crate::error::Error;
use crate::memory::user_id;

/// The directory, open. Sockets in it are addressed through its descriptor, so that a long path never exceeds the 107
/// bytes of a socket address.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    fd: OwnedFd,
}

impl Directory {
    /// The one of [`meeting_directory`]; made if it is not there, and refused unless it is this user's alone.
    ///
    /// # Errors
    /// [`Error::BadDirectory`], [`Error::WrongUser`], [`Error::TooManyFiles`].
    pub(super) fn open() -> Result<Directory, Error> {
        Directory::open_at(meeting_directory())
    }

    fn open_at(path: PathBuf) -> Result<Directory, Error> {
        let bad = |reason: String| Error::BadDirectory { path: path.clone(), reason };
        match mkdir(&path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(bad(format!("it cannot be made: {errno}"))),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = match open(&path, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::MFILE | Errno::NFILE) => {
                return Err(Error::TooManyFiles { what: "the meeting directory" });
            }
            Err(errno) => return Err(bad(format!("it cannot be opened: {errno}"))),
        };
        let stat = fstat(&fd).map_err(|errno| bad(errno.to_string()))?;
        let me = user_id();
        if stat.st_uid != me {
            return Err(Error::WrongUser {
                what: path.display().to_string(),
                found: stat.st_uid,
                expected: me,
            });
        }
        if stat.st_mode & 0o077 != 0 {
            let mode = stat.st_mode & 0o777;
            return Err(bad(format!("its mode is {mode:03o}, so other users can reach it: chmod 700 it")));
        }
        Ok(Directory { path, fd })
    }

    /// The address of `name` in it, short whatever the directory's path is.
    pub(super) fn short_path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.fd.as_raw_fd()))
    }

    /// The path of `name` as a person would write it.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.fd
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_others_can_enter_is_refused_by_its_mode() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("open");
        mkdir(&path, Mode::from(0o755)).unwrap();
        rustix::fs::chmod(&path, Mode::from(0o755)).unwrap();
        let error = Directory::open_at(path).unwrap_err();
        assert!(matches!(&error, Error::BadDirectory { reason, .. } if reason.contains("755")), "{error}");
    }

    #[test]
    fn what_is_no_directory_is_refused() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("file");
        std::fs::write(&path, "").unwrap();
        assert!(matches!(Directory::open_at(path), Err(Error::BadDirectory { .. })));
        assert!(matches!(Directory::open_at(outer.path().join("no/such")), Err(Error::BadDirectory { .. })));
    }

    #[test]
    fn a_missing_directory_is_made_private() {
        let outer = tempfile::tempdir().unwrap();
        let directory = Directory::open_at(outer.path().join("new")).unwrap();
        assert_eq!(fstat(directory.fd()).unwrap().st_mode & 0o777, 0o700);
    }
}
