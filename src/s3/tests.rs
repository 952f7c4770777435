use super::*;
use crate::http::{Exchange, Field, Headers, Peers, Reader, RequestHead, ResponseHead};
use crate::net::Endpoint;
use std::net::IpAddr;

/// A connection to an address that says nothing about its style.
struct Talk {
    reader: S3Reader,
    connection: reader::Connection,
}

/// An exchange in a line each: `PUT /b/k` or `PUT /b/k name: value|name: value`; `200` likewise.
struct Said {
    record: Record,
    /// The observations but the last, which is the record.
    seen: Vec<String>,
}

fn fields(line: &str) -> Vec<(String, String)> {
    let pair = |field: &str| {
        let (name, value) = field.split_once(": ").unwrap_or((field, ""));
        (name.to_owned(), value.to_owned())
    };
    line.split('|').filter(|field| !field.is_empty()).map(pair).collect()
}

fn parsed(fields: &[(String, String)]) -> Vec<Field<'_>> {
    fields.iter().map(|(name, value)| Field::new(name.as_bytes(), value.as_bytes())).collect()
}

fn peers() -> Peers {
    let at = |host, port| Endpoint::new(IpAddr::from([192, 0, 2, host]), port);
    Peers { client: at(1, 4000), server: at(2, 9000), tunnel: None }
}

impl Talk {
    fn new() -> Self {
        Self::with(&Config::default())
    }

    fn with(config: &Config) -> Self {
        Self { reader: S3Reader::new(config), connection: reader::Connection::default() }
    }

    fn exchange(&mut self, request: &str, response: &str) -> Said {
        let request = (!request.is_empty()).then(|| self.request(request));
        self.finish(request, response)
    }

    fn request(&mut self, line: &str) -> Box<reader::Request> {
        let mut parts = line.splitn(3, ' ');
        let (method, target) = (parts.next().unwrap(), parts.next().unwrap());
        let fields = fields(parts.next().unwrap_or_default());
        let fields = parsed(&fields);
        let headers = Headers::new(&fields);
        let time = Timestamp::from_nanos(1);
        let head = RequestHead { time, method, target, minor_version: 1, headers };
        self.reader.request(&mut self.connection, peers(), &head)
    }

    fn finish(&mut self, request: Option<Box<reader::Request>>, line: &str) -> Said {
        let mut observations = self.observed(request, line);
        let Some(Observation::Over(record)) = observations.pop() else { panic!("no record") };
        Said { record: *record, seen: observations.iter().map(shown).collect() }
    }

    fn observed(
        &mut self,
        mut request: Option<Box<reader::Request>>,
        line: &str,
    ) -> Vec<Observation> {
        let response = (!line.is_empty()).then(|| {
            let (status, rest) = line.split_once(' ').unwrap_or((line, ""));
            let fields = fields(rest);
            let fields = parsed(&fields);
            let headers = Headers::new(&fields);
            let time = Timestamp::from_nanos(2);
            let status = status.parse().unwrap();
            let head = ResponseHead { time, status, minor_version: 1, headers };
            self.reader.response(&mut self.connection, peers(), request.as_mut(), &head)
        });
        let exchange = Exchange {
            request,
            response,
            request_body_bytes: Some(10),
            response_body_bytes: Some(20),
        };
        self.reader.over(&mut self.connection, peers(), exchange);
        self.reader.drain().collect()
    }
}

fn shown(observation: &Observation) -> String {
    let of = |subject: &Subject| subject.operation.as_str();
    match observation {
        Observation::Requested { subject, mode } => {
            format!("asked {} {}", of(subject), mode.as_str())
        }
        Observation::Applied { subject, mode } => {
            format!("applied {} {}", of(subject), mode.as_str())
        }
        Observation::Mismatch { requested, applied, .. } => {
            format!("mismatch {} {}", requested.as_str(), applied.as_str())
        }
        Observation::Refused { subject, status } => format!("refused {} {status}", of(subject)),
        Observation::Found { finding, value: Some(value), .. } => {
            format!("found {} {value}", finding.as_str())
        }
        Observation::Found { finding, .. } => format!("found {}", finding.as_str()),
        Observation::Keyed { subject, side, key_id } => {
            format!("key {} {} {key_id}", side.as_str(), of(subject))
        }
        Observation::InContext { side, context, .. } => format!("{} {context:?}", side.as_str()),
        Observation::Over(_) | Observation::Ended(_) => "over".to_owned(),
    }
}

