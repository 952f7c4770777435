//! tally: from observations to counts.
//!
//! Takes [`Observation`]s and the rooms' own counters. Gives bounded counts per host, and per
//! bucket where that is wanted, and the [`Ledger`]. Promises that no two names that differ are
//! counted as one, whatever they are, and that memory does not grow beyond its [`Limits`]. Knows
//! nothing of where the counts are shown.

mod bounds;
mod collector;
mod counts;
mod keys;
mod ledger;
mod rules;

pub use bounds::{Bound, Limits as RoomLimits};
pub use collector::{Metrics, Shared, registry};
pub use counts::{HostCounts, Limits, OVERFLOW, Place, PlaceCounts};
pub use keys::{HostKeys, KeyChange, KeyForm, KeyLimits, MAX_CHANGES, Said, Sides, Use};
pub use ledger::{ByteFate, DedupCounts, Ledger, Verdict};
pub use rules::RuleCounts;

use crate::http::TlsCounts;
use crate::net::Timestamp;
use crate::policy::{Judgement, Outcome, Policy};
use crate::s3::{Ended, Mode, ObjectBytes, Observation, Record};
use counts::{Bounded, Spot};
use keys::Keys;
use rules::Rules;
use std::collections::BTreeMap;
use std::sync::Arc;

/// All counts.
#[derive(Debug)]
pub struct Tally {
    limits: Limits,
    places: Bounded<Place, PlaceCounts>,
    hosts: Bounded<Arc<str>, HostCounts>,
    object_store_exchanges: u64,
    other_exchanges: u64,
    /// What became of packets and bytes.
    pub ledger: Ledger,
    /// What the rooms before this one may take, once they run.
    pub room_limits: Option<RoomLimits>,
    /// The times of the first and the last packet.
    pub period: Option<(Timestamp, Timestamp)>,
    server_names: Bounded<Arc<str>, TlsCounts>,
    rules: Rules,
    /// KMS keys, where they are counted.
    keys: Option<Keys>,
    /// How often something was counted under [`OVERFLOW`] instead of its host.
    host_overflows: u64,
    /// The same for buckets.
    bucket_overflows: u64,
    /// The same for server names.
    server_name_overflows: u64,
    /// How often a name was too long to be counted for itself. These are in the three above, too.
    long_labels: u64,
    overflow: Arc<str>,
    nowhere: Arc<str>,
}

impl Tally {
    /// Nothing counted.
    pub fn new(limits: Limits) -> Self {
        // One more for the hosts that come after the limit.
        let places = limits.max_buckets.unwrap_or(limits.max_hosts.saturating_add(1));
        Self {
            limits,
            places: Bounded::new(places),
            hosts: Bounded::new(limits.max_hosts),
            server_names: Bounded::new(limits.max_hosts),
            rules: Rules::default(),
            keys: limits.keys.map(|of| Keys::new(of, limits.max_hosts, limits.max_label_bytes)),
            object_store_exchanges: 0,
            other_exchanges: 0,
            ledger: Ledger::default(),
            room_limits: None,
            period: None,
            host_overflows: 0,
            bucket_overflows: 0,
            server_name_overflows: 0,
            long_labels: 0,
            overflow: OVERFLOW.into(),
            nowhere: "".into(),
        }
    }

    /// Whether buckets are told apart.
    pub fn by_bucket(&self) -> bool {
        self.limits.max_buckets.is_some()
    }

    /// Counts an observation.
    pub fn observe(&mut self, observation: &Observation) {
        self.observe_times(observation, 1);
    }

