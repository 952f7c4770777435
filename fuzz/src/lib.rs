//! Fuzz targets of sealwatch: one for each room that reads what others wrote, and one for all of
//! them together.
//!
//! A target is a function that takes any bytes, gives them to its room, and panics where the room
//! breaks a promise. It makes of the bytes what its module says ([`tape::Tape`] reads scripts), and
//! does the same for the same bytes every time, but for the keys of hash tables.
//!
//! `cargo fuzz` runs them under libFuzzer; without it, `cargo test` replays what is in `corpus/`
//! and `regressions/`, and `cargo run --bin TARGET FILE...` replays files.

pub mod capture_file;
pub mod decode;
pub mod http;
pub mod pipeline;
pub mod replay;
pub mod s3;
pub mod stream;
mod support;
pub mod tape;

#[cfg(fuzzing)]
pub use libfuzzer_sys;

/// A target's body.
pub type Body = fn(&[u8]);

/// Every target, by its name.
pub const TARGETS: [(&str, Body); 6] = [
    ("capture_file", capture_file::run),
    ("decode", decode::run),
    ("stream", stream::run),
    ("http", http::run),
    ("s3", s3::run),
    ("pipeline", pipeline::run),
];

/// The `main` of a target: libFuzzer's under `cargo fuzz`, else one that replays files.
#[macro_export]
macro_rules! target {
    ($name:ident) => {
        #[cfg(fuzzing)]
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::$name::run(data));

        #[cfg(not(fuzzing))]
        fn main() {
            $crate::replay::arguments($crate::$name::run);
        }
    };
}
