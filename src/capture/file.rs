//! One capture file, plain or packed.

use super::blocks::{Blocks, Stop};
use super::error::{CaptureError, ErrorKind};
use super::formats;
use super::framing::{FaultKind, Framing};
use super::progress::Progress;
use super::stream::{Outcome, Packing, Stream};
use super::{LinkType, Packet, Take};
use crate::net::Timestamp;
use pcap::{Capture, Offline, Precision};
use std::fs::File;
use std::io::{self, Read as _, Seek};
use std::ops::ControlFlow;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// What a packet's record header takes in a file; for [`Progress`] only.
const RECORD_HEADER: u64 = 16;

/// An open capture file.
pub(super) struct CaptureFile {
    path: PathBuf,
    link_type: LinkType,
    /// `None` once it is over.
    reading: Option<Reading>,
}

/// How its bytes become packets.
enum Reading {
    Blocks(Box<Blocks>),
    Libpcap(Libpcap),
}

/// libpcap's handle, and where its bytes come from.
struct Libpcap {
    capture: Capture<Offline>,
    from: Source,
    progress: Progress,
    /// Bytes of a plain file that [`Progress`] was not told about yet.
    untold: u64,
}

enum Source {
    Plain(File),
    Packed(Stream),
}

/// What reading came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Whoever takes packets has enough.
    Enough,
    /// The file is over.
    End,
}

impl CaptureFile {
    /// Opens a file, `-` being standard input. Only packets that pass `filter` will be given.
    pub(super) fn open(
        path: &Path,
        filter: Option<&str>,
        progress: &Progress,
    ) -> Result<Self, CaptureError> {
        let reading =
            Reading::open(path, filter, progress).map_err(|kind| CaptureError::new(path, kind))?;
        let link_type = match &reading {
            Reading::Blocks(blocks) => blocks.link_type(),
            Reading::Libpcap(libpcap) => LinkType(libpcap.capture.get_datalink().0),
        };
        Ok(Self { path: path.to_owned(), link_type, reading: Some(reading) })
    }

    /// From now on the file may take a thread of its own that reads ahead: nothing else is read besides.
    pub(super) fn read_ahead(&mut self) {
        if let Some(Reading::Blocks(blocks)) = &mut self.reading {
            blocks.read_ahead();
        }
    }

    /// What is to be said about a file whose packets are not decoded.
    pub(super) fn unknown_link(&self) -> Option<CaptureError> {
        CaptureError::unknown_link(&self.path, self.link_type)
    }

    /// Gives packets to `take` until it has enough.
    ///
    /// # Errors
    ///
    /// What is wrong with the file. It is over then, but where packets of another link type than the
    /// first may follow that is not decoded.
    pub(super) fn read(&mut self, take: &mut Take<'_>) -> Result<Read, CaptureError> {
        let ending = match &mut self.reading {
            None => None,
            Some(Reading::Blocks(blocks)) => match blocks.read(take) {
                Stop::Enough => return Ok(Read::Enough),
                Stop::Unknown(link_type) => {
                    let unknown = CaptureError::unknown_link(&self.path, link_type);
                    return unknown.map_or(Ok(Read::Enough), Err);
                }
                Stop::End => None,
                Stop::Fault(kind) => Some(kind),
            },
            Some(Reading::Libpcap(libpcap)) => match libpcap.read(self.link_type, take) {
                ControlFlow::Break(()) => return Ok(Read::Enough),
                ControlFlow::Continue(error) => match self.reading.take() {
                    Some(Reading::Libpcap(libpcap)) => libpcap.ending(error),
                    _ => None,
                },
            },
        };
        self.reading = None;
        ending.map_or(Ok(Read::End), |kind| Err(CaptureError::new(&self.path, kind)))
    }
}

impl Reading {
    fn open(path: &Path, filter: Option<&str>, progress: &Progress) -> Result<Self, ErrorKind> {
        let mut libpcap = match plain(path)? {
            Some(file) if filter.is_none() => match Blocks::open(file, progress.clone())? {
                Ok(blocks) => return Ok(Self::Blocks(Box::new(blocks))),
                Err(file) => open_plain(file, progress)?,
            },
            Some(file) => open_plain(file, progress)?,
            None => open_packed(path, progress)?,
        };
        if let Some(filter) = filter {
            let applied = libpcap.capture.filter(filter, true);
            applied.map_err(|error| ErrorKind::Filter(reason(error)))?;
        }
        Ok(Self::Libpcap(libpcap))
    }
}

impl Libpcap {
    /// Gives packets until `take` has enough; where there are no more, libpcap's error, if it gave
    /// one.
    fn read(
        &mut self,
        link_type: LinkType,
        take: &mut Take<'_>,
    ) -> ControlFlow<(), Option<pcap::Error>> {
        loop {
            match self.capture.next_packet() {
                Ok(packet) => {
                    let told = self.untold.min(RECORD_HEADER + packet.data.len() as u64);
                    self.untold -= told;
                    self.progress.add(told);
                    take(&self::packet(link_type, &packet))?;
                }
                Err(pcap::Error::NoMorePackets) => return ControlFlow::Continue(None),
                Err(error) => return ControlFlow::Continue(Some(error)),
            }
        }
    }

