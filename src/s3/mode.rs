//! The closed set of encryption modes.

use std::fmt;

/// How an object is protected at rest, as asked for or as applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// No header was seen. It does *not* mean "unencrypted".
    None,
    /// SSE-S3: keys managed by the store.
    Aes256,
    /// SSE-KMS: keys managed by a key service.
    Kms,
    /// DSSE-KMS: two layers.
    KmsDsse,
    /// FSx access points.
    Fsx,
    /// AWS Backup.
    Backup,
    /// SSE-C: the client brings the key.
    SseC,
    /// A value outside the set, or values that contradict each other.
    Other,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A header value, read as a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// As the API reference spells it.
    Exact(Mode),
    /// The same when case is ignored.
    OtherCase(Mode),
    Unknown,
}

impl Mode {
    /// Every mode, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::Aes256,
        Self::Kms,
        Self::KmsDsse,
        Self::Fsx,
        Self::Backup,
        Self::SseC,
        Self::Other,
    ];

    /// The values that `x-amz-server-side-encryption` can have (`ServerSideEncryption` in the
    /// S3 API reference, PutObject).
    const ON_THE_WIRE: [Self; 5] =
        [Self::Aes256, Self::Kms, Self::KmsDsse, Self::Fsx, Self::Backup];

    /// The label and record value: as on the wire where the wire has a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Aes256 => "AES256",
            Self::Kms => "aws:kms",
            Self::KmsDsse => "aws:kms:dsse",
            Self::Fsx => "aws:fsx",
            Self::Backup => "aws:backup",
            Self::SseC => "SSE-C",
            Self::Other => "other",
        }
    }

    /// Reads the value of an `x-amz-server-side-encryption` header.
    pub(super) fn read(value: &[u8]) -> Spelling {
        for mode in Self::ON_THE_WIRE {
            if value == mode.as_str().as_bytes() {
                return Spelling::Exact(mode);
            }
            if value.eq_ignore_ascii_case(mode.as_str().as_bytes()) {
                return Spelling::OtherCase(mode);
            }
        }
        Spelling::Unknown
    }
}
