//! The words that every room shares: packet time, endpoints, flows, directions, sequence numbers.
//!
//! Plain values without behaviour of their own beyond arithmetic that would be wrong if each
//! room wrote it again (sequence wrap-around, above all).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;
use std::time::{SystemTime, UNIX_EPOCH};

/// A moment of packet time: nanoseconds since the Unix epoch, negative before it.
///
/// Every clock in sealwatch, time-outs included, is packet time, so that a replay is
/// deterministic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Before everything.
    pub const EARLIEST: Self = Self(i64::MIN);
    /// After everything.
    pub const LATEST: Self = Self(i64::MAX);

    /// What the clock on the wall shows.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
    }

    /// From nanoseconds since the Unix epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From seconds and nanoseconds as capture files hold them; saturates instead of wrapping.
    pub const fn from_parts(seconds: i64, nanos: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whether a clock that shows `self` after it showed `before` was set back. Packets that
    /// overtake each other do not make it seem so.
    pub fn is_set_back_from(self, before: Self) -> bool {
        const MORE_THAN_DISORDER: u64 = 10_000_000_000;
        before.nanos_since(self) > MORE_THAN_DISORDER && before > Self::EARLIEST
    }

    /// The later of two moments that one clock showed one after the other, or the second where the
    /// clock was set back.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        if next.is_set_back_from(self) { next } else { self.max(next) }
    }

    /// Nanoseconds from `earlier` to `self`; zero when `earlier` is the later one.
    pub const fn nanos_since(self, earlier: Self) -> u64 {
        if self.0 > earlier.0 { self.0.abs_diff(earlier.0) } else { 0 }
    }
}

/// One end of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// IPv4 or IPv6 address. An IPv4-mapped IPv6 address stays IPv6, as it was on the wire.
    pub addr: IpAddr,
    /// TCP port.
    pub port: u16,
}

impl Endpoint {
    /// An endpoint from its two parts.
    pub const fn new(addr: IpAddr, port: u16) -> Self {
        Self { addr, port }
    }
}

/// `192.0.2.1:80`, `[2001:db8::1]:80`.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.addr, self.port).fmt(f)
    }
}

/// Which way a segment travels on its flow. The names carry no meaning beyond "the one way" and
/// "the other way": which end is the client is for the HTTP room to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the flow key's lower endpoint to its higher one.
    Up,
    /// From the flow key's higher endpoint to its lower one.
    Down,
}

impl Direction {
    /// The other way.
    pub const fn reverse(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }

    /// 0 or 1, to index a pair.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What a packet was wrapped in; where it was several times, the innermost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tunnel {
    /// The encapsulation.
    pub kind: TunnelKind,
    /// What tells tunnels of the kind apart: the VXLAN or Geneve network, the NVGRE subnet, the
    /// GRE key, the ERSPAN session, the bottom MPLS label, the GTP-U endpoint, the PPPoE session.
    pub id: Option<u32>,
}

/// `vxlan:42`, `ipip`.
impl fmt::Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        self.id.map_or(Ok(()), |id| write!(f, ":{id}"))
    }
}

/// An encapsulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TunnelKind {
    /// RFC 7348.
    Vxlan,
    /// RFC 8926.
    Geneve,
    /// RFC 2784, RFC 2890, RFC 2637.
    Gre,
    /// RFC 7637.
    Nvgre,
    /// Types I, II and III (draft-foschiano-erspan).
    Erspan,
    /// RFC 3032.
    Mpls,
    /// IPv4 in IP (RFC 2003, RFC 2473).
    IpIp,
    /// IPv6 in IP (RFC 4213, RFC 2473).
    SixIn4,
    /// 3GPP TS 29.281.
    GtpU,
    /// RFC 2516.
    Pppoe,
}

impl TunnelKind {
    /// Every one, in order.
    pub const ALL: [Self; 10] = [
        Self::Vxlan,
        Self::Geneve,
        Self::Gre,
        Self::Nvgre,
        Self::Erspan,
        Self::Mpls,
        Self::IpIp,
        Self::SixIn4,
        Self::GtpU,
        Self::Pppoe,
    ];

