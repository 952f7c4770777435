//! The report: one HTML document for people who judge, sign and print.
//!
//! Takes a [`Report`]. Gives a document that needs nothing else: the style is inside, charts are
//! drawings, and there is no script. Promises that the same input and options make the same bytes;
//! that nothing that a wire, a file's name or a policy says is ever markup (`maud` escapes whatever is
//! not a template; the style is the exception), and that characters in it that are hidden or move others
//! are shown; and that the document is bounded, however many names there are.
//!
//! [`words`], [`bars`], [`counts`], [`tone`], parts of [`blind`] and [`ledger`], and `colours.css` are for the page at
//! `/`, too.

pub(crate) mod bars;
pub(crate) mod blind;
mod cases;
pub(crate) mod counts;
mod glossary;
mod hosts;
mod keys;
pub(crate) mod ledger;
mod rules;
mod scope;
mod sure;
mod tables;
mod timeline;
pub(crate) mod tone;
mod verdict;
pub(crate) mod words;

#[cfg(test)]
pub(super) mod tests;

use super::scope::Report;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use verdict::Verdict;

const STYLE: &str = concat!(include_str!("colours.css"), include_str!("report.css"));
/// Nothing is loaded and nothing runs, whatever got in.
const CONTENT_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

impl Report<'_> {
    /// The document.
    pub fn to_html(&self) -> String {
        document(self).into_string()
    }
}

fn document(report: &Report<'_>) -> Markup {
    let verdict = Verdict::new(report);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(CONTENT_POLICY);
                meta name="referrer" content="no-referrer";
                title { (verdict.title()) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (bars::patterns())
                header {
                    h1 { "S3 encryption headers: report" }
                    p.muted {
                        "What clients asked for and what object stores said they applied, as seen on "
                        "plaintext HTTP. Made by sealwatch " (report.summary.sealwatch) "."
                    }
                }
                (contents(report))
                main {
                    (verdict.section())
                    (sure::section(report))
                    (scope::section(report))
                    (rules::section(report))
                    (cases::sections(report))
                    (timeline::section(report))
                    (hosts::section(report.summary))
                    (blind::section(&report.summary.ledger.blind))
                    (ledger::sections(report))
                    (glossary::section())
                    (glossary::signature())
                }
            }
        }
    }
}

/// Where everything is; not for paper.
fn contents(report: &Report<'_>) -> Markup {
    let policy = report.summary.policy.as_ref().map(|_| ("policy", "Policy"));
    let before = [("verdict", "Verdict"), ("sure", "How sure"), ("scope", "What was examined")];
    let after = [
        ("mismatches", "Mismatches"),
        ("findings", "Findings"),
        ("timeline", "Timeline"),
        ("hosts", "Hosts"),
        ("blind", "Not looked into"),
        ("ledger", "Ledger"),
        ("problems", "Problems"),
        ("words", "Words"),
        ("signature", "Signature"),
    ];
    html! {
        nav aria-label="Contents" {
            ul {
                @for (id, title) in before.into_iter().chain(policy).chain(after) {
                    li { a href={ "#" (id) } { (title) } }
                }
            }
        }
    }
}
