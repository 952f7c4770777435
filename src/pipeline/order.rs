//! The order in which observations are counted and told, whoever made them.

use super::sums::Observed;
use super::worker::AFTER_ALL;
use crate::s3::Observation;
use std::cmp::Ordering;

/// Puts observations, in the order of workers, into that of packets. A packet belongs to one worker,
/// so that its observations stay in their order. Those after all packets follow worker by worker,
/// but for keys, in which order matters: these come last, by their time and then by all they say.
pub(super) fn by_packet(observations: &mut [Observed]) {
    observations.sort_by(|one, other| {
        let among_late = || late(&one.what).cmp(&late(&other.what));
        let (a, b) = (one.packet, other.packet);
        a.cmp(&b).then_with(|| if a == AFTER_ALL { among_late() } else { Ordering::Equal })
    });
}

/// What decides among observations after all packets: nothing, or everything.
fn late(observation: &Observation) -> Option<impl Ord> {
    match observation {
        Observation::Keyed { subject, side, key_id } => {
            let at = (subject.time, &subject.host, &subject.bucket, subject.operation);
            Some((at, *side, Some(key_id), None))
        }
        Observation::InContext { subject, side, context } => {
            let at = (subject.time, &subject.host, &subject.bucket, subject.operation);
            Some((at, *side, None, Some(context)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Timestamp;
    use crate::s3::{Mode, Operation, Side, Subject};

    fn subject(nanos: i64, host: &str) -> Subject {
        let time = Timestamp::from_nanos(nanos);
        Subject { time, host: host.into(), bucket: None, operation: Operation::PUT_OBJECT }
    }

    fn keyed(nanos: i64, key_id: &str) -> Observation {
        let subject = subject(nanos, "h");
        Observation::Keyed { subject, side: Side::Applied, key_id: key_id.into() }
    }

    fn applied(host: &str) -> Observation {
        Observation::Applied { subject: subject(9, host), mode: Mode::Kms }
    }

    fn in_packet(packet: u64, what: Observation) -> Observed {
        Observed { packet, times: 1, what }
    }

    fn shown(observations: &[Observed]) -> Vec<String> {
        let show = |observation: &Observation| match observation {
            Observation::Keyed { subject, key_id, .. } => {
                format!("{key_id} {}", subject.time.as_nanos())
            }
            Observation::Applied { subject, .. } => subject.host.to_string(),
            other => panic!("{other:?}"),
        };
        observations.iter().map(|observed| show(&observed.what)).collect()
    }

    #[test]
    fn keys_that_are_told_after_all_packets_are_told_in_one_order_whoever_tells_them() {
        let late =
            [keyed(2, "b"), keyed(2, "a"), keyed(1, "c")].map(|one| in_packet(AFTER_ALL, one));
        let packets = [(1, keyed(5, "z")), (1, keyed(4, "y")), (0, applied("first"))]
            .map(|(packet, one)| in_packet(packet, one));
        let expected = ["first", "z 5", "y 4", "c 1", "a 2", "b 2"];
        for turn in 0..3 {
            let mut late = late.to_vec();
            late.rotate_left(turn);
            let mut all = [&late[..], &packets].concat();
            by_packet(&mut all);
            assert_eq!(shown(&all), expected);
        }
    }

    #[test]
    fn everything_else_after_all_packets_stays_as_it_is() {
        let mut all =
            [applied("b"), keyed(1, "k"), applied("a")].map(|one| in_packet(AFTER_ALL, one));
        by_packet(&mut all);
        assert_eq!(shown(&all), ["b", "a", "k 1"]);
    }
}
