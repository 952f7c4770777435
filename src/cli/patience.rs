//! Waiting at the end for others, and no longer than that is worth.

use std::thread;
use std::time::{Duration, Instant};

/// How often to look.
const STEP: Duration = Duration::from_millis(2);

/// Waits until something is done, or for so long. Whether it is.
pub(super) fn within(patience: Duration, is_done: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while !is_done() {
        if begun.elapsed() >= patience {
            return false;
        }
        thread::sleep(STEP);
    }
    true
}
