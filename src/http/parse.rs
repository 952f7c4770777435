//! Reading one message head.
//!
//! Takes a head: all of it, or bytes that may hold one at their beginning. Gives its parts: of what most
//! heads are, by [`plain`]; of all others, by `httparse`. Promises that a head is read whole or not at all,
//! and that a part that the parser would refuse hides no other.

use super::fields::Room;
use super::head::{is_version, skip_empty_lines};
use super::plain::{self, Plain, RequestLine, StatusLine};
use super::{Field, Headers, RequestHead, ResponseHead};
use crate::net::Timestamp;
use httparse::Status;
use std::borrow::Cow;
use std::mem::MaybeUninit;

/// The most header fields that a head may have, whatever the limits say.
pub const MAX_HEADER_FIELDS: usize = 1024;

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
fn tidy(head: &[u8]) -> Cow<'_, [u8]> {
    let bare = |at: usize| head.get(at + 1) != Some(&b'\n');
    let folds = |at: usize| matches!(head.get(at + 1), Some(b' ' | b'\t'));
    let clean = memchr::memchr(0, head).is_none()
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

/// A head in its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text<'b> {
    /// All of it and nothing else, however it is spelled: read as recipients read it.
    Whole(&'b [u8]),
    /// It may not be all there, and more may follow it. Read only where it is, and nothing in it has to
    /// be tidied.
    Plain(&'b [u8]),
}

/// How much was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent<'b> {
    /// The head as it was on the wire, with its empty line.
    pub(super) bytes: &'b [u8],
    /// Whether each of its lines was read as it is. Else some may have been passed over, or changed.
    pub(super) plain: bool,
}

/// Reads a request head of at most `max_fields` fields and hands it to `then`.
pub(super) fn read_request<T>(
    text: Text<'_>,
    time: Timestamp,
    max_fields: usize,
    then: impl FnOnce(Extent<'_>, &RequestHead<'_>) -> T,
) -> Result<T, Unreadable> {
    let (Text::Whole(bytes) | Text::Plain(bytes)) = text;
    let mut room = Room::default();
    match (plain::request(bytes, max_fields, &mut room), text) {
        (Some(Plain { line, length }), _) => {
            let RequestLine { method, target, minor_version } = line;
            let headers = room.headers();
            let head = RequestHead { time, method, target, minor_version, headers };
            Ok(then(Extent { bytes: &bytes[..length], plain: true }, &head))
        }
        (None, Text::Plain(_)) => Err(Unreadable::NotAHead),
        (None, Text::Whole(_)) => read_odd_request(bytes, time, max_fields, then),
    }
}

/// Not in line: most heads take no room for so many fields.
#[cold]
fn read_odd_request<T>(
    bytes: &[u8],
    time: Timestamp,
    max_fields: usize,
    then: impl FnOnce(Extent<'_>, &RequestHead<'_>) -> T,
) -> Result<T, Unreadable> {
    let tidied = tidy(skip_empty_lines(bytes));
    let mut room = [const { MaybeUninit::uninit() }; MAX_HEADER_FIELDS];
    let room = &mut room[..max_fields.min(MAX_HEADER_FIELDS)];
    let mut request = httparse::Request::new(&mut []);
    match config().parse_request_with_uninit_headers(&mut request, &tidied, room) {
        Ok(Status::Complete(_)) => {}
        other => return Err(other.into()),
    }
    let (Some(method), Some(target), Some(minor_version)) =
        (request.method, request.path, request.version)
    else {
        return Err(Unreadable::NotAHead);
    };
    let fields = fields(request.headers);
    let headers = Headers::new(&fields);
    let head = RequestHead { time, method, target, minor_version, headers };
    Ok(then(Extent { bytes, plain: false }, &head))
}

fn fields<'h>(headers: &[httparse::Header<'h>]) -> Vec<Field<'h>> {
    headers.iter().map(|field| Field::new(field.name.as_bytes(), field.value)).collect()
}

/// Reads a response head of at most `max_fields` fields and hands it to `then`.
pub(super) fn read_response<T>(
    text: Text<'_>,
    time: Timestamp,
    max_fields: usize,
    then: impl FnOnce(Extent<'_>, &ResponseHead<'_>) -> T,
) -> Result<T, Unreadable> {
    let (Text::Whole(bytes) | Text::Plain(bytes)) = text;
    let mut room = Room::default();
    match (plain::response(bytes, max_fields, &mut room), text) {
        (Some(Plain { line, length }), _) => {
            let StatusLine { minor_version, status } = line;
            let head = ResponseHead { time, status, minor_version, headers: room.headers() };
            Ok(then(Extent { bytes: &bytes[..length], plain: true }, &head))
        }
        (None, Text::Plain(_)) => Err(Unreadable::NotAHead),
        (None, Text::Whole(_)) => read_odd_response(bytes, time, max_fields, then),
    }
}

