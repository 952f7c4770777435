//! Everybody on the same capture, as a table.

use crate::measure::Taken;
use crate::tools::{LIBPCAP, Runs, SEALWATCH, TOOLS, Tool};
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
    /// How many times as much of something a packet took as it takes another; as text.
    fn ratio(&self, base: Option<&Self>, of: fn(&Taken) -> f64) -> String {
        base.map_or_else(String::new, |base| {
            let packets = base.capture.packets as f64 / self.capture.packets as f64;
            format!("{:.2}", self.runs.ratio(&base.runs, of) * packets)
        })
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
    let named = |name: &str| rows.iter().find(|row| row.tool.name == name);
    let (floor, ours) = (named(LIBPCAP), named(SEALWATCH));
    let mut table = format!(
        "**{}**: {:.0} MB, {} packets, {} exchanges\n\n\
         | | CPU, s | wall, s | anonymous memory, MiB | packets/s | wall ÷ libpcap loop | CPU ÷ libpcap loop | CPU ÷ sealwatch | counts |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|---|\n",
        kind.name(),
        full.bytes as f64 / 1e6,
        full.packets,
        full.expected.exchanges,
    );
    for row in rows {
        let name = row.tool.name;
        if failed.contains(&name) {
            let _ = writeln!(table, "| {name} | | | | | | | | **failed** |");
            continue;
        }
        let less = if row.capture.packets == full.packets {
            String::new()
        } else {
            format!(" ({} packets)", row.capture.packets)
        };
        let counts = if row.tool.counts { row.runs.verdict() } else { "–".to_owned() };
        let (cpu, wall) = (row.runs.cpu(), row.runs.wall());
        let _ = writeln!(
            table,
            "| {name}{less} | {cpu:.3} | {wall:.3} | {:.1} | {:.0} | {} | {} | {} | {counts} |",
            row.runs.anonymous as f64 / f64::from(1 << 20),
            row.capture.packets as f64 / wall,
            row.ratio(floor, |taken| taken.wall),
            row.ratio(floor, |taken| taken.cpu),
            row.ratio(ours, |taken| taken.cpu),
        );
    }
    table
}
