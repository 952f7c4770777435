//! What a process takes: time, and memory.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::fs;
use std::io::{self, Read, Seek};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often memory is looked at.
const OFTEN: Duration = Duration::from_millis(2);

/// What one run took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    /// Seconds of user and system time.
    pub(crate) cpu: f64,
    /// Seconds.
    pub(crate) wall: f64,
    /// The most anonymous memory that was resident whenever it was looked at, in bytes; 0 where it
    /// was not.
    pub(crate) anonymous: u64,
}

/// Seconds of CPU of this process (`RUSAGE_SELF`), or of those that it started and that ended.
pub(crate) fn cpu(who: UsageWho) -> io::Result<f64> {
    let usage = getrusage(who)?;
    Ok((usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6)
}

/// Runs a command to its end: what it took and what it wrote to standard output. Its memory is
/// looked at only where `watches` says so, which takes a little time from it.
///
/// # Errors
///
/// Where it cannot be started, or fails; what it complained of is in the message.
pub(crate) fn run(command: &mut Command, watches: bool) -> io::Result<(Taken, String)> {
    let mut said = tempfile::tempfile()?;
    let mut complained = tempfile::tempfile()?;
    command.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(complained.try_clone()?);
    let before = cpu(UsageWho::RUSAGE_CHILDREN)?;
    let begun = Instant::now();
    let mut child = command.spawn()?;
    let (status, anonymous) =
        if watches { wait_and_watch(&mut child)? } else { (child.wait()?, 0) };
    let wall = begun.elapsed().as_secs_f64();
    let cpu = cpu(UsageWho::RUSAGE_CHILDREN)? - before;
    if !status.success() {
        return Err(io::Error::other(format!("{status}: {}", text(&mut complained)?)));
    }
    Ok((Taken { cpu, wall, anonymous }, text(&mut said)?))
}

fn text(file: &mut fs::File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn wait_and_watch(child: &mut Child) -> io::Result<(std::process::ExitStatus, u64)> {
    let status = format!("/proc/{}/status", child.id());
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut most = 0;
            while !ended.load(Ordering::Relaxed) {
                most = most.max(anonymous(&status).unwrap_or(0));
                thread::sleep(OFTEN);
            }
            most
        });
        let status = child.wait();
        ended.store(true, Ordering::Relaxed);
        let most = watcher.join().map_err(|_| io::Error::other("the watcher panicked"))?;
        Ok((status?, most))
    })
}

/// `RssAnon` (proc_pid_status(5)), in bytes.
fn anonymous(status: &str) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib << 10)
}

/// The middle one; of an even number, the lower. 0 of none.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}
