//! One directory of `tests/behaviours`: what is captured, and what is to be said of it.

use super::binary::{Run, run};
use super::frames::{frames, pcap_of_frames};
use super::stage::{Played, play};
use super::steps;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const RECORDS: &str = "expected.jsonl";
const LEDGER: &str = "expected.ledger";
const WHY: &str = "why";
const SCRIPT: &str = "packets";
const CAPTURE: &str = "packets.pcap";

/// More records than that are told by kind.
const MANY: usize = 50;

/// The fields of a record in the order in which they are written down, and what is so common in
/// them that it is left out.
const FIELDS: [(&str, &str); 27] = [
    ("time", "null"),
    ("client_ip", "\"192.0.2.1\""),
    ("client_port", "40000"),
    ("server_ip", "\"192.0.2.2\""),
    ("server_port", "80"),
    ("tunnel", "null"),
    ("host", "\"h\""),
    ("method", "null"),
    ("target", "null"),
    ("http_version", "\"1.1\""),
    ("request_body_bytes", "null"),
    ("status", "null"),
    ("response_body_bytes", "null"),
    ("object_store", "null"),
    ("operation", "null"),
    ("bucket", "null"),
    ("requested_mode", "null"),
    ("applied_mode", "null"),
    ("mismatch", "null"),
    ("kms_key_id", "null"),
    ("bucket_key_enabled", "null"),
    ("content_type", "null"),
    ("cache_control", "null"),
    ("edge", "null"),
    ("findings", "[]"),
    ("request_seen", "true"),
    ("response_seen", "true"),
];

/// What only tells records of one kind apart.
const INDIVIDUAL: [&str; 3] = ["time", "client_ip", "client_port"];

/// A behaviour, to be tried.
pub struct Behaviour {
    directory: PathBuf,
    pub name: String,
}

/// What was said of a capture.
struct Said {
    records: String,
    ledger: String,
}

impl Behaviour {
    pub fn new(directory: PathBuf) -> Self {
        let name = directory.file_name().expect("a directory has a name");
        Self { name: name.to_string_lossy().into_owned(), directory }
    }

