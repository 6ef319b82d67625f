//! Where on this machine a transfer may read or write: a name in an open directory.
//!
//! A path that was checked can lead elsewhere a moment later, when somebody puts a symbolic link where a directory was. So the
//! directory is opened first, from the allowed one downwards and through no link, and whatever follows names files in what is open.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A name in a directory that is, and stays, in one of those that are allowed.
#[derive(Debug)]
pub(super) struct Place {
    directory: Directory,
    name: OsString,
}

impl Place {
    /// The place of a file that is there. `None` when it is in no allowed directory, whatever links lead to it.
    ///
    /// # Errors
    /// There is no such file, or a directory on the way to it cannot be opened.
    pub(super) fn of_file(path: &Path, allowed: &[PathBuf]) -> io::Result<Option<Self>> {
        Self::real(&fs::canonicalize(path)?, allowed)
    }

    /// The place of a file that need not be there. It replaces a link of its name rather than follow it. `None` as above.
    ///
    /// # Errors
    /// The path names no file, or its directory cannot be opened.
    pub(super) fn of_new_file(path: &Path, allowed: &[PathBuf]) -> io::Result<Option<Self>> {
        let name = path
            .file_name()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
        let directory = path
            .parent()
            .filter(|parent| *parent != Path::new(""))
            .unwrap_or(Path::new("."));
        Self::real(&fs::canonicalize(directory)?.join(name), allowed)
    }

    /// The place that a path without links names.
    fn real(path: &Path, allowed: &[PathBuf]) -> io::Result<Option<Self>> {
        for root in allowed {
            // The allowed directory itself is no file in it.
            if let Some((root, below, name)) = below(path, root) {
                return Ok(Some(Self {
                    directory: Directory::open(&root, below)?,
                    name: name.to_owned(),
                }));
            }
        }
        Ok(None)
    }

    /// Opens the file for reading. It must not have become a link.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn open(&self) -> io::Result<File> {
        self.directory.open_file(&self.name)
    }

    /// A new file beside this place, to be moved to it once it is whole.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn draft(&self) -> io::Result<(Draft<'_>, File)> {
        let mut name = self.name.clone();
        name.push(format!(".{}.part", uuid::Uuid::new_v4().simple()));
        let file = self.directory.create_file(&name)?;
        Ok((Draft { place: self, name }, file))
    }
}

/// The real allowed directory, the way from it to the file's directory, and the file's name.
fn below<'a>(path: &'a Path, root: &Path) -> Option<(PathBuf, &'a Path, &'a OsStr)> {
    let root = fs::canonicalize(root).ok()?;
    let name = path.file_name()?;
    let below = path.parent()?.strip_prefix(&root).ok()?;
    Some((root, below, name))
}

/// A file that is being written. It goes away unless it was moved to where it belongs.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    place: &'a Place,
    name: OsString,
}

impl Draft<'_> {
    /// Moves it to its place, over what is there.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn publish(self) -> io::Result<()> {
        self.place.directory.rename(&self.name, &self.place.name)
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        // Moved: nothing to remove.
        let _ = self.place.directory.remove(&self.name);
    }
}

#[cfg(unix)]
use unix::Directory;

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::fs::File;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use rustix::fs::{self, AtFlags, Mode, OFlags};

    /// Enough to look up what is in a directory, also in one that cannot be listed.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const SEARCH: OFlags = OFlags::PATH;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const SEARCH: OFlags = OFlags::RDONLY;

    /// An open directory.
    #[derive(Debug)]
    pub(super) struct Directory(OwnedFd);

    impl Directory {
        /// Opens `below`, a path without links, from `root` downwards, a step at a time. A link on the way is an error.
        pub(super) fn open(root: &Path, below: &Path) -> io::Result<Self> {
            let flags = SEARCH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let mut directory = fs::open(root, flags, Mode::empty())?;
            for step in below {
                directory = fs::openat(&directory, step, flags | OFlags::NOFOLLOW, Mode::empty())?;
            }
            Ok(Self(directory))
        }

        pub(super) fn open_file(&self, name: &OsStr) -> io::Result<File> {
            // Without waiting for somebody to write, should it be a pipe.
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            Ok(fs::openat(&self.0, name, flags, Mode::empty())?.into())
        }

        pub(super) fn create_file(&self, name: &OsStr) -> io::Result<File> {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            // As any new file: the process's mask takes from it.
            let mode = Mode::from_raw_mode(0o666);
            Ok(fs::openat(&self.0, name, flags, mode)?.into())
        }

        pub(super) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
            Ok(fs::renameat(&self.0, from, &self.0, to)?)
        }

        pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
            Ok(fs::unlinkat(&self.0, name, AtFlags::empty())?)
        }
    }
}

