//! Tables of what was read, and of how much could be judged.

use super::Table;
use crate::report::scope::Scope;
use crate::report::{BlindSpots, Summary, rfc3339};

pub(super) fn files(scope: &Scope) -> Table {
    let columns = ["path", "bytes", "sha256", "packets", "first_packet", "last_packet", "note"];
    let mut table = Table::new(&columns);
    for file in &scope.files {
        let number = |n: Option<u64>| n.map(|n| n.to_string());
        let (first, last) = file.period.unzip();
        table.text(&file.path).maybe(number(file.bytes).as_deref());
        table.maybe(file.sha256.as_deref()).maybe(number(file.packets).as_deref());
        table.maybe(first.map(rfc3339).as_deref()).maybe(last.map(rfc3339).as_deref());
        table.maybe(file.note.as_deref()).end();
    }
    table
}

/// By kind, TLS by server name; its rows add up to all there is.
pub(super) fn blind(blind: &BlindSpots) -> Table {
    let mut table = Table::new(&["kind", "server_name", "connections", "bytes"]);
    let (mut connections, mut bytes) = (blind.tls_connections, blind.tls_bytes);
    for (name, counts) in &blind.tls_server_names {
        connections = connections.saturating_sub(counts.connections);
        bytes = bytes.saturating_sub(counts.bytes);
        table.text("tls").text(name).number(counts.connections).number(counts.bytes).end();
    }
    // Those in which no server name was seen.
    let kinds = [
        ("tls", connections, bytes),
        ("http2", blind.http2_connections, blind.http2_bytes),
        ("quic", blind.quic_connections, blind.quic_bytes),
    ];
    for (kind, connections, bytes) in kinds {
        table.text(kind).text("").number(connections).number(bytes).end();
    }
    table.text("other").text("").number(blind.other_connections).text("").end();
    table
}

/// Everything else that was counted, as `what`, `name` and `count`.
pub(super) fn ledger(summary: &Summary) -> Table {
    let ledger = &summary.ledger;
    let mut table = Table::new(&["what", "name", "count"]);
    let mut add = |what: &str, name: &str, n: u64| table.text(what).text(name).number(n).end();
    add("exchanges", "object_store", summary.exchanges.object_store);
    add("exchanges", "other", summary.exchanges.other);
    ledger.packets.iter().for_each(|(fate, n)| add("packets", fate, *n));
    ledger.payload_bytes.iter().for_each(|(fate, n)| add("payload_bytes", fate, *n));
    let counts = [
        ("ledger", "unsettled_bytes", ledger.unsettled_bytes),
        ("ledger", "discrepancy", ledger.discrepancy),
        ("ledger", "gaps", ledger.gaps),
        ("ledger", "gap_bytes", ledger.gap_bytes),
        ("ledger", "conflicting_bytes", ledger.conflicting_bytes),
        ("ledger", "losses", ledger.losses),
        ("drops", "kernel", ledger.drops.kernel),
        ("drops", "interface", ledger.drops.interface),
        ("drops", "queue", ledger.drops.queue),
        ("flows", "total", ledger.flows.total),
        ("flows", "timed_out", ledger.flows.timed_out),
        ("flows", "evicted", ledger.flows.evicted),
        ("blind", "quic_evicted", ledger.blind.quic_evicted),
    ];
    counts.into_iter().for_each(|(what, name, n)| add(what, name, n));
    summary.bounds.iter().for_each(|(name, bound)| add("bound_hits", name, bound.hits));
    summary.label_overflow.iter().for_each(|(label, n)| add("label_overflow", label, *n));
    table
}

pub(super) fn problems(problems: &[&str]) -> Table {
    let mut table = Table::new(&["problem"]);
    problems.iter().for_each(|problem| table.text(problem).end());
    table
}
