//! What the tests share.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]

pub mod behaviour;
pub mod binary;
pub mod conversation;
pub mod counts;
pub mod frames;
pub mod listener;
pub mod mirror;
pub mod oracle;
pub mod payload;
pub mod pcap;
pub mod prometheus;
#[allow(clippy::duplicate_mod, reason = "a test that makes traffic has it there, too")]
pub mod random;
pub mod s3;
pub mod script;
pub mod served;
pub mod stage;
pub mod steps;
pub mod traffic;
pub mod wire;
