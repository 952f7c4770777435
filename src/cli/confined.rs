//! What live gives up once its interfaces are open, and what it keeps.
//!
//! Takes what is still needed: a user to become, a server, a file of records. Gives a process that can
//! do nothing else, and says so in a metric.

use super::events;
use super::policy;
use super::web;
use crate::capture::{self, Awaited};
use crate::confine::{self, Measure, Paths};
use crate::export::{Server, Site};
use crate::policy::Current;
use anyhow::{Context, Result};
use prometheus::{IntGaugeVec, Opts};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{self, JoinHandle};
use tracing::{info, warn};

/// What is still needed.
pub(super) struct Needs<'n> {
    /// Who to go on as; who this is, if nobody.
    pub(super) user: Option<&'n str>,
    /// What may read its configuration again.
    pub(super) server: &'n Server,
    /// What may be read again.
    pub(super) policy: Option<&'n Current>,
    /// Where records go.
    pub(super) events: Option<&'n Path>,
}

/// What was given up.
pub(super) struct Confined {
    measures: Vec<Measure>,
    /// The thread that still has what it takes to open interfaces.
    opening: Option<JoinHandle<()>>,
}

/// Gives up what is not needed any more, before anything of the traffic is looked at. Interfaces
/// that are not there yet are opened by a thread that keeps, until then, what that takes.
pub(super) fn confine(
    needs: &Needs<'_>,
    awaited: Vec<Awaited>,
    stop: &Arc<AtomicBool>,
) -> Result<Confined> {
    if let Some(user) = needs.user {
        confine::become_user(user)?;
    }
    confine::keep_capabilities(!awaited.is_empty())?;
    let files = confine::files(&paths(needs)?);
    let mut opening = None;
    if !awaited.is_empty() {
        let stop = stop.clone();
        let thread = thread::Builder::new()
            .name("open".to_owned())
            .spawn(move || capture::open_when_there(awaited, &stop))
            .context("cannot start a thread")?;
        opening = Some(thread);
        confine::keep_capabilities(false)?;
    }
    Ok(Confined { measures: vec![files, confine::system_calls()], opening })
}

/// What is still to be opened: libpcap's statistics, this process's own, what the server and the
/// policy are read from again, and records.
fn paths(needs: &Needs<'_>) -> Result<Paths> {
    let mut read = web::folders(needs.server)?;
    if let Some(policy) = needs.policy {
        read.extend(policy::folders(policy)?);
    }
    read.extend(["/sys", "/proc/self"].map(PathBuf::from));
    let mut paths = Paths { read, write: Vec::new() };
    if let Some(events) = needs.events
        && events.as_os_str() != "-"
    {
        paths.write.extend(events::to_open(events)?);
    }
    Ok(paths)
}

/// Says which measures are in force.
pub(super) fn show(confined: Confined, site: &mut Site) -> prometheus::Result<()> {
    let help = "Whether this process gave up what it does not need, by measure.";
    let gauge = IntGaugeVec::new(Opts::new("sealwatch_confinement", help), &["measure"])?;
    let set = |measure: &str, in_force: bool| {
        gauge.with_label_values(&[measure]).set(i64::from(in_force));
    };
    set("user", !confine::is_root());
    if confine::is_root() {
        info!("going on with the user id of root, without its capabilities (see --user)");
    }
    for Measure { name, obstacle } in confined.measures {
        set(name, obstacle.is_none());
        if let Some(obstacle) = obstacle {
            warn!(measure = name, "{name} is not in force: {obstacle}");
        }
    }
    site.registry.register(Box::new(gauge.clone()))?;
    let opening = confined.opening;
    site.also_refresh(move || {
        let all = opening.as_ref().is_none_or(JoinHandle::is_finished);
        gauge.with_label_values(&["capabilities"]).set(i64::from(all));
    });
    Ok(())
}
