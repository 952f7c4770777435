//! Which alerts fire.

use super::stage::Stage;
use std::collections::BTreeSet;

/// Alerts, and of whom: `alert instance`, with what else tells it apart.
pub(crate) type Fired = BTreeSet<String>;

/// Those that fired since Prometheus was started. (It says what is firing now only, and what counts
/// of a quarter of an hour, in haste half a minute, is soon over.)
pub(crate) fn fired(stage: &Stage<'_>) -> Fired {
    names(stage, "count_over_time(ALERTS{alertstate=\"firing\"}[30m])")
}

/// Those that fire.
pub(crate) fn firing(stage: &Stage<'_>) -> Fired {
    names(stage, "ALERTS{alertstate=\"firing\"}")
}

fn names(stage: &Stage<'_>, query: &str) -> Fired {
    let answer = stage.prometheus.ask("query", &[("query", query)]).expect("Prometheus answers");
    let results = answer["result"].as_array().expect("there is a result").iter();
    results
        .map(|result| {
            let of = |label: &str| result["metric"][label].as_str().unwrap_or_default().to_owned();
            let more = ["host", "requested", "label", "bound", "interface", "rule"].map(of);
            let words = [of("alertname"), of("instance")].into_iter().chain(more);
            words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
        })
        .collect()
}
