//! Several threads, or several interfaces, that see one traffic. Needs root.

mod support;

use etherparse::PacketBuilder;
use std::fs;
use support::conversation::endpoint;
use support::pcap::{Timed, connection};
use support::traffic::{frames, put, puts, send};
use support::wire::Wire;

const VXLAN: u16 = 4789;
const PUTS: usize = 20;

/// A packet in VXLAN, as a mirror sends it: the outer source port is a hash of what is inside, and
/// so each direction has its own.
fn mirrored((time, inner): Timed, entropy: u16) -> Timed {
    let builder = PacketBuilder::ipv4([198, 51, 100, 1], [198, 51, 100, 2], 64);
    let header = [8, 0, 0, 0, 0, 0, 7, 0];
    let payload = [&header[..], &[2; 12], &[8, 0], &inner].concat();
    let mut outer = Vec::new();
    let built = builder.udp(entropy, VXLAN).write(&mut outer, &payload);
    built.expect("a packet can be written");
    (time, outer)
}

/// `n` connections, packet by packet in turns, and of each packet whether a client sent it.
fn connections(n: u16) -> Vec<(u16, bool, Timed)> {
    let mut all = Vec::new();
    for i in 0..n {
        let script = put(PUTS, "AES256").packets;
        let packets = connection(endpoint(1, 4000 + i), endpoint(2, 80), &script);
        let from_client = script.iter().map(|packet| packet.from_client);
        all.extend(from_client.zip(packets).map(|(client, packet)| (i, client, packet)));
    }
    all.sort_by_key(|(_, _, (time, _))| *time);
    all
}

#[track_caller]
fn assert_whole(metrics: &str, exchanges: usize) {
    let labels = "{host=\"h\",operation=\"PutObject\",mode=\"AES256\"}";
    for line in [
        format!("sealwatch_requests_total{labels} {exchanges}\n"),
        format!("sealwatch_responses_total{labels} {exchanges}\n"),
        "sealwatch_gap_bytes_total 0\n".to_owned(),
        "sealwatch_payload_bytes_total{fate=\"lost\"} 0\n".to_owned(),
        "sealwatch_packets_total{fate=\"dropped\"} 0\n".to_owned(),
    ] {
        assert!(metrics.contains(&line), "no {line} in {metrics}");
    }
    assert!(!metrics.contains("sealwatch_mismatches_total{"), "{metrics}");
}

#[test]
fn two_threads_count_as_one_though_each_sees_half_of_most_connections() {
    let wire = Wire::new("fanout");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("mirrored");
    // The kernel deals packets out by the outer addresses and ports: that no connection of these
    // has its directions on two threads does not happen.
    let packets = connections(40);
    let total = packets.len();
    let packets = packets
        .into_iter()
        .map(|(i, from_client, packet)| mirrored(packet, 50_000 + 2 * i + u16::from(from_client)));
    fs::write(&file, frames(packets.collect())).expect("a file can be written");
    let live = wire.live(&["--capture-threads", "2"]);
    // Two of the group, and one in reserve.
    let sockets = wire.near("cat").arg("/proc/net/packet").output().expect("cat starts");
    assert_eq!(String::from_utf8_lossy(&sockets.stdout).lines().count(), 1 + 3);
    send(&wire, &file);
    let line = format!("mode=\"AES256\"}} {}\n", 40 * PUTS);
    wire.wait("/metrics", |_, text| text.matches(&line).count() == 2);
    let received = format!("sealwatch_capture_packets_received_total {total}\n");
    let metrics = wire.wait("/metrics", |_, text| text.contains(&received));
    assert_whole(&metrics, 40 * PUTS);
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
    let end = format!("{total} packets; examined 100 % of payload bytes, 0 gaps");
    assert!(said.contains(&end), "{said}");
}

#[test]
fn two_interfaces_that_carry_a_direction_each_count_as_one() {
    let wire = Wire::new("taps");
    wire.plug_another();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let packets = connections(10).into_iter().map(|(_, _, packet)| packet);
    fs::write(path("both"), frames(packets.collect())).expect("a file can be written");
    // What goes to port 80 one way, the rest the other.
    let file = [format!("--pcap={}", path("both")), format!("--cachefile={}", path("ways"))];
    let split = wire.far("tcpprep").arg("--port").args(&file).output().expect("tcpprep starts");
    assert!(split.status.success(), "{}", String::from_utf8_lossy(&split.stderr));
    let live = wire.live(&["--interface", "tap2"]);
    let mut send = wire.far("tcpreplay");
    send.args(["--quiet", "--pps=2000", "--intf1=far", "--intf2=far2", &file[1], &path("both")]);
    let sent = send.output().expect("tcpreplay starts");
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let line = format!("mode=\"AES256\"}} {}\n", 10 * PUTS);
    let metrics = wire.wait("/metrics", |_, text| text.matches(&line).count() == 2);
    assert_whole(&metrics, 10 * PUTS);
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn an_interface_that_several_threads_read_is_taken_up_again_by_one() {
    let wire = Wire::new("reduce");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let live = wire.live(&["--capture-threads", "3", "--filter", "tcp port 80"]);
    for n in [3, 5] {
        wire.unplug();
        wire.wait("/-/ready", |status, _| status == "503");
        wire.plug();
        wire.wait("/-/ready", |status, _| status == "200");
        send(&wire, &puts(folder.path(), n));
        let total = if n == 3 { 3 } else { 8 };
        let line = format!("mode=\"AES256\"}} {total}\n");
        wire.wait("/metrics", |_, text| text.matches(&line).count() == 2);
    }
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("again, with one thread").count(), 1, "{said}");
    assert_eq!(said.matches("capturing on tap again").count(), 2, "{said}");
}