    /// Tries it. With `update`, what is said becomes what is expected.
    ///
    /// # Errors
    ///
    /// What is not as it is written down.
    pub fn check(&self, update: bool) -> Result<(), String> {
        self.check_files(update)?;
        let folder = tempfile::tempdir().expect("a directory can be made");
        let (played, script) = self.play()?;
        let mut file = self.directory.join(CAPTURE);
        if !file.exists() {
            file = folder.path().join(CAPTURE);
            fs::write(&file, pcap_of_frames(&played.frames)).expect("a file can be written");
        }
        let said = say(&file, &played, &script)?;
        let mut wrong = String::new();
        for (file, said) in [(RECORDS, said.records), (LEDGER, said.ledger)] {
            let expected = fs::read_to_string(self.directory.join(file));
            if expected.as_ref().is_ok_and(|expected| *expected == said) {
                continue;
            }
            let expected = expected.unwrap_or_default();
            if update {
                fs::write(self.directory.join(file), said).expect("a file can be written");
            } else {
                wrong += &format!("{file}:\n{}", difference(&expected, &said));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    fn check_files(&self, update: bool) -> Result<(), String> {
        let entries = fs::read_dir(&self.directory).map_err(|error| error.to_string())?;
        let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
        let names: Result<BTreeSet<_>, _> = names.collect();
        let mut names: BTreeSet<_> = names
            .map_err(|error| error.to_string())?
            .into_iter()
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        if !(names.remove(SCRIPT) ^ names.remove(CAPTURE)) {
            return Err(format!("it needs either {SCRIPT} or {CAPTURE}"));
        }
        let missing = |file: &&str| !names.contains(*file);
        if let Some(file) = [WHY]
            .iter()
            .chain([RECORDS, LEDGER].iter().filter(|_| !update))
            .find(|file| missing(file))
        {
            return Err(format!("{file} is missing"));
        }
        if let Some(name) =
            names.iter().find(|name| ![RECORDS, LEDGER, WHY].contains(&name.as_str()))
        {
            return Err(format!("{name} is none of the files that it can hold"));
        }
        let why =
            fs::read_to_string(self.directory.join(WHY)).map_err(|error| error.to_string())?;
        let is_a_line = why.ends_with('\n') && why.lines().count() == 1 && why.len() > 20;
        if is_a_line { Ok(()) } else { Err(format!("{WHY} is not one line that says why")) }
    }

    fn play(&self) -> Result<(Played, steps::Steps), String> {
        let script = self.directory.join(SCRIPT);
        if !script.exists() {
            let frames = frames(&[self.directory.join(CAPTURE)]);
            return Ok((Played { frames, payload: None, times: 1 }, steps::Steps::default()));
        }
        let text = fs::read_to_string(script).map_err(|error| error.to_string())?;
        let script = steps::read(&text)?;
        let played = play(&script);
        Ok((played, script))
    }
}

/// What sealwatch says of a capture, by one worker and by four.
fn say(file: &Path, played: &Played, script: &steps::Steps) -> Result<Said, String> {
    let file = file.to_str().expect("paths here are UTF-8");
    let replay = |format: &str, workers: &str| {
        let options =
            ["replay", "--quiet", "--all", "--workers", workers, "--format", format, file];
        let options = options.map(str::to_owned);
        let options: Vec<_> = if format == "json" {
            options.into_iter().filter(|option| option != "--all").collect()
        } else {
            options.into()
        };
        quiet(run(options.iter().chain(&script.arguments)))
    };
    let (one, four) = (replay("jsonl", "1")?, replay("jsonl", "4")?);
    let lines = |run: &Run| run.sorted().join("\n");
    same("records of one worker and of four", &lines(&one), &lines(&four))?;
    let (summary, of_four) = (replay("json", "1")?, replay("json", "4")?);
    same("ledgers of one worker and of four", &summary.out, &of_four.out)?;
    let (records, summary) = (one.records(), summary.json());
    balance(&summary, played, script)?;
    agree(&records, &summary)?;
    keep_secrets(file, script)?;
    Ok(Said { records: written(&records, played.times > 1), ledger: ledger_lines(&summary) })
}

fn quiet(run: Run) -> Result<Run, String> {
    match (run.code, run.err.as_str()) {
        (Some(0), "") => Ok(run),
        (code, err) => Err(format!("it ended with {code:?} and said {err:?}")),
    }
}

fn same(what: &str, one: &str, other: &str) -> Result<(), String> {
    if one == other { Ok(()) } else { Err(format!("{what} differ:\n{}", difference(one, other))) }
}

/// Every packet and every payload byte has one fate.
fn balance(summary: &Value, played: &Played, script: &steps::Steps) -> Result<(), String> {
    let sum = |of: &str| {
        let fates = summary["ledger"][of].as_object().expect("fates are an object");
        fates.values().filter_map(Value::as_u64).sum::<u64>()
    };
    let packets = played.frames.len() as u64;
    if sum("packets") != packets {
        return Err(format!("{packets} packets have {} fates", sum("packets")));
    }
    match played.payload.filter(|_| script.arguments.is_empty()) {
        Some(payload) if sum("payload_bytes") != payload => {
            Err(format!("{payload} payload bytes have {} fates", sum("payload_bytes")))
        }
        _ => Ok(()),
    }
}

/// Counts and records say the same of modes.
fn agree(records: &[Value], summary: &Value) -> Result<(), String> {
    type Counts = BTreeMap<(String, String, String), u64>;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut recorded = Counts::new();
    for record in records.iter().filter(|record| !record["object_store"].is_null()) {
        let host = record["host"].as_str().expect("every record has a host");
        for (of, field) in [("requests", "requested_mode"), ("responses", "applied_mode")] {
            if let Some(mode) = text(&record[field]) {
                *recorded.entry((host.to_owned(), of.to_owned(), mode)).or_default() += 1;
            }
        }
        for finding in record["findings"].as_array().into_iter().flatten().filter_map(text) {
            *recorded.entry((host.to_owned(), "findings".to_owned(), finding)).or_default() += 1;
        }
    }
    let mut counted = Counts::new();
    let mut count = |host: &str, of: &str, counts: &Value| {
        for (name, n) in counts.as_object().into_iter().flatten() {
            let key = (host.to_owned(), of.to_owned(), name.clone());
            *counted.entry(key).or_default() += n.as_u64().unwrap_or_default();
        }
    };
    for host in summary["hosts"].as_array().expect("hosts are a list") {
        let name = host["host"].as_str().expect("a host has a name");
        for of in ["requests", "responses"] {
            let by_operation = host[of].as_object().into_iter().flatten();
            by_operation.for_each(|(_, counts)| count(name, of, counts));
        }
        count(name, "findings", &host["findings"]);
    }
    if recorded == counted {
        Ok(())
    } else {
        Err(format!("records say {recorded:?}, counts {counted:?}"))
    }
}

/// No output holds what is secret: not in any format, and not in what is noted beside it.
fn keep_secrets(file: &str, script: &steps::Steps) -> Result<(), String> {
    if script.secrets.is_empty() {
        return Ok(());
    }
    for format in ["table", "json", "jsonl", "prometheus"] {
        let arguments = ["replay", "--label", "bucket", "--format", format, file];
        let Run { out, err, .. } = run(arguments);
        for secret in &script.secrets {
            if out.contains(secret) || err.contains(secret) {
                return Err(format!("{format} holds {secret:?}"));
            }
        }
    }
    Ok(())
}

/// Records as they are written down: one a line; or one a kind, and how many there were.
fn written(records: &[Value], by_kind: bool) -> String {
    let maps = records.iter().map(|record| record.as_object().expect("a record is an object"));
    if !by_kind && records.len() <= MANY {
        return maps.map(|record| line(record, &[]) + "\n").collect();
    }
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for record in maps {
        let line = line(record, &INDIVIDUAL);
        match kinds.iter_mut().find(|(kind, _)| *kind == line) {
            Some((_, times)) => *times += 1,
            None => kinds.push((line, 1)),
        }
    }
    kinds.iter().map(|(kind, times)| format!("{times} × {kind}\n")).collect()
}

fn line(record: &Map<String, Value>, without: &[&str]) -> String {
    let unknown = record.keys().find(|key| FIELDS.iter().all(|(field, _)| field != key));
    assert_eq!(unknown, None, "a field of a record that is not written down");
    let field = |(field, usual): &(&str, &str)| {
        let value = record[*field].to_string();
        (value != *usual && !without.contains(field)).then(|| format!("\"{field}\": {value}"))
    };
    format!("{{{}}}", FIELDS.iter().filter_map(field).collect::<Vec<_>>().join(", "))
}

/// The ledger, a line for each number in it that is not zero.
fn ledger_lines(summary: &Value) -> String {
    let mut lines = format!("{}\n", summary["verdict"].as_str().expect("a verdict is text"));
    flatten("exchanges", &summary["exchanges"], &mut lines);
    for (name, value) in summary["ledger"].as_object().expect("the ledger is an object") {
        flatten(name, value, &mut lines);
    }
    lines
}

fn flatten(name: &str, value: &Value, lines: &mut String) {
    match value {
        Value::Object(inner) => {
            inner.iter().for_each(|(key, value)| flatten(&format!("{name}.{key}"), value, lines));
        }
        value if *value == 0 => {}
        value => *lines += &format!("{name} {value}\n"),
    }
}

/// The lines that differ, between those that agree at the beginning and at the end.
fn difference(expected: &str, said: &str) -> String {
    let (mut old, mut new): (Vec<_>, Vec<_>) = (expected.lines().collect(), said.lines().collect());
    while !old.is_empty() && old.last() == new.last() {
        old.pop();
        new.pop();
    }
    let agree = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let shown = |mark, lines: &[&str]| {
        let more = lines.len().saturating_sub(MANY);
        let shown: String =
            lines.iter().take(MANY).map(|line| format!("    {mark} {line}\n")).collect();
        if more > 0 { format!("{shown}    {mark} and {more} more\n") } else { shown }
    };
    format!("    (from line {})\n", agree + 1)
        + &shown('-', &old[agree..])
        + &shown('+', &new[agree..])
}
