//! Files that are there whole or not at all.
//!
//! What is written goes to a new file beside the target, which then takes its place. What was there
//! before stays until then, and so does everything if that fails.

use super::output::WriteError;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How many names are tried for the new file.
const NAMES: usize = 16;

/// Makes a file of `bytes`, or replaces the one that is there.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let written = New::beside(path).and_then(|new| new.replace(bytes));
    written.map_err(|error| WriteError::new(path, error))
}

/// Whether such a file could be made now: nothing is, and nothing changes.
pub(super) fn try_out(path: &Path) -> Result<(), WriteError> {
    New::beside(path).map(drop).map_err(|error| WriteError::new(path, error))
}

/// A new file, which is gone again unless it takes the target's place.
struct New {
    file: File,
    path: PathBuf,
    target: PathBuf,
    /// The rights of what is to be replaced.
    rights: Option<fs::Permissions>,
}

impl New {
    fn beside(target: &Path) -> io::Result<Self> {
        let (target, rights) = match fs::metadata(target) {
            Ok(is) if is.is_file() => (target.canonicalize()?, Some(is.permissions())),
            Ok(is) if is.is_dir() => return Err(io::Error::other("it is a directory")),
            Ok(_) => return Err(io::Error::other("it is no regular file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (target.to_owned(), None),
            Err(error) => return Err(error),
        };
        let mut last = io::ErrorKind::AlreadyExists.into();
        for n in 0..NAMES {
            let path = target.with_file_name(format!(".sealwatch.{}.{n}", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Self { file, path, target, rights }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    fn replace(mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        if let Some(rights) = self.rights.take() {
            self.file.set_permissions(rights)?;
        }
        self.file.sync_all()?;
        fs::rename(&self.path, &self.target)
    }
}

impl Drop for New {
    fn drop(&mut self) {
        // It took the target's place, or is to go.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_links_and_rights_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a"), folder.path().join("b"));
        try_out(&file).unwrap();
        assert!(names(folder.path()).is_empty());
        write(&file, b"1").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("a", &link).unwrap();
        write(&link, b"2").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"2");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(names(folder.path()), ["a", "b"]);
    }

    #[test]
    fn what_cannot_be_written_is_named_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone/report");
        for (path, why) in [(&*gone, "No such file"), (folder.path(), "it is a directory")] {
            for tried in [try_out(path), write(path, b"1")] {
                let error = tried.unwrap_err().to_string();
                let expected = format!("cannot write {}: {why}", path.display());
                assert!(error.starts_with(&expected), "{error}");
            }
        }
        let device = write(Path::new("/dev/null"), b"1").unwrap_err().to_string();
        assert_eq!(device, "cannot write /dev/null: it is no regular file");
        assert!(names(folder.path()).is_empty());
    }
}
