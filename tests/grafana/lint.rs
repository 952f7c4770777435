//! What a dashboard is to be like: the rules of Grafana's dashboard-linter, written anew, and those of
//! this house.

use super::dashboard::{id, list, panels, string};
use serde_json::Value;
use std::collections::BTreeSet;

const SOURCE: &str = "${datasource}";
const PREFIXES: [&str; 5] = ["sealwatch_", "process_", "instance:", "up", "ALERTS"];

/// All that is wrong with it, a line each.
pub(crate) fn wrong(dashboard: &Value) -> Vec<String> {
    let mut wrong = variables(dashboard);
    wrong.extend(whole(dashboard));
    for panel in panels(dashboard) {
        let name = format!("panel {} ({})", id(panel), panel["title"]);
        let what = panel_rules(panel).into_iter().chain(links(dashboard, panel));
        wrong.extend(what.map(|what| format!("{name}: {what}")));
        for target in list(panel, "/targets") {
            let expr = string(target, "/expr");
            let what = query_rules(expr).into_iter();
            wrong.extend(what.map(|what| format!("{name}, {}: {what}", target["refId"])));
        }
    }
    wrong
}

/// What is not as it should be, of these.
fn unmet(rules: &[(bool, &str)]) -> Vec<String> {
    rules.iter().filter(|(met, _)| !met).map(|(_, rule)| (*rule).to_owned()).collect()
}

/// template-datasource-rule, template-job-rule, template-instance-rule,
/// template-on-time-change-reload-rule.
fn variables(dashboard: &Value) -> Vec<String> {
    let variables = list(dashboard, "/templating/list");
    let named = |name: &str| variables.iter().find(|variable| variable["name"] == name);
    let mut wrong = Vec::new();
    match named("datasource") {
        None => wrong.push("there is no variable datasource".to_owned()),
        Some(source) => wrong.extend(unmet(&[
            (source["type"] == "datasource", "datasource is no data source"),
            (source["query"] == "prometheus", "datasource is not Prometheus"),
            (source["label"] == "Data source", "datasource is not called Data source"),
        ])),
    }
    for (name, label, all) in [
        ("job", "Job", ".+"),
        ("instance", "Instance", ".+"),
        // Series without the label are among all.
        ("host", "Host", ".*"),
        ("bucket", "Bucket", ".*"),
    ] {
        let Some(variable) = named(name) else {
            wrong.push(format!("there is no variable {name}"));
            continue;
        };
        let rules = [
            (variable["type"] == "query", "is no query"),
            (variable["datasource"]["uid"] == SOURCE, "has another data source"),
            (variable["label"] == label, "is called otherwise"),
            (variable["multi"] == true, "takes one value only"),
            (variable["includeAll"] == true, "does not take all"),
            (variable["allValue"] == all, "has other words for all"),
            (variable["refresh"] == 2, "is not asked anew when the time changes"),
        ];
        wrong.extend(unmet(&rules).into_iter().map(|what| format!("{name} {what}")));
    }
    wrong
}

/// template-uneditable-rule; that it can be found, and that panels do not overlap.
fn whole(dashboard: &Value) -> Vec<String> {
    let mut cells = BTreeSet::new();
    let mut ids = BTreeSet::new();
    let mut wrong = unmet(&[
        (dashboard["editable"] == false, "it can be edited"),
        (dashboard["uid"] == "sealwatch", "links lead to another dashboard"),
        (dashboard["schemaVersion"].as_u64().is_some_and(|v| (39..=42).contains(&v)), "schema"),
        (string(dashboard, "/description").contains("no header was seen"), "says not what none is"),
    ]);
    for panel in list(dashboard, "/panels") {
        if !ids.insert(id(panel)) {
            wrong.push(format!("there are two panels {}", id(panel)));
        }
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|of| panel["gridPos"][of].as_u64());
        let [x, y, w, h] = [x, y, w, h].map(|n| n.expect("a panel has a place"));
        let mut places = (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y)));
        if x + w > 24 || !places.all(|place| cells.insert(place)) {
            wrong.push(format!("panel {} is where another is, or outside", id(panel)));
        }
    }
    wrong
}

/// panel-datasource-rule, panel-title-description-rule, panel-units-rule; thresholds, and that a
/// person who reads of modes is told what `none` means.
fn panel_rules(panel: &Value) -> Vec<String> {
    let text = |name: &str| panel[name].as_str().unwrap_or_default();
    let defaults = &panel["fieldConfig"]["defaults"];
    let targets = list(panel, "/targets");
    let queries: Vec<_> = targets.iter().map(|target| string(target, "/expr")).collect();
    let by_mode = queries.iter().any(|query| query.contains("mode)"));
    let names: BTreeSet<_> = targets.iter().map(|target| string(target, "/refId")).collect();
    let now = ["stat", "table", "bargauge"].contains(&text("type"));
    unmet(&[
        (panel["datasource"]["uid"] == SOURCE, "has another data source"),
        (targets.iter().all(|target| target["datasource"]["uid"] == SOURCE), "so has a query"),
        (!text("title").is_empty(), "has no title"),
        (text("description").len() > 60, "says too little of itself"),
        (defaults["unit"].is_string(), "has no unit"),
        (!list(defaults, "/thresholds/steps").is_empty(), "has no thresholds"),
        (!by_mode || tells_of_none(panel), "says not what none means"),
        (names.len() == targets.len(), "has two queries of one name"),
        // A number of a while ago would pass for one of now.
        (targets.iter().all(|target| target["instant"] == now), "asks of the wrong time"),
        (
            !now || text("type") == "table"
                || defaults["noValue"].is_string()
                || queries.iter().all(|query| query.contains("or vector(-1)")),
            "looks like zero where nobody counts",
        ),
    ])
}

