//! sealwatch watches plaintext HTTP and answers, per host: which S3 server-side encryption
//! modes do clients ask for, which do stores say they applied, and how much of the traffic
//! could be judged at all.
//!
//! Data flows one way, through rooms that know only the output type of the room before:
//!
//! ```text
//! capture ─► decode ═ batches ═► flow ─► http ─► s3 ═ observations ═► tally ─► export
//! packets    segments            chunks  exchanges  observations           └─► report
//! ```
//!
//! [`policy`] judges exchanges on their way to the tally, where there is one.
//!
//! [`pipeline`] joins them by threads and channels; [`cli`] turns arguments into one validated
//! configuration per command.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod capture;
pub mod cli;
pub mod confine;
pub mod decode;
mod digest;
pub mod export;
pub mod flow;
mod glob;
pub mod http;
pub mod net;
pub mod pipeline;
pub mod policy;
mod queue;
pub mod report;
pub mod s3;
pub mod tally;
mod toml_text;
