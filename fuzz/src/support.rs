//! What the package's own tests make traffic with, and hold what was heard against.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "it is the tests'; each uses a part")]

#[path = "../../tests/support/conversation.rs"]
pub mod conversation;
#[path = "../../tests/support/listener.rs"]
pub mod listener;
#[path = "../../tests/support/oracle.rs"]
pub mod oracle;
#[path = "../../tests/support/pcap.rs"]
pub mod pcap;
#[path = "../../tests/support/random.rs"]
pub mod random;
