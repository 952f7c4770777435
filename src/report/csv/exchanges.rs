//! Tables of exchanges one by one, and by time.

use super::Table;
use crate::report::{Case, Cases, Timeline, rfc3339};
use crate::s3::Mode;

/// The columns of a table of exchanges: records' names.
const CASE: [&str; 17] = [
    "time",
    "client_ip",
    "client_port",
    "server_ip",
    "server_port",
    "host",
    "bucket",
    "operation",
    "method",
    "target",
    "status",
    "requested_mode",
    "applied_mode",
    "kms_key_id",
    "findings",
    "policy_rule",
    "policy_reasons",
];

pub(super) fn cases(cases: &Cases) -> Table {
    let mut table = Table::new(&CASE);
    cases.first().iter().for_each(|one| case(&mut table, one));
    table
}

fn case(table: &mut Table, case: &Case) {
    let status = case.status.map(|status| status.to_string());
    let reasons: Vec<_> = case.policy_reasons.iter().map(|reason| reason.as_str()).collect();
    table.text(&rfc3339(case.time));
    table.text(&case.client_ip.to_string()).number(case.client_port);
    table.text(&case.server_ip.to_string()).number(case.server_port);
    table.text(&case.host).maybe(case.bucket.as_deref()).maybe(case.operation);
    table.maybe(case.method.as_deref()).maybe(case.target.as_deref()).maybe(status.as_deref());
    table.maybe(case.requested_mode).maybe(case.applied_mode).maybe(case.kms_key_id.as_deref());
    table.text(&case.findings.join(" ")).maybe(case.policy_rule.as_deref());
    table.text(&reasons.join(" ")).end();
}

pub(super) fn timeline(timeline: &Timeline) -> Table {
    let modes = Mode::ALL.map(|mode| format!("applied_{mode}"));
    let mut columns = vec!["begin", "seconds", "exchanges", "mismatches", "violations"];
    columns.extend(modes.iter().map(String::as_str));
    let mut table = Table::new(&columns);
    for (begin, stretch) in timeline.stretches() {
        table.text(&rfc3339(begin)).number(timeline.seconds().unsigned_abs());
        table.number(stretch.exchanges).number(stretch.mismatches).number(stretch.violations);
        for mode in Mode::ALL {
            table.number(stretch.applied.get(&mode).copied().unwrap_or_default());
        }
        table.end();
    }
    table
}
