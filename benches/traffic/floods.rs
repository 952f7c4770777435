//! Traffic that tries to take all memory, beside honest traffic that must count all the same.
//!
//! Each [`Flood`] is so many frames, at an even pace; each comes from addresses of its own.

use super::Source;
use super::frame::{self, ACK, End, Header, SYN};
use super::random::Random;

const SERVER: End = ([192, 0, 2, 250], 9000);
const SEGMENT: usize = 1400;

/// Writes the frame of that number.
type Make = Box<dyn FnMut(u64, &mut Random, &mut Vec<u8>)>;

/// Frames that are made one by one.
pub struct Flood {
    next: u64,
    frames: u64,
    from: i64,
    /// Nanoseconds between two.
    step: i64,
    random: Random,
    make: Make,
}

impl Source for Flood {
    fn next(&mut self, frame: &mut Vec<u8>) -> Option<i64> {
        if self.next == self.frames {
            return None;
        }
        let time = self.from + self.step * self.next as i64;
        (self.make)(self.next, &mut self.random, frame);
        self.next += 1;
        Some(time)
    }
}

/// A kind of flood.
#[derive(Clone, Copy)]
pub struct Kind {
    pub name: &'static str,
    /// The bound that it runs into, as the summary calls it.
    pub bound: &'static str,
    /// How many frames are the whole flood, and how many of it are a small one.
    pub frames: u64,
    pub small: u64,
    /// Options under which the small one is too much.
    pub tight: &'static [&'static str],
    make: fn(u64) -> Make,
}

impl Kind {
    /// So many frames of it, that begin at `from` and take `seconds`.
    pub fn flood(&self, frames: u64, from: i64, seconds: u64) -> Flood {
        let step = (seconds * 1_000_000_000 / frames.max(1)) as i64;
        Flood { next: 0, frames, from, step, random: Random(99), make: (self.make)(frames) }
    }
}

pub const KINDS: [Kind; 6] = [
    Kind {
        name: "half-open connections",
        bound: "connections",
        frames: 10_000_000,
        small: 60_000,
        tight: &["--max-connections", "20000"],
        make: half_open,
    },
    Kind {
        name: "host names",
        bound: "hosts",
        frames: 3_000_000,
        small: 30_000,
        tight: &["--max-hosts", "1000"],
        make: host_names,
    },
    Kind {
        name: "bytes out of order",
        bound: "buffered_bytes",
        frames: 1_000_000,
        small: 20_000,
        tight: &["--max-buffer", "4"],
        make: out_of_order,
    },
    Kind {
        name: "heads that drip",
        bound: "buffered_bytes",
        frames: 2_000_000,
        small: 40_000,
        tight: &["--max-buffer", "4"],
        make: dripping_heads,
    },
    Kind {
        name: "IP fragments",
        bound: "fragment_bytes",
        frames: 1_000_000,
        small: 20_000,
        tight: &["--max-fragment-buffer", "128"],
        make: fragments,
    },
    Kind {
        name: "pipelined requests",
        bound: "buffered_bytes",
        frames: 500_000,
        small: 4_000,
        tight: &["--max-buffer", "4"],
        make: pipelined,
    },
];

/// A million connections, each idle after one exchange: no flood, but what one takes.
pub const IDLE: Kind = Kind {
    name: "idle connections",
    bound: "connections",
    frames: 3_000_000,
    small: 0,
    tight: &["--max-connections", "2000000", "--max-half-open", "2000000"],
    make: idle,
};

/// A million that never carried data.
pub const EMPTY: Kind =
    Kind { name: "empty connections", frames: 1_000_000, make: half_open, ..IDLE };

/// The client of a flood's connection of that number.
fn client(number: u64) -> End {
    let [.., a, b, c] = (number / 50_000).to_be_bytes();
    ([11, a, b, c], 10_000 + (number % 50_000) as u16)
}

/// Packets of a client that was never answered: `sent` bytes came before.
fn from_client(frame: &mut Vec<u8>, number: u64, sent: u32, flags: u8, payload: &[u8]) {
    let isn = (number as u32).wrapping_mul(0x9E37_79B1);
    let seq = isn.wrapping_add(sent);
    let ack = (flags & SYN == 0).then_some(1);
    frame::tcp(frame, Header { from: client(number), to: SERVER, seq, ack, flags }, payload);
}

