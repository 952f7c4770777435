//! The HTTP server for scrapers and for those who watch over this process.
//!
//! | path | answers |
//! |---|---|
//! | `/metrics` | every metric, in the Prometheus text format |
//! | `/api/v1/summary` | all counts, as JSON |
//! | `/-/healthy` | 200 while this process serves |
//! | `/-/ready` | 200 when everything that is to be captured on is open and was read; else 503, and what is not |
//! | `/` | this list |

use super::Site;
use axum::Router;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

/// Text format 0.0.4.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// How often the server looks whether it is to end.
const TICK: Duration = Duration::from_millis(50);

/// A server that has its address, and does not serve yet.
#[derive(Debug)]
pub struct Server(TcpListener);

impl Server {
    /// Listens on `address`.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self(listener))
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Serves until `is_over`.
    ///
    /// # Errors
    ///
    /// The system's, where serving cannot begin.
    pub fn serve(self, site: Site, is_over: impl Fn() -> bool + Send + 'static) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(self.0)?;
            let over = async move {
                while !is_over() {
                    tokio::time::sleep(TICK).await;
                }
            };
            let serve = axum::serve(listener, router(Arc::new(site)));
            // Who is slow to take an answer does not hold up the end.
            tokio::select! {
                served = serve.into_future() => served,
                () = over => Ok(()),
            }
        })
    }
}

fn router(site: Arc<Site>) -> Router {
    let (metrics, summary, ready) = (site.clone(), site.clone(), site);
    Router::new()
        .route("/metrics", get(move || async move { answer_metrics(&metrics) }))
        .route("/api/v1/summary", get(move || async move { answer_summary(&summary) }))
        .route("/-/healthy", get(|| async { "sealwatch is healthy.\n" }))
        .route("/-/ready", get(move || async move { answer_ready(&ready) }))
        .route(
            "/",
            get(|| async { "sealwatch\n\n/metrics\n/api/v1/summary\n/-/healthy\n/-/ready\n" }),
        )
}

fn answer_metrics(site: &Site) -> impl IntoResponse + use<> {
    (site.refresh)();
    answer(METRICS_TYPE, super::text(&site.registry))
}

fn answer_summary(site: &Site) -> impl IntoResponse + use<> {
    answer("application/json", serde_json::to_string_pretty(&(site.summary)()))
}

/// What was asked for, or why it cannot be had.
fn answer<E: Display>(
    media_type: &'static str,
    text: Result<String, E>,
) -> (StatusCode, [(HeaderName, &'static str); 1], String) {
    match text {
        Ok(text) => (StatusCode::OK, [(header::CONTENT_TYPE, media_type)], text),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
            format!("cannot write the answer: {error}\n"),
        ),
    }
}

fn answer_ready(site: &Site) -> (StatusCode, String) {
    match (site.unready)() {
        unready if unready.is_empty() => (StatusCode::OK, "sealwatch is ready.\n".to_owned()),
        unready => (StatusCode::SERVICE_UNAVAILABLE, unready.join("\n") + "\n"),
    }
}
