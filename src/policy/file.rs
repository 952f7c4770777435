//! From a file to a policy, or to all that is wrong with the file.

use super::example::Example;
use super::rule::{Demands, KeyPattern, Operations, Requirement, Rule, Scope};
use super::strength::Order;
use super::{DEFAULT, Policy};
use crate::digest;
use crate::glob::Glob;
use crate::s3::{HostPattern, Mode, Operation, Transfer};
use crate::toml_text::{Document, Mistake, Place};
use fields::Fields;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

mod fields;
mod patterns;
mod reach;

/// The longest name, in bytes: it is a label.
const MAX_NAME: usize = 128;

/// Reads a policy.
///
/// # Errors
///
/// All that is wrong, in the order of the file.
pub(super) fn read(text: &str) -> Result<Policy, Vec<Mistake>> {
    let document = Document::parse(text);
    let mut reader = Reader { document: &document, mistakes: Vec::new() };
    let (policy, examples) = reader.policy(document.table());
    let mistakes = document.all_wrong(reader.mistakes);
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let policy =
        Policy { digest: digest::of(text.as_bytes()).into(), examples: examples.len(), ..policy };
    let wrong: Vec<_> = examples.iter().filter_map(|example| example.wrong(&policy)).collect();
    if wrong.is_empty() { Ok(policy) } else { Err(wrong) }
}

/// A rule, and where it is in the file.
struct Placed {
    rule: Rule,
    place: Place,
}

