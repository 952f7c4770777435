//! Counts by what the wire says, bounded.
//!
//! Keys hold text that anyone on the network can choose, so they are compared as a whole, hashed
//! with a random key, and limited in number: what comes after the limit counts under
//! [`OVERFLOW`], and that it did is counted, too.

use super::keys::KeyLimits;
use crate::net::Timestamp;
use crate::s3::{Finding, Mode, Operation, Transfer};
use ahash::RandomState;
use std::collections::{BTreeMap, HashMap};
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

/// A map that has room for so many keys.
#[derive(Debug)]
pub(super) struct Bounded<K, V> {
    map: HashMap<K, V, RandomState>,
    room: usize,
}

impl<K: Eq + std::hash::Hash + Clone, V: Default> Bounded<K, V> {
    pub(super) fn new(room: usize) -> Self {
        Self { map: HashMap::default(), room }
    }

    /// Whether `key` has a place of its own, or gets one now.
    pub(super) fn has_room(&mut self, key: &K) -> bool {
        if self.map.contains_key(key) {
            return true;
        }
        let has_room = self.map.len() < self.room;
        if has_room {
            self.map.insert(key.clone(), V::default());
        }
        has_room
    }

    /// The value of `key`, whether there is room for it or not.
    pub(super) fn at(&mut self, key: K) -> &mut V {
        self.map.entry(key).or_default()
    }

    /// How many keys there are, those without room included.
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.map.values_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.map.iter()
    }
}
