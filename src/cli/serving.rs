//! What `live` and `replay --serve` have in common: what is served, and until when.
//!
//! Takes counts, and signals. Gives the counts as they are served ([`web`](super::web) says how),
//! and what SIGTERM and SIGINT set.

use super::Exit;
use crate::report::Summary;
use crate::tally;
use anyhow::{Context, Result};
use prometheus::Registry;
use prometheus::process_collector::ProcessCollector;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError};

/// What SIGTERM and SIGINT set.
pub(super) fn stop_on_signals() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        // The second one does not wait for anything.
        flag::register_conditional_shutdown(signal, Exit::Failed as i32, stop.clone())
            .and_then(|_| flag::register(signal, stop.clone()))
            .context("cannot listen to signals")?;
    }
    // To be told to read something again must not end what has nothing to read.
    flag::register(SIGHUP, Arc::default()).context("cannot listen to signals")?;
    Ok(stop)
}

/// The counts, and this process's own figures, as metrics.
pub(super) fn registry(tally: &tally::Shared) -> prometheus::Result<Registry> {
    let registry = tally::registry(tally.clone())?;
    registry.register(Box::new(ProcessCollector::for_self()))?;
    Ok(registry)
}

/// The counts as they stand, with the problems that `problems` knows of.
pub(super) fn summary(
    tally: &tally::Shared,
    problems: impl Fn() -> Vec<String> + Send + Sync + 'static,
) -> Box<dyn Fn() -> Summary + Send + Sync> {
    let tally = tally.clone();
    Box::new(move || {
        let problems = problems();
        Summary::new(&tally.lock().unwrap_or_else(PoisonError::into_inner), problems)
    })
}