    /// What is wrong with a file that libpcap reads no further; with `error`, if it gave one.
    fn ending(self, error: Option<pcap::Error>) -> Option<ErrorKind> {
        let Self { capture, from, progress, untold } = self;
        progress.add(untold);
        drop(capture);
        ending(from, error)
    }
}

fn packet<'a>(link_type: LinkType, packet: &pcap::Packet<'a>) -> Packet<'a> {
    // With nanosecond precision libpcap puts nanoseconds into `tv_usec`.
    let time = packet.header.ts;
    Packet {
        time: Timestamp::from_parts(time.tv_sec, time.tv_usec),
        link_type,
        data: packet.data,
        wire_len: packet.header.len.max(packet.data.len() as u32),
        block: None,
    }
}

/// Opens a regular file that is not packed; `None` where it is packed, or no regular file.
fn plain(path: &Path) -> Result<Option<File>, ErrorKind> {
    if path == Path::new("-") {
        return Ok(None);
    }
    if !std::fs::metadata(path).map_err(ErrorKind::Unreadable)?.is_file() {
        return Ok(None);
    }
    let mut file = File::open(path).map_err(ErrorKind::Unreadable)?;
    let start = start(&mut file).map_err(ErrorKind::Unreadable)?;
    if start.is_empty() {
        return Err(ErrorKind::Empty);
    }
    if Packing::of(&start) != Packing::Plain {
        return Ok(None);
    }
    if !formats::is_capture(&start) {
        return Err(ErrorKind::NotACapture);
    }
    Ok(Some(file))
}

/// The first four bytes of a file, or all there are.
pub(super) fn start(file: &mut File) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(4);
    file.by_ref().take(4).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(start)
}

/// Opens it by its descriptor, as a path need not be UTF-8, nor name the same file a moment later.
fn open_plain(mut file: File, progress: &Progress) -> Result<Libpcap, ErrorKind> {
    file.rewind().map_err(ErrorKind::Unreadable)?;
    let untold = file.metadata().map_or(0, |metadata| metadata.len());
    let path = format!("/dev/fd/{}", file.as_raw_fd());
    match Capture::from_file_with_precision(path, Precision::Nano) {
        Ok(capture) => {
            let from = Source::Plain(file);
            Ok(Libpcap { capture, from, progress: progress.clone(), untold })
        }
        Err(error) => Err(in_header(reason(error))),
    }
}

fn open_packed(path: &Path, progress: &Progress) -> Result<Libpcap, ErrorKind> {
    let stream = Stream::open(path, progress).map_err(ErrorKind::Unreadable)?;
    match Capture::from_file_with_precision(stream.path(), Precision::Nano) {
        Ok(capture) => {
            let from = Source::Packed(stream);
            Ok(Libpcap { capture, from, progress: progress.clone(), untold: 0 })
        }
        Err(error) => Err(match stream.finish() {
            Outcome { error: Some(error), content, .. } => broken(content, error),
            Outcome { content: 0, .. } => ErrorKind::Empty,
            Outcome { fault: Some(fault), .. }
                if matches!(fault.kind, FaultKind::Impossible(_)) =>
            {
                ErrorKind::NotACapture
            }
            _ => in_header(reason(error)),
        }),
    }
}

fn in_header(reason: String) -> ErrorKind {
    ErrorKind::Corrupt { offset: Some(0), reason }
}

fn broken(content: u64, error: io::Error) -> ErrorKind {
    match error.kind() {
        // These come from the decoders; all else from the file itself.
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            ErrorKind::Compression { offset: content, error }
        }
        io::ErrorKind::Other if error.raw_os_error().is_none() => {
            ErrorKind::Compression { offset: content, error }
        }
        _ => ErrorKind::Unreadable(error),
    }
}

/// What is wrong with a file that libpcap reads no further; with `error`, if it gave one.
fn ending(from: Source, error: Option<pcap::Error>) -> Option<ErrorKind> {
    let fault = match from {
        Source::Plain(_) if error.is_none() => return None,
        Source::Plain(mut file) => {
            let faults = file.rewind().and_then(|()| Framing::first_fault(file));
            match faults {
                Ok(fault) => fault,
                Err(error) => return Some(ErrorKind::Unreadable(error)),
            }
        }
        Source::Packed(stream) => {
            let outcome = stream.finish();
            if let Some(error) = outcome.error {
                return Some(broken(outcome.content, error));
            }
            outcome.fault
        }
    };
    let reason = reason(error?);
    Some(match fault {
        None => ErrorKind::Corrupt { offset: None, reason },
        Some(fault) => match fault.kind {
            FaultKind::CutOff => ErrorKind::CutOff { offset: fault.offset },
            FaultKind::Impossible(reason) => {
                ErrorKind::Corrupt { offset: Some(fault.offset), reason }
            }
        },
    })
}

/// libpcap's message, without the words that the crate puts before it.
pub(super) fn reason(error: pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(message) => message,
        error => error.to_string(),
    }
}
