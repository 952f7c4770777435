//! Hosts, and where a host and a path point: a service, a bucket or an object.
//!
//! Sources: Amazon S3 User Guide, "Virtual hosting of general purpose buckets"; Amazon S3 in the
//! AWS General Reference, "Amazon S3 endpoints and quotas"; the stores' own documentation.

use super::operation::Place;
use super::target::{decoded, split_once};
use crate::glob::Glob;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// What stands for a host that is none.
pub const INVALID_HOST: &str = "__invalid__";

/// The longest host name (RFC 1035 §2.3.4), with a port.
const MAX_HOST: usize = 255 + 6;

/// Endpoints of AWS, without the partition's domain. `@` stands for a region, `*` for anything
/// within a label.
const AWS_ENDPOINTS: &[&str] = &[
    "s3",
    "s3-*",
    "s3.@",
    "s3-*.@",
    "s3express-*.@",
    "s3.dualstack.@",
    "s3-*.dualstack.@",
    "s3-accelerate.dualstack",
    "s3express-*.dualstack.@",
    "*.s3.@.vpce",
    "bucket.*.s3.@.vpce",
    "accesspoint.*.s3.@.vpce",
];
const AWS_PARTITIONS: &[&str] = &["amazonaws.com", "amazonaws.com.cn", "amazonaws.eu"];

/// Endpoints of other stores that speak S3.
const OTHER_ENDPOINTS: &[&str] = &[
    "*.digitaloceanspaces.com",
    "*.r2.cloudflarestorage.com",
    "*.eu.r2.cloudflarestorage.com",
    "*.linodeobjects.com",
    "*.vultrobjects.com",
    "*.your-objectstorage.com",
    "s3.*.backblazeb2.com",
    "s3.*.cloud.ovh.net",
    "s3.*.io.cloud.ovh.net",
    "s3.*.scw.cloud",
    "s3.*.wasabisys.com",
    "s3.wasabisys.com",
    "s3.localhost.localstack.cloud",
    "s3.*.localhost.localstack.cloud",
    "storage.googleapis.com",
];

/// How a host is to be read. `B` is a bucket, which stands in front of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style<B> {
    /// The bucket is the path's first component.
    Path,
    /// The bucket is in the host.
    Virtual(B),
    /// The same, and every path is a key: an S3 website endpoint has index documents.
    Website(B),
    /// A name that says nothing: of a content delivery network, of a company.
    Unknown,
}

/// A host as requests name it, and what its name says.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// As it is counted.
    pub(super) name: Arc<str>,
    style: Style<usize>,
    /// Whether it is an object store, whatever its traffic shows.
    pub(super) store: bool,
}

impl Host {
    /// How it is to be read.
    pub(super) fn style(&self) -> Style<&str> {
        match self.style {
            Style::Path => Style::Path,
            Style::Virtual(len) => Style::Virtual(&self.name[..len]),
            Style::Website(len) => Style::Website(&self.name[..len]),
            Style::Unknown => Style::Unknown,
        }
    }
}

/// Where a request points, as far as host and path can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pointer<'h> {
    /// What it points at; where two are possible, path style comes first.
    pub(super) place: Place,
    /// The other possibility: virtual-host style.
    pub(super) or: Option<Place>,
    /// The bucket in path style.
    pub(super) bucket: Option<&'h str>,
}

/// Knows endpoints.
#[derive(Clone, Debug, Default)]
pub(super) struct Endpoints {
    /// Suffixes that were given, in lower case, without a dot in front.
    own: Vec<Box<str>>,
    /// Hosts that are object stores, whatever their traffic shows.
    stores: Vec<HostPattern>,
}

impl Endpoints {
    pub(super) fn new(suffixes: &[String], stores: &[HostPattern]) -> Self {
        let mut own: Vec<Box<str>> = suffixes
            .iter()
            .map(|suffix| suffix.trim_matches('.').to_ascii_lowercase().into())
            .collect();
        // The longest first: bucket names hold dots.
        own.sort_by_key(|suffix| std::cmp::Reverse(suffix.len()));
        Self { own, stores: stores.to_vec() }
    }

