//! `sealwatch live`: counts of what passes on interfaces, for Prometheus to scrape.

use super::Exit;
use super::events::Events;
use super::log::Log;
use super::problems::Problems;
use super::traffic::Traffic;
use crate::capture::{Interface, InterfaceConfig, InterfaceStatus, Severity};
use crate::export::{Served, Server};
use crate::pipeline::{self, Event, Pace};
use crate::s3::{Finding, Observation};
use crate::tally::{self, Tally};
use anyhow::{Context, Result};
use prometheus::{IntGaugeVec, Opts};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use tracing::{error, info, warn};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// An interface to capture on; any stands for all of them. Repeatable
    #[arg(short, long, value_name = "INTERFACE", required = true)]
    interface: Vec<String>,

    /// Capture so many bytes of each packet
    #[arg(short, long, value_name = "BYTES", default_value_t = 262_144,
        value_parser = clap::value_parser!(u32).range(64..=262_144))]
    snaplen: u32,

    /// The kernel's buffer for each interface, in MiB
    #[arg(short = 'B', long, value_name = "MIB", default_value_t = 16,
        value_parser = clap::value_parser!(u32).range(1..=1024))]
    buffer_size: u32,

    /// Only packets from and to this machine, and to all
    #[arg(short = 'p', long)]
    no_promiscuous: bool,

    /// Serve metrics at http://ADDRESS/metrics
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = "127.0.0.1:10047")]
    listen: SocketAddr,

    /// Write a record of every exchange with an object store to FILE, - being standard output
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,

    /// With --events: every HTTP exchange
    #[arg(long, requires = "events")]
    all: bool,

    /// Count at most so many hosts by name; the rest count as __other__
    #[arg(long, value_name = "HOSTS", default_value = "512")]
    max_hosts: NonZeroUsize,

    #[command(flatten)]
    traffic: Traffic,

    #[command(flatten)]
    log: Log,
}

/// Captures until SIGTERM or SIGINT.
pub(super) fn live(arguments: Arguments) -> Exit {
    if let Some(nonsense) = arguments.traffic.nonsense() {
        eprintln!("sealwatch: {nonsense}");
        return Exit::Usage;
    }
    arguments.log.start();
    match watch(&arguments) {
        Ok(()) => Exit::Done,
        Err(error) => {
            error!("{error:#}");
            Exit::Failed
        }
    }
}

fn watch(arguments: &Arguments) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        // The second one does not wait for anything.
        flag::register_conditional_shutdown(signal, Exit::Failed as i32, stop.clone())
            .and_then(|_| flag::register(signal, stop.clone()))
            .context("cannot listen to signals")?;
    }
    let interfaces = open(arguments, &stop)?;
    let statuses: Vec<_> = interfaces.iter().map(Interface::status).collect();
    let tally = Arc::new(Mutex::new(Tally::new(arguments.traffic.limits(arguments.max_hosts))));
    let served = served(&tally, statuses).context("cannot register the metrics")?;
    let events = arguments.events.as_deref().map(|path| Events::open(path, &served.registry));
    let events = events.transpose()?;
    let address = arguments.listen;
    let server = Server::bind(address).with_context(|| format!("cannot listen on {address}"))?;
    let address = server.address().unwrap_or(address);
    info!(%address, "serving metrics at http://{address}/metrics");
    let over = Arc::new(AtomicBool::new(false));
    let is_over = {
        let over = over.clone();
        move || over.load(Ordering::Relaxed)
    };
    let serving = thread::Builder::new()
        .name("http".to_owned())
        .spawn(move || server.serve(served, is_over))
        .context("cannot start a thread")?;
    let mut teller = Teller { all: arguments.all, problems: Problems::default(), events };
    let config = arguments.traffic.pipeline(Pace::Live);
    let Ok(()) = pipeline::run(interfaces, &config, &tally, |event| teller.tell(event));
    if let Some(events) = teller.events {
        events.close();
    }
    over.store(true, Ordering::Relaxed);
    match serving.join() {
        Ok(served) => served.context("cannot serve metrics")?,
        Err(_) => anyhow::bail!("the thread that serves metrics ended in a panic"),
    }
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    let packets = tally.ledger.packets.total();
    info!(packets, "{packets} packets; {}", tally.ledger.verdict());
    Ok(())
}

fn open(arguments: &Arguments, stop: &Arc<AtomicBool>) -> Result<Vec<Interface>> {
    let open = |name: &String| {
        let config = InterfaceConfig {
            name: name.clone(),
            filter: arguments.traffic.filter.clone(),
            snaplen: arguments.snaplen,
            buffer_bytes: arguments.buffer_size << 20,
            promiscuous: !arguments.no_promiscuous,
        };
        Ok(Interface::open(config, stop.clone())?)
    };
    arguments.interface.iter().map(open).collect()
}

fn served(tally: &tally::Shared, statuses: Vec<Arc<InterfaceStatus>>) -> Result<Served> {
    let registry = tally::registry(tally.clone())?;
    let help = "Whether the interface is open and read; 0 while it is not there.";
    let up = IntGaugeVec::new(Opts::new("sealwatch_capture_up", help), &["interface"])?;
    registry.register(Box::new(up.clone()))?;
    let shown = statuses.clone();
    let refresh = move || {
        for status in &shown {
            up.with_label_values(&[&status.name]).set(i64::from(status.is_open()));
        }
    };
    let unready = move || {
        let closed = statuses.iter().filter(|status| !status.is_open());
        closed.map(|status| format!("not capturing on {}", status.name)).collect()
    };
    Ok(Served { registry, unready: Box::new(unready), refresh: Box::new(refresh) })
}

/// Says what happens on standard error, and records it.
struct Teller {
    all: bool,
    problems: Problems,
    events: Option<Events>,
}

impl Teller {
    fn tell(&mut self, event: Event<'_>) -> Result<(), Infallible> {
        match event {
            Event::Problem(problem) => {
                let interface = problem.path.display();
                match problem.severity() {
                    Severity::Notice => info!(%interface, "{problem}"),
                    Severity::Warning => warn!(%interface, "{problem}"),
                    Severity::Error => error!(%interface, "{problem}"),
                }
            }
            Event::Observed(Observation::Found { subject, finding, value: Some(value) })
                if *finding == Finding::UnknownValue =>
            {
                if let Some(note) = self.problems.unknown_value(&subject.host, value) {
                    warn!(host = %subject.host, "{note}");
                }
            }
            Event::Observed(Observation::Over(record)) => {
                if let Some(events) = &mut self.events
                    && (record.object_store || self.all)
                {
                    events.record(record);
                }
            }
            Event::Observed(_) => {}
        }
        Ok(())
    }
}
