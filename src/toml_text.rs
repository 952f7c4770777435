//! TOML files that people write: what is in them, where that is, and what is wrong with it.
//!
//! Takes a file. Gives its table, with the place of each thing in it, and [`Mistake`]s, which say
//! where they are. Promises bounded memory, and that what is left of a broken line is told apart from
//! what was meant. Knows nothing of what tables mean.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The most bytes of a file: more than anyone writes.
const MAX_BYTES: u64 = 1 << 20;

/// Where something is in a file. Both count from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    line: usize,
    column: usize,
}

impl Place {
    /// Where the byte at `offset` is, or the text's end.
    pub(crate) fn of(text: &str, offset: Option<usize>) -> Self {
        let before = &text.as_bytes()[..offset.unwrap_or(text.len()).min(text.len())];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |n| n + 1);
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        Self { line, column }
    }
}

/// Something wrong in a file. Displays as what follows the file's name.
#[derive(Clone, Debug)]
pub(crate) struct Mistake {
    pub(crate) place: Option<Place>,
    pub(crate) key: Option<String>,
    pub(crate) text: String,
}

impl Display for Mistake {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(Place { line, column }) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ": {key}")?;
        }
        write!(f, ": {}", self.text)
    }
}

/// A file's text; or, where it is not text, what is wrong.
///
/// # Errors
///
/// The system's; the file has more than 1 MiB.
pub(crate) fn read(path: &Path) -> io::Result<Result<String, Mistake>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("it is too long for a file of settings"));
    }
    Ok(String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let place = Place::of(&String::from_utf8_lossy(valid), None);
        let text = "this is not UTF-8; write the file in UTF-8".to_owned();
        Mistake { place: Some(place), key: None, text }
    }))
}

/// What TOML says a text holds, and where the text is not TOML.
pub(crate) struct Document<'t> {
    text: &'t str,
    table: Spanned<DeTable<'t>>,
    broken: Vec<Mistake>,
}

impl<'t> Document<'t> {
    pub(crate) fn parse(text: &'t str) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let broken = errors.iter().map(|error| {
            let place = Place::of(text, error.span().map(|span| span.start));
            Mistake { place: Some(place), key: None, text: error.message().replace('\n', ", ") }
        });
        let mut broken: Vec<_> = broken.collect();
        // The first on a line is the cause.
        broken.sort_by_key(|mistake| mistake.place);
        broken.dedup_by_key(|mistake| mistake.place.map(|place| place.line));
        Self { text, table, broken }
    }

    pub(crate) fn table(&self) -> &DeTable<'t> {
        self.table.get_ref()
    }

    /// Where a span begins.
    pub(crate) fn place(&self, span: &Range<usize>) -> Place {
        Place::of(self.text, Some(span.start))
    }

    /// Whether the line of `place` is TOML: what is left of a broken one may be anything.
    pub(crate) fn is_whole(&self, place: Option<Place>) -> bool {
        let line = |place: Option<Place>| place.map(|place| place.line);
        self.broken.iter().all(|mistake| line(mistake.place) != line(place))
    }

    /// All that is wrong, in the order of the text: with TOML, and `mistakes` in what is whole.
    pub(crate) fn all_wrong(&self, mut mistakes: Vec<Mistake>) -> Vec<Mistake> {
        mistakes.retain(|mistake| self.is_whole(mistake.place));
        mistakes.extend(self.broken.iter().cloned());
        mistakes.sort_by_key(|mistake| mistake.place);
        mistakes
    }
}

/// A value's type in words.
pub(crate) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_one_and_in_characters() {
        let text = "a = 1\nmüll = 2\n";
        let at = |offset| {
            let mistake =
                Mistake { place: Some(Place::of(text, offset)), key: None, text: "x".into() };
            mistake.to_string()
        };
        assert_eq!([at(Some(0)), at(text.find('2'))], [":1:1: x", ":2:8: x"]);
        // The end, and beyond.
        assert_eq!([at(None), at(Some(99))], [":3:1: x", ":3:1: x"]);
    }
}
