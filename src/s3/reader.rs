//! The HTTP room's reader: from heads and exchanges to observations.

use super::address::{Endpoints, Host, HostPattern, INVALID_HOST, normalise};
use super::findings::{Finding, Findings};
use super::headers::Seen;
use super::judge::{self, Asked};
use super::keys::{Context, Inventory, Named, Side};
use super::known::Known;
use super::mode::Mode;
use super::operation::{Operation, Signature};
use super::place::{self, Buckets, Learned, Reading};
use super::record::{Ended, ObjectBytes, Record, Transfer};
use super::spare::Spare;
use super::target::{self, Target};
use super::{Observation, Subject};
use crate::flow::{Folding, Unfolding};
use crate::http::{Exchange, Headers, Peers, Reader, RequestHead, ResponseHead};
use crate::net::Timestamp;
use std::borrow::Cow;
use std::sync::Arc;

/// The most bytes of a response header field that are kept for a record.
const MAX_FIELD: usize = 256;

/// What is known of stores beforehand, and what is wanted of them.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Hosts that are object stores, whatever their traffic shows.
    pub s3_hosts: Vec<HostPattern>,
    /// Names under which buckets are hosts (`bucket.suffix`).
    pub endpoint_suffixes: Vec<String>,
    /// How much is observed of KMS keys.
    pub inventory: Inventory,
    /// Whether nobody wants records: [`Observation::Ended`] stands for [`Observation::Over`], and what only
    /// records say is not kept.
    pub sums_only: bool,
}

/// Reads heads and exchanges, and keeps what they mean until it is drained.
pub struct S3Reader {
    endpoints: Endpoints,
    /// Hosts, by what requests call them.
    hosts: Known<Host>,
    buckets: Buckets,
    inventory: Inventory,
    sums_only: bool,
    observations: Vec<Observation>,
    spare_requests: Spare<Request>,
    spare_responses: Spare<Response>,
}

/// What is remembered of a connection.
#[derive(Debug, Default)]
pub struct Connection {
    /// Whether it showed that it leads to an object store.
    store: bool,
    /// The host that was last named.
    host: Option<Arc<str>>,
    learned: Option<Learned>,
}

/// What is remembered of a request head.
#[derive(Debug)]
pub struct Request {
    time: Timestamp,
    method: Cow<'static, str>,
    target: Box<str>,
    minor_version: u8,
    host: Arc<str>,
    store: bool,
    reading: Reading,
    asked: Asked,
    kms_key_id: Option<Box<str>>,
    /// Where it is wanted.
    context: Option<Arc<Context>>,
    bucket_key_enabled: Option<bool>,
    requested: Option<Mode>,
    /// The object's length where the body has a framing of its own around it.
    object_len: ObjectLen,
    findings: Findings,
    unknown_value: Option<Box<str>>,
    /// What was reported already.
    reported: Findings,
}

/// How long the object in a request's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ObjectLen {
    /// As long as the body.
    Body,
    /// `aws-chunked`: as `x-amz-decoded-content-length` says.
    Decoded(Option<u64>),
}

/// What is remembered of a response head.
#[derive(Debug)]
pub struct Response {
    time: Timestamp,
    status: u16,
    minor_version: u8,
    /// The host where no request says it.
    host: Arc<str>,
    store: bool,
    operation: Option<Operation>,
    applied: Option<Mode>,
    mismatch: Option<bool>,
    kms_key_id: Option<Box<str>>,
    bucket_key_enabled: Option<bool>,
    content_type: Option<Box<str>>,
    cache_control: Option<Box<str>>,
    edge: Option<&'static str>,
    findings: Findings,
}

impl S3Reader {
    /// A reader that has seen nothing.
    pub fn new(config: &Config) -> Self {
        Self {
            endpoints: Endpoints::new(&config.endpoint_suffixes, &config.s3_hosts),
            hosts: Known::default(),
            buckets: Buckets::default(),
            inventory: config.inventory,
            sums_only: config.sums_only,
            observations: Vec::new(),
            spare_requests: Spare::default(),
            spare_responses: Spare::default(),
        }
    }

    /// Whether something was observed since the last call of [`drain`](Self::drain).
    pub fn has_observed(&self) -> bool {
        !self.observations.is_empty()
    }

