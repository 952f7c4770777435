//! Message bodies: how long they are, and walking over them without keeping them.
//!
//! Takes a head's framing fields, then the bytes (or gaps) that follow. Gives how many of the
//! bytes belong to the body. Promises that an identity body costs arithmetic only, and that a
//! gap is either passed exactly or refused.

use super::Headers;

/// How a message body ends (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After this many bytes; 0 where there is no body.
    Length(u64),
    /// With its last chunk.
    Chunked,
    /// With its direction.
    UntilClose,
    /// Cannot be known: the fields contradict each other.
    Unknown,
}

/// A request's body (RFC 9112 §6.3 rules 3 to 7).
pub(super) fn of_request(headers: Headers<'_>) -> Framing {
    match transfer_coding(headers) {
        Some(Coding::Chunked) => Framing::Chunked,
        Some(Coding::Other) => Framing::Unknown,
        None => match content_length(headers) {
            Ok(length) => Framing::Length(length.unwrap_or(0)),
            Err(Conflict) => Framing::Unknown,
        },
    }
}

/// The body of a response that may have one: the caller knows of HEAD, CONNECT, 1xx, 204 and
/// 304 (RFC 9112 §6.3 rules 3 to 8).
pub(super) fn of_response(headers: Headers<'_>) -> Framing {
    match transfer_coding(headers) {
        Some(Coding::Chunked) => Framing::Chunked,
        Some(Coding::Other) => Framing::UntilClose,
        None => match content_length(headers) {
            Ok(Some(length)) => Framing::Length(length),
            Ok(None) => Framing::UntilClose,
            Err(Conflict) => Framing::Unknown,
        },
    }
}

enum Coding {
    Chunked,
    Other,
}

/// The final transfer coding (RFC 9112 §6.1), but for `identity` (RFC 2616 §3.6), which is none.
fn transfer_coding(headers: Headers<'_>) -> Option<Coding> {
    let codings = headers.all("transfer-encoding").flat_map(|value| value.split(|b| *b == b','));
    let none = |coding: &&[u8]| coding.is_empty() || coding.eq_ignore_ascii_case(b"identity");
    let last = codings.map(<[u8]>::trim_ascii).filter(|coding| !none(coding)).last()?;
    Some(if last.eq_ignore_ascii_case(b"chunked") { Coding::Chunked } else { Coding::Other })
}

/// Values that contradict each other, or no number.
#[derive(Debug, PartialEq, Eq)]
struct Conflict;

/// `Content-Length` (RFC 9110 §8.6): digits only; a list of equal numbers is that number.
fn content_length(headers: Headers<'_>) -> Result<Option<u64>, Conflict> {
    let mut known = None;
    for value in headers.all("content-length") {
        let length = decimal(value).or_else(|| list(value)).ok_or(Conflict)?;
        if known.is_some_and(|other| other != length) {
            return Err(Conflict);
        }
        known = Some(length);
    }
    Ok(known)
}

/// Equal numbers.
#[cold]
fn list(value: &[u8]) -> Option<u64> {
    let mut lengths = value.split(|b| *b == b',').map(|part| decimal(part.trim_ascii()));
    let first = lengths.next()??;
    lengths.all(|length| length == Some(first)).then_some(first)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let add = |number: u64, digit: &u8| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}

/// A body being walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// This many bytes are left, at least one.
    Length(u64),
    /// Chunks.
    Chunked(Chunked),
    /// Everything up to the end of the direction.
    UntilClose,
}

/// What a walk over some bytes came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Walk {
    /// Bytes of content.
    pub(super) content: usize,
    /// Bytes of chunk framing and trailers.
    pub(super) framing: usize,
    /// Where it stopped.
    pub(super) stop: Stop,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stop {
    /// At the end of the bytes.
    #[default]
    More,
    /// At the end of the body.
    Done,
    /// At bytes that are no chunk framing; they are not part of the count.
    Broken,
}

