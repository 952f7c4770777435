//! Everything that was counted, as one object.

use super::evidence::Evidence;
use super::keys::KmsKeys;
use super::policy::PolicySummary;
use super::time::rfc3339;
use crate::decode::PacketFate;
use crate::http::TlsCounts;
use crate::tally::{Bound, ByteFate, HostCounts, PlaceCounts, Tally};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Counts by one label.
pub(crate) type Counts = BTreeMap<&'static str, u64>;
/// Counts by two labels.
pub(crate) type CountsBy = BTreeMap<&'static str, Counts>;

/// Everything that was counted: `--format json` writes this object.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The version of sealwatch that counted.
    pub sealwatch: &'static str,
    /// When the first packet was captured (RFC 3339); `null` when there was none.
    pub first_packet: Option<String>,
    /// When the last packet was captured.
    pub last_packet: Option<String>,
    /// How much could be judged, in one line.
    pub verdict: String,
    /// HTTP exchanges.
    pub exchanges: Exchanges,
    /// Object-store traffic by host, sorted by name.
    pub hosts: Vec<HostSummary>,
    /// How exchanges came out by a policy, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicySummary>,
    /// What became of packets, bytes and connections.
    pub ledger: LedgerSummary,
    /// How often a stand-in (`__other__`) was counted, by the label that it stands in for.
    pub label_overflow: Counts,
    /// Every bound on memory, by what is bounded.
    pub bounds: BTreeMap<&'static str, BoundSummary>,
    /// What could not be read or was left out, as it was reported.
    pub problems: Vec<String>,
}

/// A bound on memory.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BoundSummary {
    /// The most there can be.
    pub limit: u64,
    /// How much there is, where that is one number; else `null`.
    pub used: Option<u64>,
    /// How often something was given up for it.
    pub hits: u64,
    /// The option that sets it, without its dashes.
    pub option: &'static str,
}

impl From<Bound> for BoundSummary {
    fn from(Bound { limit, used, hits, option, .. }: Bound) -> Self {
        Self { limit, used, hits, option }
    }
}

/// HTTP exchanges that are over.
#[derive(Clone, Debug, Serialize)]
pub struct Exchanges {
    /// With object stores.
    pub object_store: u64,
    /// All others.
    pub other: u64,
}

/// One host.
#[derive(Clone, Debug, Serialize)]
pub struct HostSummary {
    /// Its name, normalised.
    pub host: String,
    /// What was counted of all its buckets.
    #[serde(flatten)]
    pub counts: PlaceSummary,
    /// 4xx and 5xx, by operation and status.
    pub refusals: BTreeMap<&'static str, BTreeMap<u16, u64>>,
    /// Findings, by kind.
    pub findings: Counts,
    /// Exchanges that broke a rule of the policy, by the rule; where there is a policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_violations: Option<BTreeMap<String, u64>>,
    /// When each mode was last seen (RFC 3339).
    pub last_seen: BTreeMap<&'static str, String>,
    /// The same by bucket, where buckets are told apart; `""` where the address shows none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buckets: Option<BTreeMap<String, PlaceSummary>>,
    /// KMS keys and encryption contexts, where they are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_keys: Option<KmsKeys>,
}

/// What was counted of a host or a bucket.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PlaceSummary {
    /// Requests, by operation and the mode asked for.
    pub requests: CountsBy,
    /// Responses, by operation and the mode applied.
    pub responses: CountsBy,
    /// Mismatches.
    pub mismatches: Vec<Mismatch>,
    /// Bytes of objects, by `read` or `write` and the mode applied.
    pub object_bytes: CountsBy,
}

/// Exchanges in which another mode was applied than the one asked for.
#[derive(Clone, Debug, Serialize)]
pub struct Mismatch {
    /// The mode asked for.
    pub requested: &'static str,
    /// The mode applied.
    pub applied: &'static str,
    /// How often.
    pub count: u64,
}

/// What became of packets, bytes and connections.
#[derive(Clone, Debug, Serialize)]
pub struct LedgerSummary {
    /// Packets, by fate.
    pub packets: Counts,
    /// TCP payload bytes, by fate; with those that have none yet, their sum is all there were.
    pub payload_bytes: Counts,
    /// TCP payload bytes that are held, and have no fate yet.
    pub unsettled_bytes: u64,
    /// Packets and payload bytes without exactly one fate: 0, or a defect.
    pub discrepancy: u64,
    /// Payload bytes known to be missing.
    pub gap_bytes: u64,
    /// How many gaps that is.
    pub gaps: u64,
    /// Overlapping bytes that differed from those that came first.
    pub conflicting_bytes: u64,
    /// How often a direction lost its place in the message framing.
    pub losses: u64,
    /// Packets that were lost before they could be read.
    pub drops: DropSummary,
    /// TCP connections.
    pub flows: Flows,
    /// Connections that were not looked into.
    pub blind: BlindSpots,
}

