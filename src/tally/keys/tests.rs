use super::*;
use crate::s3::{Mode, Observation};
use crate::tally::Limits;

fn tally(form: KeyForm, max_keys: usize) -> Tally {
    let keys = Some(KeyLimits { form, max_keys });
    Tally::new(Limits { max_hosts: 3, max_label_bytes: 40, keys, ..Limits::default() })
}

fn subject(time: i64, host: &str, bucket: &str) -> Subject {
    Subject {
        time: Timestamp::from_nanos(time),
        host: host.into(),
        bucket: Some(bucket.into()).filter(|_| !bucket.is_empty()),
        operation: Operation::PUT_OBJECT,
    }
}

fn name(tally: &mut Tally, side: Side, subject: Subject, key_id: &str) {
    tally.observe(&Observation::Keyed { subject, side, key_id: key_id.into() });
}

fn in_context(tally: &mut Tally, host: &str, pairs: &[(&str, Option<&str>)]) {
    let pair = |(name, value): &(&str, Option<&str>)| ((*name).into(), value.map(Into::into));
    let context = Context::Pairs(pairs.iter().map(pair).collect());
    let (subject, side) = (subject(0, host, "b"), Side::Requested);
    tally.observe(&Observation::InContext { subject, side, context: context.into() });
}

/// `host key requested applied`.
fn keys(tally: &Tally) -> Vec<String> {
    let hosts = tally.keys().expect("keys are counted");
    let of = |(host, counts): (&&str, &&HostKeys)| -> Vec<String> {
        let line = |(key, sides): (&Arc<str>, &Sides<Use>)| {
            format!("{host} {key} {} {}", sides.requested.count, sides.applied.count)
        };
        counts.keys.iter().map(line).collect()
    };
    hosts.iter().flat_map(of).collect()
}

/// `time bucket: from to to, count`.
fn changes(tally: &Tally, host: &str) -> Vec<String> {
    let line = |KeyChange { time, bucket, from, to, count }: &KeyChange| {
        format!("{} {bucket}: {from} to {to}, {count}", time.as_nanos())
    };
    tally.keys().expect("keys are counted")[host].latest_changes.iter().map(line).collect()
}

/// `name=value count`.
fn contexts(tally: &Tally, host: &str) -> Vec<String> {
    let line = |((name, value), count): (&Said, &Sides<u64>)| {
        let value = value.as_ref().map(|value| format!("={value}")).unwrap_or_default();
        format!("{name}{value} {}", count.requested)
    };
    tally.keys().expect("keys are counted")[host].contexts.iter().map(line).collect()
}

fn bound(tally: &Tally, name: &str) -> (Option<u64>, u64) {
    let bounds = tally.bounds();
    let bound = bounds.iter().find(|bound| bound.name == name);
    bound.map(|bound| (bound.used, bound.hits)).expect(name)
}

#[test]
fn the_short_label_is_the_last_part_of_an_id() {
    for (id, short) in [
        ("arn:aws:kms:eu-west-1:111122223333:key/1234abcd", "1234abcd"),
        ("arn:aws:kms:eu-west-1:111122223333:alias/backup", "alias/backup"),
        ("arn:aws:kms:eu-west-1:111122223333:alias/team/backup", "alias/team/backup"),
        ("arn:aws:kms:my-minio-key", "my-minio-key"),
        ("alias/backup", "alias/backup"),
        ("transit/keys/one", "one"),
        ("mrk-1234", "mrk-1234"),
        ("1234abcd", "1234abcd"),
        ("key/", "key/"),
        ("arn:aws:kms:", "arn:aws:kms:"),
        ("/", "/"),
    ] {
        assert_eq!(label(id, KeyForm::Short), short);
        assert_eq!(label(id, KeyForm::Full), id);
    }
}

#[test]
fn what_a_terminal_would_obey_is_escaped() {
    for (text, shown) in [
        ("a\"b'c\\d e", "a\"b'c\\d e"),
        ("tab\there", "tab\\there"),
        ("\u{9b}31m\u{1b}[0m", "\\u{9b}31m\\u{1b}[0m"),
        ("\u{202e}right to left", "\\u{202e}right to left"),
        ("b\u{fc}cher \u{fffd}", "b\u{fc}cher \u{fffd}"),
    ] {
        assert_eq!(printable(text), shown);
    }
}

