use super::*;
use crate::http::TlsCounts;
use crate::net::{Endpoint, Timestamp};
use crate::policy::Current;
use crate::report::{Evidence, Scope, ScopeFile, Summary};
use crate::s3::{Context, Finding, Mode, Observation, Operation, Record, Side, Subject};
use crate::tally::{KeyForm, KeyLimits, Limits, Tally};
use std::fs;
use std::net::IpAddr;

/// Everything that would be markup if it were not escaped, or would hide something.
pub(in crate::report) const HOSTILE: &str =
    "<script>alert(1)</script>\"'&amp;\u{202e}</table><img src=x onerror=a()>";
const SHOWN: &str = "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;&quot;'&amp;amp;\
     <span class=\"hidden\">U+202E</span>&lt;/table&gt;&lt;img src=x onerror=a()&gt;</bdi>";

/// An exchange with a mismatch and a finding, at that second.
pub(in crate::report) fn record(host: &str, second: i64) -> Record {
    let client = Endpoint::new(IpAddr::from([192, 0, 2, 1]), 4000);
    let server = Endpoint::new(IpAddr::from([192, 0, 2, 2]), 80);
    Record {
        time: Timestamp::from_nanos(second * 1_000_000_000),
        method: Some("PUT".into()),
        target: Some(format!("/{host}").into()),
        status: Some(200),
        operation: Some(Operation::PUT_OBJECT),
        bucket: Some(host.into()),
        requested_mode: Some(Mode::Kms),
        applied_mode: Some(Mode::None),
        mismatch: Some(true),
        kms_key_id: Some(host.into()),
        findings: vec![Finding::UnprefixedName],
        ..Record::between(client, server, host)
    }
}

/// What was counted, and what it is about.
pub(in crate::report) struct Counted {
    pub(in crate::report) tally: Tally,
    pub(in crate::report) evidence: Evidence,
    pub(in crate::report) scope: Scope,
    pub(in crate::report) problems: Vec<String>,
    policy: Option<Current>,
}

impl Counted {
    pub(in crate::report) fn new(max_hosts: usize, policy: Option<&str>) -> Self {
        let keys = Some(KeyLimits { form: KeyForm::Full, max_keys: 500 });
        let max_buckets = Some(2 * max_hosts);
        let limits = Limits { max_hosts, max_buckets, keys, ..Limits::default() };
        let mut tally = Tally::new(limits);
        let policy = policy.map(|text| {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), text).unwrap();
            Current::load(file.path()).unwrap()
        });
        if let Some(policy) = &policy {
            tally.judge_by(&policy.get());
        }
        let (evidence, scope) = (Evidence::new(1_000), Scope::default());
        Self { tally, evidence, scope, problems: Vec::new(), policy }
    }

    pub(in crate::report) fn exchange(&mut self, record: &Record) {
        let subject = Subject {
            time: record.time,
            host: record.host.clone(),
            bucket: record.bucket.clone(),
            operation: Operation::PUT_OBJECT,
        };
        let (requested, applied) = (Mode::Kms, Mode::None);
        let observations = [
            Observation::Requested { subject: subject.clone(), mode: requested },
            Observation::Applied { subject: subject.clone(), mode: applied },
            Observation::Mismatch { subject: subject.clone(), requested, applied },
            Observation::Refused { subject: subject.clone(), status: 403 },
            Observation::Found { subject, finding: Finding::UnprefixedName, value: None },
        ];
        observations.iter().for_each(|observation| self.tally.observe(observation));
        self.keyed(record);
        let judgement = self.policy.as_ref().and_then(|policy| policy.get().judge(record));
        if let Some(judgement) = &judgement {
            self.tally.judged(&record.host, judgement);
        }
        self.tally.observe(&Observation::Over(Box::new(record.clone())));
        self.evidence.add(record, judgement.as_ref());
    }

    /// A key that changes to the record's, and a context.
    fn keyed(&mut self, record: &Record) {
        let subject = || Subject {
            time: record.time,
            host: record.host.clone(),
            bucket: record.bucket.clone(),
            operation: Operation::PUT_OBJECT,
        };
        for key_id in ["before", &record.host] {
            let (side, key_id) = (Side::Applied, key_id.into());
            self.tally.observe(&Observation::Keyed { subject: subject(), side, key_id });
        }
        let pairs = vec![(record.host.to_string().into(), Some(record.host.to_string().into()))];
        for context in [Context::Pairs(pairs), Context::Malformed] {
            let (side, context) = (Side::Requested, context.into());
            self.tally.observe(&Observation::InContext { subject: subject(), side, context });
        }
    }

    pub(in crate::report) fn with<T>(&self, then: impl FnOnce(&Report<'_>) -> T) -> T {
        let summary = &Summary::new(&self.tally, self.problems.clone()).with(&self.evidence);
        then(&Report { scope: &self.scope, summary, evidence: &self.evidence })
    }

    fn page(&self) -> String {
        self.with(|report| report.to_html())
    }
}

