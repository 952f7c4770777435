//! A host's KMS keys and encryption contexts, where they are counted.

use super::tables::{columns, stack_cell, stack_columns};
use super::words::{counted, number, text, time};
use crate::report::{KmsContexts, KmsKey, KmsKeyChange, KmsKeyChanges, KmsKeys, RequestedApplied};
use maud::{Markup, html};

/// How many keys, and how many names in contexts, are shown of a host.
const SHOWN: usize = 50;

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
            table.stack role="table" {
                caption { "KMS keys" }
                (stack_columns(["Key", "Asked", "Applied", "First seen", "Last seen"]))
                tbody role="rowgroup" { @for key in keys.iter().take(SHOWN) { (row(key)) } }
            }
            (more(keys.len(), "kms_keys.csv"))
        }
    }
}

fn row(key: &KmsKey) -> Markup {
    let [asked, applied] =
        [&key.requested, &key.applied].map(|used| used.as_ref().map_or(0, |used| used.count));
    html! {
        tr role="row" {
            th.name scope="row" role="rowheader" { (text(&key.key_id)) }
            (stack_cell("Asked", &count(asked)))
            (stack_cell("Applied", &count(applied)))
            @if let Some((first, last)) = key.seen() {
                (stack_cell("First seen", &time(first)))
                (stack_cell("Last seen", &time(last)))
            }
        }
    }
}

fn count(n: u64) -> Markup {
    html! { @if n == 0 { "–" } @else { (number(n)) } }
}

fn changes(changes: &KmsKeyChanges) -> Markup {
    let left_out = changes.count - changes.latest.len() as u64;
    html! {
        @if changes.count > 0 {
            table.changes.stack role="table" {
                caption { "When the key changed that a bucket’s new objects get" }
                (stack_columns(["When", "Bucket", "Keys", "Answers"]))
                tbody role="rowgroup" { @for change in &changes.latest { (changed(change)) } }
            }
            @if left_out > 0 {
                p.note { "And " (counted(left_out, "earlier one", "earlier ones")) "." }
            }
        }
    }
}

fn changed(change: &KmsKeyChange) -> Markup {
    html! {
        tr role="row" {
            th scope="row" role="rowheader" { (time(&change.time)) }
            td role="cell" {
                @if change.bucket.is_empty() { "bucket not known" }
                @else { span.name { (text(&change.bucket)) } }
            }
            td role="cell" {
                span.line { "from " span.name { (text(&change.from)) } }
                span.line { "to " span.name { (text(&change.to)) } }
            }
            (stack_cell("Answers", &html! { (number(change.count)) }))
        }
    }
}

fn contexts(contexts: &KmsContexts) -> Markup {
    let RequestedApplied { requested, applied } = contexts.malformed;
    html! {
        @if requested + applied > 0 || !contexts.names.is_empty() {
            table {
                caption { "Encryption contexts" }
                (columns(["Name", "Asked", "Applied"]))
                tbody {
                    @for said in contexts.names.iter().take(SHOWN) {
                        tr {
                            th.name scope="row" {
                                (text(&said.name))
                                @if let Some(value) = &said.value { " = " (text(value)) }
                            }
                            td { (count(said.count.requested)) } td { (count(said.count.applied)) }
                        }
                    }
                    @if requested + applied > 0 {
                        tr {
                            th scope="row" { "cannot be read" }
                            td { (count(requested)) } td { (count(applied)) }
                        }
                    }
                }
            }
            (more(contexts.names.len(), "kms_contexts.csv"))
        }
    }
}

fn more(all: usize, file: &str) -> Markup {
    html! {
        @if all > SHOWN { p.note { "And " (number((all - SHOWN) as u64)) " more: see " code { (file) } "." } }
    }
}
