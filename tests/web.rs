//! The HTTP server of `sealwatch live`, driven from outside by those who ask well and by those who do
//! not. On a wire between two network namespaces; needs root.

mod support;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::{Duration, Instant};
use support::binary::run;
use support::prometheus::check_metrics;
use support::traffic::{puts, send};
use support::wire::{Live, Wire};

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(20);
const ADDRESS: &str = "127.0.0.1:10047";
const PLAIN: &str = "http://127.0.0.1:10047";

/// Who is busy on this machine: many at a time, or one who would measure the others.
static MACHINE: RwLock<()> = RwLock::new(());

fn wire(name: &str) -> (Wire, RwLockReadGuard<'static, ()>) {
    (Wire::new(name), MACHINE.read().unwrap_or_else(PoisonError::into_inner))
}

/// What curl got.
#[derive(Debug)]
struct Got {
    status: String,
    head: String,
    body: Vec<u8>,
}

impl Got {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn header(&self, name: &str) -> Option<String> {
        let named = |line: &str| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        self.head.lines().find_map(named)
    }
}

/// curl, at sealwatch's end; its arguments are words apart by spaces.
fn curl(wire: &Wire, arguments: &str) -> Got {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (head, body) = (folder.path().join("head"), folder.path().join("body"));
    let output = wire
        .near("curl")
        .args(["--silent", "--max-time", "10", "--write-out", "%{http_code}", "--dump-header"])
        .args([&head, Path::new("--output"), &body])
        .args(arguments.split(' '))
        .output()
        .expect("curl starts");
    let status = String::from_utf8_lossy(&output.stdout).into_owned();
    let head = String::from_utf8_lossy(&fs::read(head).unwrap_or_default()).into_owned();
    Got { status, head, body: fs::read(body).unwrap_or_default() }
}

/// Asks until the status is what is waited for.
#[track_caller]
fn wait_for(wire: &Wire, arguments: &str, status: &str) -> Got {
    let begun = Instant::now();
    loop {
        let got = curl(wire, arguments);
        if got.status == status {
            return got;
        }
        assert!(begun.elapsed() < PATIENCE, "{arguments} stays {}", got.status);
        thread::sleep(Duration::from_millis(20));
    }
}

/// `sealwatch live --interface tap ARGUMENTS`, whatever it serves.
fn live(wire: &Wire, arguments: &[&str]) -> Live {
    let command = wire.near(env!("CARGO_BIN_EXE_sealwatch"));
    Live::of(command, &[&["--interface", "tap"], arguments].concat())
}

/// Bytes to the server, and all that comes back until it ends the connection.
fn exchange(wire: &Wire, bytes: &[u8]) -> String {
    wire.here(|| {
        let mut stream = TcpStream::connect(ADDRESS).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("it takes that");
        // It may have heard enough before the end.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
            _ => String::from_utf8_lossy(&answer).into_owned(),
        }
    })
}

fn value(metrics: &str, series: &str) -> u64 {
    let value = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("no {series} in {metrics}"))
}

fn ended(outcome: &str) -> String {
    format!("sealwatch_web_connections_total{{outcome=\"{outcome}\"}}")
}

/// A folder that every user may read.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), open).expect("it can be opened");
    folder
}

fn write(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("a file can be written");
    path.to_str().expect("UTF-8").to_owned()
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output();
    let output = output.expect("openssl starts; `make test` installs it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments}: {said}");
    for file in fs::read_dir(folder).expect("it can be listed") {
        let path = file.expect("it can be listed").path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("it can be opened");
    }
}

/// A certificate for this machine, signed by itself: `NAME.pem`, `NAME.key`.
fn certificate(folder: &Path, name: &str) {
    openssl(
        folder,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 9 \
             -subj /CN={name} -addext subjectAltName=IP:127.0.0.1 -keyout {name}.key -out {name}.pem"
        )
        .replace("  ", ""),
    );
}

/// A certificate for a client, signed by that of `authority`.
fn client_certificate(folder: &Path, name: &str, authority: &str) {
    let request = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc";
    openssl(folder, &format!("{request} -subj /CN={name} -keyout {name}.key -out {name}.csr"));
    // Without one extension it would be of version 1, which nothing takes.
    fs::write(folder.join("extensions"), "basicConstraints=CA:FALSE\n").expect("it is written");
    let sign = "x509 -req -days 9 -extfile extensions";
    let by = format!("-CA {authority}.pem -CAkey {authority}.key");
    openssl(folder, &format!("{sign} {by} -in {name}.csr -out {name}.pem"));
}

