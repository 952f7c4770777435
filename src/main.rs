//! The sealwatch binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    sealwatch::cli::main()
}
