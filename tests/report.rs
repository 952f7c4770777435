//! `sealwatch replay --report --csv`: what an auditor is handed, by the real binary; the report in a real
//! browser, too (`tests/browser/page.mjs`), with screenshots and PDF files in `target/screenshots`.

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::binary::{Run, captures, run, sealwatch};
use support::conversation::endpoint;
use support::pcap::connection;
use support::script::Script;
use support::traffic::{client_hello, frames, puts};

/// A folder, and what is in it by name.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder can be made"))
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("paths here are UTF-8").to_owned()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A table's rows by the names of columns.
    fn table(&self, name: &str) -> Vec<BTreeMap<String, String>> {
        let file = self.path(&format!("tables/{name}.csv"));
        let mut reader = csv::Reader::from_path(&file).expect("there is a table");
        reader.deserialize().map(|row| row.expect("a row is as wide as the first")).collect()
    }

    /// What is in it, hidden files included.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("a folder can be read");
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.expect("it is there").file_name().into_string().expect("names are UTF-8")
        };
        let mut names: Vec<_> = entries.map(name).collect();
        names.sort();
        names
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("paths here are UTF-8").to_owned()
}

fn policy(name: &str) -> String {
    text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/policies").join(name))
}

/// `sealwatch replay --quiet ARGUMENTS`, with report and tables to `folder`.
fn replay(folder: &Folder, arguments: &[&str]) -> Run {
    let (report, tables) = (folder.path("report.html"), folder.path("tables"));
    let all = [&["replay", "--quiet", "--report", &report, "--csv", &tables], arguments].concat();
    run(all)
}

/// The sum of a column, of the rows that pass.
fn sum(
    rows: &[BTreeMap<String, String>],
    column: &str,
    pass: impl Fn(&BTreeMap<String, String>) -> bool,
) -> u64 {
    let number =
        |row: &BTreeMap<String, String>| row[column].parse::<u64>().expect("it is a number");
    rows.iter().filter(|row| pass(row)).map(number).sum()
}

/// The sum of all numbers in a value.
fn total(value: &Value) -> u64 {
    match value {
        Value::Number(number) => number.as_u64().expect("counts are whole"),
        Value::Object(fields) => fields.values().map(total).sum(),
        Value::Array(items) => items.iter().map(total).sum(),
        _ => 0,
    }
}

/// How many answers of a host named a KMS key.
fn applied_keys(host: &Value) -> u64 {
    let keys = host["kms_keys"]["keys"].as_array().expect("it is a list");
    keys.iter().map(|key| total(&key["applied"]["count"])).sum()
}

/// Has a browser look at the report in `folder`, for `texts`.
#[track_caller]
fn look(folder: &Folder, name: &str, texts: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/page.mjs");
    let url = format!("file://{}", folder.path("report.html"));
    let mut command = Command::new("node");
    command.arg(script).args(["report", &url, name]).args(texts);
    let output = command.output().expect("node starts; `make test` installs it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}");
    print!("{said}");
}