    /// The word in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::Gre => "gre",
            Self::Nvgre => "nvgre",
            Self::Erspan => "erspan",
            Self::Mpls => "mpls",
            Self::IpIp => "ipip",
            Self::SixIn4 => "6in4",
            Self::GtpU => "gtp-u",
            Self::Pppoe => "pppoe",
        }
    }
}

/// A TCP connection's two endpoints, ordered, so that both directions have the same key; and the
/// tunnel, where equal endpoints in different tunnels are different ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowKey {
    ends: Ends,
    tunnel: Option<Tunnel>,
}

/// Two endpoints, the lower one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// Both of IPv4.
    Plain(PlainKey),
    Any(Endpoint, Endpoint),
}

/// Few words for most keys: every segment's is hashed.
impl Hash for FlowKey {
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [low, high] = match &self.ends {
            Ends::Plain(PlainKey { addresses: [low, high], ports }) => {
                state.write_u64(u64::from(*low) << 32 | u64::from(*high));
                *ports
            }
            Ends::Any(low, high) => {
                (low.addr, high.addr).hash(state);
                [low.port, high.port]
            }
        };
        state.write_u32(u32::from(low) << 16 | u32::from(high));
        if let Some(tunnel) = self.tunnel {
            tunnel.hash(state);
        }
    }
}

/// The key of a connection of IPv4 that is in no tunnel of its own, as nearly all are, in less than a
/// third of the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainKey {
    addresses: [u32; 2],
    ports: [u16; 2],
}

impl PlainKey {
    /// `None` where it is another.
    pub const fn of(key: &FlowKey) -> Option<Self> {
        match key {
            FlowKey { ends: Ends::Plain(plain), tunnel: None } => Some(*plain),
            _ => None,
        }
    }

    /// The key.
    pub const fn get(self) -> FlowKey {
        FlowKey { ends: Ends::Plain(self), tunnel: None }
    }

    const fn end(self, at: usize) -> Endpoint {
        Endpoint::new(IpAddr::V4(Ipv4Addr::from_bits(self.addresses[at])), self.ports[at])
    }
}

impl FlowKey {
    /// The key of a segment from `source` to `destination`, and the direction it travels.
    /// A segment from an endpoint to itself travels [`Direction::Up`].
    #[inline(always)]
    pub fn new(source: Endpoint, destination: Endpoint) -> (Self, Direction) {
        let (ends, direction) = match (source.addr, destination.addr) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let (from, to) = (from.to_bits(), to.to_bits());
                if (from, source.port) <= (to, destination.port) {
                    let ports = [source.port, destination.port];
                    (Ends::Plain(PlainKey { addresses: [from, to], ports }), Direction::Up)
                } else {
                    let ports = [destination.port, source.port];
                    (Ends::Plain(PlainKey { addresses: [to, from], ports }), Direction::Down)
                }
            }
            _ if source <= destination => (Ends::Any(source, destination), Direction::Up),
            _ => (Ends::Any(destination, source), Direction::Down),
        };
        (Self { ends, tunnel: None }, direction)
    }

    /// The same within a tunnel of its own.
    #[must_use]
    pub const fn within(self, tunnel: Option<Tunnel>) -> Self {
        Self { tunnel, ..self }
    }

    /// The tunnel, where that is a part of it.
    pub const fn tunnel(&self) -> Option<Tunnel> {
        self.tunnel
    }

    /// The endpoint that sends in `direction`.
    pub const fn source(&self, direction: Direction) -> Endpoint {
        match (self.ends, direction) {
            (Ends::Plain(plain), _) => plain.end(direction.index()),
            (Ends::Any(low, _), Direction::Up) => low,
            (Ends::Any(_, high), Direction::Down) => high,
        }
    }

    /// The endpoint that receives in `direction`.
    pub const fn destination(&self, direction: Direction) -> Endpoint {
        self.source(direction.reverse())
    }
}

/// A TCP sequence number (RFC 9293 §3.4): 32 bits that wrap around.
///
/// It has no order of its own: a sequence number means a place in a stream only beside a place
/// that is known ([`Seq::unwrap_near`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seq(pub u32);

impl Seq {
    /// The stream position closest to `near` that has this sequence number: within 2³¹ bytes of
    /// it, either side. Below position 1 there is nothing: such a result saturates.
    pub const fn unwrap_near(self, near: Position) -> Position {
        let distance = self.0.wrapping_sub(near.seq().0) as i32;
        match NonZeroU64::new(near.0.get().saturating_add_signed(distance as i64)) {
            Some(place) => Position(place),
            None => Position::LEAST,
        }
    }

