//! Bytes that libpcap cannot read from a file of its own: compressed files, standard input,
//! named pipes.
//!
//! A thread decompresses them into a pipe, whose other end libpcap opens by its path under
//! `/dev/fd`, and follows their framing meanwhile: nobody can read them a second time to find
//! out where a fault is.

use super::framing::{Fault, Framing};
use super::progress::{Counted, Progress};
use std::fs::File;
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

const BLOCK: usize = 1 << 18;

/// How a file is packed, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    pub(super) fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // A skippable frame (RFC 8878 §3.1.2), such as pzstd puts first.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

/// What a stream came to.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The first fault in the content's framing.
    pub(super) fault: Option<Fault>,
    /// How many bytes of content there were.
    pub(super) content: u64,
    /// Why there were no more of them.
    pub(super) error: Option<io::Error>,
}

/// A stream that is being unpacked.
#[derive(Debug)]
pub(super) struct Stream {
    pipe: PipeReader,
    thread: JoinHandle<Outcome>,
}

impl Stream {
    /// Opens `path`, `-` being standard input, and begins to unpack it.
    pub(super) fn open(path: &Path, progress: &Progress) -> io::Result<Self> {
        let file: Box<dyn Read + Send> = if path == Path::new("-") {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(path)?)
        };
        let (pipe, into) = io::pipe()?;
        let counted = Counted::new(file, progress.clone());
        let thread = thread::Builder::new()
            .name("unpack".to_owned())
            .spawn(move || unpack(BufReader::with_capacity(BLOCK, counted), into))?;
        Ok(Self { pipe, thread })
    }

    /// The path under which libpcap can open the content.
    pub(super) fn path(&self) -> PathBuf {
        format!("/dev/fd/{}", self.pipe.as_raw_fd()).into()
    }

    /// Nobody reads on: what came of it.
    pub(super) fn finish(self) -> Outcome {
        // The thread's next write fails now, so that it ends.
        drop(self.pipe);
        match self.thread.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn unpack(mut file: impl BufRead, into: PipeWriter) -> Outcome {
    let start = match file.fill_buf() {
        Ok(start) => start,
        Err(error) => return Outcome { fault: None, content: 0, error: Some(error) },
    };
    match Packing::of(start) {
        Packing::Plain => pump(file, into),
        Packing::Gzip => pump(flate2::bufread::MultiGzDecoder::new(file), into),
        Packing::Zstd => match zstd::stream::read::Decoder::with_buffer(file) {
            Ok(decoder) => pump(decoder, into),
            Err(error) => Outcome { fault: None, content: 0, error: Some(error) },
        },
    }
}

/// Copies until the content ends, or nobody reads it any more.
fn pump(mut content: impl Read, mut into: PipeWriter) -> Outcome {
    let mut framing = Framing::new();
    let mut block = vec![0; BLOCK];
    let mut copied = 0;
    let error = loop {
        let n = match content.read(&mut block) {
            Ok(0) => break None,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => break Some(error),
        };
        framing.take(&block[..n]);
        copied += n as u64;
        if into.write_all(&block[..n]).is_err() {
            break None;
        }
    };
    Outcome { fault: framing.finish(), content: copied, error }
}