struct Reader<'d> {
    document: &'d Document<'d>,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn wrong(&mut self, span: &Range<usize>, key: &str, text: impl Into<String>) {
        let place = Some(self.document.place(span));
        self.mistakes.push(Mistake { place, key: Some(key.to_owned()), text: text.into() });
    }

    fn policy(&mut self, table: &DeTable<'_>) -> (Policy, Vec<Example>) {
        const KNOWN: &[&str] = &["name", "description", "default", "strength", "rule", "example"];
        let mut fields = Fields::of(self, table, "a policy", KNOWN, &(0..0));
        let name = fields.required_text("name");
        let description = fields.text("description");
        let forbids_the_rest = fields.one_of("default", &["allow", "forbid"]) == Some(1);
        let strength = fields.get("strength");
        let (rules, examples) = (fields.get("rule"), fields.get("example"));
        let strength = strength.map_or_else(Order::default, |value| self.strength(value));
        let rules = self.rules(rules, &strength);
        if rules.is_empty() && !forbids_the_rest && self.mistakes.is_empty() {
            self.wrong(&(0..0), "rule", "there is none; add a [[rule]]");
        }
        let examples = self.examples(examples, &rules);
        let policy = Policy {
            name: name.unwrap_or_default().into(),
            description: description.map(Into::into),
            digest: Box::default(),
            rules: rules.into_iter().map(|placed| placed.rule).collect(),
            strength,
            forbids_the_rest,
            default: DEFAULT.into(),
            examples: 0,
        };
        (policy, examples)
    }

    /// The tables of a list of tables.
    fn tables<'v>(
        &mut self,
        key: &str,
        value: Option<&'v Spanned<DeValue<'v>>>,
    ) -> Vec<(&'v DeTable<'v>, Range<usize>)> {
        let Some(value) = value else { return Vec::new() };
        let wrong = format!("must be a list of tables; write [[{key}]] above each");
        let DeValue::Array(values) = value.get_ref() else {
            self.wrong(&value.span(), key, wrong);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for value in values.iter() {
            match value.get_ref() {
                DeValue::Table(table) => tables.push((table, value.span())),
                _ => self.wrong(&value.span(), key, wrong.clone()),
            }
        }
        tables
    }

    fn strength(&mut self, value: &Spanned<DeValue<'_>>) -> Order {
        const KEY: &str = "strength";
        let DeValue::Array(ranks) = value.get_ref() else {
            self.wrong(&value.span(), KEY, "must be a list of modes, the weakest first");
            return Order::default();
        };
        let mut order: Vec<Vec<Mode>> = Vec::new();
        for rank in ranks.iter() {
            let mut modes = Vec::new();
            for (span, text) in fields::texts(self, KEY, rank) {
                let Some(mode) = self.mode(&span, KEY, &text) else { continue };
                if matches!(mode, Mode::None | Mode::Other) {
                    self.wrong(&span, KEY, format!("{mode} has no strength; take it out"));
                } else if modes.contains(&mode) || order.iter().any(|rank| rank.contains(&mode)) {
                    self.wrong(&span, KEY, format!("{mode} is there twice; leave one"));
                } else {
                    modes.push(mode);
                }
            }
            order.push(modes);
        }
        Order(order)
    }

    fn rules(&mut self, value: Option<&Spanned<DeValue<'_>>>, order: &Order) -> Vec<Placed> {
        let mut rules: Vec<Placed> = Vec::new();
        for (table, span) in self.tables("rule", value) {
            let rule = self.rule(table, &span, order);
            if rules.iter().any(|placed| placed.rule.name == rule.name) && !rule.name.is_empty() {
                let at = table.get("name").map_or(span.clone(), Spanned::span);
                let text = format!("two rules are called {:?}; give each its own name", rule.name);
                self.wrong(&at, "name", text);
            }
            rules.push(Placed { rule, place: self.document.place(&span) });
        }
        // Of rules that are wrong in themselves nobody knows what they are about.
        if self.mistakes.is_empty() {
            self.mistakes.extend(reach::unreachable(&rules));
        }
        rules
    }

    fn rule(&mut self, table: &DeTable<'_>, span: &Range<usize>, order: &Order) -> Rule {
        const KNOWN: &[&str] = &[
            "name",
            "description",
            "hosts",
            "buckets",
            "operations",
            "exempt",
            "modes",
            "minimum",
            "explicit",
            "kms_keys",
            "plaintext",
            "mismatches",
        ];
        let before = self.mistakes.len();
        let mut fields = Fields::of(self, table, "a rule", KNOWN, span);
        let name = fields.name("name");
        let description = fields.text("description");
        let exempt = fields.flag("exempt");
        let demands = Demands {
            explicit: fields.flag("explicit").unwrap_or(false),
            forbids_plaintext: fields.one_of("plaintext", &["allowed", "forbidden"]) == Some(1),
            forbids_mismatches: fields.one_of("mismatches", &["allowed", "forbidden"]) == Some(1),
            modes: fields.each("modes", Self::mode),
            minimum: fields.each("minimum", Self::mode).and_then(|modes| modes.first().copied()),
            kms_keys: fields.each("kms_keys", |reader, span, key, text| {
                let pattern = reader.pattern(span, key, text, patterns::kms_key)?;
                Some(KeyPattern(Glob::new(pattern)))
            }),
        };
        let scope = Scope {
            hosts: fields.each("hosts", |reader, span, key, text| {
                reader.pattern(span, key, text, patterns::host).map(HostPattern::new)
            }),
            buckets: fields.each("buckets", |reader, span, key, text| {
                reader.pattern(span, key, text, patterns::bucket).map(Glob::new)
            }),
            operations: fields.each("operations", Self::operations),
        };
        let at = |key: &str| table.get(key).map_or(span.clone(), Spanned::span);
        if let Some(value) = table.get("minimum")
            && matches!(value.get_ref(), DeValue::Array(_))
        {
            self.wrong(&value.span(), "minimum", "takes one mode, not a list");
        }
        if self.mistakes.len() == before {
            for (key, text) in reach::senseless(&scope, &demands, exempt, order) {
                self.wrong(&at(key), key, text);
            }
        }
        let requirement = match exempt {
            Some(true) => Requirement::Exempt,
            _ => Requirement::All(demands),
        };
        let description = description.map(Into::into);
        Rule { name: name.unwrap_or_default().into(), description, scope, requirement }
    }

    fn mode(&mut self, span: &Range<usize>, key: &str, text: &str) -> Option<Mode> {
        let names = Mode::ALL.map(Mode::as_str);
        let mode = Mode::ALL.into_iter().find(|mode| mode.as_str() == text);
        // By the names that documentation uses.
        let meant = match text.to_ascii_uppercase().as_str() {
            "SSE-S3" => Some(Mode::Aes256),
            "SSE-KMS" => Some(Mode::Kms),
            "DSSE-KMS" => Some(Mode::KmsDsse),
            _ => None,
        };
        match (mode, meant) {
            (Some(_), _) => {}
            (None, Some(meant)) => {
                let meant =
                    format!("{text:?} is not how it is written; write {:?}", meant.as_str());
                self.wrong(span, key, meant);
            }
            (None, None) => self.wrong(span, key, fields::unknown(text, "a mode", &names)),
        }
        mode
    }

    fn operations(&mut self, span: &Range<usize>, key: &str, text: &str) -> Option<Operations> {
        let groups = [Transfer::Read, Transfer::Write];
        if let Some(group) = groups.into_iter().find(|group| group.as_str() == text) {
            return Some(Operations::Of(group));
        }
        let operation = Operation::named(text);
        if operation.is_none() {
            let mut names: Vec<_> = groups.iter().map(|group| group.as_str()).collect();
            names.extend(Operation::all().map(Operation::as_str));
            self.wrong(span, key, fields::unknown(text, "an operation", &names));
        }
        operation.map(Operations::One)
    }

    fn examples(&mut self, value: Option<&Spanned<DeValue<'_>>>, rules: &[Placed]) -> Vec<Example> {
        let tables = self.tables("example", value);
        tables.into_iter().filter_map(|(table, span)| self.example(table, &span, rules)).collect()
    }

    fn example(
        &mut self,
        table: &DeTable<'_>,
        span: &Range<usize>,
        rules: &[Placed],
    ) -> Option<Example> {
        const KNOWN: &[&str] = &[
            "host",
            "bucket",
            "operation",
            "requested",
            "applied",
            "kms_key",
            "status",
            "expect",
            "rule",
        ];
        let before = self.mistakes.len();
        let mut fields = Fields::of(self, table, "an example", KNOWN, span);
        let host = fields.required_text("host");
        let bucket = fields.text("bucket");
        let kms_key = fields.text("kms_key");
        let status = fields.status("status");
        let expect = fields.one_of("expect", &super::Outcome::NAMES);
        let rule = fields.text("rule");
        let mut first = |key: &str| {
            let modes: Option<Vec<Mode>> = fields.each(key, Self::mode);
            modes.and_then(|modes| modes.first().copied())
        };
        let (requested, applied) = (first("requested"), first("applied"));
        let operation = fields.each("operation", |reader, span, key, text| {
            match reader.operations(span, key, text)? {
                Operations::One(operation) => Some(operation),
                Operations::Of(_) => {
                    reader.wrong(span, key, "an example is of one operation; name it");
                    None
                }
            }
        });
        let operation = operation.and_then(|operations| operations.first().copied());
        if let Some(rule) = &rule
            && rule != DEFAULT
            && rules.iter().all(|placed| &*placed.rule.name != rule)
        {
            let mut names: Vec<_> = rules.iter().map(|placed| &*placed.rule.name).collect();
            names.push(DEFAULT);
            let at = table.get("rule").map_or(span.clone(), Spanned::span);
            self.wrong(&at, "rule", fields::unknown(rule, "a rule of this policy", &names));
        }
        for key in ["expect", "operation"] {
            if table.get(key).is_none() {
                self.wrong(span, key, "an example needs it");
            }
        }
        if self.mistakes.len() > before {
            return None;
        }
        Some(Example {
            place: self.document.place(span),
            host: host?,
            bucket,
            operation: operation?,
            requested,
            applied,
            kms_key,
            status,
            expect: super::Outcome::NAMES[expect?],
            rule,
        })
    }

    /// The same text, if it is a pattern that something can match.
    fn pattern<'t>(
        &mut self,
        span: &Range<usize>,
        key: &str,
        text: &'t str,
        wrong: impl Fn(&str) -> Option<String>,
    ) -> Option<&'t str> {
        match wrong(text) {
            Some(text) => {
                self.wrong(span, key, text);
                None
            }
            None => Some(text),
        }
    }
}