fn hash(password: &str) -> String {
    bcrypt::hash_with_salt(password, 6, [7; 16])
        .expect("it can be hashed")
        .format_for_version(bcrypt::Version::TwoY)
}

#[test]
fn it_listens_on_every_address_and_has_the_metrics_where_it_is_told() {
    let (wire, _turn) = wire("listen");
    let set = wire.near("sysctl").args(["-q", "-w", "net.ipv6.conf.lo.disable_ipv6=0"]).status();
    assert!(set.expect("sysctl starts").success());
    let folder = folder();
    let socket = folder.path().join("socket");
    // What an earlier process left.
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("a socket can be made"));
    let unix = format!("unix:{}", socket.display());
    let address = |address| ["--web.listen-address", address];
    let addresses = [address(ADDRESS), address("[::1]:10048"), address(&unix)].concat();
    let live = live(&wire, &[&addresses[..], &["--web.telemetry-path", "/a/b"]].concat());
    wait_for(&wire, "http://127.0.0.1:10047/-/ready", "200");
    let through = format!("--unix-socket {} http://localhost", socket.display());
    for base in [PLAIN, "http://[::1]:10048", &through] {
        let metrics = curl(&wire, &format!("{base}/a/b"));
        assert_eq!(metrics.status, "200", "{base}");
        assert!(metrics.text().contains("sealwatch_build_info"), "{base}");
        assert_eq!(curl(&wire, &format!("{base}/metrics")).status, "404", "{base}");
    }
    assert!(curl(&wire, PLAIN).text().contains("href=\"a/b\""));
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
    for url in ["http://127.0.0.1:10047/a/b", "http://[::1]:10048/a/b", &format!("{unix} (http")] {
        assert!(said.contains(&format!("serving metrics at {url}")), "{said}");
    }
}

#[test]
fn it_answers_as_http_wants_it() {
    let (wire, _turn) = wire("http");
    let live = wire.live(&[]);
    let get = curl(&wire, &format!("{PLAIN}/metrics"));
    assert_eq!(
        get.header("content-type").as_deref(),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert_eq!(get.header("content-length"), Some(get.body.len().to_string()));
    let head = curl(&wire, &format!("--head {PLAIN}/-/healthy"));
    assert_eq!((&*head.status, head.header("content-length").as_deref()), ("200", Some("22")));
    assert!(head.body.is_empty() || head.text().starts_with("HTTP/1.1 200"), "{head:?}");
    for path in ["/", "/metrics", "/api/v1/summary", "/-/healthy", "/nothing"] {
        let got = curl(&wire, &format!("{PLAIN}{path}"));
        assert_eq!(got.header("x-content-type-options").as_deref(), Some("nosniff"), "{path}");
    }
    for method in ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"] {
        let got = curl(&wire, &format!("-X {method} {PLAIN}/metrics"));
        assert_eq!((&*got.status, got.header("allow").as_deref()), ("405", Some("GET, HEAD")));
    }
    assert_eq!(curl(&wire, &format!("--data text {PLAIN}/metrics")).status, "400");
    for path in ["/nothing", "/metrics/", "//metrics", "/-/", "/metrics%00", "/../etc/passwd"] {
        let got = curl(&wire, &format!("--path-as-is {PLAIN}{path}"));
        assert_eq!(got.status, "404", "{path}");
    }
    let packed = curl(&wire, &format!("-H Accept-Encoding:gzip {PLAIN}/metrics"));
    assert_eq!(packed.header("content-encoding").as_deref(), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_string(&mut text).expect("it is gzip");
    assert!(text.contains("sealwatch_web_responses_total{code=\"405\"} 6\n"), "{text}");
    assert!(packed.body.len() < get.body.len());
    check_metrics(&text);
    assert_eq!(live.end().0, Some(0));
}

#[test]
fn what_is_not_a_question_is_refused_and_nothing_after_it_is_taken_for_one() {
    let (wire, _turn) = wire("shapes");
    let live = wire.live(&[]);
    let secret = "GET /-/healthy HTTP/1.1\r\nHost: h\r\n\r\n";
    let long = "x".repeat(20_000);
    let many = "A: b\r\n".repeat(200);
    for (what, status) in [
        // Two parties may read the end of these differently.
        (
            "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 39\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "400",
        ),
        ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nGET ", "400"),
        ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length : 5\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: h\r\n folded: 1\r\n\r\n", "400"),
        // These are too large.
        (&format!("GET /{long} HTTP/1.1\r\nHost: h\r\n\r\n"), "4"),
        (&format!("GET / HTTP/1.1\r\nHost: h\r\nX: {long}\r\n\r\n"), "431"),
        (&format!("GET / HTTP/1.1\r\nHost: h\r\n{many}\r\n"), "431"),
        // These are something else.
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}", "400"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""),
        ("\0\0\0\0\r\n\r\n", "400"),
        ("GET / HTTP/9.9\r\n\r\n", "400"),
    ] {
        let answer = exchange(&wire, format!("{what}{secret}").as_bytes());
        let answers: Vec<_> = answer.split("HTTP/1.1 ").skip(1).collect();
        let shown = &what[..what.len().min(80)];
        assert!(answers.len() <= 1, "{shown:?}: {answer}");
        let first = answers.first().unwrap_or(&"");
        assert!(first.starts_with(status), "{shown:?}: {answer}");
        assert!(!answer.contains("is healthy"), "{shown:?}: {answer}");
    }
    // Questions in one piece are answered in turn, up to the first that is none.
    let answer = exchange(&wire, format!("{secret}{secret}\u{1}{secret}").as_bytes());
    assert_eq!(answer.matches("is healthy").count(), 2, "{answer}");
    let metrics = wire.get("/metrics").1;
    assert!(value(&metrics, &ended("malformed")) >= 8, "{metrics}");
    assert_eq!(live.end().0, Some(0));
}