    /// Counts an observation that was made so many times, the latest at its time. (An
    /// [`Observation::Ended`] has the bytes of all of them.)
    pub fn observe_times(&mut self, observation: &Observation, times: u64) {
        match observation {
            Observation::Requested { subject, mode } => {
                let host = self.own_host(&subject.host, times);
                let place = self.place(host, &subject.host, subject.bucket.as_ref(), times);
                *place.requests.entry((subject.operation, *mode)).or_default() += times;
                self.saw(host, *mode, subject.time);
            }
            Observation::Applied { subject, mode } => {
                let host = self.own_host(&subject.host, times);
                let place = self.place(host, &subject.host, subject.bucket.as_ref(), times);
                *place.responses.entry((subject.operation, *mode)).or_default() += times;
                self.saw(host, *mode, subject.time);
            }
            Observation::Mismatch { subject, requested, applied } => {
                let host = self.own_host(&subject.host, times);
                let place = self.place(host, &subject.host, subject.bucket.as_ref(), times);
                *place.mismatches.entry((*requested, *applied)).or_default() += times;
            }
            Observation::Refused { subject, status } => {
                let host = self.host(&subject.host, times);
                *host.refusals.entry((subject.operation, *status)).or_default() += times;
            }
            Observation::Found { subject, finding, .. } => {
                *self.host(&subject.host, times).findings.entry(*finding).or_default() += times;
            }
            Observation::Keyed { subject, side, key_id } => self.key(subject, *side, key_id),
            Observation::InContext { subject, side, context } => {
                self.context(subject, *side, context);
            }
            Observation::Over(record) => {
                let Record { host, bucket, object_store, object_bytes, .. } = &**record;
                self.over(host, bucket.as_ref(), *object_store, *object_bytes, times);
            }
            Observation::Ended(Ended { host, bucket, object_store, object_bytes, .. }) => {
                self.over(host, bucket.as_ref(), *object_store, *object_bytes, times);
            }
        }
    }

    /// Exchanges are judged by `policy` from now on.
    pub fn judge_by(&mut self, policy: &Arc<Policy>) {
        self.rules.enter(policy);
    }

    /// Counts how an exchange with `host` came out.
    pub fn judged(&mut self, host: &Arc<str>, judgement: &Judgement) {
        self.rules.count(judgement);
        if let Outcome::Violated(_) = judgement.outcome {
            *self.host(host, 1).violations.entry(judgement.rule.clone()).or_default() += 1;
        }
    }

    /// Counts TLS to a server of that name.
    pub fn tls(&mut self, server_name: &Arc<str>, counts: TlsCounts) {
        let fits = self.fits(server_name);
        self.long_labels += u64::from(!fits);
        let own = fits.then(|| self.server_names.find(&**server_name, || server_name.clone()));
        let at = own.flatten().unwrap_or_else(|| {
            self.server_name_overflows += 1;
            self.server_names.find_or_add(&*self.overflow, || self.overflow.clone())
        });
        *self.server_names.at(at) += counts;
    }

    fn over(
        &mut self,
        host: &Arc<str>,
        bucket: Option<&Arc<str>>,
        object_store: bool,
        object_bytes: Option<ObjectBytes>,
        times: u64,
    ) {
        if !object_store {
            self.other_exchanges += times;
            return;
        }
        self.object_store_exchanges += times;
        if let Some(object) = object_bytes {
            let own = self.own_host(host, times);
            let place = self.place(own, host, bucket, times);
            *place.object_bytes.entry((object.direction, object.mode)).or_default() += object.bytes;
        }
    }

    fn saw(&mut self, host: Option<usize>, mode: Mode, time: Timestamp) {
        let last = self.host_at(host).last_seen.entry(mode).or_insert(time);
        *last = time.max(*last);
    }

    fn host(&mut self, host: &Arc<str>, times: u64) -> &mut HostCounts {
        let host = self.own_host(host, times);
        self.host_at(host)
    }

    /// A host's counts, where [`own_host`](Self::own_host) said.
    fn host_at(&mut self, host: Option<usize>) -> &mut HostCounts {
        let at = host
            .unwrap_or_else(|| self.hosts.find_or_add(&*self.overflow, || self.overflow.clone()));
        self.hosts.at(at)
    }