/// A policy that everything breaks.
pub(in crate::report) const POLICY: &str =
    "name = \"P\"\n[[rule]]\nname = \"as asked for\"\nmismatches = \"forbidden\"\n";

#[test]
fn nothing_that_others_chose_is_markup_or_hides_anything() {
    let mut counted = Counted::new(10, Some(POLICY));
    counted.exchange(&record(HOSTILE, 0));
    counted.tally.tls(&HOSTILE.into(), TlsCounts { connections: 1, bytes: 1 });
    counted.problems.push(HOSTILE.to_owned());
    let (path, note) = (HOSTILE.to_owned(), Some(HOSTILE.to_owned()));
    counted.scope.files.push(ScopeFile { path, note, ..ScopeFile::default() });
    counted.scope.options.push(("filter".to_owned(), vec![HOSTILE.to_owned()]));
    let page = counted.page();
    // File, note, option; thrice the host, bucket, target and key of an exchange, which broke the policy, is
    // a mismatch and has findings; the host's line and title, its bucket; server name, problem.
    let target = SHOWN.replacen("<bdi>", "<bdi>/", 1);
    assert_eq!(page.matches(&target).count(), 3, "{page}");
    assert_eq!(page.matches(SHOWN).count(), 3 + 3 * 3 + 3 + 2, "{page}");
    // Keys and contexts are counted as what is printable: the key, where one changed and to
    // what, a name and its value.
    let printable = SHOWN.replace("<span class=\"hidden\">U+202E</span>", "\\u{202e}");
    let printable = printable.trim_start_matches("<bdi>").trim_end_matches("</bdi>");
    assert_eq!(page.matches(printable).count(), 5, "{page}");
    for markup in ["<script", "<img", "</table><", "\u{202e}"] {
        let ours = if markup == "</table><" { page.matches("<table").count() } else { 0 };
        assert!(page.matches(markup).count() <= ours, "{markup}");
    }
    assert_eq!(page.matches("<table").count(), page.matches("</table>").count());
    // No attribute is written with other quotes, which are not escaped.
    let page = page.replace(STYLE, "").replace(&content_policy(), "");
    assert!(!page.contains("='"), "{page}");
}

/// As it stands in the page.
fn content_policy() -> String {
    html! { (CONTENT_POLICY) }.into_string()
}

