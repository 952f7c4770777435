//! Reading the commonest heads in one pass.
//!
//! Takes bytes that begin with a head, of which not all need be there. Gives its parts, where nothing about
//! it is out of the ordinary: a method of capital letters; one space where one is due; HTTP/1.0 or 1.1;
//! lines that end with CR LF; names of letters, digits, `-` and `_`; values without tabs. Promises that what
//! it reads, `httparse` reads the same; and that what it does not read is not called wrong.

use super::fields::{Field, Room};
use super::head::MAX_METHOD;
use super::scan::{self, run};

/// A head that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain<Line> {
    /// Its first line.
    pub line: Line,
    /// How many bytes it has, with its empty line.
    pub length: usize,
}

/// A request line (RFC 9112 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLine<'b> {
    /// Of capital letters.
    pub method: &'b str,
    /// In any of the four forms (§3.2).
    pub target: &'b str,
    /// 0 or 1.
    pub minor_version: u8,
}

/// A status line (RFC 9112 §4), without its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusLine {
    /// 0 or 1.
    pub minor_version: u8,
    /// 100 to 999.
    pub status: u16,
}

/// Reads a request head of at most `max_fields` fields, which are put into `room`; that is to be empty.
pub fn request<'b>(
    bytes: &'b [u8],
    max_fields: usize,
    room: &mut Room<'b>,
) -> Option<Plain<RequestLine<'b>>> {
    let mut head = Cursor { bytes, at: 0 };
    let method = bytes.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    if method > MAX_METHOD {
        return None;
    }
    let method = head.word(method)?;
    let target = head.word(run::<scan::Target>(bytes, head.at))?;
    let minor_version = head.version()?;
    head.line_end()?;
    let line = RequestLine { method, target, minor_version };
    Some(Plain { line, length: head.fields(max_fields, room)? })
}

/// Reads a response head likewise.
pub fn response<'b>(
    bytes: &'b [u8],
    max_fields: usize,
    room: &mut Room<'b>,
) -> Option<Plain<StatusLine>> {
    let mut head = Cursor { bytes, at: 0 };
    let minor_version = head.version()?;
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
    let [b' ', first @ b'1'..=b'9', second, third] = head.take()? else { return None };
    let status = digit(first)? * 100 + digit(second)? * 10 + digit(third)?;
    if head.bytes.get(head.at) == Some(&b' ') {
        head.at = run::<scan::Text>(bytes, head.at);
    }
    head.line_end()?;
    let line = StatusLine { minor_version, status };
    Some(Plain { line, length: head.fields(max_fields, room)? })
}

