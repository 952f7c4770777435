//! What is served, over whatever connection.

use crate::report::Summary;
use prometheus::Registry;

/// What there is to serve.
pub struct Site {
    /// The metrics.
    pub registry: Registry,
    /// Called before metrics are gathered.
    pub refresh: Box<dyn Fn() + Send + Sync>,
    /// All counts, as they stand.
    pub summary: Box<dyn Fn() -> Summary + Send + Sync>,
    /// What is captured on; nothing where files are read.
    pub interfaces: Box<dyn Fn() -> Vec<Interface> + Send + Sync>,
    /// What is not ready, one line each; empty when everything is.
    pub unready: Box<dyn Fn() -> Vec<String> + Send + Sync>,
}

/// An interface that is captured on.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Whether it is open, up and read.
    pub is_up: bool,
}

impl Site {
    /// Also calls `more` before metrics are gathered.
    pub fn also_refresh(&mut self, more: impl Fn() + Send + Sync + 'static) {
        let nothing: Box<dyn Fn() + Send + Sync> = Box::new(|| {});
        let before = std::mem::replace(&mut self.refresh, nothing);
        self.refresh = Box::new(move || {
            before();
            more();
        });
    }
}
