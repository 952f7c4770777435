//! Everybody on the same capture, as a table.

use crate::tools::{LIBPCAP, Runs, TOOLS, Tool};
use crate::traffic::speed::{Capture, Kind, capture};
use std::fmt::Write;
use std::fs::File;
use std::io;
use std::path::Path;

/// What slow tools get, in percent of the full size: tshark takes minutes for a gigabyte.
const MOST_FOR_SLOW: u64 = 10;

/// What a tool took on a capture.
struct Row<'c> {
    tool: Tool,
    capture: &'c Capture,
    runs: Runs,
}

impl Row<'_> {
    /// Nanoseconds of CPU and of wall time a packet.
    fn each(&self) -> (f64, f64) {
        let each = |seconds: f64| seconds * 1e9 / self.capture.packets as f64;
        (each(self.runs.cpu()), each(self.runs.wall()))
    }
}

/// Puts a file into the page cache.
pub(crate) fn warm(file: &Path) -> io::Result<()> {
    io::copy(&mut File::open(file)?, &mut io::sink()).map(|_| ())
}

/// The table of a kind.
///
/// # Errors
///
/// Where captures cannot be written. That a tool fails is said in its row.
pub(crate) fn table(kind: Kind, size: u64, rounds: usize, folder: &Path) -> io::Result<String> {
    let full = capture(kind, size, folder)?;
    let smaller = capture(kind, size.min(MOST_FOR_SLOW), folder)?;
    warm(&full.file)?;
    warm(&smaller.file)?;
    let mut rows: Vec<Row<'_>> = TOOLS
        .into_iter()
        .filter(Tool::is_here)
        .map(|tool| Row {
            tool,
            capture: if tool.is_slow { &smaller } else { &full },
            runs: Runs::default(),
        })
        .collect();
    let mut failed = Vec::new();
    for round in 0..=rounds {
        for row in &mut rows {
            // The first round is for memory, but for those of which it is the only one.
            if (row.tool.is_slow && round > 0) || failed.contains(&row.tool.name) {
                continue;
            }
            match (row.tool.run)(row.capture, round == 0) {
                Ok(run) => row.runs.add(run, round > 0 || row.tool.is_slow),
                Err(error) => {
                    eprintln!("{}: {error}", row.tool.name);
                    failed.push(row.tool.name);
                }
            }
        }
    }
    Ok(written(kind, &full, &rows, &failed))
}

fn written(kind: Kind, full: &Capture, rows: &[Row<'_>], failed: &[&str]) -> String {
    let base = rows.iter().find(|row| row.tool.name == LIBPCAP);
    let floor = base.map_or((0.0, 0.0), Row::each);
    let mut table = format!(
        "**{}**: {:.0} MB, {} packets, {} exchanges\n\n\
         | | CPU, s | wall, s | anonymous memory, MiB | packets/s | wall ÷ libpcap loop | CPU ÷ libpcap loop | counts |\n\
         |---|--:|--:|--:|--:|--:|--:|---|\n",
        kind.name(),
        full.bytes as f64 / 1e6,
        full.packets,
        full.expected.exchanges,
    );
    for row in rows {
        let name = row.tool.name;
        if failed.contains(&name) {
            let _ = writeln!(table, "| {name} | | | | | | | **failed** |");
            continue;
        }
        let less = if row.capture.packets == full.packets {
            String::new()
        } else {
            format!(" ({} packets)", row.capture.packets)
        };
        let counts = if row.tool.counts { row.runs.verdict() } else { "–".to_owned() };
        let (cpu, wall) = row.each();
        let _ = writeln!(
            table,
            "| {name}{less} | {:.3} | {:.3} | {:.1} | {:.0} | {:.2} | {:.2} | {counts} |",
            row.runs.cpu(),
            row.runs.wall(),
            row.runs.anonymous as f64 / f64::from(1 << 20),
            1e9 / wall,
            wall / floor.1,
            cpu / floor.0,
        );
    }
    table
}
