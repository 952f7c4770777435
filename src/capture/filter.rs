//! Packet filters in libpcap's language (`pcap-filter`(7)).

use super::file::reason;
use pcap::{Capture, Linktype};

/// A filter expression that libpcap does not understand.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct FilterError {
    /// What libpcap says of it.
    reason: String,
}

/// Whether a filter expression can be used, before anything is read.
///
/// # Errors
///
/// libpcap's reason, if it compiles for none of the usual link types. Whether it applies to a
/// certain file shows only when that is opened.
pub fn check_filter(expression: &str) -> Result<(), FilterError> {
    let compile = |link| Capture::dead(link)?.compile(expression, true).map(|_| ());
    let mut first = None;
    for link in [Linktype::ETHERNET, Linktype::LINUX_SLL, Linktype::RAW, Linktype::IEEE802_11] {
        match compile(link) {
            Ok(()) => return Ok(()),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(FilterError { reason: first.map(reason).unwrap_or_default() })
}
