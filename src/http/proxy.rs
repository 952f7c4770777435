//! The header of the PROXY protocol (HAProxy, "The PROXY protocol", versions 1 and 2), by which a
//! load balancer tells who its client is: before the first byte of what that sent.
//!
//! Takes the first bytes of a direction. Gives how many of them the header has. Promises that nothing
//! else is taken for one. What it says is not read further: anyone can say it.

use super::head::{Kind, first_line_fits};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The longest header of version 1, its line end included (§2.1).
const MAX_LINE: usize = 107;
const WORD: &[u8] = b"PROXY ";
/// What version 2 begins with (§2.2).
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The bytes of version 2 before those that its length counts.
const FIXED: usize = 16;

/// What the first bytes of a direction hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// The beginning of a header, it may be.
    Undecided,
    /// A header of so many bytes, which need not all be there.
    Of(usize),
    /// What begins like version 2 and is none that is known.
    Malformed,
    /// Something else.
    None,
}

/// Reads the first bytes of a direction.
pub(super) fn read(bytes: &[u8]) -> Header {
    if let Some(rest) = begins(bytes, SIGNATURE) {
        return rest.map_or(Header::Undecided, read_binary);
    }
    match begins(bytes, WORD) {
        Some(Some(rest)) => read_line(bytes, rest),
        Some(None) => Header::Undecided,
        None => Header::None,
    }
}

/// What follows `wanted`: `None` where bytes do not begin like it, `Some(None)` where they end within
/// it.
fn begins<'b>(bytes: &'b [u8], wanted: &[u8]) -> Option<Option<&'b [u8]>> {
    match bytes.strip_prefix(wanted) {
        Some(rest) => Some(Some(rest)),
        None => wanted.starts_with(bytes).then_some(None),
    }
}

/// Version 1 (§2.1): one line, of words with one space between.
fn read_line(bytes: &[u8], rest: &[u8]) -> Header {
    let Some(end) = memchr::memchr(b'\n', rest) else {
        let longest = bytes.len() >= MAX_LINE;
        return if longest { Header::None } else { Header::Undecided };
    };
    let length = WORD.len() + end + 1;
    let fits = length <= MAX_LINE
        && rest[..end].strip_suffix(b"\r").is_some_and(is_said)
        // A request whose method is called PROXY.
        && !first_line_fits(Kind::Request, bytes);
    if fits { Header::Of(length) } else { Header::None }
}

/// What comes behind the first word: of an unknown protocol anything; else two addresses and two ports.
fn is_said(line: &[u8]) -> bool {
    let Ok(line) = std::str::from_utf8(line) else { return line.starts_with(b"UNKNOWN ") };
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["UNKNOWN", ..] => true,
        ["TCP4", from, to, from_port, to_port] => {
            is::<Ipv4Addr>(from) && is::<Ipv4Addr>(to) && is_port(from_port) && is_port(to_port)
        }
        ["TCP6", from, to, from_port, to_port] => {
            is::<Ipv6Addr>(from) && is::<Ipv6Addr>(to) && is_port(from_port) && is_port(to_port)
        }
        _ => false,
    }
}

fn is<T: FromStr>(word: &str) -> bool {
    word.parse::<T>().is_ok()
}

/// 0 to 65535, without leading zeros.
fn is_port(word: &str) -> bool {
    word.parse::<u16>().is_ok_and(|port| port.to_string() == word)
}

/// Version 2 behind its signature (§2.2): version and command, family and protocol, length.
fn read_binary(rest: &[u8]) -> Header {
    let (is_local, least) = match rest {
        [] => return Header::Undecided,
        [0x20 | 0x21] => return Header::Undecided,
        // What a local connection says of addresses is ignored.
        [0x20, ..] => (true, 0),
        [0x21, family, ..] => match family {
            0x00..=0x02 => (false, 0),
            0x10..=0x12 => (false, 12),
            0x20..=0x22 => (false, 36),
            0x30..=0x32 => (false, 216),
            _ => return Header::Malformed,
        },
        _ => return Header::Malformed,
    };
    let [_, _, high, low, ..] = rest else { return Header::Undecided };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if is_local || length >= least { Header::Of(FIXED + length) } else { Header::Malformed }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header, and whether it is one.
    fn cases() -> Vec<(Vec<u8>, bool)> {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(MAX_LINE - 16));
        let line = |text: &str, is: bool| (text.as_bytes().to_vec(), is);
        let binary = |version: u8, family: u8, length: u16| {
            let said = vec![0xff; usize::from(length)];
            [SIGNATURE, &[version, family], &length.to_be_bytes(), &said].concat()
        };
        vec![
            line("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n", true),
            line("PROXY TCP6 2001:db8::1 2001:db8::2 0 65535\r\n", true),
            line("PROXY UNKNOWN\r\n", true),
            line("PROXY UNKNOWN what ever it is\r\n", true),
            line(&long, true),
            line(&long.replace("\r\n", "x\r\n"), false),
            line("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\n", false),
            line("PROXY TCP4 192.0.2.1 192.0.2.2 56324 0443\r\n", false),
            line("PROXY TCP4 192.0.2.1 192.0.2.2 56324 65536\r\n", false),
            line("PROXY TCP4 192.0.2.1  192.0.2.2 56324 443\r\n", false),
            line("PROXY TCP4 2001:db8::1 2001:db8::2 56324 443\r\n", false),
            line("PROXY TCP6 192.0.2.1 192.0.2.2 56324 443\r\n", false),
            line("PROXY UDP4 192.0.2.1 192.0.2.2 56324 443\r\n", false),
            line("PROXY \r\n", false),
            line("PROXY UNKNOWN HTTP/1.1\r\n", false),
            line("PROPFIND / HTTP/1.1\r\n", false),
            line("\r\n\r\nGET / HTTP/1.1\r\n", false),
            (binary(0x21, 0x11, 12), true),
            (binary(0x21, 0x11, 65_535), true),
            (binary(0x21, 0x21, 36), true),
            (binary(0x21, 0x31, 216), true),
            (binary(0x21, 0x00, 0), true),
            (binary(0x20, 0x00, 0), true),
            (binary(0x20, 0xff, 3), true),
            (binary(0x21, 0x11, 11), false),
            (binary(0x21, 0x21, 35), false),
            (binary(0x21, 0x31, 215), false),
            (binary(0x21, 0x41, 65), false),
            (binary(0x21, 0x13, 65), false),
            (binary(0x22, 0x11, 12), false),
            (binary(0x11, 0x11, 12), false),
        ]
    }

    #[test]
    fn a_header_is_one_wherever_it_is_cut_and_nothing_else_is() {
        for (bytes, is_one) in cases() {
            let whole = read(&bytes);
            let shown = bytes[..bytes.len().min(120)].escape_ascii();
            assert_eq!(whole == Header::Of(bytes.len()), is_one, "{shown}");
            assert!(is_one || matches!(whole, Header::None | Header::Malformed), "{shown}");
            for cut in 0..bytes.len() {
                let early = read(&bytes[..cut]);
                assert!(early == whole || early == Header::Undecided, "{shown} cut at {cut}");
            }
            let more = [&bytes[..], b"GET / HTTP/1.1\r\n\r\n"].concat();
            assert_eq!(read(&more), whole, "{shown}");
        }
    }
}
