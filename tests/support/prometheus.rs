//! Debian's Prometheus, scraping sealwatch by the configuration that comes with the project.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);
const ADDRESS: &str = "127.0.0.1:9090";

/// What a query answers: values by their labels, sorted by name, as in `a="1",b="2"`.
pub type Answer = BTreeMap<String, f64>;

/// The configuration that comes with the project.
pub fn configuration() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana/prometheus.yml")
}

/// Holds metrics to Prometheus's own rules, by promtool.
#[track_caller]
pub fn check_metrics(metrics: &str) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts; `make test` installs it");
    promtool.stdin.take().expect("it is piped").write_all(metrics.as_bytes()).expect("it reads");
    let output = promtool.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}{metrics}");
}

/// Prometheus, running in a namespace.
pub struct Prometheus<F> {
    child: Child,
    inside: F,
    folder: TempDir,
}

impl<F: Fn(&str) -> Command> Prometheus<F> {
    /// Starts it, through a command that runs a program in the namespace. It scrapes every second.
    pub fn start(inside: F) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let file = fs::read_to_string(configuration()).expect("it comes with the project");
        let hasty = file.replace("scrape_interval: 15s", "scrape_interval: 1s");
        assert_ne!(hasty, file);
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("prometheus.yml"), hasty).expect("a file can be written");
        Self::over(inside, folder)
    }

    /// Starts it, by the `prometheus.yml` in that folder.
    pub fn over(inside: F, folder: TempDir) -> Self {
        let path = |name: &str| folder.path().join(name).display().to_string();
        let mut command = inside("prometheus");
        command.args([
            format!("--config.file={}", path("prometheus.yml")),
            format!("--storage.tsdb.path={}", path("data")),
            format!("--web.listen-address={ADDRESS}"),
        ]);
        let child = command.stderr(Stdio::null()).spawn();
        let child = child.expect("prometheus starts; `make test-deps` installs it");
        Self { child, inside, folder }
    }

    /// Gives it another configuration.
    pub fn reconfigure(&self, configuration: &str) {
        let file = self.folder.path().join("prometheus.yml");
        fs::write(file, configuration).expect("a file can be written");
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-HUP", &id]).status();
        assert!(sent.expect("kill starts").success());
    }

    /// What its API answers, `None` where nobody does.
    pub fn ask(&self, path: &str, fields: &[(&str, &str)]) -> Option<Value> {
        let mut curl = (self.inside)("curl");
        curl.args(["--silent", "--max-time", "5", "--get"]);
        for (name, value) in fields {
            curl.arg("--data-urlencode").arg(format!("{name}={value}"));
        }
        let output = curl.arg(format!("http://{ADDRESS}/api/v1/{path}")).output();
        let answer: Value = serde_json::from_slice(&output.expect("curl starts").stdout).ok()?;
        assert_eq!(answer["status"], "success", "{path} {fields:?}: {answer}");
        Some(answer["data"].clone())
    }

    /// What PromQL answers now; `None` where nobody answers.
    fn query(&self, query: &str) -> Option<Answer> {
        let answer = self.ask("query", &[("query", query)])?;
        let result = answer["result"].as_array();
        Some(result.unwrap_or_else(|| panic!("{query}: {answer}")).iter().map(series).collect())
    }

    /// Asks until the answer is what is waited for.
    #[track_caller]
    pub fn wait(&self, query: &str, until: impl Fn(&Answer) -> bool) -> Answer {
        let begun = Instant::now();
        loop {
            let answer = self.query(query);
            if let Some(answer) = answer.as_ref().filter(|answer| until(answer)) {
                return answer.clone();
            }
            assert!(begun.elapsed() < PATIENCE, "{query} stays {answer:#?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Asks until the answer is this.
    #[track_caller]
    pub fn answers(&self, query: &str, expected: &Answer) {
        let answer = self.wait(query, |answer| answer == expected);
        assert_eq!(&answer, expected);
    }

    /// The answer to a query that has one value, once it has.
    #[track_caller]
    pub fn value(&self, query: &str) -> f64 {
        let answer = self.wait(query, |answer| answer.len() == 1);
        answer.into_values().sum()
    }
}

fn series(result: &Value) -> (String, f64) {
    let text = |value: &Value| value.as_str().expect("it is text").to_owned();
    let labels = result["metric"].as_object().expect("a series has labels");
    let labels: Vec<_> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", text(value))).collect();
    (labels.join(","), text(&result["value"][1]).parse().expect("it is a number"))
}

impl<F> Drop for Prometheus<F> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
