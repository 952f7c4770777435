//! What is linked may be given away under this project's own terms.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What `cargo deny` is told.
fn rules() -> toml::Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml");
    let text = fs::read_to_string(path).expect("deny.toml is read");
    text.parse().expect("deny.toml is TOML")
}

/// Licences that ask for no more than a notice.
fn allowed() -> Vec<String> {
    let rules = rules();
    let allowed = rules["licenses"]["allow"].as_array().expect("it is a list").iter();
    allowed.map(|licence| licence.as_str().expect("it is a name").to_owned()).collect()
}

/// Whether an SPDX expression can be met by allowed licences alone: one of each `AND`'s.
fn is_allowed(expression: &str) -> bool {
    let allowed = allowed();
    let expression = expression.replace('/', " OR ").replace(['(', ')'], "");
    expression.split(" AND ").all(|all| {
        all.split(" OR ")
            .filter_map(|one| one.trim().split(" WITH ").next())
            .any(|one| allowed.iter().any(|allowed| allowed == one))
    })
}

#[test]
fn every_dependency_has_a_licence_that_is_allowed() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version", "1"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let packages = metadata["packages"].as_array().expect("packages are a list");
    assert!(packages.len() > 20);
    for package in packages {
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(is_allowed(licence), "{}: {licence}", package["name"]);
    }
}

#[test]
fn every_exception_from_the_rules_says_why() {
    let rules = rules();
    let bans = rules["bans"].as_table().expect("it is a table");
    let exceptions = ["skip", "deny"].map(|list| bans[list].as_array().expect("it is a list"));
    assert!(exceptions[0].len() > 3);
    for exception in exceptions.into_iter().flatten() {
        let reason = exception.get("reason").and_then(toml::Value::as_str).unwrap_or_default();
        assert!(reason.len() > 5, "{exception:?}");
    }
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    for yes in ["MIT", "MIT OR GPL-2.0", "GPL-2.0/MIT", "(MIT OR Apache-2.0) AND Unicode-3.0"] {
        assert!(is_allowed(yes), "{yes}");
    }
    for no in ["GPL-3.0", "MIT AND GPL-2.0", "none", ""] {
        assert!(!is_allowed(no), "{no}");
    }
}
