//! One network interface, as one thread reads it.

use super::activate::{Awaited, InterfaceConfig, Link, Retry, open, pass_nothing, pass_wanted};
use super::error::{CaptureError, ErrorKind};
use super::file::reason;
use super::received::Received;
use super::socket::{self, Presence};
use super::{Drops, LinkType, Next, Packet, PacketSource, Take};
use crate::net::Timestamp;
use crossbeam_channel::{Receiver, bounded};
use pcap::{Active, Capture};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a quiet interface is waited for before that is told.
const TICK: Duration = Duration::from_millis(10);
/// How long after it passed a packet can be read at the latest: the kernel's delay and its timer's
/// grain, and then some.
const SETTLE: Duration = Duration::from_millis(60);
/// How long to go on reading, once capturing is to end, what the kernel has.
const LAST_PATIENCE: Duration = Duration::from_millis(500);
/// How often to look whether an interface is up.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How many packets are read at once at most: a batch of them closes no later.
const AT_ONCE: usize = 64;

/// How an interface does, for whoever asks.
#[derive(Debug)]
pub struct InterfaceStatus {
    /// Its name.
    pub name: String,
    open: AtomicBool,
}

impl InterfaceStatus {
    /// Whether it is open, was asked for packets, and is up.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }
}

/// An interface that was opened, or is waited for.
pub struct Opened {
    /// Its packets, in as many parts as it has threads.
    pub parts: Vec<Interface>,
    /// How it does.
    pub status: Arc<InterfaceStatus>,
    /// What is to open it, where it is not there yet.
    pub awaited: Option<Awaited>,
}

/// Packets from an interface, which may go away and come back.
pub struct Interface {
    config: InterfaceConfig,
    stop: Arc<AtomicBool>,
    /// Only one part of an interface speaks for it.
    status: Option<Arc<InterfaceStatus>>,
    /// What to tell first.
    problem: Option<CaptureError>,
    state: State,
    looked: Instant,
    ledger: Received,
}

enum State {
    /// Somebody else opens it.
    Awaited(Receiver<Result<Link, CaptureError>>),
    Open(Link),
    /// It is open, and down.
    Down(Link),
    /// It is not there any more. What the kernel took in before can still be read.
    Gone(Link, Retry),
    /// The last is being read, since then.
    Ending(Link, Instant),
    Over,
}

impl Interface {
    /// Opens an interface, to be read until `stop` is set. One that is not there is waited for.
    ///
    /// # Errors
    ///
    /// Where waiting would not help: no permission, or a filter that does not apply.
    pub fn open(config: &InterfaceConfig, stop: &Arc<AtomicBool>) -> Result<Opened, CaptureError> {
        let name = config.name.clone();
        let status = Arc::new(InterfaceStatus { name, open: AtomicBool::new(false) });
        let (states, awaited, problem) = match open(config) {
            Ok(links) => {
                let unknown = links.first().and_then(|link| unknown_link(config, &link.capture));
                (links.into_iter().map(State::Open).collect(), None, unknown)
            }
            Err(error) if matches!(error.kind, ErrorKind::Unavailable(_)) => {
                let (readers, waiting): (_, Vec<_>) =
                    (0..config.threads.max(1)).map(|_| bounded(1)).unzip();
                let states: Vec<_> = waiting.into_iter().map(State::Awaited).collect();
                (states, Some(Awaited { config: config.clone(), readers }), Some(error))
            }
            Err(error) => return Err(error),
        };
        let mut speaker = (Some(status.clone()), problem);
        let part = |state| {
            let (status, problem) = std::mem::take(&mut speaker);
            let ledger = Received::new(status.is_some());
            let (config, stop) = (config.clone(), stop.clone());
            Self { config, stop, status, problem, state, looked: Instant::now(), ledger }
        };
        Ok(Opened { parts: states.into_iter().map(part).collect(), status, awaited })
    }

    fn set_open(&self, open: bool) {
        if let Some(status) = &self.status {
            status.open.store(open, Ordering::Relaxed);
        }
    }

    fn unavailable(&self, reason: &str) -> CaptureError {
        CaptureError::new(&self.config.name, ErrorKind::Unavailable(reason.to_owned()))
    }

    fn back(&self) -> CaptureError {
        CaptureError::new(&self.config.name, ErrorKind::Back)
    }

