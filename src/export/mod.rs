//! export: from counts to Prometheus, and to whoever asks over HTTP.
//!
//! Takes a registry that the tally room filled. Gives it in the Prometheus text format, to
//! whoever calls or over HTTP ([`Server`]). Promises what `promtool check metrics` asks for, and
//! that a slow or hostile scraper holds up nobody but itself. Knows nothing of packets.

mod server;
mod site;

use prometheus::{Registry, TextEncoder};

pub use server::Server;
pub use site::Site;

/// Every metric of a registry in the Prometheus text exposition format, version 0.0.4
/// (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
///
/// # Errors
///
/// What the `prometheus` crate has against a metric.
pub fn text(registry: &Registry) -> prometheus::Result<String> {
    TextEncoder::new().encode_to_string(&registry.gather())
}
