//! The files around the dashboard: alerts and their runbooks, provisioning, containers.

use super::dashboard::{list, project, string, text};
use super::support::binary::sealwatch;
use super::support::wire::Wire;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What `tests/grafana/check.mjs` says of a file, and whether it is content.
pub(crate) fn check(what: &str, file: &Path) -> (bool, String) {
    let output =
        Command::new("node").arg(project("tests/grafana/check.mjs")).arg(what).arg(file).output();
    let output = output.expect("node starts; `make test-deps` installs it");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// A YAML file.
pub(crate) fn yaml(path: &str) -> Value {
    let (is_right, said) = check("json", &project(path));
    assert!(is_right, "{path}: {said}");
    serde_json::from_str(&said).expect("it is JSON")
}

fn promtool(arguments: &[&str]) {
    let output = Command::new("promtool").args(arguments).current_dir(project("")).output();
    let output = output.expect("promtool starts; `make test-deps` installs it");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
}

#[test]
fn promtool_takes_the_configuration_and_the_rules() {
    promtool(&["check", "config", "grafana/prometheus.yml"]);
    promtool(&[
        "check",
        "rules",
        "--lint=all",
        "--lint-fatal",
        "grafana/rules.yml",
        "grafana/alerts.yml",
    ]);
    promtool(&["test", "rules", "tests/alerts.test.yml"]);
}

/// The alerts, by name.
fn alerts() -> Vec<Value> {
    let file = yaml("grafana/alerts.yml");
    list(&file, "/groups").iter().flat_map(|group| list(group, "/rules").to_vec()).collect()
}

#[test]
fn each_alert_says_what_it_means_and_where_its_runbook_is() {
    let readme = text("grafana/README.md");
    let sections: BTreeSet<_> =
        readme.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_owned).collect();
    let alerts = alerts();
    let named: BTreeSet<_> =
        alerts.iter().map(|alert| string(alert, "/alert").to_owned()).collect();
    assert_eq!(named, sections);
    for alert in &alerts {
        let name = string(alert, "/alert");
        let severity = string(alert, "/labels/severity");
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity}");
        assert!(!string(alert, "/annotations/summary").is_empty(), "{name}");
        assert!(string(alert, "/annotations/description").len() > 60, "{name}");
        let runbook = format!("grafana/README.md#{}", name.to_lowercase());
        assert_eq!(string(alert, "/annotations/runbook"), runbook);
        let (_, section) = readme.split_once(&format!("### {name}\n")).expect("it is there");
        let section = section.split("\n### ").next().unwrap_or_default();
        for word in ["**Means:**", "**Look at:**", "**Do:**"] {
            assert!(section.contains(word), "{name} has no {word}");
        }
    }
}

#[test]
fn each_alert_is_tried_where_it_is_due_and_where_it_is_not() {
    let file = yaml("tests/alerts.test.yml");
    let tries = list(&file, "/tests").iter().flat_map(|test| list(test, "/alert_rule_test"));
    let (mut fires, mut rests) = (BTreeSet::new(), BTreeSet::new());
    for tried in tries {
        let is_due = !list(tried, "/exp_alerts").is_empty();
        if is_due { &mut fires } else { &mut rests }.insert(string(tried, "/alertname").to_owned());
    }
    let named: BTreeSet<_> =
        alerts().iter().map(|alert| string(alert, "/alert").to_owned()).collect();
    assert_eq!((&fires, &rests), (&named, &named));
}

