//! What happened when: answers by mode as a chart, and above it where mismatches and violations are.
//!
//! The drawings have no text in them, so that they can be as wide as there is room, and say in `title` and
//! `desc` what they show. What is drawn is in thousandths of the width and the height.

use super::bars::tenths;
use super::words::{class, counted, key, number, time};
use crate::net::Timestamp;
use crate::report::scope::Report;
use crate::report::{Stretch, rfc3339};
use crate::s3::Mode;
use maud::{Markup, html};

/// The least height of what was counted, in thousandths.
const LEAST: u64 = 15;

pub(super) fn section(report: &Report<'_>) -> Markup {
    let timeline = &report.evidence.timeline;
    let stretches: Vec<_> = timeline.stretches();
    html! {
        section #timeline aria-labelledby="timeline-title" {
            h2 #timeline-title { "Timeline" }
            @if let (Some((first, _)), Some((last, _))) = (stretches.first(), stretches.last()) {
                @let stretches: Vec<_> = stretches.iter().map(|(_, stretch)| stretch).collect();
                p {
                    "When exchanges began, in " (counted(stretches.len() as u64, "stretch", "stretches"))
                    " of " (span(timeline.seconds())) ". "
                    (number(busiest(&stretches))) " answers in the busiest one."
                }
                @if report.summary.policy.is_some() {
                    (lane("Violations", "v", &stretches, |stretch| stretch.violations))
                }
                (lane("Mismatches", "x", &stretches, |stretch| stretch.mismatches))
                (chart(&stretches))
                p.ends {
                    span { (time(&rfc3339(*first))) }
                    span { (time(&rfc3339(end(*last, timeline.seconds())))) }
                }
                (legend(&stretches))
            } @else {
                p { "There was no exchange with an object store." }
            }
        }
    }
}

/// When a stretch ends that begins then.
fn end(begin: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_nanos(begin.as_nanos().saturating_add(seconds.saturating_mul(1_000_000_000)))
}

/// A length of time in words.
fn span(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let parts = [(hours, "h"), (minutes, "min"), (rest, "s")];
    let parts: Vec<_> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}\u{a0}{unit}")).collect();
    parts.join(" ")
}

fn applied(stretch: &Stretch) -> u64 {
    stretch.applied.values().sum()
}

fn busiest(stretches: &[&Stretch]) -> u64 {
    stretches.iter().map(|stretch| applied(stretch)).max().unwrap_or_default()
}

/// Where a stretch begins and how wide it is, in thousandths.
fn place(at: usize, all: usize) -> (u64, u64) {
    let from = |at: usize| (at * 1000 / all.max(1)) as u64;
    (from(at), from(at + 1) - from(at))
}

/// Marks where something was counted.
fn lane(name: &str, id: &str, stretches: &[&Stretch], count: impl Fn(&Stretch) -> u64) -> Markup {
    let total: u64 = stretches.iter().map(|stretch| count(stretch)).sum();
    let with = stretches.iter().filter(|stretch| count(stretch) > 0).count();
    html! {
        div.lane {
            span { (name) " " b { (number(total)) } }
            svg role="img" aria-labelledby={ "t-" (id) " d-" (id) } {
                title id={ "t-" (id) } { (name) " over time" }
                desc id={ "d-" (id) } {
                    (number(total)) " in " (counted(with as u64, "stretch", "stretches")) " of time."
                }
                @for (i, stretch) in stretches.iter().enumerate() {
                    @if count(stretch) > 0 {
                        @let (from, width) = place(i, stretches.len());
                        rect.mark x={ (tenths(from)) "%" } y="0" width={ (tenths(width.max(5))) "%" } height="100%" {}
                    }
                }
            }
        }
    }
}

/// Answers by the mode that they name.
fn chart(stretches: &[&Stretch]) -> Markup {
    let most = busiest(stretches);
    html! {
        svg.chart role="img" aria-labelledby="t-chart d-chart" {
            title #t-chart { "Answers by applied mode, over time" }
            desc #d-chart { (described(stretches)) " The numbers are in timeline.csv." }
            @for (i, stretch) in stretches.iter().enumerate() {
                @let (from, width) = place(i, stretches.len());
                @for (mode, top, height) in pile(stretch, most) {
                    rect.(class(mode)) x={ (tenths(from)) "%" } y={ (tenths(top)) "%" }
                        width={ (tenths(width)) "%" } height={ (tenths(height)) "%" } {}
                }
            }
        }
    }
}

/// The modes of a stretch from the bottom up: where each begins from the top, and how high it is.
fn pile(stretch: &Stretch, most: u64) -> Vec<(Mode, u64, u64)> {
    let present: Vec<_> = stretch.applied.iter().filter(|(_, n)| **n > 0).collect();
    let free = u128::from(1000 - LEAST * Mode::ALL.len() as u64);
    let (mut bottom, mut parts) = (1000, Vec::with_capacity(present.len()));
    for (mode, n) in present {
        let height = (free * u128::from(*n) / u128::from(most.max(1))) as u64 + LEAST;
        bottom -= height.min(bottom);
        parts.push((*mode, bottom, height));
    }
    parts
}

fn totals(stretches: &[&Stretch]) -> Vec<(Mode, u64)> {
    let total = |mode: Mode| -> u64 {
        stretches.iter().filter_map(|stretch| stretch.applied.get(&mode)).sum()
    };
    Mode::ALL.into_iter().map(|mode| (mode, total(mode))).filter(|(_, n)| *n > 0).collect()
}

fn described(stretches: &[&Stretch]) -> String {
    let totals = totals(stretches).into_iter().map(|(mode, n)| format!("{} {}", number(n), mode));
    let totals: Vec<_> = totals.collect();
    format!("In all: {}.", if totals.is_empty() { "nothing".to_owned() } else { totals.join(", ") })
}

fn legend(stretches: &[&Stretch]) -> Markup {
    html! {
        ul.legend {
            @for (mode, n) in totals(stretches) {
                li { span.(key(mode)) { (mode) " " b { (number(n)) } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pile_stands_on_the_ground_and_fits_whatever_it_holds() {
        let all =
            |n| Stretch { applied: Mode::ALL.map(|mode| (mode, n)).into(), ..Stretch::default() };
        for (stretch, most) in [(all(1), 8), (all(u64::MAX / 8), u64::MAX), (all(1), u64::MAX)] {
            let parts = pile(&stretch, most);
            let mut bottom = 1000;
            for (mode, top, height) in &parts {
                assert!(*height >= LEAST, "{mode:?}");
                assert_eq!(top + height, bottom, "{mode:?}");
                bottom = *top;
            }
            assert_eq!(parts.len(), Mode::ALL.len());
        }
        assert!(pile(&Stretch::default(), 0).is_empty());
    }

    #[test]
    fn lengths_of_time_are_in_words() {
        let spans = [1, 64, 4_096, 131_072].map(span).map(|text| text.replace('\u{a0}', " "));
        assert_eq!(spans, ["1 s", "1 min 4 s", "1 h 8 min 16 s", "36 h 24 min 32 s"]);
    }
}
