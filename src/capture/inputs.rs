//! The files that an answer comes from, as an auditor wants them named: size, digest, times.
//!
//! Takes paths, as [`CaptureFiles`](super::CaptureFiles) does. Gives what they name before it is read
//! ([`Input`]), and afterwards what was in it ([`Contents`]): by then a file may be another, which is
//! said.

use super::file::CaptureFile;
use super::find::{self, Found};
use super::progress::Progress;
use crate::digest;
use crate::net::Timestamp;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::SystemTime;

/// What is to be read.
#[derive(Clone, Debug)]
pub struct Input {
    /// As it was given, or as it was found in a directory; `-` is standard input.
    pub path: PathBuf,
    /// How it is before it is read; `None` for what is no file, and can be read only once.
    state: Option<State>,
}

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    size: u64,
    modified: Option<SystemTime>,
}

/// What is in a file.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Bytes, as stored.
    pub size: u64,
    /// SHA-256 of those, in hexadecimal.
    pub sha256: String,
    /// Packets, as far as it can be read.
    pub packets: u64,
    /// The times of the earliest and of the latest of them.
    pub period: Option<(Timestamp, Timestamp)>,
    /// Whether the file is another than before it was read, as far as its size and time show.
    pub has_changed: bool,
}

/// The capture files that `paths` name, sorted by path. What stands in the way is for whoever reads
/// them to say.
pub fn inputs(paths: &[PathBuf]) -> Vec<Input> {
    let (found, _) = find::files(paths);
    let of = |Found { path, size, .. }: Found| {
        let state = size.and_then(|_| State::of(&path).ok());
        Input { path, state }
    };
    let mut inputs: Vec<_> = found.into_iter().map(of).collect();
    inputs.sort_by(|a, b| a.path.cmp(&b.path));
    inputs
}

impl State {
    fn of(path: &std::path::Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self { size: metadata.len(), modified: metadata.modified().ok() })
    }
}

impl Input {
    /// Reads the file again, for what is in it; `None` for what can be read only once.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn contents(&self) -> io::Result<Option<Contents>> {
        let Some(before) = self.state else { return Ok(None) };
        let (packets, period) = self.packets();
        let (sha256, size) = digest::of_file(&self.path)?;
        let has_changed = State::of(&self.path)? != before || size != before.size;
        Ok(Some(Contents { size, sha256, packets, period, has_changed }))
    }

    /// How many packets there are, and of when; as far as they can be read.
    fn packets(&self) -> (u64, Option<(Timestamp, Timestamp)>) {
        let (mut packets, mut period) = (0, None);
        let Ok(mut file) = CaptureFile::open(&self.path, None, &Progress::default()) else {
            return (0, None);
        };
        let mut count = |packet: &super::Packet<'_>| {
            packets += 1;
            let (first, last) = period.unwrap_or((packet.time, packet.time));
            period = Some((first.min(packet.time), last.max(packet.time)));
            ControlFlow::Continue(())
        };
        // A fault ends the file, and has been told; after packets that are not decoded, others follow.
        while let Err(error) = file.read(&mut count) {
            if !matches!(error.kind, super::ErrorKind::UnknownLink { .. }) {
                break;
            }
        }
        (packets, period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changed_since_it_was_found_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("capture.pcap");
        let name = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/modes.pcap");
        fs::copy(name, &path).unwrap();
        let paths = [path.clone(), PathBuf::from("-")];
        let inputs = inputs(&paths);
        let names: Vec<_> = inputs.iter().map(|input| input.path.to_str().unwrap()).collect();
        assert_eq!(names, [path.to_str().unwrap(), "-"]);
        assert!(inputs[1].contents().unwrap().is_none());
        let contents = inputs[0].contents().unwrap().unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!((contents.size, contents.has_changed), (bytes.len() as u64, false));
        assert_eq!(contents.sha256, digest::of(&bytes));
        assert!(contents.packets == 62 && contents.period.is_some_and(|(a, b)| a < b));
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let contents = inputs[0].contents().unwrap().unwrap();
        assert!(contents.has_changed);
        fs::remove_file(&path).unwrap();
        assert!(inputs[0].contents().is_err());
    }
}
