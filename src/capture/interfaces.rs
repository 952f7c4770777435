//! The interfaces of this machine.

use super::activate::{InterfaceConfig, activate};
use super::file::reason;
use super::{CaptureError, ErrorKind, LinkType};
use pcap::{ConnectionStatus, Device, Linktype};
use std::io;
use std::net::IpAddr;

/// What a look at an interface takes; nothing is kept of it.
const BUFFER_BYTES: u32 = 1 << 20;

/// An interface, and whether it can be captured on.
#[derive(Clone, Debug)]
pub struct FoundInterface {
    /// Its name.
    pub name: String,
    /// What the system says of it.
    pub description: Option<String>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Whether it is up.
    pub up: bool,
    /// Whether it has a carrier, where that can be known.
    pub connected: Option<bool>,
    /// Why it cannot be captured on; `None` when it can.
    pub obstacle: Option<String>,
}

/// Every interface that libpcap knows; each is opened for a moment.
///
/// # Errors
///
/// libpcap's, where it cannot list them.
pub fn interfaces() -> Result<Vec<FoundInterface>, CaptureError> {
    let devices = Device::list().map_err(|error| {
        CaptureError::new(
            "the list of interfaces",
            ErrorKind::Unreadable(io::Error::other(reason(error))),
        )
    })?;
    Ok(devices.into_iter().map(look).collect())
}

fn not_decoded(link: Linktype) -> Option<String> {
    let name = link.get_name().unwrap_or_default();
    let known = LinkType(link.0).is_decoded();
    (!known).then(|| format!("its link type, {} ({name}), is not decoded", link.0))
}

fn look(device: Device) -> FoundInterface {
    let config = InterfaceConfig {
        name: device.name.clone(),
        filter: None,
        snaplen: 64,
        buffer_bytes: BUFFER_BYTES,
        promiscuous: false,
        threads: 1,
    };
    let obstacle = match activate(&config) {
        Ok(capture) => not_decoded(capture.get_datalink()),
        Err(error) => Some(match error.kind {
            ErrorKind::Refused(reason) | ErrorKind::Unavailable(reason) => reason,
            _ => error.to_string(),
        }),
    };
    FoundInterface {
        name: device.name,
        description: device.desc,
        addresses: device.addresses.iter().map(|address| address.addr).collect(),
        up: device.flags.is_up(),
        connected: match device.flags.connection_status {
            ConnectionStatus::Connected => Some(true),
            ConnectionStatus::Disconnected => Some(false),
            _ => None,
        },
        obstacle,
    }
}
