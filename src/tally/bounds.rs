//! Every bound on memory: how high it is, how near, and how often it bit.

use super::Tally;
use super::keys::Keys;
use crate::{flow, http};

/// What the rooms before this one may take. Set by who runs them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections and what they hold, of all workers.
    pub flow: flow::Limits,
    /// Heads and exchanges, of one connection.
    pub http: http::Limits,
    /// Bytes of fragments, of all sources.
    pub fragment_bytes: usize,
    /// Segments that are remembered to know their copies, of all workers; `None` where none are.
    pub dedup_segments: Option<usize>,
}

/// A bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What is bounded: a label value.
    pub name: &'static str,
    /// The most there can be.
    pub limit: u64,
    /// How much there is, where that is one number for the whole process.
    pub used: Option<u64>,
    /// How often something was given up for it.
    pub hits: u64,
    /// The option that sets it, without its dashes.
    pub option: &'static str,
}

impl Bound {
    const fn new(
        (name, option): (&'static str, &'static str),
        limit: usize,
        used: Option<u64>,
        hits: u64,
    ) -> Self {
        Self { name, limit: limit as u64, used, hits, option }
    }
}

impl Tally {
    /// Every bound. Those of the rooms before this one are known once these run.
    pub fn bounds(&self) -> Vec<Bound> {
        let mut bounds = self.names();
        if let Some(limits) = self.room_limits {
            bounds.extend(self.rooms(&limits));
        }
        bounds
    }

    fn names(&self) -> Vec<Bound> {
        let limits = &self.limits;
        // The stand-ins need no room.
        let of = |name, limit: usize, names: usize, hits| {
            Bound::new(name, limit, Some(names.min(limit) as u64), hits)
        };
        let mut bounds = vec![
            of(("hosts", "max-hosts"), limits.max_hosts, self.hosts.len(), self.host_overflows),
            of(
                ("server_names", "max-hosts"),
                limits.max_hosts,
                self.server_names.len(),
                self.server_name_overflows,
            ),
            Bound::new(
                ("label_bytes", "max-label-bytes"),
                limits.max_label_bytes,
                None,
                self.long_labels + self.keys.as_ref().map_or(0, Keys::long_labels),
            ),
        ];
        if let Some(max) = limits.max_buckets {
            bounds.push(of(
                ("buckets", "max-buckets"),
                max,
                self.places.len(),
                self.bucket_overflows,
            ));
        }
        bounds.extend(self.keys.iter().flat_map(Keys::bounds));
        bounds
    }

    fn rooms(&self, limits: &Limits) -> Vec<Bound> {
        let Limits { flow: most, http, .. } = limits;
        let super::Ledger { flow, http: heads, fragments, dedup, .. } = &self.ledger;
        let all = |used| Some(used);
        let mut bounds = vec![
            Bound::new(
                ("connections", "max-connections"),
                most.max_flows,
                all(flow.flows_active),
                flow.flows_evicted,
            ),
            Bound::new(
                ("half_open_per_source", "max-half-open"),
                most.max_empty_per_source,
                None,
                flow.flows_evicted_by_source,
            ),
            Bound::new(
                ("buffered_bytes", "max-buffer"),
                most.max_buffered_bytes,
                all(flow.buffered_bytes),
                flow.memory_bound_hits,
            ),
            Bound::new(
                ("connection_bytes", "max-connection-buffer"),
                most.max_connection_bytes,
                None,
                flow.connection_bound_hits,
            ),
            Bound::new(
                ("quic_connections", "max-quic-connections"),
                most.max_quic_connections,
                None,
                flow.quic.evicted,
            ),
            Bound::new(
                ("head_bytes", "max-head-bytes"),
                http.max_head_bytes,
                None,
                heads.heads_too_long,
            ),
            Bound::new(
                ("header_fields", "max-header-fields"),
                http.max_header_fields,
                None,
                heads.heads_with_too_many_fields,
            ),
            Bound::new(
                ("pipelined_requests", "max-pipelined"),
                http.max_pending_exchanges,
                None,
                heads.requests_forgotten,
            ),
            Bound::new(
                ("fragment_bytes", "max-fragment-buffer"),
                limits.fragment_bytes,
                all(fragments.bytes),
                fragments.bound_hits,
            ),
        ];
        if let Some(max) = limits.dedup_segments {
            bounds.push(Bound::new(
                ("dedup_segments", "max-dedup-packets"),
                max,
                all(dedup.remembered),
                dedup.overruns,
            ));
        }
        bounds
    }
}
