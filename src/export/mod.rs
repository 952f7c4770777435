//! export: from counts to Prometheus, and to whoever asks over HTTP.
//!
//! Takes a registry that the tally room filled. Gives it in the Prometheus text format, to
//! whoever calls or over HTTP and TLS ([`Server`]). Promises what `promtool check metrics` asks for,
//! and that a slow or hostile scraper holds up nobody but itself: time, connections, memory and the
//! work of answering are bounded. Knows nothing of packets.

mod auth;
mod connection;
mod counts;
mod listen;
mod server;
mod shared;
mod site;
mod tls;
mod web_config;

use prometheus::{Registry, TextEncoder};

pub use listen::Address;
pub use server::{Control, Server, ServerConfig, TelemetryPath};
pub use site::Site;
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
