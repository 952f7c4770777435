use super::*;
use crate::net::Endpoint;
use crate::s3::{Mode, Operation, judge};
use std::net::{IpAddr, Ipv4Addr};

/// A policy of one rule about everything, with these fields.
fn rule(fields: &str) -> Policy {
    policy(&format!("name = 'p'\n[[rule]]\nname = 'r'\n{fields}"))
}

fn policy(text: &str) -> Policy {
    let wrong = |mistakes: Vec<toml_text::Mistake>| {
        panic!("{}\n{text}", mistakes.iter().map(ToString::to_string).collect::<String>())
    };
    file::read(text).unwrap_or_else(wrong)
}

/// All that is wrong with a text.
fn wrong(text: &str) -> Vec<String> {
    match file::read(text) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.iter().map(ToString::to_string).collect(),
    }
}

/// An exchange of which both messages were seen.
fn exchange(operation: Operation, requested: Option<Mode>, applied: Option<Mode>) -> Record {
    let nobody = Endpoint::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
    Record {
        method: Some("PUT".into()),
        status: Some(200),
        operation: Some(operation),
        bucket: Some("vault-1".into()),
        requested_mode: requested,
        applied_mode: applied,
        mismatch: judge::mismatch(Some(operation), 200, requested, applied),
        ..Record::between(nobody, nobody, "s3.example.com")
    }
}

fn put(requested: Mode, applied: Mode) -> Record {
    exchange(Operation::PUT_OBJECT, Some(requested), Some(applied))
}

fn get(applied: Mode) -> Record {
    exchange(Operation::GET_OBJECT, None, Some(applied))
}

/// Of which the answer was not seen.
fn unanswered(requested: Mode) -> Record {
    let record = exchange(Operation::PUT_OBJECT, Some(requested), None);
    Record { status: None, mismatch: None, response_seen: false, ..record }
}

/// Of which the request was not seen.
fn unasked(applied: Option<Mode>) -> Record {
    let record = exchange(Operation::UNKNOWN, None, applied);
    let operation = applied.map(|_| Operation::UNKNOWN);
    Record { operation, method: None, bucket: None, request_seen: false, mismatch: None, ..record }
}

#[track_caller]
fn comes_out(policy: &Policy, record: &Record, expected: Result<&str, &[Reason]>) {
    let outcome = policy.judge(record).expect("it is with an object store").outcome;
    let reasons: Vec<_> = outcome.reasons().iter().collect();
    let found = if reasons.is_empty() { Ok(outcome.as_str()) } else { Err(reasons.as_slice()) };
    assert_eq!(found, expected, "{record:?}");
}

#[test]
fn what_is_applied_suffices_unless_it_has_to_be_asked_for() {
    use Mode::*;
    let applied = rule("minimum = 'aws:kms'");
    let explicit = rule("minimum = 'aws:kms'\nexplicit = true");
    let (asked, got) = (Reason::RequestedMode, Reason::AppliedMode);
    type Expected<'e> = Result<&'e str, &'e [Reason]>;
    let cases: [(Record, Expected<'_>, Expected<'_>); 8] = [
        (put(Kms, Kms), Ok("met"), Ok("met")),
        (put(KmsDsse, KmsDsse), Ok("met"), Ok("met")),
        (put(None, Kms), Ok("met"), Err(&[asked])),
        (put(Kms, Aes256), Err(&[got]), Err(&[got])),
        (put(None, None), Err(&[got]), Err(&[asked, got])),
        (put(SseC, SseC), Err(&[got]), Err(&[asked, got])),
        // Nothing could be asked for.
        (get(Kms), Ok("met"), Ok("met")),
        (get(None), Err(&[got]), Err(&[got])),
    ];
    for (record, if_applied, if_explicit) in cases {
        comes_out(&applied, &record, if_applied);
        comes_out(&explicit, &record, if_explicit);
    }
}

