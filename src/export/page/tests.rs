use super::*;
use crate::http::TlsCounts;
use crate::policy::{Judgement, Outcome, Policy, Reason};
use crate::s3::{Context, Finding, Mode, Observation, Operation, Side, Subject};
use crate::tally::{KeyForm, KeyLimits, Limits, Tally};
use std::sync::Arc;

/// Everything that would be markup if it were not escaped.
const HOSTILE: &str = "<script>alert(1)</script>\"'&amp;\n</details><img src=x onerror=a()>";

fn subject(host: &str) -> Subject {
    Subject {
        time: Timestamp::from_nanos(0),
        host: host.into(),
        bucket: Some(HOSTILE.into()),
        operation: Operation::PUT_OBJECT,
    }
}

fn mismatch(tally: &mut Tally, host: &str) {
    let (requested, applied) = (Mode::Kms, Mode::None);
    let subject = subject(host);
    tally.observe(&Observation::Requested { subject: subject.clone(), mode: requested });
    tally.observe(&Observation::Applied { subject: subject.clone(), mode: applied });
    tally.observe(&Observation::Mismatch { subject, requested, applied });
}

fn tally(max_hosts: usize) -> Tally {
    Tally::new(Limits { max_hosts, max_buckets: Some(2 * max_hosts), ..Limits::default() })
}

fn shown(summary: &Summary, interface: &str, unready: &[String]) -> String {
    let interfaces = [Interface { name: interface.to_owned(), is_up: unready.is_empty() }];
    let time = Timestamp::from_nanos(0);
    document(&View { summary, interfaces: &interfaces, unready, time, telemetry_path: "/metrics" })
        .into_string()
}

#[test]
fn nothing_that_the_wire_chose_is_markup() {
    let mut tally = tally(10);
    mismatch(&mut tally, HOSTILE);
    tally.tls(&HOSTILE.into(), TlsCounts { connections: 1, bytes: 1 });
    let summary = Summary::new(&tally, vec![HOSTILE.to_owned()]);
    let page = shown(&summary, HOSTILE, &[HOSTILE.to_owned()]);
    let escaped = "&lt;script&gt;alert(1)&lt;/script&gt;&quot;'&amp;amp;\n\
                   &lt;/details&gt;&lt;img src=x onerror=a()&gt;";
    // Host (as key and as title), bucket, server name, problem, interface, what is not ready.
    assert_eq!(page.matches(escaped).count(), 7, "{page}");
    assert_eq!((page.matches("<script").count(), page.matches("<img").count()), (1, 0));
    // No attribute is written with other quotes, which are not escaped.
    let ours = [STYLE, SCRIPT, ICON];
    let page = ours.into_iter().fold(page, |page, text| page.replace(text, ""));
    assert!(!page.contains("='"));
}

#[test]
fn style_and_script_end_where_they_are_to() {
    for text in [STYLE, SCRIPT] {
        assert!(!text.contains("</") && !text.contains("<!--"));
    }
    // Nothing is fetched: what is referred to is in the page.
    for (at, _) in STYLE.match_indices("url(") {
        assert!(STYLE[at..].starts_with("url(#p"));
    }
}

#[test]
fn the_policy_names_what_is_in_the_page() {
    let headers = headers();
    let (name, policy) = &headers[1];
    assert_eq!(*name, "content-security-policy");
    assert!(policy.contains(&source(SCRIPT)) && policy.contains(&source(STYLE)), "{policy}");
    // The digest of nothing, as FIPS 180 has it.
    assert_eq!(source(""), "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='");
}

#[test]
fn an_empty_page_says_that_it_is() {
    let page = shown(&Summary::new(&tally(10), Vec::new()), "eth0", &[]);
    assert!(page.contains("No packet seen yet") && page.contains("No host yet."));
    assert!(page.contains("does not mean “unencrypted”"));
}

#[test]
fn alarms_come_first_and_the_same_counts_make_the_same_page() {
    let mut tally = tally(10);
    for host in ["quiet", "odd", "wrong"] {
        tally.observe(&Observation::Requested { subject: subject(host), mode: Mode::Aes256 });
    }
    let finding = Finding::CustomerKeyInClear;
    tally.observe(&Observation::Found { subject: subject("odd"), finding, value: None });
    mismatch(&mut tally, "wrong");
    let summary = Summary::new(&tally, Vec::new());
    let page = shown(&summary, "eth0", &[]);
    let order = [
        "1 mismatch on 1 host",
        "With mismatches",
        ">wrong<",
        "1 ×</b> asked",
        "With findings",
        ">odd<",
        "SSE-C keys sent in clear text",
        "Nothing odd",
        ">quiet<",
        "Not looked into",
    ];
    let found = order.map(|part| page.find(part).expect(part));
    assert!(found.is_sorted(), "{page}");
    assert_eq!(page, shown(&Summary::new(&tally, Vec::new()), "eth0", &[]));
}

