//! QUIC on UDP port 443: nothing in it can be read, but that it is there can be known.
//!
//! A datagram shows little of what it is. Its first byte tells QUIC from what shares ports with
//! it (RFC 9443 §3): 0–3 is STUN, 16–19 ZRTP, 20–63 DTLS, 64–79 a TURN channel *or* QUIC,
//! 80–127 QUIC with a short header, 128–191 RTP, 192–255 QUIC with a long header. In other words,
//! QUIC has its fixed bit set (RFC 9000 §17.2, §17.3.1). Of the other bits of a short header, five
//! are encrypted, so that any of 64–127 occurs. A long header says more: a version and two
//! connection ids with their lengths, which anything else will hardly have by chance.
//!
//! What these signs amount to for a connection is for the flow room to say. Not recognised are
//! Google's QUIC before Q046, which had no such bit, and QUIC on other ports.

use super::datagram::Datagram;
use super::{PacketFate, tunnel, udp};
use crate::net::{Endpoint, FlowKey, Timestamp};

/// The port of HTTP/3 (RFC 9114 §3.1).
const PORT: u16 = 443;

/// The first bit: a long header.
const LONG: u8 = 0x80;
/// The second: set in every QUIC packet but for Version Negotiation and where endpoints have
/// agreed to vary it (RFC 9287).
const FIXED: u8 = 0x40;
/// First bytes of the messages of a TURN channel (RFC 8656 §12).
const TURN_CHANNEL: std::ops::RangeInclusive<u8> = 64..=79;

/// A packet with a short header holds at least its first byte, and behind it what the sample of
/// header protection is taken from: 4 bytes passed over, and 16 (RFC 9001 §5.4.2).
const MIN_SHORT: usize = 1 + 4 + 16;
/// What every other packet ends with (RFC 9000 §17.2.5, RFC 9001 §5.3).
const TAG: usize = 16;
/// The longest connection id in every version so far (RFC 9000 §17.2, RFC 9369 §3). The
/// invariants allow for more (RFC 8999 §5.1), but then nearly everything would pass for one.
const MAX_CONNECTION_ID: usize = 20;

/// What a datagram to or from UDP port 443 shows of QUIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuicSign {
    /// A long header that makes sense (RFC 9000 §17.2), or Version Negotiation (§17.2.1): QUIC.
    LongHeader,
    /// What a short header looks like (RFC 9000 §17.3.1), and nothing else that is multiplexed
    /// with QUIC. A protocol whose first byte is random looks like it, too, one time in five.
    ShortHeader,
    /// The same, but a TURN channel looks like it as well.
    TurnChannel,
    /// Nothing of QUIC, unless its endpoints vary the fixed bit (RFC 9287).
    Nothing,
}

/// A datagram to or from UDP port 443.
#[derive(Clone, Copy, Debug)]
pub struct QuicDatagram {
    /// The time of the packet that carried (or completed) it.
    pub time: Timestamp,
    /// Its endpoints.
    pub flow: FlowKey,
    /// What it shows.
    pub sign: QuicSign,
    /// How many bytes of payload it had on the wire, captured or not.
    pub bytes: u64,
}

/// The datagram in what IP carries, whose UDP header starts at `data`.
///
/// # Errors
///
/// `NotTcp` for another port, for one of a tunnel, and where no payload was captured.
pub(super) fn datagram(
    time: Timestamp,
    datagram: &Datagram<'_>,
    data: &[u8],
    vxlan_ports: &[u16],
) -> Result<QuicDatagram, PacketFate> {
    let udp = udp::datagram(data, datagram.missing)?;
    let is_tunnel = tunnel::is_port(udp.destination, vxlan_ports);
    if is_tunnel || ![udp.source, udp.destination].contains(&PORT) || udp.payload.is_empty() {
        return Err(PacketFate::NotTcp);
    }
    let (flow, _) = FlowKey::new(
        Endpoint::new(datagram.source, udp.source),
        Endpoint::new(datagram.destination, udp.destination),
    );
    let bytes = (udp.payload.len() + udp.missing) as u64;
    Ok(QuicDatagram { time, flow, sign: sign(udp.payload, udp.missing), bytes })
}

/// What a payload shows, of which the last `missing` bytes were not captured.
fn sign(payload: &[u8], missing: usize) -> QuicSign {
    let Some(&first) = payload.first() else { return QuicSign::Nothing };
    let is_quic = match first & (LONG | FIXED) {
        0 => false,
        FIXED => payload.len() + missing >= MIN_SHORT,
        form => has_long_header(payload, missing, form & FIXED != 0),
    };
    match first {
        _ if !is_quic => QuicSign::Nothing,
        LONG.. => QuicSign::LongHeader,
        first if TURN_CHANNEL.contains(&first) => QuicSign::TurnChannel,
        _ => QuicSign::ShortHeader,
    }
}

/// Whether a long header makes sense, as far as it was captured (RFC 8999 §5.1): two connection
/// ids, each behind a byte that is its length, and what must follow.
fn has_long_header(payload: &[u8], missing: usize, is_fixed: bool) -> bool {
    let wire_len = payload.len() + missing;
    let negotiates = payload.get(1..5) == Some(&[0; 4]);
    let mut at = 5;
    for _ in 0..2 {
        let Some(&len) = payload.get(at) else {
            return missing > 0 && (is_fixed || negotiates);
        };
        at += 1 + usize::from(len);
        if usize::from(len) > MAX_CONNECTION_ID || at > wire_len {
            return false;
        }
    }
    let rest = wire_len - at;
    if negotiates {
        // A list of versions; its server should set the fixed bit, and need not (RFC 9000 §17.2.1).
        rest >= 4 && rest.is_multiple_of(4)
    } else {
        is_fixed && rest >= TAG
    }
}
