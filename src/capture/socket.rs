//! What libpcap has no call for, on the packet socket below it (`packet`(7)): a fan-out group, and
//! an interface that was removed and is there again.
//!
//! Takes the descriptor of an activated capture, which stays libpcap's. Promises that libpcap's own
//! view of the socket stays true: neither the ring, nor the header format, nor the filter is
//! touched.
//!
//! All of this is `unsafe` code. There is no other way: no safe wrapper has these
//! options, and without them several threads cannot share an interface, and a process that gave
//! its capabilities away could never take up an interface again (a new socket would need them,
//! another `bind` of an old one does not). Every call passes the address and the size of one
//! plain-old-data value on this stack, which the kernel copies before it returns.

#![allow(unsafe_code, reason = "see above")]

use rustix::net::netdevice::name_to_index;
use rustix::net::sockopt::socket_error;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd};

/// Makes a fan-out group of a socket alone (`PACKET_FANOUT`): what comes is dealt out among the
/// members by a hash of the flow, which is the same for both directions. Gives the group's id,
/// which no other group has (`PACKET_FANOUT_FLAG_UNIQUEID`, Linux 4.12).
///
/// # Errors
///
/// The system's.
pub(super) fn form_group(socket: &impl AsFd) -> io::Result<u16> {
    let how = (libc::PACKET_FANOUT_HASH | libc::PACKET_FANOUT_FLAG_UNIQUEID) << 16;
    set(socket, libc::PACKET_FANOUT, &how)?;
    let mut formed: libc::c_uint = 0;
    let mut size = size_of::<libc::c_uint>() as libc::socklen_t;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: `formed` is `size` bytes long, and outlives the call.
    let done = unsafe {
        let value = (&raw mut formed).cast();
        libc::getsockopt(fd, libc::SOL_PACKET, libc::PACKET_FANOUT, value, &raw mut size)
    };
    // The id is the lower half.
    checked(done).map(|()| formed as u16)
}

/// Joins a group that was formed on the same interface.
///
/// # Errors
///
/// The system's.
pub(super) fn join_group(socket: &impl AsFd, group: u16) -> io::Result<()> {
    set(socket, libc::PACKET_FANOUT, &(libc::PACKET_FANOUT_HASH << 16 | u32::from(group)))
}

/// How a network interface does that a socket was bound to by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It is there, and up.
    Up,
    /// It is there, and down.
    Down,
    /// It was removed, renamed or moved. There may be another one of its name.
    Elsewhere,
}

/// How the interface does that has this name, as far as it is the one that the socket is bound to.
///
/// # Errors
///
/// The system's.
pub(super) fn presence(socket: &impl AsFd, name: &str) -> io::Result<Presence> {
    let index = match name_to_index(socket, name) {
        Ok(index) => index,
        Err(rustix::io::Errno::NODEV) => return Ok(Presence::Elsewhere),
        Err(error) => return Err(error.into()),
    };
    if address(socket)?.sll_ifindex != index as i32 {
        return Ok(Presence::Elsewhere);
    }
    Ok(if is_up(socket, name)? { Presence::Up } else { Presence::Down })
}

/// Whether there is a network interface of that name, and up.
///
/// # Errors
///
/// The system's: `ENODEV` while there is none.
pub(super) fn is_up(socket: &impl AsFd, name: &str) -> io::Result<bool> {
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: 0 },
    };
    if name.len() >= libc::IFNAMSIZ {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the kernel reads and writes one `ifreq`, and the name in it ends with a zero.
    checked(unsafe { libc::ioctl(fd, libc::SIOCGIFFLAGS, &raw mut request) })?;
    // SAFETY: `SIOCGIFFLAGS` filled in the flags.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    Ok(i32::from(flags) & libc::IFF_UP != 0)
}

/// Whether the interface is still there that a socket was bound to, whatever its name is now.
pub(super) fn is_bound(socket: &impl AsFd) -> bool {
    address(socket).is_ok_and(|address| address.sll_ifindex > 0)
}

/// What kind of interface a socket is bound to (`ARPHRD_…`), as long as that is there.
///
/// # Errors
///
/// The system's.
pub(super) fn kind(socket: &impl AsFd) -> io::Result<u16> {
    Ok(address(socket)?.sll_hatype)
}

/// Binds a socket, whose interface was of that `kind` and is not there any more, to the one that
/// has its name now. It needs no capability.
///
/// # Errors
///
/// The system's: `ENODEV` while there is none, `EINVAL` for a member of a fan-out group. And where
/// the interface is of another kind, so that its packets would be taken for what they are not.
pub(super) fn rebind(
    socket: &impl AsFd,
    name: &str,
    kind: u16,
    promiscuous: bool,
) -> io::Result<()> {
    let index = name_to_index(socket, name)?;
    let before = address(socket)?;
    // That the interface went down is known, and would be taken for the new one's state.
    let _ = socket_error(socket)?;
    bind(socket, index as i32, before.sll_protocol)?;
    if address(socket)?.sll_hatype != kind {
        return Err(io::Error::other("there is another kind of interface by that name now"));
    }
    if promiscuous {
        let membership = libc::packet_mreq {
            mr_ifindex: index as i32,
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        set(socket, libc::PACKET_ADD_MEMBERSHIP, &membership)?;
    }
    Ok(())
}

fn bind(socket: &impl AsFd, index: i32, protocol: u16) -> io::Result<()> {
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: protocol,
        sll_ifindex: index,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let size = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: `address` is `size` bytes long, and outlives the call.
    checked(unsafe { libc::bind(socket.as_fd().as_raw_fd(), (&raw const address).cast(), size) })
}

/// What a socket is bound to.
fn address(socket: &impl AsFd) -> io::Result<libc::sockaddr_ll> {
    let mut address = libc::sockaddr_ll {
        sll_family: 0,
        sll_protocol: 0,
        sll_ifindex: 0,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let mut size = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: `address` is `size` bytes long, and outlives the call.
    checked(unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut size) })?;
    Ok(address)
}

fn set<T: Copy>(socket: &impl AsFd, option: libc::c_int, value: &T) -> io::Result<()> {
    let size = size_of::<T>() as libc::socklen_t;
    let fd = socket.as_fd().as_raw_fd();
    let value: *const T = value;
    // SAFETY: `value` is `size` bytes long, and outlives the call.
    checked(unsafe { libc::setsockopt(fd, libc::SOL_PACKET, option, value.cast(), size) })
}

fn checked(done: libc::c_int) -> io::Result<()> {
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
