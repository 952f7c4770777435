//! An exchange beside the rule that is about it.

use super::Policy;
use super::rule::{Demands, Requirement};
use super::strength::Order;
use crate::s3::{Carries, Mode, Operation, Record};
use std::sync::Arc;

/// What became of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The rule that is about it, by its name; [`DEFAULT`](super::DEFAULT) where none is.
    pub rule: Arc<str>,
    /// How it came out.
    pub outcome: Outcome,
}

/// How an exchange comes out under a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All that the rule asks for was seen.
    Met,
    /// Something that the rule does not allow was seen.
    Violated(Reasons),
    /// What would decide it was not seen: a message is missing in the capture, or it is not known
    /// which operation it was.
    Undecided,
    /// The rule asks nothing of it: it was refused, its messages cannot carry what is asked for, or
    /// the rule exempts it.
    Exempt,
}

impl Outcome {
    /// The label and record value of each.
    pub const NAMES: [&'static str; 4] = ["met", "violated", "undecided", "exempt"];

    /// The label and record value.
    pub const fn as_str(self) -> &'static str {
        Self::NAMES[match self {
            Self::Met => 0,
            Self::Violated(_) => 1,
            Self::Undecided => 2,
            Self::Exempt => 3,
        }]
    }

    /// Why a rule is broken; nothing where it is not.
    pub fn reasons(self) -> Reasons {
        match self {
            Self::Violated(reasons) => reasons,
            _ => Reasons::default(),
        }
    }
}

/// What a rule does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The request asked for a mode that is not allowed, or for none.
    RequestedMode,
    /// The answer names a mode that is not allowed, or none.
    AppliedMode,
    /// The KMS key is not one of those allowed, or none is named.
    KmsKey,
    /// Another mode was applied than the one asked for.
    Mismatch,
    /// It could be read on the wire.
    Plaintext,
    /// No rule is about it, and the policy forbids what none is about.
    NoRule,
}

impl Reason {
    /// Every kind, in the order in which they are listed.
    pub const ALL: [Self; 6] = [
        Self::RequestedMode,
        Self::AppliedMode,
        Self::KmsKey,
        Self::Mismatch,
        Self::Plaintext,
        Self::NoRule,
    ];

    /// The record value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestedMode => "requested_mode",
            Self::AppliedMode => "applied_mode",
            Self::KmsKey => "kms_key",
            Self::Mismatch => "mismatch",
            Self::Plaintext => "plaintext",
            Self::NoRule => "no_rule",
        }
    }

    /// The same for people: what it is that is not allowed.
    pub const fn words(self) -> &'static str {
        match self {
            Self::RequestedMode => "the mode asked for",
            Self::AppliedMode => "the mode applied",
            Self::KmsKey => "the KMS key",
            Self::Mismatch => "another mode applied than asked for",
            Self::Plaintext => "being seen in clear text",
            Self::NoRule => "having no rule about it",
        }
    }
}

/// A set of reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reasons(u8);

impl Reasons {
    fn insert(&mut self, reason: Reason) {
        self.0 |= 1 << reason as u8;
    }

    /// Those in it, in the order of [`Reason::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Reason> {
        Reason::ALL.into_iter().filter(move |reason| self.0 & (1 << *reason as u8) != 0)
    }
}

impl FromIterator<Reason> for Reasons {
    fn from_iter<I: IntoIterator<Item = Reason>>(reasons: I) -> Self {
        let mut set = Self::default();
        reasons.into_iter().for_each(|reason| set.insert(reason));
        set
    }
}

/// By the first rule that is about it.
pub(super) fn judge(policy: &Policy, record: &Record) -> Judgement {
    let Some(rule) = policy.rules.iter().find(|rule| rule.scope.contains(record)) else {
        let outcome = match policy.forbids_the_rest {
            true => Outcome::Violated([Reason::NoRule].into_iter().collect()),
            false => Outcome::Exempt,
        };
        return Judgement { rule: policy.default.clone(), outcome };
    };
    let outcome = match &rule.requirement {
        Requirement::Exempt => Outcome::Exempt,
        Requirement::All(demands) => outcome(demands, &policy.strength, record),
    };
    Judgement { rule: rule.name.clone(), outcome }
}

/// What one demand comes to.
enum Answer {
    Kept,
    Broken(Reason),
    NotSeen,
    /// It asks nothing of this exchange.
    Moot,
}

fn outcome(demands: &Demands, order: &Order, record: &Record) -> Outcome {
    let answers = [
        plaintext(demands),
        mismatch(demands, record),
        requested(demands, order, record),
        applied(demands, order, record),
        kms_key(demands, record),
    ];
    let reasons: Reasons = answers
        .iter()
        .filter_map(|answer| match answer {
            Answer::Broken(reason) => Some(*reason),
            _ => None,
        })
        .collect();
    if reasons != Reasons::default() {
        Outcome::Violated(reasons)
    } else if answers.iter().any(|answer| matches!(answer, Answer::NotSeen)) {
        Outcome::Undecided
    } else if answers.iter().any(|answer| matches!(answer, Answer::Kept)) {
        Outcome::Met
    } else {
        Outcome::Exempt
    }
}

