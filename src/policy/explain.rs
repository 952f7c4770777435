//! A policy in words.

use super::Policy;
use super::rule::{Demands, Operations, Requirement, Rule, Scope};
use std::fmt::Write as _;

/// All of it, for a terminal.
pub(super) fn policy(policy: &Policy) -> String {
    let mut text = format!("{}\n", policy.name);
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    if let Some(description) = &policy.description {
        line(description.to_string());
    }
    line(format!("Strength: {}", policy.strength.words()));
    for (n, rule) in policy.rules.iter().enumerate() {
        line(String::new());
        line(format!("{}. {}", n + 1, rule.name));
        if let Some(description) = &rule.description {
            line(format!("   {description}"));
        }
        line(format!("   about: {}", scope(&rule.scope)));
        line(format!("   asks:  {}", requirement(rule)));
    }
    line(String::new());
    line(format!("Otherwise: {}.", default(policy.forbids_the_rest)));
    line(match policy.examples {
        0 => "There are no examples in the file.".to_owned(),
        1 => "The example in the file comes out as it says.".to_owned(),
        n => format!("All {n} examples in the file come out as they say."),
    });
    text
}

/// What becomes of exchanges that no rule is about.
pub(super) fn default(forbids: bool) -> &'static str {
    if forbids { "what no rule is about is forbidden" } else { "nothing is asked" }
}

/// What a rule asks for.
pub(super) fn requirement(rule: &Rule) -> String {
    match &rule.requirement {
        Requirement::Exempt => "nothing".to_owned(),
        Requirement::All(asked) => demands(asked),
    }
}

fn scope(scope: &Scope) -> String {
    let list = |items: Vec<&str>| items.join(", ");
    let mut parts = Vec::new();
    if let Some(hosts) = &scope.hosts {
        parts.push(format!("hosts {}", list(hosts.iter().map(|host| host.as_str()).collect())));
    }
    if let Some(buckets) = &scope.buckets {
        parts.push(format!("buckets {}", list(buckets.iter().map(|glob| glob.as_str()).collect())));
    }
    if let Some(operations) = &scope.operations {
        let names = operations.iter().copied().map(Operations::as_str).collect();
        parts.push(format!("operations {}", list(names)));
    }
    if parts.is_empty() { "everything".to_owned() } else { parts.join("; ") }
}

fn demands(demands: &Demands) -> String {
    let mut parts: Vec<String> = Vec::new();
    if demands.concern_modes() {
        let mut modes = String::from("a mode");
        if let Some(allowed) = &demands.modes {
            let names: Vec<_> = allowed.iter().map(|mode| mode.as_str()).collect();
            modes = format!("mode {}", names.join(" or "));
        }
        if let Some(minimum) = demands.minimum {
            // Writing to a string cannot fail.
            let _ = write!(modes, ", at least {minimum}");
        }
        modes += if demands.explicit { ", asked for and applied" } else { ", applied" };
        parts.push(modes);
    }
    if let Some(keys) = &demands.kms_keys {
        let keys: Vec<_> = keys.iter().map(|key| key.0.as_str()).collect();
        parts.push(format!("where a KMS key is used, one of {}", keys.join(", ")));
    }
    if demands.forbids_mismatches {
        parts.push("no other mode than the one asked for".to_owned());
    }
    if demands.forbids_plaintext {
        parts.push("nothing on the wire in clear text".to_owned());
    }
    parts.join("; ")
}
