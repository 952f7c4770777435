//! Every connection there is, and when each is over.

use super::embryo::Embryo;
use super::flow::{Context, Flow, Passed, Verdict};
use super::fold::Folding;
use super::list::Id;
use super::roster::{Look, Pulse, Roster, Worth};
use super::state::{Age, Folded, State, age, shortest_silence};
use super::stream::Holdings;
use super::{Consumer, Counts, Limits};
use crate::decode::Segment;
use crate::net::Timestamp;
use ahash::RandomState;

/// Every connection, and the consumer that their bytes are given to.
///
/// Invariants: `held` is the sum of what every flow was last accounted for; every flow's worth and
/// memory are known to the roster as they were after its last segment.
pub struct FlowTable<C: Consumer> {
    roster: Roster<State<C::Connection>>,
    consumer: C,
    counts: Counts,
    limits: Limits,
    held: Holdings,
    folding: Folding,
    /// No segment may go the short way.
    #[cfg(test)]
    pub(super) long_way: bool,
}

impl<C: Consumer> FlowTable<C> {
    /// An empty table that gives to `consumer`.
    pub fn new(consumer: C, limits: Limits) -> Self {
        Self::with_hasher(consumer, limits, RandomState::new())
    }

    /// The same, where others hash its keys as well, by `hasher`. (Keyed: anyone can choose them.)
    pub fn with_hasher(consumer: C, limits: Limits, hasher: RandomState) -> Self {
        Self {
            roster: Roster::new(hasher),
            consumer,
            counts: Counts::default(),
            limits,
            held: Holdings::default(),
            folding: Folding::default(),
            #[cfg(test)]
            long_way: false,
        }
    }

    /// The consumer.
    pub const fn consumer(&mut self) -> &mut C {
        &mut self.consumer
    }

    /// What became of what came in, so far.
    pub fn counts(&self) -> Counts {
        Counts {
            flows_active: self.roster.len() as u64,
            buffered_bytes: self.held.memory as u64,
            unsettled_bytes: self.held.payload,
            ..self.counts
        }
    }

    /// Takes a segment in. Answers how many bytes right behind it in its direction nobody will look at, as
    /// far as is known: of those [`Segment::unseen`] will do, as long as the connection is the same.
    pub fn segment(&mut self, segment: &Segment<'_>) -> u64 {
        self.segment_hashed(self.roster.hash(&segment.flow), segment)
    }

    /// The same, where the hash of its key is known.
    pub fn segment_hashed(&mut self, hash: u64, segment: &Segment<'_>) -> u64 {
        let unwanted = match self.roster.find(hash, &segment.flow) {
            Some(id) => self.go_on(id, segment),
            None => {
                self.begin(segment);
                0
            }
        };
        self.keep_within_memory();
        unwanted
    }

    /// The first segment of a connection.
    fn begin(&mut self, segment: &Segment<'_>) {
        self.make_room();
        if segment.sent() == 0 {
            self.make_room_of_source(segment);
        }
        self.counts.flows += 1;
        let (flow, begun, last) = (segment.flow, segment.direction, segment.time);
        if let Some(embryo) = Embryo::of(segment) {
            let id = self.roster.insert(flow, State::Bare(embryo), begun, last);
            return self.roster.set_pulse(id, Pulse::Resting);
        }
        let state = State::Full(Box::new(self.open(segment)));
        let id = self.roster.insert(flow, state, begun, last);
        self.with(id, |flow, cx| flow.segment(cx, segment));
    }

    fn open(&mut self, segment: &Segment<'_>) -> Flow<C::Connection> {
        Flow::new(self.consumer.open(&segment.flow, segment.tunnel), segment.time)
    }

    /// A further segment of a connection, or the first of another one on the same endpoints. Answers how
    /// many bytes behind it nobody will look at.
    fn go_on(&mut self, id: Id, segment: &Segment<'_>) -> u64 {
        if let Some(unwanted) = self.pass(id, segment) {
            return unwanted;
        }
        self.go_on_anyhow(id, segment);
        0
    }

