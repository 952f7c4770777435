//! What is linked may be given away under this project's own terms.

use serde_json::Value;
use std::process::Command;

/// Licences that ask for no more than a notice.
const ALLOWED: [&str; 8] =
    ["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "Unicode-3.0", "Zlib"];

/// Whether an SPDX expression can be met by allowed licences alone: one of each `AND`'s.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], "");
    expression.split(" AND ").all(|all| {
        all.split(" OR ")
            .any(|one| ALLOWED.contains(&one.trim().split(" WITH ").next().unwrap_or("")))
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
fn expressions_are_read_as_spdx_means_them() {
    for yes in ["MIT", "MIT OR GPL-2.0", "GPL-2.0/MIT", "(MIT OR Apache-2.0) AND Unicode-3.0"] {
        assert!(is_allowed(yes), "{yes}");
    }
    for no in ["GPL-3.0", "MIT AND GPL-2.0", "none", ""] {
        assert!(!is_allowed(no), "{no}");
    }
}
