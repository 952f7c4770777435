//! What `sealwatch live` can still do once it has begun: nothing but its work. Needs root.

mod support;

use sealwatch::confine;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::Command;
use support::traffic::{puts, send};
use support::wire::{Live, Wire};

const NOBODY: &str = "65534";
const NET_RAW: &str = "0000000000002000";
const NONE: &str = "0000000000000000";

/// What the kernel says of every thread of a process, by the thread's name.
fn threads(live: &Live) -> Vec<BTreeMap<String, String>> {
    let tasks = fs::read_dir(format!("/proc/{}/task", live.id())).expect("the process is there");
    let status = |task: io::Result<fs::DirEntry>| {
        let path = task.expect("it can be listed").path().join("status");
        let text = fs::read_to_string(path).expect("it can be read");
        let field = |line: &str| {
            let (name, value) = line.split_once(':').expect("a field has a name");
            (name.to_owned(), value.trim().to_owned())
        };
        text.lines().map(field).collect()
    };
    tasks.map(status).collect()
}

#[track_caller]
fn assert_confined(thread: &BTreeMap<String, String>) {
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(thread[set], NONE, "{set} of {}", thread["Name"]);
    }
    assert_eq!((&*thread["NoNewPrivs"], &*thread["Seccomp"]), ("1", "2"), "{}", thread["Name"]);
}

#[test]
fn no_thread_has_a_capability_and_it_works_all_the_same() {
    let wire = Wire::new("caps");
    let folder = tempfile::tempdir().expect("a folder can be made");
    for user in [None, Some("nobody")] {
        let arguments = user.map_or(vec![], |user| vec!["--user", user]);
        let live = wire.live(&arguments);
        let threads = threads(&live);
        assert!(threads.len() > 3, "{threads:?}");
        for thread in &threads {
            assert_confined(thread);
            let id = user.map_or("0", |_| NOBODY);
            let all = [id; 4].join("\t");
            assert_eq!((&*thread["Uid"], &*thread["Gid"]), (&*all, &*all));
        }
        let groups = if user.is_some() { NOBODY } else { &threads[0]["Groups"] };
        assert_eq!(threads[0]["Groups"], groups);
        // An interface that was removed is taken up again with what is left.
        wire.unplug();
        wire.wait("/-/ready", |status, _| status == "503");
        wire.plug();
        wire.wait("/-/ready", |status, _| status == "200");
        send(&wire, &puts(folder.path(), 5));
        let line = "sealwatch_requests_total{host=\"h\",operation=\"PutObject\",mode=\"AES256\"} 5";
        let metrics = wire.wait("/metrics", |_, text| text.contains(line));
        for (measure, in_force) in [
            ("capabilities", 1),
            ("user", i32::from(user.is_some())),
            ("landlock", 1),
            ("seccomp", 1),
        ] {
            let line = format!("sealwatch_confinement{{measure=\"{measure}\"}} {in_force}\n");
            assert!(metrics.contains(&line), "{metrics}");
        }
        assert!(metrics.contains("process_resident_memory_bytes"), "{metrics}");
        let (code, said) = live.end();
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(said.contains("user id of root"), user.is_none(), "{said}");
        assert!(!said.contains("not in force"), "{said}");
    }
}

#[test]
fn an_interface_that_is_not_there_yet_is_opened_by_a_thread_that_then_ends() {
    let wire = Wire::new("yet");
    wire.unplug();
    let live = wire.begin(&["--user", "nobody"]);
    wire.wait("/-/ready", |status, text| status == "503" && text == "not capturing on tap\n");
    for thread in threads(&live) {
        if thread["Name"] == "open" {
            for (set, has) in [("CapPrm", NET_RAW), ("CapEff", NET_RAW), ("CapBnd", NONE)] {
                assert_eq!(thread[set], has, "{set}");
            }
        } else {
            assert_confined(&thread);
        }
    }
    wire.plug();
    wire.wait("/-/ready", |status, _| status == "200");
    wire.wait("/-/ready", |_, _| threads(&live).iter().all(|thread| thread["Name"] != "open"));
    threads(&live).iter().for_each(assert_confined);
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("cannot capture on tap: ").count(), 1, "{said}");
    assert_eq!(said.matches("capturing on tap again").count(), 1, "{said}");
}

#[test]
fn records_cannot_be_led_to_another_place() {
    let wire = Wire::new("link");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let elsewhere = tempfile::tempdir().expect("a folder can be made");
    let target = elsewhere.path().join("target");
    fs::write(&target, "untouched\n").expect("a file can be written");
    let events = folder.path().join("events");
    let live = wire.live(&["--events", events.to_str().expect("UTF-8")]);
    fs::remove_file(&events).expect("it can be removed");
    symlink(&target, &events).expect("a link can be made");
    live.signal("HUP");
    let file = puts(folder.path(), 5);
    wire.wait("/metrics", |_, _| {
        send(&wire, &file);
        fs::read_to_string(format!("/proc/{}/stat", live.id())).is_ok()
    });
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("events: Permission denied"), "{said}");
    assert_eq!(fs::read_to_string(&target).expect("it is there"), "untouched\n");
}

