//! Tables of KMS keys and encryption contexts: empty where they are not counted.

use super::Table;
use crate::report::{KmsKeyUse, KmsKeys, Summary};

/// Each host with its keys.
fn hosts(summary: &Summary) -> impl Iterator<Item = (&str, &KmsKeys)> {
    summary.hosts.iter().filter_map(|host| Some((&*host.host, host.kms_keys.as_ref()?)))
}

pub(super) fn keys(summary: &Summary) -> Table {
    let columns = [
        "host",
        "key_id",
        "requested",
        "requested_first_seen",
        "requested_last_seen",
        "applied",
        "applied_first_seen",
        "applied_last_seen",
    ];
    let mut table = Table::new(&columns);
    for (host, keys) in hosts(summary) {
        for key in &keys.keys {
            table.text(host).text(&key.key_id);
            for used in [&key.requested, &key.applied] {
                self::used(&mut table, used.as_ref());
            }
            table.end();
        }
    }
    table
}

fn used(table: &mut Table, used: Option<&KmsKeyUse>) {
    table.number(used.map_or(0, |used| used.count));
    table.maybe(used.map(|used| &*used.first_seen)).maybe(used.map(|used| &*used.last_seen));
}

pub(super) fn changes(summary: &Summary) -> Table {
    let mut table = Table::new(&["host", "bucket", "time", "from", "to", "count"]);
    for (host, keys) in hosts(summary) {
        for change in &keys.changes.latest {
            table.text(host).text(&change.bucket).text(&change.time);
            table.text(&change.from).text(&change.to).number(change.count).end();
        }
    }
    table
}

pub(super) fn contexts(summary: &Summary) -> Table {
    let mut table = Table::new(&["host", "kind", "name", "value", "requested", "applied"]);
    for (host, keys) in hosts(summary) {
        for said in &keys.contexts.names {
            table.text(host).text("name").text(&said.name).maybe(said.value.as_deref());
            table.number(said.count.requested).number(said.count.applied).end();
        }
        let malformed = keys.contexts.malformed;
        if malformed.requested + malformed.applied > 0 {
            table.text(host).text("malformed").text("").text("");
            table.number(malformed.requested).number(malformed.applied).end();
        }
    }
    table
}
