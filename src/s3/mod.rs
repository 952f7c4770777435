//! s3: from exchanges to observations.
//!
//! Takes heads and exchanges, as the [`Reader`](crate::http::Reader) of the HTTP room. Gives
//! [`Observation`]s. Holds the rules: which messages belong to an object store, which operation
//! they are, what was asked for, what was applied, and what was odd about it. Promises that no
//! key, signature, credential or token is kept, and that nothing learned on one connection is
//! used on another. Knows nothing of sockets or threads.
//!
//! Where the rules are: [`headers`] reads the header family, [`operation`] holds the table of
//! operations and of what their messages can carry, [`address`] reads hosts and paths,
//! [`known`] keeps what was made of names,
//! [`place`] settles which operation a request is, [`judge`] says what was asked for and
//! applied, [`keys`] reads what is said of KMS keys; [`reader`] joins them.

use crate::net::Timestamp;
use std::sync::Arc;

mod address;
mod findings;
mod headers;
pub(crate) mod judge;
mod keys;
mod known;
mod mode;
mod operation;
mod place;
mod reader;
mod record;
mod spare;
mod target;

pub use address::{HostPattern, INVALID_HOST};
pub use findings::{Finding, Findings};
pub use keys::{Context, Inventory, Side};
pub use mode::Mode;
pub use operation::{Carries, Operation};
pub use reader::{Config, S3Reader};
pub use record::{Ended, ObjectBytes, Record, Transfer};

/// What a host, a bucket and an operation have in common across an exchange's observations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// When: the packet time of the head that was judged.
    pub time: Timestamp,
    /// The host, normalised; [`INVALID_HOST`]; or the server's `ip:port` where no host was seen.
    pub host: Arc<str>,
    /// The bucket, where the address shows one.
    pub bucket: Option<Arc<str>>,
    /// The operation.
    pub operation: Operation,
}

/// Something that was seen on the wire, and what it means. What the tally counts.
#[derive(Clone, Debug)]
pub enum Observation {
    /// A request was judged: counted once per request whose operation can carry a mode, or that
    /// carries SSE-C headers.
    Requested {
        /// Where it belongs.
        subject: Subject,
        /// The mode that was asked for.
        mode: Mode,
    },
    /// A response was judged: counted once per response that can carry (or does carry) a mode.
    Applied {
        /// Where it belongs.
        subject: Subject,
        /// The mode that the store says it applied.
        mode: Mode,
    },
    /// A store applied another mode than the one that was asked for.
    Mismatch {
        /// Where it belongs.
        subject: Subject,
        /// The mode that was asked for, never [`Mode::None`].
        requested: Mode,
        /// The mode that was applied instead.
        applied: Mode,
    },
    /// A 4xx or 5xx to an operation that can carry a mode.
    Refused {
        /// Where it belongs.
        subject: Subject,
        /// The status code, 400 to 599.
        status: u16,
    },
    /// Something odd, counted once per exchange and kind.
    Found {
        /// Where it belongs.
        subject: Subject,
        /// What it was.
        finding: Finding,
        /// The value that is outside the set, for [`Finding::UnknownValue`]: at most 64 bytes,
        /// made printable.
        value: Option<Box<str>>,
    },
    /// A message named a KMS key: a request whose operation can ask for a mode, or a successful
    /// answer. Observed only where it is [wanted](Inventory).
    Keyed {
        /// Where it belongs.
        subject: Subject,
        /// Which of the two it was.
        side: Side,
        /// The key's id, as [`Record::kms_key_id`] has it.
        key_id: Box<str>,
    },
    /// The same of an encryption context.
    InContext {
        /// Where it belongs.
        subject: Subject,
        /// Which of the two it was.
        side: Side,
        /// What it says.
        context: Arc<Context>,
    },
    /// An exchange is over; of any kind, also plain HTTP.
    Over(Box<Record>),
    /// The same, where nobody wants its record ([`Config::sums_only`]).
    Ended(Ended),
}

impl Observation {
    /// When it was.
    pub fn time_mut(&mut self) -> &mut Timestamp {
        match self {
            Self::Requested { subject, .. }
            | Self::Applied { subject, .. }
            | Self::Mismatch { subject, .. }
            | Self::Refused { subject, .. }
            | Self::Found { subject, .. }
            | Self::Keyed { subject, .. }
            | Self::InContext { subject, .. } => &mut subject.time,
            Self::Over(record) => &mut record.time,
            Self::Ended(ended) => &mut ended.time,
        }
    }
}

#[cfg(test)]
mod tests;
