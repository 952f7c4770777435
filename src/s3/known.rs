//! What was made of names before, so that it is not made again for each request.
//!
//! Takes a name as it was on the wire, and what to make of it. Gives the same again for the same
//! name, shared. Promises that memory does not grow, whatever names come (each has a set of slots, by
//! a keyed hash, and those that came there last stay), and that nothing is kept that is no name.

use ahash::RandomState;

/// How many sets of slots there are, and how many slots each has.
const SETS: usize = 512;
const SLOTS: usize = 4;

/// The longest name that is kept, in bytes: a host with its port.
const MAX_NAME: usize = 261;

/// Names, and what was made of them.
type Set<T> = [Option<(Box<[u8]>, T)>; SLOTS];

/// What is known of names.
#[derive(Clone, Debug)]
pub(super) struct Known<T> {
    sets: Vec<Set<T>>,
    hasher: RandomState,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        let none = || std::array::from_fn(|_| None);
        Self { sets: (0..SETS).map(|_| none()).collect(), hasher: RandomState::new() }
    }
}

impl<T: Clone> Known<T> {
    fn set_of(&self, name: &[u8]) -> usize {
        self.hasher.hash_one(name) as usize % SETS
    }

    /// What was made of `name`, if that is known.
    pub(super) fn get(&self, name: &[u8]) -> Option<&T> {
        find(&self.sets[self.set_of(name)], name)
    }

    /// What `make` makes of `name`, the same each time; `None` for what is no name.
    pub(super) fn of(&mut self, name: &[u8], make: impl FnOnce() -> Option<T>) -> Option<T> {
        if name.len() > MAX_NAME {
            return make();
        }
        let set = self.set_of(name);
        let set = &mut self.sets[set];
        if let Some(made) = find(set, name) {
            return Some(made.clone());
        }
        let made = make()?;
        set.rotate_right(1);
        set[0] = Some((name.into(), made.clone()));
        Some(made)
    }
}

fn find<'s, T>(set: &'s Set<T>, name: &[u8]) -> Option<&'s T> {
    set.iter().flatten().find(|(known, _)| **known == *name).map(|(_, made)| made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_gives_its_own_and_only_so_many_are_kept() {
        let mut known = Known::default();
        for _ in 0..2 {
            for n in 0..3 * SETS * SLOTS {
                let name = n.to_string();
                assert_eq!(known.of(name.as_bytes(), || Some(n)), Some(n));
            }
        }
        assert_eq!(known.sets.len(), SETS);
        let long = [b'a'; MAX_NAME + 1];
        assert_eq!((known.of(&long, || Some(1)), known.of(&long, || Some(2))), (Some(1), Some(2)));
    }

    #[test]
    fn what_is_known_is_not_made_again_and_what_is_no_name_is_not_kept() {
        let mut known = Known::default();
        assert_eq!(known.of(b"a", || None), None);
        assert!(known.sets.iter().flatten().all(Option::is_none));
        assert_eq!(known.of(b"a", || Some(1)), Some(1));
        assert_eq!(known.of(b"a", || None), Some(1));
        assert_eq!((known.get(b"a"), known.get(b"b")), (Some(&1), None));
    }
}
