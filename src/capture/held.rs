//! A packet that waits to be given.

use super::{LinkType, Packet};
use crate::net::Timestamp;

/// A packet's own copy.
pub(super) struct Held {
    pub(super) time: Timestamp,
    link_type: LinkType,
    data: Box<[u8]>,
    wire_len: u32,
}

impl Held {
    pub(super) fn of(packet: &Packet<'_>) -> Self {
        let Packet { time, link_type, data, wire_len, .. } = *packet;
        Self { time, link_type, data: data.into(), wire_len }
    }

    pub(super) fn packet(&self) -> Packet<'_> {
        let Self { time, link_type, ref data, wire_len } = *self;
        Packet { time, link_type, data, wire_len, block: None }
    }
}
