//! Finding and reading one message head.
//!
//! Takes the bytes at a message boundary. Gives the length of the head and its parts, by
//! `httparse`. Promises that a head is read whole or not at all, and that searching for its end
//! costs each byte once however the head was cut.

use super::{Headers, RequestHead, ResponseHead};
use crate::net::Timestamp;
use std::borrow::Cow;
use std::mem::MaybeUninit;

/// The most header fields that a head may have, whatever the limits say.
pub const MAX_HEADER_FIELDS: usize = 1024;

/// Which kind of start-line to expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Response,
}

/// What the first bytes of a direction are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guess {
    /// Too little to tell.
    Undecided,
    /// An HTTP/1 head, by its first bytes.
    Http(Kind),
    /// A TLS record (RFC 8446 §5.1).
    Tls,
    /// The HTTP/2 connection preface (RFC 9113 §3.4).
    Http2,
    /// Something else.
    Other,
}

const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// No registered method is longer than 18 characters (`UPDATEREDIRECTREF`).
const MAX_METHOD: usize = 24;

/// Guesses from its first bytes what a direction carries.
pub(super) fn guess(bytes: &[u8]) -> Guess {
    let bytes = skip_empty_lines(bytes);
    if bytes.is_empty() {
        return Guess::Undecided;
    }
    if let Some(guess) = guess_binary(bytes) {
        return guess;
    }
    if bytes.starts_with(b"HTTP/") {
        return Guess::Http(Kind::Response);
    }
    if bytes.starts_with(HTTP2_PREFACE) {
        return Guess::Http2;
    }
    if b"HTTP/".starts_with(bytes) || HTTP2_PREFACE.starts_with(bytes) {
        return Guess::Undecided;
    }
    guess_method(bytes)
}

fn guess_binary(bytes: &[u8]) -> Option<Guess> {
    // A TLS record: content type 20 to 23, version 3.0 to 3.4, at most 2^14 + 2048 bytes.
    if !(20..=23).contains(&bytes[0]) {
        return None;
    }
    Some(match bytes {
        [_] => Guess::Undecided,
        [_, 3] => Guess::Undecided,
        [_, 3, 0..=4, rest @ ..] => match rest {
            [] | [_] => Guess::Undecided,
            [high, low, ..] => {
                let length = u16::from_be_bytes([*high, *low]);
                if (1..=18_432).contains(&length) { Guess::Tls } else { Guess::Other }
            }
        },
        _ => Guess::Other,
    })
}

/// A method is a token (RFC 9110 §9.1, §5.6.2), followed by one space.
fn guess_method(bytes: &[u8]) -> Guess {
    let token = bytes.iter().take_while(|b| is_token(**b)).count();
    match bytes.get(token) {
        None if token <= MAX_METHOD => Guess::Undecided,
        Some(b' ') if (1..=MAX_METHOD).contains(&token) => Guess::Http(Kind::Request),
        _ => Guess::Other,
    }
}

pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether bytes could be the beginning of a request that continues a lost direction: stricter
/// than [`guess`], since there a wrong start would invent an exchange.
pub(super) fn may_open(kind: Kind, bytes: &[u8]) -> bool {
    match kind {
        Kind::Response => {
            let n = bytes.len().min(7);
            n > 0 && bytes[..n] == b"HTTP/1."[..n]
        }
        Kind::Request => {
            let token = bytes.iter().take_while(|b| b.is_ascii_uppercase() || **b == b'-').count();
            match bytes.get(token..) {
                Some([]) => (1..=MAX_METHOD).contains(&token),
                Some([b' ']) => (3..=MAX_METHOD).contains(&token),
                Some([b' ', next, ..]) => {
                    (3..=MAX_METHOD).contains(&token) && next.is_ascii_graphic()
                }
                _ => false,
            }
        }
    }
}

/// Empty lines before a start-line are ignored (RFC 9112 §2.2).
pub(super) fn skip_empty_lines(bytes: &[u8]) -> &[u8] {
    let n = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    &bytes[n..]
}

/// A whole head, not read yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole<'b> {
    /// All of it, up to and including its empty line.
    pub(super) bytes: &'b [u8],
    /// It is known that no line in it is to be tidied, but perhaps the first.
    clean: bool,
    /// How many lines it has, the empty one included, where that was counted.
    lines: Option<usize>,
}