    /// What a normalised name says.
    pub(super) fn host(&self, name: Arc<str>) -> Host {
        let (style, known) = self.style(&name);
        let style = match style {
            Style::Path => Style::Path,
            Style::Virtual(bucket) => Style::Virtual(bucket.len()),
            Style::Website(bucket) => Style::Website(bucket.len()),
            Style::Unknown => Style::Unknown,
        };
        let store = known || self.stores.iter().any(|pattern| pattern.matches(&name));
        Host { name, style, store }
    }

    /// How to read a normalised host, and whether it is an S3 endpoint.
    fn style<'h>(&self, host: &'h str) -> (Style<&'h str>, bool) {
        let name = without_port(host);
        for suffix in &self.own {
            if let Some(bucket) = before(name, suffix) {
                return (in_host(bucket), true);
            }
        }
        for partition in AWS_PARTITIONS {
            if let Some(rest) = before(name, partition)
                && !rest.is_empty()
                && let Some((bucket, endpoint)) = split_endpoint(rest, AWS_ENDPOINTS)
            {
                return match endpoint.starts_with("s3-website") && !bucket.is_empty() {
                    true => (Style::Website(bucket), true),
                    // Account-level operations have a namespace of their own.
                    false if endpoint.starts_with("s3-control") => (Style::Unknown, false),
                    false => (in_host(bucket), true),
                };
            }
        }
        if let Some((bucket, _)) = split_endpoint(name, OTHER_ENDPOINTS) {
            return (in_host(bucket), true);
        }
        let numeric = name.starts_with('[') || name.parse::<Ipv4Addr>().is_ok();
        if numeric || !name.contains('.') {
            return (Style::Path, false);
        }
        (Style::Unknown, false)
    }
}

fn in_host(bucket: &str) -> Style<&str> {
    if bucket.is_empty() { Style::Path } else { Style::Virtual(bucket) }
}

/// What stands before `suffix` in a name, at a label's boundary.
fn before<'h>(name: &'h str, suffix: &str) -> Option<&'h str> {
    let rest = name.strip_suffix(suffix)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_suffix('.') }
}

/// The bucket and the endpoint in a name that ends as one of `patterns`, the longest first.
fn split_endpoint<'h>(name: &'h str, patterns: &[&str]) -> Option<(&'h str, &'h str)> {
    let matching = patterns.iter().filter(|pattern| ends_like(name, pattern));
    let labels = matching.map(|pattern| pattern.split('.').count()).max()?;
    let endpoint_from = name.rmatch_indices('.').nth(labels - 1).map(|(at, _)| at);
    Some(endpoint_from.map_or(("", name), |at| (&name[..at], &name[at + 1..])))
}

/// Whether the last labels of `name` match those of `pattern`.
fn ends_like(name: &str, pattern: &str) -> bool {
    let mut labels = name.rsplit('.');
    pattern.rsplit('.').all(|p| labels.next().is_some_and(|label| label_matches(p, label)))
}

/// A pattern's label holds at most one `*`, at its end. Regions look like `us-gov-west-1`.
fn label_matches(pattern: &str, label: &str) -> bool {
    if pattern == "@" {
        return label.contains('-') && label.ends_with(|last: char| last.is_ascii_digit());
    }
    match pattern.strip_suffix('*') {
        Some(start) => label.len() > start.len() && label.starts_with(start),
        None => pattern == label,
    }
}

/// A pattern for hosts, such as `*.store.example`: `*` stands for any text, with or without dots.
#[derive(Clone, Debug)]
pub struct HostPattern(Glob);

impl HostPattern {
    /// A pattern; case does not matter. One without a port is for every port.
    pub fn new(pattern: &str) -> Self {
        Self(Glob::new(&pattern.trim_end_matches('.').to_ascii_lowercase()))
    }

    /// Whether a normalised host matches.
    pub(crate) fn matches(&self, host: &str) -> bool {
        self.0.matches(host) || self.0.matches(without_port(host))
    }

    /// Whether each host that matches `other` matches this, as far as that is easy to say.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let without_port = Glob::new(without_port(other.0.as_str()));
        self.0.covers(&other.0) || self.0.covers(&without_port)
    }

    /// As it was given, in lower case.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// A host as it is counted: in lower case, without the default port, without a trailing dot;