    fn go_on_anyhow(&mut self, id: Id, segment: &Segment<'_>) {
        self.wake(id);
        if let Some(State::Bare(embryo)) = self.roster.get_mut(id) {
            if segment.time.nanos_since(embryo.last) > self.limits.idle_empty_nanos {
                self.counts.flows_timed_out += 1;
                self.remove(id);
                return self.begin(segment);
            }
            if embryo.take(segment) {
                return;
            }
            self.unfold(id);
        }
        self.take(id, segment);
    }

    /// Takes a segment in by the short way, if it may go that; how many bytes behind it nobody will look
    /// at then.
    fn pass(&mut self, id: Id, segment: &Segment<'_>) -> Option<u64> {
        #[cfg(test)]
        if self.long_way {
            return None;
        }
        let Some(State::Full(flow)) = self.roster.get_mut(id) else { return None };
        if !matches!(age(flow, &self.limits, 1, segment.time), Age::Alive) {
            return None;
        }
        let (consumer, counts) = (&mut self.consumer, &mut self.counts);
        let mut cx = Context { consumer, counts, limits: &self.limits, key: &segment.flow };
        let passed = flow.pass(&mut cx, segment);
        let unwanted = flow.unwanted(segment.direction);
        if passed == (Passed::Taken { counts: true }) {
            self.account(id);
        }
        (passed != Passed::Not).then_some(unwanted)
    }

    /// A connection begins to carry data, or ends: reads what it said so far.
    fn unfold(&mut self, id: Id) {
        let Some((key, state)) = self.roster.entry(id) else { return };
        let State::Bare(embryo) = state else { return };
        let segments: Vec<_> = embryo.segments(key).collect();
        let Some(first) = segments.first() else { return };
        let flow = self.open(first);
        if let Some(state) = self.roster.get_mut(id) {
            *state = State::Full(Box::new(flow));
            self.roster.set_pulse(id, Pulse::Awake);
        }
        segments.iter().for_each(|segment| self.take(id, segment));
    }

    /// Folds a connection up, if it rests.
    fn fold(&mut self, id: Id) {
        let Some((key, state)) = self.roster.entry(id) else { return };
        let State::Full(flow) = state else { return };
        let (consumer, counts) = (&mut self.consumer, &mut self.counts);
        let mut cx = Context { consumer, counts, limits: &self.limits, key: &key };
        if flow.fold(&mut cx, &mut self.folding) {
            let (last, has_ended) = (flow.last, flow.ended_at.is_some());
            *state = State::Folded(Folded { bytes: self.folding.bytes(), last, has_ended });
            self.roster.set_pulse(id, Pulse::Resting);
        }
    }

    /// Unfolds a connection that rests.
    fn wake(&mut self, id: Id) {
        if let Some(state) = self.roster.get_mut(id)
            && let State::Folded(Folded { bytes, last, .. }) = state
        {
            *state = State::Full(Box::new(Flow::unfold(&mut self.consumer, bytes, *last)));
            self.roster.set_pulse(id, Pulse::Awake);
        }
    }

    fn take(&mut self, id: Id, segment: &Segment<'_>) {
        self.pass_time(id, segment);
        let verdict = self.with(id, |flow, cx| flow.segment(cx, segment));
        if verdict == Some(Verdict::Successor) {
            self.replace(id, segment, Flow::succeed);
            self.with(id, |flow, cx| flow.segment(cx, segment));
        }
    }

    /// Ends what the time since a connection's last segment, or what this one shows, has ended.
    fn pass_time(&mut self, id: Id, segment: &Segment<'_>) {
        let Some(flow) = self.full(id) else { return };
        match age(flow, &self.limits, 1, segment.time) {
            Age::Forgotten => {
                self.counts.flows_timed_out += u64::from(flow.ended_at.is_none());
                self.replace(id, segment, |_, _| {});
            }
            Age::Ended => {
                self.with(id, Flow::close);
            }
            Age::Alive => {}
        }
        if self.full(id).is_some_and(|flow| flow.agrees_with_stray(segment)) {
            let stray = self.with(id, |flow, cx| flow.take_stray(cx.counts)).flatten();
            self.replace(id, segment, |_, _| {});
            if let Some(stray) = stray {
                self.take(id, &stray.segment(segment.flow));
            }
        }
    }