impl Whole<'_> {
    /// How many lines it has, the empty one included.
    pub(super) fn lines(&self) -> usize {
        let count = || memchr::memchr_iter(b'\n', skip_empty_lines(self.bytes)).count();
        self.lines.unwrap_or_else(count)
    }
}

/// Looks for the end of a head. `from` is how far an earlier search over the same bytes came;
/// returns the new mark in `Err`.
pub(super) fn find_end(bytes: &[u8], from: usize) -> Result<Whole<'_>, usize> {
    let lead = bytes.len() - skip_empty_lines(bytes).len();
    let is_first_search = from <= lead;
    let (mut lines, mut line_ends, mut folds) = (0, 0, !is_first_search);
    let from = from.max(lead);
    for at in memchr::memchr_iter(b'\n', &bytes[from..]) {
        let at = from + at;
        lines += 1;
        line_ends += usize::from(at > from && bytes[at - 1] == b'\r');
        let end = match &bytes[at + 1..] {
            [b'\n', ..] => at + 2,
            [b'\r', b'\n', ..] => {
                line_ends += 1;
                at + 3
            }
            // The last line end may be the one before the empty line: look at it again.
            [] | [b'\r'] => return Err(at),
            [next, ..] => {
                folds |= matches!(next, b' ' | b'\t');
                continue;
            }
        };
        let head = &bytes[lead..end];
        let clean = !folds
            && memchr::memchr_iter(b'\r', head).count() == line_ends
            && memchr::memchr(0, head).is_none();
        let lines = is_first_search.then_some(lines + 1);
        return Ok(Whole { bytes: &bytes[..end], clean, lines });
    }
    Err(bytes.len())
}

