//! Target: segments of a few connections through the flow room.
//!
//! The script begins with an options byte ([`Options`]) and bounds; then follow steps ([`step`]) of
//! eight bytes each. A connection's bytes are known by their place, so that what is given can be
//! held against what was sent.
//!
//! What must hold, of any segments in any order:
//! - each direction is given without overlap, and without holes but those that are said;
//! - of bytes that were sent twice and differ, the first are given (where one connection had its
//!   endpoints for itself, and its bytes were all near each other);
//! - bytes pass unseen only where that was asked for, and gaps are of bytes that never came;
//! - every payload byte was given, or is a duplicate, astray, or held, and counted as that, at any
//!   time; at the end none is held;
//! - a connection is opened and closed once, and each direction ends at most once;
//! - as many bytes are held, and as many connections known, as there may be.
//!
//! And of [honest](Options::HONEST) ones, whose numbers are what two ends would have sent: that no
//! direction is given before what its sender had received, and that nothing is lost where all
//! of it was captured and came in time.

mod listener;
mod model;

use crate::tape::Tape;
use listener::Listener;
use model::{Model, Sent};
use sealwatch::decode::{Flags, Segment};
use sealwatch::flow::{FlowTable, Limits};
use sealwatch::net::{Endpoint, FlowKey, Seq, Timestamp};
use std::net::IpAddr;

/// How many connections there are.
const FLOWS: usize = 3;
/// How many steps are taken at most.
const MAX_STEPS: usize = 400;

/// The first byte.
pub struct Options;

impl Options {
    /// Segments say what two ends would; some are reordered, none lost.
    pub const HONEST: u8 = 1;
    /// The bounds are narrow, where segments are not honest: bytes that find no room are given
    /// with gaps.
    pub const NARROW: u8 = 2;
}

/// The target.
pub fn run(data: &[u8]) {
    let mut tape = Tape::new(data);
    let options = tape.u8();
    let is_honest = options & Options::HONEST != 0;
    let limits = limits(&mut tape, options & Options::NARROW != 0 && !is_honest);
    let demands = tape.bytes(4).to_vec();
    let mut world = World {
        table: FlowTable::new(Listener::new(demands), limits),
        model: Model::new(),
        limits,
        time: 1_000_000_000_000,
    };
    if is_honest {
        honest(&mut world, &mut tape);
    } else {
        for _ in 0..MAX_STEPS {
            if tape.is_over() {
                break;
            }
            step(&mut world, &mut tape);
            world.check();
        }
    }
    world.finish();
}

fn limits(tape: &mut Tape<'_>, narrow: bool) -> Limits {
    let bounds = tape.u8();
    let limits = Limits { wait_segments: 10, ..Limits::default() };
    if !narrow {
        return limits;
    }
    Limits {
        max_flows: 1 + usize::from(bounds & 1),
        max_empty_per_source: 1 + usize::from(bounds >> 4 & 3),
        max_connection_bytes: 256 << (bounds >> 1 & 3),
        max_held_segments: 1 + usize::from(bounds >> 3 & 7),
        max_buffered_bytes: 512 << (bounds >> 6),
        ..limits
    }
}

/// The table, and what it is held against.
struct World {
    table: FlowTable<Listener>,
    model: Model,
    limits: Limits,
    time: i64,
}

impl World {
    /// Sends a segment.
    fn send(&mut self, flow: usize, sent: &Sent) {
        let (key, direction) = ends(flow, sent.from_client);
        self.model.note(key, direction, sent);
        let segment = Segment {
            time: Timestamp::from_nanos(self.time),
            flow: key,
            tunnel: None,
            direction,
            seq: Seq(sent.seq),
            ack: sent.ack.map(Seq),
            flags: Flags(sent.flags),
            payload: &sent.payload,
            unseen: 0,
            missing: sent.missing,
        };
        self.table.segment(&segment);
        self.look();
    }

    /// Holds what was given meanwhile against what was sent.
    fn look(&mut self) {
        let given = std::mem::take(&mut self.table.consumer().given);
        for chunk in &given {
            self.model.check(chunk, self.table.consumer().opened(&chunk.key));
        }
    }

    /// What must hold at any time.
    fn check(&mut self) {
        let counts = self.table.counts();
        let held = counts.unsettled_bytes;
        let given = self.table.consumer().bytes;
        assert_eq!(counts.payload_bytes, self.model.bytes, "taken in: {counts:?}");
        let fates = given + counts.duplicate_bytes + counts.stray_bytes + counts.late_bytes + held;
        assert_eq!(counts.payload_bytes, fates, "given {given}, held {held}: {counts:?}");
        assert_eq!(counts.gap_bytes, self.table.consumer().gap_bytes, "{counts:?}");
        assert!(counts.conflicting_bytes <= counts.duplicate_bytes, "{counts:?}");
        assert!(counts.flows_active <= self.limits.max_flows as u64, "{counts:?}");
        assert!(counts.buffered_bytes <= self.limits.max_buffered_bytes as u64, "{counts:?}");
        // Those without data are not told of.
        assert!(counts.flows >= self.table.consumer().opens, "{counts:?}");
    }

