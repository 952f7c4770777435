//! The quick start of README, as it stands there, in a network of its own. Needs root, and what
//! `make test-deps` installs.

mod support;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use support::binary::{captures, run};
use support::wire::Wire;

/// How long to wait for the answer: it may take a release build.
const PATIENCE: Duration = Duration::from_secs(1800);

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The commands of README.
fn commands() -> Vec<String> {
    let readme = fs::read_to_string(project("README.md")).expect("README.md is read");
    let (_, section) = readme.split_once("## Quick start\n").expect("there is a quick start");
    let (section, _) = section.split_once("\n## ").expect("another section follows");
    section.lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_owned).collect()
}

/// A shell, and all that it started.
struct Shell(Child);

impl Shell {
    fn start(mut command: Command, script: &str, browser: &str, log: &Path) -> Self {
        let log = File::create(log).expect("a file can be made");
        let said = log.try_clone().expect("it can be shared");
        command.args(["-c", script]).env("BROWSER", browser).current_dir(project(""));
        command.stdout(log).stderr(said).process_group(0);
        Self(command.spawn().expect("ip starts"))
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.0.wait();
    }
}

/// The modes of an answer, as in `{mode="AES256"} => 28 @[1795566192.152]`, each of them seen.
fn modes(answer: &str) -> BTreeSet<&str> {
    let mut modes = BTreeSet::new();
    for line in answer.trim().lines() {
        let rest = line.strip_prefix("{mode=\"").and_then(|rest| rest.split_once("\"} => "));
        let (mode, value) = rest.unwrap_or_else(|| panic!("{line} is no answer"));
        let count = value.split_once(" @[").and_then(|(count, _)| count.parse::<f64>().ok());
        assert!(count.is_some_and(|count| count > 0.0), "{line}");
        modes.insert(mode);
    }
    modes
}

#[test]
fn five_commands_lead_to_a_page_and_an_answer() {
    let commands = commands();
    let [start @ .., ask] = commands.as_slice() else { panic!("README has no commands") };
    assert_eq!(start.len(), 4, "{commands:?}");
    let wire = Wire::new("quick");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let [page, log] = ["page", "log"].map(|name| folder.path().join(name));
    // Who clicks too early tries again.
    let browser =
        format!("curl --silent --retry 60 --retry-connrefused --output {} %s", page.display());
    // What another run left would be an answer, too.
    let _ = fs::remove_dir_all(project("target/prometheus"));
    let script = format!("set -e\n{}\nwait", start.join("\n"));
    let mut shell = Shell::start(wire.near("sh"), &script, &browser, &log);
    let begun = Instant::now();
    let answer = loop {
        let output = wire.near("sh").args(["-c", ask]).output().expect("ip starts");
        let answer = String::from_utf8(output.stdout).expect("it is UTF-8");
        if output.status.success() && !answer.trim().is_empty() {
            break answer;
        }
        let said = || fs::read_to_string(&log).unwrap_or_default();
        assert!(shell.0.try_wait().expect("it can be asked").is_none(), "it ended:\n{}", said());
        assert!(begun.elapsed() < PATIENCE, "no answer comes:\n{}", said());
        std::thread::sleep(Duration::from_millis(500));
    };
    let page = fs::read_to_string(page).expect("the page was got");
    assert!(page.contains("sealwatch"), "{page}");
    let folder = captures();
    let folder = folder.to_str().expect("paths here are UTF-8");
    let all = run(["replay", "--quiet", "--format", "prometheus", folder]).ok().out;
    let known = |mode: &str| {
        let is_of_it = |line: &str| line.starts_with("sealwatch_responses_total{");
        all.lines().any(|line| is_of_it(line) && line.contains(&format!("mode=\"{mode}\"")))
    };
    let modes = modes(&answer);
    assert!(!modes.is_empty() && modes.iter().all(|mode| known(mode)), "{answer}");
}
