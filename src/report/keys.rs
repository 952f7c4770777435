//! What was counted of KMS keys, as one object a host.

use super::time::rfc3339;
use crate::tally::{self, HostKeys, Sides, Use};
use serde::Serialize;
use std::sync::Arc;

/// The KMS keys of one host.
#[derive(Clone, Debug, Default, Serialize)]
pub struct KmsKeys {
    /// Keys, sorted by id.
    pub keys: Vec<KmsKey>,
    /// When the key changed that the store applied to what is new in a bucket.
    pub changes: KmsKeyChanges,
    /// Encryption contexts.
    pub contexts: KmsContexts,
}

/// One key.
#[derive(Clone, Debug, Serialize)]
pub struct KmsKey {
    /// Its label: its id or the last part of it, printable; or `__other__`, for all that came
    /// after the limit.
    pub key_id: String,
    /// Requests that named it; `null` where none did.
    pub requested: Option<KmsKeyUse>,
    /// Successful answers that named it; `null` where none did.
    pub applied: Option<KmsKeyUse>,
}

/// How often a key was named, and when.
#[derive(Clone, Debug, Serialize)]
pub struct KmsKeyUse {
    /// How often.
    pub count: u64,
    /// The first time (RFC 3339).
    pub first_seen: String,
    /// The last time.
    pub last_seen: String,
}

/// Changes of a host's buckets' keys.
#[derive(Clone, Debug, Default, Serialize)]
pub struct KmsKeyChanges {
    /// How many there were.
    pub count: u64,
    /// The latest of them, at most [`MAX_CHANGES`](tally::MAX_CHANGES), in the order of packets.
    pub latest: Vec<KmsKeyChange>,
}

/// A bucket's key changed.
#[derive(Clone, Debug, Serialize)]
pub struct KmsKeyChange {
    /// When the new key was first named (RFC 3339).
    pub time: String,
    /// The bucket; empty where the address shows none.
    pub bucket: String,
    /// The key before, as in [`KmsKey::key_id`].
    pub from: String,
    /// The new one.
    pub to: String,
    /// How many answers named the new one until the bucket's next change.
    pub count: u64,
}

/// What encryption contexts of one host say.
#[derive(Clone, Debug, Default, Serialize)]
pub struct KmsContexts {
    /// Names in them, sorted; with values, where these are wanted.
    pub names: Vec<KmsContextName>,
    /// Contexts that are no base64 of a JSON object of strings.
    pub malformed: RequestedApplied,
}

/// A name in encryption contexts.
#[derive(Clone, Debug, Serialize)]
pub struct KmsContextName {
    /// The name, printable; or `__other__`, for all that came after the limit.
    pub name: String,
    /// What it stood for, printable, where values are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Contexts that say it.
    #[serde(flatten)]
    pub count: RequestedApplied,
}

/// A count of requests, and one of successful answers.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct RequestedApplied {
    /// Requests.
    pub requested: u64,
    /// Successful answers.
    pub applied: u64,
}

impl From<Sides<u64>> for RequestedApplied {
    fn from(Sides { requested, applied }: Sides<u64>) -> Self {
        Self { requested, applied }
    }
}

impl KmsKeys {
    /// Of what was counted of a host.
    pub(super) fn new(counts: &HostKeys) -> Self {
        let key = |(key_id, sides): (&Arc<str>, &Sides<Use>)| KmsKey {
            key_id: key_id.to_string(),
            requested: KmsKeyUse::new(&sides.requested),
            applied: KmsKeyUse::new(&sides.applied),
        };
        let name = |((name, value), count): (&tally::Said, &Sides<u64>)| KmsContextName {
            name: name.to_string(),
            value: value.as_deref().map(str::to_owned),
            count: (*count).into(),
        };
        Self {
            keys: counts.keys.iter().map(key).collect(),
            changes: KmsKeyChanges {
                count: counts.changes,
                latest: counts.latest_changes.iter().map(KmsKeyChange::new).collect(),
            },
            contexts: KmsContexts {
                names: counts.contexts.iter().map(name).collect(),
                malformed: counts.malformed_contexts.into(),
            },
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        let KmsContexts { names, malformed } = &self.contexts;
        self.keys.is_empty() && names.is_empty() && malformed.requested + malformed.applied == 0
    }

    /// Keys, those that were named most often first.
    pub fn keys_by_use(&self) -> Vec<&KmsKey> {
        let mut keys: Vec<_> = self.keys.iter().collect();
        keys.sort_by_key(|key| std::cmp::Reverse(key.count()));
        keys
    }
}

impl KmsKey {
    /// How often it was named.
    pub fn count(&self) -> u64 {
        self.uses().map(|used| used.count).sum()
    }

    /// When it was first and last named, on either side.
    pub fn seen(&self) -> Option<(&str, &str)> {
        let first = self.uses().map(|used| used.first_seen.as_str()).min()?;
        Some((first, self.uses().map(|used| used.last_seen.as_str()).max()?))
    }

    fn uses(&self) -> impl Iterator<Item = &KmsKeyUse> {
        self.requested.iter().chain(&self.applied)
    }
}

impl KmsKeyUse {
    fn new(used: &Use) -> Option<Self> {
        let Use { count, first, last } = *used;
        (count > 0).then(|| Self { count, first_seen: rfc3339(first), last_seen: rfc3339(last) })
    }
}

impl KmsKeyChange {
    fn new(change: &tally::KeyChange) -> Self {
        let tally::KeyChange { time, bucket, from, to, count } = change;
        Self {
            time: rfc3339(*time),
            bucket: bucket.to_string(),
            from: from.to_string(),
            to: to.to_string(),
            count: *count,
        }
    }
}
