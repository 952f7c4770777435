//! KMS keys and encryption contexts, as messages name them.
//!
//! Source: Amazon S3 API Reference, PutObject: `x-amz-server-side-encryption-aws-kms-key-id` is a
//! key's id, ARN or alias; `x-amz-server-side-encryption-context` is base64 of a JSON object of
//! string pairs in UTF-8. Both are in requests that ask for a mode, and in answers.

use super::{Observation, Subject};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The longest context that is looked into, in bytes of base64: twice what S3 takes of a request's
/// whole header.
const MAX_CONTEXT: usize = 16_384;

/// How much is observed of KMS keys and encryption contexts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inventory {
    /// Nothing.
    #[default]
    Off,
    /// Keys, and the names in contexts.
    Names,
    /// Also what the names in contexts stand for.
    Values,
}

/// Who named something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// A request.
    Requested,
    /// An answer.
    Applied,
}

impl Side {
    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Applied => "applied",
        }
    }
}

/// An encryption context: what a key service binds a data key to. Text as the wire has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Context {
    /// Its names, sorted, each once, and what they stand for where that is wanted.
    Pairs(Vec<(Box<str>, Option<Box<str>>)>),
    /// No base64 of a JSON object of strings; or too long to be looked into.
    Malformed,
}

impl Context {
    /// Reads a field's value.
    pub(super) fn read(value: &[u8], inventory: Inventory) -> Self {
        let short = Some(value).filter(|value| value.len() <= MAX_CONTEXT);
        let json = short.and_then(|value| BASE64_STANDARD.decode(value).ok());
        let pairs = json.and_then(|json| serde_json::from_slice(&json).ok());
        let Some(pairs): Option<BTreeMap<String, String>> = pairs else { return Self::Malformed };
        let kept = |value: String| (inventory == Inventory::Values).then(|| value.into());
        Self::Pairs(pairs.into_iter().map(|(name, value)| (name.into(), kept(value))).collect())
    }

    /// The memory that it takes, in bytes.
    pub(super) fn heap(&self) -> usize {
        let Self::Pairs(pairs) = self else { return size_of::<Self>() };
        let texts = |(name, value): &(Box<str>, Option<Box<str>>)| {
            size_of_val(&(name, value)) * 2 + name.len() + value.as_ref().map_or(0, |v| v.len())
        };
        size_of::<Self>() + pairs.iter().map(texts).sum::<usize>()
    }
}

/// What a message names.
#[derive(Debug)]
pub(super) struct Named<'n> {
    pub(super) side: Side,
    pub(super) key_id: Option<&'n str>,
    pub(super) context: Option<Arc<Context>>,
}

impl Named<'_> {
    /// Observes it.
    pub(super) fn observe(self, subject: impl Fn() -> Subject, to: &mut Vec<Observation>) {
        let side = self.side;
        if let Some(key_id) = self.key_id {
            to.push(Observation::Keyed { subject: subject(), side, key_id: key_id.into() });
        }
        if let Some(context) = self.context {
            to.push(Observation::InContext { subject: subject(), side, context });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str, inventory: Inventory) -> Context {
        Context::read(BASE64_STANDARD.encode(json).as_bytes(), inventory)
    }

    fn pairs(pairs: &[(&str, Option<&str>)]) -> Context {
        let pair = |(name, value): &(&str, Option<&str>)| ((*name).into(), value.map(Into::into));
        Context::Pairs(pairs.iter().map(pair).collect())
    }

    #[test]
    fn values_of_a_context_are_kept_only_where_they_are_wanted() {
        let json = "{\"team\": \"red\", \"app\": \"b\u{fc}cher\"}";
        assert_eq!(read(json, Inventory::Names), pairs(&[("app", None), ("team", None)]));
        let values = pairs(&[("app", Some("b\u{fc}cher")), ("team", Some("red"))]);
        assert_eq!(read(json, Inventory::Values), values);
        assert_eq!(read("{}", Inventory::Values), pairs(&[]));
        // RFC 8259 §4 leaves it open what names twice mean.
        let twice = read("{\"a\": \"1\", \"a\": \"2\"}", Inventory::Values);
        assert_eq!(twice, pairs(&[("a", Some("2"))]));
    }

    #[test]
    fn what_is_no_object_of_strings_in_base64_is_malformed() {
        for json in [
            "",
            "{",
            "[]",
            "\"a\"",
            "null",
            "{\"a\": 1}",
            "{\"a\": null}",
            "{\"a\": {\"b\": \"c\"}}",
            "{\"a\": \"b\"} x",
            "{\"a\": \"\\ud800\"}",
            &"[".repeat(10_000),
        ] {
            assert_eq!(read(json, Inventory::Values), Context::Malformed, "{json}");
        }
        for value in [&b"?"[..], b"e30", b"e3 0=", b"{}", b"\xff\xfe\x00", b"/w=="] {
            assert_eq!(Context::read(value, Inventory::Names), Context::Malformed, "{value:?}");
        }
    }

    #[test]
    fn a_context_is_looked_into_up_to_a_length() {
        // In base64, 4 bytes stand for 3.
        let of = |len: usize| format!("{{\"a\":\"{}\"}}", "b".repeat(len - 8));
        let most = MAX_CONTEXT / 4 * 3;
        assert_eq!(read(&of(most), Inventory::Names), pairs(&[("a", None)]));
        assert_eq!(read(&of(most + 1), Inventory::Names), Context::Malformed);
    }

    #[test]
    fn the_memory_of_a_context_counts_its_texts() {
        let short = read("{\"a\": \"b\"}", Inventory::Values).heap();
        let long = read(&format!("{{\"a\": \"{}\"}}", "b".repeat(1001)), Inventory::Values).heap();
        assert_eq!(long - short, 1000);
        assert!(Context::Malformed.heap() > 0);
    }
}
