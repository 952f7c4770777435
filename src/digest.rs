//! SHA-256, as people compare it: in hexadecimal.

use ring::digest::{Context, Digest, SHA256, digest};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// How much of a file is read at once.
const PART: usize = 1 << 18;

/// Of bytes in memory.
pub(crate) fn of(bytes: &[u8]) -> String {
    hexadecimal(&digest(&SHA256, bytes))
}

/// Of a file, which is read to its end; and how many bytes that is.
///
/// # Errors
///
/// The system's.
pub(crate) fn of_file(path: &Path) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let (mut context, mut len) = (Context::new(&SHA256), 0);
    let mut part = vec![0; PART];
    loop {
        match file.read(&mut part) {
            Ok(0) => return Ok((hexadecimal(&context.finish()), len)),
            Ok(read) => {
                context.update(&part[..read]);
                len += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn hexadecimal(digest: &Digest) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_the_standard_in_memory_and_in_a_file() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of(b"abc"), expected);
        let file = tempfile::NamedTempFile::new().expect("a file can be made");
        std::fs::write(file.path(), "abc").expect("it can be written");
        assert_eq!(of_file(file.path()).expect("it can be read"), (expected.to_owned(), 3));
    }
}
