//! Fuzzes `sealwatch_fuzz::s3`.
#![cfg_attr(fuzzing, no_main)]
sealwatch_fuzz::target!(s3);
