//! Request targets (RFC 9112 §3.2): their parts, what the query says, and the target without
//! its secrets.

use super::operation::Subresource;
use std::borrow::Cow;

/// Query keys whose values are secret, in lower case: S3 signatures of either version (SigV4
/// query parameters, SigV2 presigned URLs), sessions, SSE-C keys, those of other stores'
/// presigned URLs, and names that are commonly given to tokens.
const SECRETS: &[&str] = &[
    "access_token",
    "accesskey",
    "api_key",
    "apikey",
    "auth",
    "authorization",
    "awsaccesskeyid",
    "client_secret",
    "code",
    "credential",
    "googleaccessid",
    "id_token",
    "jwt",
    "passwd",
    "password",
    "pwd",
    "refresh_token",
    "secret",
    "secretkey",
    "security-token",
    "session",
    "sessionid",
    "sig",
    "signature",
    "temp_url_sig",
    "token",
    "x-amz-copy-source-server-side-encryption-customer-key",
    "x-amz-copy-source-server-side-encryption-customer-key-md5",
    "x-amz-credential",
    "x-amz-s3session-token",
    "x-amz-security-token",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-server-side-encryption-customer-key-md5",
    "x-amz-signature",
    "x-auth-token",
    "x-goog-credential",
    "x-goog-signature",
    "x-oss-security-token",
    "x-oss-signature",
];

/// The query keys whose values are keys of the customer's.
const CUSTOMER_KEYS: [&str; 2] = [
    "x-amz-server-side-encryption-customer-key",
    "x-amz-copy-source-server-side-encryption-customer-key",
];

const REDACTED: &str = "REDACTED";

/// The parts of a request target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target<'h> {
    /// `host[:port]` of an absolute-form or authority-form target, without user information.
    pub(super) authority: Option<&'h str>,
    /// The path, which starts with `/`; empty in authority form and asterisk form.
    pub(super) path: &'h str,
    /// What follows `?`; empty where there is none.
    pub(super) query: &'h str,
}

/// What a query says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// Whether it is signed: a sign of an object store.
    pub(super) signed: bool,
    /// Whether it holds an encryption mode.
    pub(super) mode: bool,
    /// Whether it holds a key of the customer's (SSE-C).
    pub(super) customer_key: bool,
    pub(super) subresource: Option<Subresource>,
    pub(super) has_id: bool,
}

impl<'h> Target<'h> {
    /// Takes a target apart. `connect` says that the method is CONNECT, whose target is an
    /// authority (RFC 9112 §3.2.3).
    pub(super) fn of(target: &'h str, connect: bool) -> Self {
        if connect {
            return Self { authority: Some(without_user(target)), path: "", query: "" };
        }
        let end = memchr::memchr2(b'?', b'#', target.as_bytes()).unwrap_or(target.len());
        let (before, rest) = target.split_at(end);
        let query = match rest.strip_prefix('?') {
            Some(query) => split_once(query, b'#').map_or(query, |(query, _fragment)| query),
            None => "",
        };
        let scheme = if before.starts_with('/') { None } else { scheme(before) };
        let Some((_scheme, rest)) = scheme else {
            let path = if before.starts_with('/') { before } else { "" };
            return Self { authority: None, path, query };
        };
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        Self { authority: Some(without_user(authority)), path, query }
    }

    /// What the query says.
    pub(super) fn query(&self) -> Query {
        let mut found = Query::default();
        if self.query.is_empty() {
            return found;
        }
        for parameter in self.query.split('&') {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let key = decoded(key);
            found.signed |= key.eq_ignore_ascii_case("x-amz-signature")
                || key.eq_ignore_ascii_case("awsaccesskeyid");
            found.mode |=
                key.eq_ignore_ascii_case("x-amz-server-side-encryption") && !value.is_empty();
            found.customer_key |= !value.is_empty()
                && CUSTOMER_KEYS.iter().any(|name| key.eq_ignore_ascii_case(name));
            found.has_id |= key == "id";
            if let Some(subresource) = Subresource::of(&key) {
                let first = found.subresource.map_or(subresource, |other| other.min(subresource));
                found.subresource = Some(first);
            }
        }
        found
    }
}

/// The target, with every secret replaced by `REDACTED`.
pub(super) fn redact(target: &str) -> Box<str> {
    let target = without_user_information(target);
    let Some((path, query)) = split_once(&target, b'?') else { return target.into() };
    let (query, fragment) = query.split_once('#').map_or((query, None), |(q, f)| (q, Some(f)));
    let mut redacted = String::with_capacity(target.len());
    redacted.push_str(path);
    for (i, parameter) in query.split('&').enumerate() {
        redacted.push(if i == 0 { '?' } else { '&' });
        match parameter.split_once('=') {
            Some((key, _)) if is_secret(key) => {
                redacted.push_str(key);
                redacted.push('=');
                redacted.push_str(REDACTED);
            }
            _ => redacted.push_str(parameter),
        }
    }
    if fragment.is_some() {
        // Fragments are never sent by clients that follow RFC 9110 §7.1; tokens travel in them.
        redacted.push('#');
        redacted.push_str(REDACTED);
    }
    redacted.into()
}

