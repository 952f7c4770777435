//! Which KMS keys hosts were asked for and named, when that changed, and in which encryption
//! contexts.
//!
//! A key is counted under its label: its id made printable and, unless ids are wanted in full,
//! shortened to its last part. Keys whose labels are equal are counted as one. Labels are bounded
//! in length ([`Limits::max_label_bytes`](super::Limits::max_label_bytes)) and in number; what
//! comes after the limit counts under [`OVERFLOW`]. Labels are keys of trees, in which no choice
//! of names is slower than another; those of hosts are hashed with a random key.

use super::counts::{Bounded, OVERFLOW};
use super::{Bound, Tally};
use crate::net::Timestamp;
use crate::s3::{Context, Operation, Side, Subject};
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// How many changes of keys are kept for each host: the latest.
pub const MAX_CHANGES: usize = 32;

/// How a key's label is made of its id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyForm {
    /// The last part: what follows the last `/` or `:`, and `alias/` before the name of an alias.
    #[default]
    Short,
    /// The whole id.
    Full,
}

/// How keys are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyLimits {
    /// How labels are made.
    pub form: KeyForm,
    /// The most pairs of host and key that are counted by name; likewise the most pairs of host and
    /// what an encryption context says, and the most buckets whose key is followed.
    pub max_keys: usize,
}

/// How often something was seen, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// How often.
    pub count: u64,
    /// The time of the first, in the order of time; not meant where there was none.
    pub first: Timestamp,
    /// The time of the last.
    pub last: Timestamp,
}

impl Use {
    fn add(&mut self, time: Timestamp) {
        self.first = if self.count == 0 { time } else { self.first.min(time) };
        self.last = if self.count == 0 { time } else { self.last.max(time) };
        self.count += 1;
    }
}

/// Something on both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides<T> {
    /// In requests.
    pub requested: T,
    /// In successful answers.
    pub applied: T,
}

impl<T> Sides<T> {
    fn of(&mut self, side: Side) -> &mut T {
        match side {
            Side::Requested => &mut self.requested,
            Side::Applied => &mut self.applied,
        }
    }
}

/// A store applied another key than before, to new objects in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// The packet time of the first answer that named the new one.
    pub time: Timestamp,
    /// The bucket, made printable; empty where the address shows none.
    pub bucket: Box<str>,
    /// The label of the key before.
    pub from: Arc<str>,
    /// The label of the new one.
    pub to: Arc<str>,
    /// How many answers named the new one, from this on until the bucket's next change.
    pub count: u64,
}

/// What an encryption context says: a name, and what it stands for where that is wanted.
pub type Said = (Arc<str>, Option<Arc<str>>);

/// What was counted of a host.
#[derive(Clone, Debug, Default)]
pub struct HostKeys {
    /// Keys, by label.
    pub keys: BTreeMap<Arc<str>, Sides<Use>>,
    /// How often a bucket's key changed.
    pub changes: u64,
    /// The latest of these changes, at most [`MAX_CHANGES`], in the order of packets.
    pub latest_changes: VecDeque<KeyChange>,
    /// What encryption contexts say, each name once a context.
    pub contexts: BTreeMap<Said, Sides<u64>>,
    /// Encryption contexts that cannot be read.
    pub malformed_contexts: Sides<u64>,
    /// What each bucket's key is.
    current: BTreeMap<Arc<str>, Current>,
}

/// A bucket's key.
#[derive(Clone, Debug)]
struct Current {
    key: Arc<str>,
    /// Which change of the host brought it, counted from 0.
    change: Option<u64>,
}

/// How many there are of something bounded.
#[derive(Clone, Copy, Debug, Default)]
struct Room {
    used: usize,
    hits: u64,
}

impl Room {
    /// Takes a place, if there is one.
    fn take(&mut self, of: usize) -> bool {
        let has_room = self.used < of;
        self.used += usize::from(has_room);
        self.hits += u64::from(!has_room);
        has_room
    }
}

/// All that is counted of keys.
#[derive(Debug)]
pub(super) struct Keys {
    limits: KeyLimits,
    max_label_bytes: usize,
    hosts: Bounded<Arc<str>, HostKeys>,
    keys: Room,
    contexts: Room,
    buckets: Room,
    /// How often a label was too long. These are in the hits of the above, too.
    long_labels: u64,
    overflow: Arc<str>,
}

impl Keys {
    /// Nothing counted.
    pub(super) fn new(limits: KeyLimits, max_hosts: usize, max_label_bytes: usize) -> Self {
        Self {
            limits,
            max_label_bytes,
            hosts: Bounded::new(max_hosts),
            keys: Room::default(),
            contexts: Room::default(),
            buckets: Room::default(),
            long_labels: 0,
            overflow: OVERFLOW.into(),
        }
    }

    fn key(&mut self, host: Arc<str>, subject: &Subject, side: Side, key_id: &str) {
        let at = self.hosts.find_or_add(&*host, || host.clone());
        let host = self.hosts.at(at);
        let label = label(key_id, self.limits.form);
        let fits = label.len() <= self.max_label_bytes;
        self.long_labels += u64::from(!fits);
        self.keys.hits += u64::from(!fits);
        let known = host.keys.get_key_value(&*label).map(|(label, _)| label.clone());
        let label = match known.filter(|_| fits) {
            Some(known) => known,
            None if fits && self.keys.take(self.limits.max_keys) => label.into(),
            None => self.overflow.clone(),
        };
        host.keys.entry(label.clone()).or_default().of(side).add(subject.time);
        if side == Side::Applied && chooses_key(subject.operation) {
            let bucket = subject.bucket.clone().unwrap_or_else(|| "".into());
            let known = host.current.contains_key(&bucket);
            let fits = bucket.len() <= self.max_label_bytes;
            self.long_labels += u64::from(!fits);
            self.buckets.hits += u64::from(!fits);
            if known || (fits && self.buckets.take(self.limits.max_keys)) {
                host.applied(bucket, label, subject.time);
            }
        }
    }