const SIGNED: &str = "Authorization: AWS4-HMAC-SHA256 x";
const SSE: &str = "x-amz-server-side-encryption";

#[test]
fn every_operation_counts_what_its_messages_can_carry() {
    let customer = format!("{SSE}-customer-algorithm: AES256");
    let cases: &[(&str, &str, &[&str])] = &[
        ("PUT /b/k", "200", &["asked PutObject none", "applied PutObject none"]),
        (
            "PUT /b/k SSE: AES256",
            "200 SSE: AES256",
            &["asked PutObject AES256", "applied PutObject AES256"],
        ),
        (
            "PUT /b/k SSE: AES256",
            "200",
            &["asked PutObject AES256", "applied PutObject none", "mismatch AES256 none"],
        ),
        ("PUT /b/k SSE: aws:kms", "403", &["asked PutObject aws:kms", "refused PutObject 403"]),
        ("PUT /b/k CUST", "200 CUST", &["asked PutObject SSE-C", "applied PutObject SSE-C"]),
        (
            "PUT /b/k CUST",
            "200",
            &["asked PutObject SSE-C", "applied PutObject none", "mismatch SSE-C none"],
        ),
        (
            "PUT /b/k SSE: AES256|CUST",
            "400",
            &["asked PutObject other", "found conflicting_headers", "refused PutObject 400"],
        ),
        (
            "PUT /b/k x-amz-copy-source: /b/l",
            "200 SSE: AES256",
            &["asked CopyObject none", "applied CopyObject AES256"],
        ),
        (
            "POST /b/k?uploads",
            "200",
            &["asked CreateMultipartUpload none", "applied CreateMultipartUpload none"],
        ),
        ("PUT /b/k?partNumber=1&uploadId=u", "200 SSE: aws:kms", &["applied UploadPart aws:kms"]),
        (
            "POST /b/k?uploadId=u CUST",
            "200",
            &["asked CompleteMultipartUpload SSE-C", "applied CompleteMultipartUpload none"],
        ),
        ("GET /b/k", "200 SSE: aws:kms:dsse", &["applied GetObject aws:kms:dsse"]),
        ("GET /b/k", "206", &["applied GetObject none"]),
        ("GET /b/k", "304", &[]),
        ("GET /b/k", "304 SSE: AES256", &["applied GetObject AES256"]),
        ("GET /b/k", "404", &["refused GetObject 404"]),
        ("GET /b/k", "403 SSE: AES256", &["refused GetObject 403"]),
        ("HEAD /b/k CUST", "200 CUST", &["asked HeadObject SSE-C", "applied HeadObject SSE-C"]),
        ("GET /b/k SSE: AES256", "400", &["found misplaced_header", "refused GetObject 400"]),
        ("GET /b/k?attributes CUST", "200", &["asked GetObjectAttributes SSE-C"]),
        ("GET /b?list-type=2", "200", &[]),
        ("PUT /b", "200", &[]),
        ("PUT /b SSE: AES256", "200", &["found misplaced_header"]),
        ("DELETE /b/k", "204", &[]),
        ("DELETE /b/k", "500", &[]),
        ("PUT /b/k?acl SSE: AES256", "200", &["found misplaced_header"]),
        (
            "POST /b Content-Type: multipart/form-data; boundary=x",
            "204 SSE: AES256",
            &["applied PostObject AES256"],
        ),
        (
            "GET /b?session SSE: aws:kms",
            "200 SSE: aws:kms",
            &["asked CreateSession aws:kms", "applied CreateSession aws:kms"],
        ),
        (
            "PUT /b/k?x-amz-server-side-encryption=AES256",
            "200 SSE: AES256",
            &["asked PutObject none", "found mode_in_query", "applied PutObject AES256"],
        ),
        (
            "PUT /b/k SSE: ROT13",
            "200 SSE: ROT13",
            &["asked PutObject other", "found unknown_value ROT13", "applied PutObject other"],
        ),
        (
            "PUT /b/k SSE: aes256",
            "200 SSE: AES256",
            &["asked PutObject AES256", "found nonstandard_case", "applied PutObject AES256"],
        ),
    ];
    for (request, response, expected) in cases {
        let spelled =
            |line: &str| line.replace("SSE:", &format!("{SSE}:")).replace("CUST", &customer);
        let joint = if request.contains(": ") { '|' } else { ' ' };
        let request = format!("{}{joint}{SIGNED}", spelled(request));
        let said = Talk::new().exchange(&request, &spelled(response));
        assert_eq!(said.seen, *expected, "{request}");
        assert!(said.record.object_store);
    }
}

