//! The ledger in words.

use crate::report::LedgerSummary;
use crate::tally::ByteFate;

/// What was counted of connections: its name for people, and how often.
pub(crate) fn connection_counts(ledger: &LedgerSummary) -> [(&'static str, u64); 7] {
    [
        ("TCP connections", ledger.flows.total),
        ("given up after a silence", ledger.flows.timed_out),
        ("given up for want of room", ledger.flows.evicted),
        ("gaps", ledger.gaps),
        ("bytes in gaps", ledger.gap_bytes),
        ("times the place between messages was lost", ledger.losses),
        ("repeated bytes that differed", ledger.conflicting_bytes),
    ]
}

/// What it means for a byte to have a fate.
pub(crate) const fn bytes_mean(fate: ByteFate) -> &'static str {
    match fate {
        ByteFate::Head => "of HTTP messages: examined",
        ByteFate::Body => "of HTTP messages: skipped, its length is known",
        ByteFate::Duplicate => "seen before",
        ByteFate::Ignored => "not HTTP",
        ByteFate::Blind => "TLS, HTTP/2",
        ByteFate::Lost => "after a gap, until the next sure head",
    }
}
