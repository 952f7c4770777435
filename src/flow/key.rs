//! A connection's key, where it is kept: that of most takes a third of the room.

use crate::net::{Direction, Endpoint, FlowKey};
use std::net::{IpAddr, Ipv4Addr};

/// A key.
#[derive(Debug)]
pub(super) enum KeptKey {
    /// Of IPv4, in no tunnel of its own.
    Plain {
        addresses: [Ipv4Addr; 2],
        ports: [u16; 2],
    },
    Any(Box<FlowKey>),
}

impl KeptKey {
    pub(super) fn of(key: &FlowKey) -> Self {
        let (low, high) = (key.source(Direction::Up), key.source(Direction::Down));
        match (low.addr, high.addr, key.tunnel()) {
            (IpAddr::V4(a), IpAddr::V4(b), None) => {
                Self::Plain { addresses: [a, b], ports: [low.port, high.port] }
            }
            _ => Self::Any(Box::new(*key)),
        }
    }

    pub(super) fn get(&self) -> FlowKey {
        match self {
            Self::Plain { addresses: [a, b], ports: [c, d] } => {
                let (low, high) = (Endpoint::new((*a).into(), *c), Endpoint::new((*b).into(), *d));
                FlowKey::new(low, high).0
            }
            Self::Any(key) => **key,
        }
    }

    pub(super) fn is(&self, key: &FlowKey) -> bool {
        match self {
            Self::Plain { addresses, ports } => {
                let (low, high) = (key.source(Direction::Up), key.source(Direction::Down));
                let (IpAddr::V4(a), IpAddr::V4(b)) = (low.addr, high.addr) else { return false };
                *addresses == [a, b] && *ports == [low.port, high.port] && key.tunnel().is_none()
            }
            Self::Any(kept) => **kept == *key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Tunnel, TunnelKind};

    #[test]
    fn a_key_comes_out_as_it_was_put_in_and_is_no_other() {
        let ends = |a: &str, b: &str| {
            FlowKey::new(Endpoint::new(a.parse().unwrap(), 9), Endpoint::new(b.parse().unwrap(), 8))
                .0
        };
        let plain = ends("192.0.2.1", "192.0.2.2");
        let tunnel = Some(Tunnel { kind: TunnelKind::Gre, id: Some(1) });
        let keys = [
            plain,
            ends("192.0.2.2", "192.0.2.1"),
            ends("192.0.2.1", "2001:db8::1"),
            ends("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
            plain.within(tunnel),
        ];
        for (n, key) in keys.iter().enumerate() {
            let kept = KeptKey::of(key);
            assert_eq!(kept.get(), *key);
            for (m, other) in keys.iter().enumerate() {
                assert_eq!(kept.is(other), n == m, "{key:?} {other:?}");
            }
        }
    }
}