    /// What was observed since the last call, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = Observation> {
        self.observations.drain(..)
    }

    /// Judges a request, once it is known to be an object store's. Does nothing while its
    /// operation is undecided, but for findings.
    fn judge_request(&mut self, connection: &mut Connection, request: &mut Request) {
        if request.asked.anything() {
            request.reading.path_is_key(&mut connection.learned, &request.host);
        }
        if let Some((operation, _)) = request.reading.settled() {
            let requested = judge::requested(operation, request.asked, &mut request.findings);
            if request.requested.is_none()
                && let Some(mode) = requested
            {
                request.requested = Some(mode);
                let subject = request.subject(request.time);
                self.observations.push(Observation::Requested { subject, mode });
                self.observe_request_keys(operation, request);
            }
        }
        for finding in request.findings.iter() {
            if request.reported.insert(finding) {
                let subject = request.subject(request.time);
                let value = match finding {
                    Finding::UnknownValue => request.unknown_value.take(),
                    _ => None,
                };
                self.observations.push(Observation::Found { subject, finding, value });
            }
        }
    }

    /// Observes what a request says of KMS keys, if its operation can ask for one.
    fn observe_request_keys(&mut self, operation: Option<Operation>, request: &Request) {
        let can_ask = operation.is_some_and(|operation| operation.carries().request_mode);
        if self.inventory == Inventory::Off || !can_ask {
            return;
        }
        let (key_id, context) = (request.kms_key_id.as_deref(), request.context.clone());
        let named = Named { side: Side::Requested, key_id, context };
        named.observe(|| request.subject(request.time), &mut self.observations);
    }

    /// Observes what a response says of KMS keys, if it is one that says what was applied: a 2xx, or
    /// a 304 (as for modes).
    fn observe_response_keys(&mut self, subject: &Subject, response: &Response, seen: &Seen<'_>) {
        if self.inventory == Inventory::Off || !matches!(response.status, 200..=299 | 304) {
            return;
        }
        let key_id = response.kms_key_id.as_deref();
        let named = Named { side: Side::Applied, key_id, context: self.context(seen) };
        named.observe(|| subject.clone(), &mut self.observations);
    }

    /// What a header says of an encryption context, where that is wanted.
    fn context(&self, seen: &Seen<'_>) -> Option<Arc<Context>> {
        let value = seen.context.filter(|_| self.inventory != Inventory::Off)?;
        Some(Arc::new(Context::read(value, self.inventory)))
    }

    /// Reports what a response says.
    fn report_response(
        &mut self,
        subject: &Subject,
        request: Option<&mut Request>,
        response: &Response,
        unknown_value: Option<&[u8]>,
    ) {
        let subject = || subject.clone();
        if let Some(mode) = response.applied {
            self.observations.push(Observation::Applied { subject: subject(), mode });
        }
        let requested = request.as_ref().and_then(|request| request.requested);
        if let (Some(true), Some(requested), Some(applied)) =
            (response.mismatch, requested, response.applied)
        {
            let subject = subject();
            self.observations.push(Observation::Mismatch { subject, requested, applied });
        }
        let could = response.operation.is_some_and(|operation| operation.carries().mode());
        if could && request.is_some() && (400..=599).contains(&response.status) {
            let status = response.status;
            self.observations.push(Observation::Refused { subject: subject(), status });
        }
        let mut alone = Findings::default();
        let reported = request.map_or(&mut alone, |request| &mut request.reported);
        for finding in response.findings.iter() {
            if reported.insert(finding) {
                let value = unknown_value.filter(|_| finding == Finding::UnknownValue);
                let value = value.map(printable);
                let subject = subject();
                self.observations.push(Observation::Found { subject, finding, value });
            }
        }
    }

    fn host(
        &mut self,
        connection: &mut Connection,
        peers: Peers,
        target: &Target<'_>,
        headers: Headers<'_>,
    ) -> Host {
        let mut named = headers.all("host").filter(|value| !value.is_empty());
        let said = match (target.authority, named.next()) {
            (Some(authority), _) => Some(authority.as_bytes()),
            (None, None) => return self.endpoints.host(connection.host(peers)),
            // RFC 9112 §3.2: a request with several is invalid.
            (None, Some(first)) => named.all(|other| other == first).then_some(first),
        };
        let endpoints = &self.endpoints;
        let make = |said| Some(endpoints.host(normalise(said)?.into()));
        let Some(host) = said.and_then(|said| self.hosts.of(said, || make(said))) else {
            return endpoints.host(INVALID_HOST.into());
        };
        if connection.host.as_ref().is_none_or(|last| !Arc::ptr_eq(last, &host.name)) {
            connection.host = Some(host.name.clone());
        }
        host
    }
}

