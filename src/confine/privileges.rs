//! The user, the capabilities (`capabilities`(7)), and what a crash would leave behind.

use super::ConfineError;
use nix::unistd::{self, User};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::{self, CapabilitySet, CapabilitySets};
use std::ffi::CString;
use std::io;

/// What it takes to open an interface.
const TO_CAPTURE: CapabilitySet = CapabilitySet::NET_RAW;

/// Sees to it that no core file is written: the memory of this process holds packets, and those
/// may hold keys. Neither the system nor another process of the same user can then read it.
///
/// # Errors
///
/// The system's.
pub fn forbid_core_files() -> Result<(), ConfineError> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none)
        // A handler of cores (`core`(5)) is not bound by the limit, but by this.
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable))
        .map_err(|error| ConfineError::new("forbid core files", error))
}

/// Whether this process has the user id 0.
pub fn is_root() -> bool {
    unistd::geteuid().is_root()
}

/// Becomes a user with that user's groups, for good. Capabilities stay until
/// [`keep_capabilities`] takes them.
///
/// # Errors
///
/// When there is no such user, or this process may not become another.
pub fn become_user(name: &str) -> Result<(), ConfineError> {
    let fail = |error: io::Error| ConfineError::new(format!("become the user {name}"), error);
    let user = User::from_name(name).map_err(|error| fail(error.into()))?;
    let user = user.ok_or_else(|| fail(io::Error::other("there is no such user")))?;
    if user.uid == unistd::geteuid() && user.uid == unistd::getuid() {
        return Ok(());
    }
    // Without this a user id other than 0 has no capabilities from then on.
    thread::set_keep_capabilities(true).map_err(|error| fail(error.into()))?;
    let name = CString::new(name).map_err(|error| fail(error.into()))?;
    unistd::initgroups(&name, user.gid)
        .and_then(|()| unistd::setresgid(user.gid, user.gid, user.gid))
        .and_then(|()| unistd::setresuid(user.uid, user.uid, user.uid))
        .map_err(|error| fail(error.into()))
}

/// Gives up every capability of the calling thread, and so of those that it starts: all, or all
/// but `CAP_NET_RAW` where interfaces are still to be opened. Nothing that is executed can get
/// them back.
///
/// # Errors
///
/// The system's; and where something is left all the same.
pub fn keep_capabilities(to_capture: bool) -> Result<(), ConfineError> {
    let fail = |error: io::Error| ConfineError::new("give up capabilities", error);
    let failed = |error: rustix::io::Errno| fail(error.into());
    let had = thread::capabilities(None).map_err(failed)?.permitted;
    let kept = if to_capture { TO_CAPTURE & had } else { CapabilitySet::empty() };
    // To become another user took them out of effect; the next step needs CAP_SETPCAP.
    thread::set_capabilities(None, sets(had)).map_err(failed)?;
    for capability in CapabilitySet::all() {
        // Who does not have that cannot; with no_new_privs the bounding set means nothing anyway.
        let _ = thread::remove_capability_from_bounding_set(capability);
    }
    thread::set_no_new_privs(true).map_err(failed)?;
    thread::set_capabilities(None, sets(kept)).map_err(failed)?;
    match thread::capabilities(None) {
        Ok(sets) if sets.effective | sets.permitted | sets.inheritable == kept => Ok(()),
        Ok(_) => Err(fail(io::Error::other("some are left"))),
        Err(error) => Err(failed(error)),
    }
}

/// These, in effect, and nothing to inherit.
const fn sets(capabilities: CapabilitySet) -> CapabilitySets {
    CapabilitySets {
        effective: capabilities,
        permitted: capabilities,
        inheritable: CapabilitySet::empty(),
    }
}
