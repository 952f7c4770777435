//! What IP carries.

use etherparse::IpNumber;
use std::net::IpAddr;

/// What an IP packet carries, or a part of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// What `payload` starts with: a transport protocol or an extension header.
    pub(super) protocol: IpNumber,
    /// The bytes that were captured; never padding.
    pub(super) payload: &'a [u8],
    /// How many more there were on the wire.
    pub(super) missing: usize,
    /// Where this is a fragment: its place.
    pub(super) fragment: Option<Place>,
}

/// A fragment's place in its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) id: u32,
    /// In bytes.
    pub(super) offset: usize,
    pub(super) more: bool,
}