#[test]
fn keys_are_counted_by_host_side_and_label_with_their_times() {
    let mut tally = tally(KeyForm::Short, 10);
    for (time, side, host, key) in [
        (5, Side::Requested, "a", "x:key/1"),
        (3, Side::Requested, "a", "y:key/1"),
        (9, Side::Applied, "a", "key/1"),
        (1, Side::Requested, "b", "key/1"),
    ] {
        name(&mut tally, side, subject(time, host, "b"), key);
    }
    // The label is what is counted under.
    assert_eq!(keys(&tally), ["a 1 2 1", "b 1 1 0"]);
    let sides = tally.keys().expect("keys are counted")["a"].keys["1"];
    let at = Timestamp::from_nanos;
    assert_eq!(sides.requested, Use { count: 2, first: at(3), last: at(5) });
    assert_eq!(sides.applied, Use { count: 1, first: at(9), last: at(9) });
}

#[test]
fn keys_are_not_counted_unless_that_is_wanted() {
    let mut tally = Tally::new(Limits::default());
    name(&mut tally, Side::Applied, subject(0, "a", "b"), "k");
    in_context(&mut tally, "a", &[("n", None)]);
    assert!(tally.keys().is_none() && tally.hosts().is_empty());
    assert!(tally.bounds().iter().all(|bound| !bound.name.starts_with("kms")));
    assert_eq!(tally.overflows().len(), 3);
}

#[test]
fn keys_over_the_limit_count_together_for_their_host_and_are_counted() {
    let mut tally = tally(KeyForm::Full, 2);
    for (host, key) in [("a", "1"), ("b", "1"), ("a", "2"), ("b", "2"), ("a", "3"), ("a", "1")] {
        name(&mut tally, Side::Requested, subject(0, host, "b"), key);
    }
    assert_eq!(keys(&tally), ["a 1 2 0", "a __other__ 2 0", "b 1 1 0", "b __other__ 1 0"]);
    assert_eq!(bound(&tally, "kms_keys"), (Some(2), 3));
    assert!(tally.overflows().contains(&("kms_key", 3)));
}

#[test]
fn longer_labels_than_may_be_count_together() {
    let mut tally = tally(KeyForm::Short, 10);
    let long = "x".repeat(41);
    // What is left of it is short.
    name(&mut tally, Side::Requested, subject(0, "a", "b"), &format!("{long}/short"));
    name(&mut tally, Side::Requested, subject(0, "a", "b"), &long);
    in_context(&mut tally, "a", &[("n", None), (&long, None), ("v", Some(&long))]);
    assert_eq!(keys(&tally), ["a __other__ 1 0", "a short 1 0"]);
    assert_eq!(contexts(&tally, "a"), ["__other__ 2", "n 1"]);
    assert_eq!(bound(&tally, "label_bytes"), (None, 3));
    assert_eq!(bound(&tally, "kms_keys"), (Some(1), 1));
    assert_eq!(bound(&tally, "kms_contexts"), (Some(1), 2));
}

#[test]
fn hosts_over_the_limit_share_their_keys() {
    let mut tally = tally(KeyForm::Full, 10);
    for host in ["a", "b", "c", "d", "e"] {
        name(&mut tally, Side::Applied, subject(0, host, "b"), host);
    }
    assert_eq!(
        keys(&tally),
        ["__other__ d 0 1", "__other__ e 0 1", "a a 0 1", "b b 0 1", "c c 0 1"]
    );
    assert_eq!(tally.overflows()[0], ("host", 2));
}

#[test]
fn a_key_that_is_rotated_and_back_shows_as_two_changes_of_its_bucket() {
    let mut tally = tally(KeyForm::Full, 10);
    for (time, bucket, key) in [
        (1, "b", "old"),
        (2, "other", "another"),
        (3, "b", "new"),
        (4, "b", "new"),
        (5, "other", "another"),
        (6, "b", "old"),
        (7, "", "unknown"),
    ] {
        name(&mut tally, Side::Applied, subject(time, "a", bucket), key);
        // What is asked for changes nothing.
        name(&mut tally, Side::Requested, subject(time, "a", bucket), "wish");
    }
    assert_eq!(changes(&tally, "a"), ["3 b: old to new, 2", "6 b: new to old, 1"]);
    assert_eq!(tally.keys().expect("keys are counted")["a"].changes, 2);
}

