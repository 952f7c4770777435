//! Every connection there is, and when each is over.

use super::flow::{Context, Flow, Verdict};
use super::looks::{Look, Looks};
use super::{Consumer, Counts};
use crate::decode::Segment;
use crate::net::{FlowKey, Timestamp};
use ahash::RandomState;
use std::collections::HashMap;

const SECOND: u64 = 1_000_000_000;

/// Bounds and time-outs. All times are packet time, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most connections that are known at once; over that, the one that was silent for
    /// longest is given up.
    pub max_flows: usize,
    /// The most bytes that one connection holds out of order, both directions together.
    pub max_kept_bytes: usize,
    /// The most segments that one direction holds out of order.
    pub max_held_segments: usize,
    /// The most bytes that all connections together hold out of order.
    pub max_kept_bytes_in_all: usize,
    /// How many more segments of a connection to wait for bytes that were acknowledged but not
    /// captured: taps reorder.
    pub wait_segments: u32,
    /// How long to wait for them at most.
    pub wait_nanos: u64,
    /// A connection that is silent for this long is over.
    pub idle_nanos: u64,
    /// The same for one that never carried data.
    pub idle_empty_nanos: u64,
    /// How long to go on listening after a reset, for what overtook it.
    pub reset_nanos: u64,
    /// How long a connection that ended stays known, so that repeated segments of it do not
    /// look like a new one. The time of TIME-WAIT on Linux.
    pub linger_nanos: u64,
    /// The most pairs of endpoints with UDP port 443 that are known at once; over that, the one
    /// that was silent for longest is given up.
    pub max_quic_connections: usize,
    /// A QUIC connection that is silent for this long is over. Its endpoints agree on a time-out
    /// (RFC 9000 §10.1), encrypted; but to outlive middleboxes they have to send every 30 s
    /// (RFC 9000 §10.1.2). This is twice that.
    pub quic_idle_nanos: u64,
}

impl Limits {
    /// The limits of one of so many tables that share the connections: together they take no more
    /// memory than one.
    #[must_use]
    pub fn shared_among(self, tables: usize) -> Self {
        let tables = tables.max(1);
        Self {
            max_flows: self.max_flows.div_ceil(tables),
            max_kept_bytes_in_all: self.max_kept_bytes_in_all.div_ceil(tables),
            max_quic_connections: self.max_quic_connections.div_ceil(tables),
            ..self
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_flows: 1 << 19,
            max_kept_bytes: 4 << 20,
            max_held_segments: 4096,
            max_kept_bytes_in_all: 256 << 20,
            wait_segments: 40,
            wait_nanos: SECOND,
            idle_nanos: 600 * SECOND,
            idle_empty_nanos: 60 * SECOND,
            reset_nanos: 2 * SECOND,
            linger_nanos: 60 * SECOND,
            max_quic_connections: 1 << 18,
            quic_idle_nanos: 60 * SECOND,
        }
    }
}

/// Every connection, and the consumer that their bytes are given to.
pub struct FlowTable<C: Consumer> {
    /// Boxed, so that a table that grows moves little.
    flows: HashMap<FlowKey, Box<Flow<C::Connection>>, RandomState>,
    /// Every flow exactly once.
    looks: Looks,
    consumer: C,
    counts: Counts,
    limits: Limits,
    kept: usize,
}

impl<C: Consumer> FlowTable<C> {
    /// An empty table that gives to `consumer`.
    pub fn new(consumer: C, limits: Limits) -> Self {
        Self {
            flows: HashMap::default(),
            looks: Looks::new(),
            consumer,
            counts: Counts::default(),
            limits,
            kept: 0,
        }
    }

    /// The consumer.
    pub const fn consumer(&mut self) -> &mut C {
        &mut self.consumer
    }

    /// What became of what came in, so far.
    pub fn counts(&self) -> Counts {
        Counts {
            flows_active: self.flows.len() as u64,
            buffered_bytes: self.kept as u64,
            ..self.counts
        }
    }

    /// Connections that are known now.
    pub fn active(&self) -> usize {
        self.flows.len()
    }

    /// Bytes held in memory now, waiting for the ones before them.
    pub const fn kept_bytes(&self) -> usize {
        self.kept
    }

    /// Payload bytes that came in and were not given to the consumer yet.
    pub fn held_bytes(&self) -> u64 {
        self.flows.values().map(|flow| flow.held_bytes()).sum()
    }

    /// Takes a segment in.
    pub fn segment(&mut self, segment: &Segment<'_>) {
        let key = segment.flow;
        self.pass_time(&key, segment);
        if self.take(segment) == Verdict::Successor {
            self.replace(segment, Flow::succeed);
            self.take(segment);
        }
        if self.kept > self.limits.max_kept_bytes_in_all {
            self.release(&key);
        }
    }

    /// Ends what the time since a connection's last segment, or what this one shows, has ended.
    fn pass_time(&mut self, key: &FlowKey, segment: &Segment<'_>) {
        let Some(flow) = self.flows.get(key) else { return };
        match age(flow, &self.limits, segment.time) {
            Age::Forgotten => {
                self.counts.flows_timed_out += u64::from(flow.ended_at.is_none());
                self.replace(segment, |_, _| {});
            }
            Age::Ended => {
                self.with(key, Flow::close);
            }
            Age::Alive => {}
        }
        if self.flows.get(key).is_some_and(|flow| flow.agrees_with_stray(segment)) {
            let mut stray = None;
            let counts = &mut self.counts;
            if let Some(flow) = self.flows.get_mut(key) {
                let before = flow.kept;
                stray = flow.take_stray(counts);
                self.kept = self.kept - before + flow.kept;
            }
            self.replace(segment, |_, _| {});
            if let Some(stray) = stray {
                self.take(&stray.segment(*key));
            }
        }
    }

