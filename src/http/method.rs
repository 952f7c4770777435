//! The methods that a request may begin with where the framing does not say that one begins.
//!
//! What is left of a method whose first bytes were lost is a token as well (`EAD`), and one of these
//! may be what is left of another (`PATCH` of `PROPPATCH`): such is believed only where both ends'
//! numbers prove that its sender began there.

/// The registered methods (IANA, "HTTP Method Registry"; RFC 9110 §16.1.1), but for `PRI` of HTTP/2,
/// and `PURGE`, which caches know. Sorted.
const KNOWN: [&[u8]; 40] = [
    b"ACL",
    b"BASELINE-CONTROL",
    b"BIND",
    b"CHECKIN",
    b"CHECKOUT",
    b"CONNECT",
    b"COPY",
    b"DELETE",
    b"GET",
    b"HEAD",
    b"LABEL",
    b"LINK",
    b"LOCK",
    b"MERGE",
    b"MKACTIVITY",
    b"MKCALENDAR",
    b"MKCOL",
    b"MKREDIRECTREF",
    b"MKWORKSPACE",
    b"MOVE",
    b"OPTIONS",
    b"ORDERPATCH",
    b"PATCH",
    b"POST",
    b"PROPFIND",
    b"PROPPATCH",
    b"PURGE",
    b"PUT",
    b"QUERY",
    b"REBIND",
    b"REPORT",
    b"SEARCH",
    b"TRACE",
    b"UNBIND",
    b"UNCHECKOUT",
    b"UNLINK",
    b"UNLOCK",
    b"UPDATE",
    b"UPDATEREDIRECTREF",
    b"VERSION-CONTROL",
];

/// Which methods are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Methods {
    /// Those that are not what is left of another.
    Whole,
    /// All that are known.
    Known,
}

impl Methods {
    /// Whether bytes begin with one of these and a space, or with a part of that.
    pub(super) fn may_begin(self, bytes: &[u8]) -> bool {
        let is_one = |method: &&[u8]| match bytes.strip_prefix(*method) {
            Some(rest) => rest.first().is_none_or(|next| *next == b' '),
            None => !bytes.is_empty() && method.starts_with(bytes),
        };
        KNOWN.iter().filter(|method| is_one(method)).any(|method| self.believes(method))
    }

    fn believes(self, method: &[u8]) -> bool {
        self == Self::Known || !is_rest_of_another(method)
    }
}

fn is_rest_of_another(method: &[u8]) -> bool {
    KNOWN.iter().any(|other| other.len() > method.len() && other.ends_with(method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_known_method_is_never_believed_without_proof() {
        for method in KNOWN {
            for cut in 1..method.len() {
                let rest = [&method[cut..], b" "].concat();
                assert!(!Methods::Whole.may_begin(&rest), "{}", rest.escape_ascii());
            }
        }
    }

    #[test]
    fn methods_that_are_what_is_left_of_others_are_these() {
        let left: Vec<_> = KNOWN.into_iter().filter(|method| is_rest_of_another(method)).collect();
        let expected: [&[u8]; 5] = [b"BIND", b"CHECKOUT", b"LINK", b"LOCK", b"PATCH"];
        assert_eq!(left, expected);
        assert!(KNOWN.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_known_method_is_one_however_little_of_it_is_there() {
        for method in KNOWN {
            let line = [method, b" /"].concat();
            for cut in 1..=line.len() {
                assert!(Methods::Known.may_begin(&line[..cut]), "{}", line[..cut].escape_ascii());
            }
            assert!(!Methods::Known.may_begin(&[method, b"S "].concat()));
            assert!(!Methods::Known.may_begin(&[method, b"\t"].concat()));
        }
        for other in ["", " ", "get ", "GETT", "EAD ", "/"] {
            assert!(!Methods::Known.may_begin(other.as_bytes()), "{other}");
        }
    }
}
