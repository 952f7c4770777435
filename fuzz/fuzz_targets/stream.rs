//! Fuzzes `sealwatch_fuzz::stream`.
#![cfg_attr(fuzzing, no_main)]
sealwatch_fuzz::target!(stream);
