//! `--web.*`: how to serve, by the names that Prometheus's own exporters use.
//!
//! Takes these options. Gives a server's configuration, and the thread that serves. Promises that
//! what is wrong with `--web.config.file` is said before anything begins, and that on SIGHUP a
//! file that is wrong changes nothing but the log.

use super::Exit;
use super::log::Limiter;
use super::problems::refused;
use crate::confine;
use crate::export::{
    Address, Control, Server, ServerConfig, Site, TelemetryPath, WebConfig, WebConfigError,
};
use anyhow::{Context, Result};
use signal_hook::consts::SIGHUP;
use signal_hook::flag;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use tracing::{info, warn};

/// As many as node_exporter answers at once.
const MAX_CONNECTIONS: u16 = 40;

/// Without defaults of clap's, so that it can be told what was said.
#[derive(clap::Args)]
pub(super) struct Web {
    /// Listen at an IP address and port, at :PORT (every address) or unix:PATH. Repeatable [default:
    /// 127.0.0.1:10047]
    #[arg(id = "web_listen_address", long = "web.listen-address", value_name = "ADDRESS")]
    addresses: Vec<Address>,

    /// Serve metrics at this path [default: /metrics]
    #[arg(id = "web_telemetry_path", long = "web.telemetry-path", value_name = "PATH")]
    telemetry_path: Option<TelemetryPath>,

    /// TLS and users from FILE, in the format of Prometheus's exporters. SIGHUP reads it again
    #[arg(id = "web_config_file", long = "web.config.file", value_name = "FILE")]
    config_file: Option<PathBuf>,

    /// Keep at most so many connections open [default: 40]
    #[arg(id = "web_max_connections", long = "web.max-connections", value_name = "CONNECTIONS",
        value_parser = clap::value_parser!(u16).range(1..=1024))]
    max_connections: Option<u16>,
}

impl Web {
    /// Whether anything was said.
    pub(super) fn is_given(&self) -> bool {
        let Self { addresses, telemetry_path, config_file, max_connections } = self;
        !addresses.is_empty()
            || telemetry_path.is_some()
            || config_file.is_some()
            || max_connections.is_some()
    }

    /// How to serve. What is wrong with it has been said where there is nothing.
    pub(super) fn config(&self) -> Result<ServerConfig, Exit> {
        let web_config = self.config_file.as_deref().map(WebConfig::load).transpose();
        let web_config =
            web_config.map_err(|error| refused(&error.to_string(), error.is_unreadable))?;
        let addresses = match self.addresses.as_slice() {
            [] => vec![Address::default()],
            addresses => addresses.to_vec(),
        };
        Ok(ServerConfig {
            addresses,
            telemetry_path: self.telemetry_path.clone().unwrap_or_default(),
            max_connections: self.max_connections.unwrap_or(MAX_CONNECTIONS).into(),
            web_config,
        })
    }
}

/// The folders that a server reads from while it serves.
pub(super) fn folders(server: &Server) -> Result<Vec<PathBuf>> {
    let Some(config) = server.web_config() else { return Ok(Vec::new()) };
    let path = config.path().display();
    confine::folders_of(config.files())
        .with_context(|| format!("cannot find the folders of {path} and its files"))
}

/// The thread that serves.
pub(super) struct Serving {
    over: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<()>>,
}

impl Serving {
    /// Serves from now on, with what this thread may do.
    pub(super) fn start(server: Server, site: Site) -> Result<Self> {
        let reload = Arc::new(AtomicBool::new(false));
        if let Some(config) = server.web_config() {
            flag::register(SIGHUP, reload.clone()).context("cannot listen to SIGHUP")?;
            tell(config);
        }
        for url in server.urls().context("cannot tell where metrics are served")? {
            let whose = if server.is_inherited() { " on an inherited socket" } else { "" };
            info!(url, "serving metrics at {url}{whose}");
        }
        let over = Arc::new(AtomicBool::new(false));
        let is_over = over.clone();
        let control = Control {
            begins: Box::new(step_back),
            is_over: Box::new(move || is_over.load(Ordering::Relaxed)),
            is_to_reload: Box::new(move || reload.swap(false, Ordering::Relaxed)),
            reloaded: Box::new(teller()),
        };
        let thread = thread::Builder::new()
            .name("http".to_owned())
            .spawn(move || server.serve(site, control))
            .context("cannot start a thread")?;
        Ok(Self { over, thread })
    }

    /// Ends it.
    pub(super) fn end(self) -> Result<()> {
        self.over.store(true, Ordering::Relaxed);
        match self.thread.join() {
            Ok(served) => served.context("cannot serve metrics"),
            Err(_) => anyhow::bail!("the thread that serves metrics ended in a panic"),
        }
    }
}

/// How much the thread that serves steps back (`nice`(2)): where processors are scarce, it gets about
/// a tenth of what a thread that captures gets.
const NICE: i32 = 10;

/// Lets those who capture go first.
fn step_back() {
    if let Err(error) = rustix::process::nice(NICE) {
        warn!("serving metrics with the priority of capturing packets: {error}");
    }
}

/// Says what about a configuration may surprise.
fn tell(config: &WebConfig) {
    let path = config.path().display();
    if config.asks_for_http2() {
        info!("{path} asks for HTTP/2; HTTP/1.1 is what is spoken here");
    }
    // Who this process has become may read less than who started it.
    if let Err(error) = config.reload() {
        warn!("SIGHUP will not read {path} again: {error}");
    }
}

/// Says how it went to read a configuration again.
fn teller() -> impl Fn(Result<(), WebConfigError>) + Send {
    let limiter = Mutex::new(Limiter::default());
    move |reloaded| {
        let mut limiter = limiter.lock().unwrap_or_else(PoisonError::into_inner);
        match reloaded {
            Ok(()) => {
                if let Some(more) = limiter.admit("read") {
                    info!("--web.config.file was read again{more}");
                }
            }
            Err(error) => {
                if let Some(more) = limiter.admit("failing") {
                    let error = error.to_string().replace('\n', "; ");
                    warn!("--web.config.file stays as it was: {error}{more}");
                }
            }
        }
    }
}
