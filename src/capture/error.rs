//! What can go wrong with capturing.

use super::LinkType;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// How much a problem means for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing that was asked for is missing.
    Notice,
    /// A capture ends in the middle of its last packet, as it does when the capturing program was
    /// killed: everything before it was read.
    Warning,
    /// Something that was asked for could not be read.
    Error,
}

/// A problem with one file, directory or interface. The message names it.
#[derive(Debug)]
pub struct CaptureError {
    /// What was to be read; `-` for standard input; an interface's name.
    pub path: PathBuf,
    /// What was wrong with it.
    pub kind: ErrorKind,
}

/// What was wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The system would not open or read it.
    Unreadable(io::Error),
    /// It has no bytes.
    Empty,
    /// It does not start as a capture file does.
    NotACapture,
    /// The same, found in a directory that was to be searched for captures.
    NotACaptureInDirectory,
    /// The same, though its name is that of a capture.
    NamedAsACapture,
    /// The directory holds no capture.
    NoCaptures,
    /// The file was named twice.
    Repeated,
    /// It ends in the middle of a packet.
    CutOff {
        /// Where the packet starts, in bytes from the beginning of the (decompressed) file.
        offset: u64,
    },
    /// It holds something that is impossible.
    Corrupt {
        /// Where, in bytes from the beginning of the (decompressed) file; `None` when only
        /// libpcap sees the fault.
        offset: Option<u64>,
        /// What.
        reason: String,
    },
    /// It could not be decompressed to its end.
    Compression {
        /// How many decompressed bytes there were before.
        offset: u64,
        /// Why.
        error: io::Error,
    },
    /// The packet filter does not apply to its link type.
    Filter(String),
    /// This process may not capture on the interface.
    Refused(String),
    /// The interface is not there, or down. It is tried again.
    Unavailable(String),
    /// It is there again, or for the first time.
    Back,
    /// It is there again, and one thread reads what several did.
    BackOnOneThread,
    /// Its packets are of a kind that is not decoded: they are counted, and not examined.
    UnknownLink {
        /// The number of the link type.
        number: i32,
        /// Its name, where libpcap knows one.
        name: String,
    },
}

impl CaptureError {
    pub(super) fn new(path: impl Into<PathBuf>, kind: ErrorKind) -> Self {
        Self { path: path.into(), kind }
    }

    /// That packets of that link type are not decoded, where they are not.
    pub(super) fn unknown_link(path: impl Into<PathBuf>, link: LinkType) -> Option<Self> {
        let LinkType(number) = link;
        let name = pcap::Linktype(number).get_name().unwrap_or_else(|_| "unknown".to_owned());
        (!link.is_decoded()).then(|| Self::new(path, ErrorKind::UnknownLink { number, name }))
    }

    /// How much it means for the answer.
    pub fn severity(&self) -> Severity {
        match self.kind {
            ErrorKind::NotACaptureInDirectory | ErrorKind::Repeated | ErrorKind::Back => {
                Severity::Notice
            }
            ErrorKind::CutOff { .. } | ErrorKind::Unavailable(_) | ErrorKind::BackOnOneThread => {
                Severity::Warning
            }
            _ => Severity::Error,
        }
    }
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.kind {
            ErrorKind::Unreadable(error) => write!(f, "cannot read {path}: {error}"),
            ErrorKind::Empty => write!(f, "{path} is empty, not a capture file"),
            ErrorKind::NotACapture => write!(
                f,
                "{path} is not a capture file (pcap or pcapng, plain or compressed by gzip or zstd)"
            ),
            ErrorKind::NotACaptureInDirectory => write!(f, "skipped {path}: not a capture file"),
            ErrorKind::NamedAsACapture => {
                write!(f, "{path} is named as a capture file, and is none (pcap or pcapng)")
            }
            ErrorKind::NoCaptures => write!(f, "no capture file in {path}"),
            ErrorKind::Repeated => write!(f, "{path} was named twice and is read once"),
            ErrorKind::CutOff { offset } => write!(
                f,
                "{path} ends within the packet at byte {offset}; everything before it was read"
            ),
            ErrorKind::Corrupt { offset: Some(offset), reason } => write!(
                f,
                "{path} is damaged at byte {offset}: {reason}; everything before it was read"
            ),
            ErrorKind::Corrupt { offset: None, reason } => {
                write!(f, "{path} is damaged: {reason}; everything before it was read")
            }
            ErrorKind::Compression { offset, error } => write!(
                f,
                "cannot decompress {path} beyond byte {offset} of its content: {error}; \
                 everything before it was read"
            ),
            ErrorKind::UnknownLink { number, name } => write!(
                f,
                "{path} is of link type {number} ({name}), which is not decoded: \
                 its packets are counted, and not examined"
            ),
            ErrorKind::Refused(reason) => write!(
                f,
                "no permission to capture on {path}: {reason} (root, or the capability \
                 cap_net_raw, has it)"
            ),
            ErrorKind::Unavailable(reason) => {
                write!(f, "cannot capture on {path}: {reason}; trying again until it works")
            }
            ErrorKind::Back => write!(f, "capturing on {path} again"),
            ErrorKind::BackOnOneThread => write!(
                f,
                "capturing on {path} again, with one thread: it was made anew, and what several \
                 share cannot be moved to it; start anew for all of them"
            ),
            ErrorKind::Filter(reason) => {
                write!(f, "the filter cannot be applied to {path}: {reason}")
            }
        }
    }
}

impl std::error::Error for CaptureError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            ErrorKind::Unreadable(error) | ErrorKind::Compression { error, .. } => Some(error),
            _ => None,
        }
    }
}
