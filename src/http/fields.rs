//! The header fields of a head.
//!
//! Takes names and values as they stand in a head. Gives them in wire order, and those of a name.
//! Promises that a name is found however its letters are spelled, and that to learn that a field is not
//! there costs hardly anything, as most that are asked for are not.

use arrayvec::ArrayVec;

/// How many fields nearly all heads have at most: room for so many is on the stack at no cost.
pub(super) const PLAIN_FIELDS: usize = 64;

/// How many bytes [`Field::start`] holds.
const START: usize = size_of::<u64>();
/// The bit in which the two cases of a letter differ, in each byte. Digits and `-` have it as well, and of
/// what is a letter, a digit or `-` with it, no other byte that a name may have is that without it.
const LETTER_CASE: u64 = u64::from_le_bytes([0x20; START]);

/// A header field.
#[derive(Clone, Copy, Debug)]
pub struct Field<'h> {
    name: &'h [u8],
    value: &'h [u8],
    /// What [`start`] says of the name.
    start: u64,
}

impl<'h> Field<'h> {
    /// A field of this name, a token (RFC 9110 §5.1, §5.6.2), and value (§5.5: without surrounding white
    /// space).
    #[inline]
    pub const fn new(name: &'h [u8], value: &'h [u8]) -> Self {
        Self { name, value, start: start(name) }
    }

    /// Its name, as it was spelled.
    pub const fn name(&self) -> &'h [u8] {
        self.name
    }

    /// Its value, without surrounding white space.
    pub const fn value(&self) -> &'h [u8] {
        self.value
    }

    /// Whether this is its name (RFC 9110 §5.1: case does not matter). `name` is of letters, digits and `-`.
    #[inline(always)]
    pub fn is(&self, name: &str) -> bool {
        self.is_named(name, start(name.as_bytes()))
    }

    /// The same, where it is known how that name starts.
    #[inline(always)]
    fn is_named(&self, name: &str, start: u64) -> bool {
        self.name.len() == name.len()
            && self.start == start
            && (name.len() <= START
                || self.name[START..].eq_ignore_ascii_case(&name.as_bytes()[START..]))
    }

    /// The first byte of its name; a letter in lower case.
    #[inline(always)]
    pub const fn initial(&self) -> u8 {
        self.start as u8
    }

    /// What follows `prefix`, of letters, digits and `-`, in its name, as it was spelled, if that begins so.
    #[inline(always)]
    pub fn after(&self, prefix: &str) -> Option<&'h [u8]> {
        let prefix = prefix.as_bytes();
        let (head, rest) = prefix.split_at(prefix.len().min(START));
        let shown = u64::MAX.checked_shr(8 * (START - head.len()) as u32).unwrap_or(0);
        if (self.start ^ start(head)) & shown != 0 {
            return None;
        }
        let (begin, after) = self.name.get(head.len()..)?.split_at_checked(rest.len())?;
        begin.eq_ignore_ascii_case(rest).then_some(after)
    }
}

/// The first eight bytes of a name, with letters in lower case, the first one lowest. Where there are fewer
/// than eight, bytes that no name has.
#[inline(always)]
const fn start(name: &[u8]) -> u64 {
    let start = match name.first_chunk::<START>() {
        Some(start) => u64::from_le_bytes(*start),
        None => short(name),
    };
    start | LETTER_CASE
}

#[inline(always)]
const fn short(name: &[u8]) -> u64 {
    let (mut start, mut at) = (0, 0);
    while at < name.len() {
        start |= (name[at] as u64) << (8 * at);
        at += 1;
    }
    start
}

/// Room for the fields of a head while it is read, in no memory of its own.
#[derive(Debug, Default)]
pub struct Room<'h> {
    fields: ArrayVec<Field<'h>, PLAIN_FIELDS>,
    lengths: Lengths,
}

impl<'h> Room<'h> {
    /// Adds a field; `None` where there is no room.
    #[inline(always)]
    pub(super) fn push(&mut self, field: Field<'h>) -> Option<()> {
        self.lengths.note(&field);
        self.fields.try_push(field).ok()
    }

    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// Those that were read.
    pub fn headers(&self) -> Headers<'_> {
        Headers { fields: &self.fields, lengths: self.lengths }
    }
}

/// The header fields of a head, in wire order. Names match case-insensitively
/// (RFC 9110 §5.1); values are bytes, without surrounding white space (RFC 9110 §5.5).
#[derive(Clone, Copy, Debug)]
pub struct Headers<'h> {
    fields: &'h [Field<'h>],
    lengths: Lengths,
}

/// Which lengths the names of a head have: a bit for each, modulo 64.
#[derive(Clone, Copy, Debug, Default)]
struct Lengths {
    /// Those that occur: most fields that are asked for are not there, and no other name is as long.
    some: u64,
    /// Those that occur more than once: of the others no second field is looked for.
    several: u64,
}

