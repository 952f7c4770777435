//! `--web.config.file`: who may ask, and under which TLS, in the format of Prometheus's
//! exporter-toolkit
//! (<https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md>).
//!
//! Takes a YAML file and those that it names. Gives a server's settings, or all that is wrong: where,
//! which field, and what would be right. Promises that nothing in the file is passed over in
//! silence, that relative paths start at the file's folder, and that no password, hash or key is in
//! a message.

use super::auth::Users;
use super::tls::{self, Pem, TlsSettings};
use hyper::header::{HeaderName, HeaderValue};
use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::rustls;

/// The headers that may be set, as in the toolkit.
const HEADERS: [&str; 5] = [
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
];

/// Why there is no configuration. Displays as what is wrong, one line each.
#[derive(Debug)]
pub struct WebConfigError {
    /// Whether a file could not be read, rather than made no sense.
    pub is_unreadable: bool,
    lines: Vec<String>,
}

impl WebConfigError {
    /// Whatever else went wrong.
    pub(super) fn other(text: String) -> Self {
        Self { is_unreadable: true, lines: vec![text] }
    }

    /// A file that could not be read, and why.
    fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self {
            is_unreadable: true,
            lines: vec![format!("cannot read {}: {error}", path.display())],
        }
    }
}

impl fmt::Display for WebConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

impl std::error::Error for WebConfigError {}

/// A web configuration, and where it came from.
#[derive(Debug)]
pub struct WebConfig {
    path: PathBuf,
    /// What it says.
    pub(super) settings: Settings,
    /// All files that were read.
    files: BTreeSet<PathBuf>,
}

/// What a web configuration says.
#[derive(Default)]
pub(super) struct Settings {
    /// TLS, and nothing else, if there is any.
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    /// Whom to admit.
    pub(super) users: Users,
    /// Headers of every answer.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Whether HTTP/2 is asked for by name.
    http2: bool,
}

impl fmt::Debug for Settings {
    /// Without users and keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("headers", &self.headers).finish_non_exhaustive()
    }
}

impl WebConfig {
    /// Reads a file and those that it names.
    ///
    /// # Errors
    ///
    /// One of them cannot be read; or all that is wrong.
    pub fn load(path: &Path) -> Result<Self, WebConfigError> {
        let bytes = fs::read(path).map_err(|error| WebConfigError::unreadable(path, &error))?;
        let wrong = |text: String| WebConfigError {
            is_unreadable: false,
            lines: vec![format!("{}: {text}", path.display())],
        };
        let text = String::from_utf8(bytes).map_err(|_| wrong("this is not UTF-8".to_owned()))?;
        let documents = MarkedYaml::load_from_str(&text).map_err(|error| {
            let (place, what) = (error.marker(), error.info());
            let (line, column) = (place.line(), place.col() + 1);
            let lines = vec![format!("{}:{line}:{column}: {what}", path.display())];
            WebConfigError { is_unreadable: false, lines }
        })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let mut reader = Reader { path, folder, mistakes: Vec::new(), read: Files::default() };
        let settings = match &documents[..] {
            [] => Settings::default(),
            [document] => reader.settings(document),
            [_, second, ..] => {
                reader.wrong(second, "", "a second document; leave one");
                Settings::default()
            }
        };
        let Reader { mistakes, read, .. } = reader;
        if !mistakes.is_empty() {
            return Err(WebConfigError { is_unreadable: read.failed, lines: mistakes });
        }
        let mut files = read.paths;
        files.insert(path.to_owned());
        Ok(Self { path: path.to_owned(), settings, files })
    }

    /// Reads it again.
    ///
    /// # Errors
    ///
    /// As in [`Self::load`].
    pub fn reload(&self) -> Result<Self, WebConfigError> {
        Self::load(&self.path)
    }

    /// All files that were read: itself, and those that it names.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it asks for HTTP/2, which is not spoken here.
    pub fn asks_for_http2(&self) -> bool {
        self.settings.http2
    }
}

type Node<'n> = MarkedYaml<'n>;

/// What was read besides the configuration.
#[derive(Default)]
struct Files {
    paths: BTreeSet<PathBuf>,
    /// Whether one could not be.
    failed: bool,
}

struct Reader<'r> {
    path: &'r Path,
    folder: PathBuf,
    mistakes: Vec<String>,
    read: Files,
}

