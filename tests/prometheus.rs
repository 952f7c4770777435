//! Debian's Prometheus, by the configuration that comes with the project: what it answers about a
//! real S3 client and a real server is what the client says that it sent and got.
//! Needs root, and what `make test-deps` installs.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use support::prometheus::{Answer, Prometheus};
use support::s3::{PARTS, Server, Told, counts, talk};
use support::traffic::client_hello;
use support::wire::Wire;

/// Expected counts of one metric, by the labels of which they are to be the sum.
fn expected(told: &[Told], metric: &str, by: &[&str]) -> Answer {
    let mut sums = BTreeMap::new();
    for (series, n) in counts(told) {
        let Some(labels) = series.strip_prefix(metric).and_then(|rest| rest.strip_prefix('{'))
        else {
            continue;
        };
        let mut kept: Vec<_> = labels
            .trim_end_matches('}')
            .split(',')
            .filter(|label| by.iter().any(|name| label.starts_with(&format!("{name}="))))
            .collect();
        kept.sort_unstable();
        *sums.entry(kept.join(",")).or_default() += n as f64;
    }
    assert!(!sums.is_empty(), "{metric}");
    sums
}

/// A query of README, about all the time since sealwatch was started.
fn readme(begins: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(path).expect("README.md is read");
    let block = readme
        .split("\n\n")
        .find(|block| block.starts_with("    ") && block.trim_start().starts_with(begins));
    block.expect("README.md has the query").replace("increase(", "(").replace("[1d]", "")
}

/// Sends bytes from the far end, on a connection of their own, to one who takes them.
fn send(wire: &Wire, bytes: &[u8]) {
    let listens = "import socket, sys
listener = socket.create_server(('192.0.2.1', 8443))
print('listening', flush=True)
connection = listener.accept()[0]
while connection.recv(65536): pass";
    let sends = "import socket, sys
with socket.create_connection(('192.0.2.1', 8443)) as connection:
    connection.sendall(sys.stdin.buffer.read())";
    let mut command = wire.near("python3");
    command.args(["-c", listens]).stdout(Stdio::piped());
    let mut listener = command.spawn().expect("python3 starts");
    let mut said = [0; 9];
    let out = listener.stdout.as_mut().expect("it is piped");
    std::io::Read::read_exact(out, &mut said).expect("it listens");
    let mut command = wire.far("python3");
    let mut sender =
        command.args(["-c", sends]).stdin(Stdio::piped()).spawn().expect("python3 starts");
    sender.stdin.take().expect("it is piped").write_all(bytes).expect("it is taken");
    assert!(sender.wait().expect("it ends").success());
    assert!(listener.wait().expect("it ends").success());
}

#[test]
fn prometheus_answers_what_the_client_did_and_how_much_could_be_judged() {
    let wire = Wire::new("prom");
    wire.address();
    let _server = Server::start(|program| wire.near(program));
    let live = wire.live(&[]);
    let prometheus = Prometheus::start(|program| wire.near(program));
    prometheus.answers(
        "up == 1",
        &[("__name__=\"up\",instance=\"127.0.0.1:10047\",job=\"sealwatch\"".to_owned(), 1.0)]
            .into(),
    );
    let told = talk(|program| wire.far(program), "192.0.2.1:5000", PARTS);
    let hello = client_hello("secret.test");
    send(&wire, &hello);
    for (metric, by) in [
        ("requests_total", &["host", "operation", "mode"][..]),
        ("requests_total", &["mode"]),
        ("responses_total", &["host", "operation", "mode"]),
        ("responses_total", &["mode"]),
        ("mismatches_total", &["host", "requested", "applied"]),
        ("refusals_total", &["status"]),
        ("object_bytes_total", &["direction", "mode"]),
    ] {
        let query = format!("sum by ({}) (sealwatch_{metric}) > 0", by.join(","));
        let mut expected = expected(&told, metric, by);
        expected.retain(|_, n| *n > 0.0);
        prometheus.answers(&query, &expected);
    }
    let blind = "sum by (server_name) (sealwatch_blind_bytes_total) > 0";
    let bytes = hello.len() as f64;
    prometheus.answers(blind, &[("server_name=\"secret.test\"".to_owned(), bytes)].into());
    assert_eq!(prometheus.value("sealwatch_ledger_discrepancy"), 0.0);
    // What the alerts on bounds ask for is there, and answers nothing.
    let bounds = prometheus.value("count(sealwatch_bound_hits_total)");
    assert_eq!(bounds, prometheus.value("count(sealwatch_bound_limit)"));
    assert_eq!(prometheus.value("sum(sealwatch_bound_hits_total)"), 0.0);
    let exchanges = told.len() as f64;
    let all = "sealwatch_http_exchanges_total";
    prometheus.wait(&format!("sum({all})"), |answer| answer.values().sum::<f64>() == exchanges);
    let bodies: u64 = told.iter().map(Told::body_bytes).sum();
    let payload =
        |fate| prometheus.value(&format!("sealwatch_payload_bytes_total{{fate=\"{fate}\"}}"));
    assert_eq!(payload("body"), bodies as f64);
    assert_eq!(payload("lost") + payload("ignored"), 0.0);
    // By the queries of README: a share of the bytes, and a ratio to exchanges.
    let heads_and_bodies = payload("head") + bodies as f64;
    let share = prometheus.value(&readme("sum(increase(sealwatch_blind_bytes_total"));
    assert_eq!(share, bytes / (bytes + heads_and_bodies));
    let ratio = prometheus.value(&readme("sum(increase(sealwatch_blind_connections_total"));
    assert_eq!(ratio, 1.0 / exchanges);
    drop(prometheus);
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
}
