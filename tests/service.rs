//! What comes with sealwatch to run it as a service, and what it tells a service manager. The
//! latter on a wire between two network namespaces; needs root.

mod support;

use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::wire::Wire;

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(20);
/// The watchdog's time. A ping comes three times in it.
const WATCHDOG: Duration = Duration::from_millis(300);

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/systemd")
}

/// A service manager that started `sealwatch live`.
struct Manager {
    socket: UnixDatagram,
    child: Child,
    folder: tempfile::TempDir,
}

impl Manager {
    fn start(wire: &Wire, arguments: &[&str], stderr: Stdio) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket can be made");
        let tick = Some(Duration::from_millis(50));
        socket.set_read_timeout(tick).expect("a socket takes a time-out");
        let child = wire
            .near("sh")
            .args([
                "-c",
                "WATCHDOG_PID=$$ exec \"$0\" live \"$@\"",
                env!("CARGO_BIN_EXE_sealwatch"),
            ])
            .args(arguments)
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .stderr(stderr)
            .spawn();
        Self { socket, child: child.expect("the binary starts"), folder }
    }

    /// The next message, if one comes soon.
    fn hear(&self) -> Option<String> {
        let mut buffer = [0; 4096];
        match self.socket.recv(&mut buffer) {
            Ok(length) => Some(String::from_utf8_lossy(&buffer[..length]).into_owned()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("cannot read the socket: {error}"),
        }
    }

    /// Waits for a message with that line.
    #[track_caller]
    fn wait(&self, line: &str) -> String {
        let begun = Instant::now();
        let mut heard = Vec::new();
        while begun.elapsed() < PATIENCE {
            let Some(message) = self.hear() else { continue };
            if message.lines().any(|heard| heard == line) {
                return message;
            }
            heard.push(message);
        }
        panic!("{line} does not come; {heard:?}");
    }
    fn path(&self) -> PathBuf {
        self.folder.path().join("notify")
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status();
        assert!(sent.expect("kill starts").success());
    }

    /// Asks it to end, and waits until that is told and done.
    #[track_caller]
    fn end(mut self) {
        self.signal("TERM");
        self.wait("STOPPING=1");
        assert_eq!(self.child.wait().expect("it ends").code(), Some(0));
        while let Some(message) = self.hear() {
            assert!(!message.contains("WATCHDOG=1"), "{message}");
        }
    }

    /// Asks it to end, and does not listen. Gives its exit code and what it said.
    fn end_unheard(mut self) -> (Option<i32>, String) {
        self.signal("TERM");
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().expect("it is piped");
        stderr.read_to_string(&mut said).expect("what it says is UTF-8");
        (self.child.wait().expect("it ends").code(), said)
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_tells_that_it_is_ready_that_it_works_and_that_it_ends() {
    let wire = Wire::new("told");
    let manager = Manager::start(&wire, &["--interface", "tap"], Stdio::null());
    let ready = manager.wait("READY=1");
    let status = "STATUS=0 packets; examined 100 % of payload bytes, 0 gaps";
    assert!(ready.lines().any(|line| line == status), "{ready}");
    // What says ready can be scraped.
    assert_eq!(wire.get("/-/ready").0, "200");
    manager.wait("WATCHDOG=1");
    manager.wait("WATCHDOG=1");
    // Nothing to reload: that ends nothing.
    manager.signal("HUP");
    manager.wait("WATCHDOG=1");
    manager.wait(status);
    manager.end();
}

#[test]
fn an_interface_that_is_not_there_does_not_hold_up_the_start() {
    let wire = Wire::new("absent");
    let manager =
        Manager::start(&wire, &["--interface", "tap", "--interface", "later"], Stdio::null());
    let ready = manager.wait("READY=1");
    assert!(ready.contains("STATUS=not capturing on later; 0 packets; "), "{ready}");
    assert_eq!(wire.get("/-/ready").0, "503");
    manager.wait("WATCHDOG=1");
    manager.end();
}

#[test]
fn a_manager_that_does_not_listen_holds_up_nothing() {
    let wire = Wire::new("deaf");
    let manager = Manager::start(&wire, &["--interface", "tap"], Stdio::piped());
    manager.wait("READY=1");
    let other = UnixDatagram::unbound().expect("a socket can be made");
    other.connect(manager.path()).expect("it is there");
    other.set_nonblocking(true).expect("it takes that");
    while other.send(b"STATUS=noise").is_ok() {}
    let (code, said) = manager.end_unheard();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the service manager does not take what it is told"), "{said}");
}

#[test]
fn a_manager_that_is_gone_is_missed_once() {
    let wire = Wire::new("gone");
    let manager = Manager::start(&wire, &["--interface", "tap"], Stdio::piped());
    fs::remove_file(manager.path()).expect("the socket can be removed");
    wire.wait("/-/ready", |status, _| status == "200");
    let (code, said) = manager.end_unheard();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("cannot tell the service manager").count(), 1, "{said}");
}

#[test]
fn it_starts_from_a_file_alone_and_the_command_line_wins() {
    let wire = Wire::new("file");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("sealwatch.toml");
    let example = packaging().join("../sealwatch.toml");
    let example = fs::read_to_string(example).expect("it is read").replace("eth1", "tap");
    fs::write(&file, &example).expect("a file can be written");
    let file = file.to_str().expect("UTF-8");
    let manager = Manager::start(&wire, &["--config", file], Stdio::null());
    manager.wait("READY=1");
    assert_eq!(wire.get("/-/ready").0, "200");
    manager.end();
    // Were both lists captured on, it would not be ready.
    let other = example.replace("\"tap\"", "\"none\"").replace("10047", "10048");
    fs::write(file, other).expect("a file can be written");
    let address = "--web.listen-address=127.0.0.1:10047";
    let manager = Manager::start(&wire, &["-i", "tap", "--config", file, address], Stdio::null());
    manager.wait("READY=1");
    assert_eq!(wire.get("/-/ready").0, "200");
    manager.end();
}

fn systemd_analyze(arguments: &[&str]) -> (bool, String) {
    let output = Command::new("systemd-analyze").args(arguments).env("SYSTEMD_PAGER", "").output();
    let output = output.expect("systemd-analyze starts; `make test` installs it");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn systemd_takes_the_unit() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let text = fs::read_to_string(packaging().join("sealwatch.service")).expect("it is read");
    // It wants what is to be started to be there.
    let text = text.replace("/usr/bin/sealwatch", env!("CARGO_BIN_EXE_sealwatch"));
    let unit = folder.path().join("sealwatch.service");
    fs::write(&unit, text).expect("a file can be written");
    let (fine, said) = systemd_analyze(&["verify", unit.to_str().expect("UTF-8")]);
    assert!(fine && said.is_empty(), "{said}");
}

#[test]
fn the_readme_states_the_units_exposure_as_systemd_measures_it() {
    let unit = packaging().join("sealwatch.service");
    let unit = unit.to_str().expect("UTF-8");
    let (fine, said) = systemd_analyze(&["security", "--offline=true", "--no-pager", unit]);
    assert!(fine, "{said}");
    let measured = said.rsplit_once("sealwatch.service: ").expect("there is a figure").1;
    let measured: f64 =
        measured.split(' ').next().and_then(|n| n.parse().ok()).expect("it is a figure");
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).expect("README.md is read");
    let stated = readme.split_once("exposure level of **").expect("README.md states it").1;
    let stated: f64 =
        stated.split('*').next().and_then(|n| n.parse().ok()).expect("it is a figure");
    assert!(measured <= stated, "{measured} is more than README.md's {stated}");
    assert!((measured - stated).abs() < 0.05, "README.md says {stated}; it is {measured}:\n{said}");
}

#[test]
fn the_units_start_is_one_that_the_binary_takes() {
    let read = |name: &str| fs::read_to_string(packaging().join(name)).expect("it is read");
    let unit = read("sealwatch.service");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/sealwatch "));
    let environment = read("sealwatch.default");
    let example = environment.lines().find_map(|line| line.strip_prefix("#SEALWATCH_OPTIONS="));
    let example = example.expect("there is an example").trim_matches('"');
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/sealwatch.toml");
    let config = config.to_str().expect("UTF-8");
    let line = start.expect("there is a start").replace("/etc/sealwatch.toml", config);
    let line = line.replace("$SEALWATCH_OPTIONS", example);
    // One more option, which makes no sense: so that nothing is captured, and the rest does.
    let words = line.split_whitespace().chain(["--filter", "tcp prot"]);
    let run = support::binary::run(words);
    assert_eq!(run.code, Some(2));
    assert!(run.err.starts_with("sealwatch: cannot use the filter \"tcp prot\""), "{}", run.err);
}