    /// There is no more.
    fn finish(mut self) {
        self.table.close();
        self.look();
        self.check();
        let counts = self.table.counts();
        assert_eq!((counts.unsettled_bytes, counts.buffered_bytes), (0, 0), "{counts:?}");
        assert_eq!(counts.flows_active, 0, "{counts:?}");
        let listener = self.table.consumer();
        assert_eq!(listener.opens, listener.closes, "{counts:?}");
    }
}

/// The ends of a connection. The client's is the higher one in every other.
fn ends(flow: usize, from_client: bool) -> (FlowKey, sealwatch::net::Direction) {
    let end = |host, port| Endpoint::new(IpAddr::from([192, 0, 2, host]), port);
    let [client, server] = if flow.is_multiple_of(2) {
        [end(1, 4000), end(2, 80)]
    } else {
        [end(2, 4000), end(1, 80)]
    };
    let client = Endpoint { port: client.port + flow as u16, ..client };
    if from_client { FlowKey::new(client, server) } else { FlowKey::new(server, client) }
}

/// One step: a segment with any numbers, or time that passes.
fn step(world: &mut World, tape: &mut Tape<'_>) {
    let what = tape.u8();
    let [seq, ack] = [tape.u8(), tape.u8()];
    let [len, flags] = [tape.u8(), tape.u8()];
    let (differs, missing, time) = (tape.u8(), tape.u8(), tape.u8());
    world.time += match time {
        0..200 => i64::from(time) * 1_000,
        200..230 => i64::from(time - 199) * 100_000_000,
        230..250 => i64::from(time - 229) * 10_000_000_000,
        250.. => -i64::from(time) * 100_000_000,
    };
    if what >> 5 == 7 {
        world.table.sweep(Timestamp::from_nanos(world.time));
        return world.look();
    }
    let flow = usize::from(what >> 1 & 3) % FLOWS;
    let from_client = what & 1 == 0;
    let base = world.model.base(flow, from_client);
    let far = if what & 8 != 0 { 1 << 28 } else { 0 };
    let seq = base.wrapping_add(far).wrapping_add(u32::from(seq) * 4);
    let other = world.model.base(flow, !from_client);
    let acknowledged = other.wrapping_add(far).wrapping_add(u32::from(ack) * 4);
    let payload = model::bytes(seq, usize::from(len), differs);
    world.send(
        flow,
        &Sent {
            from_client,
            seq,
            ack: (ack != 255).then_some(acknowledged),
            flags: flags_of(flags) | if ack == 255 { 0 } else { Flags::ACK.0 },
            payload,
            missing: if missing >= 240 { u32::from(missing - 239) * 8 } else { 0 },
            tidy: far == 0 && flags_of(flags) & (Flags::SYN.0 | Flags::RST.0) == 0,
        },
    );
}

/// Most segments have no flags but ACK.
fn flags_of(byte: u8) -> u8 {
    match byte {
        0..180 => 0,
        180..200 => Flags::PSH.0,
        200..215 => Flags::FIN.0,
        215..230 => Flags::SYN.0,
        230..240 => Flags::RST.0,
        240..250 => Flags::SYN.0 | Flags::FIN.0,
        250.. => byte & 7,
    }
}

/// Two ends that talk, and a tap that delivers all they say, a little out of order.
fn honest(world: &mut World, tape: &mut Tape<'_>) {
    let bases = [true, false].map(|from_client| world.model.base(0, from_client));
    let mut sent = [0_u32; 2];
    let mut received = [0_u32; 2];
    let mut queue: Vec<(usize, Sent)> = Vec::new();
    let opening = [(true, Flags::SYN.0, false), (false, Flags::SYN.0 | Flags::ACK.0, true)];
    for (from_client, flags, acks) in opening {
        let me = usize::from(!from_client);
        let seq = bases[me].wrapping_sub(1);
        let ack = acks.then_some(bases[1 - me]);
        let payload = Vec::new();
        world.send(0, &Sent { from_client, seq, ack, flags, payload, missing: 0, tidy: true });
    }
    for count in 0..MAX_STEPS {
        if tape.is_over() {
            break;
        }
        let [what, len, read, back] = [tape.u8(), tape.u8(), tape.u8(), tape.u8()];
        let me = usize::from(what & 1);
        // It has received some more of what the other end has sent.
        let unread = sent[1 - me] - received[me];
        received[me] += (u32::from(read) * 4).min(unread);
        let seq = bases[me].wrapping_add(sent[me]);
        let payload = model::bytes(seq, usize::from(len), 0);
        sent[me] += payload.len() as u32;
        let ack = Some(bases[1 - me].wrapping_add(received[me]));
        let from_client = me == 0;
        let flags = Flags::ACK.0;
        let segment = Sent { from_client, seq, ack, flags, payload, missing: 0, tidy: true };
        // Late, but less than is waited for; the copy, too.
        let place = count + usize::from(back % 5);
        if back & 0x80 != 0 {
            queue.push((count + 5, segment.clone()));
        }
        queue.push((place, segment));
    }
    queue.sort_by_key(|(place, _)| *place);
    queue.iter().for_each(|(_, segment)| deliver(world, segment));
    world.look();
    let listener = world.table.consumer();
    listener.check_causal();
    assert_eq!(listener.gap_bytes, 0, "all came in time");
    assert_eq!(listener.bytes, u64::from(sent[0]) + u64::from(sent[1]), "all came");
}

fn deliver(world: &mut World, segment: &Sent) {
    world.time += 1_000_000;
    world.send(0, segment);
    world.check();
}
