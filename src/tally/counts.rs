//! Counts by what the wire says, bounded.
//!
//! Keys hold text that anyone on the network can choose, so they are compared as a whole, hashed
//! with a random key, and limited in number: what comes after the limit counts under
//! [`OVERFLOW`], and that it did is counted, too.

use super::keys::KeyLimits;
use crate::net::Timestamp;
use crate::s3::{Finding, Mode, Operation, Transfer};
use ahash::RandomState;
use hashbrown::{Equivalent, HashTable};
use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

/// What stands for a host or bucket that came after the limit.
pub const OVERFLOW: &str = "__other__";

/// Where something was counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The host.
    pub host: Arc<str>,
    /// The bucket, where buckets are told apart; empty where the address shows none.
    pub bucket: Option<Arc<str>>,
}

/// A [`Place`] that is looked for.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Spot<'a> {
    pub(super) host: &'a str,
    pub(super) bucket: Option<&'a str>,
}

impl Equivalent<Place> for Spot<'_> {
    fn equivalent(&self, place: &Place) -> bool {
        *self.host == *place.host && self.bucket == place.bucket.as_deref()
    }
}

/// What was counted at a place.
#[derive(Clone, Debug, Default)]
pub struct PlaceCounts {
    /// Requests, by operation and the mode they asked for.
    pub requests: BTreeMap<(Operation, Mode), u64>,
    /// Responses, by operation and the mode they say was applied.
    pub responses: BTreeMap<(Operation, Mode), u64>,
    /// Mismatches, by the mode that was asked for and the one that was applied.
    pub mismatches: BTreeMap<(Mode, Mode), u64>,
    /// Bytes of objects, by which way they went and the mode that was applied.
    pub object_bytes: BTreeMap<(Transfer, Mode), u64>,
}

impl PlaceCounts {
    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Self) {
        add(&mut self.requests, &other.requests);
        add(&mut self.responses, &other.responses);
        add(&mut self.mismatches, &other.mismatches);
        add(&mut self.object_bytes, &other.object_bytes);
    }
}

/// What was counted of a host as a whole.
#[derive(Clone, Debug, Default)]
pub struct HostCounts {
    /// 4xx and 5xx to operations that can carry a mode, by operation and status.
    pub refusals: BTreeMap<(Operation, u16), u64>,
    /// Findings.
    pub findings: BTreeMap<Finding, u64>,
    /// When a mode was last seen, in a request or a response.
    pub last_seen: BTreeMap<Mode, Timestamp>,
    /// Exchanges that broke a rule of a policy, by the rule's name.
    pub violations: BTreeMap<Arc<str>, u64>,
}

fn add<K: Ord + Copy>(to: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
    for (key, count) in from {
        *to.entry(*key).or_default() += count;
    }
}

/// How many keys there can be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most hosts that are counted by name.
    pub max_hosts: usize,
    /// The most pairs of host and bucket that are counted by name; `None` to count hosts as a
    /// whole.
    pub max_buckets: Option<usize>,
    /// The longest name that is counted for itself, in bytes. A longer one counts as one that came
    /// after the limit.
    pub max_label_bytes: usize,
    /// How KMS keys are counted; `None` where they are not.
    pub keys: Option<KeyLimits>,
}

impl Default for Limits {
    /// 512 hosts, no buckets, no keys; names as long as those of the DNS can be (RFC 1035 §2.3.4), and a
    /// port.
    fn default() -> Self {
        Self { max_hosts: 512, max_buckets: None, max_label_bytes: 255, keys: None }
    }
}

/// A map that has room for so many keys. A key is hashed once for each time that it is looked for, and
/// copied only when it comes first.
#[derive(Debug)]
pub(super) struct Bounded<K, V> {
    /// In the order in which they came.
    entries: Vec<(K, V)>,
    /// Which of these has which key.
    by_key: HashTable<usize>,
    hasher: RandomState,
    room: usize,
}

impl<K: Hash, V: Default> Bounded<K, V> {
    pub(super) fn new(room: usize) -> Self {
        let (entries, by_key) = (Vec::new(), HashTable::new());
        Self { entries, by_key, hasher: RandomState::new(), room }
    }

    /// Which entry is that of `key`, if it has a place of its own, or gets one now, as what `own`
    /// makes of it. A key and what is looked for as it have the same hash.
    pub(super) fn find<Q>(&mut self, key: &Q, own: impl FnOnce() -> K) -> Option<usize>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let (hash, found) = self.look(key);
        found.or_else(|| (self.entries.len() < self.room).then(|| self.add(hash, own())))
    }

    /// The same, whether there is room for it or not.
    pub(super) fn find_or_add<Q>(&mut self, key: &Q, own: impl FnOnce() -> K) -> usize
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let (hash, found) = self.look(key);
        found.unwrap_or_else(|| self.add(hash, own()))
    }

    /// A key's hash, and which entry is its own, if one is.
    fn look<Q>(&self, key: &Q) -> (u64, Option<usize>)
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let found = self.by_key.find(hash, |at| key.equivalent(&self.entries[*at].0));
        (hash, found.copied())
    }

    fn add(&mut self, hash: u64, key: K) -> usize {
        let Self { entries, by_key, hasher, .. } = self;
        let at = entries.len();
        entries.push((key, V::default()));
        by_key.insert_unique(hash, at, |at| hasher.hash_one(&entries[*at].0));
        at
    }

    /// The value of an entry that was found.
    pub(super) fn at(&mut self, entry: usize) -> &mut V {
        &mut self.entries[entry].1
    }

    /// How many keys there are, those without room included.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.iter_mut().map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }
}