#[test]
fn what_was_not_seen_is_undecided_and_what_was_is_not() {
    use Mode::*;
    let applied = rule("minimum = 'aws:kms'");
    comes_out(&applied, &unanswered(Kms), Ok("undecided"));
    comes_out(&applied, &unasked(Some(Kms)), Ok("met"));
    comes_out(&applied, &unasked(Option::None), Ok("undecided"));
    let explicit = rule("minimum = 'aws:kms'\nexplicit = true");
    comes_out(&explicit, &unanswered(Kms), Ok("undecided"));
    comes_out(&explicit, &unanswered(Aes256), Err(&[Reason::RequestedMode]));
    comes_out(&explicit, &unasked(Some(Kms)), Ok("undecided"));
    comes_out(&explicit, &unasked(Some(Aes256)), Err(&[Reason::AppliedMode]));
    let matching = rule("mismatches = 'forbidden'");
    comes_out(&matching, &unanswered(Kms), Ok("undecided"));
    comes_out(&matching, &unasked(Some(Kms)), Ok("undecided"));
}

#[test]
fn a_refusal_and_what_carries_nothing_keep_and_break_nothing() {
    let all =
        rule("minimum = 'aws:kms'\nexplicit = true\nmismatches = 'forbidden'\nkms_keys = 'a'");
    for status in [304, 307, 403, 500] {
        let refused = exchange(Operation::PUT_OBJECT, Some(Mode::None), None);
        comes_out(&all, &Record { status: Some(status), mismatch: None, ..refused }, Ok("exempt"));
    }
    let named = |name| Operation::named(name).expect("it is an operation");
    let list = exchange(named("ListObjectsV2"), None, None);
    comes_out(&all, &list, Ok("exempt"));
    // A 304 that names a mode says something.
    let unchanged = Record { status: Some(304), ..get(Mode::Aes256) };
    comes_out(&rule("minimum = 'aws:kms'"), &unchanged, Err(&[Reason::AppliedMode]));
    // A preflight is no operation of S3's.
    let preflight = Record { operation: None, method: Some("OPTIONS".into()), ..list };
    comes_out(&all, &preflight, Ok("exempt"));
    comes_out(&all, &Record { method: Some("GET".into()), ..preflight }, Ok("undecided"));
}

#[test]
fn an_answer_that_has_no_word_for_a_customers_key_says_nothing_of_it() {
    let modes = rule("modes = ['SSE-C']");
    let complete = Operation::named("CompleteMultipartUpload").expect("it is an operation");
    let said = exchange(complete, Some(Mode::SseC), Some(Mode::None));
    comes_out(&modes, &said, Ok("undecided"));
    comes_out(&modes, &put(Mode::SseC, Mode::None), Err(&[Reason::AppliedMode]));
}

#[test]
fn keys_are_judged_where_there_are_some() {
    let keys = rule("kms_keys = ['arn:aws:kms:*:111122223333:key/*', 'alias/backup-*', '12-*']");
    let with = |key: Option<&str>| Record { kms_key_id: key.map(Into::into), ..get(Mode::Kms) };
    let arn = |rest: &str| with(Some(&format!("arn:aws:kms:eu-west-1:{rest}")));
    comes_out(&keys, &arn("111122223333:key/9"), Ok("met"));
    comes_out(&keys, &arn("4:key/9"), Err(&[Reason::KmsKey]));
    comes_out(&keys, &arn("4:key/12-9"), Ok("met"));
    comes_out(&keys, &arn("4:alias/backup-1"), Ok("met"));
    comes_out(&keys, &with(Some("12-9")), Ok("met"));
    comes_out(&keys, &with(None), Err(&[Reason::KmsKey]));
    comes_out(&keys, &get(Mode::Aes256), Ok("exempt"));
    comes_out(&keys, &unanswered(Mode::Kms), Ok("undecided"));
}