impl Connection {
    /// The host that was last named, else the server's address.
    fn host(&self, peers: Peers) -> Arc<str> {
        self.host.clone().unwrap_or_else(|| peers.server.to_string().into())
    }
}

impl Request {
    fn subject(&self, time: Timestamp) -> Subject {
        let (operation, bucket) = self.reading.settled().unwrap_or((None, None));
        Subject {
            time,
            host: self.host.clone(),
            bucket: bucket.cloned(),
            operation: operation.unwrap_or(Operation::UNKNOWN),
        }
    }
}

impl Reader for S3Reader {
    type Connection = Connection;
    // Boxed, as each is moved a dozen times until its exchange is over.
    type Request = Box<Request>;
    type Response = Box<Response>;

    fn request_heap(request: &Self::Request) -> usize {
        let id = request.kms_key_id.as_ref().map_or(0, |id| id.len());
        let context = request.context.as_ref().map_or(0, |context| context.heap());
        let texts = request.method.len() + request.target.len() + request.host.len() + id;
        size_of::<Request>() + texts + context
    }

    fn response_heap(response: &Self::Response) -> usize {
        let Response { kms_key_id, content_type, cache_control, .. } = &**response;
        let texts = [kms_key_id, content_type, cache_control];
        let texts: usize = texts.into_iter().flatten().map(|text| text.len()).sum();
        size_of::<Response>() + texts
    }

    fn fold(connection: &Connection, to: &mut Folding) -> bool {
        let Connection { store, host, learned } = connection;
        let is_path = learned.as_ref().is_some_and(|learned| learned.path_style);
        to.flags([*store, learned.is_some(), is_path]);
        to.text(host.as_deref());
        learned.as_ref().is_none_or(|learned| host.as_ref() == Some(&learned.host))
    }

    fn unfold(&mut self, from: &mut Unfolding<'_>) -> Connection {
        let [store, has_learned, path_style] = from.flags();
        // Most requests call a host by the name under which it is counted.
        let shared = |name: &str| self.hosts.get(name.as_bytes()).map(|host| host.name.clone());
        let host = from.text().map(|name| {
            shared(name).filter(|known| **known == *name).unwrap_or_else(|| name.into())
        });
        let learned = host.clone().filter(|_| has_learned);
        Connection { store, learned: learned.map(|host| Learned { host, path_style }), host }
    }

    fn request(
        &mut self,
        connection: &mut Connection,
        peers: Peers,
        head: &RequestHead<'_>,
    ) -> Self::Request {
        let mut seen = Seen::of_request(head.headers);
        let target = Target::of(head.target, head.method == "CONNECT");
        let query = target.query();
        if query.mode {
            seen.findings.insert(Finding::ModeInQuery);
        }
        if query.customer_key {
            seen.findings.insert(Finding::CustomerKeyInClear);
        }
        let host = self.host(connection, peers, &target, head.headers);
        connection.store |= seen.sign || query.signed || host.store;
        let signature = Signature {
            method: head.method,
            subresource: query.subresource,
            one_of_several: query.has_id,
            copy: seen.copy_source,
            form: is_form(seen.content_type),
        };
        let learned = &mut connection.learned;
        let reading = place::read(&mut self.buckets, learned, &host, target.path, &signature);
        let context = self.context(&seen);
        let mut request = self.spare_requests.boxed(Request {
            time: head.time,
            method: method(head.method),
            target: if self.sums_only { Box::default() } else { target::redact(head.target) },
            minor_version: head.minor_version,
            host: host.name,
            store: connection.store,
            reading,
            asked: Asked { mode: seen.mode, customer_key: seen.customer_key },
            kms_key_id: seen.kms_key_id.map(text),
            context,
            bucket_key_enabled: seen.bucket_key_enabled,
            requested: None,
            object_len: object_len(head.headers),
            findings: seen.findings,
            unknown_value: seen.unknown.map(printable),
            reported: Findings::default(),
        });
        if request.store {
            self.judge_request(connection, &mut request);
        }
        request
    }

