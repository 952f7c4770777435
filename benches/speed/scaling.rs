//! sealwatch by itself: more connections, more workers.

use crate::compare::warm;
use crate::plot::Chart;
use crate::tools::{Runs, sealwatch_with};
use crate::traffic::speed::{Capture, Kind, capture};
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;
use std::thread;

const OPEN: [usize; 3] = [1000, 100_000, 1_000_000];
const PLOTS: &str = "benches/plots";

/// Runs in turns, the first time for memory.
fn in_turns(rounds: usize, what: &[(&Capture, Vec<&str>)]) -> io::Result<Vec<Runs>> {
    let mut all = vec![Runs::default(); what.len()];
    for round in 0..=rounds {
        for ((capture, options), runs) in what.iter().zip(&mut all) {
            runs.add(sealwatch_with(options, capture, round == 0)?, round > 0);
        }
    }
    Ok(all)
}

/// A million connections, so many of them open at once.
///
/// # Errors
///
/// Where captures cannot be written, or sealwatch fails.
pub(crate) fn flows(rounds: usize, folder: &Path) -> io::Result<String> {
    let captures: Vec<Capture> = OPEN
        .iter()
        .map(|open| capture(Kind::Flows(*open), 100, folder))
        .collect::<io::Result<_>>()?;
    for capture in &captures {
        warm(&capture.file)?;
    }
    let what: Vec<_> = captures.iter().map(|capture| (capture, Vec::new())).collect();
    let all = in_turns(rounds.div_ceil(3), &what)?;
    let mut table = "**Open connections**, of a million in all\n\n\
                     | open at once | packets | CPU, ns a packet | wall, ns a packet | CPU ÷ 1,000 open | anonymous memory, MiB | bytes each, beyond 1,000 | counts |\n\
                     |--:|--:|--:|--:|--:|--:|--:|---|\n"
        .to_owned();
    let mut cost = Vec::new();
    let mut memory = Vec::new();
    for ((open, capture), runs) in OPEN.iter().zip(&captures).zip(&all) {
        let nanoseconds = |seconds: f64| seconds * 1e9 / capture.packets as f64;
        cost.push((*open as f64, nanoseconds(runs.cpu())));
        memory.push((*open as f64, runs.anonymous as f64 / f64::from(1 << 20)));
        let more = (open - OPEN[0]) as u64;
        let each = runs.anonymous.saturating_sub(all[0].anonymous).checked_div(more);
        let _ = writeln!(
            table,
            "| {open} | {} | {:.0} | {:.0} | {:.2} | {:.1} | {} | {} |",
            capture.packets,
            nanoseconds(runs.cpu()),
            nanoseconds(runs.wall()),
            nanoseconds(runs.cpu()) / cost[0].1,
            runs.anonymous as f64 / f64::from(1 << 20),
            each.map_or_else(|| "–".to_owned(), |each| each.to_string()),
            runs.verdict(),
        );
    }
    let chart = |title, up, points| Chart {
        title,
        up,
        across: "connections open at once",
        by_tens: true,
        lines: vec![("sealwatch replay", points)],
    };
    save("flows-cost", &chart("CPU by open connections", "ns a packet", cost))?;
    save("flows-memory", &chart("Memory by open connections", "MiB, anonymous", memory))?;
    Ok(table)
}

/// One worker, two, and so on.
///
/// # Errors
///
/// Where captures cannot be written, or sealwatch fails.
pub(crate) fn workers(size: u64, rounds: usize, folder: &Path) -> io::Result<String> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let counts: Vec<String> = (1..=cores.max(2)).map(|count| count.to_string()).collect();
    let mut table = "**Workers**\n\n\
                     | | workers | CPU, s | wall, s | packets/s | counts |\n\
                     |---|--:|--:|--:|--:|---|\n"
        .to_owned();
    let mut lines = Vec::new();
    for (name, kind) in [("small objects", Kind::Small), ("bulk", Kind::Bulk)] {
        let capture = capture(kind, size, folder)?;
        warm(&capture.file)?;
        let what: Vec<_> =
            counts.iter().map(|count| (&capture, vec!["-j", count.as_str()])).collect();
        let mut line = Vec::new();
        for (count, runs) in counts.iter().zip(in_turns(rounds, &what)?) {
            let speed = capture.packets as f64 / runs.wall();
            line.push((line.len() as f64 + 1.0, speed / 1e6));
            let (cpu, wall, right) = (runs.cpu(), runs.wall(), runs.verdict());
            let _ = writeln!(
                table,
                "| {name} | {count} | {cpu:.3} | {wall:.3} | {speed:.0} | {right} |"
            );
        }
        lines.push((name, line));
    }
    let chart = Chart {
        title: "Speed by workers",
        across: "workers (-j)",
        up: "million packets a second",
        by_tens: false,
        lines,
    };
    save("workers", &chart)?;
    Ok(table)
}

fn save(name: &str, chart: &Chart<'_>) -> io::Result<()> {
    fs::create_dir_all(PLOTS)?;
    fs::write(format!("{PLOTS}/{name}.svg"), chart.svg())
}