#[test]
fn tls_and_its_certificate_are_read_again_on_sighup_within_the_confinement() {
    let (wire, _turn) = wire("tls");
    let folder = folder();
    let path = |name: &str| folder.path().join(name).display().to_string();
    certificate(folder.path(), "one");
    fs::copy(path("one.pem"), path("cert.pem")).expect("it can be copied");
    fs::copy(path("one.key"), path("cert.key")).expect("it can be copied");
    let config = write(
        &folder,
        "web.yml",
        "tls_server_config:\n  cert_file: cert.pem\n  key_file: cert.key\n",
    );
    let live = live(&wire, &["--web.config.file", &config, "--user", "nobody"]);
    let secure =
        |trusted: &str| format!("--cacert {} https://127.0.0.1:10047/metrics", path(trusted));
    wait_for(&wire, &secure("one.pem"), "200");
    assert_eq!(curl(&wire, &format!("--tls-max 1.2 {}", secure("one.pem"))).status, "200");
    // Not in clear, not by what was given up.
    assert_eq!(curl(&wire, &format!("{PLAIN}/metrics")).status, "000");
    exchange(&wire, b"\x16\x03\x01\x00\x05hello");
    certificate(folder.path(), "two");
    assert_eq!(curl(&wire, &secure("two.pem")).status, "000");
    // A file that does not fit the key: what was in force stays.
    fs::copy(path("two.pem"), path("cert.pem")).expect("it can be copied");
    live.signal("HUP");
    let stale = "sealwatch_web_config_last_reload_successful 0\n";
    let begun = Instant::now();
    while !curl(&wire, &secure("one.pem")).text().contains(stale) {
        assert!(begun.elapsed() < PATIENCE, "the broken file is not noticed");
    }
    fs::copy(path("two.key"), path("cert.key")).expect("it can be copied");
    live.signal("HUP");
    let metrics = wait_for(&wire, &secure("two.pem"), "200").text();
    assert!(metrics.contains("sealwatch_web_config_last_reload_successful 1\n"), "{metrics}");
    assert!(value(&metrics, &ended("tls_failed")) >= 3, "{metrics}");
    assert!(metrics.contains("sealwatch_confinement{measure=\"landlock\"} 1\n"), "{metrics}");
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("--web.config.file stays as it was: ").count(), 1, "{said}");
    assert!(said.contains("serving metrics at https://127.0.0.1:10047/metrics"), "{said}");
    assert!(!said.contains("PRIVATE KEY"), "{said}");
}

