//! What a rule is about, and what it asks for.

use crate::glob::Glob;
use crate::s3::{HostPattern, Mode, Operation, Record, Transfer};
use std::sync::Arc;

/// A rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: Arc<str>,
    pub(super) description: Option<Box<str>>,
    pub(super) scope: Scope,
    pub(super) requirement: Requirement,
}

/// Which exchanges a rule is about. What is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub(super) hosts: Option<Vec<HostPattern>>,
    /// An exchange whose bucket is not known is in none of them.
    pub(super) buckets: Option<Vec<Glob>>,
    pub(super) operations: Option<Vec<Operations>>,
}

/// Operations, as a rule names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operations {
    /// All that get or put object data.
    Of(Transfer),
    One(Operation),
}

impl Operations {
    pub(super) fn contains(self, operation: Operation) -> bool {
        match self {
            Self::Of(transfer) => operation.access() == Some(transfer),
            Self::One(one) => one == operation,
        }
    }

    /// As it is written.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Of(transfer) => transfer.as_str(),
            Self::One(operation) => operation.as_str(),
        }
    }
}

/// What a rule asks of the exchanges that it is about.
#[derive(Clone, Debug)]
pub(super) enum Requirement {
    /// Nothing.
    Exempt,
    All(Demands),
}

/// Demands, all of which are to be met. What is `None` or false is not demanded.
#[derive(Clone, Debug, Default)]
pub(super) struct Demands {
    /// The modes that are allowed.
    pub(super) modes: Option<Vec<Mode>>,
    /// The weakest mode that is allowed.
    pub(super) minimum: Option<Mode>,
    /// Whether the request has to ask for the mode, where it can.
    pub(super) explicit: bool,
    /// The keys that are allowed.
    pub(super) kms_keys: Option<Vec<KeyPattern>>,
    /// Whether being seen in clear text breaks the rule.
    pub(super) forbids_plaintext: bool,
    /// Whether a mismatch breaks the rule.
    pub(super) forbids_mismatches: bool,
}

impl Demands {
    /// Whether they say anything about modes.
    pub(super) fn concern_modes(&self) -> bool {
        self.modes.is_some() || self.minimum.is_some()
    }
}

/// A pattern of KMS key ids: of the whole, or of the resource in an ARN
/// (`arn:PARTITION:kms:REGION:ACCOUNT:RESOURCE`, with `key/ID` or `alias/NAME` as the resource), with
/// or without `key/`.
#[derive(Clone, Debug)]
pub(super) struct KeyPattern(pub(super) Glob);

impl KeyPattern {
    pub(super) fn matches(&self, key: &str) -> bool {
        let resource = if key.starts_with("arn:") { key.splitn(6, ':').nth(5) } else { None };
        let id = resource.unwrap_or(key).strip_prefix("key/");
        [Some(key), resource, id].into_iter().flatten().any(|text| self.0.matches(text))
    }
}

impl Scope {
    pub(super) fn contains(&self, record: &Record) -> bool {
        let operation = record.operation.unwrap_or(Operation::UNKNOWN);
        self.hosts.as_ref().is_none_or(|hosts| hosts.iter().any(|host| host.matches(&record.host)))
            && self.buckets.as_ref().is_none_or(|buckets| {
                let bucket = record.bucket.as_deref();
                bucket.is_some_and(|bucket| buckets.iter().any(|glob| glob.matches(bucket)))
            })
            && self.operations.as_ref().is_none_or(|all| all.iter().any(|o| o.contains(operation)))
    }

    /// Whether each host and bucket that is in `other` is in this.
    pub(super) fn covers_place_of(&self, other: &Self) -> bool {
        cover(self.hosts.as_deref(), other.hosts.as_deref(), HostPattern::covers)
            && cover(self.buckets.as_deref(), other.buckets.as_deref(), Glob::covers)
    }

    /// Whether an operation is in it.
    pub(super) fn contains_operation(&self, operation: Operation) -> bool {
        self.operations.as_ref().is_none_or(|all| all.iter().any(|o| o.contains(operation)))
    }
}

/// Whether each of `others` is covered by one of `own`; `None` stands for everything.
fn cover<P>(own: Option<&[P]>, others: Option<&[P]>, covers: impl Fn(&P, &P) -> bool) -> bool {
    let Some(own) = own else { return true };
    others.is_some_and(|others| others.iter().all(|other| own.iter().any(|own| covers(own, other))))
}
