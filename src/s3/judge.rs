//! What was asked for, what was applied, and whether the two differ.

use super::findings::{Finding, Findings};
use super::mode::Mode;
use super::operation::Operation;

/// The encryption headers of a request, as far as judging needs them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) mode: Option<Mode>,
    pub(super) customer_key: bool,
}

impl Asked {
    pub(super) fn anything(self) -> bool {
        self.mode.is_some() || self.customer_key
    }
}

/// What a request asks for; `None` where its operation cannot ask. `operation` is `None` where
/// the API has none.
///
/// For operations whose request can carry a mode an absent header is [`Mode::None`]. SSE-C
/// counts wherever its headers are seen. What a request cannot carry is a finding.
pub(super) fn requested(
    operation: Option<Operation>,
    asked: Asked,
    findings: &mut Findings,
) -> Option<Mode> {
    let carries = operation.map(Operation::carries).unwrap_or_default();
    let misplaced = (asked.mode.is_some() && !carries.request_mode)
        || (asked.customer_key && !carries.request_customer_key);
    if misplaced {
        findings.insert(Finding::MisplacedHeader);
    }
    let mode = asked.mode.filter(|_| carries.request_mode);
    match (mode, asked.customer_key) {
        (Some(_), true) => Some(Mode::Other),
        (None, true) => Some(Mode::SseC),
        (Some(mode), false) => Some(mode),
        (None, false) => carries.request_mode.then_some(Mode::None),
    }
}

/// What was applied, by a response with `seen` in its header; `None` where it does not say.
///
/// A 2xx to an operation whose response can carry a mode says so by leaving it out, too. A 304
/// says something only where it carries one, as do all other 2xx.
pub(super) fn applied(
    operation: Option<Operation>,
    status: u16,
    seen: Option<Mode>,
) -> Option<Mode> {
    let carries = operation.map(Operation::carries).unwrap_or_default();
    match status {
        200..=299 if carries.response_mode => Some(seen.unwrap_or(Mode::None)),
        200..=299 | 304 => seen,
        _ => None,
    }
}

/// Whether what was applied differs from what was asked for; `None` where that cannot be said.
///
/// An operation whose response has no field for SSE-C cannot confirm it by silence, nor deny it.
pub(crate) fn mismatch(
    operation: Option<Operation>,
    status: u16,
    requested: Option<Mode>,
    applied: Option<Mode>,
) -> Option<bool> {
    let (requested, applied) = (requested?, applied?);
    if !(200..=299).contains(&status) {
        return None;
    }
    let confirms_customer_key = operation.is_some_and(|op| op.carries().response_customer_key);
    if requested == Mode::SseC && applied == Mode::None && !confirms_customer_key {
        return None;
    }
    Some(requested != Mode::None && requested != applied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::operation::{Place, Signature, Subresource};

    fn operation(method: &'static str, key: &str) -> Option<Operation> {
        let subresource = Subresource::of(key);
        Signature { method, subresource, ..Signature::default() }.on(Place::Object)
    }

    #[test]
    fn an_absent_header_is_none_only_where_it_could_have_been() {
        let nothing = Asked::default();
        let ask = |operation| requested(operation, nothing, &mut Findings::default());
        assert_eq!(ask(operation("PUT", "")), Some(Mode::None));
        assert_eq!(ask(operation("POST", "uploads")), Some(Mode::None));
        assert_eq!(ask(operation("PUT", "uploadId")), None);
        assert_eq!(ask(operation("GET", "")), None);
        assert_eq!(ask(None), None);
        assert_eq!(applied(operation("GET", ""), 206, None), Some(Mode::None));
        assert_eq!(applied(operation("GET", ""), 304, None), None);
        assert_eq!(applied(operation("GET", ""), 304, Some(Mode::Kms)), Some(Mode::Kms));
        assert_eq!(applied(operation("GET", ""), 403, Some(Mode::Kms)), None);
        assert_eq!(applied(operation("DELETE", ""), 204, None), None);
    }

    #[test]
    fn what_a_request_cannot_carry_is_a_finding_and_no_request() {
        let ask = |operation, mode, customer_key| {
            let mut findings = Findings::default();
            let requested = requested(operation, Asked { mode, customer_key }, &mut findings);
            (requested, findings.iter().next())
        };
        let misplaced = Some(Finding::MisplacedHeader);
        assert_eq!(ask(operation("GET", ""), Some(Mode::Kms), false), (None, misplaced));
        assert_eq!(ask(operation("GET", ""), None, true), (Some(Mode::SseC), None));
        assert_eq!(ask(operation("DELETE", ""), None, true), (Some(Mode::SseC), misplaced));
        assert_eq!(ask(operation("PUT", ""), Some(Mode::Kms), true), (Some(Mode::Other), None));
        let part = operation("PUT", "uploadId");
        assert_eq!(ask(part, Some(Mode::Kms), true), (Some(Mode::SseC), misplaced));
    }

    #[test]
    fn a_mismatch_needs_a_request_an_answer_and_a_difference() {
        let put = operation("PUT", "");
        let judge = |requested, applied| mismatch(put, 200, requested, applied);
        assert_eq!(judge(Some(Mode::Aes256), Some(Mode::None)), Some(true));
        assert_eq!(judge(Some(Mode::Aes256), Some(Mode::Aes256)), Some(false));
        assert_eq!(judge(Some(Mode::None), Some(Mode::Aes256)), Some(false));
        assert_eq!(judge(None, Some(Mode::Aes256)), None);
        assert_eq!(judge(Some(Mode::Aes256), None), None);
        let complete = operation("POST", "uploadId");
        assert_eq!(mismatch(complete, 200, Some(Mode::SseC), Some(Mode::None)), None);
        assert_eq!(mismatch(put, 200, Some(Mode::SseC), Some(Mode::None)), Some(true));
    }
}