#[test]
fn a_folder_of_captures_and_a_policy_become_a_report_that_says_what_it_is_about() {
    let folder = Folder::new();
    let run = replay(&folder, &["--policy", &policy("kms-only.toml"), &text(&captures())]);
    assert_eq!(run.code, Some(3), "{}", run.err);
    assert!(run.out.contains("policy KMS only: broken by 32 exchanges"), "{}", run.out);
    let page = folder.read("report.html");
    let digest = digest_of(&captures().join("modes.pcap"));
    for part in [
        "Policy broken, by 32 exchanges",
        "80 object-store exchanges with 3 hosts",
        "32 of 56 judged exchanges broke it",
        "24 gaps (21,144 bytes)",
        "captures/modes.pcap",
        &digest,
        &digest_of(Path::new(&policy("kms-only.toml"))),
        "asks: a mode, at least aws:kms, applied",
        "2026-11-24 10:15:23.093854Z",
        "customer_key_in_clear",
        "asked <b>SSE-C</b>",
        "It does not mean “unencrypted”",
        "SHA-256 of this file",
        concat!("sealwatch ", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(page.contains(part), "{part}");
    }
    let texts = ["Policy broken, by 32 exchanges", "How sure is that?", "Signature", &digest];
    look(&folder, "policy", &texts);
    // Without a policy there is nothing that it broke.
    let run = replay(&folder, &[&text(&captures())]).ok();
    assert!(!run.out.contains("policy"), "{}", run.out);
    assert!(folder.read("report.html").contains("3 mismatches seen; not judged by a policy"));
    assert!(folder.table("rules").is_empty() && folder.table("violations").is_empty());
    look(&folder, "without-policy", &["3 mismatches seen; not judged by a policy", "not judged"]);
}

/// By another program.
fn digest_of(file: &Path) -> String {
    let output = Command::new("sha256sum").arg(file).output().expect("sha256sum starts");
    let line = String::from_utf8(output.stdout).expect("it says so in UTF-8");
    line.split(' ').next().expect("a line begins").to_owned()
}

#[test]
fn the_tables_add_up_to_what_json_says() {
    for label in [&[][..], &["--label", "bucket"]] {
        let folder = Folder::new();
        let (policy, captures) = (policy("kms-only.toml"), text(&captures()));
        let options = ["--policy", &policy, "--kms-keys", "--format", "json", &captures];
        let run = replay(&folder, &[label, &options].concat());
        let json = run.json();
        let of_hosts = |field: &str| -> u64 {
            json["hosts"]
                .as_array()
                .expect("it is a list")
                .iter()
                .map(|host| total(&host[field]))
                .sum()
        };
        let table = |name: &str| folder.table(name);
        let all = |_: &BTreeMap<String, String>| true;
        for (field, name, column) in [
            ("requests", "hosts", "requests"),
            ("responses", "hosts", "responses"),
            ("object_bytes", "object_bytes", "bytes"),
            ("refusals", "refusals", "count"),
        ] {
            assert!(of_hosts(field) > 0, "{field}");
            assert_eq!(sum(&table(name), column, all), of_hosts(field), "{field}");
        }
        for (field, kind) in [
            ("mismatches", "mismatch"),
            ("findings", "finding"),
            ("policy_violations", "violation"),
        ] {
            assert_eq!(sum(&table("alarms"), "count", |row| row["kind"] == kind), of_hosts(field));
        }
        let keys: u64 =
            json["hosts"].as_array().expect("it is a list").iter().map(applied_keys).sum();
        assert!(keys > 0);
        assert_eq!(sum(&table("kms_keys"), "applied", all), keys);
        let host = |row: &BTreeMap<String, String>| {
            row["host"] == "127.0.0.1:4566"
                && row["mode"] == "aws:kms"
                && row["operation"] == "PutObject"
        };
        assert_eq!(sum(&table("hosts"), "responses", host), 7);
        assert_eq!(table("hosts").iter().any(|row| row["bucket"] == "modes"), !label.is_empty());
        for outcome in ["met", "violated", "undecided", "exempt"] {
            let rules = json["policy"]["rules"].as_array().expect("it is a list");
            let n: u64 = rules.iter().map(|rule| total(&rule[outcome])).sum();
            assert_eq!(sum(&table("rules"), outcome, all), n, "{outcome}");
        }
        let violations = json["policy"]["violations"].as_array().expect("it is a list");
        let rows = table("violations");
        assert_eq!((rows.len(), violations.len()), (32, 32));
        for (row, violation) in rows.iter().zip(violations) {
            for field in ["time", "host", "target", "applied_mode", "policy_rule"] {
                assert_eq!(row[field], violation[field].as_str().unwrap_or_default());
            }
        }
        let ledger = |what: &str| sum(&table("ledger"), "count", |row| row["what"] == what);
        assert_eq!(ledger("packets"), total(&json["ledger"]["packets"]));
        assert_eq!(ledger("payload_bytes"), total(&json["ledger"]["payload_bytes"]));
        assert_eq!(ledger("exchanges"), total(&json["exchanges"]));
        assert_eq!(
            sum(&table("timeline"), "exchanges", all),
            total(&json["exchanges"]["object_store"])
        );
        assert_eq!(sum(&table("files"), "packets", all), ledger("packets"));
        assert_eq!(
            table("problems").len(),
            json["problems"].as_array().expect("it is a list").len()
        );
    }
}

#[test]
fn the_same_files_and_options_give_the_same_bytes() {
    let captures: Vec<_> = fs::read_dir(captures()).expect("there are captures").collect();
    let path = |entry: std::io::Result<fs::DirEntry>| text(&entry.expect("it is there").path());
    let mut files: Vec<_> =
        captures.into_iter().map(path).filter(|path| path.contains(".pcap")).collect();
    files.sort();
    let policy = policy("cnssp-15.toml");
    let made = |workers: &str, files: &[String]| {
        let folder = Folder::new();
        let options = ["--policy", &policy, "--label", "bucket", "--kms-keys=full", "-j", workers];
        let files: Vec<_> = files.iter().map(String::as_str).collect();
        replay(&folder, &[&options, &files[..]].concat());
        let tables = fs::read_dir(folder.path("tables")).expect("there are tables");
        let mut tables: Vec<_> = tables.map(|entry| entry.expect("it is there").path()).collect();
        tables.sort();
        let tables = tables.iter().map(|path| fs::read_to_string(path).expect("it is read"));
        [vec![folder.read("report.html")], tables.collect()].concat()
    };
    let one = made("1", &files);
    assert_eq!(one.len(), 17);
    assert!(one == made("1", &files) && one == made("8", &files));
    files.reverse();
    assert!(one == made("8", &files), "the order of the files shows");
}

/// Hosts, buckets and targets that are odd in every way that the wire allows.
fn hostile(folder: &Folder) -> String {
    let markup = "[::1%<script>alert(1)</script>'\"&amp;<img/src=x/onerror=alert(2)>]";
    let formula = "=cmd|'/C'!A0";
    let long = format!("{}.test", "very-long-".repeat(25));
    let turned = "a\u{202e}\u{200b}\u{e9}\u{5d0}";
    let hosts = [markup, &long, "plain.test", "__other__"];
    let targets = [markup, formula, turned, "</td></table><style>*{display:none}</style>", &long];
    let script = hosts.iter().fold(Script::opened(), |script, host| {
        targets.iter().fold(script, |script, target| {
            let request = format!(
                "PUT /{formula}/{target} HTTP/1.1\r\nHost: {host}\r\nx-amz-date: 1\r\n\
                 x-amz-server-side-encryption: aws:kms\r\nContent-Length: 0\r\n\r\n"
            );
            let key = format!("x-amz-server-side-encryption-aws-kms-key-id: {target}");
            let answer = format!(
                "HTTP/1.1 200 OK\r\nx-amz-server-side-encryption: AES256\r\n{key}\r\nContent-Length: 0\r\n\r\n"
            );
            script.c(request).s(answer)
        })
    });
    let mut packets =
        connection(endpoint(1, 4000), endpoint(2, 80), &script.c_fin().s_fin().packets);
    let tls =
        Script::opened()
            .c(client_hello("backups.s3.test"))
            .c([&[23, 3, 3, 1, 0][..], &[9; 256]].concat());
    packets.extend(connection(endpoint(1, 4001), endpoint(2, 443), &tls.packets));
    let path = folder.path("=<b>\u{202e}.pcap");
    fs::write(&path, frames(packets)).expect("a file can be written");
    path
}

#[test]
fn what_the_wire_and_file_names_say_is_text_in_the_report_and_no_formula_in_tables() {
    let folder = Folder::new();
    let capture = hostile(&folder);
    let run = replay(
        &folder,
        &["--policy", &policy("kms-only.toml"), "--label", "bucket", "--kms-keys=full", &capture],
    );
    assert_eq!(run.code, Some(3), "{}", run.err);
    let page = folder.read("report.html");
    for markup in ["<script", "<img", "</td></table><style>", "\u{202e}", "\u{200b}"] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert!(page.contains("<span class=\"hidden\">U+202E</span>"));
    look(&folder, "hostile", &["U+202E", "<b>", "backups.s3.test", "very-long-very-long-"]);
    for name in fs::read_dir(folder.path("tables")).expect("there are tables") {
        let path = name.expect("it is there").path();
        let mut reader = csv::Reader::from_path(&path).expect("there is a table");
        for row in reader.records() {
            for cell in &row.expect("it can be read") {
                let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
                assert!(!formula, "{}: {cell}", path.display());
            }
        }
    }
    assert!(folder.table("violations").iter().any(|row| row["kms_key_id"].starts_with("'=cmd|")));
    assert!(folder.table("files")[0]["path"].ends_with("=<b>\u{202e}.pcap"));
}

#[test]
fn standard_input_and_pipes_are_said_to_be_not_hashed() {
    let folder = Folder::new();
    let fifo = folder.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo starts").success());
    let file = folder.path("captured.pcap");
    let modes = fs::read(captures().join("modes.pcap")).expect("a capture can be read");
    fs::write(&file, &modes).expect("a file can be written");
    let (report, tables) = (folder.path("report.html"), folder.path("tables"));
    let mut child =
        sealwatch(["replay", "-q", "--report", &report, "--csv", &tables, &file, &fifo, "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
    // Opened when what is to be read was looked for: the file changes after that.
    let mut pipe = fs::OpenOptions::new().write(true).open(&fifo).expect("it is read");
    let changed = fs::OpenOptions::new().append(true).open(&file);
    changed.and_then(|mut file| file.write_all(&[0; 3])).expect("a file can be written");
    let write = |to: &mut dyn Write, name: &str| {
        let bytes = fs::read(captures().join(name)).expect("a capture can be read");
        to.write_all(&bytes).expect("it reads");
    };
    write(&mut pipe, "multipart.pcap");
    drop(pipe);
    write(&mut child.stdin.take().expect("it is piped"), "s3cmd.pcap");
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("captured.pcap: it changed while it was read"), "{said}");
    assert!(fs::metadata(&fifo).expect("it is there").file_type().is_fifo());
    let files = folder.table("files");
    let notes: Vec<_> =
        files.iter().map(|row| (row["path"].as_str(), row["note"].as_str())).collect();
    let changed = "it changed while it was read: size, SHA-256 and packets are those of afterwards";
    let once = "not hashed: it can be read only once";
    assert_eq!(notes, [(&*file, changed), (&fifo, once), ("standard input", "not hashed")]);
    assert!(files[1]["sha256"].is_empty() && files[2]["sha256"].is_empty());
    assert_eq!(files[0]["sha256"], digest_of(Path::new(&file)));
    let page = folder.read("report.html");
    assert!(page.contains("standard input</span> <strong class=\"remark\">not hashed"), "{page}");
    assert!(page.contains(changed) && page.contains("problems with the files"), "{page}");
}

#[test]
fn what_cannot_be_written_is_told_before_anything_is_read_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let capture = text(&puts(folder.0.path(), 3));
    fs::write(folder.path("file"), "kept").expect("a file can be written");
    let before = folder.names();
    let gone = folder.path("gone/report.html");
    let (itself, beneath) = (folder.path(""), folder.path("file/tables"));
    for (option, target, why) in [
        ("--report", gone.as_str(), "cannot write "),
        ("--report", &itself, "it is a directory"),
        ("--report", "/dev/null", "cannot write /dev/null: it is no regular file"),
        ("--csv", &beneath, "cannot make the folder "),
    ] {
        let run = run(["replay", option, target, &capture]);
        assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{option} {target}");
        assert!(run.err.contains(why) && run.err.contains(target), "{}", run.err);
        assert_eq!(folder.names(), before);
    }
}

#[test]
fn nothing_that_is_read_is_written_over_and_no_two_answers_share_a_file() {
    let folder = Folder::new();
    let capture = text(&puts(folder.0.path(), 3));
    let rules = folder.path("policy.toml");
    fs::copy(policy("kms-only.toml"), &rules).expect("a file can be copied");
    fs::create_dir(folder.path("tables")).expect("a folder can be made");
    fs::copy(&capture, folder.path("tables/rules.csv")).expect("a file can be copied");
    let (tables, whole, report) =
        (folder.path("tables"), folder.path(""), folder.path("report.html"));
    let before: Vec<_> = [&capture, &rules, &folder.path("tables/rules.csv")]
        .map(|path| fs::read(path).expect("it is there"))
        .into();
    let both = "is to be read and written at once";
    for (arguments, why) in [
        (vec!["--report", &capture, &capture], both),
        (vec!["--report", &capture, &whole], both),
        (vec!["--csv", &tables, &whole], both),
        (vec!["--report", &rules, "--policy", &rules, &capture], both),
        (vec!["--report", &report, "-o", &report, &capture], "two answers are to be written to"),
        (vec!["--report", &report, "--serve", "--loop", &capture], "cannot be used with"),
        (vec!["--csv", &tables, "--serve", "--loop", &capture], "cannot be used with"),
    ] {
        let run = run([&["replay"], &arguments[..]].concat());
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(run.err.contains(why), "{arguments:?}: {}", run.err);
    }
    let after: Vec<_> = [&capture, &rules, &folder.path("tables/rules.csv")]
        .map(|path| fs::read(path).expect("it is there"))
        .into();
    assert!(before == after && !Path::new(&report).exists());
}

#[test]
fn tables_replace_their_own_names_and_nothing_else() {
    let folder = Folder::new();
    let capture = text(&puts(folder.0.path(), 3));
    fs::create_dir_all(folder.path("tables")).expect("a folder can be made");
    for name in ["tables/hosts.csv", "tables/mine.csv"] {
        fs::write(folder.path(name), "before").expect("a file can be written");
    }
    replay(&folder, &[&capture]).ok();
    assert_eq!(sum(&folder.table("hosts"), "requests", |_| true), 3);
    assert_eq!(folder.read("tables/mine.csv"), "before");
    let tables = fs::read_dir(folder.path("tables")).expect("there are tables").count();
    assert_eq!(tables, 17);
}

#[test]
fn a_reader_that_goes_away_takes_no_report_with_it() {
    let folder = Folder::new();
    let report = folder.path("report.html");
    let mut files = vec!["replay", "-q", "--format", "jsonl", "--report", &report];
    let all = text(&captures());
    files.push(&all);
    let mut child = sealwatch(files).stdout(Stdio::piped()).spawn().expect("the binary starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert!(folder.read("report.html").contains("80 object-store exchanges with 3 hosts"));
}

#[test]
fn options_that_change_the_answer_are_in_the_report_and_others_are_not() {
    let folder = Folder::new();
    let capture: PathBuf = captures().join("modes.pcap");
    let options =
        ["--filter", "tcp port 4566", "--count", "40", "--dedup", "-j", "3", "--s3-host", "x.*"];
    replay(&folder, &[&options[..], &[&text(&capture)]].concat()).ok();
    let page = folder.read("report.html");
    for option in ["--filter=tcp port 4566", "--count=40", "--dedup", "--s3-host=x.*"] {
        assert!(page.contains(&format!("<li><code>{option}</code></li>")), "{option}: {page}");
    }
    assert!(!page.contains("--workers") && !page.contains("--quiet"));
}

#[test]
fn what_was_left_out_or_damaged_from_the_first_byte_on_is_no_clean_verdict() {
    let folder = Folder::new();
    let captures = text(&captures());
    let some = replay(&folder, &["--count", "60", &captures]);
    assert_eq!(some.code, Some(0), "{}", some.err);
    let page = folder.read("report.html");
    assert!(page.contains("564 packets left out, by --count"), "{page}");
    assert!(!page.contains("Everything in the files could be examined"));
    // A file in a folder that is named as a capture is one, or something is wrong with it.
    fs::create_dir(folder.path("in")).expect("a folder can be made");
    let whole = fs::read(Path::new(&captures).join("modes.pcap")).expect("there is a capture");
    fs::write(folder.path("in/good.pcap"), &whole).expect("a file can be written");
    fs::write(folder.path("in/bad.pcap0"), [b"XXXX", &whole[4..]].concat()).expect("it is written");
    let run = replay(&folder, &[&folder.path("in")]);
    assert_eq!(run.code, Some(1), "{}", run.err);
    assert!(run.err.contains("bad.pcap0 is named as a capture file, and is none"), "{}", run.err);
    assert!(folder.read("report.html").contains("1 problem with the files"));
    fs::create_dir(folder.path("empty")).expect("a folder can be made");
    let kms = policy("kms-only.toml");
    replay(&folder, &["--policy", &kms, &folder.path("empty")]);
    assert!(folder.read("report.html").contains("Policy not judged: no packet was read"));
}

#[test]
fn a_capture_that_standard_input_is_redirected_from_is_not_written_over() {
    let folder = Folder::new();
    let whole = fs::read(captures().join("modes.pcap")).expect("there is a capture");
    let file = folder.path("c.pcap");
    fs::write(&file, &whole).expect("a file can be written");
    for option in ["--report", "--output"] {
        let mut command = sealwatch(["replay", "--quiet", option, &file, "-"]);
        let stdin = fs::File::open(&file).expect("it can be read");
        let output = command.stdin(stdin).output().expect("the binary starts");
        assert_eq!(output.status.code(), Some(2), "{option}");
        assert_eq!(fs::read(&file).expect("it is there"), whole, "{option}");
    }
}
