//! How much of the input was read.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much of the input was read: a handle that can be watched from another thread.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Amounts>);

#[derive(Debug, Default)]
struct Amounts {
    read: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// Bytes read of the files as they are stored. Exact after each file, and close to it
    /// within one.
    pub fn read(&self) -> u64 {
        self.0.read.load(Ordering::Relaxed)
    }

    /// How many bytes there are to read; `None` where that cannot be known (standard input).
    pub fn total(&self) -> Option<u64> {
        match self.0.total.load(Ordering::Relaxed) {
            u64::MAX => None,
            total => Some(total),
        }
    }

    pub(super) fn add(&self, bytes: u64) {
        self.0.read.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn set_total(&self, total: Option<u64>) {
        self.0.total.store(total.unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// A reader that counts what is read.
#[derive(Debug)]
pub(super) struct Counted<R> {
    reader: R,
    progress: Progress,
}

impl<R> Counted<R> {
    pub(super) fn new(reader: R, progress: Progress) -> Self {
        Self { reader, progress }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        self.progress.add(n as u64);
        Ok(n)
    }
}
