//! Finding where a run of bytes of one kind ends.
//!
//! Takes bytes and a place among them. Gives the place of the first byte from there on that is not of the
//! kind, or of their end. Promises the same on each processor; on x86-64 it looks at sixteen at a time.

/// The text of a field: no control characters, not even tabs (RFC 9110 §5.5 has those).
pub(super) struct Text;

/// A request target, as `httparse` has it: what is neither a control character nor a space.
pub(super) struct Target;

/// A name of letters, digits, `-` and `_`, as most are (RFC 9110 §5.6.2 has more).
pub(super) struct Name;

/// A kind of bytes.
pub(super) trait Kind {
    /// Whether a byte is of it.
    fn has(byte: u8) -> bool;

    /// A bit for each byte of a block that is not, the first one's lowest.
    #[cfg(target_arch = "x86_64")]
    fn others(block: &sse2::Block) -> u16;
}

/// Where bytes are no longer of kind `K`, from `from` on.
#[inline(always)]
pub(super) fn run<K: Kind>(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    #[cfg(target_arch = "x86_64")]
    if let Some(last) = bytes.len().checked_sub(sse2::BLOCK) {
        while at <= last
            && let Some(block) = bytes[at..].first_chunk()
        {
            let others = K::others(block);
            if others != 0 {
                return at + others.trailing_zeros() as usize;
            }
            at += sse2::BLOCK;
        }
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !K::has(*byte)).unwrap_or(rest.len())
}

impl Kind for Text {
    #[inline(always)]
    fn has(byte: u8) -> bool {
        !byte.is_ascii_control()
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn others(block: &sse2::Block) -> u16 {
        sse2::controls_and_up_to(block, 0x1f)
    }
}

impl Kind for Target {
    #[inline(always)]
    fn has(byte: u8) -> bool {
        byte != b' ' && !byte.is_ascii_control()
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn others(block: &sse2::Block) -> u16 {
        sse2::controls_and_up_to(block, b' ')
    }
}

impl Kind for Name {
    #[inline(always)]
    fn has(byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn others(block: &sse2::Block) -> u16 {
        !sse2::names(block)
    }
}

/// Sixteen bytes at once. `unsafe` is nothing but the call of functions that may use SSE2, which is part of
/// x86-64 itself: no such processor is without it, and no such target of Rust's builds without it. They read
/// no memory but the block that they are given. With eight bytes in a number instead, all of a head takes
/// six tenths more instructions, which is more than `httparse` takes: `benches/README.md`.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "see above")]
mod sse2 {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x,
        _mm_set1_epi8, _mm_sub_epi8,
    };

    pub(super) const BLOCK: usize = 16;
    pub(super) type Block = [u8; BLOCK];

    /// A bit for each byte up to `last`, the last control character or one behind it, and for DEL.
    #[inline(always)]
    pub(super) fn controls_and_up_to(block: &Block, last: u8) -> u16 {
        // SAFETY: x86-64 has SSE2.
        unsafe { up_to_and_del(block, last) }
    }

    /// A bit for each letter, digit, `-` and `_`.
    #[inline(always)]
    pub(super) fn names(block: &Block) -> u16 {
        // SAFETY: x86-64 has SSE2.
        unsafe { name_bytes(block) }
    }

    #[target_feature(enable = "sse2")]
    #[inline]
    fn up_to_and_del(block: &Block, last: u8) -> u16 {
        let bytes = load(block);
        mask(_mm_or_si128(within(bytes, 0, last), _mm_cmpeq_epi8(bytes, each(0x7f))))
    }

    #[target_feature(enable = "sse2")]
    #[inline]
    fn name_bytes(block: &Block) -> u16 {
        let bytes = load(block);
        let letters = within(_mm_or_si128(bytes, each(0x20)), b'a', b'z');
        let digits = within(bytes, b'0', b'9');
        let dashes = _mm_cmpeq_epi8(bytes, each(b'-'));
        let underscores = _mm_cmpeq_epi8(bytes, each(b'_'));
        mask(_mm_or_si128(_mm_or_si128(letters, digits), _mm_or_si128(dashes, underscores)))
    }

    /// All ones where a byte is from `first` to `last`.
    #[target_feature(enable = "sse2")]
    #[inline]
    fn within(bytes: __m128i, first: u8, last: u8) -> __m128i {
        let from_first = _mm_sub_epi8(bytes, each(first));
        _mm_cmpeq_epi8(_mm_min_epu8(from_first, each(last - first)), from_first)
    }

    #[target_feature(enable = "sse2")]
    #[inline]
    fn each(byte: u8) -> __m128i {
        _mm_set1_epi8(byte.cast_signed())
    }

    #[target_feature(enable = "sse2")]
    #[inline]
    fn load(block: &Block) -> __m128i {
        let bytes = u128::from_le_bytes(*block);
        _mm_set_epi64x((bytes >> 64) as i64, bytes as i64)
    }

    #[target_feature(enable = "sse2")]
    #[inline]
    fn mask(bytes: __m128i) -> u16 {
        _mm_movemask_epi8(bytes) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends_as_its_bytes_say<K: Kind>(bytes: &[u8], from: usize) {
        let rest = &bytes[from..];
        let length = rest.iter().take_while(|byte| K::has(**byte)).count();
        assert_eq!(run::<K>(bytes, from), from + length, "{}", rest.escape_ascii());
    }

    #[test]
    fn each_byte_ends_a_run_wherever_it_stands_or_does_not() {
        for byte in 0..=u8::MAX {
            for at in 0..40 {
                let mut bytes = [b'a'; 40];
                bytes[at] = byte;
                for from in [0, 1, 17, 39, 40] {
                    ends_as_its_bytes_say::<Text>(&bytes, from);
                    ends_as_its_bytes_say::<Target>(&bytes, from);
                    ends_as_its_bytes_say::<Name>(&bytes, from);
                }
            }
        }
    }
}