/// `None` for what cannot be one (RFC 3986 §3.2.2).
pub(super) fn normalise(host: &[u8]) -> Option<String> {
    let host = std::str::from_utf8(host).ok()?;
    if host.len() > MAX_HOST {
        return None;
    }
    let lower = host.to_ascii_lowercase();
    let name_len = without_port(&lower).len();
    let (name, port) = lower.split_at(name_len);
    let port = match port.strip_prefix(':') {
        None | Some("" | "80") => None,
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => Some(port.parse::<u16>().ok()?),
        Some(_) => return None,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    // Names that start so are ours.
    if name.starts_with("__") {
        return None;
    }
    let is_host = match name.strip_prefix('[') {
        Some(rest) => is_ipv6(rest.strip_suffix(']')?),
        None => !name.is_empty() && name.bytes().all(is_name_byte) && !name.starts_with('.'),
    };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    is_host.then(|| format!("{name}{port}"))
}

/// An address, perhaps with a zone (RFC 4007 §11.2, RFC 6874 §2), which is a name.
fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').unwrap_or((text, "eth0"));
    let is_zone = !zone.is_empty() && zone.bytes().all(|byte| is_name_byte(byte) || byte == b'%');
    is_zone && address.parse::<Ipv6Addr>().is_ok()
}

/// Letters, digits, and what else names hold in practice; not all that RFC 3986 allows.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn without_port(host: &str) -> &str {
    let from = host.rfind(']').unwrap_or(0);
    host[from..].find(':').map_or(host, |at| &host[..from + at])
}

/// Where a path points on a host of `style`.
pub(super) fn pointer<'h>(style: Style<&'h str>, path: &'h str) -> Pointer<'h> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let (first, rest) = split_once(path, b'/').unwrap_or((path, ""));
    let depth = usize::from(!first.is_empty()) + usize::from(!rest.is_empty());
    let by_path = [Place::Service, Place::Bucket, Place::Object][depth];
    let in_virtual = if path.is_empty() { Place::Bucket } else { Place::Object };
    match style {
        Style::Path => {
            let bucket = (depth > 0).then_some(first);
            Pointer { place: by_path, or: None, bucket }
        }
        Style::Virtual(bucket) => Pointer { place: in_virtual, or: None, bucket: Some(bucket) },
        Style::Website(bucket) => Pointer { place: Place::Object, or: None, bucket: Some(bucket) },
        // Two components are a key in either style, but who knows of which bucket.
        Style::Unknown if depth == 2 => Pointer { place: by_path, or: None, bucket: None },
        Style::Unknown => {
            Pointer { place: by_path, or: Some(in_virtual), bucket: (depth == 1).then_some(first) }
        }
    }
}

