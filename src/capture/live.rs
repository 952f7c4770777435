//! One network interface.

use super::error::{CaptureError, ErrorKind};
use super::file::reason;
use super::{Drops, LinkType, Next, Packet, PacketSource};
use crate::net::Timestamp;
use pcap::{Active, Capture};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a quiet interface is waited for before that is told.
const TICK: Duration = Duration::from_millis(10);
/// How long the kernel may keep packets before it hands them over, in milliseconds.
const KERNEL_DELAY: i32 = 5;
/// How long to wait before an interface is tried again: at first, and at most.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LAST_WAIT: Duration = Duration::from_secs(5);
/// How often the kernel is asked for what it dropped: that is slower than to read packets.
const STATISTICS_EVERY: Duration = Duration::from_millis(500);

/// How an interface is captured on.
#[derive(Clone, Debug)]
pub struct InterfaceConfig {
    /// Its name; `any` is all of them (Linux).
    pub name: String,
    /// Only packets that pass (`pcap-filter`(7)).
    pub filter: Option<String>,
    /// So many bytes of each packet, 1 to 262,144.
    pub snaplen: u32,
    /// The kernel's buffer, in bytes.
    pub buffer_bytes: u32,
    /// Also what is not addressed to this machine.
    pub promiscuous: bool,
}

/// How an interface does, for whoever asks.
#[derive(Debug)]
pub struct InterfaceStatus {
    /// Its name.
    pub name: String,
    open: AtomicBool,
}

impl InterfaceStatus {
    /// Whether it is open, and was asked for packets.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }
}

/// Packets from an interface, which may go away and come back.
pub struct Interface {
    config: InterfaceConfig,
    status: Arc<InterfaceStatus>,
    stop: Arc<AtomicBool>,
    state: State,
    /// Whether it is known to whoever reads problems that it is not there.
    missed: bool,
    drops: Drops,
    /// What libpcap said last: it counts in 32 bits, and from 0 at each opening.
    said: (u32, u32),
    asked: Instant,
}

enum State {
    Open(Capture<Active>),
    Closed { again: Instant, wait: Duration },
}

impl Interface {
    /// Opens an interface, to be read until `stop` is set. One that is not there is waited for.
    ///
    /// # Errors
    ///
    /// Where waiting would not help: no permission, or a filter that does not apply.
    pub fn open(config: InterfaceConfig, stop: Arc<AtomicBool>) -> Result<Self, CaptureError> {
        let status = InterfaceStatus { name: config.name.clone(), open: AtomicBool::new(false) };
        let mut interface = Self {
            config,
            status: Arc::new(status),
            stop,
            state: State::Closed { again: Instant::now(), wait: FIRST_WAIT },
            missed: false,
            drops: Drops::default(),
            said: (0, 0),
            asked: Instant::now(),
        };
        match activate(&interface.config) {
            // Told when it is read.
            Err(error) if matches!(error.kind, ErrorKind::Unavailable(_)) => Ok(interface),
            Err(error) => Err(error),
            Ok(capture) => {
                interface.state = State::Open(capture);
                Ok(interface)
            }
        }
    }

    /// How it does, from now on.
    pub fn status(&self) -> Arc<InterfaceStatus> {
        self.status.clone()
    }

    /// Tries again, when it is time. Tells once that it is not there, and once that it is again.
    fn reopen(&mut self, again: Instant, wait: Duration) -> Result<Next, CaptureError> {
        let now = Instant::now();
        if now < again {
            thread::sleep(TICK.min(again - now));
            return Ok(Next::Idle(clock()));
        }
        match activate(&self.config) {
            Ok(capture) => {
                self.state = State::Open(capture);
                self.said = (0, 0);
                if std::mem::take(&mut self.missed) {
                    return Err(CaptureError::new(&self.config.name, ErrorKind::Back));
                }
            }
            Err(error) => {
                let wait = (wait * 2).min(LAST_WAIT);
                self.state = State::Closed { again: now + wait, wait };
                if !std::mem::replace(&mut self.missed, true) {
                    return Err(error);
                }
            }
        }
        Ok(Next::Idle(clock()))
    }

