//! The page at `/`: how it stands, for people.
//!
//! Takes what a [`Site`] gives. Gives one HTML document that needs nothing else: style and script
//! are inside, bars are drawings, and every number is there without the script, which only fetches
//! the page again. Promises that nothing that came from a wire is ever markup (`maud` escapes
//! whatever is not a template; the two constants below are the exceptions), that the same counts
//! make the same page, and that the page is bounded, however many names there are.

mod hosts;
mod keys;
mod policy;
mod sure;
mod verdict;

#[cfg(test)]
mod tests;

use super::site::{Interface, Site};
use crate::net::Timestamp;
use crate::report::Summary;
use crate::report::html::{bars, words};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use ring::digest::{SHA256, digest};
use verdict::Verdict;

const STYLE: &str =
    concat!(include_str!("../../report/html/colours.css"), include_str!("style.css"));
const SCRIPT: &str = include_str!("script.js");
/// Two bars of different lengths: asked and applied.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'\
    %3E%3Crect width='16' height='16' rx='4' fill='%231d4ed8'/%3E%3Cpath d='M4 6h8M4 10h5' \
    stroke='%23fff' stroke-width='2' stroke-linecap='round'/%3E%3C/svg%3E";

/// What the page shows.
struct View<'v> {
    summary: &'v Summary,
    interfaces: &'v [Interface],
    unready: &'v [String],
    /// When it was asked for.
    time: Timestamp,
    /// Where the metrics are.
    telemetry_path: &'v str,
}

/// The page, as it stands now, with the metrics at that path.
pub(super) fn page(site: &Site, telemetry_path: &str) -> String {
    let view = View {
        summary: &(site.summary)(),
        interfaces: &(site.interfaces)(),
        unready: &(site.unready)(),
        time: Timestamp::now(),
        telemetry_path,
    };
    document(&view).into_string()
}

/// The headers that go with it: nothing but what is inside it runs or is loaded, it fetches from
/// where it came from alone, and nobody frames it.
pub(super) fn headers() -> [(&'static str, String); 6] {
    let policy = format!(
        "default-src 'none'; style-src {}; script-src {}; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        source(STYLE),
        source(SCRIPT)
    );
    [
        ("content-type", "text/html; charset=utf-8".to_owned()),
        ("content-security-policy", policy),
        ("x-content-type-options", "nosniff".to_owned()),
        ("referrer-policy", "no-referrer".to_owned()),
        ("cross-origin-opener-policy", "same-origin".to_owned()),
        ("cache-control", "no-store".to_owned()),
    ]
}

/// What names a text in a Content-Security-Policy.
fn source(text: &str) -> String {
    format!("'sha256-{}'", BASE64_STANDARD.encode(digest(&SHA256, text.as_bytes())))
}

fn document(view: &View<'_>) -> Markup {
    let verdict = Verdict::new(view);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (verdict.headline) " · sealwatch" }
                link rel="icon" href=(ICON);
                style { (PreEscaped(STYLE)) }
            }
            body {
                (bars::patterns())
                a.skip href="#hosts" { "Skip to hosts" }
                (banner(view.time))
                main {
                    (verdict.section())
                    (policy::section(view.summary))
                    (hosts::section(view.summary))
                    (sure::sections(view))
                }
                (footer(view))
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// What it is, and of when; what the script has to say.
fn banner(time: Timestamp) -> Markup {
    html! {
        header.banner {
            div.brand {
                h1 { "sealwatch" }
                p { "S3 encryption headers: what clients ask for, what stores apply" }
            }
            div.fresh {
                p #fresh { "Counts of " (words::time(&crate::report::rfc3339(time))) }
                a #reload href="./" { "Reload for newer counts" }
                button #pause type="button" aria-pressed="false" hidden { "Pause updates" }
            }
        }
        p #stale role="alert" hidden {}
        p #say .unseen role="status" {}
    }
}

fn footer(view: &View<'_>) -> Markup {
    html! {
        footer {
            p { "sealwatch " (view.summary.sealwatch) }
            nav aria-label="For programs" {
                ul {
                    li { a href="api/v1/summary" { "All counts as JSON" } }
                    li { a href=(view.telemetry_path.trim_start_matches('/')) { "Prometheus metrics" } }
                    li { a href="-/ready" { "Readiness" } }
                }
            }
        }
    }
}