/// SYNs from anywhere.
fn half_open(_: u64) -> Make {
    Box::new(|_, random, frame| {
        let [a, b, c, d, e, f, ..] = random.next().to_be_bytes();
        // Not where honest clients are.
        let from = ([a | 128, b, c, d], u16::from_be_bytes([e, f]));
        let seq = random.next() as u32;
        frame::tcp(frame, Header { from, to: SERVER, seq, ack: None, flags: SYN }, b"");
    })
}

/// Connections with one exchange each, each with another host.
fn host_names(_: u64) -> Make {
    one_exchange_each(|number| number)
}

/// The same, all with one host.
fn idle(_: u64) -> Make {
    one_exchange_each(|_| 0)
}

fn one_exchange_each(host: fn(u64) -> u64) -> Make {
    Box::new(move |index, _, frame| {
        let number = index / 3;
        let request = format!(
            "GET /b/k HTTP/1.1\r\nHost: host-{}.flood.example\r\nX-Amz-Date: d\r\n\r\n",
            host(number)
        );
        match index % 3 {
            0 => from_client(frame, number, 0, SYN, b""),
            1 => from_client(frame, number, 1, 0, request.as_bytes()),
            _ => {
                let isn = (number as u32).wrapping_mul(0x9E37_79B1);
                let ack = Some(isn.wrapping_add(1 + request.len() as u32));
                let header = Header { from: SERVER, to: client(number), seq: 1, ack, flags: ACK };
                let answer = b"HTTP/1.1 200 OK\r\nX-Amz-Server-Side-Encryption: AES256\r\n\
                               Content-Length: 0\r\n\r\n";
                frame::tcp(frame, header, answer);
            }
        }
    })
}

/// Connections whose first byte never comes, and many others do.
fn out_of_order(frames: u64) -> Make {
    let connections = (frames / 250).max(1);
    let payload = [b'x'; SEGMENT];
    Box::new(move |index, _, frame| {
        let (number, round) = (index % connections, index / connections);
        match round {
            0 => from_client(frame, number, 0, SYN, b""),
            _ => from_client(frame, number, 2 + (round as u32 - 1) * SEGMENT as u32, 0, &payload),
        }
    })
}

/// Heads that grow to 40 KiB, and then byte by byte, and never end.
fn dripping_heads(frames: u64) -> Make {
    const SEGMENTS: u64 = 29;
    let connections = (frames / 100).max(1);
    let start = format!("GET /drip HTTP/1.1\r\nHost: drip.example\r\nX: {}", "x".repeat(SEGMENT));
    let start = start.into_bytes();
    Box::new(move |index, _, frame| {
        let (number, round) = (index % connections, index / connections);
        let long = (round.clamp(1, SEGMENTS) - 1) as u32 * SEGMENT as u32;
        match round {
            0 => from_client(frame, number, 0, SYN, b""),
            1 => from_client(frame, number, 1, 0, &start[..SEGMENT]),
            2..=SEGMENTS => from_client(frame, number, 1 + long, 0, &[b'x'; SEGMENT]),
            _ => {
                let dripped = (round - SEGMENTS - 1) as u32;
                from_client(frame, number, 1 + long + SEGMENT as u32 + dripped, 0, b"x");
            }
        }
    })
}

/// Pieces of datagrams that are never complete.
fn fragments(_: u64) -> Make {
    Box::new(|_, random, frame| {
        let [a, b, c, d, e, f, g, _] = random.next().to_be_bytes();
        frame.clear();
        frame.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0]);
        frame.extend(((20 + SEGMENT) as u16).to_be_bytes());
        // More of them follow; an offset of up to 32 KiB.
        frame.extend([a, b, 0x20 | (c & 0x0f), d, 64, 6, 0, 0, e | 128, f, g, 1]);
        frame.extend(SERVER.0);
        let sum = frame::checksum(&[&frame[14..34]]);
        frame[24..26].copy_from_slice(&sum.to_be_bytes());
        frame.extend([0; SEGMENT]);
    })
}

/// Connections that ask a thousand times and more, and are never answered.
fn pipelined(frames: u64) -> Make {
    let connections = (frames / 100).max(1);
    let one = "GET /flood/object HTTP/1.1\r\nHost: pipelined.example\r\nX-Amz-Date: d\r\n\r\n";
    let requests = one.repeat(12);
    Box::new(move |index, _, frame| {
        let (number, round) = (index % connections, index / connections);
        match round {
            0 => from_client(frame, number, 0, SYN, b""),
            _ => {
                let sent = 1 + (round as u32 - 1) * requests.len() as u32;
                from_client(frame, number, sent, 0, requests.as_bytes());
            }
        }
    })
}