#[test]
fn plain_http_is_counted_in_no_mode() {
    let said = Talk::new().exchange("GET /page?a=b Host: example.com", "200 ETag: \"1\"");
    assert_eq!(said.seen, [""; 0]);
    assert!(!said.record.object_store);
    assert_eq!((said.record.operation, said.record.applied_mode), (None, None));
    assert_eq!(&*said.record.host, "example.com");
}

#[test]
fn any_sign_on_either_side_makes_it_an_object_store_from_then_on() {
    for (request, response) in [
        ("GET /b/k x-amz-date: 1", "200"),
        ("GET /b/k", "200 x-amz-request-id: 1"),
        ("GET /b/k", "200 Server: AmazonS3"),
        ("GET /b/k?X-Amz-Signature=1", "200"),
        ("GET /b/k?AWSAccessKeyId=1&Signature=2", "200"),
        ("GET /k Host: b.s3.eu-west-1.amazonaws.com", "200"),
    ] {
        let mut talk = Talk::new();
        let said = talk.exchange(request, response);
        assert_eq!(said.seen, ["applied GetObject none"], "{request} {response}");
        assert_eq!(talk.exchange("GET /b/k Host: plain", "200").seen, ["applied GetObject none"]);
    }
    let config = Config { s3_hosts: vec![HostPattern::new("*.internal")], ..Config::default() };
    let said = Talk::with(&config).exchange("GET /b/k Host: store.internal", "200");
    assert_eq!(said.seen, ["applied GetObject none"]);
}

#[test]
fn a_request_counts_before_its_answer_and_late_where_only_the_answer_shows_a_store() {
    let mut talk = Talk::new();
    let request = talk.request(&format!("PUT /b/k {SIGNED}|{SSE}: AES256"));
    let seen: Vec<_> = talk.reader.drain().map(|observation| shown(&observation)).collect();
    assert_eq!(seen, ["asked PutObject AES256"]);
    assert_eq!(talk.finish(Some(request), "").record.status, None);
    let said = Talk::new().exchange("PUT /b/k", "200 x-amz-request-id: 1");
    assert_eq!(said.seen, ["asked PutObject none", "applied PutObject none"]);
}

#[test]
fn where_nobody_wants_records_the_same_is_observed_and_what_a_record_would_count() {
    let config = Config { sums_only: true, ..Config::default() };
    for (request, response) in [
        ("PUT /b/k Host: a.test|x-amz-server-side-encryption: AES256", "200"),
        ("GET /b/k Host: a.test", "200 x-amz-server-side-encryption: aws:kms"),
        ("GET /b/k Host: a.test", "200"),
        ("GET /b/k", "404 x-amz-request-id: 1"),
        ("PUT /b/k x-amz-server-side-encryption: AES256", ""),
        ("", "200 x-amz-server-side-encryption: AES256"),
        ("", "200"),
    ] {
        let said = Talk::new().exchange(request, response);
        let mut talk = Talk::with(&config);
        let request = (!request.is_empty()).then(|| talk.request(request));
        let mut observed = talk.observed(request, response);
        let Some(Observation::Ended(ended)) = observed.pop() else { panic!("{response}") };
        let Record { time, host, bucket, object_store, object_bytes, .. } = said.record;
        assert_eq!(ended, Ended { time, host, bucket, object_store, object_bytes });
        assert_eq!(observed.iter().map(shown).collect::<Vec<_>>(), said.seen);
    }
}

