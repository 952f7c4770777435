//! Where answers go: standard output, or a file.

use super::Exit;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const BUFFER: usize = 1 << 16;

/// An answer could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {error}", to.display())]
pub(super) struct WriteError {
    to: PathBuf,
    pub(super) error: io::Error,
}

impl WriteError {
    pub(super) fn new(to: &Path, error: io::Error) -> Self {
        Self { to: to.into(), error }
    }

    /// Whether the reader of standard output went away.
    pub(super) fn is_broken_pipe(&self) -> bool {
        self.error.kind() == io::ErrorKind::BrokenPipe
    }
}

/// Writes all of an answer to standard output, and tells how that ended. A reader who went away had all
/// that it wanted.
pub(super) fn print(text: &str) -> Exit {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("sealwatch: error: cannot write standard output: {error}");
            Exit::Failed
        }
        _ => Exit::Done,
    }
}

/// Where answers go.
pub(super) struct Output {
    name: PathBuf,
    writer: BufWriter<Sink>,
}

enum Sink {
    Stdout(StdoutLock<'static>),
    File(File),
    /// The reader went away.
    Gone,
}

impl Output {
    /// Standard output, which - is, too; or a file that is made or emptied.
    pub(super) fn open(file: Option<&Path>) -> Result<Self, WriteError> {
        let (name, sink) = match file.filter(|path| path.as_os_str() != "-") {
            None => (PathBuf::from("standard output"), Sink::Stdout(io::stdout().lock())),
            Some(path) => {
                let file = File::create(path);
                let file = file.map_err(|error| WriteError { to: path.into(), error })?;
                (path.to_owned(), Sink::File(file))
            }
        };
        Ok(Self { name, writer: BufWriter::with_capacity(BUFFER, sink) })
    }

    pub(super) fn is_terminal(&self) -> bool {
        matches!(self.writer.get_ref(), Sink::Stdout(stdout) if stdout.is_terminal())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.writer.write_all(bytes).map_err(|error| self.failed(error))
    }

    /// Writes what is buffered.
    pub(super) fn flush(&mut self) -> Result<(), WriteError> {
        self.writer.flush().map_err(|error| self.failed(error))
    }

    /// Nobody reads it any more: what is written from now on goes nowhere.
    pub(super) fn give_up(&mut self) {
        self.writer = BufWriter::new(Sink::Gone);
    }

    /// That an answer could not be written here.
    pub(super) fn failed(&self, error: io::Error) -> WriteError {
        WriteError { to: self.name.clone(), error }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::File(file) => file.write(bytes),
            Self::Gone => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::File(file) => file.flush(),
            Self::Gone => Ok(()),
        }
    }
}

/// Whether what is written to two paths is written to the same file.
pub(super) fn is_same_target(a: &Path, b: &Path) -> bool {
    let place = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
        Some((folder, path.file_name()?.to_owned()))
    };
    is_same_file(a, b) || a == b || place(a).is_some_and(|a| Some(a) == place(b))
}

/// Whether what is read from a path, - being standard input, is the file at another.
pub(super) fn is_read_from(input: &Path, file: &Path) -> bool {
    let input = if input.as_os_str() == "-" { Path::new("/dev/stdin") } else { input };
    is_same_file(input, file)
}

/// Whether two paths name the same existing file.
fn is_same_file(a: &Path, b: &Path) -> bool {
    let id = |path: &Path| path.metadata().ok().map(|m| (m.dev(), m.ino()));
    id(a).is_some_and(|a| Some(a) == id(b))
}
