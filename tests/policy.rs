//! Policies: `replay --policy`, `live --policy` and `sealwatch policy check`, from outside. What is live
//! needs root.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use support::binary::{Run, captures, run};
use support::conversation::endpoint;
use support::pcap::connection;
use support::script::Script;
use support::served::Served;
use support::traffic::{frames, puts, send};
use support::wire::Wire;

fn ready_made() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("packaging/policies")
}

fn path(path: &Path) -> &str {
    path.to_str().expect("paths here are UTF-8")
}

/// `sealwatch replay --quiet --policy POLICY ARGUMENTS`.
fn replay(policy: &Path, arguments: &[&str]) -> Run {
    run([&["replay", "--quiet", "--policy", path(policy)], arguments].concat())
}

/// Everything under one mode.
fn demanding(mode: &str) -> String {
    format!("name = \"p\"\n[[rule]]\nname = \"under {mode}\"\nmodes = \"{mode}\"\n")
}

/// A folder that every user may read, with a policy.
fn folder_with(policy: &str) -> (tempfile::TempDir, PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), open).expect("it can be opened");
    let file = folder.path().join("policy.toml");
    fs::write(&file, policy).expect("a file can be written");
    (folder, file)
}

#[test]
fn every_ready_made_policy_is_explained_and_judges_the_captures() {
    // By hand, from the modes in captures/*.expected.jsonl.
    for (name, broken) in [("cnssp-15", 53), ("kms-only", 32), ("no-mismatch", 3)] {
        let policy = ready_made().join(format!("{name}.toml"));
        let explained = run(["policy", "check", path(&policy)]).ok().out;
        assert!(explained.contains("examples in the file come out as they say."), "{explained}");
        let folder = captures();
        let run = replay(&policy, &["--format", "json", path(&folder)]);
        assert_eq!(run.code, Some(3), "{}", run.err);
        let told = format!("sealwatch: warning: {broken} exchanges broke the policy\n");
        assert_eq!(run.err, told, "{name}");
        let rules = &run.json()["policy"]["rules"];
        let rules = rules.as_array().expect("there are rules");
        let all = |key: &str| -> u64 {
            rules.iter().map(|rule| rule[key].as_u64().expect("it is a number")).sum()
        };
        assert_eq!(all("violated"), broken, "{name}");
        let outcomes = ["met", "violated", "undecided", "exempt"];
        assert_eq!(outcomes.iter().map(|key| all(key)).sum::<u64>(), 80, "{name}");
    }
}

#[test]
fn a_record_says_which_rule_was_about_it_and_why_it_broke_it() {
    let policy = ready_made().join("kms-only.toml");
    let file = captures().join("modes.pcap");
    let run = replay(&policy, &["--format", "jsonl", path(&file)]);
    assert_eq!(run.code, Some(3));
    let mut seen = [0; 4];
    for record in run.records() {
        assert_eq!(record["policy_rule"], "under a KMS key", "{record}");
        let mode = record["applied_mode"].as_str();
        let (n, outcome, reasons) = match mode {
            Some("aws:kms" | "aws:kms:dsse") => (0, "met", 0),
            Some(_) => (1, "violated", 1),
            None => (2, "exempt", 0),
        };
        seen[n] += 1;
        assert_eq!(record["policy_outcome"], outcome, "{record}");
        let told = record["policy_reasons"].as_array().expect("it is a list");
        assert_eq!(told.len(), reasons, "{record}");
        assert!(told.iter().all(|reason| reason == "applied_mode"), "{record}");
    }
    assert!(seen[..3].iter().all(|n| *n > 0), "{seen:?}");
    // Without a policy there is no word of one.
    let without =
        support::binary::run(["replay", "--quiet", "--format", "jsonl", path(&file)]).ok();
    assert!(!without.out.contains("policy"), "{}", without.out);
}

#[test]
fn what_keeps_the_policy_ends_well_and_what_is_missing_is_undecided() {
    let (folder, policy) = folder_with(&demanding("AES256"));
    let good = puts(folder.path(), 3);
    let run = replay(&policy, &[path(&good)]).ok();
    assert!(run.out.contains("policy p: not broken by anything seen\n    under AES256: 3 kept\n"));
    // The answers are not there.
    let head = "PUT /b/k HTTP/1.1\r\nHost: h\r\nx-amz-server-side-encryption: aws:kms\r\n\
                Content-Length: 0\r\n\r\n";
    let script = Script::opened().c(head);
    let packets = connection(endpoint(1, 9), endpoint(2, 80), &script.packets);
    let half = folder.path().join("half.pcap");
    fs::write(&half, frames(packets)).expect("a file can be written");
    let run = replay(&policy, &[path(&half)]).ok();
    assert!(run.out.contains("    under AES256: 1 undecided\n"), "{}", run.out);
}

#[test]
fn where_no_mode_was_named_no_mode_is_called_not_allowed() {
    let (folder, policy) = folder_with(&demanding("AES256"));
    let head =
        |line: &str| format!("{line}\r\nHost: h\r\nx-amz-date: x\r\nContent-Length: 0\r\n\r\n");
    let script = Script::opened().c(head("PUT /b/k HTTP/1.1")).s(head("HTTP/1.1 200 OK"));
    let packets = connection(endpoint(1, 9), endpoint(2, 80), &script.packets);
    let file = folder.path().join("none.pcap");
    fs::write(&file, frames(packets)).expect("a file can be written");
    let run = replay(&policy, &[path(&file)]);
    assert_eq!(run.code, Some(3), "{}", run.err);
    assert!(run.out.contains("breaks under AES256: no mode named in the answer\n"), "{}", run.out);
}

