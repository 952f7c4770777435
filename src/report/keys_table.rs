//! The table's part on KMS keys.

use super::keys::{KmsContextName, KmsContexts, KmsKey, KmsKeyChanges, KmsKeys, RequestedApplied};
use super::table::{COUNT, LABEL, MODE, WIDTH, counted, seconds, wrapped};
use std::fmt::{self, Write};

/// How many keys, and how many names in contexts, are shown.
const SHOWN: usize = 20;
/// How many changes are shown, the latest.
const CHANGES: usize = 10;
/// How wide the column of names is.
const NAME: usize = LABEL + MODE;

/// A host's keys.
pub(super) fn write(out: &mut String, keys: &KmsKeys) -> fmt::Result {
    self::keys(out, &keys.keys_by_use())?;
    changes(out, &keys.changes)?;
    contexts(out, &keys.contexts)
}

fn keys(out: &mut String, keys: &[&KmsKey]) -> fmt::Result {
    if keys.is_empty() {
        return Ok(());
    }
    row(out, "KMS key", "asked", "applied")?;
    for key in keys.iter().take(SHOWN) {
        let [asked, applied] =
            [&key.requested, &key.applied].map(|used| used.as_ref().map_or(0, |used| used.count));
        row(out, &key.key_id, &cell(asked), &cell(applied))?;
        if let Some((first, last)) = key.seen() {
            writeln!(out, "      {} to {}", seconds(first), seconds(last))?;
        }
    }
    more(out, keys.len())
}

fn changes(out: &mut String, changes: &KmsKeyChanges) -> fmt::Result {
    if changes.count == 0 {
        return Ok(());
    }
    let what = counted(changes.count, "change");
    writeln!(out, "    {what} of the key that a bucket's new objects get")?;
    let shown = changes.latest.len().min(CHANGES);
    if changes.count > shown as u64 {
        writeln!(out, "    the latest:")?;
    }
    for change in &changes.latest[changes.latest.len() - shown..] {
        let time = seconds(&change.time);
        let bucket = if change.bucket.is_empty() { "(bucket not known)" } else { &change.bucket };
        let answers = counted(change.count, "answer");
        let (from, to) = (&change.from, &change.to);
        let line = format!("      {time} {bucket}: {from} to {to}, {answers}");
        if line.chars().count() <= WIDTH {
            writeln!(out, "{line}")?;
            continue;
        }
        for line in [
            format!("      {time} {bucket}, {answers}:"),
            format!("        from {from}"),
            format!("        to   {to}"),
        ] {
            writeln!(out, "{}", wrapped(&line))?;
        }
    }
    Ok(())
}

fn contexts(out: &mut String, contexts: &KmsContexts) -> fmt::Result {
    let mut names: Vec<_> = contexts.names.iter().collect();
    let RequestedApplied { requested, applied } = contexts.malformed;
    if names.is_empty() && requested + applied == 0 {
        return Ok(());
    }
    row(out, "encryption context", "asked", "applied")?;
    names.sort_by_key(|name| std::cmp::Reverse(name.count.requested + name.count.applied));
    for KmsContextName { name, value, count } in names.iter().take(SHOWN) {
        let said = match value {
            Some(value) => format!("{name} = {value}"),
            None => name.clone(),
        };
        row(out, &said, &cell(count.requested), &cell(count.applied))?;
    }
    more(out, names.len())?;
    if requested + applied > 0 {
        row(out, "(malformed)", &cell(requested), &cell(applied))?;
    }
    Ok(())
}

/// A name, of any length, and its counts.
fn row(out: &mut String, name: &str, left: &str, right: &str) -> fmt::Result {
    let counts = format!("{left:>COUNT$}{right:>COUNT$}");
    if name.chars().count() < NAME {
        return writeln!(out, "    {name:<NAME$}{counts}");
    }
    writeln!(out, "{}", wrapped(&format!("    {name}")))?;
    writeln!(out, "    {:<NAME$}{counts}", "")
}

fn cell(n: u64) -> String {
    if n == 0 { "-".to_owned() } else { n.to_string() }
}

fn more(out: &mut String, all: usize) -> fmt::Result {
    match all.saturating_sub(SHOWN) {
        0 => Ok(()),
        more => writeln!(out, "    and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use crate::net::Timestamp;
    use crate::report::{Summary, table};
    use crate::s3::{Context, Observation, Operation, Side, Subject};
    use crate::tally::{KeyForm, KeyLimits, Limits, Tally};

    fn tally(max_keys: usize) -> Tally {
        let keys = Some(KeyLimits { form: KeyForm::Full, max_keys });
        Tally::new(Limits { keys, max_label_bytes: 4096, ..Limits::default() })
    }

    fn subject(seconds: i64) -> Subject {
        Subject {
            time: Timestamp::from_parts(seconds, 0),
            host: "store.test".into(),
            bucket: Some("photos".into()),
            operation: Operation::PUT_OBJECT,
        }
    }

    fn applied(tally: &mut Tally, seconds: i64, key_id: &str) {
        let side = Side::Applied;
        tally.observe(&Observation::Keyed {
            subject: subject(seconds),
            side,
            key_id: key_id.into(),
        });
    }

    fn shown(tally: &Tally) -> String {
        table(&Summary::new(tally, Vec::new()), false)
    }

    #[test]
    fn keys_are_shown_with_when_and_what_changed() {
        let mut tally = tally(10);
        for (time, key) in [(0, "old"), (60, "new"), (61, "new"), (120, "old")] {
            applied(&mut tally, time, key);
        }
        let pairs = vec![("team".into(), Some("red".into())), ("app".into(), None)];
        for context in [Context::Pairs(pairs), Context::Malformed] {
            let (subject, side) = (subject(0), Side::Requested);
            tally.observe(&Observation::InContext { subject, side, context: context.into() });
        }
        let text = shown(&tally);
        let expected = "\
store.test
    KMS key                                          asked       applied
    new                                                  -             2
      1970-01-01T00:01:00Z to 1970-01-01T00:01:01Z
    old                                                  -             2
      1970-01-01T00:00:00Z to 1970-01-01T00:02:00Z
    2 changes of the key that a bucket's new objects get
      1970-01-01T00:01:00Z photos: old to new, 2 answers
      1970-01-01T00:02:00Z photos: new to old, 1 answer
    encryption context                               asked       applied
    app                                                  1             -
    team = red                                           1             -
    (malformed)                                          1             -
";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn every_line_fits_and_the_rest_is_counted() {
        let mut tally = tally(100);
        for n in 0..60 {
            applied(&mut tally, n, &format!("key-{n}-{}", "x".repeat(10 * n as usize)));
        }
        let text = shown(&tally);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("    and 40 more\n"), "{text}");
        assert!(text.contains("    59 changes of the key") && text.contains("    the latest:\n"));
        assert_eq!(text.matches("photos, 1 answer:\n        from key-").count(), 10);
    }
}
