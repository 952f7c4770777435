//! What was really said on a connection, and what of it the capture holds.

/// The modes that are asked for and applied; `None` is a message without the header.
pub type Mode = Option<&'static str>;

/// Which segments of its direction a head is in: the first and the last, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub first: u32,
    pub last: u32,
}

/// One exchange as it was.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub id: u64,
    pub host: u64,
    pub method: &'static str,
    pub status: u16,
    pub asked: Mode,
    pub applied: Mode,
    /// Bytes of content that were transferred.
    pub bodies: [u64; 2],
    /// The heads of request and response.
    pub heads: [Place; 2],
}

/// A connection as it was, from its beginning to its end.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    pub exchanges: Vec<Exchange>,
    /// Of each segment with payload, by direction (the client's first) and in the order of the
    /// stream: whether it was captured.
    pub captured: [Vec<bool>; 2],
}

impl Truth {
    /// Whether a head is whole in the capture.
    pub fn is_whole(&self, side: usize, place: Place) -> bool {
        self.captured[side][place.first as usize..=place.last as usize].iter().all(|seen| *seen)
    }

    /// How many segments of that direction before `segment` were captured.
    pub fn captured_before(&self, side: usize, segment: usize) -> usize {
        self.captured[side][..segment].iter().filter(|seen| **seen).count()
    }

    /// The gaps that cost a head: runs of segments that were not captured, with bytes of a head in
    /// one of them. Of each, the segment after it.
    pub fn costly_gaps(&self, side: usize) -> Vec<usize> {
        let captured = &self.captured[side];
        let mut costly: Vec<usize> = Vec::new();
        for exchange in &self.exchanges {
            let Place { first, last } = exchange.heads[side];
            for segment in first as usize..=last as usize {
                if !captured[segment] {
                    let run = captured[segment..].iter().position(|seen| *seen);
                    let after = run.map_or(captured.len(), |run| segment + run);
                    if costly.last() != Some(&after) {
                        costly.push(after);
                    }
                }
            }
        }
        costly
    }
}