/// Where reading stands.
#[derive(Clone, Copy)]
struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Cursor<'b> {
    /// The next bytes.
    #[inline(always)]
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let taken = self.bytes.get(self.at..)?.first_chunk()?;
        self.at += N;
        Some(*taken)
    }

    /// What stands before `end`, with a space behind it.
    #[inline(always)]
    fn word(&mut self, end: usize) -> Option<&'b str> {
        let word = self.bytes.get(self.at..end)?;
        self.at = end;
        let [b' '] = self.take()? else { return None };
        std::str::from_utf8(word).ok().filter(|word| !word.is_empty())
    }

    #[inline(always)]
    fn line_end(&mut self) -> Option<()> {
        (self.take()? == *b"\r\n").then_some(())
    }

    /// The minor version behind `HTTP/1.`.
    #[inline(always)]
    fn version(&mut self) -> Option<u8> {
        match &self.take()? {
            b"HTTP/1.1" => Some(1),
            b"HTTP/1.0" => Some(0),
            _ => None,
        }
    }

    /// All fields, and the empty line; where that ends.
    #[inline(always)]
    fn fields(mut self, max_fields: usize, room: &mut Room<'b>) -> Option<usize> {
        loop {
            let name_end = run::<scan::Name>(self.bytes, self.at);
            if name_end == self.at {
                self.line_end()?;
                return Some(self.at);
            }
            if room.len() == max_fields {
                return None;
            }
            room.push(self.field(name_end)?)?;
        }
    }

    #[inline(always)]
    fn field(&mut self, name_end: usize) -> Option<Field<'b>> {
        let name = self.bytes.get(self.at..name_end)?;
        self.at = name_end;
        let [b':'] = self.take()? else { return None };
        let value_end = run::<scan::Text>(self.bytes, self.at);
        let value = self.bytes.get(self.at..value_end)?;
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let value = match value {
            [b' ', ..] | [.., b' '] => value.trim_ascii(),
            value => value,
        };
        self.at = value_end;
        self.line_end()?;
        Some(Field::new(name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::fields::PLAIN_FIELDS;
    use proptest::prop_assert_eq;
    use std::fmt::Debug;

    /// What a parser makes of bytes, in words.
    fn told(line: impl Debug, length: usize, fields: &[(&[u8], &[u8])]) -> String {
        format!("{line:?} {length} {fields:?}")
    }

    fn shown<Line: Debug>(plain: Option<Plain<Line>>, room: &Room<'_>) -> Option<String> {
        let fields: Vec<_> = room.headers().iter().map(|it| (it.name(), it.value())).collect();
        plain.map(|Plain { line, length }| told(line, length, &fields))
    }

    fn plainly(bytes: &[u8], max_fields: usize) -> [Option<String>; 2] {
        let (mut asked, mut answered) = (Room::default(), Room::default());
        let request = request(bytes, max_fields, &mut asked);
        let response = response(bytes, max_fields, &mut answered);
        [shown(request, &asked), shown(response, &answered)]
    }

    fn pairs<'h>(headers: &[httparse::Header<'h>]) -> Vec<(&'h [u8], &'h [u8])> {
        headers.iter().map(|it| (it.name.as_bytes(), it.value)).collect()
    }

    fn by_httparse(bytes: &[u8], max_fields: usize) -> [Option<String>; 2] {
        let mut room = vec![httparse::EMPTY_HEADER; max_fields];
        let mut request = httparse::Request::new(&mut room);
        let asked = request.parse(bytes).ok().filter(httparse::Status::is_complete).map(|length| {
            let line = RequestLine {
                method: request.method.expect("complete"),
                target: request.path.expect("complete"),
                minor_version: request.version.expect("complete"),
            };
            told(line, length.unwrap(), &pairs(request.headers))
        });
        let mut room = vec![httparse::EMPTY_HEADER; max_fields];
        let mut response = httparse::Response::new(&mut room);
        let answered =
            response.parse(bytes).ok().filter(httparse::Status::is_complete).map(|length| {
                let line = StatusLine {
                    minor_version: response.version.expect("complete"),
                    status: response.code.expect("complete"),
                };
                told(line, length.unwrap(), &pairs(response.headers))
            });
        [asked, answered]
    }

    #[test]
    fn what_clients_and_servers_send_is_read() {
        for head in [
            "GET / HTTP/1.0\r\n\r\n",
            "PUT /b/k%20\u{e9}?a=b HTTP/1.1\r\nHost: h\r\nX-Amz-Meta-A_b:  \u{e9} c \r\nEmpty:\r\n\r\nbody",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
            "HTTP/1.0 404\r\nA-quite-long-name-of-a-field: and a value that is longer than a block\r\n\r\n",
            "HTTP/1.1 200 \r\nSpaces:   \r\n\r\n",
        ] {
            let read = plainly(head.as_bytes(), 8);
            assert!(read.iter().any(Option::is_some), "{head}");
            assert_eq!(read, by_httparse(head.as_bytes(), 8), "{head}");
            for cut in 0..head.find("\r\n\r\n").expect("complete") + 4 {
                assert_eq!(
                    plainly(&head.as_bytes()[..cut], 8),
                    [None, None],
                    "{head} cut at {cut}"
                );
            }
        }
    }

    #[test]
    fn a_head_has_as_many_fields_as_it_may_and_no_more() {
        let head =
            |n: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(n)).into_bytes();
        let reads = |n, max| plainly(&head(n), max)[0].is_some();
        assert!(reads(0, 0) && !reads(1, 0) && reads(8, 8) && !reads(9, 8));
        assert!(reads(PLAIN_FIELDS, 256) && !reads(PLAIN_FIELDS + 1, 256));
    }

    const LINES: [&str; 24] = [
        "GET /a HTTP/1.1\r\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.0 099 \u{e9}\r\n",
        "HTTP/1.1 999\r\n",
        "HTTP/1.1 20\r\n",
        "PUT /\u{e9}?b HTTP/1.0\r\n",
        "get  /a HTTP/1.1\r\n",
        "A /b HTTP/1.2\r\n",
        "A-B /b HTTP/1.1\n",
        "Host: h\r\n",
        "X-Amz-Server-Side-Encryption: AES256\r\n",
        "a_b:c\r\n",
        "c.d: e\r\n",
        "f:\tg\t\r\n",
        "h:  i  j  \r\n",
        "k:\r\n",
        "l : m\r\n",
        ": n\r\n",
        " o\r\n",
        "p\r\n",
        "q: \u{e9}\n",
        "r: \rs\r\n",
        "\r\n",
        "\n",
    ];

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config {
            failure_persistence: None,
            ..Default::default()
        })]
        #[test]
        fn what_is_read_is_what_httparse_reads(
            lines in proptest::collection::vec(0..LINES.len(), 0..8),
            changes in proptest::collection::vec((proptest::num::usize::ANY, proptest::num::u8::ANY), 0..3),
            max_fields in 0_usize..6,
        ) {
            let text: String = lines.into_iter().map(|line| LINES[line]).chain(["\r\n"]).collect();
            let mut bytes = text.into_bytes();
            for (at, byte) in changes {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            let both = plainly(&bytes, max_fields).into_iter().zip(by_httparse(&bytes, max_fields));
            for (read, expected) in both.filter(|(read, _)| read.is_some()) {
                prop_assert_eq!(read, expected);
            }
        }
    }
}
