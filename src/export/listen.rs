//! Where the server listens: addresses, sockets, and who is at the other end.
//!
//! Takes addresses as they are written, and sockets that a service manager opened
//! (`sd_listen_fds`(3)). Gives connections. Promises that a socket file is taken over only where
//! nobody listens on it any more.

use listenfd::ListenFd;
use rustix::net::sockopt::set_socket_send_buffer_size;
use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// `127.0.0.1:10047`: for this machine.
impl Default for Address {
    fn default() -> Self {
        Self::Tcp(SocketAddr::from(([127, 0, 0, 1], 10_047)))
    }
}

impl FromStr for Address {
    type Err = String;

    /// `IP:PORT`, `[IPV6]:PORT`, `:PORT` for every address of this machine, `unix:PATH`.
    fn from_str(text: &str) -> Result<Self, String> {
        let port = |text: &str| text.strip_prefix(':')?.parse::<u16>().ok();
        match text.strip_prefix("unix:") {
            Some("") => Err("unix: needs a path".to_owned()),
            Some(path) => Ok(Self::Unix(path.into())),
            None => match port(text) {
                Some(port) => Ok(Self::Tcp((Ipv6Addr::UNSPECIFIED, port).into())),
                None => text.parse().map(Self::Tcp).map_err(|_| {
                    format!("{text:?} is none of IP:PORT, [IPV6]:PORT, :PORT, unix:PATH")
                }),
            },
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A socket that listens, outside of any runtime.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

impl Listener {
    pub(super) fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => std::net::TcpListener::bind(address).map(Self::Tcp),
            Address::Unix(path) => bind_unix(path).map(Self::Unix),
        }
    }

    /// The sockets that a service manager gave to this process.
    pub(super) fn inherited() -> io::Result<Vec<Self>> {
        let mut sockets = ListenFd::from_env();
        let count = sockets.len();
        let mut take = |n| match sockets.take_tcp_listener(n) {
            Ok(listener) => Ok(listener.map(Self::Tcp)),
            Err(_) => Ok(sockets.take_unix_listener(n)?.map(Self::Unix)),
        };
        (0..count).filter_map(|n| take(n).transpose()).collect()
    }

    /// Where it listens.
    pub(super) fn address(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Address::Tcp),
            Self::Unix(listener) => {
                let address = listener.local_addr()?;
                Ok(Address::Unix(address.as_pathname().unwrap_or(Path::new("(unnamed)")).into()))
            }
        }
    }

    /// The same, within a runtime.
    pub(super) fn into_async(self) -> io::Result<Acceptor> {
        match self {
            Self::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener).map(Acceptor::Tcp)
            }
            Self::Unix(listener) => {
                listener.set_nonblocking(true)?;
                UnixListener::from_std(listener).map(Acceptor::Unix)
            }
        }
    }
}

/// Listens on a path. A socket that an earlier process left there is in the way; one on which
/// somebody listens, or anything else, stays.
fn bind_unix(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    let bind = || std::os::unix::net::UnixListener::bind(path);
    match bind() {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_over(path) => {
            fs::remove_file(path)?;
            bind()
        }
        bound => bound,
    }
}

fn is_left_over(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let refuses = || {
        let connected = UnixStream::connect(path);
        connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    };
    is_socket && refuses()
}

/// How many bytes the kernel holds for a peer that does not read: by itself it takes megabytes. (It
/// doubles this for its own needs.)
const SEND_BUFFER: usize = 256 << 10;

/// A connection, of whatever kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Who is at the other end, as far as fairness goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Peer {
    /// A machine, by IPv4 address, or by IPv6 network of 64 bits.
    Machine(IpAddr),
    /// A process of this machine, through a socket in the file system.
    Local,
}

impl Peer {
    fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) >> 64 << 64;
                Self::Machine(Ipv6Addr::from(network).into())
            }
            address @ IpAddr::V4(_) => Self::Machine(address),
        }
    }
}

/// A socket that gives connections.
pub(super) enum Acceptor {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Acceptor {
    pub(super) async fn accept(&self) -> io::Result<(Box<dyn Stream>, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // Head and body are two writes; the second is not to wait for the first.
                stream.set_nodelay(true)?;
                set_socket_send_buffer_size(&stream, SEND_BUFFER)?;
                Ok((Box::new(stream), Peer::at(address.ip())))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Box::new(stream), Peer::Local))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_shown() {
        for text in ["127.0.0.1:10047", "[::1]:80", "unix:/run/s", "unix:s"] {
            assert_eq!(text.parse::<Address>().map(|a| a.to_string()).as_deref(), Ok(text));
        }
        assert_eq!(":80".parse::<Address>(), "[::]:80".parse());
        for wrong in ["", ":", ":x", "here", "here:80", "::1:x", "127.0.0.1", "unix:", ":70000"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_machine_is_one_peer_whatever_it_is_called() {
        let peer = |text: &str| Peer::at(text.parse().expect("it is an address"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:1:2:3"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
    }

    #[test]
    fn a_socket_file_is_taken_over_only_when_nobody_listens() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let address = Address::Unix(folder.path().join("s"));
        let first = Listener::bind(&address).expect("it can listen");
        let again = Listener::bind(&address).expect_err("somebody listens");
        assert_eq!(again.kind(), io::ErrorKind::AddrInUse);
        drop(first);
        drop(Listener::bind(&address).expect("nobody listens any more"));
        let file = folder.path().join("f");
        fs::write(&file, "text").expect("a file can be written");
        assert!(Listener::bind(&Address::Unix(file.clone())).is_err());
        assert_eq!(fs::read_to_string(file).ok().as_deref(), Some("text"));
    }
}