/// A policy that mismatches break, in force.
fn judged(tally: &mut Tally) -> Arc<Policy> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = "name = \"P <b>\"\n[[rule]]\nname = \"as asked for\"\nmismatches = \"forbidden\"\n";
    std::fs::write(file.path(), text).unwrap();
    let policy = Arc::new(Policy::load(file.path()).unwrap());
    tally.judge_by(&policy);
    policy
}

#[test]
fn what_breaks_the_policy_comes_first_and_each_rule_is_told() {
    let mut tally = tally(10);
    mismatch(&mut tally, "odd");
    judged(&mut tally);
    let page = |tally: &Tally| shown(&Summary::new(tally, Vec::new()), "eth0", &[]);
    assert!(page(&tally).contains("<h2 id=\"headline\">1 mismatch on 1 host</h2>"));
    let reasons = [Reason::Mismatch].into_iter().collect();
    let outcomes = [Outcome::Violated(reasons), Outcome::Met, Outcome::Undecided, Outcome::Exempt];
    for (outcome, n) in outcomes.into_iter().zip(1..) {
        for _ in 0..n {
            tally.judged(&"wrong".into(), &Judgement { rule: "as asked for".into(), outcome });
        }
    }
    let page = page(&tally);
    let order = [
        "1 exchange broke the policy on 1 host; 1 mismatch on 1 host",
        "Policy: P &lt;b&gt;",
        "as asked for",
        "asks: ",
        "<td>2</td>",
        "<span class=\"tag bad\">1</span>",
        "<td>3</td>",
        "<td>4</td>",
        "Broke the policy",
        ">wrong<",
        "1 violation",
        "broke the rule <b>as asked for</b>",
        "With mismatches",
        ">odd<",
    ];
    let found = order.map(|part| page.find(part).expect(part));
    assert!(found.is_sorted(), "{found:?} {page}");
    assert!(page.contains("too little of them was seen"));
    // Without a policy there is no word of one.
    let without = shown(&Summary::new(&self::tally(10), Vec::new()), "eth0", &[]);
    let without = without.replace(STYLE, "").replace(SCRIPT, "");
    assert!(!without.contains("olicy"), "{without}");
}

#[test]
fn what_is_not_captured_on_is_said() {
    let summary = Summary::new(&tally(10), Vec::new());
    let page = shown(&summary, "eth7", &["not capturing on eth7".to_owned()]);
    for part in ["0 of 1", "not capturing on eth7", "down"] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn names_beyond_the_limit_are_explained_and_the_page_is_bounded() {
    let mut tally = tally(3_000);
    for n in 0..3_100 {
        mismatch(&mut tally, &format!("host-{n}"));
    }
    let page = shown(&Summary::new(&tally, Vec::new()), "eth0", &[]);
    assert_eq!(page.matches("<li data-key=\"h:").count(), 1024);
    assert!(page.contains("Stands for every host that came after the limit"));
    assert!(page.contains("And 1,977 more hosts"), "{page}");
    assert!(page.contains("Too many hosts: 300 observations counted under"));
    assert!(page.len() < 3_000_000, "{}", page.len());
}

#[test]
fn keys_are_inside_their_host_as_text_and_only_so_many() {
    let keys = Some(KeyLimits { form: KeyForm::Full, max_keys: 500 });
    let mut tally = Tally::new(Limits { max_hosts: 10, keys, ..Limits::default() });
    let mut named = |key_id: &str| {
        let (subject, side) = (subject("store"), Side::Applied);
        tally.observe(&Observation::Keyed { subject, side, key_id: key_id.into() });
    };
    named(HOSTILE);
    (0..300).for_each(|n| named(&format!("key-{n}")));
    named(HOSTILE);
    let pairs = vec![(HOSTILE.into(), Some(HOSTILE.into()))];
    for context in [Context::Pairs(pairs), Context::Malformed] {
        let (subject, side) = (subject("store"), Side::Requested);
        tally.observe(&Observation::InContext { subject, side, context: context.into() });
    }
    let page = shown(&Summary::new(&tally, Vec::new()), "eth0", &[]);
    let escaped = "&lt;script&gt;alert(1)&lt;/script&gt;&quot;'&amp;amp;\\n\
                   &lt;/details&gt;&lt;img src=x onerror=a()&gt;";
    // As a key, as what the last change was to, as a name and a value in a context; and as the
    // bucket of the 32 changes that are kept.
    assert_eq!(page.matches(escaped).count(), 4 + 32, "{page}");
    assert_eq!((page.matches("<script").count(), page.matches("<img").count()), (1, 0));
    for part in ["KMS keys (301)", "And 201 more: see", "Key changes (301)", "(malformed)"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(page.contains("And 269 earlier ones."), "{page}");
    assert_eq!(page.matches(">key-").count(), 99 + 63, "{page}");
}

#[test]
fn nothing_is_said_of_keys_where_there_are_none() {
    for keys in [None, Some(KeyLimits { form: KeyForm::Short, max_keys: 5 })] {
        let mut tally = Tally::new(Limits { keys, ..Limits::default() });
        mismatch(&mut tally, "store");
        let page = shown(&Summary::new(&tally, Vec::new()), "eth0", &[]);
        assert!(!page.contains("KMS keys") && !page.contains("Encryption contexts"));
    }
}