#[test]
fn a_capability_on_the_file_is_enough() {
    let wire = Wire::new("file");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let binary = folder.path().join("sealwatch");
    let run = |program: &str, arguments: &[&Path]| {
        let done = Command::new(program).args(arguments).status();
        assert!(done.expect("it starts; `make test` installs setcap").success(), "{program}");
    };
    // Not copied by this process: what it starts meanwhile would hold the copy open for writing.
    run("cp", &[Path::new(env!("CARGO_BIN_EXE_sealwatch")), &binary]);
    run("chmod", &[Path::new("755"), folder.path(), &binary]);
    run("setcap", &[Path::new("cap_net_raw+ep"), &binary]);
    let mut command = wire.near("setpriv");
    let user = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")];
    command.args(user).args(["--clear-groups", "--bounding-set=-all,+net_raw"]).arg(&binary);
    let live = Live::of(command, &["--interface", "tap"]);
    wire.wait("/-/ready", |status, _| status == "200");
    for thread in threads(&live) {
        assert_eq!((&*thread["CapPrm"], &*thread["CapEff"]), (NONE, NONE), "{}", thread["Name"]);
    }
    send(&wire, &puts(folder.path(), 5));
    let line = "sealwatch_requests_total{host=\"h\",operation=\"PutObject\",mode=\"AES256\"} 5\n";
    wire.wait("/metrics", |_, text| text.contains(line));
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_user_that_is_not_there_is_an_error() {
    let wire = Wire::new("user");
    let mut command = wire.near(env!("CARGO_BIN_EXE_sealwatch"));
    command.args(["live", "--interface", "tap", "--user", "no-such-user"]);
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot become the user no-such-user: there is no such user"), "{said}");
}

/// Runs `what` in a thread that can open nothing but `paths`.
fn confined<T: Send>(paths: &confine::Paths, what: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            confine::keep_capabilities(false).expect("they can be given up");
            for measure in [confine::files(paths), confine::system_calls()] {
                assert_eq!(measure.obstacle, None, "{}", measure.name);
            }
            what()
        });
        thread.join().expect("it does not panic")
    })
}

#[test]
fn nothing_but_what_is_listed_can_be_opened_connected_or_started() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = |name: &str| folder.path().join(name);
    fs::create_dir(file("w")).expect("a folder can be made");
    fs::write(file("r"), "readable").expect("a file can be written");
    fs::write(file("other"), "secret").expect("a file can be written");
    let listener = TcpListener::bind("127.0.0.1:0").expect("it can listen");
    let address = listener.local_addr().expect("it has an address");
    let paths = confine::Paths { read: vec![file("r")], write: vec![file("w")] };
    confined(&paths, || {
        use io::ErrorKind::{PermissionDenied, Unsupported};
        let fails = |what: io::Result<()>| what.expect_err("it fails").kind();
        assert_eq!(fs::read_to_string(file("r")).ok().as_deref(), Some("readable"));
        assert!(fs::write(file("w").join("new"), "text").is_ok());
        for other in [&*file("other"), Path::new("/etc/passwd")] {
            assert_eq!(fails(fs::read(other).map(|_| ())), PermissionDenied, "{other:?}");
        }
        for other in ["new", "r"] {
            assert_eq!(fails(fs::write(file(other), "text")), PermissionDenied, "{other}");
        }
        assert_eq!(fails(fs::remove_file(file("w").join("new"))), Unsupported);
        assert_eq!(fails(TcpStream::connect(address).map(|_| ())), Unsupported);
        assert_eq!(fails(TcpListener::bind("127.0.0.1:0").map(|_| ())), Unsupported);
        assert_eq!(fails(UdpSocket::bind("127.0.0.1:0").map(|_| ())), Unsupported);
        assert_eq!(fails(UnixStream::connect(file("r")).map(|_| ())), Unsupported);
        assert!(UnixDatagram::unbound().is_ok(), "for the service manager");
        assert!(std::thread::spawn(|| ()).join().is_ok());
        let namespace = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER);
        assert_eq!(namespace, Err(nix::errno::Errno::ENOSYS));
        assert!(Command::new("/bin/true").status().is_err());
        // What was open stays open.
        assert_eq!(listener.local_addr().ok(), Some(address));
    });
    assert!(fs::read(Path::new("/etc/passwd")).is_ok(), "other threads are not confined");
}
