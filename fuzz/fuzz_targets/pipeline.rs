//! Fuzzes `sealwatch_fuzz::pipeline`.
#![cfg_attr(fuzzing, no_main)]
sealwatch_fuzz::target!(pipeline);
