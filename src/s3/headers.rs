//! What the header fields of a message say of encryption, and whether they show an object store.
//!
//! Names match case-insensitively, with or without `X-` (that prefix is deprecated, RFC 6648,
//! and a formal name may come). An empty value is an absent one. To add a header, add a branch
//! to `Seen::encryption`.

use super::findings::{Finding, Findings};
use super::mode::{Mode, Spelling};
use crate::http::{Field, Headers};

/// The most bytes of a key id that are kept: an ARN has at most 2,048.
const MAX_KEY_ID: usize = 2_048;
/// The most bytes of an unknown value that are kept, to be logged.
const MAX_UNKNOWN: usize = 64;

/// What a message's header says.
#[derive(Debug, Default)]
pub(super) struct Seen<'h> {
    /// Whether anything in it is a sign of an object store.
    pub(super) sign: bool,
    /// The mode, where there is one; [`Mode::Other`] for values that differ.
    pub(super) mode: Option<Mode>,
    /// The value that is no known mode.
    pub(super) unknown: Option<&'h [u8]>,
    /// Whether there is anything of SSE-C.
    pub(super) customer_key: bool,
    pub(super) kms_key_id: Option<&'h [u8]>,
    /// The encryption context, as it is on the wire.
    pub(super) context: Option<&'h [u8]>,
    pub(super) bucket_key_enabled: Option<bool>,
    pub(super) copy_source: bool,
    /// The first of its name, as all that follow.
    pub(super) content_type: Option<&'h [u8]>,
    pub(super) cache_control: Option<&'h [u8]>,
    pub(super) etag: Option<&'h [u8]>,
    /// `x-amz-cf-id`: of the content delivery network that passed it on.
    pub(super) edge_id: Option<&'h [u8]>,
    pub(super) findings: Findings,
    raw_mode: Option<&'h [u8]>,
}

impl<'h> Seen<'h> {
    /// Reads a header.
    pub(super) fn of(headers: Headers<'h>) -> Self {
        let mut seen = Self::default();
        for field in headers.iter() {
            seen.field(field);
        }
        seen
    }

    /// Reads a request's header.
    pub(super) fn of_request(headers: Headers<'h>) -> Self {
        let mut seen = Self::of(headers);
        if seen.mode.is_some() && seen.customer_key {
            // S3 refuses a request with both.
            seen.findings.insert(Finding::ConflictingHeaders);
        }
        seen
    }

    fn field(&mut self, field: &Field<'h>) {
        let value = field.value();
        match field.initial() {
            b'x' if field.after("x-amz-").is_some() => {
                self.sign = true;
                if field.is("x-amz-cf-id") {
                    self.edge_id.get_or_insert(value);
                } else if let Some(rest) = field.after("x-amz-copy-source") {
                    self.copy_source(rest, value, true);
                } else if let Some(suffix) = field.after("x-amz-server-side-encryption") {
                    self.encryption(suffix, value, true, false);
                }
            }
            b'a' => {
                if field.is("authorization") {
                    self.sign |= value.starts_with(b"AWS4-HMAC-") || value.starts_with(b"AWS ");
                } else if let Some(rest) = field.after("amz-copy-source") {
                    self.copy_source(rest, value, false);
                } else if let Some(suffix) = field.after("amz-server-side-encryption") {
                    self.encryption(suffix, value, false, false);
                }
            }
            b's' if field.is("server") => self.sign |= value == b"AmazonS3",
            b'c' if field.is("content-type") => {
                self.content_type.get_or_insert(value);
            }
            b'c' if field.is("cache-control") => {
                self.cache_control.get_or_insert(value);
            }
            b'e' if field.is("etag") => {
                self.etag.get_or_insert(value);
            }
            _ => {}
        }
    }

    /// A field whose name goes on with `rest` after `x-amz-copy-source`, or without `x-`.
    fn copy_source(&mut self, rest: &[u8], value: &'h [u8], prefixed: bool) {
        if rest.is_empty() {
            self.copy_source |= !value.is_empty();
        } else if let Some(suffix) = strip_prefix(rest, b"-server-side-encryption") {
            self.encryption(suffix, value, prefixed, true);
        }
    }

    /// A field whose name goes on with `suffix` after `x-amz-server-side-encryption`, or without `x-`; or
    /// after that of the source of a copy.
    fn encryption(&mut self, suffix: &[u8], value: &'h [u8], prefixed: bool, of_source: bool) {
        if value.is_empty() {
            return;
        }
        if !prefixed {
            self.sign = true;
            self.findings.insert(Finding::UnprefixedName);
        }
        let is = |name: &[u8]| suffix.eq_ignore_ascii_case(name);
        if is(b"-customer-key") {
            self.findings.insert(Finding::CustomerKeyInClear);
        }
        if of_source {
            // About the object that is copied, not about what is asked for.
        } else if suffix.is_empty() {
            self.mode_value(value);
        } else if strip_prefix(suffix, b"-customer-").is_some() {
            self.customer_key = true;
        } else if is(b"-aws-kms-key-id") {
            self.kms_key_id = Some(&value[..value.len().min(MAX_KEY_ID)]);
        } else if is(b"-context") {
            self.context = Some(value);
        } else if is(b"-bucket-key-enabled") {
            self.bucket_key_enabled = match value.to_ascii_lowercase().as_slice() {
                b"true" => Some(true),
                b"false" => Some(false),
                _ => None,
            };
        }
    }