impl Body {
    /// Walks over `bytes`.
    pub(super) fn walk(&mut self, bytes: &[u8]) -> Walk {
        match self {
            Self::UntilClose => Walk { content: bytes.len(), ..Walk::default() },
            Self::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= taken as u64;
                let stop = if *left == 0 { Stop::Done } else { Stop::More };
                Walk { content: taken, framing: 0, stop }
            }
            Self::Chunked(chunked) => chunked.walk(bytes),
        }
    }

    /// Passes over `n` missing bytes. How many of them are content, and whether the body is
    /// done with them; `None` where that cannot be known.
    pub(super) fn skip(&mut self, n: u64) -> Option<(u64, Stop)> {
        match self {
            Self::UntilClose => Some((n, Stop::More)),
            Self::Length(left) => {
                *left = left.checked_sub(n)?;
                Some((n, if *left == 0 { Stop::Done } else { Stop::More }))
            }
            Self::Chunked(chunked) => {
                *chunked.data_left()? = chunked.data_left()?.checked_sub(n)?;
                chunked.after_data();
                Some((n, Stop::More))
            }
        }
    }

    /// Whether all of the content was passed, and only trailers may follow.
    pub(super) const fn is_in_trailers(&self) -> bool {
        matches!(self, Self::Chunked(Chunked { at: At::TrailerStart | At::Trailer, .. }))
    }

    /// How many of the next bytes are content for sure.
    pub(super) const fn certain(&self) -> u64 {
        match self {
            Self::Length(left) | Self::Chunked(Chunked { at: At::Data(left), .. }) => *left,
            _ => 0,
        }
    }
}

/// The chunked coding (RFC 9112 §7.1), between two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunked {
    at: At,
    /// Bytes of the line, or of the trailer section, that is being read.
    length: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// In the size's digits, with the value so far.
    Size(u64),
    /// After the digits: an extension, up to the line's end.
    Extension(u64),
    /// In the data.
    Data(u64),
    /// Behind the data, before its line end.
    DataEnd,
    /// At the start of a trailer line, or of the final empty line.
    TrailerStart,
    /// In a trailer line.
    Trailer,
}

/// The longest chunk-size line, and the longest trailer section, in bytes.
const MAX_FRAMING_BYTES: u32 = 64 * 1024;

impl Chunked {
    pub(super) const START: Self = Self { at: At::Size(0), length: 0 };

    fn data_left(&mut self) -> Option<&mut u64> {
        match &mut self.at {
            At::Data(left) => Some(left),
            _ => None,
        }
    }

    fn after_data(&mut self) {
        if self.at == At::Data(0) {
            *self = Self { at: At::DataEnd, length: 0 };
        }
    }

