//! Every connection that is known, and the orders in which they are given up.
//!
//! Takes connections by their keys, and what is to be known of each: how much it is worth, how
//! much memory it holds, who began it. Gives any of them by key, and in constant time the one to
//! look at next, to give up next, or to take memory from. Promises that each connection is in
//! exactly one list of its [`Worth`] and [`Pulse`], in one of memory where it holds any, and in one of
//! its source where it is [`Worth::Empty`].

use super::key::KeptKey;
use super::list::{Id, Linked, Links, List};
use crate::net::{Direction, FlowKey, Timestamp};
use ahash::RandomState;
use hashbrown::HashTable;
use slab::Slab;
use std::collections::HashMap;
use std::net::IpAddr;

/// How much is lost with a connection, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    /// Nothing: it never carried data. What comes of it later counts all the same.
    Empty,
    /// Little: the consumer has found nothing in it.
    Unknown,
    /// That late copies of its segments are known for such.
    Over,
    /// What the consumer remembers of it.
    Wanted,
}

impl Worth {
    pub(super) const ALL: [Self; 4] = [Self::Empty, Self::Unknown, Self::Over, Self::Wanted];
}

/// Whether time can bring about something in a connection, other than its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pulse {
    /// It is to be looked at again soon.
    Awake,
    /// It need not be looked at before it may be over.
    Resting,
}

/// What kinds of lists there are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Worth,
    Memory,
    Source,
}

/// How many lists of memory there are: one for each power of two.
const SIZES: usize = usize::BITS as usize + 1;

/// When a connection was looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// By the clock of sweeps, which goes forward, whatever the times of packets do.
    pub(super) clock: Timestamp,
    /// The time of its last packet then.
    pub(super) last: Timestamp,
}

#[derive(Debug)]
struct Slot<F> {
    key: KeptKey,
    look: Look,
    links: [Links; 3],
    worth: Worth,
    pulse: Pulse,
    /// The list of memory: 0 for none, else the length of the number of bytes, in bits.
    size: u8,
    /// Which way its first segment went.
    begun: Direction,
    flow: F,
}

impl<F> Slot<F> {
    /// Who began it.
    fn source(&self) -> IpAddr {
        self.key.get().source(self.begun).addr
    }
}

impl<F> Linked<Kind> for Slot<F> {
    fn links(&mut self, kind: Kind) -> &mut Links {
        &mut self.links[kind as usize]
    }
}

/// Every connection.
#[derive(Debug)]
pub(super) struct Roster<F> {
    slots: Slab<Slot<F>>,
    by_key: HashTable<Id>,
    hasher: RandomState,
    /// By worth, and by pulse.
    worth: [[List; 2]; 4],
    memory: [List; SIZES],
    sources: HashMap<IpAddr, List, RandomState>,
    /// The latest time that a sweep was given.
    clock: Timestamp,
}