#[cfg(not(unix))]
use named::Directory;

/// Where directories have no handles that files can be named in: by the path that was checked.
#[cfg(not(unix))]
mod named {
    use std::ffi::OsStr;
    use std::fs::{self, File};
    use std::io;
    use std::path::{Path, PathBuf};

    /// A directory's path.
    #[derive(Debug)]
    pub(super) struct Directory(PathBuf);

    impl Directory {
        pub(super) fn open(root: &Path, below: &Path) -> io::Result<Self> {
            Ok(Self(root.join(below)))
        }

        pub(super) fn open_file(&self, name: &OsStr) -> io::Result<File> {
            File::open(self.0.join(name))
        }

        pub(super) fn create_file(&self, name: &OsStr) -> io::Result<File> {
            File::create_new(self.0.join(name))
        }

        pub(super) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
            fs::rename(self.0.join(from), self.0.join(to))
        }

        pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
            fs::remove_file(self.0.join(name))
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// `allowed/sub/file` and `elsewhere/file`, and how to swap `allowed/sub` for a link to `elsewhere`.
    struct Desk(tempfile::TempDir);

    impl Desk {
        fn new() -> Self {
            let desk = Self(tempfile::tempdir().unwrap());
            for (directory, content) in [("allowed/sub", "mine"), ("elsewhere", "secret")] {
                fs::create_dir_all(desk.path(directory)).unwrap();
                fs::write(desk.path(directory).join("file"), content).unwrap();
            }
            desk
        }

        fn path(&self, name: &str) -> PathBuf {
            fs::canonicalize(self.0.path()).unwrap().join(name)
        }

        fn swap(&self) {
            fs::rename(self.path("allowed/sub"), self.path("moved")).unwrap();
            symlink(self.path("elsewhere"), self.path("allowed/sub")).unwrap();
        }

        fn read(&self, name: &str) -> String {
            fs::read_to_string(self.path(name)).unwrap()
        }
    }

    fn content(place: &Place) -> String {
        io::read_to_string(place.open().unwrap()).unwrap()
    }

    #[test]
    fn what_was_opened_stays_what_is_used() {
        let desk = Desk::new();
        let allowed = [desk.path("allowed")];
        let place = Place::of_file(&desk.path("allowed/sub/file"), &allowed)
            .unwrap()
            .unwrap();
        let new = Place::of_new_file(&desk.path("allowed/sub/new"), &allowed)
            .unwrap()
            .unwrap();
        desk.swap();
        assert_eq!(content(&place), "mine");
        let (draft, mut file) = new.draft().unwrap();
        io::Write::write_all(&mut file, b"new").unwrap();
        draft.publish().unwrap();
        assert_eq!(desk.read("moved/new"), "new");
        drop(new.draft().unwrap());
        assert_eq!(fs::read_dir(desk.path("elsewhere")).unwrap().count(), 1);
        assert_eq!(
            fs::read_dir(desk.path("moved")).unwrap().count(),
            2,
            "a draft goes away"
        );
    }

    #[test]
    fn a_link_that_came_after_the_path_was_resolved_is_not_followed() {
        let desk = Desk::new();
        let allowed = [desk.path("allowed")];
        let resolved = fs::canonicalize(desk.path("allowed/sub/file")).unwrap();
        desk.swap();
        Place::real(&resolved, &allowed).unwrap_err();
        // The last step too.
        let place = Place::of_new_file(&desk.path("allowed/last"), &allowed)
            .unwrap()
            .unwrap();
        symlink(desk.path("elsewhere/file"), desk.path("allowed/last")).unwrap();
        place.open().unwrap_err();
    }

    #[test]
    fn links_that_stay_inside_are_followed_and_others_lead_nowhere() {
        let desk = Desk::new();
        let allowed = [desk.path("nowhere"), desk.path("allowed")];
        symlink(desk.path("allowed/sub"), desk.path("inward")).unwrap();
        let place = Place::of_file(&desk.path("inward/file"), &allowed).unwrap().unwrap();
        assert_eq!(content(&place), "mine");
        symlink(desk.path("elsewhere"), desk.path("allowed/outward")).unwrap();
        for path in [
            "allowed/outward/file",
            "elsewhere/file",
            "allowed/sub/../../elsewhere/file",
        ] {
            assert!(Place::of_file(&desk.path(path), &allowed).unwrap().is_none(), "{path}");
            assert!(
                Place::of_new_file(&desk.path(path), &allowed).unwrap().is_none(),
                "{path}"
            );
        }
        assert!(Place::of_file(&desk.path("allowed"), &allowed).unwrap().is_none());
        Place::of_new_file(&desk.path("allowed/.."), &allowed).unwrap_err();
    }
}
