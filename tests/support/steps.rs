//! Packet scripts: what went over a wire and what of it was captured, line by line.
//!
//! ```text
//! c `GET /1 HTTP/1.1 | Host: h`       the client sends a segment
//! s "abc" + "x"*1000                  the server does; with nothing behind it, it acknowledges
//! ```
//!
//! What can be sent is in [`payload`](super::payload). Sequence numbers go on from what was sent
//! before; acknowledgement numbers are of all that the other end has sent. A script joins its
//! connection in the middle, unless there is a handshake. Lines that begin with `#` are comments.
//!
//! **Before `c` or `s`**, what became of the segment on its way into the capture:
//!
//! | word | |
//! |---|---|
//! | `lose` | it was sent, and not captured |
//! | `hold` | it was captured later: where `release` stands |
//! | `each-cut` | the script is played once for each byte in its payload before which it can be cut in two |
//! | `each-snap` | once for each byte of its payload before which the capture can cut it off |
//! | `each-hole` | once for each byte of its payload that may be missing alone |
//!
//! Each time it is played, it is another client's connection.
//!
//! **Behind the payload**, what is unusual about the segment (`N` may be negative):
//!
//! | word | |
//! |---|---|
//! | `syn`, `fin`, `rst` | flags. `syn` of a first packet acknowledges nothing |
//! | `seq=N`, `seq=next+N` | where it begins: in its direction's stream, or beside where that stands. It moves that only from before or at it to behind it |
//! | `ack=N`, `ack=next+N`, `ack=none` | the same for the acknowledgement |
//! | `win=N`, `urg=N` | the window; the urgent pointer, and its flag |
//! | `opts=HEX` | TCP options |
//! | `cut=N` | of its payload, N bytes were captured |
//! | `mss=N` | it is sent as segments of at most N bytes |
//! | `patch=ip+N:HEX`, `patch=tcp+N:HEX` | bytes to put into a header, after its checksum was made |
//! | `frag=N` | it comes in IP fragments of N bytes (a multiple of 8); `frag=N:back` in the opposite order, `frag=N:lose` without the second |
//!
//! **Other lines**:
//!
//! | line | |
//! |---|---|
//! | `open` | a handshake: `c syn`, `s syn`, `c` |
//! | `close` | an end: `c fin`, `s fin`, `c` |
//! | `on NAME [client=ADDRESS] [server=ADDRESS]` | goes on with another connection (or the first again) |
//! | `isn N M` | the initial sequence numbers of client and server |
//! | `reuse` | a new connection of the same endpoints, with other sequence numbers |
//! | `wait Ns`, `wait Nms` | time passes, besides the millisecond between any two packets |
//! | `swap` | the last two packets were captured in the other order |
//! | `release` | what was held is captured now |
//! | `order client`, `order server` | every packet of that end was captured before any of the other |
//! | `only client`, `only server` | the capture has nothing of the other end |
//! | `copies N` | from here on each packet is captured N times |
//! | `snaplen N` | from here on the capture has N bytes of each frame |
//! | `padding TEXT` | from here on frames below 60 bytes are filled up with TEXT |
//! | `vlan N`, `vxlan N` | from here on frames have a VLAN tag; are in a VXLAN (after the tag) |
//! | `frame HEX` | a frame |
//! | `repeat N` … `end` | the lines between, N times; `$n` in them counts from 1 |
//! | `run OPTION…` | with what options sealwatch is run |
//! | `secret TEXT` | no output in any format may hold this text |

use super::payload::{hex, payload};
use sealwatch::net::Endpoint;
use std::net::SocketAddr;

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const ACK: u8 = 0x10;
pub const URG: u8 = 0x20;

/// A script that was read.
#[derive(Clone, Debug, Default)]
pub struct Steps {
    pub steps: Vec<Step>,
    /// What sealwatch is run with.
    pub arguments: Vec<String>,
    pub secrets: Vec<String>,
    /// Whose packets come first, where not in the order in which they were sent: the client's?
    pub first: Option<bool>,
    /// Whose packets there are, where not both: the client's?
    pub only: Option<bool>,
}

#[derive(Clone, Debug)]
pub enum Step {
    Send(Box<Send>),
    On {
        name: String,
        client: Option<Endpoint>,
        server: Option<Endpoint>,
    },
    Isn(u32, u32),
    Reuse,
    /// Nanoseconds.
    Wait(i64),
    Swap,
    Release,
    Copies(usize),
    Snaplen(usize),
    Padding(Vec<u8>),
    Vlan(u16),
    Vxlan(u32),
    Frame(Vec<u8>),
}

