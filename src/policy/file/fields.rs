//! The fields of a table: whether they are known, and of the right type.

use super::{MAX_NAME, Reader};
use crate::policy::DEFAULT;
use crate::toml_text::kind;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// How like two words must be, of 1, for one to be taken for the other (as `clap` does it).
const LIKE: f64 = 0.7;

/// A table that is being read.
pub(super) struct Fields<'f, 'd, 'v> {
    reader: &'f mut Reader<'d>,
    table: &'v DeTable<'v>,
    /// Where the table is.
    span: Range<usize>,
}

impl<'f, 'd, 'v> Fields<'f, 'd, 'v> {
    /// Of a table; what is not among `known` is wrong.
    pub(super) fn of(
        reader: &'f mut Reader<'d>,
        table: &'v DeTable<'v>,
        what: &str,
        known: &[&str],
        span: &Range<usize>,
    ) -> Self {
        for (key, _) in table {
            let name = key.get_ref();
            if !known.contains(&&**name) {
                reader.wrong(&key.span(), name, unknown_field(name, what, known));
            }
        }
        Self { reader, table, span: span.clone() }
    }

    pub(super) fn get(&self, key: &str) -> Option<&'v Spanned<DeValue<'v>>> {
        self.table.get(key)
    }

    /// A string.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::String(text) if text.trim().is_empty() => {
                self.reader.wrong(&value.span(), key, "is empty; say something, or take it out");
                None
            }
            DeValue::String(text) => Some(text.to_string()),
            other => {
                let text = format!("must be a string, in quotes, not {}", kind(other));
                self.reader.wrong(&value.span(), key, text);
                None
            }
        }
    }

    pub(super) fn required_text(&mut self, key: &str) -> Option<String> {
        if self.get(key).is_none() {
            self.reader.wrong(&self.span.clone(), key, "is missing; add it");
        }
        self.text(key)
    }

    /// A name that may be a label.
    pub(super) fn name(&mut self, key: &str) -> Option<String> {
        let name = self.required_text(key)?;
        let wrong = if name.len() > MAX_NAME {
            format!("has {} bytes; use at most {MAX_NAME}", name.len())
        } else if name.chars().any(char::is_control) {
            "holds control characters; take them out".to_owned()
        } else if name == DEFAULT {
            format!("{DEFAULT:?} stands for what no rule is about; use another name")
        } else {
            return Some(name);
        };
        let span = self.get(key).map_or(self.span.clone(), Spanned::span);
        self.reader.wrong(&span, key, wrong);
        None
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Boolean(on) => Some(*on),
            other => {
                let text = format!("must be true or false, not {}", kind(other));
                self.reader.wrong(&value.span(), key, text);
                None
            }
        }
    }

    /// An HTTP status (RFC 9110 §15).
    pub(super) fn status(&mut self, key: &str) -> Option<u16> {
        let value = self.get(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => u16::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let status = number.filter(|status| (200..=599).contains(status));
        if status.is_none() {
            self.reader.wrong(&value.span(), key, "must be a final HTTP status, 200 to 599");
        }
        status
    }

    /// One of several words: which.
    pub(super) fn one_of(&mut self, key: &str, words: &[&str]) -> Option<usize> {
        let text = self.text(key)?;
        let found = words.iter().position(|word| *word == text);
        if found.is_none() {
            let span = self.get(key).map_or(self.span.clone(), Spanned::span);
            let text = format!("{text:?} is not one of {}", words.join(", "));
            self.reader.wrong(&span, key, text);
        }
        found
    }

    /// A list of strings, or one of them alone, each read by `read`. Nothing if one of them is wrong.
    pub(super) fn each<T>(
        &mut self,
        key: &str,
        mut read: impl FnMut(&mut Reader<'d>, &Range<usize>, &str, &str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let value = self.get(key)?;
        let texts = texts(self.reader, key, value);
        let read = texts.iter().map(|(span, text)| read(self.reader, span, key, text));
        // All of them, so that all mistakes are told.
        read.collect::<Vec<_>>().into_iter().collect()
    }
}

/// The strings of a list, or one string, and where they are.
pub(super) fn texts(
    reader: &mut Reader<'_>,
    key: &str,
    value: &Spanned<DeValue<'_>>,
) -> Vec<(Range<usize>, String)> {
    let values = match value.get_ref() {
        DeValue::Array(values) if values.is_empty() => {
            let text = "is empty; name some, or take it out where it does not matter";
            reader.wrong(&value.span(), key, text);
            return Vec::new();
        }
        DeValue::Array(values) => values.iter().collect(),
        _ => vec![value],
    };
    let mut texts = Vec::new();
    for value in values {
        match value.get_ref() {
            DeValue::String(text) => texts.push((value.span(), text.to_string())),
            other => {
                let text = format!("must be strings, in quotes, not {}", kind(other));
                reader.wrong(&value.span(), key, text);
            }
        }
    }
    texts
}

fn unknown_field(name: &str, what: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(near) => format!("is not a field of {what}; did you mean {near}?"),
        None => format!("is not a field of {what}; those are {}", known.join(", ")),
    }
}

/// That a word is not one of those known.
pub(super) fn unknown(word: &str, what: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(near) => format!("{word:?} is not {what}; did you mean {near:?}?"),
        None if known.len() < 12 => format!("{word:?} is not {what}; use {}", known.join(", ")),
        None => format!("{word:?} is not {what} (README, Policy, lists them)"),
    }
}

fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let (word, near) = (word.to_lowercase(), |known: &str| known.to_lowercase());
    let like = known.iter().map(|known| (strsim::jaro(&word, &near(known)), *known));
    let (likeness, nearest) = like.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (likeness > LIKE).then_some(nearest)
}