#[test]
fn clients_show_the_certificates_that_they_have_to() {
    let (wire, _turn) = wire("client");
    let folder = folder();
    for name in ["server", "authority", "stranger"] {
        certificate(folder.path(), name);
    }
    client_certificate(folder.path(), "known", "authority");
    client_certificate(folder.path(), "other", "stranger");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let base = format!("--cacert {} https://127.0.0.1:10047/-/healthy", path("server.pem"));
    let with = |name: &str| {
        format!(
            "--cert {} --key {} {base}",
            path(&format!("{name}.pem")),
            path(&format!("{name}.key"))
        )
    };
    // Whether without, with a certificate of the authority, with another.
    for (policy, authority, admitted) in [
        ("NoClientCert", "", [true, true, true]),
        ("RequestClientCert", "", [true, true, true]),
        ("RequireAnyClientCert", "", [false, true, true]),
        ("VerifyClientCertIfGiven", "  client_ca_file: authority.pem\n", [true, true, false]),
        ("RequireAndVerifyClientCert", "  client_ca_file: authority.pem\n", [false, true, false]),
    ] {
        let text = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n";
        let text = format!("{text}  client_auth_type: {policy}\n{authority}");
        let config = write(&folder, "web.yml", &text);
        let live = live(&wire, &["--web.config.file", &config]);
        wait_for(&wire, &with("known"), "200");
        for (client, admitted) in [base.clone(), with("known"), with("other")].iter().zip(admitted)
        {
            let status = if admitted { "200" } else { "000" };
            assert_eq!(curl(&wire, client).status, status, "{policy}: {client}");
        }
        assert_eq!(live.end().0, Some(0));
    }
}

#[test]
fn users_need_their_passwords_and_new_ones_are_read_on_sighup() {
    let (wire, _turn) = wire("auth");
    let folder = folder();
    let users = |password: &str| {
        format!("basic_auth_users:\n  prom: {}\n  ci: {}\n", hash(password), hash("x"))
    };
    let headers = "http_server_config:\n  headers:\n    X-Frame-Options: deny\n";
    let config = write(&folder, "web.yml", &(users("first-secret") + headers));
    let live = live(&wire, &["--web.config.file", &config, "--user", "nobody"]);
    let as_user = |user: &str, path: &str| format!("--user {user} {PLAIN}{path}");
    wait_for(&wire, &as_user("prom:first-secret", "/-/ready"), "200");
    for path in ["/", "/metrics", "/api/v1/summary", "/-/healthy", "/-/ready", "/nothing"] {
        let got = curl(&wire, &format!("{PLAIN}{path}"));
        assert_eq!(got.status, "401", "{path}");
        assert!(got.header("www-authenticate").is_some_and(|how| how.starts_with("Basic ")));
        assert_eq!(got.header("x-frame-options").as_deref(), Some("deny"));
        assert!(!got.text().contains("sealwatch_"), "{path}");
    }
    for user in ["prom:First-secret", "prom:", "ci:first-secret", "nobody:first-secret", ":x"] {
        assert_eq!(curl(&wire, &as_user(user, "/metrics")).status, "401", "{user}");
    }
    assert_eq!(curl(&wire, &as_user("ci:x", "/metrics")).status, "200");
    // Guessing holds up nobody whose password is known to be right.
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    curl(&wire, &as_user("prom:guess", "/metrics"));
                }
            });
        }
        for _ in 0..20 {
            assert_eq!(curl(&wire, &as_user("prom:first-secret", "/metrics")).status, "200");
        }
        over.store(true, Ordering::Relaxed);
    });
    write(&folder, "web.yml", &users("second-secret"));
    live.signal("HUP");
    wait_for(&wire, &as_user("prom:second-secret", "/metrics"), "200");
    assert_eq!(curl(&wire, &as_user("prom:first-secret", "/metrics")).status, "401");
    write(&folder, "web.yml", "basic_auth_users:\n  prom: third-secret\n");
    live.signal("HUP");
    let begun = Instant::now();
    let stale = "sealwatch_web_config_last_reload_successful 0\n";
    while !curl(&wire, &as_user("prom:second-secret", "/metrics")).text().contains(stale) {
        assert!(begun.elapsed() < PATIENCE, "the broken file is not noticed");
    }
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("web.yml:2:9: basic_auth_users.prom: is not a bcrypt hash"), "{said}");
    assert!(!said.contains("secret") && !said.contains("$2y$"), "{said}");
}