    fn walk(&mut self, bytes: &[u8]) -> Walk {
        let mut walk = Walk::default();
        while let Some(byte) = bytes.get(walk.content + walk.framing) {
            if let Some(left) = self.data_left() {
                let rest = bytes.len() - walk.content - walk.framing;
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest);
                *left -= taken as u64;
                walk.content += taken;
                self.after_data();
                continue;
            }
            match self.step(*byte) {
                Ok(done) => {
                    walk.framing += 1;
                    if done {
                        walk.stop = Stop::Done;
                        break;
                    }
                }
                Err(()) => {
                    walk.stop = Stop::Broken;
                    break;
                }
            }
        }
        walk
    }

    /// One byte of framing. `Ok(true)` when it is the body's last.
    fn step(&mut self, byte: u8) -> Result<bool, ()> {
        self.length += 1;
        if self.length > MAX_FRAMING_BYTES {
            return Err(());
        }
        self.at = match (self.at, byte) {
            (At::Size(size) | At::Extension(size), b'\n') => return self.size_line_end(size),
            (At::Size(size), _) => self.size_digit(size, byte)?,
            (At::DataEnd, b'\n') => {
                self.length = 0;
                At::Size(0)
            }
            (At::DataEnd, b'\r') if self.length == 1 => At::DataEnd,
            (At::DataEnd, _) => return Err(()),
            (At::TrailerStart, b'\n') => return Ok(true),
            (At::TrailerStart, b'\r') => At::TrailerStart,
            (At::Trailer, b'\n') => At::TrailerStart,
            (At::TrailerStart | At::Trailer, _) => At::Trailer,
            (at @ (At::Extension(_) | At::Data(_)), _) => at,
        };
        Ok(false)
    }

    fn size_digit(&self, size: u64, byte: u8) -> Result<At, ()> {
        match (byte as char).to_digit(16) {
            Some(digit) if size >> 60 == 0 => Ok(At::Size(size << 4 | u64::from(digit))),
            Some(_) => Err(()),
            // Digits come first; then extensions, or the line's end. White space is tolerated.
            None if self.length > 1 && matches!(byte, b';' | b'\r' | b' ' | b'\t') => {
                Ok(At::Extension(size))
            }
            None => Err(()),
        }
    }

    fn size_line_end(&mut self, size: u64) -> Result<bool, ()> {
        if self.length == 1 {
            return Err(());
        }
        let at = if size == 0 { At::TrailerStart } else { At::Data(size) };
        *self = Self { at, length: 0 };
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Field;

    fn framing_of(fields: &[(&str, &str)]) -> (Framing, Framing) {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| Field::new(name.as_bytes(), value.as_bytes()))
            .collect();
        (of_request(Headers::new(&fields)), of_response(Headers::new(&fields)))
    }

    #[test]
    fn the_head_says_how_the_body_ends() {
        use Framing::*;
        type Fields = &'static [(&'static str, &'static str)];
        let cases: &[(Fields, Framing, Framing)] = &[
            (&[], Length(0), UntilClose),
            (&[("Content-Length", "5")], Length(5), Length(5)),
            (&[("content-length", "5"), ("Content-Length", "5")], Length(5), Length(5)),
            (&[("Content-Length", "5, 5")], Length(5), Length(5)),
            (&[("Content-Length", "005")], Length(5), Length(5)),
            (&[("Content-Length", "5"), ("Content-Length", "6")], Unknown, Unknown),
            (&[("Content-Length", "-1")], Unknown, Unknown),
            (&[("Content-Length", "+5")], Unknown, Unknown),
            (&[("Content-Length", "18446744073709551616")], Unknown, Unknown),
            (&[("Transfer-Encoding", "Chunked"), ("Content-Length", "5")], Chunked, Chunked),
            (&[("Transfer-Encoding", "gzip, chunked")], Chunked, Chunked),
            (&[("Transfer-Encoding", "chunked, gzip")], Unknown, UntilClose),
            (&[("Transfer-Encoding", "identity"), ("Content-Length", "5")], Length(5), Length(5)),
        ];
        for (fields, request, response) in cases {
            assert_eq!(framing_of(fields), (*request, *response), "{fields:?}");
        }
    }

    #[test]
    fn chunks_are_walked_the_same_however_they_are_cut() {
        let body =
            b"5;name=\"v\"\r\nhello\r\n1A \r\nabcdefghijklmnopqrstuvwxyz\n0\r\nX-T: 1\r\n\r\n";
        for cut in 0..body.len() {
            let mut chunked = Body::Chunked(Chunked::START);
            let first = chunked.walk(&body[..cut]);
            let second = chunked.walk(&body[cut..]);
            assert_eq!(first.content + second.content, 31, "cut at {cut}");
            assert_eq!(first.framing + second.framing, body.len() - 31, "cut at {cut}");
            assert_eq!(second.stop, Stop::Done, "cut at {cut}");
        }
    }

    #[test]
    fn what_follows_the_last_chunk_is_not_taken() {
        let mut body = Body::Chunked(Chunked::START);
        let walk = body.walk(b"0\r\n\r\nHTTP/1.1 200 OK\r\n");
        assert_eq!((walk.content, walk.framing, walk.stop), (0, 5, Stop::Done));
    }

    #[test]
    fn broken_chunk_framing_is_refused() {
        for bytes in [
            &b"\r\n"[..],
            b"x\r\n",
            b"-1\r\n",
            b"11111111111111111\r\n",
            b"2\r\nabc\r\n",
            b";ext\r\n",
            b"2\r\nab\r\r\n",
        ] {
            let mut body = Body::Chunked(Chunked::START);
            assert_eq!(body.walk(bytes).stop, Stop::Broken, "{}", bytes.escape_ascii());
        }
        let mut endless = Body::Chunked(Chunked::START);
        assert_eq!(endless.walk(b"0\r\n").stop, Stop::More);
        assert_eq!(endless.walk(&[b'a'; 70_000]).stop, Stop::Broken);
    }

    #[test]
    fn a_gap_is_passed_inside_content_only() {
        let mut body = Body::Length(10);
        assert_eq!(body.skip(4), Some((4, Stop::More)));
        assert_eq!(body.certain(), 6);
        assert_eq!(body.skip(7), None);
        assert_eq!(Body::Length(10).skip(10), Some((10, Stop::Done)));

        let mut chunked = Body::Chunked(Chunked::START);
        assert_eq!(chunked.skip(1), None);
        chunked.walk(b"a\r\n12");
        assert_eq!(chunked.certain(), 8);
        assert_eq!({ chunked }.skip(9), None);
        assert_eq!(chunked.skip(8), Some((8, Stop::More)));
        assert_eq!(chunked.walk(b"\r\n0\r\n").stop, Stop::More);
        assert!(chunked.is_in_trailers());
        assert_eq!(chunked.walk(b"\r\n").stop, Stop::Done);
    }
}
