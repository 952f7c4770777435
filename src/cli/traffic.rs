//! What `replay` and `live` have in common: how traffic is examined and counted.

use super::bounds::Bounds;
use super::keys::Keys;
use crate::capture;
use crate::decode;
use crate::pipeline::{self, Pace};
use crate::s3::{self, HostPattern};
use crate::tally::Limits;
use clap::ValueEnum;
use std::num::NonZeroUsize;

#[derive(clap::Args)]
pub(super) struct Traffic {
    /// Examine only packets that pass this filter (pcap-filter(7))
    #[arg(short, long, value_name = "EXPRESSION")]
    pub(super) filter: Option<String>,

    /// Count by bucket, too
    #[arg(long, value_enum, value_name = "LABEL")]
    label: Vec<Label>,

    /// Hosts that are object stores, whatever their traffic shows; * stands for any text
    #[arg(long, value_name = "PATTERN")]
    s3_host: Vec<String>,

    /// A name under which buckets are hosts: bucket.SUFFIX
    #[arg(long, value_name = "SUFFIX")]
    endpoint_suffix: Vec<String>,

    /// Parse on so many threads [default: as many as there are processors]
    #[arg(short = 'j', long, value_name = "THREADS", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,

    /// A UDP port of VXLAN, besides 4789 and 8472
    #[arg(long, value_name = "PORT")]
    vxlan_port: Vec<u16>,

    /// What tells connections apart: their endpoints, or also the tunnel that they are seen in
    #[arg(long, value_enum, default_value_t = Key::Endpoints, value_name = "KEY")]
    flow_key: Key,

    /// Leave out the second copy of a packet, within 50 ms, as two mirror ports deliver it
    #[arg(long)]
    dedup: bool,

    /// Leave out packets with a wrong IP or TCP checksum
    #[arg(long)]
    verify_checksums: bool,

    #[command(flatten)]
    keys: Keys,

    #[command(flatten)]
    bounds: Bounds,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Key {
    /// The same connection, mirrored through several tunnels, is one
    Endpoints,
    /// Networks in tunnels may use the same addresses
    Tunnel,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Label {
    /// The bucket
    Bucket,
}

impl Traffic {
    /// What makes no sense, though each argument for itself does.
    pub(super) fn nonsense(&self) -> Option<String> {
        let filter = self.filter.as_deref()?;
        let error = capture::check_filter(filter).err()?;
        Some(format!("cannot use the filter \"{filter}\": {error}"))
    }

    pub(super) fn pipeline(&self, pace: Pace) -> pipeline::Config {
        let bounds = &self.bounds;
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        pipeline::Config {
            workers: self.workers.map_or(processors.min(256), usize::from),
            pace,
            told_by: None,
            policy: None,
            dedup_segments: self.dedup.then(|| bounds.dedup_segments()),
            decode: bounds.decode(decode::Config {
                verify_checksums: self.verify_checksums,
                vxlan_ports: self.vxlan_port.clone(),
                key_holds_tunnel: self.flow_key == Key::Tunnel,
                ..decode::Config::default()
            }),
            flow: bounds.flow(),
            http: bounds.http(),
            s3: s3::Config {
                s3_hosts: self.s3_host.iter().map(|pattern| HostPattern::new(pattern)).collect(),
                endpoint_suffixes: self.endpoint_suffix.clone(),
                inventory: self.keys.inventory(),
                sums_only: false,
            },
        }
    }

    pub(super) fn limits(&self, max_hosts: NonZeroUsize) -> Limits {
        let limits = self.bounds.tally(max_hosts, self.label.contains(&Label::Bucket));
        Limits { keys: self.keys.limits(), ..limits }
    }
}
