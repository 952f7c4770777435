//! Interfaces that go down, are renamed, or become another kind: what is not captured is known, and
//! nothing else is taken for it. Needs root.

mod support;

use support::traffic::{puts, send};
use support::wire::{Wire, ip};

fn counted(exchanges: usize) -> String {
    format!("host=\"h\",operation=\"PutObject\",mode=\"AES256\"}} {exchanges}\n")
}

#[track_caller]
fn wait_for_absence(wire: &Wire) {
    wire.wait("/-/ready", |status, text| status == "503" && text == "not capturing on tap\n");
    let metrics = wire.get("/metrics").1;
    assert!(metrics.contains("sealwatch_capture_up{interface=\"tap\"} 0\n"), "{metrics}");
}

#[test]
fn one_that_goes_down_is_missed_until_it_is_up() {
    let wire = Wire::new("down");
    let folder = tempfile::tempdir().expect("a folder can be made");
    for threads in ["1", "2"] {
        let live = wire.live(&["--capture-threads", threads]);
        ip(&["-n", &wire.near, "link", "set", "tap", "down"]);
        wait_for_absence(&wire);
        ip(&["-n", &wire.near, "link", "set", "tap", "up"]);
        wire.wait("/-/ready", |status, _| status == "200");
        send(&wire, &puts(folder.path(), 4));
        wire.wait("/metrics", |_, text| text.contains(&counted(4)));
        let (code, said) = live.end();
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(said.matches("cannot capture on tap: it is down").count(), 1, "{said}");
        assert_eq!(said.matches("capturing on tap again").count(), 1, "{said}");
    }
}

#[test]
fn one_that_is_renamed_is_not_captured_on_and_its_successor_is() {
    let wire = Wire::new("rename");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let live = wire.live(&[]);
    // Linux renames interfaces that are up, too; older kernels do not.
    for change in [&["down"][..], &["name", "other"]] {
        ip(&[&["-n", &wire.near, "link", "set", "tap"][..], change].concat());
    }
    ip(&["-n", &wire.near, "link", "set", "other", "up"]);
    wait_for_absence(&wire);
    send(&wire, &puts(folder.path(), 3));
    ip(&["-n", &wire.near, "link", "del", "other"]);
    wire.plug();
    wire.wait("/-/ready", |status, _| status == "200");
    send(&wire, &puts(folder.path(), 5));
    let metrics = wire.wait("/metrics", |_, text| text.contains(&counted(5)));
    assert!(!metrics.contains(&counted(8)), "{metrics}");
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn one_that_becomes_another_kind_is_not_taken_for_what_it_was() {
    let wire = Wire::new("kind");
    let live = wire.live(&[]);
    wire.unplug();
    wait_for_absence(&wire);
    ip(&["-n", &wire.near, "tuntap", "add", "tap", "mode", "tun"]);
    ip(&["-n", &wire.near, "link", "set", "tap", "up"]);
    let is_other = "another kind of interface by that name";
    // It is tried, seconds apart at most; that shows at the end.
    for _ in 0..3 {
        wait_for_absence(&wire);
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    ip(&["-n", &wire.near, "link", "del", "tap"]);
    wire.plug();
    wire.wait("/-/ready", |status, _| status == "200");
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(is_other), "{said}");
}
