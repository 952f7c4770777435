//! What a record says of an exchange.

use super::{Finding, Mode, Operation};
use crate::net::{Endpoint, Timestamp, Tunnel};
use std::borrow::Cow;
use std::sync::Arc;

/// Everything that a record says of an exchange (the fields of one JSON Lines object).
/// `None` where it is not known. Secrets have been taken out of `target`.
#[derive(Clone, Debug)]
pub struct Record {
    /// The packet time of the exchange's first byte.
    pub time: Timestamp,
    /// The end that asks.
    pub client: Endpoint,
    /// The end that answers.
    pub server: Endpoint,
    /// What the first packet seen of the connection was wrapped in.
    pub tunnel: Option<Tunnel>,
    /// The host, as in [`Subject::host`](super::Subject::host).
    pub host: Arc<str>,
    /// The request's method.
    pub method: Option<Cow<'static, str>>,
    /// The request's target, secrets replaced by `REDACTED`.
    pub target: Option<Box<str>>,
    /// `1.0` or `1.1`: the request's, else the response's.
    pub http_version: &'static str,
    /// The final status.
    pub status: Option<u16>,
    /// Request body bytes as transferred, without chunk framing.
    pub request_body_bytes: Option<u64>,
    /// Response body bytes as transferred, without chunk framing.
    pub response_body_bytes: Option<u64>,
    /// Bytes of the object itself that a successful exchange moved, and which way, where the
    /// exchange moved an object's data.
    pub object_bytes: Option<ObjectBytes>,
    /// Whether this is an object-store exchange.
    pub object_store: bool,
    /// The operation; `None` on plain HTTP.
    pub operation: Option<Operation>,
    /// The bucket, where the address shows one.
    pub bucket: Option<Arc<str>>,
    /// What was asked for; `None` where nothing could be.
    pub requested_mode: Option<Mode>,
    /// What was applied; `None` where nothing could be.
    pub applied_mode: Option<Mode>,
    /// Whether applied differs from requested; `None` where that cannot be judged.
    pub mismatch: Option<bool>,
    /// The KMS key that the response names, else the request.
    pub kms_key_id: Option<Box<str>>,
    /// Whether an S3 bucket key is used, from the response, else the request.
    pub bucket_key_enabled: Option<bool>,
    /// The response's `Content-Type`.
    pub content_type: Option<Box<str>>,
    /// The response's `Cache-Control`.
    pub cache_control: Option<Box<str>>,
    /// The content delivery network in front, where it shows itself (`cloudfront`).
    pub edge: Option<&'static str>,
    /// What was odd, sorted, each kind once.
    pub findings: Vec<Finding>,
    /// Whether the request's head was seen.
    pub request_seen: bool,
    /// Whether the response's head was seen.
    pub response_seen: bool,
}

/// What is counted of an exchange that is over. The fields are those of [`Record`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The packet time of the exchange's first byte.
    pub time: Timestamp,
    /// The host.
    pub host: Arc<str>,
    /// The bucket, where the address shows one.
    pub bucket: Option<Arc<str>>,
    /// Whether this is an object-store exchange.
    pub object_store: bool,
    /// Bytes of the object itself, where the exchange moved an object's data.
    pub object_bytes: Option<ObjectBytes>,
}

impl Record {
    /// An exchange with an object store of which both messages were seen, and nothing else is known.
    pub(crate) fn between(client: Endpoint, server: Endpoint, host: &str) -> Self {
        Self {
            time: Timestamp::default(),
            client,
            server,
            tunnel: None,
            host: host.into(),
            method: None,
            target: None,
            http_version: "1.1",
            status: None,
            request_body_bytes: None,
            response_body_bytes: None,
            object_bytes: None,
            object_store: true,
            operation: None,
            bucket: None,
            requested_mode: None,
            applied_mode: None,
            mismatch: None,
            kms_key_id: None,
            bucket_key_enabled: None,
            content_type: None,
            cache_control: None,
            edge: None,
            findings: Vec::new(),
            request_seen: true,
            response_seen: true,
        }
    }
}

/// Object data that an exchange moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectBytes {
    /// From the store (`read`) or to it (`write`).
    pub direction: Transfer,
    /// The mode under which they are counted: the applied one, where it is known.
    pub mode: Mode,
    /// How many: of the object, so without the framing that `aws-chunked` adds.
    pub bytes: u64,
}

/// Which way object data went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transfer {
    /// From the store.
    Read,
    /// To the store.
    Write,
}

impl Transfer {
    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}
