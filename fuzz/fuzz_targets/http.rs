//! Fuzzes `sealwatch_fuzz::http`.
#![cfg_attr(fuzzing, no_main)]
sealwatch_fuzz::target!(http);