#[test]
fn an_answer_without_its_request_counts_only_what_it_carries() {
    let mut talk = Talk::new();
    assert_eq!(talk.exchange("", "200 x-amz-request-id: 1").seen, [""; 0]);
    let said = talk.exchange("", &format!("200 {SSE}: aws:kms"));
    assert_eq!(said.seen, ["applied unknown aws:kms"]);
    assert_eq!(&*said.record.host, "192.0.2.2:9000");
    assert_eq!(said.record.operation, Some(Operation::UNKNOWN));
    assert_eq!(talk.exchange("", &format!("304 {SSE}: AES256")).seen, ["applied unknown AES256"]);
    assert_eq!(talk.exchange("", "404 x-amz-request-id: 1").seen, [""; 0]);
    talk.exchange("GET /b/k Host: Store.Test:80", "200");
    assert_eq!(&*talk.exchange("", "200").record.host, "store.test");
}

#[test]
fn a_path_of_one_component_behind_a_name_that_says_nothing_waits_for_evidence() {
    let host = format!("Host: cdn.example.com|{SIGNED}");
    let get = |path: &str| format!("GET {path} {host}");
    let mut talk = Talk::new();
    assert_eq!(talk.exchange(&get("/x"), "200").seen, [""; 0]);
    assert_eq!(talk.exchange(&get("/x"), "404").seen, [""; 0]);
    let two = talk.exchange(&get("/x/y"), "200");
    assert_eq!((two.seen, two.record.bucket), (vec!["applied GetObject none".to_owned()], None));
    // An ETag shows a key, and the connection keeps that reading.
    assert_eq!(talk.exchange(&get("/x"), "200 ETag: \"1\"").seen, ["applied GetObject none"]);
    assert_eq!(talk.exchange(&get("/x"), "404").seen, ["refused GetObject 404"]);
    let put = format!("PUT /x {host}|{SSE}: AES256");
    assert_eq!(talk.exchange(&put, "").seen, ["asked PutObject AES256"]);
    // For that host only.
    assert_eq!(talk.exchange("GET /x Host: other.example.com", "404").seen, [""; 0]);
    // So does a mode, on either side.
    let said = Talk::new().exchange(&get("/"), &format!("200 {SSE}: AES256"));
    assert_eq!(said.seen, ["applied GetObject AES256"]);
    assert_eq!(Talk::new().exchange(&put, "").seen, ["asked PutObject AES256"]);
}

#[test]
fn a_query_that_only_a_bucket_has_settles_the_style() {
    let host = format!("Host: store.example.com|{SIGNED}");
    let mut talk = Talk::new();
    let listed = talk.exchange(&format!("GET /b?list-type=2 {host}"), "200");
    assert_eq!(listed.record.operation.map(Operation::as_str), Some("ListObjectsV2"));
    assert_eq!(listed.record.bucket.as_deref(), Some("b"));
    let said = talk.exchange(&format!("GET /b/k {host}"), "200");
    assert_eq!(said.record.bucket.as_deref(), Some("b"));
    let mut talk = Talk::new();
    talk.exchange(&format!("GET /?list-type=2 {host}"), "200");
    assert_eq!(talk.exchange(&format!("GET /k {host}"), "200").seen, ["applied GetObject none"]);
}

