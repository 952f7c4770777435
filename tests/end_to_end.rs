//! A real S3 client and a real server, on wires and mirrors between network namespaces, and
//! sealwatch beside them: what it counts and records is what the client says that it sent and got.
//! Needs root, and what `make test-deps` installs.

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use support::counts::{family, sum};
use support::mirror::Mirrored;
use support::s3::{PARTS, SMALL_PARTS, Server, Told, counts, talk, told_fields};
use support::wire::{Live, Wire};

const COUNTED: [&str; 7] = [
    "requests_total",
    "responses_total",
    "mismatches_total",
    "object_bytes_total",
    "refusals_total",
    "findings_total",
    "http_exchanges_total",
];

/// sealwatch, listening, with its records in a folder.
struct Watch<'w> {
    wire: &'w Wire,
    live: Live,
    folder: tempfile::TempDir,
}

fn events(folder: &Path) -> String {
    folder.join("events").to_str().expect("paths here are UTF-8").to_owned()
}

impl<'w> Watch<'w> {
    fn on(wire: &'w Wire, interface: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let events = events(folder.path());
        let live = wire.live_on(interface, &[&["--events", &events], arguments].concat());
        Self { wire, live, folder }
    }

    /// Holds counts, records and ledger to what clients told. Gives the records, and the
    /// metrics.
    #[track_caller]
    fn hears(self, told: &[Told]) -> (Vec<Value>, String) {
        let Self { wire, live, folder } = self;
        let mut expected = counts(told);
        // With the ends of connections the last exchanges are over.
        let metrics = wire.wait("/metrics", |_, text| {
            let of = family(text, "http_exchanges_total");
            let exchanges = of.get("http_exchanges_total{kind=\"object_store\"}");
            exchanges.is_some_and(|n| *n >= told.len() as u64)
        });
        let mut got: BTreeMap<_, _> =
            COUNTED.iter().flat_map(|name| family(&metrics, name)).collect();
        // On an interface that carries them, the metrics' own requests are HTTP, too.
        got.remove("http_exchanges_total{kind=\"other\"}");
        // Nothing, counted, is as good as nothing: objects without bytes.
        expected.retain(|_, count| *count > 0);
        got.retain(|_, count| *count > 0);
        assert_eq!(got, expected);
        assert_eq!(sum(&metrics, "capture_packets_dropped_total"), 0, "{metrics}");
        let (code, said) = live.end();
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(" packets; examined 100 % of payload bytes, 0 gaps"), "{said}");
        let text = fs::read_to_string(events(folder.path())).expect("records are written");
        let records: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
        assert_eq!(sorted(records.iter().map(told_fields)), sorted(told.iter().map(Told::record)));
        (records, metrics)
    }
}

fn sorted(lines: impl Iterator<Item = Value>) -> Vec<String> {
    let mut lines: Vec<_> = lines.map(|line| line.to_string()).collect();
    lines.sort();
    lines
}

/// A wire with addresses, and frames of the usual length.
fn addressed(name: &str) -> Wire {
    let wire = Wire::new(name);
    wire.address();
    wire
}

#[test]
fn on_a_wire_all_is_counted_that_the_client_did() {
    let wire = addressed("e2e");
    let _server = Server::start(|program| wire.near(program));
    let watch = Watch::on(&wire, "tap", &[]);
    let mut told = talk(|program| wire.far(program), "192.0.2.1:5000", PARTS);
    told.extend(talk(|program| wire.far(program), "[2001:db8::1]:5000", PARTS));
    assert!(told.len() > 200, "{}", told.len());
    watch.hears(&told);
}

#[test]
fn on_the_loopback_interface_too() {
    let wire = addressed("e2elo");
    let _server = Server::start(|program| wire.near(program));
    let watch = Watch::on(&wire, "lo", &[]);
    let mut told = talk(|program| wire.near(program), "127.0.0.1:5000", PARTS);
    told.extend(talk(|program| wire.near(program), "[::1]:5000", PARTS));
    watch.hears(&told);
}

#[test]
fn on_any_interface_too_wherever_it_passes() {
    let wire = addressed("e2eany");
    let _server = Server::start(|program| wire.near(program));
    let watch = Watch::on(&wire, "any", &[]);
    let mut told = talk(|program| wire.near(program), "127.0.0.1:5000", PARTS);
    told.extend(talk(|program| wire.far(program), "192.0.2.1:5000", PARTS));
    watch.hears(&told);
}

#[test]
fn on_a_mirrored_port_too() {
    let wire = Wire::new("e2emir");
    let mirrored = Mirrored::new(&wire);
    mirrored.to("far");
    let _server = Server::start(|program| wire.far(program));
    let watch = Watch::on(&wire, "tap", &[]);
    let told = talk(|program| mirrored.client(program), "198.51.100.1:5000", SMALL_PARTS);
    let (records, _) = watch.hears(&told);
    assert!(records.iter().all(|record| record["tunnel"].is_null()), "{records:?}");
}

#[test]
fn on_a_port_that_is_mirrored_through_a_vxlan_too() {
    // The usual length has no room for what is put around: the packets come in fragments.
    for mtu in ["1600", "1500"] {
        let wire = addressed("e2evx");
        let mirrored = Mirrored::new(&wire);
        mirrored.through_vxlan(mtu);
        let _server = Server::start(|program| wire.far(program));
        let watch = Watch::on(&wire, "tap", &[]);
        let told = talk(|program| mirrored.client(program), "198.51.100.1:5000", SMALL_PARTS);
        let (records, metrics) = watch.hears(&told);
        let fragments = family(&metrics, "packets_total")["packets_total{fate=\"fragment\"}"];
        assert_eq!(fragments > 0, mtu == "1500", "{metrics}");
        assert!(records.iter().all(|record| record["tunnel"] == "vxlan:42"), "{records:?}");
    }
}
