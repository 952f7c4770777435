//! What an auditor is handed: the report and its tables.
//!
//! Takes paths to write to, and what was counted. Promises that a place that cannot be written to is
//! told before anything is read, that no file is ever half written, and that what was read is hashed
//! afterwards: a file that changed meanwhile is told.

use super::{Arguments, options};
use crate::capture::{Input, Severity, inputs};
use crate::cli::output::{is_read_from, is_same_target};
use crate::cli::whole;
use crate::report::{self, Report, Scope, ScopeFile};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// What is to be written, and what it will be about.
pub(super) struct Papers {
    report: Option<PathBuf>,
    csv: Option<PathBuf>,
    inputs: Vec<Input>,
}

/// Where they go, if anywhere.
#[derive(clap::Args)]
pub(super) struct Targets {
    /// Write a report to FILE, too: one page of HTML to read, print and sign
    #[arg(long, value_name = "FILE", conflicts_with = "repeat")]
    report: Option<PathBuf>,

    /// Write everything as tables, too: CSV files in FOLDER
    #[arg(long, value_name = "FOLDER", conflicts_with = "repeat")]
    csv: Option<PathBuf>,
}

impl Targets {
    /// The files that will be written.
    fn files(&self) -> Vec<PathBuf> {
        let folder = self.csv.iter();
        let tables = folder.flat_map(|folder| report::TABLES.map(|name| folder.join(name)));
        self.report.iter().cloned().chain(tables).collect()
    }

    /// What makes no sense: that something is to be read and written at once, or written twice.
    pub(super) fn nonsense(&self, arguments: &Arguments) -> Option<String> {
        let files = self.files();
        if files.is_empty() {
            return None;
        }
        let inputs = inputs(&arguments.paths()).into_iter().map(|input| input.path);
        let read: Vec<_> = inputs.chain(arguments.judging.path().map(Path::to_owned)).collect();
        if self.report.as_deref().is_some_and(|report| report.as_os_str() == "-") {
            return Some("--report writes a file; name one".to_owned());
        }
        for file in &files {
            if let Some(input) = read.iter().find(|input| is_read_from(input, file)) {
                return Some(format!("{} is to be read and written at once", input.display()));
            }
        }
        let twice = |other: &Path| files.iter().find(|file| is_same_target(file, other));
        let output = arguments.output.as_deref().and_then(twice);
        let report = self.report.as_deref().filter(|report| {
            self.csv.iter().any(|_| files[1..].iter().any(|file| is_same_target(file, report)))
        });
        let file = output.map(PathBuf::as_path).or(report)?;
        Some(format!("two answers are to be written to {}", file.display()))
    }
}

impl Papers {
    /// Looks for what will be read, and whether what is wanted can be written.
    pub(super) fn begin(arguments: &Arguments) -> Result<Option<Self>> {
        let targets = &arguments.targets;
        let files = targets.files();
        if files.is_empty() {
            return Ok(None);
        }
        if let Some(folder) = &targets.csv {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        for file in &files {
            whole::try_out(file)?;
        }
        let inputs = inputs(&arguments.paths());
        Ok(Some(Self { report: targets.report.clone(), csv: targets.csv.clone(), inputs }))
    }

    /// What the report is about. `problem` is told what is wrong with the files by now.
    pub(super) fn scope(
        &self,
        was_stopped: bool,
        mut problem: impl FnMut(Severity, String),
    ) -> Scope {
        let files = self.inputs.iter().map(|input| file(input, &mut problem)).collect();
        Scope { files, options: options::given(std::env::args_os()), was_stopped }
    }

    /// Writes them.
    pub(super) fn write(&self, report: &Report<'_>) -> Result<()> {
        if let Some(path) = &self.report {
            whole::write(path, report.to_html().as_bytes())?;
        }
        if let Some(folder) = &self.csv {
            let tables = report.to_tables().context("cannot make tables")?;
            for (name, table) in tables {
                whole::write(&folder.join(name), &table)?;
            }
        }
        Ok(())
    }
}

fn file(input: &Input, problem: &mut impl FnMut(Severity, String)) -> ScopeFile {
    if input.path == Path::new("-") {
        let (path, note) = ("standard input".to_owned(), Some("not hashed".to_owned()));
        return ScopeFile { path, note, ..ScopeFile::default() };
    }
    let path = input.path.display().to_string();
    match input.contents() {
        Ok(Some(contents)) => {
            let note = contents.has_changed.then(|| {
                let changed = "it changed while it was read";
                problem(Severity::Warning, format!("warning: {path}: {changed}"));
                format!("{changed}: size, SHA-256 and packets are those of afterwards")
            });
            ScopeFile {
                path,
                bytes: Some(contents.size),
                sha256: Some(contents.sha256),
                packets: Some(contents.packets),
                period: contents.period,
                note,
            }
        }
        Ok(None) => {
            let note = Some("not hashed: it can be read only once".to_owned());
            ScopeFile { path, note, ..ScopeFile::default() }
        }
        Err(error) => {
            problem(
                Severity::Error,
                format!("error: cannot read {path} again to hash it: {error}"),
            );
            let note = Some(format!("not hashed: {error}"));
            ScopeFile { path, note, ..ScopeFile::default() }
        }
    }
}
