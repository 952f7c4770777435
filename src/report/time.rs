//! Times as people and programs read them.

use crate::net::Timestamp;

/// RFC 3339 in UTC, with microseconds, the rest cut off: `2026-11-24T03:47:23.000001Z`.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    // An i64 of nanoseconds reaches from 1677 to 2262, well within.
    let time = jiff::Timestamp::from_nanosecond(i128::from(time.as_nanos())).unwrap_or_default();
    format!("{time:.6}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_microseconds_and_never_round_up() {
        let shown = |nanos| rfc3339(Timestamp::from_nanos(nanos));
        assert_eq!(shown(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(shown(1_700_000_000_123_456_999), "2023-11-14T22:13:20.123456Z");
        assert_eq!(shown(i64::MAX), "2262-04-11T23:47:16.854775Z");
        assert_eq!(shown(i64::MIN), "1677-09-21T00:12:43.145224Z");
    }
}