impl Reader<'_> {
    fn wrong(&mut self, at: &Node<'_>, key: &str, text: &str) {
        let (line, column) = (at.span.start.line(), at.span.start.col() + 1);
        let key = if key.is_empty() { String::new() } else { format!("{key}: ") };
        self.mistakes.push(format!("{}:{line}:{column}: {key}{text}", self.path.display()));
    }

    fn settings(&mut self, document: &Node<'_>) -> Settings {
        let mut settings = Settings::default();
        for (key, at, value) in self.fields("", document) {
            match &*key {
                "tls_server_config" => settings.tls = self.tls(&key, at, value),
                "http_server_config" => self.http(&key, value, &mut settings),
                "basic_auth_users" => settings.users = self.users(&key, value),
                _ => self.unknown(
                    at,
                    &key,
                    "tls_server_config, http_server_config, basic_auth_users",
                ),
            }
        }
        settings
    }

    /// A mapping's fields: name, where the name is, value. Nothing is an empty mapping.
    fn fields<'n>(
        &mut self,
        key: &str,
        node: &'n Node<'n>,
    ) -> Vec<(String, &'n Node<'n>, &'n Node<'n>)> {
        let mapping = match &node.data {
            YamlData::Mapping(mapping) => mapping,
            YamlData::Value(Scalar::Null) => return Vec::new(),
            _ => {
                self.wrong(node, key, "must be a mapping of names to values");
                return Vec::new();
            }
        };
        let mut fields = Vec::new();
        for (name, value) in mapping {
            match text_of(name) {
                Some(text) => fields.push((text, name, value)),
                None => self.wrong(name, key, "a name must be a string, in quotes if need be"),
            }
        }
        fields
    }

    fn unknown(&mut self, at: &Node<'_>, key: &str, known: &str) {
        self.wrong(at, key, &format!("is not known here; what is: {known}"));
    }

    fn string(&mut self, key: &str, node: &Node<'_>) -> Option<String> {
        let text = text_of(node);
        if text.is_none() {
            self.wrong(node, key, "must be a string, in quotes if need be");
        }
        text
    }

    fn boolean(&mut self, key: &str, node: &Node<'_>) -> bool {
        match &node.data {
            YamlData::Value(Scalar::Boolean(on)) => return *on,
            _ => self.wrong(node, key, "must be true or false"),
        }
        false
    }

    /// A word that stands for something.
    fn choice<T>(
        &mut self,
        key: &str,
        node: &Node<'_>,
        known: &str,
        of: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.string(key, node)?;
        let choice = of(&text);
        if choice.is_none() {
            self.wrong(node, key, &format!("{text:?} is not supported here; what is: {known}"));
        }
        choice
    }

    fn choices<T>(
        &mut self,
        key: &str,
        node: &Node<'_>,
        known: &str,
        of: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        match &node.data {
            YamlData::Sequence(nodes) => {
                nodes.iter().filter_map(|node| self.choice(key, node, known, &of)).collect()
            }
            YamlData::Value(Scalar::Null) => Vec::new(),
            _ => {
                self.wrong(node, key, "must be a list");
                Vec::new()
            }
        }
    }

    /// The content of a file that is named.
    fn file(&mut self, key: &str, node: &Node<'_>) -> Option<Pem> {
        let name = self.string(key, node).filter(|name| !name.is_empty())?;
        let path = self.folder.join(name);
        let bytes = fs::read(&path);
        if let Err(error) = &bytes {
            self.read.failed = true;
            self.wrong(node, key, &format!("cannot read {}: {error}", path.display()));
        }
        let pem = Pem { bytes: bytes.ok()?, from: path.display().to_string() };
        self.read.paths.insert(path);
        Some(pem)
    }

    fn text(&mut self, key: &str, node: &Node<'_>) -> Option<Pem> {
        let text = self.string(key, node).filter(|text| !text.is_empty())?;
        Some(Pem { bytes: text.into_bytes(), from: key.to_owned() })
    }

    fn tls(
        &mut self,
        outer: &str,
        at: &Node<'_>,
        node: &Node<'_>,
    ) -> Option<Arc<rustls::ServerConfig>> {
        const KNOWN: &str = "cert_file, cert, key_file, key, client_auth_type, client_ca_file, \
                             client_ca, min_version, max_version, cipher_suites, \
                             prefer_server_cipher_suites, curve_preferences";
        let before = self.mistakes.len();
        let mut tls = TlsSettings::default();
        for (name, at, value) in self.fields(outer, node) {
            let key = &format!("{outer}.{name}");
            let once = |slot: &mut Option<Pem>, pem: Option<Pem>| {
                let twice = slot.is_some() && pem.is_some();
                *slot = pem.or(slot.take());
                twice
            };
            let twice = match &*name {
                "cert_file" => once(&mut tls.certificate, self.file(key, value)),
                "cert" => once(&mut tls.certificate, self.text(key, value)),
                "key_file" => once(&mut tls.key, self.file(key, value)),
                "key" => once(&mut tls.key, self.text(key, value)),
                "client_ca_file" => once(&mut tls.client_ca, self.file(key, value)),
                "client_ca" => once(&mut tls.client_ca, self.text(key, value)),
                _ => {
                    self.tls_choice(&name, key, value, &mut tls)
                        .unwrap_or_else(|| self.unknown(at, key, KNOWN));
                    false
                }
            };
            if twice {
                self.wrong(at, key, "is given twice: as a file and in place; leave one");
            }
        }
        if self.mistakes.len() > before {
            return None;
        }
        let built = tls::build(&tls);
        if let Err(text) = &built {
            self.wrong(at, outer, text);
        }
        built.ok()
    }

    /// The fields of TLS that are words. Nothing where it is none of them.
    fn tls_choice(
        &mut self,
        name: &str,
        key: &str,
        value: &Node<'_>,
        tls: &mut TlsSettings,
    ) -> Option<()> {
        match name {
            "client_auth_type" => {
                let choice = self.choice(key, value, tls::CLIENT_AUTH_TYPES, tls::client_auth);
                tls.client_auth = choice.unwrap_or_default();
            }
            "min_version" => tls.least = self.choice(key, value, tls::VERSIONS, tls::version),
            "max_version" => tls.most = self.choice(key, value, tls::VERSIONS, tls::version),
            "cipher_suites" => {
                let known = tls::suite_names().join(", ");
                tls.suites = self.choices(key, value, &known, tls::suite);
            }
            "curve_preferences" => {
                tls.curves = self.choices(key, value, tls::CURVES, tls::curve);
            }
            "prefer_server_cipher_suites" => tls.prefer_own_suites = self.boolean(key, value),
            _ => return None,
        }
        Some(())
    }

    fn http(&mut self, outer: &str, node: &Node<'_>, settings: &mut Settings) {
        for (name, at, value) in self.fields(outer, node) {
            let key = format!("{outer}.{name}");
            match &*name {
                "http2" => settings.http2 = self.boolean(&key, value),
                "headers" => settings.headers = self.headers(&key, value),
                _ => self.unknown(at, &key, "http2, headers"),
            }
        }
    }

    fn headers(&mut self, outer: &str, node: &Node<'_>) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::new();
        for (name, at, value) in self.fields(outer, node) {
            let key = format!("{outer}.{name}");
            let Some(known) = HEADERS.iter().find(|known| known.eq_ignore_ascii_case(&name)) else {
                self.unknown(at, &key, &HEADERS.join(", "));
                continue;
            };
            let Some(text) = self.string(&key, value).filter(|text| !text.is_empty()) else {
                continue;
            };
            match (known.parse(), text.parse()) {
                (Ok(name), Ok(value)) => headers.push((name, value)),
                _ => self.wrong(value, &key, "cannot be a header's value"),
            }
        }
        headers
    }

    fn users(&mut self, outer: &str, node: &Node<'_>) -> Users {
        let mut users = Users::new();
        for (name, at, value) in self.fields(outer, node) {
            let key = format!("{outer}.{name}");
            if name.contains(':') {
                self.wrong(at, &key, "a user's name holds no colon");
            }
            let Some(hash) = self.string(&key, value) else { continue };
            if hash.parse::<bcrypt::HashParts>().is_err() {
                let text = "is not a bcrypt hash, as of `htpasswd -nBC 10 \"\"`";
                self.wrong(value, &key, text);
            }
            users.insert(name, hash);
        }
        users
    }
}

fn text_of(node: &Node<'_>) -> Option<String> {
    match &node.data {
        YamlData::Value(Scalar::String(text)) => Some(text.to_string()),
        _ => None,
    }
}
