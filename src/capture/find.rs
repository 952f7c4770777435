//! Finding capture files: the paths that were given, and what is below those that are
//! directories.

use super::error::{CaptureError, ErrorKind};
use super::file;
use super::formats;
use super::stream::Packing;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file to be read.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// Whether it was found in a directory, so that it need not be a capture.
    pub(super) searched: bool,
    /// Its size as stored; `None` for what is no regular file.
    pub(super) size: Option<u64>,
}

/// The files that `paths` name, those of a directory in the order of their paths; and what
/// stood in the way.
pub(super) fn files(paths: &[PathBuf]) -> (Vec<Found>, Vec<CaptureError>) {
    let mut search = Search::default();
    for path in paths {
        search.path(path);
    }
    (search.found, search.problems)
}

/// What a file in a directory is that is no capture: something else, or a capture that is damaged from
/// its first byte on, as far as its name tells. (`tcpdump -C` adds a number to it.)
pub(super) fn no_capture(path: &Path) -> ErrorKind {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let unpacked = [".gz", ".zst"].iter().find_map(|packed| name.strip_suffix(packed));
    let name = unpacked.unwrap_or(&name).trim_end_matches(|c: char| c.is_ascii_digit());
    match [".pcap", ".pcapng", ".cap"].iter().any(|ending| name.ends_with(ending)) {
        true => ErrorKind::NamedAsACapture,
        false => ErrorKind::NotACaptureInDirectory,
    }
}

#[derive(Default)]
struct Search {
    found: Vec<Found>,
    problems: Vec<CaptureError>,
    /// Device and inode of what was found: a file counts once.
    known: HashSet<(u64, u64)>,
    stdin: bool,
}

impl Search {
    fn path(&mut self, path: &Path) {
        if path == Path::new("-") {
            if std::mem::replace(&mut self.stdin, true) {
                return self.problem(path, ErrorKind::Repeated);
            }
            return self.found.push(Found { path: path.into(), searched: false, size: None });
        }
        match fs::metadata(path) {
            Err(error) => self.problem(path, ErrorKind::Unreadable(error)),
            Ok(metadata) if metadata.is_dir() => {
                let before = self.found.len();
                self.directory(path);
                if self.found.len() == before {
                    self.problem(path, ErrorKind::NoCaptures);
                }
            }
            Ok(metadata) => self.file(path, &metadata, false),
        }
    }

    fn directory(&mut self, path: &Path) {
        let entries = match fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(entries) => entries,
            Err(error) => return self.problem(path, ErrorKind::Unreadable(error)),
        };
        let mut entries: Vec<_> = entries.iter().map(fs::DirEntry::path).collect();
        entries.sort();
        for entry in entries {
            if let Err(error) = self.entry(&entry) {
                self.problem(&entry, ErrorKind::Unreadable(error));
            }
        }
    }

    /// A directory's entry. Links to directories are not followed: they may lead in circles.
    fn entry(&mut self, path: &Path) -> io::Result<()> {
        if fs::symlink_metadata(path)?.is_dir() {
            self.directory(path);
            return Ok(());
        }
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() {
            return Ok(());
        }
        let start = file::start(&mut File::open(path)?)?;
        if formats::is_capture(&start) || Packing::of(&start) != Packing::Plain {
            self.file(path, &metadata, true);
        } else {
            self.problem(path, no_capture(path));
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, metadata: &fs::Metadata, searched: bool) {
        if !self.known.insert((metadata.dev(), metadata.ino())) {
            return self.problem(path, ErrorKind::Repeated);
        }
        let size = metadata.is_file().then_some(metadata.len());
        self.found.push(Found { path: path.into(), searched, size });
    }

    fn problem(&mut self, path: &Path, kind: ErrorKind) {
        self.problems.push(CaptureError::new(path, kind));
    }
}
