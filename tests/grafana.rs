//! What is in `grafana/`: the dashboard, whose every query is asked of Debian's Prometheus, which has
//! scraped the real binary; the alerts, which fire and do not; and what brings all of it up.
//! Needs root, and what `make test-deps` installs.

mod support;

#[path = "grafana/dashboard.rs"]
mod dashboard;
#[path = "grafana/files.rs"]
mod files;
#[path = "grafana/fired.rs"]
mod fired;
#[path = "grafana/judge.rs"]
mod judge;
#[path = "grafana/lint.rs"]
mod lint;
#[path = "grafana/promises.rs"]
mod promises;
#[path = "grafana/records.rs"]
mod records;
#[path = "grafana/stage.rs"]
mod stage;

use dashboard::{Chosen, FILE, dashboard, fill, id, list, panels, project, string};
use serde_json::{Value, json};
use stage::{CLEAN, JUDGED, LIVE, ROUND, STILL, Stage, TIGHT, TURNING};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use support::wire::Wire;

/// How long to wait for an alert.
const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn the_dashboard_is_of_grafanas_own_types() {
    assert_eq!(files::check("dashboard", &project(FILE)), (true, String::new()));
    // One that is not, is found out: what is wrong, and where.
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("wrong.json");
    let mut wrong = dashboard();
    let panel = |id: i64| list(&dashboard(), "/panels").iter().position(|p| dashboard::id(p) == id);
    let panel = |id: i64| panel(id).expect("there is such a panel");
    wrong["panels"][panel(1)]["options"]["colorMode"] = json!("loud");
    wrong["panels"][panel(5)]["fieldConfig"]["defaults"]["unit"] = json!("furlong");
    wrong["panels"][panel(20)]["targets"][0]["query"] = json!("up");
    wrong["panels"][panel(70)]["fieldConfig"]["defaults"]["thresholds"]["mode"] = json!("relative");
    wrong["templating"]["list"][1]["sort"] = json!("by name");
    std::fs::write(&file, wrong.to_string()).expect("a file can be written");
    let (is_right, said) = files::check("dashboard", &file);
    assert!(!is_right);
    for begins in ["panel 1: ", "panel 5: ", "panel 20: ", "panel 70: ", "dashboard: "] {
        assert!(said.lines().any(|line| line.starts_with(begins)), "{begins} is not in\n{said}");
    }
    assert_eq!(said.lines().count(), 5, "{said}");
}

#[test]
fn the_dashboard_keeps_the_rules_of_a_good_one() {
    assert_eq!(lint::wrong(&dashboard()), Vec::<String>::new());
}

#[test]
fn a_dashboard_that_breaks_a_rule_is_found_out() {
    let all = dashboard();
    let at = |id: i64| {
        list(&all, "/panels").iter().position(|p| dashboard::id(p) == id).expect("it is there")
    };
    let expr = |id: i64| format!("/panels/{}/targets/0/expr", at(id));
    let field = |id: i64, name: &str| format!("/panels/{}/{name}", at(id));
    let query = "sum(rate(sealwatch_packets_total{job=~\"$job\", instance=~\"$instance\"}[$__rate_interval]))";
    for (pointer, value, found) in [
        (expr(72), json!(query.replace("$__rate_interval", "5m")), "has another range"),
        (
            expr(72),
            json!(query.replace(", instance=~\"$instance\"", "")),
            "is not of the chosen instance",
        ),
        (expr(72), json!("sealwatch_packets_total"), "is not of the chosen job"),
        (
            expr(72),
            json!(query.replace("rate(", "").replace("[$__rate_interval])", "")),
            "is a counter",
        ),
        (expr(50), json!(string(&all, &expr(50)).replacen("unless", "and", 1)), "is a counter"),
        (field(72, "title"), json!(""), "has no title"),
        (field(72, "description"), json!("Packets."), "says too little"),
        (field(72, "datasource/uid"), json!("PBFA97CFB590B2093"), "has another data source"),
        (field(5, "fieldConfig/defaults/links"), json!([]), "leads nowhere"),
        (
            field(5, "fieldConfig/defaults/links/0/url"),
            json!("/d/sealwatch/sealwatch?viewPanel=999"),
            "viewPanel=999",
        ),
        (field(5, "fieldConfig/defaults/noValue"), json!(null), "looks like zero"),
        (field(5, "targets/0/instant"), json!(false), "asks of the wrong time"),
        (field(6, "gridPos/x"), json!(0), "is where another is"),
        (field(6, "id"), json!(5), "there are two panels 5"),
        ("/templating/list/1/multi".to_owned(), json!(false), "job takes one value only"),
        ("/editable".to_owned(), json!(true), "it can be edited"),
    ] {
        let mut changed = all.clone();
        let place =
            changed.pointer_mut(&pointer).unwrap_or_else(|| panic!("there is no {pointer}"));
        assert_ne!(*place, value, "{pointer}");
        *place = value;
        let wrong = lint::wrong(&changed);
        assert!(
            wrong.iter().any(|line| line.contains(found)),
            "{pointer}: {found} is not in {wrong:#?}"
        );
    }
    assert_eq!(lint::wrong(&all), Vec::<String>::new());
}