#[test]
fn what_is_wrong_with_a_web_configuration_is_told_before_anything_begins() {
    let folder = folder();
    certificate(folder.path(), "c");
    certificate(folder.path(), "d");
    let pair = "tls_server_config:\n  cert_file: c.pem\n  key_file: c.key\n";
    for (text, code, message) in [
        (
            "basic_auth_user:\n  u: x\n",
            2,
            "web.yml:1:1: basic_auth_user: is not known here; what is: tls_server_config, ",
        ),
        (
            "tls_server_config:\n  cert_fle: c.pem\n",
            2,
            "web.yml:2:3: tls_server_config.cert_fle: is not known here",
        ),
        (
            "basic_auth_users:\n  u: 'plain'\n",
            2,
            "web.yml:2:6: basic_auth_users.u: is not a bcrypt hash",
        ),
        ("basic_auth_users:\n  u: 1\n", 2, "web.yml:2:6: basic_auth_users.u: must be a string"),
        ("basic_auth_users: [u]\n", 2, "web.yml:1:19: basic_auth_users: must be a mapping"),
        (
            "tls_server_config:\n  cert_file: c.pem\n",
            2,
            "web.yml:1:1: tls_server_config: needs a key_file",
        ),
        (
            "tls_server_config:\n  cert_file: c.pem\n  key_file: none.key\n",
            1,
            "web.yml:3:13: tls_server_config.key_file: cannot read ",
        ),
        ("tls_server_config:\n  cert_file: c.pem\n  key_file: d.key\n", 2, "c.pem and "),
        ("tls_server_config:\n  cert_file: c.key\n  key_file: c.key\n", 2, "no certificate in "),
        ("tls_server_config:\n  cert_file: c.pem\n  key_file: c.pem\n", 2, "no private key in "),
        (
            &format!("{pair}  min_version: TLS10\n"),
            2,
            "web.yml:4:16: tls_server_config.min_version: \"TLS10\" is not supported here; what is: TLS12, TLS13",
        ),
        (
            &format!("{pair}  min_version: TLS13\n  max_version: TLS12\n"),
            2,
            "max_version is less than min_version",
        ),
        (
            &format!("{pair}  cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]\n"),
            2,
            "web.yml:4:19: tls_server_config.cipher_suites: \"TLS_RSA_WITH_AES_128_CBC_SHA\" is not supported here",
        ),
        (&format!("{pair}  client_ca_file: d.pem\n"), 2, "say a client_auth_type"),
        (
            &format!("{pair}  client_auth_type: RequireAndVerifyClientCert\n"),
            2,
            "needs a client_ca_file",
        ),
        (
            &format!("{pair}  client_auth_type: Maybe\n"),
            2,
            "\"Maybe\" is not supported here; what is: NoClientCert, ",
        ),
        (
            &format!("{pair}  client_allowed_sans: [a]\n"),
            2,
            "tls_server_config.client_allowed_sans: is not known here",
        ),
        (
            "http_server_config:\n  http2: maybe\n",
            2,
            "http_server_config.http2: must be true or false",
        ),
        (
            "http_server_config:\n  headers:\n    Server: x\n",
            2,
            "http_server_config.headers.Server: is not known here",
        ),
        ("a: [\n", 2, "web.yml:"),
        ("a: 1\na: 2\n", 2, "web.yml:2:"),
        ("{}\n---\n{}\n", 2, "a second document"),
    ] {
        let config = write(&folder, "web.yml", text);
        let run = run(["live", "--interface", "none", "--web.config.file", &config]);
        assert_eq!(run.code, Some(code), "{text}: {}", run.err);
        assert!(run.err.contains(message), "{text}: {}", run.err);
        assert!(run.err.starts_with("sealwatch: ") && !run.err.contains("plain"), "{}", run.err);
    }
    let missing = folder.path().join("none.yml");
    let run =
        run(["live", "--interface", "none", "--web.config.file", missing.to_str().expect("UTF-8")]);
    assert_eq!(run.code, Some(1));
    assert!(run.err.starts_with("sealwatch: error: cannot read "), "{}", run.err);
}