#[test]
fn a_mismatch_and_clear_text_break_what_forbids_them() {
    let matching = rule("mismatches = 'forbidden'");
    comes_out(&matching, &put(Mode::Kms, Mode::None), Err(&[Reason::Mismatch]));
    comes_out(&matching, &put(Mode::None, Mode::None), Ok("met"));
    comes_out(&matching, &get(Mode::None), Ok("exempt"));
    let secret = rule("plaintext = 'forbidden'");
    let refused = Record { status: Some(403), ..exchange(Operation::PUT_OBJECT, None, None) };
    comes_out(&secret, &refused, Err(&[Reason::Plaintext]));
}

#[test]
fn the_first_rule_that_is_about_it_counts_and_else_the_default() {
    let text = |default| {
        format!(
            "name = 'p'\ndefault = '{default}'\n
             [[rule]]\nname = 'a'\nhosts = 'S3.*'\nbuckets = 'other'\nexempt = true\n
             [[rule]]\nname = 'b'\nhosts = ['*.com']\noperations = 'read'\nmodes = 'none'\n
             [[rule]]\nname = 'c'\noperations = ['PutObject']\nexempt = true\n"
        )
    };
    let (allow, forbid) = (policy(&text("allow")), policy(&text("forbid")));
    let rule = |record: &Record| allow.judge(record).map(|judgement| judgement.rule.to_string());
    assert_eq!(rule(&get(Mode::Kms)).as_deref(), Some("b"));
    assert_eq!(rule(&put(Mode::Kms, Mode::Kms)).as_deref(), Some("c"));
    let port = Record { host: "s3.example.com:9000".into(), ..get(Mode::Kms) };
    assert_eq!(rule(&port).as_deref(), Some("b"));
    let other = Record { bucket: Some("other".into()), ..get(Mode::Kms) };
    assert_eq!(rule(&other).as_deref(), Some("a"));
    let nowhere = Record { bucket: None, operation: Some(Operation::COPY_OBJECT), ..other };
    assert_eq!(rule(&nowhere).as_deref(), Some(DEFAULT));
    comes_out(&allow, &nowhere, Ok("exempt"));
    comes_out(&forbid, &nowhere, Err(&[Reason::NoRule]));
    assert_eq!(rule(&Record { object_store: false, ..nowhere }), None);
}

#[test]
fn the_order_of_strength_is_the_files() {
    let own = "name = 'p'\nstrength = ['SSE-C', ['AES256', 'aws:fsx'], 'aws:kms']\n
               [[rule]]\nname = 'r'\nminimum = 'aws:fsx'\n";
    let own = policy(own);
    for (mode, is_met) in [
        (Mode::SseC, false),
        (Mode::Aes256, true),
        (Mode::Fsx, true),
        (Mode::Kms, true),
        // Not in it.
        (Mode::KmsDsse, false),
        (Mode::None, false),
        (Mode::Other, false),
    ] {
        let expected: Result<_, &[_]> =
            if is_met { Ok("met") } else { Err(&[Reason::AppliedMode]) };
        comes_out(&own, &get(mode), expected);
    }
}

