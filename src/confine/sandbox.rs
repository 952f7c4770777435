//! What is taken away as far as the kernel can: files and connections (Landlock), system calls
//! (seccomp).

use super::Measure;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, path_beneath_rules,
};
use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// The newest rights that are known here; older kernels lack some, and enforce the others.
const RIGHTS: ABI = ABI::V5;

/// What may still be opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// To be read, with all that is below them.
    pub read: Vec<PathBuf>,
    /// To be written: files, or folders in which files may be made.
    pub write: Vec<PathBuf>,
}

/// The folders that must be readable for files to be read again: theirs, and those that links lead
/// to. Files may be replaced in them.
///
/// # Errors
///
/// The system's.
pub fn folders_of<'f>(files: impl IntoIterator<Item = &'f Path>) -> io::Result<Vec<PathBuf>> {
    let mut folders = BTreeSet::new();
    for file in files {
        let given = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        folders.insert(given.unwrap_or(Path::new(".")).canonicalize()?);
        folders.extend(file.canonicalize()?.parent().map(Path::to_owned));
    }
    Ok(folders.into_iter().collect())
}

/// From now on the calling thread, and those that it starts, can open nothing but `paths`, and
/// neither connect nor listen anywhere (Landlock, `landlock`(7); the network with Linux 6.7).
pub fn files(paths: &Paths) -> Measure {
    let obstacle = match restrict(paths) {
        Ok(RulesetStatus::FullyEnforced) => None,
        Ok(RulesetStatus::PartiallyEnforced) => {
            Some("this kernel knows only a part of it".to_owned())
        }
        Ok(RulesetStatus::NotEnforced) => Some("this kernel does not have it".to_owned()),
        Err(error) => Some(error.to_string()),
    };
    Measure::new("landlock", obstacle)
}

fn restrict(paths: &Paths) -> Result<RulesetStatus, RulesetError> {
    let write = AccessFs::WriteFile | AccessFs::MakeReg;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(RIGHTS))?
        .handle_access(AccessNet::from_all(RIGHTS))?
        .create()?
        .add_rules(path_beneath_rules(&paths.read, AccessFs::from_read(RIGHTS)))?
        .add_rules(path_beneath_rules(&paths.write, write))?
        .restrict_self()?;
    Ok(status.ruleset)
}

/// What reading packets, answering on open sockets and writing records takes.
const CALLS: &[c_long] = &[
    // Files, and what is open.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_lseek,
    libc::SYS_openat,
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_fcntl,
    libc::SYS_ioctl,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_getdents64,
    libc::SYS_readlinkat,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    // Sockets; to make one is a rule of its own. A packet socket is bound anew when its interface
    // was.
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_shutdown,
    // Waiting.
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_gettimeofday,
    libc::SYS_restart_syscall,
    // Memory.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_getrandom,
    // Threads, and the end; to start one is a rule of its own. (Where there is no clone3, whose
    // arguments cannot be looked at, the C library does with clone.)
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    // To step back for others.
    libc::SYS_getpriority,
    libc::SYS_setpriority,
    libc::SYS_membarrier,
    libc::SYS_prctl,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Signals.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    // Who and where this is.
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_prlimit64,
    libc::SYS_uname,
    libc::SYS_sysinfo,
];

/// The same under names that other processors do not have.
#[cfg(target_arch = "x86_64")]
const OLD_CALLS: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_readlink,
    libc::SYS_access,
    libc::SYS_poll,
    libc::SYS_epoll_wait,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_CALLS: &[c_long] = &[];

/// From now on the calling thread, and those that it starts, can make no system call but those
/// that they need, and no socket but for local datagrams (to the service manager). Others fail as if the kernel did not have them, so that a C library that tries something new falls back on
/// what it did before (seccomp, `seccomp`(2)).
pub fn system_calls() -> Measure {
    let applied = filter().and_then(|filter| apply_filter(&filter));
    Measure::new("seccomp", applied.err().map(|error| error.to_string()))
}

/// What makes a thread or a process live in another namespace than this one, in which it could have
/// capabilities again (`clone`(2)).
const NEW_NAMESPACES: libc::c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;
/// The part of a socket's type that is its type (`SOCK_TYPE_MASK`), beside its flags.
const SOCKET_TYPE: u64 = 0xf;

fn filter() -> Result<BpfProgram, seccompiler::Error> {
    let argument =
        |index, how, value: u64| SeccompCondition::new(index, SeccompCmpArgLen::Dword, how, value);
    let rule = |conditions| Ok::<_, seccompiler::Error>(vec![SeccompRule::new(conditions)?]);
    let calls = CALLS.iter().chain(OLD_CALLS).map(|call| (*call, Vec::new()));
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = calls.collect();
    let no_namespaces = SeccompCmpOp::MaskedEq(NEW_NAMESPACES as u32 as u64);
    rules.insert(libc::SYS_clone, rule(vec![argument(0, no_namespaces, 0)?])?);
    let datagrams = SeccompCmpOp::MaskedEq(SOCKET_TYPE);
    let local = argument(0, SeccompCmpOp::Eq, libc::AF_UNIX as u64)?;
    let datagrams = argument(1, datagrams, libc::SOCK_DGRAM as u64)?;
    rules.insert(libc::SYS_socket, rule(vec![local, datagrams])?);
    let otherwise = SeccompAction::Errno(libc::ENOSYS as u32);
    let processor = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(rules, otherwise, SeccompAction::Allow, processor)?;
    Ok(BpfProgram::try_from(filter)?)
}
