//! A connection's key, where it is kept: that of most takes a third of the room.

use crate::net::{FlowKey, PlainKey};

/// A key.
#[derive(Debug)]
pub(super) enum KeptKey {
    Plain(PlainKey),
    Any(Box<FlowKey>),
}

impl KeptKey {
    pub(super) fn of(key: &FlowKey) -> Self {
        PlainKey::of(key).map_or_else(|| Self::Any(Box::new(*key)), Self::Plain)
    }

    pub(super) fn get(&self) -> FlowKey {
        match self {
            Self::Plain(key) => key.get(),
            Self::Any(key) => **key,
        }
    }

    pub(super) fn is(&self, key: &FlowKey) -> bool {
        match self {
            Self::Plain(kept) => PlainKey::of(key).as_ref() == Some(kept),
            Self::Any(kept) => **kept == *key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Endpoint, Tunnel, TunnelKind};

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
