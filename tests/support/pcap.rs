//! Writes packets down as capture files.

use super::conversation::Packet;
use etherparse::{PacketBuilder, TcpHeader};
use sealwatch::net::Endpoint;
use std::net::IpAddr;

const RAW_IP: u32 = 101;
const SNAPLEN: u32 = 262_144;
const FILE_HEADER: usize = 24;
pub const PACKET_HEADER: usize = 16;

/// A packet, and its time in nanoseconds.
pub type Timed = (i64, Vec<u8>);

/// A pcap file of raw IP packets, with nanoseconds.
pub fn pcap(packets: &[Timed]) -> Vec<u8> {
    pcap_of(RAW_IP, packets)
}

/// A pcap file of packets of that link type.
pub fn pcap_of(link_type: u32, packets: &[Timed]) -> Vec<u8> {
    let mut file = header(link_type);
    for (time, packet) in packets {
        let (seconds, nanos) = (time.div_euclid(1_000_000_000), time.rem_euclid(1_000_000_000));
        let len = packet.len() as u32;
        for word in [seconds as u32, nanos as u32, len, len] {
            file.extend(word.to_le_bytes());
        }
        file.extend(packet);
    }
    file
}

/// How a pcap file with nanoseconds begins.
pub fn header(link_type: u32) -> Vec<u8> {
    let words = [0xa1b2_3c4d, 0x0004_0002, 0, 0, SNAPLEN, link_type];
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

/// The packets of one connection as IP packets with right checksums.
pub fn connection(client: Endpoint, server: Endpoint, packets: &[Packet]) -> Vec<Timed> {
    let ip = |packet: &Packet| {
        let (from, to) = if packet.from_client { (client, server) } else { (server, client) };
        (packet.time, ip_packet(from, to, packet))
    };
    packets.iter().map(ip).collect()
}

fn ip_packet(from: Endpoint, to: Endpoint, packet: &Packet) -> Vec<u8> {
    let mut tcp = TcpHeader::new(from.port, to.port, packet.seq, 65_535);
    tcp.fin = packet.flags & 0x01 != 0;
    tcp.syn = packet.flags & 0x02 != 0;
    tcp.rst = packet.flags & 0x04 != 0;
    tcp.ack = packet.ack.is_some();
    tcp.acknowledgment_number = packet.ack.unwrap_or(0);
    let builder = match (from.addr, to.addr) {
        (IpAddr::V4(from), IpAddr::V4(to)) => PacketBuilder::ipv4(from.octets(), to.octets(), 64),
        (IpAddr::V6(from), IpAddr::V6(to)) => PacketBuilder::ipv6(from.octets(), to.octets(), 64),
        _ => panic!("{from} and {to} are of two families"),
    };
    let mut bytes = Vec::new();
    builder.tcp_header(tcp).write(&mut bytes, &packet.payload).expect("a packet can be written");
    bytes
}

/// Cuts a (little-endian) pcap file into so many, with about the same number of packets.
pub fn split(file: &[u8], parts: usize) -> Vec<Vec<u8>> {
    let (header, mut rest) = file.split_at(FILE_HEADER);
    let mut packets = Vec::new();
    while !rest.is_empty() {
        let length = rest[8..12].try_into().expect("four bytes");
        let (packet, after) = rest.split_at(PACKET_HEADER + u32::from_le_bytes(length) as usize);
        packets.push(packet);
        rest = after;
    }
    let each = packets.len().div_ceil(parts).max(1);
    packets.chunks(each).map(|chunk| [header, &chunk.concat()].concat()).collect()
}
