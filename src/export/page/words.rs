//! Numbers, times and modes as the page shows them.

use crate::s3::Mode;
use indicatif::HumanBytes;
use maud::{Markup, html};

/// `1,234,567`.
pub(super) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `11.46 KiB`.
pub(super) fn bytes(n: u64) -> String {
    HumanBytes(n).to_string()
}

/// `1 mismatch`, `1,234 mismatches`.
pub(super) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// A share in tenths of a percent, cut off: never rounded up to all.
pub(super) fn share(part: u64, all: u64) -> Option<String> {
    if all == 0 {
        return None;
    }
    let per_mille = (u128::from(part) * 1000 / u128::from(all)) as u64;
    Some(match (part, per_mille / 10, per_mille % 10) {
        (1.., 0, 0) => "under 0.1\u{a0}%".to_owned(),
        (_, percent, 0) => format!("{percent}\u{a0}%"),
        (_, percent, tenth) => format!("{percent}.{tenth}\u{a0}%"),
    })
}

/// A time of RFC 3339 to the second, as people and programs read it.
pub(super) fn time(rfc3339: &str) -> Markup {
    let seconds = rfc3339.split('.').next().unwrap_or_default();
    html! { time { (seconds.replace('T', " ")) "Z" } }
}

/// The class that gives a mode's part of a bar its colour and pattern.
pub(super) const fn class(mode: Mode) -> &'static str {
    match mode {
        Mode::None => "m0",
        Mode::Aes256 => "m1",
        Mode::Kms => "m2",
        Mode::KmsDsse => "m3",
        Mode::Fsx => "m4",
        Mode::Backup => "m5",
        Mode::SseC => "m6",
        Mode::Other => "m7",
    }
}

/// The class of what names a mode: it begins with a small square of its colour and pattern.
pub(super) const fn key(mode: Mode) -> &'static str {
    match mode {
        Mode::None => "k0",
        Mode::Aes256 => "k1",
        Mode::Kms => "k2",
        Mode::KmsDsse => "k3",
        Mode::Fsx => "k4",
        Mode::Backup => "k5",
        Mode::SseC => "k6",
        Mode::Other => "k7",
    }
}

/// What a mode means, in a few words.
pub(super) const fn meaning(mode: Mode) -> &'static str {
    match mode {
        Mode::None => "no header was seen",
        Mode::Aes256 => "SSE-S3: the store's own keys",
        Mode::Kms => "SSE-KMS: keys of a key service",
        Mode::KmsDsse => "DSSE-KMS: the same, in two layers",
        Mode::Fsx => "FSx access points",
        Mode::Backup => "AWS Backup",
        Mode::SseC => "the client brings the key",
        Mode::Other => "a value outside the known ones, or several that contradict each other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (n, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(number(n), text);
        }
        assert_eq!(number(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn shares_are_never_rounded_to_nothing_or_to_all() {
        let shown = |part, all| share(part, all).unwrap_or_default().replace('\u{a0}', " ");
        assert_eq!(shown(0, 0), "");
        assert_eq!(shown(0, 9), "0 %");
        assert_eq!(shown(1, u64::MAX), "under 0.1 %");
        assert_eq!(shown(99_999, 100_000), "99.9 %");
        assert_eq!(shown(u64::MAX, u64::MAX), "100 %");
    }
}
