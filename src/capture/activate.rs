//! Opening an interface, for one thread or for several.

use super::error::{CaptureError, ErrorKind};
use super::file::reason;
use super::socket::{self, Presence};
use crossbeam_channel::Sender;
use pcap::{Active, Capture};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long the kernel may keep packets before it hands them over, in milliseconds. It hands over
/// blocks of its buffer, full or not: the longer it may wait, the fuller they are, and the longer a
/// process that is held up finds all that came meanwhile. (128 blocks make 32 MiB, and at least 2.5 s.)
const KERNEL_DELAY: i32 = 20;
/// How long to wait before an interface is tried again: at first, and at most.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LAST_WAIT: Duration = Duration::from_secs(5);
/// How often whoever waits looks whether it is to stop.
const TICK: Duration = Duration::from_millis(10);
/// A filter that passes nothing.
const NOTHING: &str = "less 0";

/// How an interface is captured on.
#[derive(Clone, Debug)]
pub struct InterfaceConfig {
    /// Its name; `any` is all of them.
    pub name: String,
    /// Only packets that pass (`pcap-filter`(7)).
    pub filter: Option<String>,
    /// So many bytes of each packet, 1 to 262,144.
    pub snaplen: u32,
    /// The kernel's buffer for each thread, in bytes.
    pub buffer_bytes: u32,
    /// Also what is not addressed to this machine.
    pub promiscuous: bool,
    /// How many threads share its packets; at least one.
    pub threads: usize,
}

/// When to try again, ever more rarely.
#[derive(Debug)]
pub(super) struct Retry {
    at: Instant,
    wait: Duration,
}

impl Retry {
    /// For the first time, in a moment.
    pub(super) fn soon() -> Self {
        Self { at: Instant::now() + FIRST_WAIT, wait: FIRST_WAIT }
    }

    /// Whether it is time; if so, the next time is later.
    pub(super) fn is_due(&mut self) -> bool {
        let now = Instant::now();
        if now < self.at {
            return false;
        }
        self.wait = (self.wait * 2).min(LAST_WAIT);
        self.at = now + self.wait;
        true
    }
}

/// An open interface, or one thread's part of it.
pub(super) struct Link {
    pub(super) capture: Capture<Active>,
    /// What takes the interface up again when it was removed, where `capture` is in a fan-out
    /// group, which cannot be moved. Until then nothing passes its filter.
    pub(super) reserve: Option<Capture<Active>>,
    /// What kind of network interface it is; `any`, for one, is none, and cannot go down.
    pub(super) kind: Option<u16>,
}

/// Opens an interface for all its threads. The first one also gets the reserve, where there is
/// one.
///
/// From the moment in which a member is opened to that in which it joins the group it sees all
/// packets, as those before it do: at the very beginning a few can come twice, and none is missed.
pub(super) fn open(config: &InterfaceConfig) -> Result<Vec<Link>, CaptureError> {
    let first = activate(config)?;
    // libpcap opens those only that are up.
    let kind = match socket::presence(&first, &config.name) {
        Ok(Presence::Up) => socket::kind(&first).ok(),
        _ => None,
    };
    let link = |capture, reserve| Link { capture, reserve, kind };
    if config.threads <= 1 {
        return Ok(vec![link(first, None)]);
    }
    let refused = |error: io::Error| {
        let reason = format!("its packets cannot be dealt out among threads: {error}");
        CaptureError::new(&config.name, ErrorKind::Unavailable(reason))
    };
    let mut reserve = activate(&InterfaceConfig { filter: None, ..config.clone() })?;
    pass_nothing(config, &mut reserve)?;
    let group = socket::form_group(&first).map_err(refused)?;
    let mut links = vec![link(first, Some(reserve))];
    for _ in 1..config.threads {
        let capture = activate(config)?;
        socket::join_group(&capture, group).map_err(refused)?;
        links.push(link(capture, None));
    }
    Ok(links)
}

/// Opens an interface as it is configured.
pub(super) fn activate(config: &InterfaceConfig) -> Result<Capture<Active>, CaptureError> {
    let InterfaceConfig { name, filter, snaplen, buffer_bytes, promiscuous, .. } = config;
    let unavailable = |error: pcap::Error| {
        let reason = reason(error);
        // libpcap has no other way to tell: "You don't have permission", "Operation not
        // permitted".
        let refused = reason.contains("permission") || reason.contains("permitted");
        let kind =
            if refused { ErrorKind::Refused(reason) } else { ErrorKind::Unavailable(reason) };
        CaptureError::new(name, kind)
    };
    let capture = Capture::from_device(name.as_str()).map_err(unavailable)?;
    let capture = capture
        .snaplen(i32::try_from(*snaplen).unwrap_or(i32::MAX))
        .buffer_size(i32::try_from(*buffer_bytes).unwrap_or(i32::MAX))
        .promisc(*promiscuous)
        .timeout(KERNEL_DELAY);
    let capture = capture.open().map_err(unavailable)?;
    let mut capture = capture.setnonblock().map_err(unavailable)?;
    if filter.is_some() {
        pass_wanted(config, &mut capture)?;
    }
    Ok(capture)
}

/// From now on only what passes the filter.
pub(super) fn pass_wanted(
    config: &InterfaceConfig,
    capture: &mut Capture<Active>,
) -> Result<(), CaptureError> {
    let filter = config.filter.as_deref().unwrap_or_default();
    capture.filter(filter, true).map_err(|error| not_applied(config, error))
}

/// From now on nothing.
pub(super) fn pass_nothing(
    config: &InterfaceConfig,
    capture: &mut Capture<Active>,
) -> Result<(), CaptureError> {
    // Not optimised, as libpcap refuses a filter that it sees to be such.
    capture.filter(NOTHING, false).map_err(|error| not_applied(config, error))
}

fn not_applied(config: &InterfaceConfig, error: pcap::Error) -> CaptureError {
    CaptureError::new(&config.name, ErrorKind::Filter(reason(error)))
}

/// An interface that is not there yet. Who opens it, when it is, needs the permission to capture
/// until then; who reads it does not.
pub struct Awaited {
    pub(super) config: InterfaceConfig,
    /// The threads that wait for their parts of it.
    pub(super) readers: Vec<Sender<Result<Link, CaptureError>>>,
}

impl Awaited {
    /// Tries to open it. Whether there is nothing left to wait for.
    fn try_open(&self) -> bool {
        match open(&self.config) {
            Ok(links) => {
                for (reader, link) in self.readers.iter().zip(links) {
                    // A reader that has ended needs nothing.
                    let _ = reader.send(Ok(link));
                }
                true
            }
            // That it is not there was told when it was first tried.
            Err(error) if matches!(error.kind, ErrorKind::Unavailable(_)) => false,
            Err(error) => {
                // The first speaks for all; it may not have read yet what was told last.
                let _ = self.readers.first().map(|reader| reader.try_send(Err(error)));
                false
            }
        }
    }
}

/// Opens interfaces as they appear, until all have or `stop` is set.
pub fn open_when_there(interfaces: Vec<Awaited>, stop: &AtomicBool) {
    let mut waiting: Vec<_> = interfaces.into_iter().map(|one| (one, Retry::soon())).collect();
    while !waiting.is_empty() && !stop.load(Ordering::Relaxed) {
        thread::sleep(TICK);
        waiting.retain_mut(|(interface, retry)| !(retry.is_due() && interface.try_open()));
    }
}
