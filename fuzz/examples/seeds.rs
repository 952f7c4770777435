//! Writes the seeds: `cargo run --manifest-path fuzz/Cargo.toml --example seeds`, to
//! `corpus/TARGET/seed-…`. Each shows its target something that chance finds late.

mod seeds {
    pub(crate) mod captures;
    pub(crate) mod heads;
    pub(crate) mod packets;
    pub(crate) mod scripts;
    pub(crate) mod talks;
}

use std::fs;
use std::path::Path;

/// A seed: its target, its name, its bytes.
pub(crate) type Seed = (&'static str, String, Vec<u8>);

fn main() -> std::io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let all = [
        seeds::captures::all(),
        seeds::packets::all(),
        seeds::scripts::all(),
        seeds::heads::all(),
        seeds::talks::all(),
    ];
    for (target, name, bytes) in all.concat() {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("seed-{name}")), bytes)?;
    }
    Ok(())
}
