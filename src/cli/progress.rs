//! The progress bar, and messages beside it.

use crate::capture::{CaptureError, Next, PacketSource, Progress, Take};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal};

/// A bar on a terminal; nothing elsewhere.
#[derive(Clone)]
pub(super) struct Bar {
    bar: ProgressBar,
    progress: Progress,
}

impl Bar {
    pub(super) fn new(progress: Progress, quiet: bool) -> Self {
        let shown = io::stderr().is_terminal() && !quiet;
        let target =
            if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let (bar, template) = match progress.total() {
            Some(total) => (
                ProgressBar::with_draw_target(Some(total), target),
                "{wide_bar} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left",
            ),
            None => (
                ProgressBar::with_draw_target(None, target),
                "{spinner} {bytes}  {bytes_per_sec}  {elapsed}",
            ),
        };
        let style = ProgressStyle::with_template(template);
        let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, progress }
    }

    /// A message on standard error, above the bar.
    pub(super) fn say(&self, message: &str) {
        self.bar.suspend(|| eprintln!("sealwatch: {message}"));
    }

    /// Writes to standard output without the bar in between.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    pub(super) fn is_hidden(&self) -> bool {
        self.bar.is_hidden()
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A source whose progress a bar shows.
pub(super) struct Watched<S> {
    source: S,
    bar: Bar,
}

impl<S> Watched<S> {
    pub(super) fn new(source: S, bar: Bar) -> Self {
        Self { source, bar }
    }
}

impl<S: PacketSource> PacketSource for Watched<S> {
    fn next(&mut self, take: &mut Take<'_>) -> Result<Next, CaptureError> {
        let next = self.source.next(take);
        self.bar.bar.set_position(self.bar.progress.read());
        next
    }
}
