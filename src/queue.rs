//! Queues that attackers fill and that give their room back.

use std::collections::VecDeque;

/// Gives back room of a queue that something was taken out of: leaves it for `spare`, and for four
/// times as many as are in it, so that each is moved but a few times.
pub(crate) fn give_back<T>(queue: &mut VecDeque<T>, spare: usize) {
    if queue.capacity() > spare.max(4 * queue.len()) {
        queue.shrink_to(2 * queue.len());
    }
}
