//! A file that a thread of its own reads ahead.
//!
//! Takes a file, and buffers as they become free. Gives what follows in the file, a buffer at a time, in
//! its order. Promises that no more is read ahead than buffers were given, and that the thread ends when
//! the file does, or nobody takes what it reads any more.

use crossbeam_channel::{Receiver, Sender, bounded};
use std::fs::File;
use std::io::{self, Read};
use std::thread;

/// How many buffers are on their way at once.
const AHEAD: usize = 8;

/// The size of a page. What is read begins with one in memory, as it mostly does in the file: where
/// the one lies a few bytes further into its page than the other, `rep movsb`, by which Linux copies,
/// took three times as long (AMD EPYC).
const PAGE: usize = 4096;

/// How much longer than what is read at once a buffer must be, beside the room to be left.
pub(super) const SLACK: usize = PAGE;

/// A file that is being read ahead.
#[derive(Debug)]
pub(super) struct Ahead {
    free: Sender<Vec<u8>>,
    filled: Receiver<io::Result<Chunk>>,
    /// How many buffers the thread has, or has filled.
    under_way: usize,
    is_over: bool,
}

/// What follows in a file: `bytes[start..filled]`, behind the room that was to be left.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    pub(super) start: usize,
    pub(super) filled: usize,
    is_last: bool,
}

impl Ahead {
    /// Reads a file on from where it stands, leaving so many bytes at each buffer's beginning alone.
    ///
    /// # Errors
    ///
    /// Where the system has no thread for it, or no descriptor. Nothing was read then.
    pub(super) fn start(file: &File, room: usize) -> io::Result<Self> {
        let mut file = file.try_clone()?;
        let (free, buffers) = bounded::<Vec<u8>>(AHEAD);
        let (chunks, filled) = bounded(AHEAD);
        let read = move || {
            for bytes in buffers {
                let chunk = Chunk::read(&mut file, bytes, room);
                let is_last = chunk.as_ref().map_or(true, |chunk| chunk.is_last);
                // Nobody takes it: then nobody misses it.
                if chunks.send(chunk).is_err() || is_last {
                    break;
                }
            }
        };
        thread::Builder::new().name("read-ahead".to_owned()).spawn(read)?;
        Ok(Self { free, filled, under_way: 0, is_over: false })
    }

    /// The next bytes of the file; `None` where there are no more. `buffer` gives those to be filled
    /// next, each longer than the room to be left and [`SLACK`] together.
    ///
    /// # Errors
    ///
    /// The system's; nothing more is read then.
    pub(super) fn next(
        &mut self,
        mut buffer: impl FnMut() -> Vec<u8>,
    ) -> io::Result<Option<Chunk>> {
        if self.is_over {
            return Ok(None);
        }
        while self.under_way < AHEAD && self.free.send(buffer()).is_ok() {
            self.under_way += 1;
        }
        let gone = || io::Error::other("the thread that reads ahead is gone");
        let chunk = self.filled.recv().map_err(|_| gone()).and_then(|chunk| chunk);
        self.under_way -= 1;
        self.is_over = chunk.as_ref().map_or(true, |chunk| chunk.is_last);
        chunk.map(Some)
    }
}

impl Chunk {
    fn read(file: &mut File, mut bytes: Vec<u8>, room: usize) -> io::Result<Self> {
        let start = room + bytes[room..].as_ptr().align_offset(PAGE).min(SLACK);
        let end = bytes.len() - SLACK + (start - room);
        let filled = start + fill(file, &mut bytes[start..end])?;
        Ok(Self { bytes, start, filled, is_last: filled < end })
    }
}

/// Reads until `bytes` are full or the file has no more.
pub(super) fn fill(file: &mut File, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek, Write};

    const ROOM: usize = 100;
    const SIZE: usize = 10_000;

    fn ahead(file: &File) -> Ahead {
        Ahead::start(file, ROOM).expect("a thread")
    }

    fn buffer() -> Vec<u8> {
        vec![0; ROOM + SIZE + SLACK]
    }

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).and_then(|()| file.rewind()).expect("to write it");
        file
    }

    #[test]
    fn all_of_a_file_comes_in_its_order_and_then_no_more() {
        for length in [0, 1, SIZE - 1, SIZE, SIZE + 1, 3 * SIZE, 40 * SIZE + 7] {
            let bytes: Vec<_> = (0..length).map(|n| (n % 251) as u8).collect();
            let mut ahead = ahead(&file(&bytes));
            let mut read = Vec::new();
            while let Some(chunk) = ahead.next(buffer).expect("to read it") {
                assert!(chunk.start >= ROOM && chunk.filled <= chunk.bytes.len());
                assert!(chunk.bytes[..chunk.start].iter().all(|byte| *byte == 0), "it is room");
                assert!(chunk.bytes[chunk.start..].as_ptr().addr().is_multiple_of(PAGE));
                read.extend_from_slice(&chunk.bytes[chunk.start..chunk.filled]);
            }
            assert!(read == bytes, "{} of {length} bytes", read.len());
            assert!(ahead.next(buffer).expect("no error").is_none(), "it stays over");
        }
    }

    #[test]
    fn no_more_is_read_ahead_than_there_are_buffers_for() {
        let file = file(&vec![1; 100 * SIZE]);
        let mut ahead = ahead(&file);
        let mut given = 0;
        for taken in 1..=20 {
            ahead
                .next(|| {
                    given += 1;
                    buffer()
                })
                .expect("to read it");
            assert!(given - taken < AHEAD, "{given} buffers for {taken} chunks");
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error_once_and_the_end() {
        let mut ahead = ahead(&File::open("/").expect("a directory"));
        let error = ahead.next(buffer).expect_err("a directory is not read");
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
        assert!(ahead.next(buffer).expect("no error").is_none());
    }
}