/// A bucket's name as it is counted; `None` for what cannot be one.
pub(super) fn bucket_name(raw: &str) -> Option<Arc<str>> {
    let name = decoded(raw);
    // Ceph puts a tenant before the name; the oldest buckets have upper case and underscores.
    let is_name = |byte: u8| is_name_byte(byte) || matches!(byte, b':' | b'$');
    ((1..=255).contains(&name.len()) && name.bytes().all(is_name)).then(|| Arc::from(&*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_normalised() {
        for (host, expected) in [
            ("Example.COM", Some("example.com")),
            ("example.com.", Some("example.com")),
            ("example.com.:80", Some("example.com")),
            ("example.com:", Some("example.com")),
            ("example.com:8080", Some("example.com:8080")),
            ("192.0.2.1:9000", Some("192.0.2.1:9000")),
            ("[2001:DB8::1]:80", Some("[2001:db8::1]")),
            ("[2001:db8::1]:81", Some("[2001:db8::1]:81")),
            ("[fe80::1%25eth0]:81", Some("[fe80::1%25eth0]:81")),
            ("under_score.test", Some("under_score.test")),
            ("", None),
            ("a b", None),
            ("user@host", None),
            ("__other__", None),
            ("host:99999", None),
            ("host:8o", None),
            ("[::1", None),
            ("[::1%]", None),
            ("[::1%<b>]", None),
            ("2001:db8::1", None),
            ("a/b", None),
        ] {
            assert_eq!(normalise(host.as_bytes()).as_deref(), expected, "{host}");
        }
        assert_eq!(normalise(&[b'a'; 300]), None);
        assert_eq!(normalise(b"\xff"), None);
    }

    #[test]
    fn endpoints_show_where_the_bucket_is() {
        let own = Endpoints::new(&["store.test".to_owned(), ".s3.Store.test".to_owned()], &[]);
        for (host, style, known) in [
            ("s3.amazonaws.com", Style::Path, true),
            ("b.s3.amazonaws.com", Style::Virtual("b"), true),
            ("b.with.dots.s3.eu-west-1.amazonaws.com", Style::Virtual("b.with.dots"), true),
            ("s3.eu-west-1.amazonaws.com", Style::Path, true),
            ("b.s3-logs.s3.amazonaws.com", Style::Virtual("b.s3-logs"), true),
            ("b.s3-us-west-2.amazonaws.com", Style::Virtual("b"), true),
            ("b.s3.dualstack.us-east-1.amazonaws.com", Style::Virtual("b"), true),
            ("b.s3-accelerate.amazonaws.com", Style::Virtual("b"), true),
            ("b.s3-accelerate.dualstack.amazonaws.com", Style::Virtual("b"), true),
            ("b.s3-fips.us-gov-west-1.amazonaws.com", Style::Virtual("b"), true),
            ("b.s3.cn-north-1.amazonaws.com.cn", Style::Virtual("b"), true),
            (
                "b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com",
                Style::Virtual("b--use1-az4--x-s3"),
                true,
            ),
            ("b.bucket.vpce-1a2b-3c4d.s3.us-east-1.vpce.amazonaws.com", Style::Virtual("b"), true),
            ("b.s3-website-us-east-1.amazonaws.com", Style::Website("b"), true),
            ("b.s3-website.eu-central-1.amazonaws.com", Style::Website("b"), true),
            ("1.s3-control.us-east-1.amazonaws.com", Style::Unknown, false),
            ("amazonaws.com", Style::Unknown, false),
            ("ec2.amazonaws.com", Style::Unknown, false),
            ("nots3.amazonaws.com", Style::Unknown, false),
            ("b.fra1.digitaloceanspaces.com", Style::Virtual("b"), true),
            ("b.s3.store.test:7480", Style::Virtual("b"), true),
            ("b.store.test", Style::Virtual("b"), true),
            ("s3.store.test", Style::Path, true),
            ("astore.test", Style::Unknown, false),
            ("192.0.2.1:9000", Style::Path, false),
            ("[2001:db8::1]:9000", Style::Path, false),
            ("minio:9000", Style::Path, false),
            ("static.example.com", Style::Unknown, false),
        ] {
            let host = own.host(host.into());
            assert_eq!((host.style(), host.store), (style, known), "{}", host.name);
        }
    }

    #[test]
    fn patterns_match_hosts() {
        for (pattern, host, expected) in [
            ("store.test", "store.test", true),
            ("store.test", "store.test:9000", true),
            ("store.test:9000", "store.test:9000", true),
            ("store.test:9000", "store.test", false),
            ("*.Store.test", "a.b.store.test", true),
            ("*.store.test", "store.test", false),
            ("s3-*.*.test", "s3-a.b.test", true),
            ("*a*a", "a", false),
            ("*", "anything", true),
        ] {
            assert_eq!(HostPattern::new(pattern).matches(host), expected, "{pattern} {host}");
        }
    }

    #[test]
    fn a_path_points_at_a_service_a_bucket_or_an_object() {
        use Place::*;
        let at = |style, path| {
            let Pointer { place, or, bucket } = pointer(style, path);
            (place, or, bucket)
        };
        assert_eq!(at(Style::Path, "/"), (Service, None, None));
        assert_eq!(at(Style::Path, "/b"), (Bucket, None, Some("b")));
        assert_eq!(at(Style::Path, "/b/"), (Bucket, None, Some("b")));
        assert_eq!(at(Style::Path, "/b/k/l"), (Object, None, Some("b")));
        assert_eq!(at(Style::Virtual("v"), "/"), (Bucket, None, Some("v")));
        assert_eq!(at(Style::Virtual("v"), "/k"), (Object, None, Some("v")));
        assert_eq!(at(Style::Website("w"), "/"), (Object, None, Some("w")));
        assert_eq!(at(Style::Unknown, "/"), (Service, Some(Bucket), None));
        assert_eq!(at(Style::Unknown, "/x"), (Bucket, Some(Object), Some("x")));
        assert_eq!(at(Style::Unknown, "/x/y"), (Object, None, None));
    }
}