impl<F> Roster<F> {
    /// An empty one, whose keys are hashed by `hasher`.
    pub(super) fn new(hasher: RandomState) -> Self {
        Self {
            slots: Slab::new(),
            by_key: HashTable::new(),
            hasher,
            worth: [[List::EMPTY; 2]; 4],
            memory: [List::EMPTY; SIZES],
            sources: HashMap::default(),
            clock: Timestamp::EARLIEST,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn hash(&self, key: &FlowKey) -> u64 {
        self.hasher.hash_one(key)
    }

    /// `hash` is the key's [hash](Self::hash).
    pub(super) fn find(&self, hash: u64, key: &FlowKey) -> Option<Id> {
        self.by_key.find(hash, |id| self.slots[*id as usize].key.is(key)).copied()
    }

    pub(super) fn get(&self, id: Id) -> Option<&F> {
        self.slots.get(id as usize).map(|slot| &slot.flow)
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut F> {
        self.slots.get_mut(id as usize).map(|slot| &mut slot.flow)
    }

    /// A connection with its key.
    pub(super) fn entry(&mut self, id: Id) -> Option<(FlowKey, &mut F)> {
        self.slots.get_mut(id as usize).map(|slot| (slot.key.get(), &mut slot.flow))
    }

    /// Adds a connection that is not there, which was just looked at. Its first packet, at `last`,
    /// went the way of `begun`.
    pub(super) fn insert(
        &mut self,
        key: FlowKey,
        flow: F,
        begun: Direction,
        last: Timestamp,
    ) -> Id {
        let look = Look { clock: self.clock, last };
        let links = [Links::LOOSE; 3];
        let hash = self.hasher.hash_one(key);
        let key = KeptKey::of(&key);
        let (worth, pulse) = (Worth::Empty, Pulse::Awake);
        let slot = Slot { key, look, links, worth, pulse, size: 0, begun, flow };
        let id = self.slots.insert(slot) as Id;
        let (slots, hasher) = (&self.slots, &self.hasher);
        let rehash = |id: &Id| hasher.hash_one(slots[*id as usize].key.get());
        self.by_key.insert_unique(hash, id, rehash);
        self.enlist(id);
        id
    }

    fn enlist(&mut self, id: Id) {
        let slot = &self.slots[id as usize];
        let (worth, source) = (slot.worth, slot.source());
        self.worth[worth as usize][slot.pulse as usize].push(&mut self.slots, Kind::Worth, id);
        if worth == Worth::Empty {
            let list = self.sources.entry(source).or_insert(List::EMPTY);
            list.push(&mut self.slots, Kind::Source, id);
        }
    }

    fn delist(&mut self, id: Id) {
        let slot = &self.slots[id as usize];
        let (worth, source) = (slot.worth, slot.source());
        self.worth[worth as usize][slot.pulse as usize].remove(&mut self.slots, Kind::Worth, id);
        if worth == Worth::Empty
            && let Some(list) = self.sources.get_mut(&source)
        {
            list.remove(&mut self.slots, Kind::Source, id);
            if list.len() == 0 {
                self.sources.remove(&source);
            }
        }
    }

    /// Takes a connection out.
    pub(super) fn remove(&mut self, id: Id) -> Option<F> {
        self.slots.get(id as usize)?;
        self.delist(id);
        self.set_size(id, 0);
        let slot = self.slots.remove(id as usize);
        let hash = self.hasher.hash_one(slot.key.get());
        if let Ok(entry) = self.by_key.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        self.give_back();
        Some(slot.flow)
    }

    /// Gives memory back after a flood.
    fn give_back(&mut self) {
        if self.slots.is_empty() {
            self.slots.shrink_to_fit();
            self.by_key = HashTable::new();
            self.sources.shrink_to_fit();
        }
    }

    /// Notes what a connection is worth, and how many bytes it holds.
    pub(super) fn rate(&mut self, id: Id, worth: Worth, bytes: usize) {
        let Some(slot) = self.slots.get(id as usize) else { return };
        if slot.worth != worth {
            self.delist(id);
            self.slots[id as usize].worth = worth;
            self.enlist(id);
        }
        self.set_size(id, (usize::BITS - bytes.leading_zeros()) as u8);
    }

    /// What it is rated.
    #[cfg(test)]
    pub(super) fn rated(&self, id: Id) -> (Worth, u8) {
        (self.slots[id as usize].worth, self.slots[id as usize].size)
    }

    fn set_size(&mut self, id: Id, size: u8) {
        let before = std::mem::replace(&mut self.slots[id as usize].size, size);
        if before == size {
            return;
        }
        if before > 0 {
            self.memory[usize::from(before)].remove(&mut self.slots, Kind::Memory, id);
        }
        if size > 0 {
            self.memory[usize::from(size)].push(&mut self.slots, Kind::Memory, id);
        }
    }

    /// Of those that hold the most memory, within a factor of two, the one that has done so for
    /// longest.
    pub(super) fn heaviest(&self) -> Option<Id> {
        self.memory[1..].iter().rev().find_map(List::first)
    }

    /// How many connections without data `source` has begun, and the first of them.
    pub(super) fn of_source(&self, source: IpAddr) -> (usize, Option<Id>) {
        self.sources.get(&source).map_or((0, None), |list| (list.len(), list.first()))
    }

    /// How many connections are worth so much.
    pub(super) const fn count(&self, worth: Worth) -> usize {
        let [awake, resting] = &self.worth[worth as usize];
        awake.len() + resting.len()
    }

    /// Of those worth so much, the one that was not looked at for longest, and when it was.
    pub(super) fn earliest(&self, worth: Worth) -> Option<(Id, Look)> {
        let firsts = [Pulse::Awake, Pulse::Resting].map(|pulse| self.first(worth, pulse));
        firsts.into_iter().flatten().min_by_key(|(_, look)| look.clock)
    }

    /// The same, of those that rest or those that do not.
    pub(super) fn first(&self, worth: Worth, pulse: Pulse) -> Option<(Id, Look)> {
        let id = self.worth[worth as usize][pulse as usize].first()?;
        Some((id, self.slots[id as usize].look))
    }

    /// Notes whether a connection rests.
    pub(super) fn set_pulse(&mut self, id: Id, pulse: Pulse) {
        let Some(slot) = self.slots.get_mut(id as usize) else { return };
        let before = std::mem::replace(&mut slot.pulse, pulse);
        if before != pulse {
            let lists = slot.worth as usize;
            self.worth[lists][before as usize].remove(&mut self.slots, Kind::Worth, id);
            self.worth[lists][pulse as usize].push(&mut self.slots, Kind::Worth, id);
        }
    }

    /// A connection was looked at; its last packet was at `last`.
    pub(super) fn look(&mut self, id: Id, last: Timestamp) {
        let clock = self.clock;
        let Some(slot) = self.slots.get_mut(id as usize) else { return };
        slot.look = Look { clock, last };
        let list = &mut self.worth[slot.worth as usize][slot.pulse as usize];
        list.remove(&mut self.slots, Kind::Worth, id);
        list.push(&mut self.slots, Kind::Worth, id);
    }

    /// A sweep begins, at `now`.
    pub(super) fn pass_time(&mut self, now: Timestamp) {
        if now.is_set_back_from(self.clock) {
            // What was looked at by the other clock would not be looked at again for as long.
            self.slots.iter_mut().for_each(|(_, slot)| slot.look.clock = now);
        }
        self.clock = self.clock.then(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Endpoint;

    /// Of the first source where the port is even, else of the second.
    fn key(port: u16) -> FlowKey {
        let end = |n, port| Endpoint::new([192, 0, 2, n].into(), port);
        FlowKey::new(end((port % 2) as u8, port), end(9, 80)).0
    }

    fn find(roster: &Roster<u16>, port: u16) -> Option<Id> {
        roster.find(roster.hash(&key(port)), &key(port))
    }

    fn source(n: u8) -> IpAddr {
        [192, 0, 2, n].into()
    }

    fn roster(ports: std::ops::Range<u16>) -> Roster<u16> {
        let mut roster = Roster::new(RandomState::new());
        for port in ports {
            roster.insert(key(port), port, Direction::Up, Timestamp::default());
        }
        roster
    }

    #[test]
    fn connections_are_found_by_key_until_they_are_removed() {
        let mut roster = roster(0..1000);
        for port in (0..1000).filter(|port| port % 3 != 0) {
            let id = find(&roster, port).unwrap();
            assert_eq!(roster.remove(id), Some(port));
            assert_eq!(roster.remove(id), None);
        }
        for port in 0..1000 {
            let found = find(&roster, port).and_then(|id| roster.get(id));
            assert_eq!(found.copied(), (port % 3 == 0).then_some(port));
        }
        assert_eq!(roster.len(), 334);
    }

    #[test]
    fn the_least_worth_and_of_those_the_least_lately_seen_come_first() {
        let mut roster = roster(0..4);
        let id = |roster: &Roster<u16>, port| find(roster, port).unwrap();
        roster.rate(id(&roster, 0), Worth::Wanted, 0);
        roster.look(id(&roster, 1), Timestamp::from_nanos(1));
        let first = |roster: &Roster<u16>, worth| {
            roster.earliest(worth).and_then(|(id, _)| roster.get(id)).copied()
        };
        assert_eq!(first(&roster, Worth::Empty), Some(2));
        assert_eq!(first(&roster, Worth::Unknown), None);
        assert_eq!(first(&roster, Worth::Wanted), Some(0));
        assert_eq!((roster.count(Worth::Empty), roster.count(Worth::Wanted)), (3, 1));
    }

    #[test]
    fn those_without_data_are_known_by_their_source() {
        let mut roster = roster(0..10);
        let (n, first) = roster.of_source(source(1));
        assert_eq!((n, first.and_then(|id| roster.get(id)).copied()), (5, Some(1)));
        let id = find(&roster, 1).unwrap();
        roster.rate(id, Worth::Unknown, 0);
        let (n, first) = roster.of_source(source(1));
        assert_eq!((n, first.and_then(|id| roster.get(id)).copied()), (4, Some(3)));
        assert_eq!(roster.of_source(source(9)), (0, None));
        for port in 0..10 {
            find(&roster, port).and_then(|id| roster.remove(id));
        }
        let lists = roster.worth.as_flattened();
        assert!(roster.sources.is_empty() && lists.iter().all(|list| list.len() == 0));
    }

    #[test]
    fn those_that_rest_are_looked_at_apart_and_given_up_together_with_others() {
        let mut roster = roster(0..3);
        roster.set_pulse(0, Pulse::Resting);
        let first = |roster: &Roster<u16>, pulse| roster.first(Worth::Empty, pulse).map(|it| it.0);
        assert_eq!(first(&roster, Pulse::Resting), Some(0));
        assert_eq!(first(&roster, Pulse::Awake), Some(1));
        assert_eq!(roster.count(Worth::Empty), 3);
        roster.pass_time(Timestamp::from_nanos(5));
        roster.look(1, Timestamp::from_nanos(5));
        roster.look(2, Timestamp::from_nanos(5));
        assert_eq!(roster.earliest(Worth::Empty).map(|it| it.0), Some(0));
        roster.set_pulse(0, Pulse::Awake);
        assert_eq!(first(&roster, Pulse::Resting), None);
        assert_eq!(first(&roster, Pulse::Awake), Some(1));
    }

    #[test]
    fn memory_is_taken_from_where_there_is_most() {
        let mut roster = roster(0..3);
        for (port, bytes) in [(0, 1000), (1, 5000), (2, 4097), (0, 0), (0, 700)] {
            let id = find(&roster, port).unwrap();
            roster.rate(id, Worth::Wanted, bytes);
        }
        let mut order = Vec::new();
        while let Some(id) = roster.heaviest() {
            order.push(*roster.get(id).unwrap());
            roster.rate(id, Worth::Wanted, 0);
        }
        assert_eq!(order, [1, 2, 0]);
    }
}
