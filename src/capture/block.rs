//! Blocks of a capture file, shared by its reader and by those who look at packets in them.

use std::ops::Range;
use std::sync::Arc;

/// Bytes of a file, of which packets are parts. A clone is the same bytes.
#[derive(Clone, Debug)]
pub struct Block(Arc<Vec<u8>>);

impl Block {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(bytes))
    }

    /// All of its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Where in it `part` lies; `None` where those bytes are elsewhere.
    pub fn range_of(&self, part: &[u8]) -> Option<Range<usize>> {
        let start = part.as_ptr().addr().checked_sub(self.0.as_ptr().addr())?;
        let end = start.checked_add(part.len())?;
        (end <= self.0.len()).then_some(start..end)
    }

    /// Whether both are the same bytes, not merely equal ones.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Blocks that were filled before, to be filled again once nobody looks at them: so the few that
/// are needed stay in the processor's cache.
#[derive(Debug, Default)]
pub(super) struct Pool(Vec<Block>);

impl Pool {
    /// At least `size` bytes that nobody else looks at, to be filled.
    pub(super) fn take(&mut self, size: usize) -> Vec<u8> {
        match self.take_free() {
            Some(bytes) if bytes.len() >= size => bytes,
            // What the system gives anew is zero already.
            _ => vec![0; size],
        }
    }

    /// The latest that was given back of those that nobody looks at: it was used last, and the fewer take
    /// turns, the more of them stays in the processor's cache.
    fn take_free(&mut self) -> Option<Vec<u8>> {
        let free = self.0.iter().rposition(|block| Arc::strong_count(&block.0) == 1)?;
        Arc::into_inner(self.0.remove(free).0)
    }

    /// Takes a block back, which others may still look at; not one of more than `size` bytes, as few
    /// files need.
    pub(super) fn give_back(&mut self, block: Block, size: usize) {
        if block.0.len() <= size {
            self.0.push(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(pool: &mut Pool, size: usize) -> Block {
        Block::new(pool.take(size))
    }

    #[test]
    fn a_part_of_a_block_is_found_in_it_and_equal_bytes_elsewhere_are_not() {
        let mut pool = Pool::default();
        let (one, other) = (fill(&mut pool, 8), fill(&mut pool, 8));
        assert_eq!(one.range_of(&one.bytes()[2..5]), Some(2..5));
        assert_eq!(one.range_of(&one.bytes()[8..]), Some(8..8));
        assert_eq!(one.range_of(&other.bytes()[2..5]), None);
        assert!(one.is(&one.clone()) && !one.is(&other));
    }

    #[test]
    fn a_block_is_filled_again_only_when_nobody_looks_at_it() {
        let mut pool = Pool::default();
        let address = |block: &Block| block.bytes().as_ptr();
        let blocks = [8, 8, 8].map(|size| fill(&mut pool, size));
        let [first, second, third] = blocks.each_ref().map(address);
        let seen = blocks.last().cloned();
        blocks.into_iter().for_each(|block| pool.give_back(block, 8));
        // The latest but for the one that is seen, and then that.
        let (again, other) = (fill(&mut pool, 8), fill(&mut pool, 8));
        assert_eq!([&again, &other].map(address), [second, first]);
        drop(seen);
        let last = fill(&mut pool, 8);
        assert_eq!(address(&last), third);
        pool.give_back(again, 7);
        assert_eq!(pool.0.len(), 0, "one that is too large is not kept");
    }
}