#[test]
fn grafana_is_told_of_prometheus_and_the_dashboard() {
    let sources = yaml("grafana/provisioning/datasources/prometheus.yml");
    let scraped = yaml("grafana/prometheus.yml");
    assert_eq!(sources["apiVersion"], 1);
    let [source] = list(&sources, "/datasources") else { panic!("there is one source: {sources}") };
    assert_eq!((&source["type"], &source["access"]), (&"prometheus".into(), &"proxy".into()));
    assert_eq!(source["jsonData"]["timeInterval"], scraped["global"]["scrape_interval"]);
    let dashboards = yaml("grafana/provisioning/dashboards/sealwatch.yml");
    assert_eq!(dashboards["apiVersion"], 1);
    let [provider] = list(&dashboards, "/providers") else { panic!("one provider: {dashboards}") };
    assert_eq!(provider["type"], "file");
    // What they leave to the environment, compose.yaml says.
    let compose = yaml("grafana/compose.yaml");
    let environment = &compose["services"]["grafana"]["environment"];
    for value in [string(source, "/url"), string(provider, "/options/path")] {
        let name = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        let name = name.unwrap_or_else(|| panic!("{value} is no variable"));
        assert!(environment[name].is_string(), "{name} is not set");
    }
}

/// What a service mounts: outside, and inside.
fn mounts(service: &Value) -> Vec<(String, String)> {
    let volumes = list(service, "/volumes").iter();
    let parts = volumes.map(|volume| {
        let mut parts = string(volume, "").split(':').map(str::to_owned);
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    });
    parts.collect()
}

/// Where a path inside a container is outside.
fn outside(service: &Value, path: &str) -> PathBuf {
    let mounts = mounts(service);
    let under = |inside: &str| {
        let rest = path.strip_prefix(inside)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/').to_owned())
    };
    let found = mounts.iter().find_map(|(outside, inside)| Some((outside, under(inside)?)));
    let (outside, rest) = found.unwrap_or_else(|| panic!("{path} is not mounted: {service}"));
    project("grafana").join(outside).join(rest)
}

