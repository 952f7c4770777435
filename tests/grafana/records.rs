//! What each recording rule promises, of the same traffic.

use super::promises::{
    APPLIED, ASKED, BLIND, BLIND_SHARE, BODIES, GAPS, HEADS, Is, Promise, all, each, exactly, of,
    one,
};
use super::stage::{CLEAN, JUDGED, ROUND, STILL};

/// What is recorded, asked for as it is.
pub(crate) fn records() -> Vec<Promise> {
    let mismatches =
        [("applied=AES256,requested=other", 1.0), ("applied=none,requested=SSE-C", 2.0)];
    let findings = [
        ("finding=conflicting_headers", 1.0),
        ("finding=customer_key_in_clear", 5.0),
        ("finding=misplaced_header", 1.0),
        ("finding=nonstandard_case", 1.0),
        ("finding=unknown_value", 1.0),
        ("finding=unprefixed_name", 1.0),
    ];
    let violations =
        [("host=127.0.0.1:4566", 28.0), ("host=127.0.0.1:5000", 2.0), ("host=[::1]:4566", 2.0)];
    let share = |n| Is::About(all(&[("", n)]));
    vec![
        of(
            0,
            "sum by (requested, applied) (instance_host:sealwatch_mismatches:increase15m{instance=~\"$instance\"}) / 30",
            ROUND,
            Is::Rising(all(&mismatches)),
        ),
        of(
            0,
            "sum by (finding) (instance_host:sealwatch_findings:increase15m{instance=~\"$instance\"}) / 30",
            ROUND,
            Is::Rising(all(&findings)),
        ),
        of(
            0,
            "max by (host) (max_over_time(instance_host:sealwatch_policy_violations:increase15m{instance=~\"$instance\"}[10m]))",
            JUDGED,
            exactly(&violations),
        ),
        of(
            0,
            "max(instance:sealwatch_examined:ratio_rate15m{instance=~\"$instance\"})",
            ROUND,
            share(1.0 - BLIND_SHARE),
        ),
        of(
            0,
            "max(instance:sealwatch_blind:ratio_rate15m{instance=~\"$instance\"})",
            ROUND,
            share(BLIND_SHARE),
        ),
        of(
            0,
            "max(instance:sealwatch_gaps:ratio_rate15m{instance=~\"$instance\"})",
            ROUND,
            share(GAPS / (GAPS + HEADS + BODIES + BLIND)),
        ),
        of(
            0,
            "max(instance:sealwatch_drops:ratio_rate15m{instance=~\"$instance\"})",
            CLEAN,
            one(0.0),
        ),
        // Of those of whom no bytes come, there is no share.
        of(
            0,
            "instance:sealwatch_examined:ratio_rate15m{instance=~\"$instance\"}",
            STILL,
            Is::Nothing,
        ),
        of(0, "max(instance:sealwatch_packets:rate5m{instance=~\"$instance\"})", STILL, one(0.0)),
        of(
            0,
            "max(instance:sealwatch_packets:rate5m{instance=~\"$instance\"})",
            ROUND,
            Is::Within(vec![String::new()], 100.0, 10_000.0),
        ),
        of(
            0,
            "sum by (mode) (instance_mode:sealwatch_requests:rate5m{instance=~\"$instance\"})",
            ROUND,
            Is::Rising(each("mode", &ASKED)),
        ),
        of(
            0,
            "sum by (mode) (instance_mode:sealwatch_responses:rate5m{instance=~\"$instance\"})",
            ROUND,
            Is::Rising(each("mode", &APPLIED)),
        ),
    ]
}