fn tells_of_none(panel: &Value) -> bool {
    let told = panel.to_string();
    ["no header was seen", "no header seen"].iter().any(|words| told.contains(words))
}

/// That each number leads somewhere, and to what exists.
fn links(dashboard: &Value, panel: &Value) -> Vec<String> {
    let mut links: Vec<_> = list(panel, "/fieldConfig/defaults/links").to_vec();
    let properties = list(panel, "/fieldConfig/overrides").iter();
    let properties = properties.flat_map(|over| list(over, "/properties"));
    for property in properties.filter(|property| property["id"] == "links") {
        links.extend(list(property, "/value").to_vec());
    }
    let mut wrong = unmet(&[(!links.is_empty(), "leads nowhere")]);
    for link in &links {
        let url = string(link, "/url");
        if let Some(rest) = url.strip_prefix("/d/sealwatch/sealwatch?") {
            let shown = |id: &str| panels(dashboard).any(|panel| self::id(panel).to_string() == id);
            let is_right = |field: &str| match field.split_once('=') {
                Some(("viewPanel", panel)) => shown(panel),
                Some((name, _)) => ["var-host", "var-bucket"].contains(&name),
                None => [
                    "${__url_time_range}",
                    "${datasource:queryparam}",
                    "${job:queryparam}",
                    "${instance:queryparam}",
                    "${host:queryparam}",
                    "${bucket:queryparam}",
                ]
                .contains(&field),
            };
            wrong.extend(rest.split('&').filter(|f| !is_right(f)).map(|f| format!("{f} in {url}")));
        } else if !url.starts_with("http://${__data.fields.instance}/")
            && !url.starts_with("http://${__field.labels.instance}/")
        {
            wrong.push(format!("{url} leads away"));
        }
    }
    wrong
}

/// target-job-rule, target-instance-rule, target-rate-interval-rule, target-counter-agg-rule. That it
/// is PromQL, Prometheus says.
fn query_rules(query: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut rest = query.to_owned();
    for selector in selectors(query) {
        for label in ["job", "instance"] {
            if !selector.contains(&format!("{label}=~\"${label}\"")) {
                wrong.push(format!("{selector} is not of the chosen {label}"));
            }
        }
        // A series' first value, where there was none before, is the one use of a counter as it is.
        for range in ["$__range", "$__rate_interval"] {
            let first = format!(
                "({selector} unless {selector} offset {range} unless {selector} < increase({selector}[{range}])\n  and "
            );
            rest = rest.replace(&first, "(");
        }
    }
    for selector in selectors(&rest).iter().filter(|selector| selector.contains("_total{")) {
        let ranged = |call: &str| rest.contains(&format!("{call}({selector}["));
        let bare = rest.matches(selector.as_str()).count()
            != rest.matches(&format!("{selector}[")).count();
        if bare || !(ranged("rate") || ranged("increase")) {
            wrong.push(format!("{selector} is a counter, without rate or increase"));
        }
    }
    for (call, ranges) in [
        ("rate(", &["[$__rate_interval]"][..]),
        ("increase(", &["[$__rate_interval]", "[$__range]"]),
        ("count_over_time(", &["[$__range]"]),
    ] {
        for part in query.split(call).skip(1) {
            let range = part.find('}').map_or("", |end| &part[end + 1..]);
            if !ranges.iter().any(|known| range.starts_with(known)) {
                wrong.push(format!("{call}{part} has another range"));
            }
        }
    }
    wrong
}

/// Every selector of a query: `name{matchers}`; without any, the name alone.
pub(crate) fn selectors(query: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut found = BTreeSet::new();
    let (mut from, mut quoted) = (0, false);
    while let Some(c) = query[from..].chars().next() {
        quoted ^= c == '"';
        let begins = !quoted && is_name(c) && !query[..from].ends_with(is_name);
        let name: String = query[from..].chars().take_while(|c| is_name(*c)).collect();
        let known = |prefix: &str| match prefix.ends_with(['_', ':']) {
            true => name.starts_with(prefix),
            false => name == prefix,
        };
        if begins && PREFIXES.iter().any(|prefix| known(prefix)) {
            let after = &query[from + name.len()..];
            let matchers = after.starts_with('{').then(|| after.find('}')).flatten();
            found.insert(format!("{name}{}", matchers.map_or("", |end| &after[..=end])));
        }
        from += c.len_utf8();
    }
    found
}
