//! `make instructions`: how many instructions a packet takes, which a busy machine does not change.

use crate::Problem;
use crate::measure;
use crate::traffic::speed::{Kind, capture};
use std::path::Path;
use std::process::Command;

/// What is counted, in percent of the full size: some 85 MB each.
const COUNTED: [(Kind, u64); 2] = [(Kind::Small, 9), (Kind::Bulk, 4)];

/// Prints instructions by callgrind of `sealwatch replay -j 1`, as a table. Callgrind's files, with
/// what each function took, are left in `folder`.
pub(crate) fn table(folder: &Path) -> Result<(), Problem> {
    println!("| | packets | instructions | a packet | a KiB |\n|---|--:|--:|--:|--:|");
    for (kind, percent) in COUNTED {
        let capture = capture(kind, percent, folder)?;
        let name = kind.name();
        let file = folder.join(format!("callgrind.{name}"));
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--log-fd=1"]);
        command.arg(format!("--callgrind-out-file={}", file.display()));
        command.args([env!("CARGO_BIN_EXE_sealwatch"), "replay", "--quiet", "-j", "1"]);
        let (_, said) = measure::run(command.arg(&capture.file), false)?;
        let collected = said.lines().find_map(|line| line.split_once("Collected : "));
        let instructions: u64 = collected.ok_or("callgrind says nothing")?.1.trim().parse()?;
        println!(
            "| {name} | {} | {instructions} | {} | {} |",
            capture.packets,
            instructions / capture.packets,
            instructions / (capture.bytes >> 10),
        );
    }
    Ok(())
}
