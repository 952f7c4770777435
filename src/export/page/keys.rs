//! A host's KMS keys and encryption contexts.

use crate::report::html::words::{counted, number, time};
use crate::report::{
    KmsContexts, KmsKey, KmsKeyChange, KmsKeyChanges, KmsKeyUse, KmsKeys, RequestedApplied,
};
use maud::{Markup, html};

/// How many keys, and how many names in contexts, are shown of a host.
const SHOWN: usize = 100;

/// What is inside a host.
pub(super) fn inside(keys: Option<&KmsKeys>) -> Markup {
    html! {
        @if let Some(keys) = keys.filter(|keys| !keys.is_empty()) {
            (table(&keys.keys_by_use()))
            (changes(&keys.changes))
            (contexts(&keys.contexts))
        }
    }
}

fn table(keys: &[&KmsKey]) -> Markup {
    html! {
        @if !keys.is_empty() {
            details.more {
                summary { "KMS keys (" (number(keys.len() as u64)) ")" }
                table {
                    caption.unseen { "KMS keys" }
                    thead { tr { th { "Key" } th { "Asked" } th { "Applied" } th { "First seen" }
                        th { "Last seen" } } }
                    tbody { @for key in keys.iter().take(SHOWN) { (row(key)) } }
                }
                (more(keys.len()))
            }
        }
    }
}

fn row(key: &KmsKey) -> Markup {
    let seen = key.seen();
    html! {
        tr {
            th scope="row" { span.name { (key.key_id) } }
            (used(key.requested.as_ref())) (used(key.applied.as_ref()))
            td { @if let Some((first, _)) = seen { (time(first)) } }
            td { @if let Some((_, last)) = seen { (time(last)) } }
        }
    }
}

fn used(used: Option<&KmsKeyUse>) -> Markup {
    cell(used.map_or(0, |used| used.count))
}

fn cell(n: u64) -> Markup {
    html! { td { @if n == 0 { "–" } @else { (number(n)) } } }
}

fn changes(changes: &KmsKeyChanges) -> Markup {
    let left_out = changes.count - changes.latest.len() as u64;
    html! {
        @if changes.count > 0 {
            details.more {
                summary { "Key changes (" (number(changes.count)) ")" }
                p.note { "When the key changed that a bucket's new objects get." }
                table {
                    caption.unseen { "Key changes" }
                    thead { tr { th { "When" } th.left { "Bucket" } th.left { "Keys" }
                        th { "Answers" } } }
                    tbody { @for change in changes.latest.iter().rev() { (changed(change)) } }
                }
                @if left_out > 0 {
                    p.note { "And " (counted(left_out, "earlier one", "earlier ones")) "." }
                }
            }
        }
    }
}

fn changed(change: &KmsKeyChange) -> Markup {
    html! {
        tr {
            th scope="row" { (time(&change.time)) }
            td.left {
                @if change.bucket.is_empty() { "(not known)" }
                @else { span.name { (change.bucket) } }
            }
            td.left {
                "from " span.name { (change.from) } " to " span.name { (change.to) }
            }
            td { (number(change.count)) }
        }
    }
}

fn contexts(contexts: &KmsContexts) -> Markup {
    let RequestedApplied { requested, applied } = contexts.malformed;
    html! {
        @if requested + applied > 0 || !contexts.names.is_empty() {
            details.more {
                summary { "Encryption contexts (" (number(contexts.names.len() as u64)) ")" }
                table {
                    caption.unseen { "Encryption contexts" }
                    thead { tr { th { "Name" } th { "Asked" } th { "Applied" } } }
                    tbody {
                        @for said in contexts.names.iter().take(SHOWN) {
                            tr {
                                th scope="row" { span.name {
                                    (said.name)
                                    @if let Some(value) = &said.value { " = " (value) }
                                } }
                                (cell(said.count.requested)) (cell(said.count.applied))
                            }
                        }
                        @if requested + applied > 0 {
                            tr { th scope="row" { "(malformed)" } (cell(requested)) (cell(applied)) }
                        }
                    }
                }
                (more(contexts.names.len()))
            }
        }
    }
}

fn more(all: usize) -> Markup {
    html! {
        @if all > SHOWN {
            p.note {
                "And " (number((all - SHOWN) as u64)) " more: see "
                a href="api/v1/summary" { "all counts" } "."
            }
        }
    }
}
