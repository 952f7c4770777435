//! A connection of which no message and no exchange is under way, folded up until more of it comes.

use super::Reader;
use super::half::{Half, State, Why};
use super::pairing::Pending;
use super::session::Connection;
use crate::flow::{Folding, Unfolding};
use crate::net::{Direction, Tunnel, TunnelKind};

/// Where a direction that rests may stand.
const STATES: [State; 8] = [
    State::Fresh,
    State::Proxied(0),
    State::Boundary,
    State::Lost,
    State::Tunnel,
    State::Closed(Why::Tls),
    State::Closed(Why::Http2),
    State::Closed(Why::Other),
];

/// Folds up all that there is of a connection, if it rests and that can be written down.
pub(super) fn fold<R: Reader>(connection: &Connection<R>, to: &mut Folding) -> bool {
    let Connection {
        halves,
        client,
        pending,
        interim,
        unproven_interim,
        tunnel,
        server_name,
        memory,
        ..
    } = connection;
    if !pending.rests() || !halves.iter().all(|half| half.partial.is_empty()) {
        return false;
    }
    let is_up = *client == Some(Direction::Up);
    to.flags([client.is_some(), is_up, connection.blind_counted, tunnel.is_some()]);
    for (half, direction) in halves.iter().zip([Direction::Up, Direction::Down]) {
        if !fold_half(half, direction, to) {
            return false;
        }
    }
    pending.fold(to);
    to.place(Direction::Up, *interim);
    to.place(Direction::Up, *unproven_interim);
    if let Some(Tunnel { kind, id }) = tunnel {
        to.number(*kind as u64);
        to.flags([id.is_some()]);
        to.number(u64::from(id.unwrap_or_default()));
    }
    to.text(server_name.as_deref());
    R::fold(memory, to)
}

/// The same again.
pub(super) fn unfold<R: Reader>(reader: &mut R, from: &mut Unfolding<'_>) -> Connection<R> {
    let [is_known, is_up, blind_counted, is_tunnelled] = from.flags();
    let client = if is_up { Direction::Up } else { Direction::Down };
    Connection {
        halves: [Direction::Up, Direction::Down].map(|direction| unfold_half(direction, from)),
        client: is_known.then_some(client),
        blind_counted,
        pending: Pending::unfold(from),
        interim: from.place(Direction::Up),
        unproven_interim: from.place(Direction::Up),
        tunnel: if is_tunnelled { unfold_tunnel(from) } else { None },
        server_name: from.text().map(Into::into),
        memory: reader.unfold(from),
    }
}

fn unfold_tunnel(from: &mut Unfolding<'_>) -> Option<Tunnel> {
    let kind = from.number() as usize;
    let [has_id] = from.flags();
    let id = from.number() as u32;
    Some(Tunnel { kind: *TunnelKind::ALL.get(kind)?, id: has_id.then_some(id) })
}

/// What a head began with, and how far it was searched, matters only inside one.
fn fold_half(half: &Half, direction: Direction, to: &mut Folding) -> bool {
    let Some(state) = STATES.iter().position(|state| *state == half.state) else { return false };
    to.number(state as u64);
    to.flags([half.seen]);
    to.place(direction, half.hole);
    to.place(direction, half.gap_end);
    to.place(direction.reverse(), half.last_ack);
    half.unplaced == 0
}

fn unfold_half(direction: Direction, from: &mut Unfolding<'_>) -> Half {
    let state = STATES.get(from.number() as usize).copied().unwrap_or(State::Lost);
    let [seen] = from.flags();
    Half {
        state,
        seen,
        hole: from.place(direction),
        gap_end: from.place(direction),
        last_ack: from.place(direction.reverse()),
        ..Half::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_tunnels_come_out_as_they_went_in() {
        for (n, kind) in TunnelKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, n);
        }
    }
}
