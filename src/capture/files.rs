//! Capture files as one traffic.

use super::error::{CaptureError, ErrorKind};
use super::file::{CaptureFile, Read};
use super::find::{self, Found};
use super::held::Held;
use super::progress::Progress;
use super::{Next, PacketSource, Take};
use crate::net::Timestamp;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// How far a file may reach beyond the first packet of the next before the two count as
/// recorded side by side: the clock of a capture is not always monotonic.
const OVERLAP_NANOS: u64 = 1_000_000_000;
/// How many packets are held back at most before that is decided.
const OVERLAP_PACKETS: usize = 8_192;

/// Every packet of several capture files, as if they were one.
///
/// The files follow each other in the order of their first packets' times, so that connections
/// continue from one rotated file to the next. Files that were recorded side by side (each
/// direction of a link at its own interface) are merged by time instead.
pub struct CaptureFiles {
    /// Files that were not opened yet, by their first packet's time.
    waiting: VecDeque<(Timestamp, Opening)>,
    /// The file that is being read, or those that are being merged.
    reading: Vec<Reading>,
    problems: VecDeque<CaptureError>,
    filter: Option<String>,
    progress: Progress,
}

/// How a waiting file is opened when its time comes.
enum Opening {
    Path(PathBuf),
    /// What can be read only once stays open, its first packet held.
    Already(Reading),
}

/// A file that is being read.
struct Reading {
    file: CaptureFile,
    /// Packets that were read and not given yet, in the file's order.
    held: VecDeque<Held>,
    ended: bool,
}

impl CaptureFiles {
    /// The packets of files, of those in directories, and of standard input (`-`).
    ///
    /// Every file is opened once here, for the time of its first packet. What cannot be read is
    /// reported by [`PacketSource::next`], before the packets of what can be.
    pub fn open(paths: &[PathBuf], filter: Option<String>) -> Self {
        let (found, problems) = find::files(paths);
        let progress = Progress::default();
        progress.set_total(found.iter().map(|found| found.size).sum());
        let mut files = Self {
            waiting: VecDeque::new(),
            reading: Vec::new(),
            problems: problems.into(),
            filter,
            progress,
        };
        let mut waiting: Vec<_> =
            found.into_iter().filter_map(|found| files.first(found)).collect();
        waiting.sort_by_key(|(time, _)| *time);
        files.waiting = waiting.into();
        files
    }

    /// How far reading is.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// When a file begins, and how to go on reading it; `None` when it has no packets.
    fn first(&mut self, found: Found) -> Option<(Timestamp, Opening)> {
        // A filter is for later: the first packet gives the time, whether it passes or not.
        let again = found.size.is_some();
        let progress = if again { Progress::default() } else { self.progress.clone() };
        let filter = if again { None } else { self.filter.as_deref() };
        let mut reading = match Reading::open(&found.path, filter, &progress) {
            Ok(reading) => reading,
            Err(mut error) => {
                if found.searched && matches!(error.kind, ErrorKind::NotACapture) {
                    error.kind = find::no_capture(&found.path);
                }
                self.progress.add(found.size.unwrap_or(0));
                self.problems.push_back(error);
                return None;
            }
        };
        // What is said of link types here is said again when the file is read.
        let is_said_later =
            |error: &CaptureError| again && matches!(error.kind, ErrorKind::UnknownLink { .. });
        while reading.held.is_empty() && !reading.ended {
            let problem = reading.read().err();
            self.problems.extend(problem.filter(|problem| !is_said_later(problem)));
        }
        let time = reading.held.front().map(|held| held.time);
        if time.is_some() {
            self.problems.extend(reading.file.unknown_link());
        } else {
            self.progress.add(found.size.unwrap_or(0));
        }
        let opening = if again { Opening::Path(found.path) } else { Opening::Already(reading) };
        Some((time?, opening))
    }

    fn opened(&self, opening: Opening) -> Result<Reading, CaptureError> {
        match opening {
            Opening::Already(reading) => Ok(reading),
            Opening::Path(path) => Reading::open(&path, self.filter.as_deref(), &self.progress),
        }
    }

    /// Opens the next waiting file, to be read from now on.
    fn open_next(&mut self) -> Result<(), CaptureError> {
        if let Some((_, opening)) = self.waiting.pop_front() {
            let reading = self.opened(opening)?;
            self.reading.push(reading);
        }
        Ok(())
    }

    fn next_begins(&self) -> Option<Timestamp> {
        self.waiting.front().map(|(time, _)| *time)
    }

