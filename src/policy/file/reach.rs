//! Rules that can never do anything: whose demands nothing can meet, or that come after others that
//! are about all that they are about.

use super::Placed;
use crate::policy::rule::{Demands, Scope};
use crate::policy::strength::Order;
use crate::s3::{Mode, Operation};
use crate::toml_text::Mistake;

/// What makes no sense in a rule each of whose fields does: which field, and why.
pub(super) fn senseless(
    scope: &Scope,
    demands: &Demands,
    exempt: Option<bool>,
    order: &Order,
) -> Vec<(&'static str, String)> {
    let demands_something = demands.concern_modes()
        || demands.explicit
        || demands.kms_keys.is_some()
        || demands.forbids_plaintext
        || demands.forbids_mismatches;
    if exempt == Some(true) {
        let text = "a rule that exempts cannot ask for anything; take one of the two out";
        return demands_something.then(|| ("exempt", text.to_owned())).into_iter().collect();
    }
    if !demands_something {
        let text = "the rule asks for nothing; say what it asks for (modes, minimum, kms_keys, \
                    plaintext, mismatches), or exempt = true";
        return vec![("name", text.to_owned())];
    }
    let mut wrong = modes(demands, order);
    if wrong.is_empty() {
        wrong.extend(operations(scope, demands));
    }
    wrong
}

fn modes(demands: &Demands, order: &Order) -> Vec<(&'static str, String)> {
    if let Some(minimum) = demands.minimum.filter(|minimum| !order.knows(*minimum)) {
        let text = format!("{minimum} has no place in the order of strength, {}", order.words());
        return vec![("minimum", text)];
    }
    if demands.explicit && !demands.concern_modes() {
        let text = "asks for a mode, but which is not said; add modes or minimum";
        return vec![("explicit", text.to_owned())];
    }
    let allowed: Vec<_> = Mode::ALL
        .into_iter()
        .filter(|mode| demands.modes.as_ref().is_none_or(|modes| modes.contains(mode)))
        .filter(|mode| demands.minimum.is_none_or(|minimum| order.reaches(*mode, minimum)))
        .collect();
    if allowed.is_empty() {
        return vec![("minimum", "none of the modes of this rule is as strong".to_owned())];
    }
    let has_key = |mode: &Mode| matches!(mode, Mode::Kms | Mode::KmsDsse);
    if demands.kms_keys.is_some() && !allowed.iter().any(has_key) {
        return vec![("kms_keys", "no mode that this rule allows has a KMS key".to_owned())];
    }
    Vec::new()
}

fn operations(scope: &Scope, demands: &Demands) -> Option<(&'static str, String)> {
    let mut about = Operation::all().filter(|operation| scope.contains_operation(*operation));
    if demands.forbids_plaintext {
        return None;
    }
    if demands.explicit && !about.clone().any(|operation| operation.carries().request_mode) {
        let text = "no operation that this rule is about can ask for a mode; see operations";
        return Some(("explicit", text.to_owned()));
    }
    if !about.any(|operation| operation.carries().mode()) {
        let text = "none of these carries a mode, so that there is nothing to judge";
        return Some(("operations", text.to_owned()));
    }
    None
}

/// The rules that no exchange gets to.
pub(super) fn unreachable(rules: &[Placed]) -> Vec<Mistake> {
    let unreached = |n: &usize| covering(&rules[..*n], &rules[*n]);
    (0..rules.len())
        .filter_map(|n| {
            let before = unreached(&n)?;
            let text = format!(
                "the rule {:?} is never asked: all that it is about, {before} is about, and comes \
                 first; move it up, or take it out",
                rules[n].rule.name
            );
            Some(Mistake { place: Some(rules[n].place), key: Some("rule".to_owned()), text })
        })
        .collect()
}

/// Those of `before` that together are about all that `rule` is about, as far as that shows in each
/// one's hosts and buckets.
fn covering(before: &[Placed], rule: &Placed) -> Option<String> {
    let scope = &rule.rule.scope;
    let at_place: Vec<_> =
        before.iter().filter(|earlier| earlier.rule.scope.covers_place_of(scope)).collect();
    let is_taken = |operation: Operation| {
        at_place.iter().any(|earlier| earlier.rule.scope.contains_operation(operation))
    };
    let mut about = Operation::all().filter(|operation| scope.contains_operation(*operation));
    // Exchanges of no known operation pass all rules that name some.
    let is_unknown_taken = scope.operations.is_some()
        || at_place.iter().any(|earlier| earlier.rule.scope.operations.is_none());
    if at_place.is_empty() || !is_unknown_taken || !about.all(is_taken) {
        return None;
    }
    let names: Vec<_> = at_place.iter().map(|earlier| format!("{:?}", earlier.rule.name)).collect();
    Some(names.join(" or "))
}