#[test]
fn every_query_has_a_promise() {
    let all = dashboard();
    let promised: BTreeSet<_> =
        promises::promises().iter().map(|p| (p.panel, p.query.to_owned())).collect();
    let queries = panels(&all).flat_map(|panel| {
        list(panel, "/targets")
            .iter()
            .map(|target| (id(panel), string(target, "/refId").to_owned()))
    });
    assert_eq!(promised, queries.collect());
}

#[test]
fn every_record_has_a_promise() {
    let rules = files::yaml("grafana/rules.yml");
    let rules = list(&rules, "/groups").iter().flat_map(|group| list(group, "/rules"));
    for record in rules.map(|rule| string(rule, "/record")) {
        let promised = records::records().iter().any(|promise| promise.query.contains(record));
        assert!(promised, "{record}");
    }
}

/// That what a panel's links and legends name was in its answers.
fn named(dashboard: &Value, labels: &BTreeMap<i64, BTreeSet<String>>) {
    for panel in panels(dashboard) {
        let told = panel.to_string();
        let names = ["${__field.labels.", "${__data.fields.", "{{"].iter().flat_map(|begin| {
            let end = |c: char| !c.is_alphanumeric() && c != '_';
            told.split(begin).skip(1).map(move |rest| rest.split(end).next().unwrap_or_default())
        });
        for name in names {
            assert!(
                labels[&id(panel)].contains(name),
                "{} has no {name}: {labels:?}",
                panel["title"]
            );
        }
    }
}

/// What the variables offer.
fn variables(stage: &Stage<'_>, dashboard: &Value) {
    let offered = |name: &str, instance: &str| -> Vec<String> {
        let variables = list(dashboard, "/templating/list").iter();
        let variable =
            variables.clone().find(|variable| variable["name"] == name).expect("it is there");
        let query = string(variable, "/query/query").strip_prefix("label_values(");
        let query = query.and_then(|query| query.strip_suffix(')')).expect("it asks for a label");
        let (series, label) = query.rsplit_once(", ").expect("of a series");
        let series = fill(series, Chosen { instance, host: ".*", bucket: ".*" });
        let answer =
            stage.prometheus.ask(&format!("label/{label}/values"), &[("match[]", &series)]);
        let answer = answer.expect("Prometheus answers");
        list(&answer, "").iter().map(|value| string(value, "").to_owned()).collect()
    };
    assert_eq!(offered("job", ".+"), ["sealwatch"]);
    let mut all = stage::ALL.to_vec();
    all.sort_unstable();
    assert_eq!(offered("instance", ".+"), all);
    assert_eq!(offered("host", STILL), ["127.0.0.1:4566", "127.0.0.1:5000", "[::1]:4566"]);
    assert_eq!(offered("host", CLEAN), ["127.0.0.1:4566"]);
    assert_eq!(offered("bucket", STILL), [""; 0]);
    assert_eq!(offered("bucket", ROUND).len(), 12);
}

/// The alerts that fire of what plays on the stage; `clean` has none.
fn due() -> BTreeSet<String> {
    let of_all = |at: &str, hosts: [&str; 2]| {
        [
            format!("SealwatchMismatch {at} {} other", hosts[0]),
            format!("SealwatchMismatch {at} {} SSE-C", hosts[1]),
            format!("SealwatchCustomerKeyInClear {at} {}", hosts[0]),
            format!("SealwatchCustomerKeyInClear {at} {}", hosts[1]),
        ]
    };
    let real = ["127.0.0.1:4566", "127.0.0.1:5000"];
    let mut due: BTreeSet<_> =
        [STILL, ROUND, JUDGED].map(|at| of_all(at, real)).into_iter().flatten().collect();
    for alert in [
        format!("SealwatchNoPackets {STILL}"),
        format!("SealwatchGapShare {ROUND}"),
        format!("SealwatchMostlyBlind {ROUND}"),
        format!("SealwatchGapShare {TIGHT}"),
        format!("SealwatchLabelOverflow {TIGHT} host"),
        format!("SealwatchBoundHit {TIGHT} hosts"),
        format!("SealwatchNoPackets {LIVE}"),
        format!("SealwatchCoverageDrop {TURNING}"),
        format!("SealwatchNoPackets {JUDGED}"),
        format!("SealwatchPolicyViolation {JUDGED} 127.0.0.1:4566 under a KMS key"),
        format!("SealwatchPolicyViolation {JUDGED} 127.0.0.1:5000 under a KMS key"),
        format!("SealwatchPolicyViolation {JUDGED} [::1]:4566 under a KMS key"),
    ] {
        due.insert(alert);
    }
    due.extend(of_all(TIGHT, ["127.0.0.1:4566", "__other__"]));
    due
}