    /// Ends a connection and puts a new one of the same endpoints in its place, after `inherit`
    /// told it what is known.
    fn replace(
        &mut self,
        segment: &Segment<'_>,
        inherit: impl FnOnce(&mut Flow<C::Connection>, &Flow<C::Connection>),
    ) {
        let key = segment.flow;
        self.with(&key, Flow::close);
        let mut new = self.open(segment);
        if let Some(old) = self.flows.get_mut(&key) {
            inherit(&mut new, old);
            self.kept -= old.kept;
            **old = new;
        }
    }

    fn open(&mut self, segment: &Segment<'_>) -> Flow<C::Connection> {
        self.counts.flows += 1;
        Flow::new(self.consumer.open(&segment.flow, segment.tunnel), segment.time)
    }

    fn take(&mut self, segment: &Segment<'_>) -> Verdict {
        let key = segment.flow;
        if !self.flows.contains_key(&key) {
            self.make_room();
            let flow = self.open(segment);
            self.flows.insert(key, Box::new(flow));
            self.looks.look(key, segment.time);
        }
        self.with(&key, |flow, cx| flow.segment(cx, segment)).unwrap_or(Verdict::Taken)
    }

    /// Runs `what` on a flow and keeps account of what it holds.
    fn with<T>(
        &mut self,
        key: &FlowKey,
        what: impl FnOnce(&mut Flow<C::Connection>, &mut Context<'_, C>) -> T,
    ) -> Option<T> {
        let flow = self.flows.get_mut(key)?;
        let before = flow.kept;
        let mut cx = Context {
            consumer: &mut self.consumer,
            counts: &mut self.counts,
            limits: &self.limits,
            key,
        };
        let result = what(flow, &mut cx);
        self.kept = self.kept - before + flow.kept;
        Some(result)
    }

    fn release(&mut self, key: &FlowKey) {
        self.counts.bound_hits += 1;
        self.with(key, Flow::release);
    }

    /// Ends and forgets a connection that is not in the queue.
    fn remove(&mut self, key: &FlowKey) {
        self.with(key, Flow::close);
        if let Some(flow) = self.flows.remove(key) {
            self.kept -= flow.kept;
        }
    }

    fn make_room(&mut self) {
        while self.flows.len() >= self.limits.max_flows {
            let Some(Look { last, key, .. }) = self.looks.earliest() else { return };
            match self.flows.get(&key) {
                Some(flow) if flow.last > last => {
                    self.looks.look(key, flow.last);
                }
                Some(_) => {
                    self.counts.flows_evicted += 1;
                    self.remove(&key);
                }
                None => {}
            }
        }
    }

    /// Ends connections that were silent for long enough, and waits for bytes that were
    /// acknowledged and do not come. `now` is how far packet time has come.
    ///
    /// A segment that comes after a silence does the same for its connection
    /// ([`segment`](Self::segment)), so that when and how often this is called changes how soon
    /// something is known, and hardly ever what: only where a tap delivers, seconds late, what its
    /// receiver had acknowledged.
    pub fn sweep(&mut self, now: Timestamp) {
        self.looks.pass_time(now);
        for _ in 0..self.looks.len() {
            // The shortest time-out: flows behind the first that is not due cannot be over.
            let Some(look) = self.looks.earlier_than(now, self.limits.reset_nanos) else { return };
            let key = look.key;
            let Some(flow) = self.flows.get(&key) else { continue };
            let timed_out = u64::from(flow.ended_at.is_none());
            match age(flow, &self.limits, now) {
                Age::Forgotten => {
                    self.counts.flows_timed_out += timed_out;
                    self.remove(&key);
                    continue;
                }
                Age::Ended => {
                    self.with(&key, Flow::close);
                }
                Age::Alive => {
                    self.with(&key, |flow, cx| flow.pass_time(cx, now));
                }
            }
            let last = self.flows.get(&key).map_or(now, |flow| flow.last);
            self.looks.look(key, last);
        }
    }

    /// Ends every connection: there will be no more segments.
    pub fn close(&mut self) {
        while let Some(look) = self.looks.earliest() {
            self.remove(&look.key);
        }
        debug_assert!(self.flows.is_empty() && self.kept == 0);
    }
}

/// How far a silence has brought a connection.
enum Age {
    Alive,
    /// It is over; late segments of it may still come.
    Ended,
    /// Nothing of it comes any more.
    Forgotten,
}

fn age<T>(flow: &Flow<T>, limits: &Limits, now: Timestamp) -> Age {
    let silent = now.nanos_since(flow.last);
    let forgotten_after = match flow.ended_at {
        Some(_) => limits.linger_nanos,
        None if flow.carried_data => limits.idle_nanos,
        None => limits.idle_empty_nanos,
    };
    if silent > forgotten_after {
        Age::Forgotten
    } else if flow.ended_at.is_some() && flow.connection.is_some() && silent > limits.reset_nanos {
        Age::Ended
    } else {
        Age::Alive
    }
}
