//! What listens to the flow room: notes what is given, and asks for it as the script says.

use sealwatch::flow::{Chunk, Consumer, Content, Demand, Folding, Standing, Unfolding};
use sealwatch::net::{Direction, FlowKey, Position, Tunnel};
use std::collections::HashMap;

/// Something that was given.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) key: FlowKey,
    pub(super) direction: Direction,
    pub(super) position: Position,
    pub(super) content: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Data(Vec<u8>),
    Passed(u64),
    Gap(u64),
}

impl Kind {
    fn len(&self) -> u64 {
        match self {
            Self::Data(bytes) => bytes.len() as u64,
            Self::Passed(n) | Self::Gap(n) => *n,
        }
    }
}

/// What it remembers of a connection, by direction.
#[derive(Debug, Default)]
pub(super) struct Connection {
    next: [Option<Position>; 2],
    /// Up to where nobody looks.
    skip_to: [Position; 2],
    blind: [bool; 2],
    ended: [bool; 2],
}

#[derive(Debug)]
pub(super) struct Listener {
    demands: Vec<u8>,
    chunks: usize,
    /// What was given since this was last taken.
    pub(super) given: Vec<Given>,
    /// All of it, for [`check_causal`](Self::check_causal).
    all: Vec<(Direction, Position, u64, Option<Position>)>,
    pub(super) bytes: u64,
    pub(super) gap_bytes: u64,
    pub(super) opens: u64,
    pub(super) closes: u64,
    opened: HashMap<FlowKey, u32>,
    /// Connections at rest.
    folded: Vec<Connection>,
}

impl Listener {
    /// `demands` are its answers, in turns.
    pub(super) fn new(demands: Vec<u8>) -> Self {
        Self {
            demands,
            chunks: 0,
            given: Vec::new(),
            all: Vec::new(),
            bytes: 0,
            gap_bytes: 0,
            opens: 0,
            closes: 0,
            opened: HashMap::new(),
            folded: Vec::new(),
        }
    }

    /// How many connections of these endpoints there were.
    pub(super) fn opened(&self, key: &FlowKey) -> u32 {
        self.opened.get(key).copied().unwrap_or(0)
    }

    /// Checks of one connection that nothing was given before what its sender had received.
    pub(super) fn check_causal(&self) {
        let start = |direction| self.all.iter().find(|(d, ..)| *d == direction).map(|all| all.1);
        let mut reached = [start(Direction::Up), start(Direction::Down)];
        for (direction, position, len, ack) in &self.all {
            let other = reached[direction.reverse().index()];
            let early = ack.zip(other).is_some_and(|(ack, other)| other < ack);
            assert!(!early, "{direction:?} at {position:?} with {ack:?}: {other:?} was given");
            reached[direction.index()] = Some(position.plus(*len));
        }
    }

    fn demand(&mut self, connection: &mut Connection, direction: usize, next: Position) -> Demand {
        let answers = self.demands.len().max(1);
        let answer = self.demands.get(self.chunks % answers).copied().unwrap_or(0);
        self.chunks += 1;
        match answer {
            0..160 => Demand::Look,
            160..250 => {
                let n = u64::from(answer - 159) * 4;
                // What is held already may count by an earlier answer that went further.
                let skip_to = &mut connection.skip_to[direction];
                *skip_to = next.plus(n).max(*skip_to);
                Demand::Skip(n)
            }
            250.. => {
                connection.blind[direction] = true;
                Demand::Nothing
            }
        }
    }
}

impl Consumer for Listener {
    type Connection = Connection;

    fn open(&mut self, key: &FlowKey, _tunnel: Option<Tunnel>) -> Connection {
        self.opens += 1;
        *self.opened.entry(*key).or_default() += 1;
        Connection::default()
    }

    fn chunk(&mut self, connection: &mut Connection, key: &FlowKey, chunk: Chunk<'_>) -> Demand {
        let at = chunk.direction.index();
        let content = match chunk.content {
            Content::Data { bytes, .. } => Kind::Data(bytes.to_vec()),
            Content::Passed(n) => Kind::Passed(n),
            Content::Gap(n) => Kind::Gap(n),
        };
        let len = content.len();
        assert!(len > 0, "nothing is given: {chunk:?}");
        assert!(connection.next[at].is_none_or(|next| next == chunk.position), "{chunk:?}");
        let next = chunk.position.plus(len);
        connection.next[at] = Some(next);
        match content {
            Kind::Gap(n) => self.gap_bytes += n,
            Kind::Data(_) => self.bytes += len,
            Kind::Passed(n) => {
                let unwanted = connection.blind[at] || next <= connection.skip_to[at];
                assert!(unwanted, "not looked at: {chunk:?}, {connection:?}");
                self.bytes += n;
            }
        }
        let Chunk { direction, position, ack, .. } = chunk;
        self.all.push((direction, position, len, ack));
        self.given.push(Given { key: *key, direction, position, content });
        self.demand(connection, at, next)
    }

    fn end(&mut self, connection: &mut Connection, _key: &FlowKey, direction: Direction) {
        let ended = &mut connection.ended[direction.index()];
        assert!(!std::mem::replace(ended, true), "ended twice");
    }

    fn standing(&self, connection: &Connection) -> Standing {
        Standing { wanted: connection.blind[0], ..Standing::default() }
    }

    fn shed(&mut self, _connection: &mut Connection, _key: &FlowKey) {}

    fn fold(&mut self, connection: &mut Connection, to: &mut Folding) -> bool {
        to.number(self.folded.len() as u64);
        self.folded.push(std::mem::take(connection));
        true
    }

    fn unfold(&mut self, from: &mut Unfolding<'_>) -> Connection {
        std::mem::take(&mut self.folded[from.number() as usize])
    }

    fn close(&mut self, _connection: Connection, _key: &FlowKey) {
        self.closes += 1;
    }
}
