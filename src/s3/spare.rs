//! Room that is used again.
//!
//! Takes boxes that nobody needs any more. Gives them to what is boxed next, so that in the long run
//! nothing is allocated for each message. Promises to keep few, and with each what was in it until then.

/// How many boxes are kept at most: so many exchanges may end in a row before others begin.
const BOXES: usize = 32;

/// Boxes that are not needed.
#[derive(Debug)]
pub(super) struct Spare<T>(Vec<Box<T>>);

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Spare<T> {
    /// Boxes a value.
    #[inline]
    pub(super) fn boxed(&mut self, value: T) -> Box<T> {
        match self.0.pop() {
            Some(mut spare) => {
                *spare = value;
                spare
            }
            None => Box::new(value),
        }
    }

    /// Takes a box that is not needed.
    #[inline]
    pub(super) fn keep(&mut self, spare: Option<Box<T>>) {
        if self.0.len() < BOXES {
            self.0.extend(spare);
        }
    }
}