#[test]
fn hosts_come_from_the_target_then_from_the_field() {
    let host = |request: &str| Talk::new().exchange(request, "").record.host.to_string();
    assert_eq!(host("GET http://A.test:80/b/k Host: b.test"), "a.test");
    assert_eq!(host("GET /b/k Host: B.test."), "b.test");
    assert_eq!(host("GET /b/k Host: a b"), INVALID_HOST);
    assert_eq!(host("GET /b/k Host: a|Host: b"), INVALID_HOST);
    assert_eq!(host("GET /b/k"), "192.0.2.2:9000");
    assert_eq!(host("CONNECT a.test:443 Host: b.test"), "a.test:443");
}

#[test]
fn buckets_are_read_by_suffix() {
    let endpoint_suffixes = vec!["s3.store.test".to_owned()];
    let mut talk = Talk::with(&Config { endpoint_suffixes, ..Config::default() });
    let bucket = |said: Said| said.record.bucket.map(|bucket| bucket.to_string());
    let mut get = |request: &str| bucket(talk.exchange(request, "200"));
    assert_eq!(get("GET /k Host: my.bucket.s3.store.test:7480").as_deref(), Some("my.bucket"));
    assert_eq!(get("GET /b/k Host: s3.store.test:7480").as_deref(), Some("b"));
    assert_eq!(get("GET /b%2Dc/k Host: 192.0.2.2").as_deref(), Some("b-c"));
    assert_eq!(get("GET /%00/k Host: 192.0.2.2"), None);
}

#[test]
fn object_bytes_are_the_objects_own() {
    let bytes = |request: &str, response: &str| {
        let said = Talk::new().exchange(&format!("{request}{SIGNED}"), response);
        said.record.object_bytes.map(|o| (o.direction.as_str(), o.mode.as_str(), o.bytes))
    };
    assert_eq!(bytes("GET /b/k ", &format!("200 {SSE}: AES256")), Some(("read", "AES256", 20)));
    assert_eq!(bytes("PUT /b/k ", "200"), Some(("write", "none", 10)));
    let chunked = "Content-Encoding: gzip,aws-chunked";
    assert_eq!(
        bytes(&format!("PUT /b/k {chunked}|x-amz-decoded-content-length: 7|"), "200"),
        Some(("write", "none", 7))
    );
    assert_eq!(bytes(&format!("PUT /b/k {chunked}|"), "200"), None);
    assert_eq!(bytes("PUT /b/k ", "403"), None);
    assert_eq!(bytes("HEAD /b/k ", "200"), None);
}

#[test]
fn a_record_holds_no_secret() {
    let request = format!(
        "PUT /b/k?X-Amz-Signature=SECRET&X-Amz-Credential=SECRET&X-Amz-Security-Token=SECRET \
         Host: u:SECRET@h|Authorization: AWS4-HMAC-SHA256 SECRET|{SSE}-customer-key: SECRET|\
         {SSE}-customer-key-MD5: SECRET|x-amz-copy-source-server-side-encryption-customer-key: SECRET|\
         {SSE}-context: SECRET|x-amz-security-token: SECRET|Cookie: SECRET"
    );
    let said = Talk::new().exchange(&request, "200 Set-Cookie: SECRET");
    assert!(!format!("{:?} {:?}", said.record, said.seen).contains("SECRET"));
    assert!(said.record.findings.contains(&Finding::CustomerKeyInClear));
}

#[test]
fn a_response_names_the_key_and_the_edge() {
    let said = Talk::new().exchange(
        &format!("PUT /b/k {SIGNED}|{SSE}: aws:kms|{SSE}-aws-kms-key-id: asked"),
        &format!("200 {SSE}: aws:kms|{SSE}-aws-kms-key-id: applied|{SSE}-bucket-key-enabled: true|x-amz-cf-id: c|Content-Type: text/plain|Cache-Control: no-store"),
    );
    let record = said.record;
    assert_eq!(record.kms_key_id.as_deref(), Some("applied"));
    assert_eq!((record.bucket_key_enabled, record.edge), (Some(true), Some("cloudfront")));
    assert_eq!(record.content_type.as_deref(), Some("text/plain"));
    assert_eq!(record.cache_control.as_deref(), Some("no-store"));
    assert_eq!(record.mismatch, Some(false));
}

