//! Doubly linked lists through the slots of a slab: what is in them is moved and taken out in
//! constant time, and costs eight bytes a list.

use slab::Slab;

/// A slot's place in a slab.
pub(super) type Id = u32;

/// No slot.
const NONE: Id = Id::MAX;

/// A slot's neighbours in a list. Meaningless while it is in none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Links {
    before: Id,
    after: Id,
}

impl Links {
    pub(super) const LOOSE: Self = Self { before: NONE, after: NONE };
}

/// What has a place in lists of kind `K`: in one of each kind at most.
pub(super) trait Linked<K> {
    fn links(&mut self, kind: K) -> &mut Links;
}

/// A list. The slots in it are those that were put into it and not taken out: who uses it sees to
/// that.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    first: Id,
    last: Id,
    len: u32,
}

impl List {
    pub(super) const EMPTY: Self = Self { first: NONE, last: NONE, len: 0 };

    pub(super) const fn len(&self) -> usize {
        self.len as usize
    }

    pub(super) const fn first(&self) -> Option<Id> {
        if self.len == 0 { None } else { Some(self.first) }
    }

    /// Puts a slot that is in no list of `kind` at the end of this one.
    pub(super) fn push<K: Copy, S: Linked<K>>(&mut self, slots: &mut Slab<S>, kind: K, id: Id) {
        *slots[id as usize].links(kind) = Links { before: self.last, after: NONE };
        match slots.get_mut(self.last as usize) {
            Some(last) if self.len > 0 => last.links(kind).after = id,
            _ => self.first = id,
        }
        self.last = id;
        self.len += 1;
    }

    /// Takes a slot out that is in this list.
    pub(super) fn remove<K: Copy, S: Linked<K>>(&mut self, slots: &mut Slab<S>, kind: K, id: Id) {
        let links = slots[id as usize].links(kind);
        let Links { before, after } = std::mem::replace(links, Links::LOOSE);
        if before == NONE {
            self.first = after;
        } else {
            slots[before as usize].links(kind).after = after;
        }
        if after == NONE {
            self.last = before;
        } else {
            slots[after as usize].links(kind).before = before;
        }
        self.len -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    impl Linked<()> for Links {
        fn links(&mut self, (): ()) -> &mut Links {
            self
        }
    }

    fn contents(list: &List, slots: &Slab<Links>) -> Vec<Id> {
        let step = |id: &Id| Some(slots[*id as usize].after).filter(|next| *next != NONE);
        std::iter::successors(list.first(), step).collect()
    }

    proptest! {
        #[test]
        fn a_list_is_a_queue_from_which_anything_can_be_taken(steps in prop::collection::vec((any::<bool>(), 0..50usize), 0..200)) {
            let (mut list, mut slots, mut queue) = (List::EMPTY, Slab::new(), VecDeque::new());
            for (push, which) in steps {
                if push || queue.is_empty() {
                    let id = slots.insert(Links::LOOSE) as Id;
                    list.push(&mut slots, (), id);
                    queue.push_back(id);
                } else {
                    let id = queue.remove(which % queue.len()).unwrap();
                    list.remove(&mut slots, (), id);
                    slots.remove(id as usize);
                }
                prop_assert_eq!(list.first(), queue.front().copied());
                prop_assert_eq!(list.len(), queue.len());
                prop_assert_eq!(contents(&list, &slots), queue.iter().copied().collect::<Vec<_>>());
            }
        }
    }
}
