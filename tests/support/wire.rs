//! A wire between two network namespaces, made for one test and removed after it.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Two namespaces, joined by a veth pair: `tap` in the one, where sealwatch listens, and `far` in
/// the other.
pub struct Wire {
    pub near: String,
    pub far: String,
}

impl Wire {
    /// `name` is the test's own, of at most six letters.
    pub fn new(name: &str) -> Self {
        let id = std::process::id();
        let wire = Self { near: format!("{name}-{id}-near"), far: format!("{name}-{id}-far") };
        ip(&["netns", "add", &wire.near]);
        ip(&["netns", "add", &wire.far]);
        for space in [&wire.near, &wire.far] {
            ip(&["-n", space, "link", "set", "lo", "up"]);
            // No traffic but the test's: no neighbour or router discovery.
            let quiet =
                ["net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"];
            for setting in quiet {
                let set = command_in(space, "sysctl").args(["-q", "-w", setting]).status();
                assert!(set.expect("sysctl starts").success());
            }
        }
        wire.plug();
        wire
    }

    /// Joins the two ends.
    pub fn plug(&self) {
        self.join("tap", "far");
    }

    /// Joins them a second time: `tap2`, `far2`.
    pub fn plug_another(&self) {
        self.join("tap2", "far2");
    }

    fn join(&self, tap: &str, far: &str) {
        let ends = ["link", "add", tap, "netns", &self.near, "type", "veth"];
        ip(&[&ends[..], &["peer", "name", far, "netns", &self.far]].concat());
        for (space, end) in [(&self.near, tap), (&self.far, far)] {
            ip(&["-n", space, "link", "set", end, "mtu", "65535", "up"]);
        }
    }

    /// Gives both ends addresses, 192.0.2.1 and 2001:db8::1 the near one, 2 the far one; and
    /// frames of the usual length.
    pub fn address(&self) {
        for (space, end, n) in [(&self.near, "tap", 1), (&self.far, "far", 2)] {
            let all = ["lo", end].map(|name| format!("net.ipv6.conf.{name}.disable_ipv6=0"));
            let set = command_in(space, "sysctl").args(["-q", "-w"]).args(all).status();
            assert!(set.expect("sysctl starts").success());
            ip(&["-n", space, "link", "set", end, "mtu", "1500"]);
            ip(&["-n", space, "address", "add", &format!("192.0.2.{n}/24"), "dev", end]);
            let v6 = format!("2001:db8::{n}/64");
            ip(&["-n", space, "address", "add", &v6, "dev", end, "nodad"]);
        }
    }

    /// Takes the wire away.
    pub fn unplug(&self) {
        ip(&["-n", &self.near, "link", "del", "tap"]);
    }

    /// A command at sealwatch's end.
    pub fn near(&self, program: &str) -> Command {
        command_in(&self.near, program)
    }

    /// A command at the other end.
    pub fn far(&self, program: &str) -> Command {
        command_in(&self.far, program)
    }

    /// Does something at sealwatch's end, in this process.
    pub fn here<T: Send>(&self, what: impl FnOnce() -> T + Send) -> T {
        let space = fs::File::open(format!("/run/netns/{}", self.near)).expect("it is there");
        let inside = || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(space.as_fd(), kind).expect("root may go there");
            what()
        };
        std::thread::scope(|scope| scope.spawn(inside).join().expect("it does not panic"))
    }

    /// What sealwatch answers at a path, and the status.
    pub fn get(&self, path: &str) -> (String, String) {
        let url = format!("http://127.0.0.1:10047{path}");
        let output = self
            .near("curl")
            .args(["--silent", "--max-time", "5", "--write-out", "%{http_code}", &url])
            .output()
            .expect("curl starts");
        let mut text = String::from_utf8(output.stdout).expect("it is UTF-8");
        let status = text.split_off(text.len().saturating_sub(3));
        (status, text)
    }

    /// Asks until the answer is what is waited for.
    #[track_caller]
    pub fn wait(&self, path: &str, until: impl Fn(&str, &str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let (status, text) = self.get(path);
            if until(&status, &text) {
                return text;
            }
            assert!(begun.elapsed() < PATIENCE, "{path} stays {status}:\n{text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a capture of Ethernet frames from the other end, so many packets a second.
    #[track_caller]
    pub fn send(&self, file: &Path, pace: &str) -> String {
        let file = file.to_str().expect("paths here are UTF-8");
        let sent = self.far("tcpreplay").args(["--intf1=far", pace, file]).output();
        let sent = sent.expect("tcpreplay starts; `make test` installs it");
        assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
        String::from_utf8_lossy(&sent.stdout).into_owned()
    }

    /// `sealwatch live --interface tap ARGUMENTS`, capturing.
    pub fn live(&self, arguments: &[&str]) -> Live {
        self.live_on("tap", arguments)
    }

    /// `sealwatch live --interface INTERFACE ARGUMENTS`, capturing.
    pub fn live_on(&self, interface: &str, arguments: &[&str]) -> Live {
        let live = self.begin_on(interface, arguments);
        self.wait("/-/ready", |status, _| status == "200");
        live
    }

    /// The same, serving; whether it captures is another matter.
    pub fn begin(&self, arguments: &[&str]) -> Live {
        self.begin_on("tap", arguments)
    }

    fn begin_on(&self, interface: &str, arguments: &[&str]) -> Live {
        let command = self.near(env!("CARGO_BIN_EXE_sealwatch"));
        let live = Live::of(command, &[&["--interface", interface], arguments].concat());
        self.wait("/-/healthy", |status, _| status == "200");
        live
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        for space in [&self.near, &self.far] {
            let _ = Command::new("ip").args(["netns", "del", space]).status();
        }
    }
}

/// sealwatch, running.
pub struct Live(Option<Child>);

impl Live {
    /// `COMMAND live ARGUMENTS`.
    pub fn of(mut command: Command, arguments: &[&str]) -> Self {
        command.arg("live").args(arguments).stderr(Stdio::piped());
        Self(Some(command.spawn().expect("the binary starts")))
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.0.as_ref().expect("it runs").id()
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        signal(self.0.as_ref().expect("it runs"), name);
    }

    /// Asks it to end. Returns its exit code and what it said.
    pub fn end(mut self) -> (Option<i32>, String) {
        let mut child = self.0.take().expect("it runs");
        signal(&child, "TERM");
        let mut said = String::new();
        let stderr = child.stderr.as_mut().expect("it is piped");
        stderr.read_to_string(&mut said).expect("what it says is UTF-8");
        (child.wait().expect("it ends").code(), said)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.expect("kill starts").success());
}

/// A command in a namespace.
pub fn command_in(space: &str, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", space, program]).stdin(Stdio::null());
    command
}

#[track_caller]
pub fn ip(arguments: &[&str]) {
    set("ip", arguments);
}

#[track_caller]
pub fn tc(arguments: &[&str]) {
    set("tc", arguments);
}

#[track_caller]
fn set(program: &str, arguments: &[&str]) {
    let output =
        Command::new(program).args(arguments).output().expect("it starts; iproute2 has it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}
