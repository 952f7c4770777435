//! `make bench`.
#[path = "../traffic/mod.rs"]
mod traffic;

use std::path::Path;
use traffic::speed::{Kind, write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let kind = Kind::named(&arguments[0]).ok_or("no such kind")?;
    let capture = write(kind, arguments[1].parse()?, Path::new(&arguments[2]))?;
    println!(
        "{} packets, {} bytes, {} exchanges",
        capture.packets, capture.bytes, capture.expected.exchanges
    );
    std::fs::write(
        Path::new(&arguments[2]).with_extension("json"),
        serde_json::to_vec_pretty(&capture)?,
    )?;
    Ok(())
}
