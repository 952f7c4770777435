//! The server name in a TLS ClientHello: of what cannot be read, where it goes.

/// A ClientHello is looked for in so many bytes at most; what is longer has no name. (Those with
/// post-quantum key shares have about 2 KiB.)
const MAX_BYTES: usize = 20_480;
/// And in so many records.
const MAX_RECORDS: usize = 8;
/// A host name is at most this long (RFC 1035 §2.3.4).
const MAX_NAME: usize = 255;
/// What stands for a name that is none.
const INVALID_NAME: &str = "__invalid__";

const RECORD_HEADER: usize = 5;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const HOST_NAME: u8 = 0;

/// What the first bytes of a direction hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hello {
    /// The beginning of a ClientHello: more can be said when there are so many bytes.
    Needs(usize),
    /// A whole ClientHello with that name in lower case, or [`INVALID_NAME`].
    Named(String),
    /// One without a name, or something else.
    Nameless,
}

/// Reads the first bytes of a direction that speaks TLS (RFC 8446 §5.1, §4, §4.1.2; the name:
/// RFC 6066 §3). A ClientHello may span several records.
pub(super) fn read(bytes: &[u8]) -> Hello {
    let mut message = Vec::new();
    let mut at = 0;
    for _ in 0..MAX_RECORDS {
        let Some(header) = bytes.get(at..at + RECORD_HEADER) else {
            return needs(at + RECORD_HEADER);
        };
        if header[0] != HANDSHAKE {
            return Hello::Nameless;
        }
        let end = at + RECORD_HEADER + usize::from(u16::from_be_bytes([header[3], header[4]]));
        let part = &bytes[at + RECORD_HEADER..end.min(bytes.len())];
        message.extend_from_slice(part);
        if message.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
            return Hello::Nameless;
        }
        if let [_, a, b, c, rest @ ..] = message.as_slice() {
            let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            if let Some(body) = rest.get(..len) {
                return server_name(body).map_or(Hello::Nameless, Hello::Named);
            }
        }
        if end > bytes.len() {
            return needs(end);
        }
        at = end;
    }
    Hello::Nameless
}

fn needs(bytes: usize) -> Hello {
    if bytes > MAX_BYTES { Hello::Nameless } else { Hello::Needs(bytes) }
}

/// The name in a ClientHello's body; `None` also where the body is malformed.
fn server_name(mut body: &[u8]) -> Option<String> {
    // Version and random; session id, cipher suites, compression methods.
    take(&mut body, 2 + 32)?;
    take_sized(&mut body, 1)?;
    take_sized(&mut body, 2)?;
    take_sized(&mut body, 1)?;
    let mut extensions = take_sized(&mut body, 2)?;
    loop {
        let kind = take(&mut extensions, 2)?;
        let mut data = take_sized(&mut extensions, 2)?;
        if kind == SERVER_NAME.to_be_bytes() {
            let mut list = take_sized(&mut data, 2)?;
            return match take(&mut list, 1)? {
                [HOST_NAME] => Some(normalise(take_sized(&mut list, 2)?)),
                _ => None,
            };
        }
    }
}

/// Anyone can choose the name: what is no host name stays outside.
fn normalise(name: &[u8]) -> String {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    let name = name.strip_suffix(b".").unwrap_or(name);
    if name.is_empty()
        || name.len() > MAX_NAME
        || name.starts_with(b"__")
        || !name.iter().all(is_name)
    {
        return INVALID_NAME.to_owned();
    }
    String::from_utf8_lossy(name).to_ascii_lowercase()
}

fn take<'b>(bytes: &mut &'b [u8], n: usize) -> Option<&'b [u8]> {
    let (taken, rest) = bytes.split_at_checked(n)?;
    *bytes = rest;
    Some(taken)
}

/// Takes what a length of `width` bytes stands before.
fn take_sized<'b>(bytes: &mut &'b [u8], width: usize) -> Option<&'b [u8]> {
    let len = take(bytes, width)?.iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
    take(bytes, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(width: usize, data: &[u8]) -> Vec<u8> {
        [&(data.len() as u32).to_be_bytes()[4 - width..], data].concat()
    }

    fn hello(name: Option<&[u8]>) -> Vec<u8> {
        let mut extensions = [&[0, 43][..], &sized(2, &[2, 3, 4])].concat();
        if let Some(name) = name {
            let entry = [&[HOST_NAME][..], &sized(2, name)].concat();
            extensions.extend([&[0, 0][..], &sized(2, &sized(2, &entry))].concat());
        }
        let body = [
            &[3, 3][..],
            &[7; 32],
            &sized(1, &[9; 32]),
            &sized(2, &[0x13, 1]),
            &sized(1, &[0]),
            &sized(2, &extensions),
        ];
        [&[CLIENT_HELLO][..], &sized(3, &body.concat())].concat()
    }

    fn records(message: &[u8], size: usize) -> Vec<u8> {
        let record = |part| [&[HANDSHAKE, 3, 1][..], &sized(2, part)].concat();
        message.chunks(size).flat_map(record).collect()
    }

    #[test]
    fn the_name_is_found_however_the_hello_is_cut() {
        let message = hello(Some(b"S3.example.COM."));
        for size in [16_384, message.len(), 50, 20] {
            let bytes = records(&message, size);
            let mut have = 0;
            let read = loop {
                match read(&bytes[..have]) {
                    Hello::Needs(n) => {
                        assert!(n > have && n <= bytes.len(), "{n} of {}", bytes.len());
                        have = n;
                    }
                    read => break read,
                }
            };
            assert_eq!(read, Hello::Named("s3.example.com".to_owned()), "records of {size}");
        }
    }

    #[test]
    fn what_has_no_name_is_nameless_at_once() {
        assert_eq!(read(&records(&hello(None), 16_384)), Hello::Nameless);
        assert_eq!(read(&[23, 3, 3, 0, 9, 1]), Hello::Nameless);
        assert_eq!(read(&[22, 3, 3, 0, 9, 2]), Hello::Nameless);
        // More records than anyone sends, and a longer one than there can be.
        assert_eq!(read(&records(&hello(Some(b"a.b")), 1)), Hello::Nameless);
        assert_eq!(read(&[22, 3, 1, 0xff, 0xff, 1, 0, 0xff]), Hello::Nameless);
    }

    #[test]
    fn what_is_no_name_does_not_become_one() {
        for name in [&b"a b"[..], b"", b"\xff", b"a\"b", b"__other__", &[b'a'; 256]] {
            let read = read(&records(&hello(Some(name)), 16_384));
            assert_eq!(read, Hello::Named(INVALID_NAME.to_owned()));
        }
    }

    #[test]
    fn nothing_cut_or_changed_is_more_than_nameless_or_waiting() {
        let bytes = records(&hello(Some(b"s3.example.com")), 16_384);
        for i in 0..bytes.len() {
            assert!(matches!(read(&bytes[..i]), Hello::Needs(_)), "{i}");
            for change in 1..=255 {
                let mut changed = bytes.clone();
                changed[i] ^= change;
                // It need only end.
                let _ = read(&changed);
            }
        }
    }
}
