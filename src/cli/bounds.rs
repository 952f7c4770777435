//! The options that say how much memory may be taken, and by what.

use crate::{decode, flow, http, tally};
use std::num::NonZeroUsize;

/// How many pairs of host and bucket get labels of their own.
const MAX_BUCKETS: &str = "65536";

#[derive(clap::Args)]
#[command(next_help_heading = "Bounds")]
pub(super) struct Bounds {
    /// Know at most so many connections at once; those worth the least are given up
    #[arg(long, value_name = "CONNECTIONS", default_value = "262144")]
    max_connections: NonZeroUsize,

    /// Know at most so many connections without data of one address
    #[arg(long, value_name = "CONNECTIONS", default_value = "16384")]
    max_half_open: NonZeroUsize,

    /// Hold at most so much of all connections, in MiB: payload out of order, unfinished heads,
    /// unanswered requests; those that hold the most give it up
    #[arg(long, value_name = "MIB", default_value_t = 192,
        value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    max_buffer: u32,

    /// Hold at most so much of one connection out of order, in KiB
    #[arg(long, value_name = "KIB", default_value_t = 4096,
        value_parser = clap::value_parser!(u32).range(64..=1_048_576))]
    max_connection_buffer: u32,

    /// Read heads of at most so many bytes
    #[arg(long, value_name = "BYTES", default_value_t = 65_536,
        value_parser = clap::value_parser!(u32).range(1024..=16_777_216))]
    max_head_bytes: u32,

    /// Read heads of at most so many fields
    #[arg(long, value_name = "FIELDS", default_value_t = 256,
        value_parser = clap::value_parser!(u16).range(16..=http::MAX_HEADER_FIELDS as i64))]
    max_header_fields: u16,

    /// Remember at most so many unanswered requests of one connection
    #[arg(long, value_name = "REQUESTS", default_value = "1024")]
    max_pipelined: NonZeroUsize,

    /// Hold at most so much of IP fragments, in KiB, for each thread that reads packets
    #[arg(long, value_name = "KIB", default_value_t = 4096,
        value_parser = clap::value_parser!(u32).range(128..=1_048_576))]
    max_fragment_buffer: u32,

    /// Know at most so many QUIC connections at once
    #[arg(long, value_name = "CONNECTIONS", default_value = "262144")]
    max_quic_connections: NonZeroUsize,

    /// With --label bucket: count at most so many pairs of host and bucket by name
    #[arg(long, value_name = "PAIRS", default_value = MAX_BUCKETS)]
    max_buckets: NonZeroUsize,

    /// Count names of at most so many bytes for themselves; the rest count as __other__
    #[arg(long, value_name = "BYTES", default_value_t = 255,
        value_parser = clap::value_parser!(u16).range(16..=4096))]
    max_label_bytes: u16,

    /// With --dedup: remember at most so many packets
    #[arg(long, value_name = "PACKETS", default_value = "65536")]
    max_dedup_packets: NonZeroUsize,
}

const fn bytes(count: u32, unit: usize) -> usize {
    (count as usize).saturating_mul(unit)
}

impl Bounds {
    pub(super) fn flow(&self) -> flow::Limits {
        flow::Limits {
            max_flows: self.max_connections.get(),
            max_empty_per_source: self.max_half_open.get(),
            max_connection_bytes: bytes(self.max_connection_buffer, 1 << 10),
            max_buffered_bytes: bytes(self.max_buffer, 1 << 20),
            max_quic_connections: self.max_quic_connections.get(),
            ..flow::Limits::default()
        }
    }

    pub(super) fn http(&self) -> http::Limits {
        http::Limits {
            max_head_bytes: bytes(self.max_head_bytes, 1),
            max_header_fields: usize::from(self.max_header_fields),
            max_pending_exchanges: self.max_pipelined.get(),
        }
    }

    pub(super) fn decode(&self, config: decode::Config) -> decode::Config {
        let max_fragment_bytes = bytes(self.max_fragment_buffer, 1 << 10);
        decode::Config { max_fragment_bytes, ..config }
    }

    pub(super) fn tally(&self, max_hosts: NonZeroUsize, by_bucket: bool) -> tally::Limits {
        tally::Limits {
            max_hosts: max_hosts.get(),
            max_buckets: by_bucket.then_some(self.max_buckets.get()),
            max_label_bytes: usize::from(self.max_label_bytes),
            keys: None,
        }
    }

    pub(super) const fn dedup_segments(&self) -> usize {
        self.max_dedup_packets.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, Command, FromArgMatches};

    #[test]
    fn the_defaults_are_those_of_the_rooms() {
        let command = Bounds::augment_args(Command::new("test")).no_binary_name(true);
        let matches = command.try_get_matches_from([""; 0]).unwrap();
        let bounds = Bounds::from_arg_matches(&matches).unwrap();
        assert_eq!(bounds.flow(), flow::Limits::default());
        assert_eq!(bounds.http(), http::Limits::default());
        let decode = decode::Config::default();
        let max_fragment_bytes = decode.max_fragment_bytes;
        assert_eq!(bounds.decode(decode).max_fragment_bytes, max_fragment_bytes);
        let limits = bounds.tally(NonZeroUsize::MIN, true);
        assert_eq!(limits.max_label_bytes, tally::Limits::default().max_label_bytes);
    }
}