/// Which kind of start-line a head begins with, if that is spelled as nearly all are: by one space
/// between its words, `HTTP/1.0` or `HTTP/1.1`, and a line end.
fn plain_start_line(head: &[u8]) -> Option<Kind> {
    if let [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', b' ', b'0'..=b'9', ..] = head {
        return Some(Kind::Response);
    }
    let line = head[..memchr::memchr(b'\n', head)?].strip_suffix(b"\r")?;
    let (words, [b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1']) =
        line.split_last_chunk()?
    else {
        return None;
    };
    let space = memchr::memchr(b' ', words)?;
    let (method, target) = (&words[..space], &words[space + 1..]);
    let plain = !method.is_empty()
        && !method.starts_with(b"HTTP/")
        && !target.is_empty()
        && memchr::memchr2(b' ', b'\r', target).is_none();
    plain.then_some(Kind::Request)
}

/// Whether the first line, once it is complete, is a start-line of `kind`. `true` while it is
/// not complete.
pub(super) fn first_line_fits(kind: Kind, bytes: &[u8]) -> bool {
    let bytes = skip_empty_lines(bytes);
    if plain_start_line(bytes) == Some(kind) {
        return true;
    }
    let Some(end) = memchr::memchr(b'\n', bytes) else { return true };
    let mut words = bytes[..end].split(|b| matches!(b, b' ' | b'\r')).filter(|w| !w.is_empty());
    match kind {
        Kind::Response => {
            words.next().is_some_and(is_version)
                && words.next().is_some_and(|status| status.first().is_some_and(u8::is_ascii_digit))
        }
        Kind::Request => {
            words.nth(2).is_some() && {
                let line = bytes[..end].trim_ascii_end();
                line.rsplit(|b| matches!(b, b' ' | b'\r')).next().is_some_and(is_version)
            }
        }
    }
}

/// What bytes are the beginning of for sure, since they hold a whole start-line.
pub(super) fn begun(bytes: &[u8]) -> Option<Kind> {
    let bytes = skip_empty_lines(bytes);
    let Guess::Http(kind) = guess(bytes) else { return None };
    (memchr::memchr(b'\n', bytes).is_some() && first_line_fits(kind, bytes)).then_some(kind)
}

/// Why a head could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It has more fields than are read.
    TooManyFields,
    /// It is none.
    NotAHead,
}

impl<T> From<httparse::Result<T>> for Unreadable {
    fn from(result: httparse::Result<T>) -> Self {
        match result {
            Err(httparse::Error::TooManyHeaders) => Self::TooManyFields,
            _ => Self::NotAHead,
        }
    }
}

fn config() -> httparse::ParserConfig {
    let mut config = httparse::ParserConfig::default();
    // One odd header field must not hide the others, nor the message (RFC 9112 §5 leaves it to
    // the recipient; servers differ).
    config
        .ignore_invalid_headers_in_requests(true)
        .ignore_invalid_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_multiple_spaces_in_request_line_delimiters(true)
        .allow_multiple_spaces_in_response_status_delimiters(true);
    config
}

/// Makes a head readable that the parser would refuse whole for the sake of one part, as
/// recipients may (and the common ones do): a bare CR becomes a space (RFC 9112 §2.2), an
/// obsolete line folding becomes spaces (§5.2), a NUL in a field becomes a space (RFC 9110 §5.5),
/// and [`tidy_start_line`].
fn tidy(Whole { bytes, clean, .. }: Whole<'_>) -> Cow<'_, [u8]> {
    let head = skip_empty_lines(bytes);
    let bare = |at: usize| head.get(at + 1) != Some(&b'\n');
    let folds = |at: usize| matches!(head.get(at + 1), Some(b' ' | b'\t'));
    let clean = clean
        || memchr::memchr(0, head).is_none()
            && !memchr::memchr_iter(b'\r', head).any(bare)
            && !memchr::memchr_iter(b'\n', head).any(folds);
    if clean {
        return tidy_start_line(head).map_or(Cow::Borrowed(head), Cow::Owned);
    }
    let mut owned = head.to_vec();
    for at in memchr::memchr_iter(b'\r', head).filter(|at| bare(*at)) {
        owned[at] = b' ';
    }
    for at in memchr::memchr_iter(b'\n', head) {
        if matches!(owned.get(at + 1), Some(b' ' | b'\t')) {
            owned[at] = b' ';
            if at > 0 && owned[at - 1] == b'\r' {
                owned[at - 1] = b' ';
            }
        }
    }
    let fields = memchr::memchr(b'\n', head).unwrap_or(head.len());
    for at in memchr::memchr_iter(0, head).filter(|at| *at > fields) {
        owned[at] = b' ';
    }
    Cow::Owned(tidy_start_line(&owned).unwrap_or(owned))
}

/// Puts `HTTP/1.1` where a start-line has another version number, as for a minor version that
/// is not known (RFC 9110 §2.5), and leaves the first of several words that stand for a request
/// target. `None` where there is nothing to change.
fn tidy_start_line(head: &[u8]) -> Option<Vec<u8>> {
    if plain_start_line(head).is_some() {
        return None;
    }
    let end = memchr::memchr(b'\n', head)?;
    let (line, rest) = head.split_at(end);
    let line = line.trim_ascii_end();
    let words: Vec<&[u8]> = line.split(|b| *b == b' ').filter(|word| !word.is_empty()).collect();
    let (first, last) = (words.first()?, words.last()?);
    let start: Vec<u8> = if is_version(first) {
        if matches!(first[5..], [b'1', b'.', b'0' | b'1']) {
            return None;
        }
        [b"HTTP/1.1", line.get(first.len()..)?].concat()
    } else if words.len() >= 3 && is_version(last) {
        if words.len() == 3 && matches!(last[5..], [b'1', b'.', b'0' | b'1']) {
            return None;
        }
        let version: &[u8] = if *last == b"HTTP/1.0" { last } else { b"HTTP/1.1" };
        [first, words[1], version].join(&b' ')
    } else {
        return None;
    };
    Some([&start, &b"\r"[..], rest].concat())
}

/// `HTTP/` and two numbers.
fn is_version(word: &[u8]) -> bool {
    let digits = |part: &[u8]| (1..=2).contains(&part.len()) && part.iter().all(u8::is_ascii_digit);
    word.strip_prefix(b"HTTP/").is_some_and(|numbers| {
        let mut parts = numbers.split(|b| *b == b'.');
        parts.next().is_some_and(digits)
            && parts.next().is_some_and(digits)
            && parts.next().is_none()
    })
}

/// Reads a whole request head of at most `max_fields` fields and hands it to `then`.
pub(super) fn read_request<T>(
    head: Whole<'_>,
    time: Timestamp,
    max_fields: usize,
    then: impl FnOnce(&RequestHead<'_>) -> T,
) -> Result<T, Unreadable> {
    let bytes = tidy(head);
    let mut fields = [const { MaybeUninit::uninit() }; MAX_HEADER_FIELDS];
    let fields = &mut fields[..max_fields.min(MAX_HEADER_FIELDS)];
    let mut request = httparse::Request::new(&mut []);
    let parsed = config().parse_request_with_uninit_headers(&mut request, &bytes, fields);
    match (parsed, request.method, request.path, request.version) {
        (Ok(httparse::Status::Complete(_)), Some(method), Some(target), Some(minor_version)) => {
            let headers = Headers::new(request.headers);
            Ok(then(&RequestHead { time, method, target, minor_version, headers }))
        }
        (parsed, ..) => Err(parsed.into()),
    }
}

/// Reads a whole response head of at most `max_fields` fields and hands it to `then`.
pub(super) fn read_response<T>(
    head: Whole<'_>,
    time: Timestamp,
    max_fields: usize,
    then: impl FnOnce(&ResponseHead<'_>) -> T,
) -> Result<T, Unreadable> {
    let bytes = tidy(head);
    let mut fields = [const { MaybeUninit::uninit() }; MAX_HEADER_FIELDS];
    let fields = &mut fields[..max_fields.min(MAX_HEADER_FIELDS)];
    let mut response = httparse::Response::new(&mut []);
    let parsed = config().parse_response_with_uninit_headers(&mut response, &bytes, fields);
    match (parsed, response.code, response.version) {
        (Ok(httparse::Status::Complete(_)), Some(status @ 100..), Some(minor_version)) => {
            let headers = Headers::new(response.headers);
            Ok(then(&ResponseHead { time, status, minor_version, headers }))
        }
        (parsed, ..) => Err(parsed.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Whole<'_> {
        find_end(bytes, 0).expect("complete")
    }

    #[test]
    fn the_first_bytes_decide_and_a_prefix_never_decides_otherwise() {
        let cases: [(&[u8], Guess); 9] = [
            (b"GET / HTTP/1.1\r\n", Guess::Http(Kind::Request)),
            (b"\r\n\r\nHEAD /x HTTP/1.1\r\n", Guess::Http(Kind::Request)),
            (b"HTTP/1.1 200 OK\r\n", Guess::Http(Kind::Response)),
            (b"HTTP/2.0 200 OK\r\n", Guess::Http(Kind::Response)),
            (b"\x16\x03\x01\x02\x00\x01", Guess::Tls),
            (HTTP2_PREFACE, Guess::Http2),
            (b"SSH-2.0-OpenSSH_9.6\r\n", Guess::Other),
            (b"\x00\x01\x02", Guess::Other),
            (b"220 mail.example ESMTP\r\n", Guess::Http(Kind::Request)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(guess(bytes), expected, "{}", bytes.escape_ascii());
            for cut in 0..bytes.len() {
                let early = guess(&bytes[..cut]);
                assert!(
                    early == expected || early == Guess::Undecided,
                    "{} cut at {cut}: {early:?}",
                    bytes.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn a_banner_that_looks_like_a_method_fails_at_its_line_end() {
        assert!(!first_line_fits(Kind::Request, b"220 mail.example ESMTP\r\n"));
        assert!(!first_line_fits(Kind::Request, b"OPTIONS rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\n"));
        assert!(first_line_fits(Kind::Request, b"GET / HTTP/1.0\n"));
        assert!(first_line_fits(Kind::Response, b"HTTP/1.1 200\r\n"));
        assert!(first_line_fits(Kind::Request, b"GET / HT"));
    }

    #[test]
    fn the_end_is_found_wherever_the_head_is_cut() {
        for head in [
            &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
            b"GET / HTTP/1.1\nHost: a\n\n",
            b"GET / HTTP/1.1\r\nHost: a\n\r\n",
            b"\r\n\nGET / HTTP/1.1\r\n\r\n",
        ] {
            let mut mark = 0;
            for cut in 0..head.len() {
                mark = find_end(&head[..cut], mark).expect_err("not complete");
            }
            let found = find_end(head, mark).map(|whole| (whole.bytes, whole.lines()));
            let lines = find_end(head, 0).map(|whole| (whole.bytes, whole.lines()));
            assert_eq!(found, lines, "{}", head.escape_ascii());
            assert_eq!(found.map(|(bytes, _)| bytes), Ok(head), "{}", head.escape_ascii());
        }
    }

    #[test]
    fn a_folded_field_is_one_field() {
        let head = b"GET / HTTP/1.1\r\nX-A: one\r\n\ttwo\r\n three\r\nHost: h\r\n\r\n";
        let value = read_request(whole(head), Timestamp::default(), 256, |head| {
            head.headers.first("x-a").map(<[u8]>::to_vec)
        });
        let value = value.expect("readable").expect("present");
        assert!(value.starts_with(b"one") && value.ends_with(b"three"));
    }

    #[test]
    fn an_odd_start_line_is_read_as_recipients_read_it() {
        let target = |head: &[u8]| {
            read_request(whole(head), Timestamp::default(), 256, |head| head.target.to_owned())
        };
        assert_eq!(target(b"GET /a b c HTTP/1.1\r\n\r\n").as_deref(), Ok("/a"));
        assert_eq!(target(b"GET  /a  HTTP/1.3\r\nA: b\r\n\r\n").as_deref(), Ok("/a"));
        assert_eq!(target(b"GET /a HTTP/1.1.1\r\n\r\n"), Err(Unreadable::NotAHead));
        assert_eq!(target(b"GET /a\r\n\r\n"), Err(Unreadable::NotAHead));
        let status = |head: &[u8]| {
            read_response(whole(head), Timestamp::default(), 256, |head| {
                (head.status, head.minor_version)
            })
        };
        assert_eq!(status(b"HTTP/1.10 201 x\r\nA: b\r\n\r\n"), Ok((201, 1)));
        assert_eq!(status(b"HTTP/1.0 201\rX: y\r\nA: b\r\n\r\n"), Ok((201, 0)));
    }

    #[test]
    fn a_bare_carriage_return_is_a_space() {
        let head = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\r\nTransfer-Encoding:\r chunked\r\n\r\n";
        let coding = read_response(whole(head), Timestamp::default(), 256, |head| {
            head.headers.first("transfer-encoding").map(<[u8]>::to_vec)
        });
        assert_eq!(coding, Ok(Some(b"chunked".to_vec())));
    }

    #[test]
    fn a_bad_field_hides_no_other() {
        let head = b"GET / HTTP/1.1\r\nBad Name: x\r\nNul: a\0b\r\nHost: h\r\n\r\n";
        let host = read_request(whole(head), Timestamp::default(), 256, |head| {
            head.headers.first("HOST").map(<[u8]>::to_vec)
        });
        assert_eq!(host, Ok(Some(b"h".to_vec())));
    }

    #[test]
    fn a_head_has_at_most_256_fields() {
        let head = |n: usize| {
            let fields: String = (0..n).map(|i| format!("X-{i}: v\r\n")).collect();
            format!("HTTP/1.1 200 OK\r\n{fields}\r\n").into_bytes()
        };
        let count = |n| {
            read_response(whole(&head(n)), Timestamp::default(), 256, |head| {
                head.headers.iter().count()
            })
        };
        assert_eq!(count(256), Ok(256));
        assert_eq!(count(257), Err(Unreadable::TooManyFields));
    }

    #[test]
    fn what_is_known_to_be_clean_is_left_as_it_is_by_tidying_and_nothing_else_is() {
        for (head, clean) in [
            ("GET /a HTTP/1.1\r\nA: b\r\n\r\n", true),
            ("GET /a HTTP/1.1\nA: b\n\n", true),
            ("\r\nGET /a HTTP/1.1\r\nA: b\n\r\n", true),
            ("GET /a HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n", false),
            ("GET /a HTTP/1.1\r\nA: \rb\r\n\r\n", false),
            ("GET /a HTTP/1.1\r\r\nA: b\r\n\r\n", false),
            ("GET /a HTTP/1.1\r\nA: \0b\r\n\r\n", false),
        ] {
            let head = whole(head.as_bytes());
            assert_eq!(head.clean, clean, "{head:?}");
            let unknown = tidy(Whole { clean: false, ..head });
            assert_eq!(matches!(unknown, Cow::Borrowed(_)), clean, "{head:?}");
            assert_eq!(tidy(head), unknown, "{head:?}");
        }
    }
}
