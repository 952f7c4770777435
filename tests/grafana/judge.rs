//! Asks Prometheus what a panel asks, and holds the answer to the promise.

use super::dashboard::{Chosen, RANGE, STEP, fill, id, list, string};
use super::promises::{Is, Promise};
use super::stage::Stage;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long to wait for what must come: windows must fill.
const PATIENCE: Duration = Duration::from_secs(60);
/// How far back a highest value is looked for, in seconds.
const RECENT: u64 = 600;

type Answer = BTreeMap<String, f64>;

/// A query of a panel, with what belongs to it.
pub(crate) fn target<'d>(dashboard: &'d Value, panel: i64, query: &str) -> &'d Value {
    let panels = list(dashboard, "/panels").iter();
    let panel =
        panels.clone().find(|candidate| id(candidate) == panel).expect("there is such a panel");
    let mut targets = list(panel, "/targets").iter();
    targets.find(|target| target["refId"] == query).expect("it has such a query")
}

/// Asks until every answer is what was promised. Returns the labels that came, by panel.
#[track_caller]
pub(crate) fn keep(
    stage: &Stage<'_>,
    dashboard: &Value,
    promises: Vec<Promise>,
) -> BTreeMap<i64, BTreeSet<String>> {
    let begun = Instant::now();
    let mut came: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    let mut open = promises;
    loop {
        let mut wrong = Vec::new();
        open.retain(|promise| match answer(stage, dashboard, promise) {
            Ok(labels) => {
                came.entry(promise.panel).or_default().extend(labels);
                false
            }
            Err(what) => {
                wrong.push(what);
                true
            }
        });
        if open.is_empty() {
            return came;
        }
        assert!(begun.elapsed() < PATIENCE, "{}", wrong.join("\n\n"));
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Asks what a panel asks. Returns the labels of the answer, or what is wrong with it.
fn answer(
    stage: &Stage<'_>,
    dashboard: &Value,
    promise: &Promise,
) -> Result<BTreeSet<String>, String> {
    let Promise { panel, query, chosen, is } = promise;
    let target = match panel {
        // No panel's: a query as it is.
        0 => &json!({"expr": query, "instant": true}),
        _ => target(dashboard, *panel, query),
    };
    let asked = fill(string(target, "/expr"), *chosen);
    let answer = match is {
        Is::AtMost(_) => peaks(stage, &asked),
        _ if target["instant"] == true => now(stage, &asked),
        _ => last(stage, &asked),
    }?;
    match wrong(stage, &answer, *chosen, is) {
        None => Ok(labels(&answer)),
        Some(wrong) => Err(format!(
            "panel {panel}, {query}, of {}: {wrong}, in {answer:#?}\n{asked}",
            chosen.instance
        )),
    }
}

fn labels(answer: &Answer) -> BTreeSet<String> {
    let fields = answer.keys().flat_map(|series| series.split(','));
    fields.filter_map(|field| Some(field.split_once('=')?.0.to_owned())).collect()
}

/// Labels in the order in which they are compared.
fn sorted(labels: &str) -> String {
    let mut labels: Vec<_> = labels.split(',').collect();
    labels.sort_unstable();
    labels.join(",")
}

/// What is wrong with an answer.
fn wrong(stage: &Stage<'_>, answer: &Answer, chosen: Chosen<'_>, is: &Is) -> Option<String> {
    let near = |value: f64, want: f64| (value - want).abs() <= 1e-9 * want.abs().max(1.0);
    let mut series: Vec<_> = match is {
        Is::Exactly(want)
        | Is::About(want)
        | Is::Rising(want)
        | Is::EachRound(want)
        | Is::AtMost(want) => want.iter().map(|(labels, _)| sorted(labels)).collect(),
        Is::Within(want, ..) => want.iter().map(|labels| sorted(labels)).collect(),
        Is::Nothing => Vec::new(),
    };
    series.sort_unstable();
    if !answer.keys().eq(series.iter()) {
        return Some(format!("the series are not {series:#?}"));
    }
    let fits = |want: &[(String, f64)], fits: &dyn Fn(f64, f64) -> bool| {
        let wrong = want.iter().find(|(labels, want)| !fits(answer[&sorted(labels)], *want));
        wrong.map(|(labels, want)| format!("{labels} is not {want}"))
    };
    match is {
        Is::Exactly(want) => fits(want, &near),
        Is::AtMost(want) => fits(want, &near),
        Is::About(want) => {
            fits(want, &|value, want| (value - want).abs() <= 0.1 * want.min(1.0 - want))
        }
        Is::Rising(want) => {
            let query = format!(
                "rate(sealwatch_replay_rounds_total{{instance=\"{}\"}}[1m])",
                chosen.instance
            );
            let rounds = stage.prometheus.value(&query);
            let all: f64 = want.iter().map(|(_, n)| n).sum();
            let came: f64 = answer.values().sum();
            // How many rounds there are differs from window to window, shares do not.
            if !(0.6..1.7).contains(&(came / all / rounds)) {
                return Some(format!("{came} is not {all} for each of {rounds} rounds"));
            }
            fits(want, &|value, n| {
                let (share, of) = (value / came, n / all);
                (share - of).abs() <= 0.02 + 0.1 * of && (value > 0.0) == (n > 0.0)
            })
        }
        Is::EachRound(want) => {
            let query =
                format!("sealwatch_replay_rounds_total{{instance=\"{}\"}}", chosen.instance);
            let rounds = stage.prometheus.value(&query);
            fits(want, &|value, n| match n > 0.0 {
                true => value > 0.0 && (value / n - rounds).abs() <= 2.0,
                false => value == 0.0,
            })
        }
        Is::Within(_, low, high) => {
            let outside = answer.values().find(|value| !(*low..=*high).contains(*value));
            outside.map(|value| format!("{value} is not within {low} and {high}"))
        }
        Is::Nothing => None,
    }
}

fn series(result: &Value) -> String {
    let labels = result["metric"].as_object().expect("a series has labels").iter();
    let shown =
        labels.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()));
    sorted(&shown.collect::<Vec<_>>().join(","))
}

