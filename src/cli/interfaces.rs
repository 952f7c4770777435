//! `sealwatch interfaces`: what can be captured on, and why not.

use super::Exit;
use super::output::print;
use crate::capture::{self, FoundInterface};

/// Lists the interfaces.
pub(super) fn interfaces() -> Exit {
    let found = match capture::interfaces() {
        Ok(found) => found,
        Err(error) => {
            eprintln!("sealwatch: error: {error}");
            return Exit::Failed;
        }
    };
    print(&found.iter().map(line).collect::<String>())
}

fn line(interface: &FoundInterface) -> String {
    let state = match (interface.up, interface.connected) {
        (false, _) => "down",
        (true, Some(false)) => "up, no carrier",
        (true, _) => "up",
    };
    let can = match &interface.obstacle {
        None => "can be captured on".to_owned(),
        Some(obstacle) => format!("cannot be captured on: {}", obstacle.replace('\n', " ")),
    };
    let mut line = format!("{:<16} {state}; {can}\n", interface.name);
    if let Some(description) = &interface.description {
        line += &format!("{:<16} {description}\n", "");
    }
    if !interface.addresses.is_empty() {
        let addresses: Vec<_> = interface.addresses.iter().map(ToString::to_string).collect();
        line += &format!("{:<16} {}\n", "", addresses.join(" "));
    }
    line
}
