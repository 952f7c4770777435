use super::*;
use crate::http::TlsCounts;
use crate::report::ScopeFile;
use crate::report::html::tests::{Counted, HOSTILE, POLICY, record};
use std::collections::BTreeMap;

/// Each table's rows, without the names of columns.
fn tables(counted: &Counted) -> BTreeMap<&'static str, Vec<Vec<String>>> {
    let tables = counted.with(|report| report.to_tables().unwrap());
    let parsed = tables.into_iter().map(|(name, bytes)| {
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect());
        (name, rows.collect())
    });
    parsed.collect()
}

#[test]
fn text_is_kept_to_the_last_character_and_never_a_formula() {
    for text in ["=1+1", "+1", "-1", "@a", "\ta", "\ra"] {
        assert_eq!(harmless(text), format!("'{text}"));
    }
    for text in ["", "a=1", "'=1", " =1", "ä"] {
        assert_eq!(harmless(text), text);
    }
    let mut counted = Counted::new(10, Some(POLICY));
    let (quoted, formula) = (format!("{HOSTILE}\n,;"), "=cmd|' /C calc'!A0");
    for name in [&quoted, formula] {
        counted.exchange(&record(name, 0));
        counted.tally.tls(&name.into(), TlsCounts { connections: 1, bytes: 2 });
        counted.problems.push(name.to_owned());
        let path = name.to_owned();
        counted.scope.files.push(ScopeFile { path, ..ScopeFile::default() });
    }
    let tables = tables(&counted);
    for (table, column) in [
        ("files.csv", 0),
        ("violations.csv", 5),
        ("violations.csv", 6),
        ("violations.csv", 13),
        ("hosts.csv", 0),
        ("hosts.csv", 1),
        ("alarms.csv", 0),
        ("refusals.csv", 0),
        ("kms_keys.csv", 1),
        ("kms_key_changes.csv", 1),
        ("kms_key_changes.csv", 4),
        ("kms_contexts.csv", 2),
        ("kms_contexts.csv", 3),
        ("blind.csv", 1),
        ("problems.csv", 0),
    ] {
        let cells: Vec<_> = tables[table].iter().map(|row| row[column].as_str()).collect();
        // Keys and contexts are counted as what is printable.
        if !table.starts_with("kms_") {
            assert!(cells.contains(&&*quoted), "{table}: {cells:?}");
        }
        assert!(cells.contains(&&*format!("'{formula}")), "{table}: {cells:?}");
    }
}

#[test]
fn every_table_has_names_of_columns_and_lines_as_the_standard_has_them() {
    let mut counted = Counted::new(10, Some(POLICY));
    counted.exchange(&record("a\nb", 0));
    let tables = counted.with(|report| report.to_tables().unwrap());
    assert_eq!(tables.iter().map(|(name, _)| *name).collect::<Vec<_>>(), TABLES);
    for (name, bytes) in tables {
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.ends_with("\r\n"), "{name}");
        let first = text.lines().next().unwrap();
        assert!(first.split(',').all(|column| !column.is_empty()), "{name}: {first}");
    }
}

#[test]
fn tables_are_whole_where_the_document_shows_a_part() {
    let mut counted = Counted::new(3_000, Some(POLICY));
    for n in 0..2_000 {
        counted.exchange(&record(&format!("host-{n}"), n));
    }
    let tables = tables(&counted);
    assert_eq!((tables["hosts.csv"].len(), tables["violations.csv"].len()), (2 * 2_000, 1_000));
    assert_eq!(tables["alarms.csv"].len(), 3 * 2_000);
    let sum = |table: &str, column: usize| -> u64 {
        tables[table].iter().map(|row| row[column].parse::<u64>().unwrap()).sum()
    };
    assert_eq!((sum("hosts.csv", 4), sum("hosts.csv", 5)), (2_000, 2_000));
    assert_eq!((sum("timeline.csv", 2), sum("timeline.csv", 4)), (2_000, 2_000));
    assert_eq!(sum("refusals.csv", 3), 2_000);
    assert_eq!(sum("rules.csv", 5), 2_000);
}
