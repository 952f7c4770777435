//! The HTTP server for scrapers and for those who watch over this process.
//!
//! | path | answers |
//! |---|---|
//! | `/metrics`, or the telemetry path | every metric, in the Prometheus text format |
//! | `/api/v1/summary` | all counts, as JSON |
//! | `/-/healthy` | 200 while this process serves |
//! | `/-/ready` | 200 when everything that is to be captured on is open and was read; else 503, and what is not |
//! | `/` | [the page](super::page) |
//!
//! GET and HEAD are answered; a question with a body is not, and ends its connection, so that no two
//! parties can read its end differently. Where there are users, all of these are for them alone.

use super::auth::Gate;
use super::connection::{Connections, Progress};
use super::counts::Counts;
use super::listen::{Acceptor, Address, Listener};
use super::shared::Shared;
use super::web_config::{Settings, WebConfig, WebConfigError};
use super::{Site, page};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// Text format 0.0.4.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT_TYPE: &str = "text/plain; charset=utf-8";
/// How often the server looks whether it is to end, or to read its configuration again.
const TICK: Duration = Duration::from_millis(50);
/// How long to wait where the system gives no connection, as for want of descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// Threads that pack answers and compare passwords.
const HELPERS: usize = 4;

/// The paths that are not for choice.
const PATHS: [&str; 4] = ["/", "/api/v1/summary", "/-/healthy", "/-/ready"];

/// Where the metrics are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetryPath(String);

/// `/metrics`.
impl Default for TelemetryPath {
    fn default() -> Self {
        Self("/metrics".to_owned())
    }
}

impl FromStr for TelemetryPath {
    type Err = String;

