//! `sealwatch live`: counts of what passes on interfaces, for Prometheus to scrape.

use super::Exit;
use super::config;
use super::confined::{Needs, confine, show};
use super::events::Events;
use super::log::{Lines, Log};
use super::policy::{Judging, Reloading};
use super::service::Service;
use super::serving;
use super::teller::Teller;
use super::traffic::Traffic;
use super::web::{Serving, Web};
use crate::capture::{Awaited, Interface, InterfaceConfig, InterfaceStatus};
use crate::export::{self, Server, ServerConfig, Site};
use crate::pipeline::{self, Pace};
use crate::policy::Current;
use crate::tally::{self, Tally};
use anyhow::{Context, Result};
use prometheus::{IntCounter, IntGaugeVec, Opts};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::{error, info};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: config::Source,

    /// An interface to capture on; any stands for all of them. Repeatable
    #[arg(short, long, value_name = "INTERFACE", required = true)]
    interface: Vec<String>,

    /// Capture so many bytes of each packet
    #[arg(short, long, value_name = "BYTES", default_value_t = 262_144,
        value_parser = clap::value_parser!(u32).range(64..=262_144))]
    snaplen: u32,

    /// The kernel's buffer for each thread that reads an interface, in MiB
    #[arg(short = 'B', long, value_name = "MIB", default_value_t = 32,
        value_parser = clap::value_parser!(u32).range(1..=1024))]
    buffer_size: u32,

    /// Only packets from and to this machine, and to all
    #[arg(short = 'p', long)]
    no_promiscuous: bool,

    /// Read each interface on so many threads, among which the kernel deals out connections
    #[arg(long, value_name = "THREADS", default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=64))]
    capture_threads: u16,

    /// Go on as this user once the interfaces are open
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    #[command(flatten)]
    web: Web,

    /// Write a record of every exchange with an object store to FILE, - being standard output
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,

    /// With --events: every HTTP exchange
    #[arg(long, requires = "events")]
    all: bool,

    /// Count at most so many hosts by name; the rest count as __other__
    #[arg(long, value_name = "HOSTS", default_value = "512", help_heading = "Bounds")]
    max_hosts: NonZeroUsize,

    #[command(flatten)]
    judging: Judging,

    #[command(flatten)]
    traffic: Traffic,

    #[command(flatten, next_help_heading = "Messages")]
    log: Log,
}

impl Arguments {
    /// What makes no sense, though each argument for itself does.
    pub(super) fn nonsense(&self) -> Option<String> {
        let mut names: Vec<_> = self.interface.iter().collect();
        names.sort();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
        let twice = twice.map(|pair| format!("{} is to be captured on twice", pair[0].as_str()));
        twice.or_else(|| self.traffic.nonsense())
    }
}

/// Captures until SIGTERM or SIGINT.
pub(super) fn live(arguments: Arguments) -> Exit {
    if let Some(nonsense) = arguments.nonsense() {
        eprintln!("sealwatch: {nonsense}");
        return Exit::Usage;
    }
    let web = match arguments.web.config() {
        Ok(web) => web,
        Err(exit) => return exit,
    };
    let policy = match arguments.judging.load() {
        Ok(policy) => policy,
        Err(exit) => return exit,
    };
    let lines = arguments.log.start();
    arguments.config.tell();
    let exit = match watch(&arguments, web, policy, &lines) {
        Ok(()) => Exit::Done,
        Err(error) => {
            error!("{error:#}");
            Exit::Failed
        }
    };
    lines.end();
    exit
}