#[test]
fn every_mistake_is_told_with_its_place_and_its_fix() {
    let rule = |fields: &str| format!("name = 'p'\n[[rule]]\nname = 'r'\n{fields}");
    for (text, expected) in [
        ("".to_owned(), ":1:1: name: is missing; add it"),
        ("name = 'p'".to_owned(), ":1:1: rule: there is none; add a [[rule]]"),
        (
            "name = 'p'\nrules = 1\n".to_owned(),
            ":2:1: rules: is not a field of a policy; did you mean rule?",
        ),
        (
            rule("minimun = 'AES256'"),
            ":4:1: minimun: is not a field of a rule; did you mean minimum?",
        ),
        (
            rule("modes = ['AES265']"),
            ":4:10: modes: \"AES265\" is not a mode; did you mean \"AES256\"?",
        ),
        (
            rule("modes = ['aes256']"),
            ":4:10: modes: \"aes256\" is not a mode; did you mean \"AES256\"?",
        ),
        (
            rule("modes = []"),
            ":4:9: modes: is empty; name some, or take it out where it does not matter",
        ),
        (rule("modes = [1]"), ":4:10: modes: must be strings, in quotes, not an integer"),
        (
            rule("operations = ['GetObjects']\nmodes = 'AES256'"),
            ":4:15: operations: \"GetObjects\" is not an operation; did you mean \"GetObject\"?",
        ),
        (
            rule("hosts = ['https://a.b']\nmodes = 'AES256'"),
            ":4:10: hosts: \"https://a.b\" is a URL, no host; write \"a.b\"",
        ),
        (
            rule("buckets = 'v[0-9]'\nmodes = 'AES256'"),
            ":4:11: buckets: \"v[0-9]\": '[' is no wildcard here; * stands for any text, and is the only one",
        ),
        (
            rule("kms_keys = ''\nmodes = 'aws:kms'"),
            ":4:12: kms_keys: an empty pattern matches nothing; \"*\" is a KMS key's id of any name",
        ),
        (rule("explicit = 'yes'"), ":4:12: explicit: must be true or false, not a string"),
        (
            rule("explicit = true"),
            ":4:12: explicit: asks for a mode, but which is not said; add modes or minimum",
        ),
        (
            rule("plaintext = 'never'"),
            ":4:13: plaintext: \"never\" is not one of allowed, forbidden",
        ),
        (rule("minimum = ['AES256', 'aws:kms']"), ":4:11: minimum: takes one mode, not a list"),
        (
            rule("minimum = 'aws:fsx'"),
            ":4:11: minimum: aws:fsx has no place in the order of strength, SSE-C, AES256 < aws:kms < aws:kms:dsse",
        ),
        (
            rule("minimum = 'aws:kms'\nmodes = 'AES256'"),
            ":4:11: minimum: none of the modes of this rule is as strong",
        ),
        (
            rule("modes = 'AES256'\nkms_keys = '*'"),
            ":5:12: kms_keys: no mode that this rule allows has a KMS key",
        ),
        (
            rule("exempt = true\nmodes = 'AES256'"),
            ":4:10: exempt: a rule that exempts cannot ask for anything; take one of the two out",
        ),
        (
            rule(""),
            ":3:8: name: the rule asks for nothing; say what it asks for (modes, minimum, kms_keys, plaintext, mismatches), or exempt = true",
        ),
        (
            rule("operations = 'DeleteObject'\nmodes = 'AES256'"),
            ":4:14: operations: none of these carries a mode, so that there is nothing to judge",
        ),
        (
            rule("operations = 'read'\nmodes = 'AES256'\nexplicit = true"),
            ":6:12: explicit: no operation that this rule is about can ask for a mode; see operations",
        ),
        (
            "name = 'p'\nstrength = ['AES256', ['aws:kms', 'AES256']]\n".to_owned(),
            ":2:35: strength: AES256 is there twice; leave one",
        ),
        (
            "name = 'p'\nstrength = ['none']\n".to_owned(),
            ":2:13: strength: none has no strength; take it out",
        ),
        (
            "name = 'p'\n[rule]\nname = 'r'\n".to_owned(),
            ":2:1: rule: must be a list of tables; write [[rule]] above each",
        ),
        (
            "name = 'p'\n[[rule]]\nname = 'default'\nexempt = true".to_owned(),
            ":3:8: name: \"default\" stands for what no rule is about; use another name",
        ),
        ("name = 'p'\n[[rule]]\nexempt = true".to_owned(), ":2:1: name: is missing; add it"),
        (
            rule("exempt = true\n[[rule]]\nname = 'r'\nexempt = true"),
            ":6:8: name: two rules are called \"r\"; give each its own name",
        ),
        (
            rule(
                "modes = 'AES256'\n[[example]]\nhost = 'a'\noperation = 'GetObject'\nexpect = 'good'",
            ),
            ":8:10: expect: \"good\" is not one of met, violated, undecided, exempt",
        ),
        (
            rule("modes = 'AES256'\n[[example]]\nhost = 'a'\nexpect = 'met'"),
            ":5:1: operation: an example needs it",
        ),
        (
            rule("modes = 'AES256'\n[[example]]\nhost = 'a'\noperation = 'write'\nexpect = 'met'"),
            ":7:13: operation: an example is of one operation; name it",
        ),
        (
            rule(
                "modes = 'AES256'\n[[example]]\nhost = 'a'\noperation = 'GetObject'\nexpect = 'met'\nrule = 's'",
            ),
            ":9:8: rule: \"s\" is not a rule of this policy; use r, default",
        ),
        (
            rule(
                "modes = 'AES256'\n[[example]]\nhost = 'a'\noperation = 'GetObject'\napplied = 'aws:kms'\nexpect = 'met'",
            ),
            ":5:1: example: it comes out as violated (applied_mode) by rule \"r\", not as met; mend the rules or the example",
        ),
    ] {
        assert_eq!(wrong(&text), [expected], "{text}");
    }
    let broken = wrong("name = 'p'\n[[rule]]\nname = r\nmods = 'x'\n");
    assert_eq!(broken.len(), 2, "{broken:?}");
    assert!(broken[0].starts_with(":3:8: "), "{broken:?}");
}