fn is_secret(key: &str) -> bool {
    let key = decoded(key).to_ascii_lowercase();
    SECRETS.binary_search(&key.as_str()).is_ok()
}

/// `scheme://` in front, and what follows it.
fn scheme(target: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = target.split_once("://")?;
    let is_scheme = !scheme.is_empty()
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    is_scheme.then_some((scheme, rest))
}

/// What stands before the first `delimiter`, an ASCII character, and what stands behind it.
pub(super) fn split_once(text: &str, delimiter: u8) -> Option<(&str, &str)> {
    let at = memchr::memchr(delimiter, text.as_bytes())?;
    Some((&text[..at], &text[at + 1..]))
}

fn without_user(authority: &str) -> &str {
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// Replaces the user information of an absolute-form or authority-form target.
fn without_user_information(target: &str) -> Cow<'_, str> {
    if target.starts_with('/') {
        return Cow::Borrowed(target);
    }
    let start = scheme(target).map_or(0, |(scheme, _)| scheme.len() + "://".len());
    let end = target[start..].find(['/', '?', '#']).map_or(target.len(), |at| start + at);
    match target[start..end].rfind('@') {
        None => Cow::Borrowed(target),
        Some(at) => Cow::Owned(format!("{}{REDACTED}{}", &target[..start], &target[start + at..])),
    }
}

/// Percent-decoded (RFC 3986 §2.1); what is no UTF-8 then stays as it is.
pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = |at: usize| tail.get(at).and_then(|&b| (b as char).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high << 4 | low) as u8);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secrets_are_sorted_for_the_search() {
        assert!(SECRETS.is_sorted());
    }

    #[test]
    fn targets_come_apart_in_all_four_forms() {
        let parts = |target, connect| {
            let Target { authority, path, query } = Target::of(target, connect);
            (authority, path, query)
        };
        assert_eq!(parts("/a/b?c=d", false), (None, "/a/b", "c=d"));
        assert_eq!(parts("/a?b=c://d", false), (None, "/a", "b=c://d"));
        assert_eq!(parts("http://u:p@h:81/a?b", false), (Some("h:81"), "/a", "b"));
        assert_eq!(parts("http://h?b", false), (Some("h"), "/", "b"));
        assert_eq!(parts("h:443", true), (Some("h:443"), "", ""));
        assert_eq!(parts("*", false), (None, "", ""));
    }

    #[test]
    fn secrets_in_a_target_are_replaced() {
        for (target, expected) in [
            ("/b/k?X-Amz-Signature=abc&versionId=1", "/b/k?X-Amz-Signature=REDACTED&versionId=1"),
            ("/k?x-amz-credential=A%2Fb&a", "/k?x-amz-credential=REDACTED&a"),
            ("/k?X%2DAmz%2DSecurity%2DToken=t", "/k?X%2DAmz%2DSecurity%2DToken=REDACTED"),
            (
                "/k?AWSAccessKeyId=A&Signature=s&Expires=1",
                "/k?AWSAccessKeyId=REDACTED&Signature=REDACTED&Expires=1",
            ),
            (
                "/k?x-amz-server-side-encryption-customer-key=k",
                "/k?x-amz-server-side-encryption-customer-key=REDACTED",
            ),
            ("/k?uploadId=2~x", "/k?uploadId=2~x"),
            ("/k?a=b#access_token=t", "/k?a=b#REDACTED"),
            ("http://user:word@host/k", "http://REDACTED@host/k"),
            ("user:word@host:443", "REDACTED@host:443"),
            ("/mail/a@b.c", "/mail/a@b.c"),
        ] {
            assert_eq!(&*redact(target), expected);
        }
    }

    #[test]
    fn a_query_says_what_it_is_about() {
        let query = |target| Target::of(target, false).query();
        assert!(query("/k?X-Amz-Signature=a").signed);
        assert!(query("/k?AWSAccessKeyId=a").signed);
        assert!(query("/k?x-amz-server-side-encryption=AES256").mode);
        assert!(!query("/k?x-amz-server-side-encryption=").mode);
        assert_eq!(query("/k?uploadId=a&acl").subresource, Subresource::of("uploadId"));
        assert_eq!(query("/k?plain=1"), Query::default());
    }
}