    /// Reads the one file on, straight through where nothing else begins meanwhile.
    fn read_alone(&mut self, take: &mut Take<'_>) -> Result<Step, CaptureError> {
        let next_begins = self.next_begins();
        let reading = &mut self.reading[0];
        if reading.ended {
            // The next file begins after all where this one ends.
            return Ok(reading.give(take));
        }
        let Some(next_begins) = next_begins else {
            if !reading.held.is_empty() {
                return Ok(reading.give(take));
            }
            return reading.pass(take);
        };
        if let Some(held) = reading.held.back() {
            let beyond = held.time.nanos_since(next_begins) > OVERLAP_NANOS;
            if beyond || reading.held.len() >= OVERLAP_PACKETS {
                self.open_next()?;
                return Ok(Step::Again);
            }
            // Held from before this file was the one: not beyond the next one's beginning.
            if reading.held.iter().all(|held| held.time <= next_begins) {
                return Ok(reading.give(take));
            }
            reading.read()?;
            return Ok(Step::Again);
        }
        let mut beyond = None;
        let step = reading.pass(&mut |packet| {
            if packet.time <= next_begins {
                return take(packet);
            }
            beyond = Some(Held::of(packet));
            ControlFlow::Break(())
        });
        match beyond {
            None => step,
            Some(held) => {
                reading.held.push_back(held);
                Ok(Step::Again)
            }
        }
    }

    /// Gives the earliest packet of several files.
    fn merge(&mut self, take: &mut Take<'_>) -> Result<Step, CaptureError> {
        for reading in &mut self.reading {
            if reading.held.is_empty() && !reading.ended {
                reading.read()?;
            }
        }
        let first = self.reading.iter().filter_map(|r| Some(r.held.front()?.time)).min();
        let Some(first) = first else { return Ok(Step::Again) };
        if self.next_begins().is_some_and(|begins| begins < first) {
            self.open_next()?;
            return Ok(Step::Again);
        }
        let earliest =
            self.reading.iter_mut().find(|r| r.held.front().is_some_and(|h| h.time == first));
        Ok(earliest.map_or(Step::Again, |reading| reading.give(take)))
    }
}

/// What a step of reading came to.
enum Step {
    /// Whoever takes packets has enough.
    Enough,
    Again,
}

impl Reading {
    fn open(
        path: &std::path::Path,
        filter: Option<&str>,
        progress: &Progress,
    ) -> Result<Self, CaptureError> {
        let file = CaptureFile::open(path, filter, progress)?;
        Ok(Self { file, held: VecDeque::new(), ended: false })
    }

    /// Reads a packet and holds it.
    fn read(&mut self) -> Result<(), CaptureError> {
        let held = &mut self.held;
        let read = self.file.read(&mut |packet| {
            held.push_back(Held::of(packet));
            ControlFlow::Break(())
        });
        self.note(read).map(|_| ())
    }

    /// Gives packets as they are read.
    fn pass(&mut self, take: &mut Take<'_>) -> Result<Step, CaptureError> {
        self.file.read_ahead();
        let read = self.file.read(take);
        self.note(read).map(|read| match read {
            Read::Enough => Step::Enough,
            Read::End => Step::Again,
        })
    }

    /// Notes whether that was all.
    fn note(&mut self, read: Result<Read, CaptureError>) -> Result<Read, CaptureError> {
        self.ended = match &read {
            Ok(read) => *read == Read::End,
            Err(error) => !matches!(error.kind, ErrorKind::UnknownLink { .. }),
        };
        read
    }

    /// Gives the first packet that is held.
    fn give(&mut self, take: &mut Take<'_>) -> Step {
        let Some(held) = self.held.pop_front() else { return Step::Again };
        match take(&held.packet()) {
            ControlFlow::Break(()) => Step::Enough,
            ControlFlow::Continue(()) => Step::Again,
        }
    }
}

impl PacketSource for CaptureFiles {
    fn next(&mut self, take: &mut Take<'_>) -> Result<Next, CaptureError> {
        loop {
            if let Some(problem) = self.problems.pop_front() {
                return Err(problem);
            }
            self.reading.retain(|reading| !reading.ended || !reading.held.is_empty());
            let step = match self.reading.len() {
                0 if self.waiting.is_empty() => return Ok(Next::End),
                0 => self.open_next().map(|()| Step::Again)?,
                1 => self.read_alone(take)?,
                _ => self.merge(take)?,
            };
            if matches!(step, Step::Enough) {
                return Ok(Next::Packets);
            }
        }
    }
}
