//! Packets as fast as they were captured, or a multiple of it.
//!
//! Takes a source. Gives the same packets with the same times, each when its turn has come.
//! Promises that lateness does not add up: every packet is due by its distance from the first; that
//! no packet is dropped; and that a wait ends soon after it is to stop. A long silence is kept as
//! it was. Of one packet whose time is wrong nothing waits: time has come as far as two packets
//! in a row say.

use super::held::Held;
use super::{CaptureError, Drops, Next, PacketSource, Take};
use crate::net::Timestamp;
use std::collections::VecDeque;
use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// How long it waits at most before it says that there is nothing now.
const STEP: Duration = Duration::from_millis(5);
/// Packets that are looked at to know when the first of them is due.
const AHEAD: usize = 2;

/// How fast packets are given.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Rate {
    /// As fast as they are taken.
    #[default]
    Max,
    /// So many times as fast as they were captured.
    Times(f64),
}

impl Rate {
    /// As fast as they were captured.
    pub const REALTIME: Self = Self::Times(1.0);
    const LEAST: f64 = 0.001;
    const MOST: f64 = 1_000_000.0;
}

/// What a text has to say to be a [`Rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARate;

impl fmt::Display for NotARate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (Rate::LEAST, Rate::MOST);
        write!(f, "neither max, realtime nor a factor between {least} and {most}")
    }
}

impl std::error::Error for NotARate {}

/// `max`, `realtime`, or a factor.
impl FromStr for Rate {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        match text {
            "max" => Ok(Self::Max),
            "realtime" => Ok(Self::REALTIME),
            factor => match factor.parse() {
                Ok(factor) if (Self::LEAST..=Self::MOST).contains(&factor) => {
                    Ok(Self::Times(factor))
                }
                _ => Err(NotARate),
            },
        }
    }
}

/// When packets are given, by the clock on the wall. A handle that others may ask, too.
#[derive(Clone, Debug)]
pub struct Schedule {
    rate: Rate,
    begun: Arc<OnceLock<Begun>>,
}

/// When a first packet was given.
#[derive(Clone, Copy, Debug)]
struct Begun {
    first: Timestamp,
    at: Instant,
    wall: Timestamp,
}

impl Schedule {
    fn new(rate: Rate) -> Self {
        Self { rate, begun: Arc::default() }
    }

    /// When a packet of that time is given, or was: exactly, where a [`Rate`] says so, and where
    /// packets are given as fast as they are taken, now.
    pub fn moment(&self, time: Timestamp) -> Timestamp {
        match (self.begun.get(), self.rate) {
            (Some(begun), Rate::Times(factor)) => {
                let after = begun.after(time, factor).as_nanos();
                let after = i64::try_from(after).unwrap_or(i64::MAX);
                Timestamp::from_nanos(begun.wall.as_nanos().saturating_add(after))
            }
            _ => Timestamp::now(),
        }
    }
}

impl Begun {
    /// How long after the first a packet is due. One with an earlier time is due at once.
    fn after(&self, time: Timestamp, factor: f64) -> Duration {
        let nanos = time.nanos_since(self.first) as f64 / factor;
        Duration::try_from_secs_f64(nanos / 1e9).unwrap_or(Duration::MAX)
    }

    /// How far packet time has come.
    fn now(&self, factor: f64) -> Timestamp {
        let nanos = (self.at.elapsed().as_secs_f64() * factor * 1e9) as i64;
        Timestamp::from_nanos(self.first.as_nanos().saturating_add(nanos))
    }
}

/// A source whose packets are given in their time, until it is stopped.
pub struct Paced<S> {
    source: S,
    schedule: Schedule,
    stop: Arc<AtomicBool>,
    held: VecDeque<Held>,
    ended: bool,
}

impl<S> Paced<S> {
    /// The packets of `source`, until `stop` is set.
    pub fn new(source: S, rate: Rate, stop: Arc<AtomicBool>) -> Self {
        let schedule = Schedule::new(rate);
        Self { source, schedule, stop, held: VecDeque::new(), ended: false }
    }

    /// When they are given.
    pub fn schedule(&self) -> Schedule {
        self.schedule.clone()
    }
}

impl<S: PacketSource> Paced<S> {
    /// Reads ahead, as far as there is something.
    fn hold(&mut self) -> Result<(), CaptureError> {
        while self.held.len() < AHEAD && !self.ended {
            let held = &mut self.held;
            let next = self.source.next(&mut |packet| {
                held.push_back(Held::of(packet));
                ControlFlow::Break(())
            });
            match next? {
                Next::Packets => {}
                Next::Idle(_) => return Ok(()),
                Next::End => self.ended = true,
            }
        }
        Ok(())
    }

    fn in_time(&mut self, factor: f64, take: &mut Take<'_>) -> Result<Next, CaptureError> {
        self.hold()?;
        let Some(due) = self.held.iter().map(|held| held.time).min() else {
            return Ok(if self.ended { Next::End } else { Next::Idle(Timestamp::EARLIEST) });
        };
        let begin = || Begun { first: due, at: Instant::now(), wall: Timestamp::now() };
        let begun = self.schedule.begun.get_or_init(begin);
        let wait = begun.after(due, factor).saturating_sub(begun.at.elapsed());
        thread::sleep(wait.min(STEP));
        if wait > STEP {
            return Ok(Next::Idle(begun.now(factor).min(due)));
        }
        if let Some(held) = self.held.pop_front() {
            // One at a time: whether it has enough does not matter.
            let _ = take(&held.packet());
        }
        Ok(Next::Packets)
    }
}

