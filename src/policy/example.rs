//! Examples in a policy's file: exchanges, and how they are to come out.

use super::Policy;
use crate::net::Endpoint;
use crate::s3::{Mode, Operation, Record, judge};
use crate::toml_text::{Mistake, Place};
use std::net::{IpAddr, Ipv4Addr};

/// An exchange whose messages were both seen, unless `status` is missing and nothing was applied.
pub(super) struct Example {
    pub(super) place: Place,
    pub(super) host: String,
    pub(super) bucket: Option<String>,
    pub(super) operation: Operation,
    pub(super) requested: Option<Mode>,
    pub(super) applied: Option<Mode>,
    pub(super) kms_key: Option<String>,
    pub(super) status: Option<u16>,
    /// The outcome's name.
    pub(super) expect: &'static str,
    /// The rule that is to be about it.
    pub(super) rule: Option<String>,
}

impl Example {
    /// What is wrong, if it does not come out as it says.
    pub(super) fn wrong(&self, policy: &Policy) -> Option<Mistake> {
        let judgement = policy.judge(&self.record())?;
        let outcome = judgement.outcome.as_str();
        let is_rule = self.rule.as_deref().is_none_or(|rule| rule == &*judgement.rule);
        if outcome == self.expect && is_rule {
            return None;
        }
        let reasons: Vec<_> = judgement.outcome.reasons().iter().map(|r| r.as_str()).collect();
        let why =
            if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
        let expected = match &self.rule {
            Some(rule) => format!("{} by rule {rule:?}", self.expect),
            None => self.expect.to_owned(),
        };
        let text = format!(
            "it comes out as {outcome}{why} by rule {:?}, not as {expected}; mend the rules or the \
             example",
            judgement.rule
        );
        Some(Mistake { place: Some(self.place), key: Some("example".to_owned()), text })
    }

    /// The exchange as it would be on the wire. Where nothing is said of a mode, the header is not
    /// there.
    fn record(&self) -> Record {
        let carries = self.operation.carries();
        let answered = self.status.is_some() || self.applied.is_some();
        let status = answered.then(|| self.status.unwrap_or(200));
        let silent = |can: bool| can.then_some(Mode::None);
        let requested = self.requested.or(silent(carries.request_mode));
        let succeeded = status.is_some_and(|status| (200..=299).contains(&status));
        let applied = self.applied.or(silent(carries.response_mode)).filter(|_| succeeded);
        let nobody = Endpoint::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        Record {
            status,
            operation: Some(self.operation),
            bucket: self.bucket.as_deref().map(Into::into),
            requested_mode: requested,
            applied_mode: applied,
            mismatch: status.and_then(|status| {
                judge::mismatch(Some(self.operation), status, requested, applied)
            }),
            kms_key_id: self.kms_key.as_deref().map(Into::into),
            response_seen: answered,
            ..Record::between(nobody, nobody, &self.host.to_ascii_lowercase())
        }
    }
}