#[test]
fn exchanges_that_broke_it_are_told_in_order_whatever_the_number_of_threads() {
    let policy = ready_made().join("cnssp-15.toml");
    let folder = captures();
    let told = |workers| {
        let run = replay(&policy, &["--format", "json", "--workers", workers, path(&folder)]);
        run.json()["policy"].clone()
    };
    let one = told("1");
    assert_eq!(one, told("8"));
    let cases = one["violations"].as_array().expect("there are violations");
    let times: Vec<_> = cases.iter().map(|case| case["time"].as_str()).collect();
    assert_eq!(times.len(), 53);
    assert!(times.is_sorted());
    assert!(cases.iter().all(|case| !case["policy_reasons"].as_array().expect("why").is_empty()));
}

#[test]
fn a_policy_with_mistakes_is_refused_by_every_command_with_its_lines() {
    let (_folder, policy) = folder_with(
        "name = \"p\"\n[[rule]]\nname = \"a\"\nmodes = [\"AES265\"]\n[[rule]]\nnam = \"b\"\n\
         hosts = [\"http://x\"]\nexempt = true\n",
    );
    let file = path(&policy);
    let capture = captures().join("modes.pcap");
    let expected = [
        format!(
            "sealwatch: {file}:4:10: modes: \"AES265\" is not a mode; did you mean \"AES256\"?"
        ),
        format!("sealwatch: {file}:5:1: name: is missing; add it"),
        format!("sealwatch: {file}:6:1: nam: is not a field of a rule; did you mean name?"),
        format!("sealwatch: {file}:7:10: hosts: \"http://x\" is a URL, no host; write \"x\""),
    ];
    for arguments in [
        &["policy", "check", file][..],
        &["replay", "--policy", file, path(&capture)],
        &["live", "--interface", "none", "--policy", file],
    ] {
        let run = run(arguments);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert_eq!(run.err.lines().collect::<Vec<_>>(), expected, "{arguments:?}");
    }
    let gone = run(["policy", "check", "/nowhere/p.toml"]);
    let message = "sealwatch: error: cannot read /nowhere/p.toml: No such file or directory";
    assert_eq!(gone.code, Some(1));
    assert!(gone.err.starts_with(message), "{}", gone.err);
}

#[test]
fn a_replay_that_serves_counts_by_rule_and_takes_a_new_policy_between_rounds() {
    let (folder, policy) = folder_with(&demanding("aws:kms"));
    let capture = puts(folder.path(), 3);
    let served = Served::start(&["--loop", "--policy", path(&policy), path(&capture)]);
    let broken = "sealwatch_policy_violations_total{rule=\"under aws:kms\",host=\"h\"} ";
    served.wait(|text| text.contains(broken));
    fs::write(&policy, demanding("AES256")).expect("a file can be written");
    served.signal("HUP");
    let kept = |text: &str| {
        let series = "sealwatch_policy_exchanges_total{rule=\"under AES256\",outcome=\"met\"} ";
        let value = text.lines().find_map(|line| line.strip_prefix(series));
        value.map_or(0, |value| value.parse::<u64>().expect("it is a number"))
    };
    let metrics = served.wait(|text| kept(text) > 0);
    // What was counted stays, and goes on at nothing.
    assert!(metrics.contains(broken), "{metrics}");
    assert!(metrics.contains("sealwatch_policy_last_reload_successful 1\n"), "{metrics}");
    fs::write(&policy, "name = 1\n").expect("a file can be written");
    served.signal("HUP");
    served.wait(|text| text.contains("sealwatch_policy_last_reload_successful 0\n"));
    let stays = kept(&served.get("/metrics").1);
    served.wait(|text| kept(text) > stays);
    let Run { code, err, .. } = served.end();
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains("the policy stays as it was: "), "{err}");
    assert!(err.contains("policy.toml:1:8: name: must be a string, in quotes, not an integer"));
}

#[test]
fn live_judges_what_passes_and_reads_the_policy_again_with_what_it_still_may() {
    let wire = Wire::new("policy");
    let (folder, policy) = folder_with(&demanding("aws:kms"));
    let events = folder.path().join("events");
    let live = wire.live(&["--policy", path(&policy), "--events", path(&events)]);
    send(&wire, &puts(folder.path(), 3));
    let broken = "sealwatch_policy_violations_total{rule=\"under aws:kms\",host=\"h\"} 3\n";
    wire.wait("/metrics", |_, text| text.contains(broken));
    fs::write(&policy, demanding("AES256")).expect("a file can be written");
    live.signal("HUP");
    let ready = "sealwatch_policy_exchanges_total{rule=\"under AES256\",outcome=\"met\"} 0\n";
    wire.wait("/metrics", |_, text| text.contains(ready));
    send(&wire, &puts(folder.path(), 5));
    let kept = "sealwatch_policy_exchanges_total{rule=\"under AES256\",outcome=\"met\"} 5\n";
    let text = wire.wait("/metrics", |_, text| text.contains(kept));
    assert!(text.contains(broken), "{text}");
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
    let events = fs::read_to_string(events).expect("there are records");
    assert_eq!(events.matches("\"policy_outcome\":\"violated\"").count(), 3, "{events}");
    assert_eq!(events.matches("\"policy_rule\":\"under AES256\"").count(), 5, "{events}");
}