/// A segment.
#[derive(Clone, Debug)]
pub struct Send {
    pub from_client: bool,
    pub payload: Vec<u8>,
    pub capture: Capture,
    pub each: Option<Each>,
    /// Besides ACK and URG.
    pub flags: u8,
    pub seq: Place,
    pub ack: Option<Place>,
    pub window: u16,
    pub urgent: Option<u16>,
    pub options: Vec<u8>,
    pub cut: Option<usize>,
    pub mss: Option<usize>,
    pub patches: Vec<Patch>,
    pub fragments: Option<(usize, Fragments)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    Now,
    Later,
    Never,
}

/// What is tried at each byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Each {
    Cut,
    Snap,
    Hole,
}

/// A place in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// From the first byte.
    At(i64),
    /// From where it stands.
    Next(i64),
}

#[derive(Clone, Debug)]
pub struct Patch {
    /// In the TCP header; else in the IP header.
    pub in_tcp: bool,
    pub at: usize,
    pub bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragments {
    InOrder,
    Back,
    Lose,
}

impl Send {
    fn new(from_client: bool) -> Self {
        Self {
            from_client,
            payload: Vec::new(),
            capture: Capture::Now,
            each: None,
            flags: 0,
            seq: Place::Next(0),
            ack: Some(Place::Next(0)),
            window: 65_535,
            urgent: None,
            options: Vec::new(),
            cut: None,
            mss: None,
            patches: Vec::new(),
            fragments: None,
        }
    }

    fn flagged(from_client: bool, flags: u8) -> Step {
        Step::Send(Box::new(Self { flags, ..Self::new(from_client) }))
    }
}

/// Reads a script.
///
/// # Errors
///
/// The line that cannot be read, and why.
pub fn read(text: &str) -> Result<Steps, String> {
    let mut script = Steps::default();
    for line in repeated(text)? {
        line_of(&mut script, line.trim()).map_err(|why| format!("{line}: {why}"))?;
    }
    Ok(script)
}

/// The lines, those between `repeat` and `end` as often as they are to be read.
fn repeated(text: &str) -> Result<Vec<String>, String> {
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let mut all = Vec::new();
    let mut block: Option<(usize, Vec<&str>)> = None;
    for line in lines {
        if let Some(times) = line.strip_prefix("repeat ") {
            if block.replace((number(times)?, Vec::new())).is_some() {
                return Err("a repeat in a repeat".to_owned());
            }
        } else if line == "end" {
            let (times, lines) = block.take().ok_or("an end without a repeat")?;
            for n in 1..=times {
                all.extend(lines.iter().map(|line| line.replace("$n", &n.to_string())));
            }
        } else if let Some((_, lines)) = &mut block {
            lines.push(line);
        } else {
            all.push(line.to_owned());
        }
    }
    if block.is_some() { Err("a repeat without an end".to_owned()) } else { Ok(all) }
}

fn line_of(script: &mut Steps, line: &str) -> Result<(), String> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let step = match word {
        "open" => {
            let syn = |from_client| Send::flagged(from_client, SYN);
            script.steps.extend([syn(true), syn(false), Send::flagged(true, 0)]);
            return Ok(());
        }
        "close" => {
            let fin = |from_client| Send::flagged(from_client, FIN);
            script.steps.extend([fin(true), fin(false), Send::flagged(true, 0)]);
            return Ok(());
        }
        "run" => {
            script.arguments.extend(rest.split_whitespace().map(str::to_owned));
            return Ok(());
        }
        "secret" => {
            script.secrets.push(rest.to_owned());
            return Ok(());
        }
        "order" | "only" => {
            let client = match rest {
                "client" => true,
                "server" => false,
                _ => return Err("neither client nor server".to_owned()),
            };
            *(if word == "only" { &mut script.only } else { &mut script.first }) = Some(client);
            return Ok(());
        }
        "on" => on(rest)?,
        "isn" => {
            let (client, server) = rest.split_once(' ').ok_or("not two numbers")?;
            Step::Isn(number(client)?, number(server)?)
        }
        "reuse" => Step::Reuse,
        "wait" => Step::Wait(nanos(rest)?),
        "swap" => Step::Swap,
        "release" => Step::Release,
        "copies" => Step::Copies(number(rest)?),
        "snaplen" => Step::Snaplen(number(rest)?),
        "padding" => Step::Padding(rest.as_bytes().to_vec()),
        "vlan" => Step::Vlan(number(rest)?),
        "vxlan" => Step::Vxlan(number(rest)?),
        "frame" => Step::Frame(hex(rest)?),
        _ => Step::Send(Box::new(send(line)?)),
    };
    script.steps.push(step);
    Ok(())
}