/// Packets that were lost before they could be read, by where that was.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct DropSummary {
    /// The kernel's buffer was full.
    pub kernel: u64,
    /// The interface or its driver dropped them.
    pub interface: u64,
    /// No worker had room for them. They are in `packets` too, as `dropped`.
    pub queue: u64,
}

/// TCP connections.
#[derive(Clone, Debug, Serialize)]
pub struct Flows {
    /// How many were seen.
    pub total: u64,
    /// How many were given up after a silence.
    pub timed_out: u64,
    /// How many were given up for want of room.
    pub evicted: u64,
}

/// Connections that were not looked into, by what they are.
#[derive(Clone, Debug, Serialize)]
pub struct BlindSpots {
    /// Encrypted by TLS.
    pub tls_connections: u64,
    /// Payload bytes of those, both directions.
    pub tls_bytes: u64,
    /// Of those, by the server name that the client asked for, where one was seen.
    pub tls_server_names: BTreeMap<String, ServerName>,
    /// HTTP/2.
    pub http2_connections: u64,
    /// Payload bytes of those, both directions.
    pub http2_bytes: u64,
    /// QUIC on UDP port 443.
    pub quic_connections: u64,
    /// Payload bytes of those, both directions. They are UDP's, and in no fate of TCP's payload.
    pub quic_bytes: u64,
    /// How many of those were given up for want of room; what goes on counts again.
    pub quic_evicted: u64,
    /// Not HTTP at all.
    pub other_connections: u64,
}

/// TLS to one server name.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ServerName {
    /// Connections.
    pub connections: u64,
    /// Payload bytes, both directions.
    pub bytes: u64,
}

impl BlindSpots {
    /// How many connections could not be looked into: TLS, HTTP/2 and QUIC.
    pub fn connections(&self) -> u64 {
        self.tls_connections + self.http2_connections + self.quic_connections
    }
}

impl LedgerSummary {
    /// How many bytes of payload were examined, and how many there were.
    pub fn examined(&self) -> (u64, u64) {
        let all: u64 = self.payload_bytes.values().sum();
        let escaped = self.bytes("blind") + self.bytes("lost");
        (all.saturating_sub(escaped), all)
    }

    /// How many bytes could not be looked into, and how many can hold exchanges.
    pub fn blind_share(&self) -> (u64, u64) {
        let BlindSpots { tls_bytes, http2_bytes, quic_bytes, .. } = self.blind;
        let blind = tls_bytes + http2_bytes + quic_bytes;
        (blind, blind + self.bytes("head") + self.bytes("body"))
    }

    fn bytes(&self, fate: &str) -> u64 {
        self.payload_bytes.get(fate).copied().unwrap_or_default()
    }
}

impl Summary {
    /// Of a tally at rest, with the problems that were met on the way to it.
    pub fn new(tally: &Tally, problems: Vec<String>) -> Self {
        let (object_store, other) = tally.exchanges();
        Self {
            sealwatch: env!("CARGO_PKG_VERSION"),
            first_packet: tally.period.map(|(first, _)| rfc3339(first)),
            last_packet: tally.period.map(|(_, last)| rfc3339(last)),
            verdict: tally.ledger.verdict().to_string(),
            exchanges: Exchanges { object_store, other },
            hosts: hosts(tally),
            policy: PolicySummary::new(tally),
            ledger: ledger(tally),
            label_overflow: tally.overflows().into_iter().collect(),
            bounds: tally.bounds().into_iter().map(|bound| (bound.name, bound.into())).collect(),
            problems,
        }
    }

    /// The same, with the exchanges that broke a rule.
    pub fn with(self, evidence: &Evidence) -> Self {
        Self { policy: self.policy.map(|policy| policy.with(evidence)), ..self }
    }

    /// How many exchanges broke the policy.
    pub fn violation_count(&self) -> u64 {
        self.policy.as_ref().map_or(0, PolicySummary::violation_count)
    }

    /// How many mismatches there are.
    pub fn mismatch_count(&self) -> u64 {
        self.hosts.iter().map(|host| host.counts.mismatch_count()).sum()
    }

    /// How many findings there are.
    pub fn finding_count(&self) -> u64 {
        self.hosts.iter().map(HostSummary::finding_count).sum()
    }

    /// How many hosts have any of what is counted.
    pub(crate) fn hosts_with(&self, count: impl Fn(&HostSummary) -> u64) -> u64 {
        self.hosts.iter().filter(|host| count(host) > 0).count() as u64
    }

    /// The hosts as a person wants them: those with violations first, then those with mismatches,
    /// then those with findings.
    pub fn hosts_by_alarm(&self) -> Vec<&HostSummary> {
        let mut hosts: Vec<_> = self.hosts.iter().collect();
        hosts.sort_by_key(|host| {
            let (violations, counts) = (host.violation_count(), &host.counts);
            Reverse((violations, counts.mismatch_count(), host.finding_count()))
        });
        hosts
    }
}

impl HostSummary {
    /// How many exchanges broke a rule.
    pub fn violation_count(&self) -> u64 {
        self.policy_violations.iter().flat_map(BTreeMap::values).sum()
    }