    /// A path of letters, digits and `-._~/`, and none that has another meaning.
    fn from_str(text: &str) -> Result<Self, String> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        if !text.starts_with('/') || !text.bytes().all(is_plain) {
            return Err(format!("{text:?} is not a path of /, letters, digits and -._~"));
        }
        if PATHS.contains(&text) {
            return Err(format!("{text} is taken; there is something else"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TelemetryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How to serve.
#[derive(Debug)]
pub struct ServerConfig {
    /// Where to listen, unless a service manager gave sockets.
    pub addresses: Vec<Address>,
    /// Where the metrics are.
    pub telemetry_path: TelemetryPath,
    /// How many connections there may be at once.
    pub max_connections: usize,
    /// Who may ask, and under which TLS.
    pub web_config: Option<WebConfig>,
}

/// What happens from outside while it serves.
pub struct Control {
    /// Called once in the thread that serves, when those that make answers have been started: may
    /// lower its priority, which those that are started later inherit.
    pub begins: Box<dyn Fn() + Send>,
    /// Whether it is to end.
    pub is_over: Box<dyn Fn() -> bool + Send>,
    /// Whether the web configuration is to be read again; true once each time.
    pub is_to_reload: Box<dyn Fn() -> bool + Send>,
    /// Told how that went. Where it failed, what was in force stays so.
    pub reloaded: Box<dyn Fn(Result<(), WebConfigError>) + Send>,
}

/// A server that has its sockets, and does not serve yet.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<Listener>,
    is_inherited: bool,
    config: ServerConfig,
}

impl Server {
    /// Takes the sockets that a service manager gave, or else listens on all addresses.
    ///
    /// # Errors
    ///
    /// The system's, and for what address.
    pub fn bind(config: ServerConfig) -> io::Result<Self> {
        let with = |what: String| {
            move |error: io::Error| io::Error::new(error.kind(), format!("{what}: {error}"))
        };
        let inherited =
            Listener::inherited().map_err(with("cannot take an inherited socket".to_owned()))?;
        let is_inherited = !inherited.is_empty();
        let mut listeners = inherited;
        if !is_inherited {
            for address in &config.addresses {
                let listener = Listener::bind(address);
                listeners.push(listener.map_err(with(format!("cannot listen on {address}")))?);
            }
        }
        Ok(Self { listeners, is_inherited, config })
    }

    /// Where the metrics are, by socket, as a person would write it.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn urls(&self) -> io::Result<Vec<String>> {
        let has_tls = self.web_config().is_some_and(|config| config.settings.tls.is_some());
        let scheme = if has_tls { "https" } else { "http" };
        let path = &self.config.telemetry_path;
        let url = |listener: &Listener| match listener.address()? {
            Address::Tcp(address) => Ok(format!("{scheme}://{address}{path}")),
            unix @ Address::Unix(_) => Ok(format!("{unix} ({scheme}://localhost{path})")),
        };
        self.listeners.iter().map(url).collect()
    }

    /// Whether its sockets are a service manager's.
    pub fn is_inherited(&self) -> bool {
        self.is_inherited
    }

    /// Who may ask, and under which TLS.
    pub fn web_config(&self) -> Option<&WebConfig> {
        self.config.web_config.as_ref()
    }

    /// Serves until it is over.
    ///
    /// # Errors
    ///
    /// The system's, where serving cannot begin; or the registry's.
    pub fn serve(self, site: Site, control: Control) -> io::Result<()> {
        let Self { listeners, config, .. } = self;
        let has_config = config.web_config.is_some();
        let counts = Counts::new(&site.registry, has_config).map_err(io::Error::other)?;
        let most = config.max_connections.max(1);
        let routes = Arc::new(Routes::new(site, counts.clone(), config)?);
        (control.begins)();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(HELPERS)
            .build()?;
        let served = runtime.block_on(async {
            let connections = Connections::new(most, counts.clone(), routes.clone());
            for listener in listeners {
                task::spawn(accept(listener.into_async()?, connections.clone()));
            }
            while !(control.is_over)() {
                if (control.is_to_reload)() {
                    let reloaded = routes.reload().await;
                    counts.read_config(reloaded.is_ok());
                    (control.reloaded)(reloaded);
                }
                sleep(TICK).await;
            }
            Ok(())
        });
        // Who is slow to take an answer, and what is under way, does not hold up the end.
        runtime.shutdown_background();
        served
    }
}

async fn accept(acceptor: Acceptor, connections: Arc<Connections>) {
    loop {
        match acceptor.accept().await {
            Ok((stream, peer)) => {
                connections.take(stream, peer);
                // Those that are there get their turn before the next one.
                task::yield_now().await;
            }
            // Of that one connection, which is gone already.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => sleep(ACCEPT_AGAIN).await,
        }
    }
}

/// What there is at which path, and for whom.
pub(super) struct Routes {
    metrics: Arc<Shared>,
    summary: Arc<Shared>,
    page: Arc<Shared>,
    page_headers: Vec<(HeaderName, HeaderValue)>,
    site: Arc<Site>,
    telemetry_path: TelemetryPath,
    gate: Arc<Gate>,
    counts: Counts,
    web_config: Option<Mutex<Arc<WebConfig>>>,
}

impl Routes {
    fn new(site: Site, counts: Counts, config: ServerConfig) -> io::Result<Self> {
        let site = Arc::new(site);
        let (counted, summed, shown) = (site.clone(), site.clone(), site.clone());
        let metrics = move || {
            (counted.refresh)();
            super::text(&counted.registry).map_err(|error| error.to_string())
        };
        let summary = move || {
            serde_json::to_string_pretty(&(summed.summary)()).map_err(|error| error.to_string())
        };
        let telemetry_path = config.telemetry_path.to_string();
        let page = move || Ok(page::page(&shown, &telemetry_path));
        let page_headers = page::headers().into_iter().map(|(name, value)| {
            let value = HeaderValue::try_from(value).map_err(io::Error::other)?;
            Ok((HeaderName::from_static(name), value))
        });
        Ok(Self {
            metrics: Shared::start(Box::new(metrics))?,
            summary: Shared::start(Box::new(summary))?,
            page: Shared::start(Box::new(page))?,
            page_headers: page_headers.collect::<io::Result<_>>()?,
            site,
            telemetry_path: config.telemetry_path,
            gate: Gate::new()?,
            counts,
            web_config: config.web_config.map(|config| Mutex::new(Arc::new(config))),
        })
    }

    /// The configuration in force.
    fn config(&self) -> Option<Arc<WebConfig>> {
        let config = self.web_config.as_ref()?;
        Some(config.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// What new connections are to speak, if not plain HTTP.
    pub(super) fn tls(&self) -> Option<TlsAcceptor> {
        self.config()?.settings.tls.clone().map(TlsAcceptor::from)
    }

    async fn reload(&self) -> Result<(), WebConfigError> {
        let (Some(config), Some(slot)) = (self.config(), &self.web_config) else { return Ok(()) };
        let read = task::spawn_blocking(move || config.reload()).await;
        let read = read.unwrap_or_else(|error| Err(WebConfigError::other(error.to_string())))?;
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
        Ok(())
    }

    /// The answer to a question.
    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        progress: Arc<Progress>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        progress.asked();
        let config = self.config();
        let settings = config.as_ref().map(|config| &config.settings);
        let mut response = self.admit(&request, settings).await;
        let headers = response.headers_mut();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        for (name, value) in settings.iter().flat_map(|settings| &settings.headers) {
            headers.insert(name.clone(), value.clone());
        }
        self.counts.answered(response.status());
        progress.made();
        Ok(response)
    }

    async fn admit(
        &self,
        request: &Request<Incoming>,
        settings: Option<&Settings>,
    ) -> Response<Full<Bytes>> {
        if !request.body().is_end_stream() {
            let response = text(StatusCode::BAD_REQUEST, "A question here has no body.\n");
            return with(response, header::CONNECTION, "close");
        }
        if let Some(settings) = settings {
            let authorization = request.headers().get(header::AUTHORIZATION);
            if !self.gate.admits(&settings.users, authorization).await {
                let response = text(StatusCode::UNAUTHORIZED, "Unauthorized\n");
                return with(response, header::WWW_AUTHENTICATE, "Basic realm=\"sealwatch\"");
            }
        }
        self.route(request).await
    }

    /// What is at a path.
    async fn route(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if path != self.telemetry_path.0 && !PATHS.contains(&path) {
            return text(StatusCode::NOT_FOUND, "There is nothing here; / lists what there is.\n");
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let response = text(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD are answered.\n");
            return with(response, header::ALLOW, "GET, HEAD");
        }
        match path {
            "/" => self.page(request.headers()).await,
            "/-/healthy" => text(StatusCode::OK, "sealwatch is healthy.\n"),
            "/-/ready" => self.readiness(),
            "/api/v1/summary" => shared(&self.summary, "application/json", request.headers()).await,
            _ => shared(&self.metrics, METRICS_TYPE, request.headers()).await,
        }
    }

    async fn page(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let mut response = shared(&self.page, TEXT_TYPE, headers).await;
        if response.status() == StatusCode::OK {
            for (name, value) in &self.page_headers {
                response.headers_mut().insert(name, value.clone());
            }
        }
        response
    }

    fn readiness(&self) -> Response<Full<Bytes>> {
        match (self.site.unready)() {
            unready if unready.is_empty() => text(StatusCode::OK, "sealwatch is ready.\n"),
            unready => text(StatusCode::SERVICE_UNAVAILABLE, unready.join("\n") + "\n"),
        }
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    with(response, header::CONTENT_TYPE, TEXT_TYPE)
}

fn with(
    mut response: Response<Full<Bytes>>,
    name: HeaderName,
    value: &'static str,
) -> Response<Full<Bytes>> {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}

/// An answer that others may wait for, too; packed for those who take that.
async fn shared(
    shared: &Arc<Shared>,
    media_type: &'static str,
    headers: &HeaderMap,
) -> Response<Full<Bytes>> {
    let made = match shared.get().await {
        Ok(made) => made,
        Err(error) => {
            let error = format!("cannot write the answer: {error}\n");
            return text(StatusCode::INTERNAL_SERVER_ERROR, error);
        }
    };
    let response = match takes_gzip(headers) {
        true => with(text(StatusCode::OK, made.gzip.clone()), header::CONTENT_ENCODING, "gzip"),
        false => text(StatusCode::OK, made.plain.clone()),
    };
    with(with(response, header::CONTENT_TYPE, media_type), header::VARY, "Accept-Encoding")
}

/// Whether gzip is among what is accepted (RFC 9110, 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter();
    let accepted = accepted.filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
        is_gzip && quality.is_none_or(|quality| quality > 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_when_it_is_said_and_not_refused() {
        let takes = |value: &'static str| {
            let header = (header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            takes_gzip(&[header].into_iter().collect())
        };
        assert!(takes("gzip") && takes("deflate, GZIP;q=0.5") && takes("gzip ; q=1"));
        assert!(!takes("") && !takes("identity") && !takes("gzip;q=0") && !takes("xgzip"));
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn a_telemetry_path_is_plain_and_its_own() {
        for fine in ["/metrics", "/a/b-c_d.~e", "/-/metrics"] {
            assert_eq!(fine.parse().map(|TelemetryPath(path)| path).as_deref(), Ok(fine));
        }
        for wrong in ["", "metrics", "/", "/-/ready", "/a b", "/a?b", "/%61", "/ü", "/a\nb"] {
            assert!(wrong.parse::<TelemetryPath>().is_err(), "{wrong}");
        }
    }
}