#[test]
fn a_rule_that_is_never_asked_is_a_mistake() {
    let rules = |rules: &[&str]| {
        let mut text = "name = 'p'\n".to_owned();
        for (n, scope) in rules.iter().enumerate() {
            text += &format!("[[rule]]\nname = 'r{n}'\nmodes = 'AES256'\n{scope}\n");
        }
        wrong(&text)
    };
    let is_never_asked = |wrong: &[String], by: &str| {
        wrong.len() == 1 && wrong[0].contains(&format!("all that it is about, {by} is about"))
    };
    assert!(is_never_asked(&rules(&["", "hosts = 'a'"]), "\"r0\""));
    assert!(is_never_asked(&rules(&["hosts = '*.a'", "hosts = ['x.a', '*.y.a']"]), "\"r0\""));
    let split =
        ["operations = 'read'", "operations = 'write'", "operations = ['PutObject', 'read']"];
    assert!(is_never_asked(&rules(&split), "\"r0\" or \"r1\""));
    assert!(is_never_asked(&rules(&["hosts = 'a'", "hosts = 'a:5000'"]), "\"r0\""));
    for reached in [
        &["hosts = 'a'", ""][..],
        &["hosts = 'a:5000'", "hosts = 'a'"],
        &["hosts = 'a'\nbuckets = 'b'", "hosts = 'a'"],
        &["operations = 'read'", "hosts = 'a'"],
        &["buckets = '*'", ""],
        &["hosts = ['a', 'b']", "hosts = '*'"],
    ] {
        assert_eq!(rules(reached), [""; 0], "{reached:?}");
    }
}

mod spoiled {
    use super::*;
    use proptest::prelude::*;

    const READY_MADE: [&str; 3] = [
        include_str!("../../packaging/policies/cnssp-15.toml"),
        include_str!("../../packaging/policies/kms-only.toml"),
        include_str!("../../packaging/policies/no-mismatch.toml"),
    ];

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn a_spoiled_file_is_a_policy_or_says_where_it_is_wrong(
            which in 0..READY_MADE.len(),
            edits in prop::collection::vec((any::<prop::sample::Index>(), "[\\[\\]\"'=*{},a-z0-9\n]{0,3}"), 1..6),
        ) {
            let mut text: Vec<char> = READY_MADE[which].chars().collect();
            for (at, with) in edits {
                let at = at.index(text.len());
                text.splice(at..(at + 1).min(text.len()), with.chars());
            }
            let text: String = text.into_iter().collect();
            match file::read(&text) {
                Ok(policy) => prop_assert!(!policy.explain().is_empty()),
                Err(mistakes) => {
                    prop_assert!(!mistakes.is_empty());
                    for mistake in mistakes {
                        prop_assert!(mistake.place.is_some() && !mistake.text.is_empty());
                    }
                }
            }
        }
    }
}
