//! How the server does, as metrics.

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// In order, after an answer or more.
    Served,
    /// Without a question.
    Unused,
    /// By the peer, or the network, in the midst of a question or an answer.
    Broken,
    /// With something that is not HTTP, or has too long a head.
    Malformed,
    /// With something that is not TLS, or without a certificate that is wanted.
    TlsFailed,
    /// A step took too long.
    TimedOut,
    /// There were too many; its peer had the most.
    Displaced,
}

impl Outcome {
    const ALL: [Self; 7] = [
        Self::Served,
        Self::Unused,
        Self::Broken,
        Self::Malformed,
        Self::TlsFailed,
        Self::TimedOut,
        Self::Displaced,
    ];

    /// The label value.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Unused => "unused",
            Self::Broken => "broken",
            Self::Malformed => "malformed",
            Self::TlsFailed => "tls_failed",
            Self::TimedOut => "timed_out",
            Self::Displaced => "displaced",
        }
    }
}

/// The server's own metrics.
#[derive(Clone)]
pub(super) struct Counts {
    connections: IntCounterVec,
    responses: IntCounterVec,
    open: IntGauge,
    config_is_current: IntGauge,
}

impl Counts {
    /// Registers them; the last only where there is a web configuration.
    pub(super) fn new(registry: &Registry, has_config: bool) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str, label: &str| {
            IntCounterVec::new(Opts::new(format!("sealwatch_web_{name}"), help), &[label])
        };
        let help = "Connections to this server that ended, by how.";
        let connections = counter("connections_total", help, "outcome")?;
        for outcome in Outcome::ALL {
            connections.with_label_values(&[outcome.as_str()]);
        }
        let responses = counter("responses_total", "Answers of this server, by status.", "code")?;
        responses.with_label_values(&["200"]);
        let help = "Connections to this server that are open.";
        let open = IntGauge::new("sealwatch_web_connections_open", help)?;
        let help = "Whether --web.config.file was read in order when it was read last.";
        let name = "sealwatch_web_config_last_reload_successful";
        let config_is_current = IntGauge::new(name, help)?;
        config_is_current.set(1);
        registry.register(Box::new(connections.clone()))?;
        registry.register(Box::new(responses.clone()))?;
        registry.register(Box::new(open.clone()))?;
        if has_config {
            registry.register(Box::new(config_is_current.clone()))?;
        }
        Ok(Self { connections, responses, open, config_is_current })
    }

    pub(super) fn began(&self) {
        self.open.inc();
    }

    pub(super) fn ended(&self, outcome: Outcome) {
        self.open.dec();
        self.connections.with_label_values(&[outcome.as_str()]).inc();
    }

    pub(super) fn answered(&self, status: hyper::StatusCode) {
        self.responses.with_label_values(&[status.as_str()]).inc();
    }

    pub(super) fn read_config(&self, in_order: bool) {
        self.config_is_current.set(i64::from(in_order));
    }
}
