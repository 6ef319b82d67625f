//! Which file is written, and which one goes? Files of one prefix in a folder, rotated by size.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::folder;
use crate::utc::{Utc, split_stamp};

/// Where files go, how large they get and how many are kept.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) folder: PathBuf,
    pub(crate) prefix: String,
    pub(crate) max_bytes: u64,
    pub(crate) max_files: usize,
}

impl Files {
    /// Makes a new file, readable by its owner alone, after making room for it.
    fn create(&self, pid: u32) -> io::Result<(PathBuf, File)> {
        folder::create(&self.folder)?;
        self.prune(self.max_files.saturating_sub(1))?;
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut now = SystemTime::now();
        loop {
            let name = format!("{}-{}-{pid}.jsonl", self.prefix, Utc::of(now).stamp());
            let path = self.folder.join(name);
            match options.open(&path) {
                Ok(file) => return Ok((path, file)),
                // Another writer of this process in the same microsecond; each microsecond ahead is free sooner or
                // later.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => now += Duration::from_micros(1),
                Err(error) => return Err(error),
            }
        }
    }

    /// Deletes the oldest files of this prefix until at most `keep` are left. Never looks at anything else.
    fn prune(&self, keep: usize) -> io::Result<()> {
        let mut ours = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if let Some(stamp) = entry.file_name().to_str().and_then(|name| self.stamp_of(name))
                && entry.file_type().is_ok_and(|file_type| file_type.is_file())
            {
                ours.push((stamp.to_owned(), entry.path()));
            }
        }
        ours.sort();
        let mut surplus = ours.len().saturating_sub(keep);
        for (_, path) in ours {
            if surplus == 0 {
                break;
            }
            // One that another process has just deleted counts; one that belongs to another user stays, and the next
            // oldest goes instead.
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {}
                _ => surplus -= 1,
            }
        }
        Ok(())
    }

    /// The stamp in the name of a file, if it is a name that [`create`](Files::create) gives.
    fn stamp_of<'a>(&self, name: &'a str) -> Option<&'a str> {
        let rest = name.strip_prefix(&self.prefix)?.strip_prefix('-')?;
        let (stamp, rest) = split_stamp(rest)?;
        let pid = rest.strip_prefix('-')?.strip_suffix(".jsonl")?;
        let is_pid = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
        is_pid.then_some(stamp)
    }
}

/// The file that is being written.
#[derive(Debug)]
pub(crate) struct Output {
    files: Files,
    pid: u32,
    path: PathBuf,
    file: File,
    /// Bytes of whole lines in it.
    length: u64,
}

impl Output {
    pub(crate) fn open(files: Files, pid: u32) -> io::Result<Output> {
        let (path, file) = files.create(pid)?;
        Ok(Output {
            files,
            pid,
            path,
            file,
            length: 0,
        })
    }

    /// Appends lines, in new files as the size demands; gives back how many of them could not be written.
    pub(crate) fn write(&mut self, lines: &[Vec<u8>]) -> u64 {
        let mut failed = 0;
        let mut part = Vec::new();
        let mut lines_in_part = 0;
        for line in lines {
            let length = self.length + length_of(&part);
            if length > 0 && length + length_of(line) > self.files.max_bytes {
                failed += self.append(&part, lines_in_part);
                part.clear();
                lines_in_part = 0;
                if self.length > 0 && self.rotate().is_err() {
                    failed += 1;
                    continue;
                }
            }
            part.extend_from_slice(line);
            lines_in_part += 1;
        }
        failed + self.append(&part, lines_in_part)
    }

    /// Writes all or nothing; gives back how many lines could not be written.
    fn append(&mut self, part: &[u8], lines: u64) -> u64 {
        match self.file.write_all(part) {
            Ok(()) => {
                self.length += length_of(part);
                0
            }
            Err(_) => {
                // A full disk takes half a line. When even the cut fails, the reader sees one broken line; a fresh
                // file instead would cost an old one that is whole.
                let _ = self.file.set_len(self.length);
                lines
            }
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        (self.path, self.file) = self.files.create(self.pid)?;
        self.length = 0;
        Ok(())
    }

    /// Closes the file; one in which nothing was written goes away.
    pub(crate) fn finish(self) {
        let Output { path, file, length, .. } = self;
        drop(file);
        if length == 0 {
            remove_empty(&path);
        }
    }
}

fn remove_empty(path: &Path) {
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0) {
        let _ = fs::remove_file(path);
    }
}

fn length_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_we_give_are_ours() {
        let files = Files {
            folder: PathBuf::new(),
            prefix: "driver".into(),
            max_bytes: 1,
            max_files: 1,
        };
        let stamp = "2026-11-21-10-54-20.000001";
        assert_eq!(files.stamp_of(&format!("driver-{stamp}-17.jsonl")), Some(stamp));
        for foreign in [
            format!("driver-{stamp}-17.json"),
            format!("driver-{stamp}-17"),
            format!("driver-{stamp}-.jsonl"),
            format!("driver-{stamp}-17-1.jsonl"),
            format!("driver-{stamp}.jsonl"),
            format!("driver-two-{stamp}-17.jsonl"),
            format!("driver2-{stamp}-17.jsonl"),
            format!("a-driver-{stamp}-17.jsonl"),
            "driver-notes.jsonl".into(),
        ] {
            assert_eq!(files.stamp_of(&foreign), None, "{foreign}");
        }
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files {
            folder: folder.path().into(),
            prefix: "driver".into(),
            max_bytes: 1000,
            max_files: 1,
        };
        let mut output = Output::open(files, 1).unwrap();
        assert_eq!(output.write(&[b"one\n".to_vec()]), 0);
        let writable = std::mem::replace(&mut output.file, File::open(&output.path).unwrap());
        assert_eq!(output.write(&[b"two\n".to_vec(), b"three\n".to_vec()]), 2);
        output.file = writable;
        assert_eq!(output.write(&[b"four\n".to_vec()]), 0);
        assert_eq!(fs::read_to_string(&output.path).unwrap(), "one\nfour\n");
    }
}
