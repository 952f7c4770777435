//! The order of modes by strength.

use crate::s3::Mode;

/// Modes by rank, the weakest first; those of one rank are as strong as each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order(pub(super) Vec<Vec<Mode>>);

impl Default for Order {
    /// One layer with keys that the client or the store keeps; one with keys of a key service, whose
    /// use is authorised and logged apart; two layers (the S3 user guide, "Protecting data with
    /// server-side encryption").
    fn default() -> Self {
        Self(vec![vec![Mode::SseC, Mode::Aes256], vec![Mode::Kms], vec![Mode::KmsDsse]])
    }
}

impl Order {
    fn rank(&self, mode: Mode) -> Option<usize> {
        self.0.iter().position(|rank| rank.contains(&mode))
    }

    /// Whether a mode is in the order.
    pub(super) fn knows(&self, mode: Mode) -> bool {
        self.rank(mode).is_some()
    }

    /// Whether `mode` is as strong as `minimum`, or stronger. What is not in the order is neither.
    pub(super) fn reaches(&self, mode: Mode, minimum: Mode) -> bool {
        match (self.rank(mode), self.rank(minimum)) {
            (Some(rank), Some(least)) => rank >= least,
            _ => false,
        }
    }

    /// As it is written: `SSE-C, AES256 < aws:kms < aws:kms:dsse`.
    pub(super) fn words(&self) -> String {
        let rank = |rank: &Vec<Mode>| {
            let names: Vec<_> = rank.iter().map(|mode| mode.as_str()).collect();
            names.join(", ")
        };
        let ranks = self.0.iter().filter(|rank| !rank.is_empty());
        ranks.map(rank).collect::<Vec<_>>().join(" < ")
    }
}