    fn response(
        &mut self,
        connection: &mut Connection,
        peers: Peers,
        mut request: Option<&mut Self::Request>,
        head: &ResponseHead<'_>,
    ) -> Self::Response {
        let seen = Seen::of(head.headers);
        connection.store |= seen.sign;
        if let Some(request) = &mut request
            && connection.store
        {
            request.store = true;
            learn_from_answer(connection, request, head, &seen);
            self.judge_request(connection, request);
        }
        let subject = match &request {
            Some(request) => request.subject(head.time),
            None => Subject {
                time: head.time,
                host: connection.host(peers),
                bucket: None,
                operation: Operation::UNKNOWN,
            },
        };
        let settled = request.as_ref().map(|request| request.reading.settled());
        let operation = settled.flatten().and_then(|(operation, _)| operation);
        let applied = judge::applied(operation, head.status, seen.applied());
        let requested = request.as_ref().and_then(|request| request.requested);
        let response = self.spare_responses.boxed(Response {
            time: head.time,
            status: head.status,
            minor_version: head.minor_version,
            host: subject.host.clone(),
            store: connection.store,
            operation,
            applied: applied.filter(|_| connection.store),
            mismatch: judge::mismatch(operation, head.status, requested, applied),
            kms_key_id: seen.kms_key_id.map(text),
            bucket_key_enabled: seen.bucket_key_enabled,
            content_type: seen.content_type.filter(|_| !self.sums_only).map(short),
            cache_control: seen.cache_control.filter(|_| !self.sums_only).map(short),
            edge: seen.edge_id.map(|_| "cloudfront"),
            findings: seen.findings,
        });
        if response.store {
            let request = request.map(|request| &mut **request);
            self.report_response(&subject, request, &response, seen.unknown);
            self.observe_response_keys(&subject, &response, &seen);
        }
        response
    }

    fn over(
        &mut self,
        connection: &mut Connection,
        peers: Peers,
        exchange: Exchange<Self::Request, Self::Response>,
    ) {
        let ended = ended(connection, peers, &exchange);
        if !self.sums_only {
            let record = Box::new(record(ended, peers, exchange));
            return self.observations.push(Observation::Over(record));
        }
        self.observations.push(Observation::Ended(ended));
        self.spare_requests.keep(exchange.request);
        self.spare_responses.keep(exchange.response);
    }
}

/// What an answer shows about where its request pointed.
fn learn_from_answer(
    connection: &mut Connection,
    request: &mut Request,
    head: &ResponseHead<'_>,
    seen: &Seen<'_>,
) {
    let success = (200..=299).contains(&head.status);
    let carries_mode = seen.applied().is_some() && (success || head.status == 304);
    let tagged = success && seen.etag.is_some();
    if carries_mode || tagged {
        request.reading.path_is_key(&mut connection.learned, &request.host);
    }
    if carries_mode {
        request.reading.answer_is_about_object();
    }
}

/// A browser form (RFC 7578), as PostObject takes it.
fn is_form(content_type: Option<&[u8]>) -> bool {
    const FORM: &[u8] = b"multipart/form-data";
    let kind = content_type.and_then(|value| value.get(..FORM.len()));
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case(FORM))
}

/// Source: Amazon S3 API Reference, "Signature Calculations for the Authorization Header:
/// Transferring Payload in Multiple Chunks".
fn object_len(headers: Headers<'_>) -> ObjectLen {
    let mut codings = headers.all("content-encoding").flat_map(|value| value.split(|b| *b == b','));
    let streamed =
        headers.first("x-amz-content-sha256").is_some_and(|value| value.starts_with(b"STREAMING-"))
            || codings.any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"aws-chunked"));
    if !streamed {
        return ObjectLen::Body;
    }
    let decoded = headers.first("x-amz-decoded-content-length");
    let number = decoded.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    ObjectLen::Decoded(number)
}

/// What is counted of an exchange.
fn ended(
    connection: &Connection,
    peers: Peers,
    exchange: &Exchange<Box<Request>, Box<Response>>,
) -> Ended {
    let Exchange { request, response, request_body_bytes, response_body_bytes } = exchange;
    let (asked, answered) = (request.as_deref(), response.as_deref());
    let object_store = match asked {
        Some(request) => request.store,
        None => answered.is_some_and(|response| response.store),
    };
    let bucket = asked.and_then(|request| request.reading.settled()?.1);
    let object_bytes = object_bytes(asked, answered, *request_body_bytes, *response_body_bytes);
    let named = asked.map(|request| &request.host).or(answered.map(|response| &response.host));
    Ended {
        time: asked.map(|r| r.time).or(answered.map(|r| r.time)).unwrap_or_default(),
        host: named.cloned().unwrap_or_else(|| connection.host(peers)),
        bucket: bucket.filter(|_| object_store).cloned(),
        object_store,
        object_bytes: object_bytes.filter(|_| object_store),
    }
}

