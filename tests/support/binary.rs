//! Runs the real binary, as a user would.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Run {
    /// The lines of standard output, sorted.
    pub fn sorted(&self) -> Vec<&str> {
        let mut lines: Vec<_> = self.out.lines().collect();
        lines.sort_unstable();
        lines
    }

    /// The lines of standard output as JSON objects.
    pub fn records(&self) -> Vec<serde_json::Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }

    /// Standard output as one JSON object.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).expect("standard output is JSON")
    }

    /// The same run, known to have gone well.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{}", self.out);
        self
    }
}

/// `sealwatch ARGUMENTS`, not yet started.
pub fn sealwatch(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sealwatch"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// `sealwatch ARGUMENTS`, to its end.
pub fn run(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
    let output = sealwatch(arguments).output().expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("what it says is UTF-8");
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The captures that come with the project.
pub fn captures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("captures")
}

/// Each one's name and files.
pub fn scenarios() -> Vec<(String, Vec<String>)> {
    let index = fs::read_to_string(captures().join("index.json")).expect("index.json is read");
    let index: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(&index).expect("it is JSON");
    let path = |file: &serde_json::Value| {
        let file = file.as_str().expect("a file's name is text");
        captures().join(file).to_str().expect("paths here are UTF-8").to_owned()
    };
    let files = |value: &serde_json::Value| {
        value["files"].as_array().expect("files are a list").iter().map(path).collect()
    };
    index.iter().map(|(name, value)| (name.clone(), files(value))).collect()
}