fn number(value: &Value) -> f64 {
    value.as_str().and_then(|text| text.parse().ok()).expect("it is a number")
}

fn results(stage: &Stage<'_>, path: &str, fields: &[(&str, &str)]) -> Result<Vec<Value>, String> {
    let data = stage.prometheus.ask(path, fields).ok_or("nobody answers")?;
    Ok(data["result"].as_array().ok_or("there is no result")?.clone())
}

/// What a query answers now.
fn now(stage: &Stage<'_>, query: &str) -> Result<Answer, String> {
    let results = results(stage, "query", &[("query", query)])?;
    Ok(results.iter().map(|result| (series(result), number(&result["value"][1]))).collect())
}

/// All points of the selected time, or of the last minutes where `step` is of seconds.
fn points(
    stage: &Stage<'_>,
    query: &str,
    range: u64,
    step: u64,
) -> Result<(u64, Vec<Value>), String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
    let end = now.as_secs();
    let [start, end_at, step] = [end - range, end, step].map(|n| n.to_string());
    let fields = [("query", query), ("start", &*start), ("end", &*end_at), ("step", &*step)];
    Ok((end, results(stage, "query_range", &fields)?))
}

/// The last point of each series that has one at the end.
fn last(stage: &Stage<'_>, query: &str) -> Result<Answer, String> {
    let (end, results) = points(stage, query, RANGE, STEP)?;
    let last = |result: &Value| {
        let [time, value] = list(result, "/values").last()?.as_array()?.as_slice() else {
            return None;
        };
        (time.as_f64()? as u64 == end).then(|| (series(result), number(value)))
    };
    Ok(results.iter().filter_map(last).collect())
}

/// The highest point of each series.
fn peaks(stage: &Stage<'_>, query: &str) -> Result<Answer, String> {
    let (_, results) = points(stage, query, RECENT, 1)?;
    let highest = |result: &Value| {
        let values = list(result, "/values").iter().map(|point| number(&point[1]));
        (series(result), values.fold(f64::MIN, f64::max))
    };
    Ok(results.iter().map(highest).collect())
}
