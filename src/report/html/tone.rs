//! How a verdict looks: how much there is to worry about.

/// How much there is to worry about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing was seen that could be judged.
    Nothing,
    /// All is well, as far as was seen.
    Calm,
    /// Something is odd.
    Odd,
    /// Something is wrong.
    Alarm,
}

impl Tone {
    /// The class that gives it its colour.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Calm => "calm",
            Self::Odd => "odd",
            Self::Alarm => "alarm",
        }
    }

    /// The sign beside its words.
    pub(crate) const fn sign(self) -> &'static str {
        match self {
            Self::Nothing => "…",
            Self::Calm => "✓",
            Self::Odd | Self::Alarm => "!",
        }
    }
}
