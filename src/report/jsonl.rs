//! JSON Lines: one object per exchange, flat, `null` where something is not known.

use super::time::rfc3339;
use crate::policy::{Judgement, Outcome, Reason};
use crate::s3::{Finding, Mode, Operation, Record};
use serde::Serialize;
use std::net::IpAddr;

/// The fields of a line, in order.
#[derive(Serialize)]
struct Line<'r> {
    time: String,
    client_ip: IpAddr,
    client_port: u16,
    server_ip: IpAddr,
    server_port: u16,
    tunnel: Option<String>,
    host: &'r str,
    method: Option<&'r str>,
    target: Option<&'r str>,
    http_version: &'r str,
    status: Option<u16>,
    request_body_bytes: Option<u64>,
    response_body_bytes: Option<u64>,
    object_store: Option<&'r str>,
    operation: Option<&'r str>,
    bucket: Option<&'r str>,
    requested_mode: Option<&'r str>,
    applied_mode: Option<&'r str>,
    mismatch: Option<bool>,
    kms_key_id: Option<&'r str>,
    bucket_key_enabled: Option<bool>,
    content_type: Option<&'r str>,
    cache_control: Option<&'r str>,
    edge: Option<&'r str>,
    findings: Vec<&'r str>,
    request_seen: bool,
    response_seen: bool,
    #[serde(flatten)]
    judged: Option<Judged<'r>>,
}

/// The fields that there are where there is a policy.
#[derive(Serialize)]
struct Judged<'r> {
    policy_rule: &'r str,
    policy_outcome: &'r str,
    policy_reasons: Vec<&'r str>,
}

/// A record as one line, with its line feed, appended to `out`; and how it came out, where there is
/// a policy.
///
/// # Errors
///
/// None that are known; what the serializer has against it.
pub fn json_line(
    record: &Record,
    judgement: Option<&Judgement>,
    out: &mut Vec<u8>,
) -> serde_json::Result<()> {
    let judged = judgement.map(|Judgement { rule, outcome }| Judged {
        policy_rule: rule,
        policy_outcome: Outcome::as_str(*outcome),
        policy_reasons: outcome.reasons().iter().map(Reason::as_str).collect(),
    });
    let line = Line {
        time: rfc3339(record.time),
        client_ip: record.client.addr,
        client_port: record.client.port,
        server_ip: record.server.addr,
        server_port: record.server.port,
        tunnel: record.tunnel.map(|tunnel| tunnel.to_string()),
        host: &record.host,
        method: record.method.as_deref(),
        target: record.target.as_deref(),
        http_version: record.http_version,
        status: record.status,
        request_body_bytes: record.request_body_bytes,
        response_body_bytes: record.response_body_bytes,
        object_store: record.object_store.then_some("s3"),
        operation: record.operation.map(Operation::as_str),
        bucket: record.bucket.as_deref(),
        requested_mode: record.requested_mode.map(Mode::as_str),
        applied_mode: record.applied_mode.map(Mode::as_str),
        mismatch: record.mismatch,
        kms_key_id: record.kms_key_id.as_deref(),
        bucket_key_enabled: record.bucket_key_enabled,
        content_type: record.content_type.as_deref(),
        cache_control: record.cache_control.as_deref(),
        edge: record.edge,
        findings: record.findings.iter().copied().map(Finding::as_str).collect(),
        request_seen: record.request_seen,
        response_seen: record.response_seen,
        judged,
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.push(b'\n');
    Ok(())
}