    /// What is counted of a bucket of `host`, whose own counts are `own`, or of that host, so many times.
    fn place(
        &mut self,
        own: Option<usize>,
        host: &Arc<str>,
        bucket: Option<&Arc<str>>,
        times: u64,
    ) -> &mut PlaceCounts {
        let by_bucket = self.by_bucket();
        let host = if own.is_some() { host } else { &self.overflow };
        let bucket = by_bucket.then(|| bucket.unwrap_or(&self.nowhere));
        let fits = bucket.is_none_or(|bucket| self.fits(bucket));
        self.long_labels += if fits { 0 } else { times };
        let spot = Spot { host, bucket: bucket.map(|bucket| &**bucket) };
        let place = || Place { host: host.clone(), bucket: bucket.cloned() };
        let found = if fits { self.places.find(&spot, place) } else { None };
        let at = found.unwrap_or_else(|| {
            self.bucket_overflows += times;
            let bucket = bucket.map(|_| &self.overflow);
            let spot = Spot { host, bucket: bucket.map(|bucket| &**bucket) };
            let place = || Place { host: host.clone(), bucket: bucket.cloned() };
            self.places.find_or_add(&spot, place)
        });
        self.places.at(at)
    }

    /// Whether a name may be a label's value.
    fn fits(&self, name: &str) -> bool {
        name.len() <= self.limits.max_label_bytes
    }

    /// Where a host's own counts are, for what is counted there now so many times; `None` where it counts
    /// under [`OVERFLOW`].
    fn own_host(&mut self, host: &Arc<str>, times: u64) -> Option<usize> {
        let fits = self.fits(host);
        self.long_labels += if fits { 0 } else { times };
        let own = if fits { self.hosts.find(&**host, || host.clone()) } else { None };
        self.host_overflows += if own.is_some() { 0 } else { times };
        own
    }

    /// The name under which a host is counted, for what is counted there now.
    fn counted_host_name(&mut self, host: &Arc<str>) -> Arc<str> {
        if self.own_host(host, 1).is_some() { host.clone() } else { self.overflow.clone() }
    }

    /// What was counted at each place, sorted by name.
    pub fn places(&self) -> BTreeMap<&Place, &PlaceCounts> {
        self.places.iter().collect()
    }

    /// What was counted of each host as a whole, sorted by name.
    pub fn hosts(&self) -> BTreeMap<&str, &HostCounts> {
        self.hosts.iter().map(|(host, counts)| (&**host, counts)).collect()
    }

    /// The policy in force, if there is one.
    pub fn policy(&self) -> Option<&Arc<Policy>> {
        self.rules.policy.as_ref()
    }

    /// How exchanges came out by rule: those of the policy in force, and of others that were. Empty
    /// where there never was one.
    pub fn rules(&self) -> &BTreeMap<Arc<str>, RuleCounts> {
        &self.rules.counts
    }

    /// What there was of TLS that said for whom, sorted by name. It is in the ledger, too.
    pub fn server_names(&self) -> BTreeMap<&str, TlsCounts> {
        self.server_names.iter().map(|(name, counts)| (&**name, *counts)).collect()
    }

    /// Exchanges with object stores, and all others, once they are over.
    pub fn exchanges(&self) -> (u64, u64) {
        (self.object_store_exchanges, self.other_exchanges)
    }

