//! Numbers, times and modes as pages show them; and text that others chose, so that nobody is misled
//! by it.

use crate::s3::Mode;
use indicatif::HumanBytes;
use maud::{Markup, html};

/// `1,234,567`.
pub(crate) fn number(n: u64) -> String {
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
pub(crate) fn bytes(n: u64) -> String {
    HumanBytes(n).to_string()
}

/// `1 mismatch`, `1,234 mismatches`.
pub(crate) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// A share in tenths of a percent, cut off: never rounded up to all.
pub(crate) fn share(part: u64, all: u64) -> Option<String> {
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

/// Text that others chose: characters that cannot be seen, or that move others, are shown as their
/// numbers, and what is written from right to left stays among its own.
pub(crate) fn text(text: &str) -> Markup {
    if !text.contains(is_hidden) {
        return if text.is_ascii() {
            html! { (text) }
        } else {
            html! { bdi { (text) } }
        };
    }
    let (mut rest, mut parts) = (text, Vec::new());
    while let Some((at, hidden)) = rest.char_indices().find(|(_, c)| is_hidden(*c)) {
        parts.push((&rest[..at], Some(hidden)));
        rest = &rest[at + hidden.len_utf8()..];
    }
    parts.push((rest, None));
    html! {
        bdi {
            @for (shown, hidden) in parts {
                (shown)
                @if let Some(hidden) = hidden { span.hidden { (format!("U+{:04X}", u32::from(hidden))) } }
            }
        }
    }
}

/// Whether a character has no form of its own, or changes that of others: controls, those of
/// Unicode's property `Default_Ignorable_Code_Point` that occur alone, and separators of lines.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}'
            | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// A time of RFC 3339 to the second, as people and programs read it.
pub(crate) fn time(rfc3339: &str) -> Markup {
    let seconds = rfc3339.split('.').next().unwrap_or_default();
    html! { time { (seconds.replace('T', " ")) "Z" } }
}

/// The class that gives a mode's part of a bar its colour and pattern.
pub(crate) const fn class(mode: Mode) -> &'static str {
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
pub(crate) const fn key(mode: Mode) -> &'static str {
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
pub(crate) const fn meaning(mode: Mode) -> &'static str {
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
    fn text_that_hides_or_moves_characters_shows_them() {
        assert_eq!(text("photos.example.com").into_string(), "photos.example.com");
        assert_eq!(text("fotos.beispiel.über").into_string(), "<bdi>fotos.beispiel.über</bdi>");
        let turned = "a\u{202e}<b>\n\u{200b}\u{e0041}";
        let shown = "<bdi>a<span class=\"hidden\">U+202E</span>&lt;b&gt;\
                     <span class=\"hidden\">U+000A</span><span class=\"hidden\">U+200B</span>\
                     <span class=\"hidden\">U+E0041</span></bdi>";
        assert_eq!(text(turned).into_string(), shown);
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
