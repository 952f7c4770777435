//! flow: from segments to byte streams.
//!
//! Takes [`Segment`](crate::decode::Segment)s of any connection in any order. Gives each
//! connection's bytes in order, as data or as gaps of known length, and the end of each
//! direction. Promises causal order (a segment is given only after the bytes that its sender
//! had acknowledged), bounded memory, and that every payload byte it takes is either given on,
//! counted as a duplicate, or held and counted as held. A connection that has been silent for a
//! while is folded up, so that it takes little room. Knows nothing of HTTP.
//!
//! Besides, it tells which datagrams are QUIC connections ([`QuicTable`]), and counts them.

mod chunk;
mod counts;
mod embryo;
#[expect(clippy::module_inception, reason = "a flow is what this room is about")]
mod flow;
mod fold;
mod key;
mod limits;
mod list;
mod looks;
mod quic;
mod roster;
mod state;
mod stream;
mod table;

pub use chunk::{Chunk, Consumer, Content, Demand, Standing, Turn};

pub use counts::Counts;
pub use fold::{Folding, Unfolding};
pub use limits::Limits;
pub use quic::{QuicCounts, QuicTable};
pub use table::FlowTable;

#[cfg(test)]
mod tests;
