//! SHA-256, as people compare it: in hexadecimal.

use ring::digest::{Digest, SHA256, digest};

/// Of bytes in memory.
pub(crate) fn of(bytes: &[u8]) -> String {
    hexadecimal(&digest(&SHA256, bytes))
}

fn hexadecimal(digest: &Digest) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_the_standard() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of(b"abc"), expected);
    }
}
