//! What was made of names before, so that it is not made again for each request.
//!
//! Takes a name as it was on the wire, and what to make of it. Gives the same again for the same
//! name, shared. Promises that memory does not grow, whatever names come (each has one slot, by a
//! keyed hash, and who comes there last stays), and that nothing is kept that is no name.

use ahash::RandomState;

/// How many names are known at most.
const SLOTS: usize = 1024;

/// The longest name that is kept, in bytes: a host with its port.
const MAX_NAME: usize = 261;

/// What is known of names.
#[derive(Clone, Debug)]
pub(super) struct Known<T> {
    slots: Vec<Option<(Box<[u8]>, T)>>,
    hasher: RandomState,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { slots: (0..SLOTS).map(|_| None).collect(), hasher: RandomState::new() }
    }
}

impl<T: Clone> Known<T> {
    /// What was made of `name`, if that is known.
    pub(super) fn get(&self, name: &[u8]) -> Option<&T> {
        let slot = self.slots[self.hasher.hash_one(name) as usize % SLOTS].as_ref();
        slot.filter(|(known, _)| **known == *name).map(|(_, made)| made)
    }

    /// What `make` makes of `name`, the same each time; `None` for what is no name.
    pub(super) fn of(&mut self, name: &[u8], make: impl FnOnce() -> Option<T>) -> Option<T> {
        if name.len() > MAX_NAME {
            return make();
        }
        let slot = &mut self.slots[self.hasher.hash_one(name) as usize % SLOTS];
        match slot {
            Some((known, made)) if **known == *name => Some(made.clone()),
            _ => {
                let made = make()?;
                *slot = Some((name.into(), made.clone()));
                Some(made)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_gives_its_own_and_only_so_many_are_kept() {
        let mut known = Known::default();
        for _ in 0..2 {
            for n in 0..3 * SLOTS {
                let name = n.to_string();
                assert_eq!(known.of(name.as_bytes(), || Some(n)), Some(n));
            }
        }
        assert_eq!(known.slots.len(), SLOTS);
        let long = [b'a'; MAX_NAME + 1];
        assert_eq!((known.of(&long, || Some(1)), known.of(&long, || Some(2))), (Some(1), Some(2)));
    }

    #[test]
    fn what_is_known_is_not_made_again_and_what_is_no_name_is_not_kept() {
        let mut known = Known::default();
        assert_eq!(known.of(b"a", || None), None);
        assert!(known.slots.iter().all(Option::is_none));
        assert_eq!(known.of(b"a", || Some(1)), Some(1));
        assert_eq!(known.of(b"a", || None), Some(1));
        assert_eq!((known.get(b"a"), known.get(b"b")), (Some(&1), None));
    }
}
