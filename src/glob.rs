//! Patterns in which `*` stands for any text, of any length.

/// A pattern. Case matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob(Box<str>);

impl Glob {
    pub(crate) fn new(pattern: &str) -> Self {
        Self(pattern.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `text` matches as a whole.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let Some((start, rest)) = self.0.split_once('*') else { return *self.0 == *text };
        let Some(mut text) = text.strip_prefix(start) else { return false };
        let (middle, end) = rest.rsplit_once('*').map_or((None, rest), |(m, e)| (Some(m), e));
        for part in middle.into_iter().flat_map(|middle| middle.split('*')) {
            match text.find(part) {
                Some(at) => text = &text[at + part.len()..],
                None => return false,
            }
        }
        text.ends_with(end)
    }

    /// Whether all that matches `other` matches this.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        // What stands for any text is matched only by what stands for any text, as no part of a
        // pattern holds a `*`: so `other` is as good as the least convenient text that matches it.
        self.matches(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*", "a", true),
            ("a*a", "a", false),
            ("a*a", "aba", true),
            ("*.b.*", "a.b.c", true),
            ("*.b.*", "a.bc", false),
            ("a*b*c", "a-c-b", false),
            ("A", "a", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_covers_those_that_say_more() {
        for (wide, narrow, expected) in [
            ("*", "a*b", true),
            ("a*", "a*b", true),
            ("*b", "a*b", true),
            ("a*b", "a*", false),
            ("a", "*", false),
            ("*.a", "b.a", true),
            ("*a*", "*ba*", true),
            ("*ab*", "*a*b*", false),
        ] {
            assert_eq!(Glob::new(wide).covers(&Glob::new(narrow)), expected, "{wide} {narrow}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_is_covered_matches_both(
            wide in "[ab*]{0,5}",
            narrow in "[ab*]{0,5}",
            fills in prop::collection::vec("[abc]{0,3}", 5),
        ) {
            let mut fills = fills.into_iter();
            let mut text = String::new();
            for character in narrow.chars() {
                match character {
                    '*' => text.extend(fills.next()),
                    other => text.push(other),
                }
            }
            let (wide, narrow) = (Glob::new(&wide), Glob::new(&narrow));
            prop_assert!(narrow.matches(&text));
            prop_assert!(!wide.covers(&narrow) || wide.matches(&text));
        }
    }
}