impl Lengths {
    #[inline(always)]
    const fn note(&mut self, field: &Field<'_>) {
        let bit = length_bit(field.name);
        self.several |= self.some & bit;
        self.some |= bit;
    }
}

const fn length_bit(name: &[u8]) -> u64 {
    1 << (name.len() % 64)
}

impl<'h> Headers<'h> {
    /// Wraps fields.
    pub fn new(fields: &'h [Field<'h>]) -> Self {
        let mut lengths = Lengths::default();
        fields.iter().for_each(|field| lengths.note(field));
        Self { fields, lengths }
    }

    /// Every field, in wire order.
    pub fn iter(self) -> impl Iterator<Item = &'h Field<'h>> {
        self.fields.iter()
    }

    /// The values of every field called `name`, of letters, digits and `-`, in wire order.
    #[inline(always)]
    pub fn all<'n>(self, name: &'n str) -> Values<'h, 'n> {
        let bit = length_bit(name.as_bytes());
        let fields = if self.lengths.some & bit != 0 { self.fields } else { &[] };
        let repeated = self.lengths.several & bit != 0;
        Values { fields, name, start: start(name.as_bytes()), repeated }
    }

    /// The value of the first field called `name`.
    #[inline]
    pub fn first(self, name: &str) -> Option<&'h [u8]> {
        self.all(name).next()
    }
}

/// The values of the fields of one name, in wire order.
#[derive(Clone, Copy, Debug)]
pub struct Values<'h, 'n> {
    /// Those that were not looked at yet.
    fields: &'h [Field<'h>],
    name: &'n str,
    /// What [`start`] says of it.
    start: u64,
    /// Whether there may be more than one.
    repeated: bool,
}

impl<'h> Values<'h, '_> {
    /// Not in line: this is where there may be one.
    #[inline(never)]
    fn seek(&mut self) -> Option<&'h [u8]> {
        let fields = std::mem::take(&mut self.fields);
        let at = fields.iter().position(|field| field.is_named(self.name, self.start))?;
        if self.repeated {
            self.fields = &fields[at + 1..];
        }
        Some(fields[at].value)
    }
}

impl<'h> Iterator for Values<'h, '_> {
    type Item = &'h [u8];

    #[inline(always)]
    fn next(&mut self) -> Option<&'h [u8]> {
        if self.fields.is_empty() { None } else { self.seek() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head::is_token;

    fn field(name: &[u8]) -> Field<'_> {
        Field::new(name, b"")
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config {
            failure_persistence: None,
            ..Default::default()
        })]
        #[test]
        fn a_name_is_the_same_however_its_letters_are_spelled(
            name in "[A-Za-z0-9-]{0,20}",
            other in "[A-Za-z0-9-]{0,20}",
        ) {
            let (upper, lower) = (name.to_ascii_uppercase(), name.to_ascii_lowercase());
            let field = field(name.as_bytes());
            proptest::prop_assert!(field.is(&upper) && field.is(&lower));
            proptest::prop_assert_eq!(field.is(&other), name.eq_ignore_ascii_case(&other));
        }

        #[test]
        fn what_follows_a_prefix_is_what_a_name_has_beyond_it(
            name in "[Aa^~-]{0,12}",
            prefix in "[Aa-]{0,10}",
        ) {
            let begins = name.get(..prefix.len()).is_some_and(|it| it.eq_ignore_ascii_case(&prefix));
            let expected = begins.then(|| &name.as_bytes()[prefix.len()..]);
            proptest::prop_assert_eq!(field(name.as_bytes()).after(&prefix), expected);
        }
    }

    #[test]
    fn no_other_byte_of_a_name_is_taken_for_a_letter_a_digit_or_a_dash() {
        let is_asked = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        for asked in (0..=u8::MAX).filter(is_asked) {
            for named in (0..=u8::MAX).filter(|byte| is_token(*byte)) {
                let (name, asked) = ([b'x', named], format!("x{}", char::from(asked)));
                let same = name.eq_ignore_ascii_case(asked.as_bytes());
                assert_eq!(field(&name).is(&asked), same, "{} {asked}", name.escape_ascii());
            }
        }
    }

    #[test]
    fn fields_are_found_by_name_in_wire_order() {
        let fields = [
            Field::new(b"Content-Length", b"1"),
            Field::new(b"Content-Lengtj", b"2"),
            Field::new(b"CONTENT-LENGTH", b"3"),
        ];
        let headers = Headers::new(&fields);
        let values: Vec<_> = headers.all("content-length").collect();
        assert_eq!(values, [b"1", b"3"]);
        assert_eq!(headers.first("content-lengtk"), None);
        assert_eq!(headers.iter().count(), 3);
    }
}
