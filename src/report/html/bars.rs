//! Bars: counts by mode as one stacked line, and the patterns that tell modes apart without colour.
//!
//! They are drawings, hidden from screen readers: the tables beside them say the same. Widths are
//! attributes, as the policy of the page at `/` allows no style in an element.

use super::words::{class, number};
use crate::report::{Counts, CountsBy};
use crate::s3::Mode;
use maud::{Markup, html};

/// What the least of a bar is, in thousandths: no mode that was counted is invisible.
const LEAST: u64 = 12;

/// Counts by mode, whatever the operation.
pub(crate) fn by_mode(counts: &CountsBy) -> Counts {
    let mut all = Counts::new();
    for (mode, n) in counts.values().flatten() {
        *all.entry(*mode).or_default() += n;
    }
    all
}

/// A labelled bar: each mode's share, and how many there are in all.
pub(crate) fn bar(label: &str, counts: &Counts) -> Markup {
    let total: u64 = counts.values().sum();
    html! {
        span.bar {
            span { (label) }
            svg aria-hidden="true" {
                @for (mode, from, width) in parts(counts) {
                    rect.(class(mode)) x={ (tenths(from)) "%" } width={ (tenths(width)) "%" } {}
                }
            }
            b { (number(total)) }
        }
    }
}

/// Where each mode that was counted begins, and how wide it is, in thousandths.
fn parts(counts: &Counts) -> Vec<(Mode, u64, u64)> {
    let present = Mode::ALL.into_iter().filter_map(|mode| {
        counts.get(mode.as_str()).filter(|n| **n > 0).map(|n| (mode, u128::from(*n)))
    });
    let present: Vec<_> = present.collect();
    let total: u128 = present.iter().map(|(_, n)| n).sum::<u128>().max(1);
    let free = u128::from(1000 - LEAST * present.len() as u64);
    let (mut parts, mut before) = (Vec::with_capacity(present.len()), 0);
    for (i, (mode, n)) in (0..).zip(present) {
        let at = |sum: u128, i: u64| (free * sum / total) as u64 + LEAST * i;
        let from = at(before, i);
        before += n;
        parts.push((mode, from, at(before, i + 1) - from));
    }
    parts
}

pub(super) fn tenths(thousandths: u64) -> String {
    match thousandths % 10 {
        0 => (thousandths / 10).to_string(),
        tenth => format!("{}.{tenth}", thousandths / 10),
    }
}

/// What the bars are filled with: `colours.css` refers to it.
pub(crate) fn patterns() -> Markup {
    html! {
        svg.defs aria-hidden="true" focusable="false" {
            defs {
                (pattern(Mode::None, 6, "rotate(45)", "M0 0V6"))
                (pattern(Mode::Kms, 8, "rotate(-45)", "M0 0V8"))
                (pattern(Mode::KmsDsse, 6, "rotate(45)", "M0 3H6M3 0V6"))
                (pattern(Mode::Fsx, 5, "", "M0 0H5"))
                (pattern(Mode::Backup, 5, "", "M0 0V5"))
                (pattern(Mode::SseC, 5, "", "M2 2.5H4"))
                (pattern(Mode::Other, 7, "rotate(20)", "M0 0H7M0 0V7"))
            }
        }
    }
}

fn pattern(mode: Mode, size: u32, transform: &str, lines: &str) -> Markup {
    let name = class(mode);
    html! {
        pattern id={ "p" (name) } class={ "p" (name) } width=(size) height=(size)
            patternUnits="userSpaceOnUse" patternTransform=[(!transform.is_empty()).then_some(transform)]
        {
            rect width=(size) height=(size) {}
            path d=(lines) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fill_the_bar_and_none_is_invisible() {
        assert!(parts(&Counts::new()).is_empty());
        assert!(parts(&[("none", 0)].into()).is_empty());
        assert_eq!(parts(&[("aws:kms", 3)].into()), [(Mode::Kms, 0, 1000)]);
        let counts = Mode::ALL.map(|mode| (mode.as_str(), u64::MAX / 8)).into();
        for counts in [[("none", u64::MAX - 1), ("SSE-C", 1)].into(), counts] {
            let parts = parts(&counts);
            let mut at = 0;
            for (mode, from, width) in &parts {
                assert_eq!(*from, at, "{mode:?}");
                assert!(*width >= LEAST, "{mode:?}");
                at += width;
            }
            assert_eq!((parts.len(), at), (counts.len(), 1000));
        }
    }
}
