//! What the kernel and an interface say of packets that were not read.

use super::Drops;
use pcap::{Active, Capture};
use std::time::{Duration, Instant};

/// How often the kernel is asked for what it dropped: that is slower than to read packets.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// What libpcap counts, since the beginning.
pub(super) struct Received {
    pub(super) drops: Drops,
    /// Packets that were read.
    given: u64,
    /// Packets that the kernel took in, read or not.
    taken: u64,
    /// What libpcap said last. It counts in 32 bits.
    said: (u32, u32, u32),
    asked: Instant,
    /// Whether what the interface dropped is counted here; every capture on it is told the same.
    of_interface: bool,
}

impl Received {
    pub(super) fn new(of_interface: bool) -> Self {
        Self {
            drops: Drops::default(),
            given: 0,
            taken: 0,
            said: (0, 0, 0),
            asked: Instant::now(),
            of_interface,
        }
    }

    /// So many more packets were read. Gives how many that makes.
    pub(super) fn gave(&mut self, packets: u64) -> u64 {
        self.given += packets;
        self.given
    }

    /// Whether it is time to ask again.
    pub(super) fn is_due(&self) -> bool {
        self.asked.elapsed() >= ASK_EVERY
    }

    /// Brings the counts up to date.
    pub(super) fn ask(&mut self, capture: &mut Capture<Active>) {
        self.asked = Instant::now();
        let Ok(said) = capture.stats() else { return };
        let (received, kernel, interface) = self.said;
        // The kernel counts what it dropped as received, too.
        let dropped = u64::from(said.dropped.wrapping_sub(kernel));
        self.taken += u64::from(said.received.wrapping_sub(received)).saturating_sub(dropped);
        self.drops.kernel += dropped;
        // An interface that was made anew counts from zero: no huge number, but none.
        let by_interface = said.if_dropped.wrapping_sub(interface);
        if self.of_interface && by_interface <= u32::MAX / 2 {
            self.drops.interface += u64::from(by_interface);
        }
        self.said = (said.received, said.dropped, said.if_dropped);
    }

    /// From now on another capture is asked.
    pub(super) fn begin(&mut self, capture: &mut Capture<Active>) {
        if let Ok(said) = capture.stats() {
            self.said = (said.received, said.dropped, said.if_dropped);
        }
    }

    /// What the kernel took in will not be read any more.
    pub(super) fn give_up_rest(&mut self) {
        self.drops.kernel += self.taken.saturating_sub(self.given);
        self.given = self.given.max(self.taken);
    }
}