/// Waits until those that fired are these and no others.
#[track_caller]
fn expect(stage: &Stage<'_>, due: &BTreeSet<String>) {
    let begun = Instant::now();
    loop {
        let fired = fired::fired(stage);
        let undue: Vec<_> = fired.difference(due).collect();
        assert!(undue.is_empty(), "{undue:#?} fired");
        if fired == *due {
            break;
        }
        let missing: Vec<_> = due.difference(&fired).collect();
        assert!(begun.elapsed() < PATIENCE, "{missing:#?} did not fire");
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// That a panel answers this by now.
#[track_caller]
fn shows(
    stage: &Stage<'_>,
    panel: i64,
    query: &'static str,
    instance: &'static str,
    is: promises::Is,
) {
    let chosen = Chosen { instance, host: ".*", bucket: ".*" };
    judge::keep(stage, &dashboard(), vec![promises::Promise { panel, query, chosen, is }]);
}

#[test]
fn panels_and_alerts_tell_what_happens_and_nothing_else() {
    use promises::Is;
    let wire = Wire::new("graf");
    let mut stage = Stage::set(&wire);
    let all = dashboard();
    let mut labels = judge::keep(&stage, &all, promises::promises());
    judge::keep(&stage, &all, records::records());
    variables(&stage, &all);
    let mut due = due();
    expect(&stage, &due);
    let firing = fired::firing(&stage);
    let at = |at: &str| firing.iter().filter(|alert| alert.contains(at)).count() as f64;
    assert!(at(ROUND) == 6.0 && at(CLEAN) == 0.0, "{firing:#?}");
    shows(&stage, 12, "A", ROUND, Is::Exactly(vec![(String::new(), 6.0)]));
    let alert = |name: &str, severity: &str| {
        (format!("alertname={name},instance={ROUND},severity={severity}"), 1.0)
    };
    let key = |host: &str, n| {
        let of =
            |name| (format!("alertname={name},host={host},instance={ROUND},severity=critical"), n);
        [of("SealwatchCustomerKeyInClear"), of("SealwatchMismatch")]
    };
    let mut list = [key("127.0.0.1:4566", 1.0), key("127.0.0.1:5000", 1.0)].concat();
    list.push(alert("SealwatchGapShare", "warning"));
    list.push(alert("SealwatchMostlyBlind", "info"));
    shows(&stage, 14, "A", ROUND, Is::Exactly(list));
    labels.entry(14).or_default().extend(["alertname", "instance", "host"].map(str::to_owned));
    named(&all, &labels);

    // A policy that cannot be read leaves the one before it in force, and is not passed over.
    stage.spoil_policy();
    due.insert(format!("SealwatchPolicyReloadFailed {JUDGED}"));
    expect(&stage, &due);
    shows(&stage, 40, "A", JUDGED, Is::Exactly(vec![(String::new(), 0.0)]));
    shows(&stage, 7, "A", JUDGED, Is::Exactly(vec![(String::new(), 32.0)]));

    // What live capture drops shows as dropped, and not as anything else.
    stage.flood();
    due.insert(format!("SealwatchCaptureDrops {LIVE}"));
    expect(&stage, &due);
    shows(&stage, 10, "A", LIVE, Is::Within(vec![String::new()], 1.0, 1e6));
    shows(&stage, 5, "A", LIVE, Is::Exactly(vec![(String::new(), 0.0)]));

    // Somebody who is gone looks otherwise than somebody who sees nothing.
    stage.break_two();
    due.insert(format!("SealwatchTargetDown {CLEAN}"));
    due.insert(format!("SealwatchInterfaceDown {LIVE} tap"));
    let nobody = |n: f64| Is::Exactly(vec![(String::new(), n)]);
    shows(&stage, 1, "A", CLEAN, nobody(0.0));
    shows(&stage, 1, "A", ".+", nobody(0.0));
    shows(&stage, 1, "A", LIVE, nobody(1.0));
    shows(&stage, 2, "A", LIVE, nobody(0.0));
    shows(&stage, 2, "A", CLEAN, nobody(-1.0));
    for panel in [3, 11] {
        shows(&stage, panel, "A", CLEAN, Is::Nothing);
    }
    shows(&stage, 70, "up", CLEAN, Is::Exactly(vec![(format!("instance={CLEAN}"), 0.0)]));
    shows(&stage, 70, "down", LIVE, Is::Exactly(vec![(format!("instance={LIVE}"), 1.0)]));
    expect(&stage, &due);

    // Nor is it quiet where Prometheus has forgotten them.
    stage.forget();
    due.insert("SealwatchAbsent".to_owned());
    expect(&stage, &due);
    shows(&stage, 1, "A", ROUND, nobody(0.0));
}
