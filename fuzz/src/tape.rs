//! Scripts in bytes: what the fuzzer changes, and what seeds are written in.
//!
//! A [`Tape`] reads numbers of fixed widths, front to back, so that a change to one of them leaves
//! the others what they are; a [`Pen`] writes what a tape reads.

/// Reads a script. Where it has ended, every number is 0.
#[derive(Clone, Debug)]
pub struct Tape<'a> {
    rest: &'a [u8],
}

impl<'a> Tape<'a> {
    /// A script from its beginning.
    pub fn new(script: &'a [u8]) -> Self {
        Self { rest: script }
    }

    /// Whether there is nothing left.
    pub fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    /// One byte.
    pub fn u8(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    /// One bit, from a byte.
    pub fn flag(&mut self) -> bool {
        self.u8() & 1 == 1
    }

    /// Two bytes, the low one first.
    pub fn u16(&mut self) -> u16 {
        u16::from(self.u8()) | u16::from(self.u8()) << 8
    }

    /// Four bytes, the low ones first.
    pub fn u32(&mut self) -> u32 {
        u32::from(self.u16()) | u32::from(self.u16()) << 16
    }

    /// From 0 to `n - 1`, from a byte where that is enough, else from two. `n` is 1 to 65,536.
    pub fn below(&mut self, n: usize) -> usize {
        if n <= 256 { usize::from(self.u8()) % n } else { usize::from(self.u16()) % n }
    }

    /// One of several, from a byte.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// The next `n` bytes, or all there are.
    pub fn bytes(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(n.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }
}

/// Writes a script.
#[derive(Clone, Debug, Default)]
pub struct Pen(pub Vec<u8>);

impl Pen {
    /// Bytes as they are, read by [`Tape::bytes`] or one by one.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// A number that [`Tape::u16`] reads.
    #[must_use]
    pub fn u16(self, number: u16) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    /// A number that [`Tape::u32`] reads.
    #[must_use]
    pub fn u32(self, number: u32) -> Self {
        self.bytes(&number.to_le_bytes())
    }
}