    fn context(&mut self, host: Arc<str>, side: Side, context: &Context) {
        let at = self.hosts.find_or_add(&*host, || host.clone());
        let host = self.hosts.at(at);
        let Context::Pairs(pairs) = context else {
            *host.malformed_contexts.of(side) += 1;
            return;
        };
        for (name, value) in pairs {
            let (name, value) = (printable(name), value.as_deref().map(printable));
            let fits = |text: &str| text.len() <= self.max_label_bytes;
            let long = !fits(&name) || value.as_deref().is_some_and(|value| !fits(value));
            self.long_labels += u64::from(long);
            let said = (name.into(), value.map(Into::into));
            let known = host.contexts.contains_key(&said);
            let counts = known || (!long && self.contexts.take(self.limits.max_keys));
            self.contexts.hits += u64::from(long);
            let said = if counts { said } else { (self.overflow.clone(), None) };
            *host.contexts.entry(said).or_default().of(side) += 1;
        }
    }

    /// Forgets which keys buckets have.
    fn forget(&mut self) {
        self.hosts.values_mut().for_each(|host| host.current.clear());
        self.buckets.used = 0;
    }

    /// How many labels were too long.
    pub(super) const fn long_labels(&self) -> u64 {
        self.long_labels
    }

    /// The bounds on what there is.
    pub(super) fn bounds(&self) -> [Bound; 3] {
        let of = |name, Room { used, hits }| Bound {
            name,
            limit: self.limits.max_keys as u64,
            used: Some(used as u64),
            hits,
            option: "max-kms-keys",
        };
        [
            of("kms_keys", self.keys),
            of("kms_contexts", self.contexts),
            of("kms_buckets", self.buckets),
        ]
    }

    /// How often [`OVERFLOW`] was counted, by what it stood for.
    pub(super) const fn overflows(&self) -> [(&'static str, u64); 2] {
        [("kms_key", self.keys.hits), ("kms_context", self.contexts.hits)]
    }
}

impl HostKeys {
    /// Notes that an answer named a key for a new object.
    fn applied(&mut self, bucket: Arc<str>, key: Arc<str>, time: Timestamp) {
        let Some(current) = self.current.get_mut(&bucket) else {
            self.current.insert(bucket, Current { key, change: None });
            return;
        };
        if current.key == key {
            // The latest are kept, and the last of them is the one before `changes`.
            let back = current.change.map(|change| (self.changes - change) as usize);
            let at = back.and_then(|back| self.latest_changes.len().checked_sub(back));
            if let Some(change) = at.and_then(|at| self.latest_changes.get_mut(at)) {
                change.count += 1;
            }
            return;
        }
        let from = std::mem::replace(&mut current.key, key.clone());
        current.change = Some(self.changes);
        self.changes += 1;
        if self.latest_changes.len() == MAX_CHANGES {
            self.latest_changes.pop_front();
        }
        let bucket = printable(&bucket).into();
        self.latest_changes.push_back(KeyChange { time, bucket, from, to: key, count: 1 });
    }
}

impl Tally {
    /// Counts a key.
    pub(super) fn key(&mut self, subject: &Subject, side: Side, key_id: &str) {
        if self.keys.is_some() {
            let host = self.counted_host_name(&subject.host);
            self.keys.iter_mut().for_each(|keys| keys.key(host.clone(), subject, side, key_id));
        }
    }

    /// Counts an encryption context.
    pub(super) fn context(&mut self, subject: &Subject, side: Side, context: &Context) {
        if self.keys.is_some() {
            let host = self.counted_host_name(&subject.host);
            self.keys.iter_mut().for_each(|keys| keys.context(host.clone(), side, context));
        }
    }

    /// Forgets what was seen last, so that nothing that follows is a change from it: other traffic
    /// begins, and counts as it would alone.
    pub fn begin(&mut self) {
        self.keys.iter_mut().for_each(Keys::forget);
    }

    /// What was counted of KMS keys, by host, sorted by name; `None` where they are not counted.
    pub fn keys(&self) -> Option<BTreeMap<&str, &HostKeys>> {
        let keys = self.keys.as_ref()?;
        Some(keys.hosts.iter().map(|(host, counts)| (&**host, counts)).collect())
    }
}

/// Whether a successful answer to an operation names the key of what is written now. All others
/// name that of an object, or of an upload, which may be older.
fn chooses_key(operation: Operation) -> bool {
    operation.carries().request_mode || operation == Operation::POST_OBJECT
}

/// What a key is counted under.
fn label(key_id: &str, form: KeyForm) -> Cow<'_, str> {
    printable(match form {
        KeyForm::Full => key_id,
        KeyForm::Short => last_part(key_id),
    })
}

/// Source: AWS KMS Developer Guide, "Key identifiers (KeyId)": `arn:…:key/ID`, `arn:…:alias/NAME`,
/// where a name may have a `/` in it, or either without what is before. A part without text is none.
fn last_part(key_id: &str) -> &str {
    let resource = key_id.rsplit(':').next().unwrap_or(key_id);
    let part = match resource.strip_prefix("alias/") {
        Some(_) => resource,
        None => resource.rsplit('/').next().unwrap_or(resource),
    };
    if part.is_empty() { key_id } else { part }
}

/// Text that may be shown on a terminal: what is not printable is escaped.
fn printable(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            // These are escaped for other reasons.
            '"' | '\'' | '\\' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests;