    fn mode_value(&mut self, value: &'h [u8]) {
        match self.raw_mode {
            None => {}
            Some(first) if first == value => return,
            Some(_) => {
                self.mode = Some(Mode::Other);
                self.unknown = None;
                self.findings.remove(Finding::UnknownValue);
                self.findings.remove(Finding::NonstandardCase);
                self.findings.insert(Finding::ConflictingHeaders);
                return;
            }
        }
        self.raw_mode = Some(value);
        self.mode = Some(match Mode::read(value) {
            Spelling::Exact(mode) => mode,
            Spelling::OtherCase(mode) => {
                self.findings.insert(Finding::NonstandardCase);
                mode
            }
            Spelling::Unknown => {
                self.findings.insert(Finding::UnknownValue);
                self.unknown = Some(&value[..value.len().min(MAX_UNKNOWN)]);
                Mode::Other
            }
        });
    }

    /// What it says was applied: the mode, where there is one.
    pub(super) fn applied(&self) -> Option<Mode> {
        self.mode.or(self.customer_key.then_some(Mode::SseC))
    }
}

/// What follows `prefix`, case ignored.
fn strip_prefix<'n>(name: &'n [u8], prefix: &[u8]) -> Option<&'n [u8]> {
    let (start, rest) = name.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen<T>(fields: &[(&str, &str)], then: impl FnOnce(Seen<'_>) -> T) -> T {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| Field::new(name.as_bytes(), value.as_bytes()))
            .collect();
        then(Seen::of_request(Headers::new(&fields)))
    }

    #[test]
    fn a_mode_is_read_in_any_spelling_and_the_odd_ones_are_found() {
        use Finding::*;
        const NAME: &str = "x-amz-server-side-encryption";
        type Case<'a> = (&'a [(&'a str, &'a str)], Option<Mode>, &'a [Finding]);
        let cases: &[Case<'_>] = &[
            (&[(NAME, "AES256")], Some(Mode::Aes256), &[]),
            (&[("X-AMZ-SERVER-SIDE-ENCRYPTION", "aws:kms")], Some(Mode::Kms), &[]),
            (&[(NAME, "aws:kms:dsse")], Some(Mode::KmsDsse), &[]),
            (&[(NAME, "aws:fsx")], Some(Mode::Fsx), &[]),
            (&[(NAME, "aws:backup")], Some(Mode::Backup), &[]),
            (&[(NAME, "aes256")], Some(Mode::Aes256), &[NonstandardCase]),
            (&[(NAME, "")], None, &[]),
            (&[(NAME, "ROT13")], Some(Mode::Other), &[UnknownValue]),
            (&[(NAME, "AES256"), (NAME, "AES256")], Some(Mode::Aes256), &[]),
            (&[(NAME, "AES256"), (NAME, "")], Some(Mode::Aes256), &[]),
            (&[(NAME, "ROT13"), (NAME, "aws:kms")], Some(Mode::Other), &[ConflictingHeaders]),
            (&[("Amz-Server-Side-Encryption", "AES256")], Some(Mode::Aes256), &[UnprefixedName]),
            (&[("x-amz-server-side-encryption-context", "e30=")], None, &[]),
            (&[("x-amz-server-side-encryptions", "AES256")], None, &[]),
            (&[("x-amz-copy-source-server-side-encryption", "AES256")], None, &[]),
            (
                &[("x-amz-server-side-encryption-customer-algorithm", "AES256")],
                Some(Mode::SseC),
                &[],
            ),
            (
                &[("x-amz-server-side-encryption-customer-key", "c2VjcmV0")],
                Some(Mode::SseC),
                &[CustomerKeyInClear],
            ),
            (
                &[("x-amz-copy-source-server-side-encryption-customer-key", "c2VjcmV0")],
                None,
                &[CustomerKeyInClear],
            ),
            (
                &[(NAME, "AES256"), ("x-amz-server-side-encryption-customer-algorithm", "AES256")],
                Some(Mode::Aes256),
                &[ConflictingHeaders],
            ),
        ];
        for (fields, mode, findings) in cases {
            seen(fields, |seen| {
                assert_eq!(seen.applied(), *mode, "{fields:?}");
                assert_eq!(seen.findings.iter().collect::<Vec<_>>(), *findings, "{fields:?}");
            });
        }
    }

    #[test]
    fn signs_of_an_object_store() {
        for (fields, sign) in [
            ([("x-amz-request-id", "1")], true),
            ([("X-Amz-Meta-Colour", "red")], true),
            ([("Authorization", "AWS4-HMAC-SHA256 Credential=…")], true),
            ([("Authorization", "AWS AKID:c2ln")], true),
            ([("Authorization", "Bearer AWS")], false),
            ([("Server", "AmazonS3")], true),
            ([("Server", "nginx")], false),
            ([("x-amzn-trace-id", "1")], false),
            ([("amz-sdk-request", "attempt=1")], false),
        ] {
            assert_eq!(seen(&fields, |seen| seen.sign), sign, "{fields:?}");
        }
    }

    #[test]
    fn companions_are_told_apart_from_the_mode() {
        let fields = [
            ("x-amz-server-side-encryption-aws-kms-key-id", "arn:aws:kms:eu-west-1:1:key/k"),
            ("x-amz-server-side-encryption-bucket-key-enabled", "True"),
            ("x-amz-server-side-encryption-context", "e30="),
            ("x-amz-copy-source-server-side-encryption-context", "e30K"),
            ("x-amz-copy-source", "/bucket/key"),
        ];
        seen(&fields, |seen| {
            assert_eq!(seen.kms_key_id, Some(&b"arn:aws:kms:eu-west-1:1:key/k"[..]));
            assert_eq!(seen.bucket_key_enabled, Some(true));
            assert_eq!(seen.context, Some(&b"e30="[..]));
            assert_eq!((seen.copy_source, seen.applied()), (true, None));
        });
    }
}