/// The record of an exchange, of which `ended` is counted.
fn record(ended: Ended, peers: Peers, exchange: Exchange<Box<Request>, Box<Response>>) -> Record {
    let Exchange { mut request, mut response, request_body_bytes, response_body_bytes } = exchange;
    let Ended { time, host, bucket, object_store, object_bytes } = ended;
    let (asked, answered) = (request.as_deref(), response.as_deref());
    let settled = asked.and_then(|request| request.reading.settled());
    let operation = match (asked, answered) {
        (Some(_), _) => settled.and_then(|(operation, _)| operation),
        (None, response) => response.and_then(|r| r.applied).map(|_| Operation::UNKNOWN),
    };
    let minor_version = asked.map(|r| r.minor_version).or(answered.map(|r| r.minor_version));
    let mut findings = answered.map_or(Findings::default(), |response| response.findings);
    findings.add(asked.map_or(Findings::default(), |request| request.findings));
    Record {
        time,
        client: peers.client,
        server: peers.server,
        tunnel: peers.tunnel,
        host,
        http_version: if minor_version == Some(0) { "1.0" } else { "1.1" },
        status: answered.map(|response| response.status),
        request_body_bytes,
        response_body_bytes,
        object_bytes,
        object_store,
        operation: operation.filter(|_| object_store),
        bucket,
        requested_mode: asked.and_then(|request| request.requested),
        applied_mode: answered.and_then(|response| response.applied),
        mismatch: answered.and_then(|response| response.mismatch),
        bucket_key_enabled: answered
            .and_then(|response| response.bucket_key_enabled)
            .or(asked.and_then(|request| request.bucket_key_enabled)),
        edge: answered.and_then(|response| response.edge),
        findings: if object_store { findings.iter().collect() } else { Vec::new() },
        request_seen: asked.is_some(),
        response_seen: answered.is_some(),
        kms_key_id: response
            .as_mut()
            .and_then(|response| response.kms_key_id.take())
            .or_else(|| request.as_mut().and_then(|request| request.kms_key_id.take())),
        content_type: response.as_mut().and_then(|response| response.content_type.take()),
        cache_control: response.as_mut().and_then(|response| response.cache_control.take()),
        target: request.as_mut().map(|request| std::mem::take(&mut request.target)),
        method: request.map(|request| request.method),
    }
}

/// The object data that a successful exchange moved.
fn object_bytes(
    request: Option<&Request>,
    response: Option<&Response>,
    request_body_bytes: Option<u64>,
    response_body_bytes: Option<u64>,
) -> Option<ObjectBytes> {
    let (request, response) = (request?, response?);
    let mode = response.applied?;
    if !(200..=299).contains(&response.status) {
        return None;
    }
    match response.operation? {
        Operation::GET_OBJECT => {
            let bytes = response_body_bytes?;
            Some(ObjectBytes { direction: Transfer::Read, mode, bytes })
        }
        Operation::PUT_OBJECT | Operation::UPLOAD_PART => {
            let transferred = request_body_bytes?;
            let bytes = match request.object_len {
                ObjectLen::Body => transferred,
                ObjectLen::Decoded(decoded) => decoded?,
            };
            Some(ObjectBytes { direction: Transfer::Write, mode, bytes })
        }
        _ => None,
    }
}

/// A method as it was spelled; the common ones take no memory.
fn method(spelled: &str) -> Cow<'static, str> {
    const COMMON: [&str; 5] = ["GET", "PUT", "HEAD", "POST", "DELETE"];
    let common = COMMON.into_iter().find(|common| *common == spelled);
    common.map_or_else(|| Cow::Owned(spelled.to_owned()), Cow::Borrowed)
}

/// A field's value as text; what is no UTF-8 is replaced.
fn text(value: &[u8]) -> Box<str> {
    match std::str::from_utf8(value) {
        Ok(text) => text.into(),
        Err(_) => String::from_utf8_lossy(value).into(),
    }
}

fn short(value: &[u8]) -> Box<str> {
    text(&value[..value.len().min(MAX_FIELD)])
}

/// A value that may be shown on a terminal: control characters are escaped.
fn printable(value: &[u8]) -> Box<str> {
    value.escape_ascii().to_string().into()
}