    /// How many findings there are.
    pub fn finding_count(&self) -> u64 {
        self.findings.values().sum()
    }
}

fn hosts(tally: &Tally) -> Vec<HostSummary> {
    let mut places: BTreeMap<&str, Vec<(Option<&str>, &PlaceCounts)>> = BTreeMap::new();
    for (place, counts) in tally.places() {
        places.entry(&place.host).or_default().push((place.bucket.as_deref(), counts));
    }
    let nothing = Vec::new();
    let keys = tally.keys();
    let of = |(host, counts): (&str, &HostCounts)| {
        let places = places.get(host).unwrap_or(&nothing);
        let mut all = PlaceCounts::default();
        places.iter().for_each(|(_, counts)| all.add(counts));
        let buckets = places.iter().map(|(bucket, counts)| {
            (bucket.unwrap_or_default().to_owned(), PlaceSummary::new(counts))
        });
        HostSummary {
            host: host.to_owned(),
            counts: PlaceSummary::new(&all),
            refusals: refusals(counts),
            findings: counts.findings.iter().map(|(finding, n)| (finding.as_str(), *n)).collect(),
            policy_violations: tally.policy().is_some().then(|| {
                let violations = counts.violations.iter();
                violations.map(|(rule, n)| (rule.to_string(), *n)).collect()
            }),
            last_seen: counts.last_seen.iter().map(|(m, t)| (m.as_str(), rfc3339(*t))).collect(),
            buckets: tally.by_bucket().then(|| buckets.collect()),
            kms_keys: keys.as_ref().map(|keys| {
                keys.get(host).map_or_else(KmsKeys::default, |counts| KmsKeys::new(counts))
            }),
        }
    };
    tally.hosts().into_iter().map(of).collect()
}

fn refusals(counts: &HostCounts) -> BTreeMap<&'static str, BTreeMap<u16, u64>> {
    let mut refusals: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for ((operation, status), n) in &counts.refusals {
        refusals.entry(operation.as_str()).or_default().insert(*status, *n);
    }
    refusals
}

fn ledger(tally: &Tally) -> LedgerSummary {
    let ledger = &tally.ledger;
    LedgerSummary {
        packets: PacketFate::ALL.map(|fate| (fate.as_str(), ledger.packets.get(fate))).into(),
        payload_bytes: ByteFate::ALL.map(|fate| (fate.as_str(), ledger.bytes(fate))).into(),
        unsettled_bytes: ledger.flow.unsettled_bytes,
        discrepancy: ledger.discrepancy(),
        gap_bytes: ledger.flow.gap_bytes,
        gaps: ledger.flow.gaps,
        conflicting_bytes: ledger.flow.conflicting_bytes,
        losses: ledger.http.losses,
        drops: DropSummary {
            kernel: ledger.drops.kernel,
            interface: ledger.drops.interface,
            queue: ledger.packets.get(PacketFate::Dropped),
        },
        flows: Flows {
            total: ledger.flow.flows,
            timed_out: ledger.flow.flows_timed_out,
            evicted: ledger.flow.flows_evicted + ledger.flow.flows_evicted_by_source,
        },
        blind: BlindSpots {
            tls_connections: ledger.http.tls_connections,
            tls_bytes: ledger.http.tls_bytes,
            tls_server_names: server_names(tally),
            http2_connections: ledger.http.http2_connections,
            http2_bytes: ledger.http.http2_bytes,
            quic_connections: ledger.flow.quic.connections,
            quic_bytes: ledger.flow.quic.bytes,
            quic_evicted: ledger.flow.quic.evicted,
            other_connections: ledger.http.other_connections,
        },
    }
}

fn server_names(tally: &Tally) -> BTreeMap<String, ServerName> {
    let of = |(name, counts): (&str, TlsCounts)| {
        let TlsCounts { connections, bytes } = counts;
        (name.to_owned(), ServerName { connections, bytes })
    };
    tally.server_names().into_iter().map(of).collect()
}

impl PlaceSummary {
    fn new(counts: &PlaceCounts) -> Self {
        let mut summary = Self::default();
        for ((operation, mode), n) in &counts.requests {
            summary.requests.entry(operation.as_str()).or_default().insert(mode.as_str(), *n);
        }
        for ((operation, mode), n) in &counts.responses {
            summary.responses.entry(operation.as_str()).or_default().insert(mode.as_str(), *n);
        }
        for ((direction, mode), n) in &counts.object_bytes {
            summary.object_bytes.entry(direction.as_str()).or_default().insert(mode.as_str(), *n);
        }
        let mismatches = counts.mismatches.iter().map(|((requested, applied), count)| Mismatch {
            requested: requested.as_str(),
            applied: applied.as_str(),
            count: *count,
        });
        summary.mismatches = mismatches.collect();
        summary
    }

    /// How many mismatches there are.
    pub fn mismatch_count(&self) -> u64 {
        self.mismatches.iter().map(|mismatch| mismatch.count).sum()
    }
}