#[test]
fn nothing_is_fetched_and_nothing_runs() {
    assert!(!STYLE.contains("</") && !STYLE.contains("<!--") && !STYLE.contains("@import"));
    for (at, _) in STYLE.match_indices("url(") {
        assert!(STYLE[at..].starts_with("url(#p"));
    }
    let mut counted = Counted::new(10, None);
    counted.exchange(&record("a", 0));
    let page = counted.page();
    for what in ["src=", "<script", "<link", "http://", "https://", " on"] {
        let page = page.replace(" on ", " ");
        assert!(!page.contains(what) || what == " on", "{what}");
    }
    // What is referred to is there.
    for (at, _) in page.match_indices("href=\"#") {
        let rest = &page[at + "href=\"#".len()..];
        let id = rest.split('"').next().unwrap_or_default();
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
}

#[test]
fn the_verdict_says_broken_kept_not_judged_and_undecided() {
    let headline = |policy: Option<&str>, change: &dyn Fn(&mut Record)| {
        let mut counted = Counted::new(10, policy);
        let mut record = record("a", 0);
        change(&mut record);
        counted.exchange(&record);
        counted.with(|report| Verdict::new(report).title())
    };
    let kept = |record: &mut Record| record.mismatch = Some(false);
    let unseen = |record: &mut Record| record.mismatch = None;
    let refused = |record: &mut Record| {
        (record.mismatch, record.status, record.applied_mode) = (None, Some(403), None);
    };
    let title = |text: &str| format!("{text} · sealwatch report");
    assert_eq!(headline(Some(POLICY), &|_| ()), title("Policy broken, by 1 exchange"));
    assert_eq!(
        headline(Some(POLICY), &kept),
        title("Policy kept, by all that was seen: 1 exchange")
    );
    let too_little = "Policy not judged: too little was seen of 1 exchange";
    assert_eq!(headline(Some(POLICY), &unseen), title(too_little));
    let nothing = "Policy not judged: it asks nothing of what was seen";
    assert_eq!(headline(Some(POLICY), &refused), title(nothing));
    assert_eq!(headline(None, &|_| ()), title("1 mismatch seen; not judged by a policy"));
}

#[test]
fn what_could_not_be_judged_stands_beside_the_verdict() {
    let mut counted = Counted::new(10, None);
    counted.exchange(&record("a", 0));
    assert!(counted.page().contains("Everything in the files could be examined."));
    counted.tally.tls(&"a".into(), TlsCounts { connections: 1, bytes: 1 });
    counted.tally.ledger.http.tls_connections = 2;
    counted.tally.ledger.flow.gaps = 3;
    counted.tally.ledger.drops.kernel = 4;
    counted.problems.push("error: cannot read b".to_owned());
    counted.problems.push("note: skipped c".to_owned());
    let page = counted.page();
    let doubts = "not everything could be: 2 blind connections, 3 gaps, 4 packets dropped, \
                  1 problem with the files.";
    assert!(page.contains(doubts), "{page}");
    for hidden in ["Any number of exchanges, under any mode", "Any part of any exchange."] {
        assert!(page.contains(hidden), "{hidden}");
    }
}

#[test]
fn a_report_of_nothing_says_so() {
    let page = Counted::new(10, None).page();
    for part in [
        "No object-store traffic seen; not judged by a policy",
        "no packet was read",
        "No exchange with an object store was seen.",
        "There was no exchange with an object store.",
        "None was seen.",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn however_much_there_is_the_report_is_bounded_and_says_what_it_leaves_out() {
    let mut counted = Counted::new(3_000, Some(POLICY));
    for n in 0..3_100 {
        counted.exchange(&record(&format!("host-{n}"), n));
    }
    let page = counted.page();
    assert_eq!(page.matches("<div class=\"host\">").count(), 50);
    assert!(page.contains("And 2,501 more hosts, less alarming: "), "{page}");
    assert!(page.contains("Other hosts are not shown one by one"));
    assert!(page.contains("And 3,050 more exchanges, later ones: "));
    assert!(page.contains("Stands for every host that came after the limit"));
    assert!(page.contains("observations counted under <code>__other__"));
    assert!(page.len() < 1_000_000, "{}", page.len());
}

#[test]
fn the_order_of_files_and_problems_makes_no_difference() {
    let mut counted = Counted::new(10, None);
    counted.problems = vec!["error: a".to_owned(), "error: b".to_owned()];
    let page = counted.page();
    counted.problems.reverse();
    assert_eq!(counted.page(), page);
}