    /// Capturing is to end: reads what the kernel has.
    fn begin_to_end(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::Open(link) | State::Down(link) => State::Ending(link, Instant::now()),
            State::Gone(mut link, _) => {
                self.ledger.ask(&mut link.capture);
                self.ledger.give_up_rest();
                State::Over
            }
            State::Awaited(_) => State::Over,
            state @ (State::Ending(..) | State::Over) => state,
        };
        self.set_open(false);
    }

    /// There was nothing to read.
    fn idle(&mut self) -> Result<Next, CaptureError> {
        // Before anything is waited for, which may take longer than it should.
        let quiet = quiet();
        let problem = match std::mem::replace(&mut self.state, State::Over) {
            State::Awaited(links) => self.await_link(links),
            State::Open(link) => self.look_up(link, false),
            State::Down(link) => self.look_up(link, true),
            State::Gone(link, retry) => self.try_again(link, retry),
            State::Ending(mut link, since) => {
                if since.elapsed() > SETTLE {
                    self.ledger.ask(&mut link.capture);
                    return Ok(Next::End);
                }
                wait_for_packets(&link.capture);
                self.state = State::Ending(link, since);
                None
            }
            State::Over => return Ok(Next::End),
        };
        problem.map_or(Ok(quiet), Err)
    }

    /// Sees whether the interface was opened by now.
    fn await_link(&mut self, links: Receiver<Result<Link, CaptureError>>) -> Option<CaptureError> {
        match links.recv_timeout(TICK) {
            Ok(Ok(link)) => {
                let unknown = unknown_link(&self.config, &link.capture);
                self.state = State::Open(link);
                return self.told(|this| unknown.unwrap_or_else(|| this.back()));
            }
            Ok(Err(problem)) => {
                self.state = State::Awaited(links);
                return Some(problem);
            }
            // Nobody opens it any more only when all comes to its end.
            Err(error) if error.is_disconnected() => thread::sleep(TICK),
            Err(_) => {}
        }
        self.state = State::Awaited(links);
        None
    }

    /// What one part tells for all of an interface.
    fn told(&self, problem: impl FnOnce(&Self) -> CaptureError) -> Option<CaptureError> {
        self.status.as_ref().map(|_| problem(self))
    }

    /// Waits for packets; sees whether the interface went down, up or away.
    fn look_up(&mut self, mut link: Link, was_down: bool) -> Option<CaptureError> {
        let mut presence = if was_down { Presence::Down } else { Presence::Up };
        if link.kind.is_some() && (was_down || self.looked.elapsed() >= LOOK_EVERY) {
            self.looked = Instant::now();
            // What cannot be asked is as it was.
            presence = socket::presence(&link.capture, &self.config.name).unwrap_or(presence);
        }
        self.set_open(presence == Presence::Up);
        if presence == Presence::Elsewhere {
            // Under its new name, or where it is now, it is not to be captured on.
            let stopped = pass_nothing(&self.config, &mut link.capture).err();
            self.state = State::Gone(link, Retry::soon());
            return stopped
                .or_else(|| self.told(|this| this.unavailable("it is not there any more")));
        }
        wait_for_packets(&link.capture);
        if presence == Presence::Down {
            // It may be reported ready for reading without end.
            thread::sleep(TICK);
            self.state = State::Down(link);
            return if was_down { None } else { self.told(|this| this.unavailable("it is down")) };
        }
        self.state = State::Open(link);
        if was_down { self.told(Self::back) } else { None }
    }

    /// Takes up an interface that is not there any more, when it is time and it is there.
    fn try_again(&mut self, mut link: Link, mut retry: Retry) -> Option<CaptureError> {
        thread::sleep(TICK);
        let is_there = |link: &Link| socket::is_up(&link.capture, &self.config.name);
        if !retry.is_due() || !is_there(&link).unwrap_or(false) {
            self.state = State::Gone(link, retry);
            return None;
        }
        match self.take_up(&mut link) {
            Ok(how) => {
                self.state = State::Open(link);
                Some(CaptureError::new(&self.config.name, how))
            }
            Err(problem) => {
                self.state = State::Gone(link, retry);
                // One after the other would not say more than that it is gone.
                self.told(|_| problem)
            }
        }
    }

    /// Takes up an interface that is there again. A member of a fan-out group cannot: the reserve
    /// does.
    fn take_up(&mut self, link: &mut Link) -> Result<ErrorKind, CaptureError> {
        let InterfaceConfig { name, promiscuous, threads, .. } = &self.config;
        if *threads > 1 {
            // What was in the kernel's buffer was read, as far as it can be.
            self.ledger.ask(&mut link.capture);
            self.ledger.give_up_rest();
        }
        let capture = link.reserve.as_mut().unwrap_or(&mut link.capture);
        socket::rebind(capture, name, link.kind.unwrap_or_default(), *promiscuous)
            .map_err(|error| self.unavailable(&error.to_string()))?;
        pass_wanted(&self.config, capture)?;
        let Some(reserve) = link.reserve.take() else { return Ok(ErrorKind::Back) };
        link.capture = reserve;
        self.ledger.begin(&mut link.capture);
        Ok(ErrorKind::BackOnOneThread)
    }

    /// The interface is not there any more, under its name.
    fn leave(&mut self, mut link: Link) -> Result<(), CaptureError> {
        self.ledger.ask(&mut link.capture);
        // Under its new name it is not to be captured on.
        let stopped = if socket::is_bound(&link.capture) {
            pass_nothing(&self.config, &mut link.capture)
        } else {
            Ok(())
        };
        self.state = State::Gone(link, Retry::soon());
        stopped
    }

    fn lose(&mut self, error: pcap::Error) -> Result<Next, CaptureError> {
        self.set_open(false);
        let reason = reason(error);
        match std::mem::replace(&mut self.state, State::Over) {
            State::Open(link) | State::Down(link) => self.leave(link)?,
            State::Ending(mut link, _) => {
                self.ledger.ask(&mut link.capture);
                self.ledger.give_up_rest();
            }
            // That it is gone is known.
            state => {
                self.state = state;
                return self.idle();
            }
        }
        self.told(|this| this.unavailable(&reason)).map_or(Ok(quiet()), Err)
    }

    /// The end of reading the last has come, packets or not.
    fn is_late(&self) -> bool {
        matches!(&self.state, State::Ending(_, since) if since.elapsed() > LAST_PATIENCE)
    }
}

