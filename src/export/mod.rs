//! export: from counts to Prometheus, and to whoever asks over HTTP.
//!
//! Takes a registry that the tally room filled, and summaries of it. Gives the one in the Prometheus
//! text format, to whoever calls or over HTTP and TLS ([`Server`]), the other as a page for people.
//! Promises what `promtool check metrics` asks for, that nothing that a wire chose is ever markup,
//! and that a slow or hostile scraper holds up nobody but itself: time, connections, memory and the
//! work of answering are bounded. Knows nothing of packets.

mod auth;
mod connection;
mod counts;
mod listen;
mod page;
mod server;
mod shared;
mod site;
mod tls;
mod web_config;

use prometheus::{Registry, TextEncoder};

pub use listen::Address;
pub use server::{Control, Server, ServerConfig, TelemetryPath};
pub use site::{Interface, Site};
pub use web_config::{WebConfig, WebConfigError};

/// Every metric of a registry in the Prometheus text exposition format, version 0.0.4
/// (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
///
/// # Errors
///
/// What the `prometheus` crate has against a metric.
pub fn text(registry: &Registry) -> prometheus::Result<String> {
    TextEncoder::new().encode_to_string(&registry.gather())
}