#[test]
fn compose_mounts_what_is_there_and_serves_this_machine_alone() {
    assert_eq!(check("compose", &project("grafana/compose.yaml")), (true, String::new()));
    let compose = yaml("grafana/compose.yaml");
    let services = compose["services"].as_object().expect("there are services");
    for (name, service) in services {
        for (outside, inside) in mounts(service) {
            let is_there = match outside.starts_with('.') {
                true => project("grafana").join(&outside).exists(),
                false => compose["volumes"].get(&outside).is_some(),
            };
            assert!(is_there, "{name} mounts {outside} at {inside}");
        }
        let ports = service["ports"].as_array().into_iter().flatten();
        for port in ports {
            assert!(string(port, "").starts_with("127.0.0.1:"), "{name} listens at {port}");
        }
        let (_, tag) = string(service, "/image").split_once(':').expect("an image has a tag");
        assert_ne!(tag, "latest", "{name}");
    }
    let sealwatch = &services["sealwatch"];
    let context = project("grafana").join(string(sealwatch, "/build/context"));
    assert!(context.join(string(sealwatch, "/build/dockerfile")).is_file());
    let grafana = &services["grafana"];
    let home = string(grafana, "/environment/GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH");
    assert!(outside(grafana, home).ends_with("dashboards/sealwatch.json"));
    assert!(outside(grafana, home).is_file());
    let folder = outside(grafana, string(grafana, "/environment/SEALWATCH_DASHBOARDS"));
    assert!(folder.join("sealwatch.json").is_file());
    assert!(outside(grafana, "/etc/grafana/provisioning/datasources/prometheus.yml").is_file());
    // Prometheus is in sealwatch's network: there, Grafana finds it.
    let prometheus = &services["prometheus"];
    assert_eq!(string(prometheus, "/network_mode"), "service:sealwatch");
    assert!(list(prometheus, "/command").iter().any(|word| word == "--web.listen-address=:9090"));
    assert_eq!(string(grafana, "/environment/SEALWATCH_PROMETHEUS_URL"), "http://sealwatch:9090");
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn wait(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < PATIENCE, "it does not come");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_commands_of_compose_do_what_they_are_for() {
    let wire = Wire::new("comp");
    let compose = yaml("grafana/compose.yaml");
    let words = |service: &str, pointer: &str| -> Vec<String> {
        let words = list(&compose["services"][service], pointer).iter();
        words.map(|word| string(word, "").to_owned()).collect()
    };
    let health = words("sealwatch", "/healthcheck/test");
    assert_eq!(health[0], "CMD");
    let is_healthy = || {
        let mut command = wire.near(&health[1]);
        command.args(&health[2..]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().expect("it starts").success()
    };
    assert!(!is_healthy(), "nobody is there yet");
    let sealwatch = &compose["services"]["sealwatch"];
    let captures = outside(sealwatch, "/captures").display().to_string();
    let mut command = wire.near(env!("CARGO_BIN_EXE_sealwatch"));
    command.args(
        words("sealwatch", "/command").iter().map(|word| word.replace("/captures", &captures)),
    );
    let _sealwatch = Running(command.spawn().expect("it starts"));
    wait(is_healthy);
    // Prometheus finds its files where they are mounted, and sealwatch by them.
    let root = tempfile::tempdir().expect("a folder can be made");
    let place = |path: &str| format!("{}{path}", root.path().display());
    for (outside, inside) in mounts(&compose["services"]["prometheus"]) {
        if outside.starts_with('.') {
            let file = PathBuf::from(place(&inside));
            fs::create_dir_all(file.parent().expect("it is in a folder")).expect("it can be made");
            fs::copy(project("grafana").join(outside), file).expect("it can be copied");
        }
    }
    let mut command = wire.near("prometheus");
    for word in words("prometheus", "/command") {
        command.arg(word.replace("=/", &format!("={}/", root.path().display())));
    }
    let _prometheus = Running(command.stderr(Stdio::null()).spawn().expect("it starts"));
    let ask = |path: &str| -> Option<Value> {
        let url = format!("http://127.0.0.1:9090/api/v1/{path}");
        let output = wire.near("curl").args(["--silent", "--max-time", "5", &url]).output();
        serde_json::from_slice(&output.expect("curl starts").stdout).ok()
    };
    wait(|| {
        ask("targets").is_some_and(|answer| {
            let [target] = list(&answer, "/data/activeTargets") else { return false };
            target["scrapeUrl"] == "http://127.0.0.1:10047/metrics"
        })
    });
    let rules = ask("rules").expect("it answers");
    let groups = list(&rules, "/data/groups").iter();
    let loaded: usize = groups.map(|group| list(group, "/rules").len()).sum();
    let records = yaml("grafana/rules.yml");
    let records: usize =
        list(&records, "/groups").iter().map(|group| list(group, "/rules").len()).sum();
    assert_eq!(loaded, records + alerts().len());
}

#[test]
fn the_image_is_built_from_what_is_there() {
    let file = text("packaging/Dockerfile");
    let let_in: BTreeSet<_> = text("packaging/Dockerfile.dockerignore")
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .map(str::to_owned)
        .collect();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut copied = BTreeSet::new();
    let lines = file.lines().filter_map(|line| line.strip_prefix("COPY "));
    for line in lines.filter(|line| !line.starts_with("--from")) {
        let mut words: Vec<_> = line.split(' ').collect();
        words.pop();
        for word in words {
            let copy = Command::new("cp").arg("-r").arg(project(word)).arg(folder.path()).status();
            assert!(copy.expect("cp starts").success(), "{word} cannot be copied");
            copied.insert(word.to_owned());
        }
    }
    assert_eq!(copied, let_in);
    // Cargo finds all that Cargo.toml names.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"]);
    let output = cargo.current_dir(folder.path()).output().expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let mut targets = list(&metadata, "/packages/0/targets").iter();
    assert!(targets.any(|target| target["kind"][0] == "bin" && target["name"] == "sealwatch"));
    let [from, to] = ["/sealwatch/target/release/sealwatch", "/usr/bin/sealwatch"];
    assert!(file.contains(&format!("COPY --from=build {from} {to}\n")));
    assert!(file.contains(&format!("ENTRYPOINT [\"{to}\"]\nCMD [\"--help\"]\n")));
    let help = sealwatch(["--help"]).output().expect("the binary starts");
    assert!(help.status.success());
}
