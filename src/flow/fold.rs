//! What is to be known of a connection at rest, in few bytes.
//!
//! Takes numbers, places and texts, one after the other. Gives them again, in the same order.
//! Places of one direction are near each other, so that most take a byte or two.

use crate::net::{Direction, Position};

/// A connection that is being folded up.
#[derive(Debug, Default)]
pub struct Folding {
    bytes: Vec<u8>,
    bases: [Position; 2],
}

impl Folding {
    /// Begins with another one. `bases` are places near the others, by direction.
    pub(super) fn begin(&mut self, bases: [Position; 2]) {
        self.bytes.clear();
        self.bases = bases;
        let origin = Position::default();
        bases.into_iter().for_each(|base| self.number(base.since(origin)));
    }

    /// What was written since.
    pub(super) fn bytes(&self) -> Box<[u8]> {
        self.bytes.as_slice().into()
    }

    /// A number; small ones take less.
    pub fn number(&mut self, mut number: u64) {
        while number > 0x7f {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    /// Up to 64 answers.
    pub fn flags<const N: usize>(&mut self, flags: [bool; N]) {
        self.number(flags.iter().rev().fold(0, |all, flag| all << 1 | u64::from(*flag)));
    }

    /// A place in the stream of `direction`.
    pub fn place(&mut self, direction: Direction, place: Option<Position>) {
        let base = self.bases[direction.index()];
        self.number(match place {
            None => 0,
            Some(place) if place >= base => 1 + 2 * place.since(base),
            Some(place) => 2 * base.since(place),
        });
    }

    /// A text.
    pub fn text(&mut self, text: Option<&str>) {
        self.number(text.map_or(0, |text| 1 + text.len() as u64));
        self.bytes.extend_from_slice(text.unwrap_or_default().as_bytes());
    }
}

/// A connection that is being unfolded.
#[derive(Debug)]
pub struct Unfolding<'b> {
    rest: &'b [u8],
    bases: [Position; 2],
}

impl<'b> Unfolding<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        let mut unfolding = Self { rest: bytes, bases: Default::default() };
        unfolding.bases = [(); 2].map(|()| Position::default().plus(unfolding.number()));
        unfolding
    }

    /// The number that comes next.
    pub fn number(&mut self) -> u64 {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let Some((byte, rest)) = self.rest.split_first() else { break };
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        number
    }

    /// The answers that come next.
    pub fn flags<const N: usize>(&mut self) -> [bool; N] {
        let all = self.number();
        std::array::from_fn(|n| all >> n & 1 == 1)
    }

    /// The place that comes next.
    pub fn place(&mut self, direction: Direction) -> Option<Position> {
        let base = self.bases[direction.index()];
        match self.number() {
            0 => None,
            n if n % 2 == 1 => Some(base.plus(n / 2)),
            n => Some(base.minus(n / 2)),
        }
    }

    /// The text that comes next.
    pub fn text(&mut self) -> Option<&'b str> {
        let length = self.number().checked_sub(1)?;
        let (text, rest) = self.rest.split_at_checked(usize::try_from(length).ok()?)?;
        self.rest = rest;
        std::str::from_utf8(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_folded_comes_out_again(
            bases: [u64; 2],
            numbers in prop::collection::vec(any::<u64>(), 0..5),
            places in prop::collection::vec((any::<bool>(), prop::option::of(-5000..5000_i64)), 0..9),
            flags: [bool; 9],
            text: Option<String>,
        ) {
            let bases = bases.map(|base| Position::default().plus(base >> 1));
            let at = |up: &bool, offset: &Option<i64>| {
                let direction = if *up { Direction::Up } else { Direction::Down };
                let base = bases[direction.index()];
                let place = offset.map(|n| if n < 0 { base.minus(n.unsigned_abs()) } else { base.plus(n as u64) });
                (direction, place)
            };
            let mut folding = Folding::default();
            folding.begin(bases);
            numbers.iter().for_each(|number| folding.number(*number));
            for (up, offset) in &places {
                let (direction, place) = at(up, offset);
                folding.place(direction, place);
            }
            folding.flags(flags);
            folding.text(text.as_deref());
            let bytes = folding.bytes();
            let mut unfolding = Unfolding::new(&bytes);
            for number in numbers {
                prop_assert_eq!(unfolding.number(), number);
            }
            for (up, offset) in &places {
                let (direction, place) = at(up, offset);
                prop_assert_eq!(unfolding.place(direction), place);
            }
            prop_assert_eq!(unfolding.flags(), flags);
            prop_assert_eq!(unfolding.text(), text.as_deref());
            prop_assert!(unfolding.rest.is_empty());
        }
    }
}
