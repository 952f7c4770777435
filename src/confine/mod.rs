//! confine: what this process may do, taken away as soon as it is not needed.
//!
//! Takes the user to become, and the files that are still to be opened. Gives the state of each
//! measure, for whoever watches. Promises that after [`become_user`] and [`keep_capabilities`] no
//! thread started later has more than was kept; that [`files`] and [`system_calls`] hold for the
//! calling thread and those it starts; and that where the kernel lacks a measure, that is said and
//! nothing fails. Knows nothing of packets.
//!
//! A packet analyzer reads what anyone may send it. What it could do if one of its parsers were
//! subverted should be little: here, to read `/sys`, to append to its own records, and to use the
//! sockets that are open. (A packet socket can send, too; nothing here does.)

mod privileges;
mod sandbox;

use std::fmt;
use std::io;

pub use privileges::{become_user, forbid_core_files, is_root, keep_capabilities};
pub use sandbox::{Paths, files, folders_of, system_calls};

/// A measure, and whether it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// The label value: `landlock`, `seccomp`.
    pub name: &'static str,
    /// Why it is not, or not wholly, in force.
    pub obstacle: Option<String>,
}

impl Measure {
    fn new(name: &'static str, obstacle: Option<String>) -> Self {
        Self { name, obstacle }
    }
}

/// Something that must be given up could not be.
#[derive(Debug)]
pub struct ConfineError {
    what: String,
    error: io::Error,
}

impl ConfineError {
    fn new(what: impl Into<String>, error: impl Into<io::Error>) -> Self {
        Self { what: what.into(), error: error.into() }
    }
}

impl fmt::Display for ConfineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.what, self.error)
    }
}

impl std::error::Error for ConfineError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
