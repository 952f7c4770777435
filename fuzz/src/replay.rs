//! Replays files through a target, without libFuzzer.

use crate::Body;
use std::fs;
use std::path::{Path, PathBuf};

/// Runs `body` on each file that is named on the command line.
pub fn arguments(body: Body) {
    std::env::args_os().skip(1).for_each(|file| run(body, Path::new(&file)));
}

/// Runs `body` on every file of `folder`, in the order of their names. Returns how many there are;
/// none where there is no such folder.
pub fn folder(body: Body, folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files.iter().for_each(|file| run(body, file));
    files.len()
}

/// Runs `body` on one file, and names it where that fails.
fn run(body: Body, file: &Path) {
    let input = match fs::read(file) {
        Ok(input) => input,
        Err(error) => panic!("{}: {error}", file.display()),
    };
    let outcome = std::panic::catch_unwind(|| body(&input));
    if let Err(panic) = outcome {
        eprintln!("This was {}.", file.display());
        std::panic::resume_unwind(panic);
    }
}