    /// This sequence number, `n` bytes on.
    #[must_use]
    pub const fn plus(self, n: u32) -> Self {
        Self(self.0.wrapping_add(n))
    }

    /// The bytes from `earlier` to `self`, negative when `self` comes first, by RFC 9293 §3.4
    /// arithmetic: exact within 2³¹.
    pub const fn minus(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }
}

/// A place in one direction's byte stream: a sequence number without the wrap-around. Its low
/// 32 bits are the sequence number, so the first position of a stream is arbitrary; only
/// differences mean something. Never zero, so that one that may be missing takes no more room:
/// every connection has dozens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(NonZeroU64);

impl Default for Position {
    /// Before every place in a stream.
    fn default() -> Self {
        Self::LEAST
    }
}

impl Position {
    const LEAST: Self = Self(NonZeroU64::MIN);

    /// The position to call `seq` when nothing of the stream is known yet: one wrap in, so that
    /// what comes before it has a position, too.
    pub const fn origin(seq: Seq) -> Self {
        match NonZeroU64::new((1 << 32) | seq.0 as u64) {
            Some(place) => Self(place),
            None => Self::LEAST,
        }
    }

    /// The sequence number at this position.
    pub const fn seq(self) -> Seq {
        Seq(self.0.get() as u32)
    }

    /// This position, `n` bytes on.
    #[must_use]
    pub const fn plus(self, n: u64) -> Self {
        Self(self.0.saturating_add(n))
    }

    /// This position, `n` bytes back; the least there is where that is nearer.
    #[must_use]
    pub const fn minus(self, n: u64) -> Self {
        match NonZeroU64::new(self.0.get().saturating_sub(n)) {
            Some(place) => Self(place),
            None => Self::LEAST,
        }
    }

    /// The bytes from `earlier` to `self`; zero when `earlier` is the later one.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.get().saturating_sub(earlier.0.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_number_unwraps_to_the_nearest_position_across_the_wrap() {
        let near = Position::origin(Seq(u32::MAX - 9));
        assert_eq!(Seq(5).unwrap_near(near), near.plus(15));
        assert_eq!(near, Seq(u32::MAX - 9).unwrap_near(near.plus(15)));
        assert_eq!(Seq(5).minus(Seq(u32::MAX - 9)), 15);
        assert_eq!(Seq(u32::MAX - 9).minus(Seq(5)), -15);
        assert_eq!(Seq(u32::MAX).plus(2), Seq(1));
    }

    #[test]
    fn both_directions_of_a_connection_share_a_key() {
        let a = Endpoint::new(IpAddr::from([192, 0, 2, 1]), 4000);
        let b = Endpoint::new(IpAddr::from([192, 0, 2, 1]), 80);
        let (there, up) = FlowKey::new(a, b);
        let (back, down) = FlowKey::new(b, a);
        assert_eq!(there, back);
        assert_eq!(up.reverse(), down);
        assert_eq!(there.source(up), a);
        assert_eq!(there.destination(up), b);
    }

    #[test]
    fn a_clock_that_was_set_back_is_followed_and_disorder_is_not() {
        let seconds = |n| Timestamp::from_parts(n, 0);
        assert_eq!(seconds(100).then(seconds(101)), seconds(101));
        assert_eq!(seconds(100).then(seconds(95)), seconds(100));
        assert_eq!(seconds(4000).then(seconds(400)), seconds(400));
        assert_eq!(Timestamp::EARLIEST.then(seconds(1)), seconds(1));
    }

    #[test]
    fn time_before_the_epoch_and_beyond_range_stays_ordered() {
        let before = Timestamp::from_parts(-2, 500_000_000);
        assert_eq!(before.as_nanos(), -1_500_000_000);
        assert_eq!(Timestamp::from_parts(0, 0).nanos_since(before), 1_500_000_000);
        assert_eq!(before.nanos_since(Timestamp::default()), 0);
        assert_eq!(Timestamp::from_parts(i64::MAX, 0).as_nanos(), i64::MAX);
    }
}