    fn full(&self, id: Id) -> Option<&Flow<C::Connection>> {
        match self.roster.get(id)? {
            State::Full(flow) => Some(flow),
            State::Bare(_) | State::Folded(_) => None,
        }
    }

    /// Ends a connection and puts a new one of the same endpoints in its place, after `inherit`
    /// told it what is known.
    fn replace(
        &mut self,
        id: Id,
        segment: &Segment<'_>,
        inherit: impl FnOnce(&mut Flow<C::Connection>, &Flow<C::Connection>),
    ) {
        self.with(id, Flow::close);
        self.counts.flows += 1;
        let mut new = self.open(segment);
        if let Some(State::Full(old)) = self.roster.get_mut(id) {
            inherit(&mut new, old);
            **old = new;
        }
    }

    /// Runs `what` on a flow and keeps account of what it holds and is worth.
    fn with<T>(
        &mut self,
        id: Id,
        what: impl FnOnce(&mut Flow<C::Connection>, &mut Context<'_, C>) -> T,
    ) -> Option<T> {
        let (key, state) = self.roster.entry(id)?;
        let State::Full(flow) = state else { return None };
        let mut cx = Context {
            consumer: &mut self.consumer,
            counts: &mut self.counts,
            limits: &self.limits,
            key: &key,
        };
        let result = what(flow, &mut cx);
        self.account(id);
        Some(result)
    }

    /// Keeps account of what a flow holds and is worth.
    fn account(&mut self, id: Id) {
        let Some(State::Full(flow)) = self.roster.get_mut(id) else { return };
        let (held, worth) = flow.standing(&self.consumer);
        self.held -= std::mem::replace(&mut flow.accounted, held);
        self.held += held;
        self.roster.rate(id, worth, held.memory);
    }

    /// Ends and forgets a connection.
    fn remove(&mut self, id: Id) {
        self.wake(id);
        if let Some(State::Bare(embryo)) = self.roster.get(id)
            && embryo.shows_missing()
        {
            self.unfold(id);
        }
        self.with(id, Flow::close);
        self.roster.remove(id);
    }

    fn keep_within_memory(&mut self) {
        while self.held.memory > self.limits.max_buffered_bytes
            && let Some(id) = self.roster.heaviest()
        {
            let before = self.held.memory;
            self.counts.memory_bound_hits += 1;
            self.with(id, Flow::shed);
            debug_assert!(self.held.memory < before, "a consumer that sheds holds nothing");
            if self.held.memory >= before {
                return;
            }
        }
    }

    /// The connection to give up first: the one that was silent for longest of the least worth, but
    /// where these are few. Each connection is worth little when it begins: where they did not get
    /// a share of the room, a flood of connections that are worth much would leave none to new ones.
    fn least(&self) -> Option<(Id, Look)> {
        let share = self.limits.max_flows / 8;
        let many = Worth::ALL.into_iter().find(|worth| self.roster.count(*worth) > share);
        many.and_then(|worth| self.roster.earliest(worth))
    }

    fn make_room(&mut self) {
        while self.roster.len() >= self.limits.max_flows.max(1) {
            let Some((id, look)) = self.least() else { return };
            let last = self.roster.get(id).map_or(look.last, State::last);
            if last > look.last {
                self.roster.look(id, last);
            } else {
                self.counts.flows_evicted += 1;
                self.remove(id);
            }
        }
    }

    /// One address must not take the room of the others by connections that come to nothing.
    fn make_room_of_source(&mut self, segment: &Segment<'_>) {
        let source = segment.flow.source(segment.direction).addr;
        let (count, first) = self.roster.of_source(source);
        if count >= self.limits.max_empty_per_source.max(1)
            && let Some(first) = first
        {
            self.counts.flows_evicted_by_source += 1;
            self.remove(first);
        }
    }

    /// Ends connections that were silent for long enough, and waits for bytes that were
    /// acknowledged and do not come. `now` is how far packet time has come.
    ///
    /// A segment that comes after a silence does the same for its connection
    /// ([`segment`](Self::segment)), so that when and how often this is called changes how soon
    /// something is known, and hardly ever what: only where a tap delivers, seconds late, what its
    /// receiver had acknowledged.
    ///
    /// While the table is nearly full, what is worth little has to go sooner.
    pub fn sweep(&mut self, now: Timestamp) {
        self.roster.pass_time(now);
        let haste = self.limits.haste(self.roster.len());
        for worth in Worth::ALL {
            let haste = if worth == Worth::Wanted { 1 } else { haste };
            // The shortest time-out: connections behind the first that is not due cannot be over. Not
            // shortened: a full table would be looked through many times a second.
            self.look_at_due(worth, Pulse::Awake, self.limits.reset_nanos, haste, now);
            let resting = shortest_silence(&self.limits, worth) / haste + self.limits.reset_nanos;
            self.look_at_due(worth, Pulse::Resting, resting, haste, now);
        }
    }

    /// Looks at connections that were not looked at for so long.
    fn look_at_due(&mut self, worth: Worth, pulse: Pulse, nanos: u64, haste: u64, now: Timestamp) {
        for _ in 0..self.roster.count(worth) {
            match self.roster.first(worth, pulse) {
                Some((id, Look { clock, .. })) if now.nanos_since(clock) > nanos => {
                    self.look_at(id, haste, now);
                }
                _ => return,
            }
        }
    }

    fn look_at(&mut self, id: Id, haste: u64, now: Timestamp) {
        let (age, ended) = match self.roster.get(id) {
            Some(State::Bare(embryo)) => {
                let over = now.nanos_since(embryo.last) > self.limits.idle_empty_nanos / haste;
                (if over { Age::Forgotten } else { Age::Alive }, false)
            }
            Some(State::Full(flow)) => {
                (age(flow, &self.limits, haste, now), flow.ended_at.is_some())
            }
            Some(State::Folded(folded)) => (folded.age(&self.limits, haste, now), folded.has_ended),
            None => return,
        };
        match age {
            Age::Forgotten => {
                self.counts.flows_timed_out += u64::from(!ended);
                return self.remove(id);
            }
            Age::Ended => self.with(id, Flow::close),
            Age::Alive => self.with(id, |flow, cx| {
                flow.pass_time(cx, now);
                if now.nanos_since(flow.last) > cx.limits.reset_nanos {
                    flow.rest();
                }
            }),
        };
        let last = self.roster.get(id).map_or(now, State::last);
        if now.nanos_since(last) > self.limits.reset_nanos {
            self.fold(id);
        }
        self.roster.look(id, last);
    }

    /// Ends every connection: there will be no more segments.
    pub fn close(&mut self) {
        for worth in Worth::ALL.into_iter().rev() {
            while let Some((id, _)) = self.roster.earliest(worth) {
                self.remove(id);
            }
        }
        debug_assert!(self.roster.len() == 0 && self.held == Holdings::default());
    }
}

#[cfg(test)]
impl<C: Consumer<Connection: std::fmt::Debug>> FlowTable<C> {
    pub(super) fn fold_and_unfold(&mut self, key: &crate::net::FlowKey) {
        if let Some(id) = self.roster.find(self.roster.hash(key), key) {
            self.fold(id);
            self.wake(id);
        }
    }

    /// All that there is of a connection, in words.
    pub(super) fn look_into(&self, key: &crate::net::FlowKey) -> Option<String> {
        let id = self.roster.find(self.roster.hash(key), key)?;
        Some(match self.roster.get(id)? {
            State::Bare(embryo) => format!("{embryo:?}"),
            State::Full(flow) => format!("{flow:?} {:?}", self.roster.rated(id)),
            State::Folded(Folded { bytes, .. }) => format!("{bytes:?}"),
        })
    }
}
