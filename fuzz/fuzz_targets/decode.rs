//! Fuzzes `sealwatch_fuzz::decode`.
#![cfg_attr(fuzzing, no_main)]
sealwatch_fuzz::target!(decode);
