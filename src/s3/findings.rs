//! What is odd about an exchange.

/// Something odd about an exchange: a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finding {
    /// An SSE-C key travelled in clear text.
    CustomerKeyInClear,
    /// One message, several values that differ; or a mode and SSE-C at once.
    ConflictingHeaders,
    /// A value that matched only when case was ignored (`aes256`).
    NonstandardCase,
    /// A value outside the closed set.
    UnknownValue,
    /// A header name without its `X-`.
    UnprefixedName,
    /// An encryption header on a request that cannot carry it.
    MisplacedHeader,
    /// A mode in a (presigned) query string.
    ModeInQuery,
}

impl Finding {
    /// Every kind, in the order in which they are listed.
    pub const ALL: [Self; 7] = [
        Self::CustomerKeyInClear,
        Self::ConflictingHeaders,
        Self::NonstandardCase,
        Self::UnknownValue,
        Self::UnprefixedName,
        Self::MisplacedHeader,
        Self::ModeInQuery,
    ];

    /// The label and record value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CustomerKeyInClear => "customer_key_in_clear",
            Self::ConflictingHeaders => "conflicting_headers",
            Self::NonstandardCase => "nonstandard_case",
            Self::UnknownValue => "unknown_value",
            Self::UnprefixedName => "unprefixed_name",
            Self::MisplacedHeader => "misplaced_header",
            Self::ModeInQuery => "mode_in_query",
        }
    }
}

/// A set of findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings(u8);

impl Findings {
    /// Adds one; whether it is new.
    pub fn insert(&mut self, finding: Finding) -> bool {
        let before = self.0;
        self.0 |= 1 << finding as u8;
        self.0 != before
    }

    /// Adds those of `others`.
    pub(super) fn add(&mut self, others: Self) {
        self.0 |= others.0;
    }

    /// Takes one out.
    pub fn remove(&mut self, finding: Finding) {
        self.0 &= !(1 << finding as u8);
    }

    /// Those in it, in the order of [`Finding::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Finding> {
        // Most sets are empty.
        let all: &[Finding] = if self.0 == 0 { &[] } else { &Finding::ALL };
        all.iter().copied().filter(move |finding| self.0 & (1 << *finding as u8) != 0)
    }
}
