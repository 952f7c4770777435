//! Fuzzes `sealwatch_fuzz::capture_file`.
#![cfg_attr(fuzzing, no_main)]
sealwatch_fuzz::target!(capture_file);