/// What is observed of keys and contexts.
fn keys(inventory: Inventory, request: &str, response: &str) -> Vec<String> {
    let mut talk = Talk::with(&Config { inventory, ..Config::default() });
    let mut seen = talk.exchange(request, response).seen;
    seen.retain(|seen| seen.starts_with("key ") || seen.contains("Pairs") || seen.contains("Malf"));
    seen
}

#[test]
fn keys_are_observed_where_they_can_be_asked_for_and_where_a_success_names_them() {
    let id = format!("{SSE}-aws-kms-key-id");
    let of = |request: &str, response: &str| {
        let response = format!("{response}|{id}: b");
        keys(Inventory::Names, &format!("{request} {SIGNED}|{id}: a"), &response)
    };
    let put = ["key requested PutObject a", "key applied PutObject b"];
    assert_eq!(of("PUT /b/k", "200 ETag: e"), put);
    assert_eq!(of("POST /b/k?uploads", "200 x: y").len(), 2);
    // Asked for, and refused.
    assert_eq!(of("PUT /b/k", "403 x: y"), put[..1]);
    assert_eq!(of("PUT /b/k", "307 x: y"), put[..1]);
    // These cannot ask, but their answers name one.
    assert_eq!(of("GET /b/k", "200 x: y"), ["key applied GetObject b"]);
    assert_eq!(of("GET /b/k", "304 x: y"), ["key applied GetObject b"]);
    assert_eq!(of("PUT /b/k?partNumber=1&uploadId=u", "200 x: y"), ["key applied UploadPart b"]);
    // One that was not seen.
    let alone = format!("200 {SSE}: aws:kms|{id}: b");
    assert_eq!(keys(Inventory::Names, "", &alone), ["key applied unknown b"]);
    // Of no store, and in a query, where it means nothing.
    assert_eq!(keys(Inventory::Names, "PUT /b/k Host: h", "200"), [""; 0]);
    let query = "PUT /b/k?X-Amz-Signature=s&x-amz-server-side-encryption-aws-kms-key-id=a";
    assert_eq!(keys(Inventory::Names, query, "200"), [""; 0]);
    // Nobody wants to know.
    assert_eq!(keys(Inventory::Off, &format!("PUT /b/k {id}: a"), "200"), [""; 0]);
}

#[test]
fn contexts_are_observed_on_both_sides() {
    // {"team":"red"}
    let context = format!("{SSE}-context: eyJ0ZWFtIjoicmVkIn0=");
    let request = format!("PUT /b/k {SIGNED}|{context}");
    let of = |inventory, response: &str| keys(inventory, &request, response);
    let said = |side: &str, value: &str| format!("{side} Pairs([(\"team\", {value})])");
    assert_eq!(
        of(Inventory::Names, &format!("200 {context}")),
        [said("requested", "None"), said("applied", "None")]
    );
    let values = said("requested", "Some(\"red\")");
    assert_eq!(of(Inventory::Values, &format!("403 {context}")), [values.as_str()]);
    assert_eq!(
        of(Inventory::Values, &format!("200 {SSE}-context: ?")),
        [values.as_str(), "applied Malformed"]
    );
    assert_eq!(of(Inventory::Off, &format!("200 {context}")), [""; 0]);
}

#[test]
fn a_key_is_observed_once_though_its_request_is_judged_twice() {
    // A name of its own: whether the path is a key or a bucket shows with the answer.
    let id = format!("{SSE}-aws-kms-key-id");
    let request = format!("PUT /k Host: cdn.test|{SIGNED}|{id}: a");
    let expected = ["key requested PutObject a", "key applied PutObject b"];
    assert_eq!(keys(Inventory::Names, &request, &format!("200 ETag: e|{id}: b")), expected);
}
