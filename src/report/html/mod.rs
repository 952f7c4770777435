//! What pages for people have in common: words, bars, counts of hosts, and `colours.css`.

pub(crate) mod bars;
pub(crate) mod blind;
pub(crate) mod counts;
pub(crate) mod ledger;
pub(crate) mod words;