impl<S: PacketSource> PacketSource for Paced<S> {
    fn next(&mut self, take: &mut Take<'_>) -> Result<Next, CaptureError> {
        if self.stop.load(Ordering::Relaxed) {
            return Ok(Next::End);
        }
        match self.schedule.rate {
            Rate::Max => self.source.next(take),
            Rate::Times(factor) => self.in_time(factor, take),
        }
    }

    fn drops(&mut self) -> Drops {
        self.source.drops()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{LinkType, Packet};

    const CONTINUE: ControlFlow<()> = ControlFlow::Continue(());

    /// Packets at these milliseconds, each with its place as its only byte.
    struct At(Vec<i64>, usize);

    impl PacketSource for At {
        fn next(&mut self, take: &mut Take<'_>) -> Result<Next, CaptureError> {
            let Some(time) = self.0.get(self.1).map(|at| millis(*at)) else {
                return Ok(Next::End);
            };
            let data = &[self.1 as u8];
            self.1 += 1;
            let packet = Packet { time, link_type: LinkType::RAW, data, wire_len: 1, block: None };
            let _ = take(&packet);
            Ok(Next::Packets)
        }
    }

    fn millis(n: i64) -> Timestamp {
        Timestamp::from_nanos(n * 1_000_000)
    }

    fn paced(times: &[i64], rate: &str) -> Paced<At> {
        Paced::new(At(times.to_vec(), 0), rate.parse().unwrap(), Arc::default())
    }

    /// What came, in its order, and what was said in between of how far time has come.
    fn read(mut paced: Paced<At>) -> (Vec<u8>, Vec<Timestamp>) {
        let (mut places, mut idle) = (Vec::new(), Vec::new());
        loop {
            match paced
                .next(&mut |packet| {
                    places.extend(packet.data);
                    CONTINUE
                })
                .unwrap()
            {
                Next::Packets => {}
                Next::Idle(now) => idle.push(now),
                Next::End => return (places, idle),
            }
        }
    }

    #[test]
    fn packets_come_no_sooner_than_their_distance_from_the_first() {
        for (rate, least) in [("realtime", 120), ("2", 60), ("0.5", 240)] {
            let begun = Instant::now();
            let (places, idle) = read(paced(&[5_000, 5_040, 5_020, 5_120], rate));
            assert!(begun.elapsed() >= Duration::from_millis(least), "{rate}");
            assert_eq!(places, [0, 1, 2, 3]);
            // It is told that there is nothing, and never of a time that is yet to come.
            assert!(idle.len() > 1 && idle.is_sorted(), "{rate}: {idle:?}");
            assert!(idle.iter().all(|now| (millis(5_000)..=millis(5_120)).contains(now)));
        }
        let (places, idle) = read(paced(&[0, 3_600_000, 10], "max"));
        assert_eq!((places.as_slice(), idle.len()), (&[0, 1, 2][..], 0));
    }

    #[test]
    fn nobody_waits_for_one_packet_from_the_future() {
        let year = 366 * 86_400_000;
        let (places, idle) = read(paced(&[0, 10, year, 20, 30], "realtime"));
        assert_eq!(places, [0, 1, 2, 3, 4]);
        assert!(idle.iter().all(|now| *now <= millis(30)));
    }

    #[test]
    fn a_wait_ends_when_it_is_to_stop() {
        let mut paced = paced(&[0, 3_600_000], "realtime");
        assert_eq!(paced.next(&mut |_| CONTINUE).unwrap(), Next::Packets);
        assert!(matches!(paced.next(&mut |_| CONTINUE).unwrap(), Next::Idle(_)));
        paced.stop.store(true, Ordering::Relaxed);
        assert_eq!(paced.next(&mut |_| CONTINUE).unwrap(), Next::End);
    }

    #[test]
    fn a_packets_moment_is_the_firsts_and_their_distance_at_that_rate() {
        let before = Timestamp::now();
        let mut paced = paced(&[5_000, 5_001], "1000");
        let schedule = paced.schedule();
        while paced.next(&mut |_| CONTINUE).unwrap() != Next::End {}
        let moment = |at| schedule.moment(millis(at));
        assert!((before..=Timestamp::now()).contains(&moment(5_000)));
        assert_eq!(moment(65_000).nanos_since(moment(5_000)), 60_000_000);
        assert_eq!(moment(4_000), moment(5_000));
        assert!(Schedule::new(Rate::Max).moment(millis(0)) >= before);
    }

    #[test]
    fn a_rate_is_a_word_or_a_factor() {
        let rate = |text: &str| text.parse::<Rate>();
        assert_eq!(rate("max"), Ok(Rate::Max));
        assert_eq!((rate("realtime"), rate("1")), (Ok(Rate::REALTIME), Ok(Rate::REALTIME)));
        assert_eq!((rate("10"), rate("0.5")), (Ok(Rate::Times(10.0)), Ok(Rate::Times(0.5))));
        for wrong in ["", "fast", "0", "-1", "nan", "inf", "1e9", "1x"] {
            assert_eq!(rate(wrong), Err(NotARate), "{wrong}");
        }
    }
}