#[test]
fn the_toolkits_own_settings_are_understood() {
    let (wire, _turn) = wire("kit");
    let folder = folder();
    certificate(folder.path(), "c");
    let text = format!(
        "tls_server_config:\n  cert_file: {}\n  key_file: c.key\n  min_version: \"TLS12\"\n  \
         max_version: TLS13\n  cipher_suites:\n  - TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\n  \
         prefer_server_cipher_suites: true\n  curve_preferences: [CurveP256]\n\
         http_server_config:\n  http2: true\n  headers:\n    Strict-Transport-Security: max-age=9\n\
         basic_auth_users: {{}}\n",
        folder.path().join("c.pem").display()
    );
    let config = write(&folder, "web.yml", &text);
    let live = live(&wire, &["--web.config.file", &config]);
    let base =
        format!("--cacert {}/c.pem https://127.0.0.1:10047/metrics", folder.path().display());
    let got = wait_for(&wire, &base, "200");
    assert_eq!(got.header("strict-transport-security").as_deref(), Some("max-age=9"));
    let older =
        |suite: &str| curl(&wire, &format!("--tls-max 1.2 --ciphers {suite} {base}")).status;
    assert_eq!(older("ECDHE-ECDSA-AES128-GCM-SHA256"), "200");
    assert_eq!(older("ECDHE-ECDSA-AES256-GCM-SHA384"), "000");
    assert_eq!(curl(&wire, &format!("--curves X25519 {base}")).status, "000");
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("asks for HTTP/2; HTTP/1.1 is what is spoken"), "{said}");
}

#[test]
fn sockets_of_a_service_manager_are_served_instead() {
    let (wire, _turn) = wire("active");
    let folder = folder();
    let socket = folder.path().join("socket").display().to_string();
    let mut command = wire.near("systemd-socket-activate");
    command.args(["--listen=127.0.0.1:10049", &format!("--listen={socket}")]);
    command.arg(env!("CARGO_BIN_EXE_sealwatch"));
    let live = Live::of(command, &["--interface", "tap", "--user", "nobody"]);
    wait_for(&wire, "http://127.0.0.1:10049/-/ready", "200");
    let through = format!("--unix-socket {socket} http://localhost/metrics");
    assert_eq!(curl(&wire, &through).status, "200");
    assert_eq!(curl(&wire, PLAIN).status, "000", "the default is not listened on besides");
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("on an inherited socket").count(), 2, "{said}");
}

/// Memory in KiB.
fn resident(live: &Live) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", live.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is there");
    line.trim().trim_end_matches(" kB").parse().expect("it is a number")
}

/// This thread is another machine's: it takes nothing of this one's processors from sealwatch.
fn be_elsewhere() {
    rustix::process::nice(19).expect("it can step back");
}

/// A connection on which nothing is read, for a while.
fn unread(bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(ADDRESS).expect("it listens");
    stream.set_write_timeout(Some(Duration::from_millis(200))).expect("it takes that");
    // What does not fit stays unsaid.
    let _ = stream.write_all(bytes);
    stream
}

#[test]
fn half_questions_by_the_hundred_keep_nobody_out_and_time_out() {
    let (wire, _turn) = wire("half");
    let live = wire.live(&[]);
    wire.get("/metrics");
    let before = resident(&live);
    let half = wire.here(|| (0..300).map(|_| unread(b"GET /metrics HT")).collect::<Vec<_>>());
    for _ in 0..5 {
        assert_eq!(wire.get("/metrics").0, "200");
    }
    let silent = wire.here(|| (0..300).map(|_| unread(b"")).collect::<Vec<_>>());
    let metrics = wire.get("/metrics").1;
    assert!(value(&metrics, "sealwatch_web_connections_open") <= 40, "{metrics}");
    assert!(value(&metrics, &ended("displaced")) >= 500, "{metrics}");
    let late = ended("timed_out");
    let metrics = wire.wait("/metrics", |status, text| status == "200" && value(text, &late) >= 30);
    assert!(value(&metrics, "sealwatch_web_connections_open") <= 10, "{metrics}");
    let grown = resident(&live).saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} KiB more");
    drop((half, silent));
    assert_eq!(live.end().0, Some(0));
}