/// That it was seen at all shows that it was not encrypted on its way.
fn plaintext(demands: &Demands) -> Answer {
    if demands.forbids_plaintext { Answer::Broken(Reason::Plaintext) } else { Answer::Moot }
}

fn mismatch(demands: &Demands, record: &Record) -> Answer {
    if !demands.forbids_mismatches || moved_nothing(record) {
        return Answer::Moot;
    }
    match (record.mismatch, carries(record)) {
        (Some(true), _) => Answer::Broken(Reason::Mismatch),
        (Some(false), _) => Answer::Kept,
        (None, None) => Answer::NotSeen,
        // Asked for, and the answer is missing; or named in an answer whose request is missing.
        (None, Some(carries)) if carries.request_mode && !both_seen(record) => Answer::NotSeen,
        (None, Some(_)) if record.requested_mode.is_some() => Answer::NotSeen,
        (None, Some(_)) => Answer::Moot,
    }
}

/// Whether the request asked for what is allowed, where it has to.
fn requested(demands: &Demands, order: &Order, record: &Record) -> Answer {
    if !demands.explicit || moved_nothing(record) {
        return Answer::Moot;
    }
    match (record.requested_mode, carries(record)) {
        (Some(mode), _) if allows(demands, order, mode) => Answer::Kept,
        (Some(_), _) => Answer::Broken(Reason::RequestedMode),
        (None, Some(carries)) if !carries.request_mode => Answer::Moot,
        (None, _) => Answer::NotSeen,
    }
}

/// Whether the answer names what is allowed.
fn applied(demands: &Demands, order: &Order, record: &Record) -> Answer {
    if !demands.concern_modes() || moved_nothing(record) {
        return Answer::Moot;
    }
    match (record.applied_mode, carries(record)) {
        // Its answer has no word for SSE-C: silence neither confirms nor denies it.
        (Some(Mode::None), Some(carries))
            if record.requested_mode == Some(Mode::SseC) && !carries.response_customer_key =>
        {
            Answer::NotSeen
        }
        (Some(mode), _) if allows(demands, order, mode) => Answer::Kept,
        (Some(_), _) => Answer::Broken(Reason::AppliedMode),
        (None, Some(carries)) if !carries.response_mode => Answer::Moot,
        (None, _) => Answer::NotSeen,
    }
}

/// Whether the key, where one is used, is an allowed one.
fn kms_key(demands: &Demands, record: &Record) -> Answer {
    let Some(keys) = &demands.kms_keys else { return Answer::Moot };
    if moved_nothing(record) {
        return Answer::Moot;
    }
    match (record.applied_mode.or(record.requested_mode), &record.kms_key_id) {
        (Some(Mode::Kms | Mode::KmsDsse), Some(id)) => {
            if keys.iter().any(|pattern| pattern.matches(id)) {
                Answer::Kept
            } else {
                Answer::Broken(Reason::KmsKey)
            }
        }
        // The answer names the key; it was seen, and does not.
        (Some(Mode::Kms | Mode::KmsDsse), None) if record.applied_mode.is_some() => {
            Answer::Broken(Reason::KmsKey)
        }
        (Some(Mode::Kms | Mode::KmsDsse), None) => Answer::NotSeen,
        (Some(_), _) => Answer::Moot,
        (None, _) => match carries(record) {
            Some(carries) if !carries.mode() => Answer::Moot,
            _ => Answer::NotSeen,
        },
    }
}

fn allows(demands: &Demands, order: &Order, mode: Mode) -> bool {
    demands.modes.as_ref().is_none_or(|modes| modes.contains(&mode))
        && demands.minimum.is_none_or(|minimum| order.reaches(mode, minimum))
}

/// Whether the store answered, and neither kept nor gave an object: it refused, or sent elsewhere, or
/// said that nothing has changed (and named no mode with it).
fn moved_nothing(record: &Record) -> bool {
    let other = record.status.is_some_and(|status| !(200..=299).contains(&status));
    other && record.applied_mode.is_none()
}

fn both_seen(record: &Record) -> bool {
    record.request_seen && record.response_seen
}

/// What the operation's messages can carry; `None` where it is not known which operation it was.
fn carries(record: &Record) -> Option<Carries> {
    let operation = record.operation.filter(|operation| *operation != Operation::UNKNOWN);
    operation.map(Operation::carries).or_else(|| {
        // Whatever it was, by this method it moved no object.
        let method = record.method.as_deref()?;
        (!["GET", "HEAD", "PUT", "POST"].contains(&method)).then(Carries::default)
    })
}
