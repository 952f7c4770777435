//! Policies: `--policy FILE`, and `sealwatch policy check`.
//!
//! Takes a file of rules. Gives what exchanges are judged by, and the file in words. Promises that
//! what is wrong with the file is said before anything is read or captured, and that on SIGHUP a
//! file that is wrong changes nothing but the log and a metric.

use super::Exit;
use super::log::Limiter;
use super::output::print;
use super::problems::refused;
use crate::confine;
use crate::policy::{Current, Policy, PolicyError};
use anyhow::{Context, Result};
use clap::Subcommand;
use prometheus::{IntGauge, Registry};
use signal_hook::consts::SIGHUP;
use signal_hook::flag;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tracing::{info, warn};

/// How often to look whether the file is to be read again.
const TICK: Duration = Duration::from_millis(100);

/// What `replay` and `live` are told of it.
#[derive(clap::Args)]
pub(super) struct Judging {
    /// Judge exchanges with object stores by the rules in FILE (see `sealwatch policy check`)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

impl Judging {
    /// The file.
    pub(super) fn path(&self) -> Option<&Path> {
        self.policy.as_deref()
    }

    /// The policy. What is wrong with it has been said where there is nothing.
    pub(super) fn load(&self) -> Result<Option<Current>, Exit> {
        self.policy.as_deref().map(Current::load).transpose().map_err(|error| refuse(&error))
    }
}

fn refuse(error: &PolicyError) -> Exit {
    refused(&error.to_string(), error.is_unreadable)
}

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say what a policy asks for, and try it on its own examples; or say all that is wrong with it
    Check {
        /// The file
        file: PathBuf,
    },
}

/// `sealwatch policy`.
pub(super) fn policy(arguments: &Arguments) -> Exit {
    let Command::Check { file } = &arguments.command;
    match Policy::load(file) {
        Ok(policy) => print(&policy.explain()),
        Err(error) => refuse(&error),
    }
}

/// The folders that a policy is read from again.
pub(super) fn folders(policy: &Current) -> Result<Vec<PathBuf>> {
    let path = policy.path();
    confine::folders_of([path])
        .with_context(|| format!("cannot find the folder of {}", path.display()))
}

/// The thread that reads a policy again on SIGHUP.
pub(super) struct Reloading {
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Reloading {
    /// From now on. `registry` gets the metric that says how it went.
    pub(super) fn start(policy: Current, registry: &Registry) -> Result<Self> {
        let help = "Whether the policy's file could be used when it was read last.";
        let succeeded = IntGauge::new("sealwatch_policy_last_reload_successful", help)?;
        succeeded.set(1);
        registry.register(Box::new(succeeded.clone()))?;
        let reload = Arc::new(AtomicBool::new(false));
        flag::register(SIGHUP, reload.clone()).context("cannot listen to SIGHUP")?;
        let over = Arc::new(AtomicBool::new(false));
        let is_over = over.clone();
        // Who this process has become may read less than who started it.
        if let Err(error) = policy.reload() {
            warn!("SIGHUP will not read {} again: {error}", policy.path().display());
        }
        let thread = thread::Builder::new()
            .name("policy".to_owned())
            .spawn(move || {
                let mut limiter = Limiter::default();
                while !is_over.load(Ordering::Relaxed) {
                    if reload.swap(false, Ordering::Relaxed) {
                        succeeded.set(i64::from(read_again(&policy, &mut limiter)));
                    }
                    thread::sleep(TICK);
                }
            })
            .context("cannot start a thread")?;
        Ok(Self { over, thread })
    }

    /// Ends it.
    pub(super) fn end(self) -> Result<()> {
        self.over.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        ended.map_err(|_| anyhow::anyhow!("the thread that reads policies ended in a panic"))
    }
}

/// Reads it, says how that went, and tells whether it went well.
fn read_again(policy: &Current, limiter: &mut Limiter) -> bool {
    let path = policy.path().display().to_string();
    match policy.reload() {
        Ok(()) => {
            if let Some(more) = limiter.admit("read") {
                info!(file = path, "judging by what {path} says now{more}");
            }
            true
        }
        Err(error) => {
            if let Some(more) = limiter.admit("failing") {
                let error = error.to_string().replace('\n', "; ");
                warn!(file = path, "the policy stays as it was: {error}{more}");
            }
            false
        }
    }
}