#[test]
fn whatever_scrapers_do_capture_loses_nothing() {
    const PUTS: usize = 4_000;
    let _turn = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
    let wire = Wire::new("flood");
    let folder = folder();
    let config = write(&folder, "web.yml", &format!("basic_auth_users:\n  u: {}\n", hash("p")));
    let live = live(&wire, &["--web.config.file", &config]);
    let known = format!("--user u:p {PLAIN}/metrics");
    wait_for(&wire, &known, "200");
    let before = resident(&live);
    let file = puts(folder.path(), PUTS);
    let (over, answers) = (AtomicBool::new(false), AtomicU64::new(0));
    let goes_on = || !over.load(Ordering::Relaxed);
    let ask = "GET /metrics HTTP/1.1\r\nHost: h\r\nAuthorization: Basic dTpw\r\n\r\n";
    let line = format!(
        "sealwatch_requests_total{{host=\"h\",operation=\"PutObject\",mode=\"AES256\"}} {PUTS}\n"
    );
    let metrics = thread::scope(|scope| {
        // Questions without end, of which no answer is read.
        scope.spawn(|| {
            wire.here(|| {
                be_elsewhere();
                while goes_on() {
                    let stuck: Vec<_> =
                        (0..30).map(|_| unread(ask.repeat(500).as_bytes())).collect();
                    drop(stuck);
                }
            })
        });
        // Halves, noise, heads that are too long, wrong passwords.
        scope.spawn(|| {
            wire.here(|| {
                be_elsewhere();
                let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
                let wrong = ask.replace("dTpw", "dTpx");
                while goes_on() {
                    let all = ["GET ", "\0\u{1}\u{2}\r\n\r\n", &long, &wrong];
                    let all: Vec<_> =
                        all.iter().cycle().take(40).map(|b| unread(b.as_bytes())).collect();
                    drop(all);
                }
            })
        });
        // One who asks again as soon as there is an answer.
        scope.spawn(|| {
            wire.here(|| {
                be_elsewhere();
                let ask = ask.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
                while goes_on() {
                    let mut stream = TcpStream::connect(ADDRESS).expect("it listens");
                    stream.set_read_timeout(Some(PATIENCE)).expect("it takes that");
                    let (mut answer, sent) = (String::new(), stream.write_all(ask.as_bytes()));
                    let read = sent.and_then(|()| stream.read_to_string(&mut answer));
                    if read.is_ok() && answer.starts_with("HTTP/1.1 200") {
                        assert!(answer.ends_with("\n") && answer.contains("sealwatch_build_info"));
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        });
        send(&wire, &file);
        let begun = Instant::now();
        let metrics = loop {
            let got = curl(&wire, &known).text();
            if got.contains(&line) || begun.elapsed() > PATIENCE {
                break got;
            }
        };
        over.store(true, Ordering::Relaxed);
        metrics
    });
    assert!(metrics.contains(&line), "{metrics}");
    for reason in ["kernel", "interface", "queue"] {
        let series = format!("sealwatch_capture_packets_dropped_total{{reason=\"{reason}\"}}");
        assert_eq!(value(&metrics, &series), 0, "{metrics}");
    }
    assert!(answers.load(Ordering::Relaxed) >= 3, "{answers:?} were answered");
    let grown = resident(&live).saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB more");
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("0 gaps"), "{said}");
}

#[test]
fn the_socket_unit_is_one_that_systemd_takes() {
    let packaging: PathBuf = [env!("CARGO_MANIFEST_DIR"), "packaging/systemd"].iter().collect();
    let folder = folder();
    let service = fs::read_to_string(packaging.join("sealwatch.service")).expect("it is read");
    let service = service.replace("/usr/bin/sealwatch", env!("CARGO_BIN_EXE_sealwatch"));
    write(&folder, "sealwatch.service", &service);
    fs::copy(packaging.join("sealwatch.socket"), folder.path().join("sealwatch.socket"))
        .expect("it can be copied");
    let unit = folder.path().join("sealwatch.socket");
    let output = Command::new("systemd-analyze").arg("verify").arg(unit).output();
    let output = output.expect("systemd-analyze starts; `make test` installs it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
