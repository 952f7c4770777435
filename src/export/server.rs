//! The HTTP server for scrapers and for those who watch over this process.
//!
//! | path | answers |
//! |---|---|
//! | `/metrics` | every metric, in the Prometheus text format |
//! | `/-/healthy` | 200 while this process serves |
//! | `/-/ready` | 200 when everything that is to be captured on is open and was read; else 503, and what is not |
//! | `/` | this list |

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus::Registry;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

/// Text format 0.0.4.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// How often the server looks whether it is to end.
const TICK: Duration = Duration::from_millis(50);

/// What the server tells.
pub struct Served {
    /// The metrics.
    pub registry: Registry,
    /// What is not ready, one line each; empty when everything is.
    pub unready: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    /// Called before metrics are gathered.
    pub refresh: Box<dyn Fn() + Send + Sync>,
}

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
    pub fn serve(
        self,
        served: Served,
        is_over: impl Fn() -> bool + Send + 'static,
    ) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(self.0)?;
            let over = async move {
                while !is_over() {
                    tokio::time::sleep(TICK).await;
                }
            };
            let serve = axum::serve(listener, router(Arc::new(served)));
            // Who is slow to take an answer does not hold up the end.
            tokio::select! {
                served = serve.into_future() => served,
                () = over => Ok(()),
            }
        })
    }
}

fn router(served: Arc<Served>) -> Router {
    let (metrics, ready) = (served.clone(), served);
    Router::new()
        .route("/metrics", get(move || async move { answer_metrics(&metrics) }))
        .route("/-/healthy", get(|| async { "sealwatch is healthy.\n" }))
        .route("/-/ready", get(move || async move { answer_ready(&ready) }))
        .route("/", get(|| async { "sealwatch\n\n/metrics\n/-/healthy\n/-/ready\n" }))
}

fn answer_metrics(served: &Served) -> impl IntoResponse + use<> {
    (served.refresh)();
    match super::text(&served.registry) {
        Ok(text) => (StatusCode::OK, [(header::CONTENT_TYPE, METRICS_TYPE)], text),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
            format!("cannot write the metrics: {error}\n"),
        ),
    }
}

fn answer_ready(served: &Served) -> (StatusCode, String) {
    match (served.unready)() {
        unready if unready.is_empty() => (StatusCode::OK, "sealwatch is ready.\n".to_owned()),
        unready => (StatusCode::SERVICE_UNAVAILABLE, unready.join("\n") + "\n"),
    }
}
