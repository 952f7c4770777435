//! Heads as text, and the secrets in them.

use httparse::{EMPTY_HEADER, Header, Status};
use sealwatch::http;

const MAX_HEADS: usize = 40;
const MAX_FIELDS: usize = 64;
/// A secret is at least so long: shorter ones may stand anywhere by chance.
const MIN_SECRET: usize = 8;

/// Fields whose values are secret.
const SECRET_FIELDS: [&str; 7] = [
    "authorization",
    "x-amz-security-token",
    "x-amz-s3session-token",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-server-side-encryption-customer-key-md5",
    "x-amz-copy-source-server-side-encryption-customer-key",
    "x-amz-copy-source-server-side-encryption-customer-key-md5",
];

/// The same of query parameters.
const SECRET_PARAMETERS: [&str; 7] = [
    "x-amz-signature",
    "x-amz-credential",
    "x-amz-security-token",
    "awsaccesskeyid",
    "signature",
    "access_token",
    "x-amz-server-side-encryption-customer-key",
];

pub(super) type Field = (String, Vec<u8>);

#[derive(Clone, Debug)]
pub(super) enum Head {
    Request { method: String, target: String, minor_version: u8, fields: Vec<Field> },
    Response { status: u16, minor_version: u8, fields: Vec<Field> },
    NewConnection,
}

impl Head {
    /// The fields, if it has any.
    pub(super) fn fields(&self) -> &[Field] {
        match self {
            Self::Request { fields, .. } | Self::Response { fields, .. } => fields,
            Self::NewConnection => &[],
        }
    }

    fn with_fields(&self, fields: Vec<Field>) -> Self {
        let mut head = self.clone();
        if let Self::Request { fields: old, .. } | Self::Response { fields: old, .. } = &mut head {
            *old = fields;
        }
        head
    }

    /// With its field names in capitals.
    pub(super) fn in_capitals(&self) -> Self {
        let loud = |(name, value): &Field| (name.to_ascii_uppercase(), value.clone());
        self.with_fields(self.fields().iter().map(loud).collect())
    }

    /// With every field twice.
    pub(super) fn doubled(&self) -> Self {
        let twice = |field: &Field| [field.clone(), field.clone()];
        self.with_fields(self.fields().iter().flat_map(twice).collect())
    }
}

/// As the S3 room takes them.
pub(super) fn borrowed(fields: &[Field]) -> Vec<http::Field<'_>> {
    fields.iter().map(|(name, value)| http::Field::new(name.as_bytes(), value)).collect()
}

/// Every head in a text that can be read; what cannot is passed over.
pub(super) fn heads(data: &[u8]) -> Vec<Head> {
    let mut heads = Vec::new();
    let mut rest = data;
    while !rest.is_empty() && heads.len() < MAX_HEADS {
        if let Some(after) = rest.strip_prefix(b"--\n") {
            heads.push(Head::NewConnection);
            rest = after;
        } else if let Some((head, len)) = head(rest) {
            heads.push(head);
            rest = &rest[len..];
        } else {
            let line = rest.iter().position(|byte| *byte == b'\n');
            rest = &rest[line.map_or(rest.len(), |at| at + 1)..];
        }
    }
    heads
}

fn head(bytes: &[u8]) -> Option<(Head, usize)> {
    let mut fields = [EMPTY_HEADER; MAX_FIELDS];
    let owned = |fields: &[Header<'_>]| -> Vec<Field> {
        fields.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect()
    };
    if bytes.starts_with(b"HTTP/") {
        let mut response = httparse::Response::new(&mut fields);
        let Ok(Status::Complete(len)) = response.parse(bytes) else { return None };
        let (status, minor_version) = (response.code?, response.version?);
        let final_one = status >= 200 || status == 101;
        let fields = owned(response.headers);
        return final_one.then_some((Head::Response { status, minor_version, fields }, len));
    }
    let mut request = httparse::Request::new(&mut fields);
    let Ok(Status::Complete(len)) = request.parse(bytes) else { return None };
    let (method, target) = (request.method?.to_owned(), request.path?.to_owned());
    let (minor_version, fields) = (request.version?, owned(request.headers));
    Some((Head::Request { method, target, minor_version, fields }, len))
}

/// The secrets in those heads that are nowhere else in them.
pub(super) fn secrets(heads: &[Head]) -> Vec<String> {
    let mut secrets = Vec::new();
    let mut open = String::new();
    for head in heads {
        if let Head::Request { method, target, .. } = head {
            open.push_str(method);
            sort(target, &mut secrets, &mut open);
        }
        for (name, value) in head.fields() {
            let value = String::from_utf8_lossy(value).into_owned();
            open.push_str(name);
            match SECRET_FIELDS.iter().any(|secret| name.eq_ignore_ascii_case(secret)) {
                true => secrets.push(value),
                false => open.push_str(&value),
            }
        }
    }
    let open = open.to_ascii_lowercase();
    let whole = |secret: &String| {
        secret.len() >= MIN_SECRET
            && secret.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && !open.contains(&secret.to_ascii_lowercase())
    };
    secrets.retain(whole);
    secrets
}

/// Sorts what is secret in a target from what is not.
fn sort(target: &str, secrets: &mut Vec<String>, open: &mut String) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    open.push_str(path);
    let (query, fragment) = query.split_once('#').unwrap_or((query, ""));
    secrets.push(fragment.to_owned());
    for parameter in query.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        open.push_str(name);
        match SECRET_PARAMETERS.iter().any(|secret| name.eq_ignore_ascii_case(secret)) {
            true => secrets.push(value.to_owned()),
            false => open.push_str(value),
        }
    }
}