impl PacketSource for Interface {
    fn next(&mut self, take: &mut Take<'_>) -> Result<Next, CaptureError> {
        if let Some(problem) = self.problem.take() {
            return Err(problem);
        }
        if self.stop.load(Ordering::Relaxed) {
            self.begin_to_end();
        }
        if self.is_late()
            && let State::Ending(mut link, _) = std::mem::replace(&mut self.state, State::Over)
        {
            self.ledger.ask(&mut link.capture);
            self.ledger.give_up_rest();
        }
        let (State::Open(link) | State::Down(link) | State::Gone(link, _) | State::Ending(link, _)) =
            &mut self.state
        else {
            return self.idle();
        };
        let link_type = LinkType(link.capture.get_datalink().0);
        let mut given = 0;
        let read = link.capture.dispatch(Some(AT_ONCE), |packet| {
            given += 1;
            // What was read together comes together, whether it has enough or not.
            let _ = take(&live_packet(&packet, link_type));
        });
        if given > 0 && self.ledger.gave(given) == given {
            self.set_open(true);
        }
        match read {
            Err(error) => self.lose(error),
            Ok(_) if given == 0 => self.idle(),
            Ok(_) => Ok(Next::Packets),
        }
    }

    fn drops(&mut self) -> Drops {
        if self.ledger.is_due()
            && let State::Open(link) | State::Ending(link, _) = &mut self.state
        {
            self.ledger.ask(&mut link.capture);
        }
        self.ledger.drops
    }
}

fn unknown_link(config: &InterfaceConfig, capture: &Capture<Active>) -> Option<CaptureError> {
    CaptureError::unknown_link(&config.name, LinkType(capture.get_datalink().0))
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
        block: None,
    }
}

/// Waits until there may be packets, but not for long.
fn wait_for_packets(capture: &Capture<Active>) {
    let tick = Timespec { tv_sec: 0, tv_nsec: TICK.as_nanos() as i64 };
    let mut fds = [PollFd::new(capture, PollFlags::IN)];
    // An error of the interface shows when it is read; a signal is as good as a packet.
    let _ = poll(&mut fds, Some(&tick));
}

/// There is nothing, and what passed until a moment ago would have been read.
fn quiet() -> Next {
    let settled = Timestamp::now().as_nanos().saturating_sub(SETTLE.as_nanos() as i64);
    Next::Idle(Timestamp::from_nanos(settled))
}
