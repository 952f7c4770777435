//! Small traffic, and sending it.

use super::conversation::endpoint;
use super::pcap::{Timed, connection, pcap_of};
use super::script::Script;
use super::wire::Wire;
use std::fs;
use std::path::{Path, PathBuf};

const ETHERNET: u32 = 1;

/// A connection in which `n` objects are put under a mode.
pub fn put(n: usize, mode: &str) -> Script {
    let header = format!("x-amz-server-side-encryption: {mode}\r\n");
    let request =
        |i| format!("PUT /b/{i} HTTP/1.1\r\nHost: h\r\n{header}Content-Length: 0\r\n\r\n");
    let answer = format!("HTTP/1.1 200 OK\r\n{header}Content-Length: 0\r\n\r\n");
    let script = (0..n).fold(Script::opened(), |script, i| script.c(request(i)).s(&answer));
    script.c_fin().s_fin()
}

/// A pcap file of Ethernet frames around IPv4 packets.
pub fn frames(packets: Vec<Timed>) -> Vec<u8> {
    let frame = |(time, packet): Timed| (time, [&[2; 12][..], &[8, 0], &packet].concat());
    pcap_of(ETHERNET, &packets.into_iter().map(frame).collect::<Vec<_>>())
}

/// A capture in `folder` in which `n` objects are put under `AES256`, on a connection of its own
/// for each `n`.
pub fn puts(folder: &Path, n: usize) -> PathBuf {
    let file = folder.join(format!("puts-{n}"));
    let client = endpoint(1, 4000 + n as u16);
    let packets = connection(client, endpoint(2, 80), &put(n, "AES256").packets);
    fs::write(&file, frames(packets)).expect("a file can be written");
    file
}

/// Sends a capture over the wire.
pub fn send(wire: &Wire, file: &Path) {
    wire.send(file, "--pps=2000");
}

/// A ClientHello for `name`, in one record.
pub fn client_hello(name: &str) -> Vec<u8> {
    let sized = |width: usize, data: &[u8]| {
        [&(data.len() as u32).to_be_bytes()[4 - width..], data].concat()
    };
    let entry = [&[0][..], &sized(2, name.as_bytes())].concat();
    let extensions = [&[0, 0][..], &sized(2, &sized(2, &entry))].concat();
    let body =
        [&[3, 3][..], &[7; 32], &[0], &sized(2, &[0x13, 1]), &[1, 0], &sized(2, &extensions)];
    let message = [&[1][..], &sized(3, &body.concat())].concat();
    [&[22, 3, 1][..], &sized(2, &message)].concat()
}