#[test]
fn reading_an_object_that_is_kept_under_an_old_key_is_no_change() {
    let mut tally = tally(KeyForm::Full, 10);
    let old = Operation::GET_OBJECT;
    for (operation, key) in [
        (Operation::PUT_OBJECT, "new"),
        (old, "old"),
        (Operation::UPLOAD_PART, "old"),
        (Operation::UNKNOWN, "old"),
        (Operation::COPY_OBJECT, "new"),
        (Operation::POST_OBJECT, "newer"),
    ] {
        let subject = Subject { operation, ..subject(1, "a", "b") };
        name(&mut tally, Side::Applied, subject, key);
    }
    assert_eq!(changes(&tally, "a"), ["1 b: new to newer, 1"]);
    assert_eq!(keys(&tally), ["a new 0 2", "a newer 0 1", "a old 0 3"]);
}

#[test]
fn the_latest_changes_are_kept_and_all_are_counted() {
    let mut tally = tally(KeyForm::Full, 200);
    for time in 0..=100 {
        name(&mut tally, Side::Applied, subject(time, "a", "b"), &format!("k{time}"));
        name(&mut tally, Side::Applied, subject(time, "a", "b"), &format!("k{time}"));
    }
    let changes = changes(&tally, "a");
    assert_eq!(changes.len(), MAX_CHANGES);
    assert_eq!(changes[0], "69 b: k68 to k69, 2");
    assert_eq!(changes[MAX_CHANGES - 1], "100 b: k99 to k100, 2");
    assert_eq!(tally.keys().expect("keys are counted")["a"].changes, 100);
}

#[test]
fn a_change_that_is_kept_no_more_counts_no_more_answers() {
    let mut tally = tally(KeyForm::Full, 200);
    for key in ["1", "2"] {
        name(&mut tally, Side::Applied, subject(0, "a", "quiet"), key);
    }
    for time in 0..=32 {
        name(&mut tally, Side::Applied, subject(time, "a", "loud"), &time.to_string());
    }
    name(&mut tally, Side::Applied, subject(0, "a", "quiet"), "2");
    let changes = changes(&tally, "a");
    assert!(changes.iter().all(|change| change.ends_with(", 1")), "{changes:?}");
    assert!(changes[0].starts_with("1 loud: 0 to 1"), "{changes:?}");
}

#[test]
fn so_many_buckets_are_followed_and_that_there_are_more_is_counted() {
    let mut tally = tally(KeyForm::Full, 2);
    let long = "b".repeat(41);
    for key in ["1", "2"] {
        for bucket in ["x", &long, "y", "z"] {
            name(&mut tally, Side::Applied, subject(0, "a", bucket), key);
        }
    }
    assert_eq!(changes(&tally, "a"), ["0 x: 1 to 2, 1", "0 y: 1 to 2, 1"]);
    assert_eq!(bound(&tally, "kms_buckets"), (Some(2), 4));
}

#[test]
fn what_begins_anew_is_no_change_from_what_was() {
    let mut tally = tally(KeyForm::Full, 2);
    for _ in 0..3 {
        tally.begin();
        for key in ["1", "2"] {
            name(&mut tally, Side::Applied, subject(0, "a", "b"), key);
        }
    }
    assert_eq!(changes(&tally, "a"), ["0 b: 1 to 2, 1"; 3]);
    assert_eq!(bound(&tally, "kms_buckets"), (Some(1), 0));
}

#[test]
fn contexts_are_counted_by_name_and_by_value_where_there_is_one() {
    let mut tally = tally(KeyForm::Full, 3);
    in_context(&mut tally, "a", &[("n", None), ("v", Some("1"))]);
    in_context(&mut tally, "a", &[("n", None), ("v", Some("2\u{1b}"))]);
    in_context(&mut tally, "a", &[("late", None), ("later", None)]);
    assert_eq!(contexts(&tally, "a"), ["__other__ 2", "n 2", "v=1 1", "v=2\\u{1b} 1"]);
    assert_eq!(bound(&tally, "kms_contexts"), (Some(3), 2));
    assert!(tally.overflows().contains(&("kms_context", 2)));
    let (subject, side) = (subject(0, "b", "b"), Side::Applied);
    tally.observe(&Observation::InContext { subject, side, context: Context::Malformed.into() });
    let malformed = tally.keys().expect("keys are counted")["b"].malformed_contexts;
    assert_eq!(malformed, Sides { requested: 0, applied: 1 });
}

#[test]
fn a_host_of_which_only_a_key_is_known_is_a_host() {
    let mut tally = tally(KeyForm::Full, 3);
    name(&mut tally, Side::Applied, subject(0, "a", "b"), "k");
    assert!(tally.hosts().contains_key("a"));
    let mode = Mode::Kms;
    tally.observe(&Observation::Applied { subject: subject(0, "b", "b"), mode });
    assert_eq!(tally.keys().map(|keys| keys.len()), Some(1));
}