/// Not in line: most heads take no room for so many fields.
#[cold]
fn read_odd_response<T>(
    bytes: &[u8],
    time: Timestamp,
    max_fields: usize,
    then: impl FnOnce(Extent<'_>, &ResponseHead<'_>) -> T,
) -> Result<T, Unreadable> {
    let tidied = tidy(skip_empty_lines(bytes));
    let mut room = [const { MaybeUninit::uninit() }; MAX_HEADER_FIELDS];
    let room = &mut room[..max_fields.min(MAX_HEADER_FIELDS)];
    let mut response = httparse::Response::new(&mut []);
    match config().parse_response_with_uninit_headers(&mut response, &tidied, room) {
        Ok(Status::Complete(_)) => {}
        other => return Err(other.into()),
    }
    let (Some(status @ 100..), Some(minor_version)) = (response.code, response.version) else {
        return Err(Unreadable::NotAHead);
    };
    let fields = fields(response.headers);
    let head = ResponseHead { time, status, minor_version, headers: Headers::new(&fields) };
    Ok(then(Extent { bytes, plain: false }, &head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head::find_end;

    fn whole(bytes: &[u8]) -> Text<'_> {
        Text::Whole(&bytes[..find_end(bytes, 0).expect("complete")])
    }

    #[test]
    fn a_folded_field_is_one_field() {
        let head = b"GET / HTTP/1.1\r\nX-A: one\r\n\ttwo\r\n three\r\nHost: h\r\n\r\n";
        let value = read_request(whole(head), Timestamp::default(), 256, |_, head| {
            head.headers.first("x-a").map(<[u8]>::to_vec)
        });
        let value = value.expect("readable").expect("present");
        assert!(value.starts_with(b"one") && value.ends_with(b"three"));
    }

    #[test]
    fn an_odd_start_line_is_read_as_recipients_read_it() {
        let target = |head: &[u8]| {
            read_request(whole(head), Timestamp::default(), 256, |_, head| head.target.to_owned())
        };
        assert_eq!(target(b"GET /a b c HTTP/1.1\r\n\r\n").as_deref(), Ok("/a"));
        assert_eq!(target(b"GET  /a  HTTP/1.3\r\nA: b\r\n\r\n").as_deref(), Ok("/a"));
        assert_eq!(target(b"GET /a HTTP/1.1.1\r\n\r\n"), Err(Unreadable::NotAHead));
        assert_eq!(target(b"GET /a\r\n\r\n"), Err(Unreadable::NotAHead));
        let status = |head: &[u8]| {
            read_response(whole(head), Timestamp::default(), 256, |_, head| {
                (head.status, head.minor_version)
            })
        };
        assert_eq!(status(b"HTTP/1.10 201 x\r\nA: b\r\n\r\n"), Ok((201, 1)));
        assert_eq!(status(b"HTTP/1.0 201\rX: y\r\nA: b\r\n\r\n"), Ok((201, 0)));
    }

    #[test]
    fn a_bare_carriage_return_is_a_space() {
        let head = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\r\nTransfer-Encoding:\r chunked\r\n\r\n";
        let coding = read_response(whole(head), Timestamp::default(), 256, |_, head| {
            head.headers.first("transfer-encoding").map(<[u8]>::to_vec)
        });
        assert_eq!(coding, Ok(Some(b"chunked".to_vec())));
    }

    #[test]
    fn a_bad_field_hides_no_other() {
        let head = b"GET / HTTP/1.1\r\nBad Name: x\r\nNul: a\0b\r\nHost: h\r\n\r\n";
        let host = read_request(whole(head), Timestamp::default(), 256, |_, head| {
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
            read_response(whole(&head(n)), Timestamp::default(), 256, |_, head| {
                head.headers.iter().count()
            })
        };
        assert_eq!(count(256), Ok(256));
        assert_eq!(count(257), Err(Unreadable::TooManyFields));
    }

    /// What is to be tidied, and much that is not.
    const PARTS: [&str; 17] = [
        "GET /a HTTP/1.1\r\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.0 200\r\n",
        "GET  /a HTTP/1.0\n",
        "HTTP/1.2 200 \rOK\r\n",
        "A: b\r\n",
        "Content-Length: 5\r\n",
        "C:\n",
        " d\r\n",
        "E : f\r\n",
        "G: \rh\r\n",
        "I: \0\r\n",
        "J\0: k\r\n",
        "\u{7f}: l \t\r\n",
        "M\r\n",
        "\r",
        "é: é\r\n",
    ];

    proptest::proptest! {
        #[test]
        fn a_head_is_read_as_if_it_was_tidied_first(
            parts in proptest::collection::vec(0..PARTS.len(), 1..6),
            more in proptest::bool::ANY,
        ) {
            let mut text: String = parts.into_iter().map(|part| PARTS[part]).chain(["\r\n\r\n"]).collect();
            // There may be nothing but empty lines.
            let Ok(end) = find_end(text.as_bytes(), 0) else { return Ok(()) };
            text.push_str(if more { "GET / HTTP/1.1\r\n\r\n" } else { "" });
            let (whole, time) = (&text.as_bytes()[..end], Timestamp::default());
            let of_request = |extent: Extent<'_>, head: &RequestHead<'_>| {
                (extent.bytes.len(), format!("{head:?}"))
            };
            let asked = read_request(Text::Whole(whole), time, 4, of_request);
            proptest::prop_assert_eq!(&asked, &read_odd_request(whole, time, 4, of_request));
            let plain = read_request(Text::Plain(text.as_bytes()), time, 4, of_request);
            proptest::prop_assert!(plain.is_err() || plain == asked);
            let of_response = |extent: Extent<'_>, head: &ResponseHead<'_>| {
                (extent.bytes.len(), format!("{head:?}"))
            };
            let answered = read_response(Text::Whole(whole), time, 4, of_response);
            proptest::prop_assert_eq!(&answered, &read_odd_response(whole, time, 4, of_response));
            let plain = read_response(Text::Plain(text.as_bytes()), time, 4, of_response);
            proptest::prop_assert!(plain.is_err() || plain == answered);
        }
    }
}