    /// How often something was counted under [`OVERFLOW`], by the label that it stands in for.
    pub fn overflows(&self) -> Vec<(&'static str, u64)> {
        let names = [
            ("host", self.host_overflows),
            ("bucket", self.bucket_overflows),
            ("server_name", self.server_name_overflows),
        ];
        names.into_iter().chain(self.keys.iter().flat_map(Keys::overflows)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::{Operation, Subject};

    fn applied(host: &str, bucket: Option<&str>, mode: Mode) -> Observation {
        let subject = Subject {
            time: Timestamp::from_nanos(5),
            host: host.into(),
            bucket: bucket.map(Arc::from),
            operation: Operation::GET_OBJECT,
        };
        Observation::Applied { subject, mode }
    }

    fn places(tally: &Tally) -> Vec<(String, u64)> {
        let name = |place: &Place| match &place.bucket {
            None => place.host.to_string(),
            Some(bucket) => format!("{}/{bucket}", place.host),
        };
        let places = tally.places();
        places
            .iter()
            .map(|(place, counts)| (name(place), counts.responses.values().sum()))
            .collect()
    }

    #[test]
    fn names_that_collide_when_they_are_joined_are_counted_apart() {
        let mut tally =
            Tally::new(Limits { max_hosts: 100, max_buckets: Some(100), ..Limits::default() });
        let pairs = [("a", "1b"), ("a1", "b"), ("a1b", ""), ("", "a1b"), ("a", "1"), ("a1", "")];
        for (host, bucket) in pairs {
            tally.observe(&applied(host, Some(bucket), Mode::Kms));
        }
        assert_eq!(places(&tally).len(), pairs.len());
        assert!(places(&tally).iter().all(|(_, count)| *count == 1));
    }

    #[test]
    fn hosts_over_the_limit_count_together_and_are_counted() {
        let mut tally = Tally::new(Limits { max_hosts: 2, ..Limits::default() });
        for host in ["a", "b", "c", "d", "a"] {
            tally.observe(&applied(host, None, Mode::Kms));
        }
        let expected = [(OVERFLOW, 2), ("a", 2), ("b", 1)].map(|(h, n)| (h.to_owned(), n));
        assert_eq!(places(&tally), expected);
        assert_eq!(tally.overflows()[0], ("host", 2));
        assert_eq!(tally.hosts().len(), 3);
    }

    #[test]
    fn names_longer_than_a_label_may_be_count_together() {
        let limits =
            Limits { max_hosts: 9, max_buckets: Some(9), max_label_bytes: 4, ..Limits::default() };
        let mut tally = Tally::new(limits);
        for (host, bucket) in [("four", "b"), ("longer", "b"), ("four", "longer")] {
            tally.observe(&applied(host, Some(bucket), Mode::None));
        }
        tally.tls(&"longer".into(), TlsCounts { connections: 1, bytes: 10 });
        let places = places(&tally).into_iter().map(|(place, _)| place);
        let expected = ["__other__/b", "four/__other__", "four/b"];
        assert_eq!(places.collect::<Vec<_>>(), expected);
        assert_eq!(tally.server_names().into_keys().collect::<Vec<_>>(), ["__other__"]);
        let hits = |name| tally.bounds().iter().find(|bound| bound.name == name).map(|b| b.hits);
        assert_eq!(hits("label_bytes"), Some(3));
    }

    #[test]
    fn server_names_over_the_limit_count_together() {
        let mut tally = Tally::new(Limits { max_hosts: 1, ..Limits::default() });
        for name in ["a", "b", "a", "c"] {
            tally.tls(&name.into(), TlsCounts { connections: 1, bytes: 10 });
        }
        let two = TlsCounts { connections: 2, bytes: 20 };
        assert_eq!(tally.server_names(), [("a", two), (OVERFLOW, two)].into());
        assert_eq!(tally.overflows()[2], ("server_name", 2));
    }

    #[test]
    fn buckets_over_the_limit_count_together_for_their_host() {
        let mut tally =
            Tally::new(Limits { max_hosts: 1, max_buckets: Some(2), ..Limits::default() });
        for bucket in ["x", "y", "z", "x"] {
            tally.observe(&applied("a", Some(bucket), Mode::Kms));
        }
        let expected = [("a/__other__", 1), ("a/x", 2), ("a/y", 1)].map(|(h, n)| (h.to_owned(), n));
        assert_eq!(places(&tally), expected);
        assert_eq!(tally.overflows()[1], ("bucket", 1));
    }
}