fn on(rest: &str) -> Result<Step, String> {
    let mut words = rest.split_whitespace();
    let name = words.next().ok_or("no name")?.to_owned();
    let (mut client, mut server) = (None, None);
    for word in words {
        let (key, value) = word.split_once('=').ok_or("not client=… or server=…")?;
        let address: SocketAddr = value.parse().map_err(|_| format!("{value} is no address"))?;
        let end = Some(Endpoint::new(address.ip(), address.port()));
        match key {
            "client" => client = end,
            "server" => server = end,
            _ => return Err(format!("{key} is neither client nor server")),
        }
    }
    Ok(Step::On { name, client, server })
}

fn send(line: &str) -> Result<Send, String> {
    let (mut capture, mut each) = (Capture::Now, None);
    let mut rest = line;
    loop {
        let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
        rest = after.trim_start();
        match word {
            "lose" => capture = Capture::Never,
            "hold" => capture = Capture::Later,
            "each-cut" => each = Some(Each::Cut),
            "each-snap" => each = Some(Each::Snap),
            "each-hole" => each = Some(Each::Hole),
            "c" | "s" => {
                let mut send = Send { capture, each, ..Send::new(word == "c") };
                if let Some((bytes, after)) = payload(rest)? {
                    (send.payload, rest) = (bytes, after);
                }
                rest.split_whitespace().try_for_each(|word| attribute(&mut send, word))?;
                return Ok(send);
            }
            _ => return Err(format!("{word} is no word of a script")),
        }
    }
}

fn attribute(send: &mut Send, word: &str) -> Result<(), String> {
    let (key, value) = word.split_once('=').unwrap_or((word, ""));
    match key {
        "syn" => send.flags |= SYN,
        "fin" => send.flags |= FIN,
        "rst" => send.flags |= RST,
        "seq" => send.seq = place(value)?,
        "ack" if value == "none" => send.ack = None,
        "ack" => send.ack = Some(place(value)?),
        "win" => send.window = number(value)?,
        "urg" => send.urgent = Some(number(value)?),
        "opts" => send.options = hex(value)?,
        "cut" => send.cut = Some(number(value)?),
        "mss" => send.mss = Some(number(value)?),
        "patch" => send.patches.push(patch(value)?),
        "frag" => {
            let (size, how) = value.split_once(':').unwrap_or((value, ""));
            let how = match how {
                "" => Fragments::InOrder,
                "back" => Fragments::Back,
                "lose" => Fragments::Lose,
                _ => return Err(format!("{how} is no way to send fragments")),
            };
            send.fragments = Some((number(size)?, how));
        }
        _ => return Err(format!("{word} says nothing about a segment")),
    }
    Ok(())
}

fn place(text: &str) -> Result<Place, String> {
    match text.strip_prefix("next") {
        Some("") => Ok(Place::Next(0)),
        Some(offset) => number(offset).map(Place::Next),
        None => number(text).map(Place::At),
    }
}

fn patch(text: &str) -> Result<Patch, String> {
    let wrong = || format!("{text} is not ip+N:HEX or tcp+N:HEX");
    let (header, rest) = text.split_once('+').ok_or_else(wrong)?;
    let (at, bytes) = rest.split_once(':').ok_or_else(wrong)?;
    let in_tcp = match header {
        "tcp" => true,
        "ip" => false,
        _ => return Err(wrong()),
    };
    Ok(Patch { in_tcp, at: number(at)?, bytes: hex(bytes)? })
}

fn nanos(text: &str) -> Result<i64, String> {
    match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(millis), _) => Ok(number::<i64>(millis)? * 1_000_000),
        (None, Some(seconds)) => Ok(number::<i64>(seconds)? * 1_000_000_000),
        _ => Err(format!("{text} is neither seconds nor milliseconds")),
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is no number here"))
}
