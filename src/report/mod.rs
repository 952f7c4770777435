//! report: from counts and records to what people and programs read.
//!
//! Takes a [`Tally`](crate::tally::Tally), and records one by one. Gives a table for a terminal
//! ([`table()`]), one JSON object ([`Summary`]), and JSON Lines ([`json_line`]). Promises stable
//! order and stable field names. Knows nothing of packets.

mod csv;
mod evidence;
pub(crate) mod html;
mod jsonl;
mod keys;
mod keys_table;
mod policy;
mod scope;
mod summary;
mod table;
mod time;

pub use csv::TABLES;
pub use evidence::{Case, Cases, Evidence, Stretch, Timeline};
pub use jsonl::json_line;
pub use keys::{
    KmsContextName, KmsContexts, KmsKey, KmsKeyChange, KmsKeyChanges, KmsKeyUse, KmsKeys,
    RequestedApplied,
};
pub use policy::{PolicySummary, RuleSummary};
pub use scope::{Report, Scope, ScopeFile};
pub use summary::{
    BlindSpots, BoundSummary, DropSummary, Exchanges, Flows, HostSummary, LedgerSummary, Mismatch,
    PlaceSummary, ServerName, Summary,
};
pub(crate) use summary::{Counts, CountsBy};
pub(crate) use table::meaning;
pub use table::table;
pub(crate) use time::rfc3339;
