//! One capture file, plain or packed.

use super::error::{CaptureError, ErrorKind};
use super::framing::{self, FaultKind, Framing};
use super::progress::Progress;
use super::stream::{Outcome, Packing, Stream};
use super::{LinkType, Packet};
use crate::net::Timestamp;
use pcap::{Capture, Offline, Precision};
use std::fs::File;
use std::io::{self, Read, Seek};
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
    progress: Progress,
    /// Bytes of a plain file that [`Progress`] was not told about yet.
    untold: u64,
}

/// libpcap's handle, and where its bytes come from.
struct Reading {
    capture: Capture<Offline>,
    from: Source,
}

enum Source {
    Plain(File),
    Packed(Stream),
}

impl CaptureFile {
    /// Opens a file, `-` being standard input. Only packets that pass `filter` will be given.
    pub(super) fn open(
        path: &Path,
        filter: Option<&str>,
        progress: &Progress,
    ) -> Result<Self, CaptureError> {
        let fail = |kind| CaptureError::new(path, kind);
        let mut reading = match plain(path).map_err(fail)? {
            Some(file) => open_plain(file).map_err(fail)?,
            None => open_packed(path, progress).map_err(fail)?,
        };
        if let Some(filter) = filter {
            let applied = reading.capture.filter(filter, true);
            applied.map_err(|error| fail(ErrorKind::Filter(reason(error))))?;
        }
        let untold = match &reading.from {
            Source::Plain(file) => file.metadata().map_or(0, |metadata| metadata.len()),
            Source::Packed(_) => 0,
        };
        Ok(Self {
            path: path.to_owned(),
            link_type: LinkType(reading.capture.get_datalink().0),
            reading: Some(reading),
            progress: progress.clone(),
            untold,
        })
    }

    /// What is to be said about a file whose packets are not decoded.
    pub(super) fn unknown_link(&self) -> Option<CaptureError> {
        CaptureError::unknown_link(&self.path, self.link_type)
    }

    /// Gives the next packet to `take`; `false` when there are no more.
    pub(super) fn next(&mut self, take: &mut dyn FnMut(&Packet<'_>)) -> Result<bool, CaptureError> {
        let Some(reading) = &mut self.reading else { return Ok(false) };
        let error = match reading.capture.next_packet() {
            Ok(packet) => {
                let told = self.untold.min(RECORD_HEADER + packet.data.len() as u64);
                self.untold -= told;
                self.progress.add(told);
                take(&self::packet(self.link_type, &packet));
                return Ok(true);
            }
            Err(pcap::Error::NoMorePackets) => None,
            Err(error) => Some(error),
        };
        self.progress.add(std::mem::take(&mut self.untold));
        let Some(Reading { capture, from }) = self.reading.take() else { return Ok(false) };
        drop(capture);
        match ending(from, error) {
            None => Ok(false),
            Some(kind) => Err(CaptureError::new(&self.path, kind)),
        }
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
    if !framing::is_capture(&start) {
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

fn open_plain(file: File) -> Result<Reading, ErrorKind> {
    // By descriptor, as a path need not be UTF-8, nor name the same file a moment later.
    let path = format!("/dev/fd/{}", file.as_raw_fd());
    match Capture::from_file_with_precision(path, Precision::Nano) {
        Ok(capture) => Ok(Reading { capture, from: Source::Plain(file) }),
        Err(error) => Err(in_header(reason(error))),
    }
}

fn open_packed(path: &Path, progress: &Progress) -> Result<Reading, ErrorKind> {
    let stream = Stream::open(path, progress).map_err(ErrorKind::Unreadable)?;
    match Capture::from_file_with_precision(stream.path(), Precision::Nano) {
        Ok(capture) => Ok(Reading { capture, from: Source::Packed(stream) }),
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