    /// Brings the count of drops up to date.
    fn ask(&mut self) {
        self.asked = Instant::now();
        if let State::Open(capture) = &mut self.state
            && let Ok(said) = capture.stats()
        {
            self.drops.kernel += u64::from(said.dropped.wrapping_sub(self.said.0));
            self.drops.interface += u64::from(said.if_dropped.wrapping_sub(self.said.1));
            self.said = (said.dropped, said.if_dropped);
        }
    }

    fn lose(&mut self, error: pcap::Error) -> CaptureError {
        self.ask();
        self.status.open.store(false, Ordering::Relaxed);
        self.state = State::Closed { again: Instant::now() + FIRST_WAIT, wait: FIRST_WAIT };
        self.missed = true;
        CaptureError::new(&self.config.name, ErrorKind::Unavailable(reason(error)))
    }
}

/// Opens an interface as it is configured.
pub(super) fn activate(config: &InterfaceConfig) -> Result<Capture<Active>, CaptureError> {
    let InterfaceConfig { name, filter, snaplen, buffer_bytes, promiscuous } = config;
    let fail = |kind| CaptureError::new(name, kind);
    let unavailable = |error: pcap::Error| {
        let reason = reason(error);
        // libpcap has no other way to tell: "You don't have permission", "Operation not
        // permitted".
        let refused = reason.contains("permission") || reason.contains("permitted");
        fail(if refused { ErrorKind::Refused(reason) } else { ErrorKind::Unavailable(reason) })
    };
    let capture = Capture::from_device(name.as_str()).map_err(unavailable)?;
    let capture = capture
        .snaplen(i32::try_from(*snaplen).unwrap_or(i32::MAX))
        .buffer_size(i32::try_from(*buffer_bytes).unwrap_or(i32::MAX))
        .promisc(*promiscuous)
        .timeout(KERNEL_DELAY);
    let capture = capture.open().map_err(unavailable)?;
    let mut capture = capture.setnonblock().map_err(unavailable)?;
    if let Some(filter) = filter {
        let applied = capture.filter(filter, true);
        applied.map_err(|error| fail(ErrorKind::Filter(reason(error))))?;
    }
    Ok(capture)
}

impl PacketSource for Interface {
    fn next(&mut self, take: &mut dyn FnMut(&Packet<'_>)) -> Result<Next, CaptureError> {
        if self.stop.load(Ordering::Relaxed) {
            self.ask();
            self.status.open.store(false, Ordering::Relaxed);
            return Ok(Next::End);
        }
        let capture = match &mut self.state {
            State::Closed { again, wait } => {
                let (again, wait) = (*again, *wait);
                return self.reopen(again, wait);
            }
            State::Open(capture) => capture,
        };
        let link_type = LinkType(capture.get_datalink().0);
        let read = capture.next_packet().map(|packet| take(&live_packet(&packet, link_type)));
        match read {
            Ok(()) => Ok(Next::Packet),
            Err(pcap::Error::TimeoutExpired) => {
                self.status.open.store(true, Ordering::Relaxed);
                wait_for_packets(capture);
                Ok(Next::Idle(clock()))
            }
            Err(error) => Err(self.lose(error)),
        }
    }

    fn drops(&mut self) -> Drops {
        if self.asked.elapsed() >= STATISTICS_EVERY {
            self.ask();
        }
        self.drops
    }
}

fn live_packet<'p>(packet: &pcap::Packet<'p>, link_type: LinkType) -> Packet<'p> {
    let ts = packet.header.ts;
    #[allow(clippy::useless_conversion, reason = "they have 32 bits on some systems")]
    let nanos = i64::from(ts.tv_sec) * 1_000_000_000 + i64::from(ts.tv_usec) * 1_000;
    Packet {
        time: Timestamp::from_nanos(nanos),
        link_type,
        data: packet.data,
        wire_len: packet.header.len.max(packet.header.caplen),
    }
}

/// Waits until there may be packets, but not for long.
fn wait_for_packets(capture: &Capture<Active>) {
    let tick = Timespec { tv_sec: 0, tv_nsec: TICK.as_nanos() as i64 };
    let mut fds = [PollFd::new(capture, PollFlags::IN)];
    // An error of the interface shows when it is read; a signal is as good as a packet.
    let _ = poll(&mut fds, Some(&tick));
}

fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