fn watch(
    arguments: &Arguments,
    web: ServerConfig,
    policy: Option<Current>,
    lines: &Lines,
) -> Result<()> {
    let stop = serving::stop_on_signals()?;
    let Captured { parts, statuses, awaited } = open(arguments, &stop)?;
    let server = Server::bind(web)?;
    let tally = Arc::new(Mutex::new(Tally::new(arguments.traffic.limits(arguments.max_hosts))));
    let status = status(tally.clone(), statuses.clone());
    let mut site = site(&tally, statuses).context("cannot register the metrics")?;
    let needs = Needs {
        user: arguments.user.as_deref(),
        server: &server,
        policy: policy.as_ref(),
        events: arguments.events.as_deref(),
    };
    let confined = confine(&needs, awaited, &stop)?;
    lines.detach(arguments.log.max_log_messages as usize).context("cannot start a thread")?;
    show(confined, &mut site).context("cannot register the metrics")?;
    show_lost(lines, &mut site).context("cannot register the metrics")?;
    let events = arguments.events.as_deref().map(|path| Events::open(path, &site.registry));
    let events = events.transpose()?;
    let reloading = policy.clone().map(|policy| Reloading::start(policy, &site.registry));
    let reloading = reloading.transpose()?;
    let serving = Serving::start(server, site)?;
    let service = Service::start(parts.len(), stop, status)?;
    let mut teller = Teller::new(arguments.all, tally.clone(), events, service);
    let mut config = pipeline::Config { policy, ..arguments.traffic.pipeline(Pace::Live) };
    config.s3.sums_only = config.policy.is_none() && arguments.events.is_none();
    let Ok(()) = pipeline::run(parts, &config, &tally, |event| teller.tell(event));
    teller.end();
    serving.end()?;
    reloading.map_or(Ok(()), Reloading::end)?;
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    let packets = tally.ledger.packets.total();
    info!(packets, "{packets} packets; {}", tally.ledger.verdict());
    match tally.ledger.discrepancy() {
        0 => Ok(()),
        n => anyhow::bail!("a defect: {n} packets or payload bytes are not accounted for"),
    }
}

/// Everything that is captured on.
#[derive(Default)]
struct Captured {
    parts: Vec<Interface>,
    statuses: Vec<Arc<InterfaceStatus>>,
    awaited: Vec<Awaited>,
}

fn open(arguments: &Arguments, stop: &Arc<AtomicBool>) -> Result<Captured> {
    let mut captured = Captured::default();
    for name in &arguments.interface {
        let config = InterfaceConfig {
            name: name.clone(),
            filter: arguments.traffic.filter.clone(),
            snaplen: arguments.snaplen,
            buffer_bytes: arguments.buffer_size << 20,
            promiscuous: !arguments.no_promiscuous,
            threads: usize::from(arguments.capture_threads),
        };
        let opened = Interface::open(&config, stop)?;
        captured.parts.extend(opened.parts);
        captured.statuses.push(opened.status);
        captured.awaited.extend(opened.awaited);
    }
    Ok(captured)
}

/// Says how many messages nobody read.
fn show_lost(lines: &Lines, site: &mut Site) -> prometheus::Result<()> {
    let help = "Messages for which standard error had no room.";
    let counter = IntCounter::new("sealwatch_log_messages_lost_total", help)?;
    site.registry.register(Box::new(counter.clone()))?;
    let lines = lines.clone();
    site.also_refresh(move || counter.inc_by(lines.lost().saturating_sub(counter.get())));
    Ok(())
}

fn site(tally: &tally::Shared, statuses: Vec<Arc<InterfaceStatus>>) -> Result<Site> {
    let registry = serving::registry(tally)?;
    let help = "Whether the interface is open, up and read; 0 while it is not there.";
    let up = IntGaugeVec::new(Opts::new("sealwatch_capture_up", help), &["interface"])?;
    registry.register(Box::new(up.clone()))?;
    let shown = statuses.clone();
    let refresh = move || {
        for status in &shown {
            up.with_label_values(&[&status.name]).set(i64::from(status.is_open()));
        }
    };
    let open = statuses.clone();
    let interfaces = move || {
        let of = |status: &Arc<InterfaceStatus>| export::Interface {
            name: status.name.clone(),
            is_up: status.is_open(),
        };
        open.iter().map(of).collect()
    };
    Ok(Site {
        registry,
        refresh: Box::new(refresh),
        summary: serving::summary(tally, Vec::new),
        interfaces: Box::new(interfaces),
        unready: Box::new(move || unready(&statuses)),
    })
}

/// What is not captured on, one line each.
fn unready(statuses: &[Arc<InterfaceStatus>]) -> Vec<String> {
    let closed = statuses.iter().filter(|status| !status.is_open());
    closed.map(|status| format!("not capturing on {}", status.name)).collect()
}

/// How it goes, in one line.
fn status(tally: tally::Shared, statuses: Vec<Arc<InterfaceStatus>>) -> impl Fn() -> String {
    move || {
        let mut parts = unready(&statuses);
        let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        let packets = tally.ledger.packets.total();
        parts.push(format!("{packets} packets; {}", tally.ledger.verdict()));
        parts.join("; ")
    }
}
