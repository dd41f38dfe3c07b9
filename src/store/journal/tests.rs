use std::{fs, os::unix::fs::PermissionsExt, thread};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

fn journal() -> (TempDir, Journal) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::at(folder.path().join("state")).expect("a fresh folder");
    let journal = store.journal().expect("a fresh log");
    (folder, journal)
}

fn write(journal: &Journal, count: u64) {
    (0..count).for_each(|number| journal.append(&[json!({ "word": number })]).expect("there is room"));
}

fn lines(journal: &Journal) -> Vec<String> {
    let mut lines = Vec::new();
    let read = journal.read(|line| {
        lines.push(line.to_owned());
        Ok::<_, StoreError>(())
    });
    read.expect("it can be read");
    lines
}

/// The number of records of a log in which nothing was changed.
#[track_caller]
fn unchanged(journal: &Journal) -> u64 {
    journal.verify().expect("it can be read").expect("nothing was changed").records
}

fn tampered(journal: &Journal) -> Tampered {
    journal.verify().expect("it can be read").expect_err("it was changed")
}

#[test]
fn records_are_kept_in_order_and_private() {
    let (_folder, journal) = journal();
    assert_eq!(unchanged(&journal), 0);
    journal.append(&[json!({ "word": "a" }), json!({ "word": "b" })]).expect("written");
    write(&journal, 1);
    let words: Vec<Value> =
        lines(&journal).iter().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["record"]["word"].clone()).collect();
    assert_eq!(words, [json!("a"), json!("b"), json!(0)]);
    assert_eq!(unchanged(&journal), 3);
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&journal.folder), 0o700);
    for name in ["000001.jsonl", "head"] {
        assert_eq!(mode(&journal.folder.join(name)), 0o600, "{name}");
    }
}

#[test]
fn a_full_file_is_followed_by_the_next_one_in_the_same_chain() {
    let (_folder, mut journal) = journal();
    journal.full = 1000;
    write(&journal, 40);
    assert!(journal.records(3).exists());
    assert_eq!((lines(&journal).len(), unchanged(&journal)), (40, 40));
    let second = journal.records(2);
    let kept = fs::read(&second).expect("there");
    fs::remove_file(&second).expect("removed");
    assert_eq!(tampered(&journal).to_string(), format!("{}, line 1: this file was removed", second.display()));
    for cut in [1, 2] {
        fs::write(&second, &kept[..kept.len() - cut]).expect("written");
        assert_eq!(tampered(&journal).file, second);
    }
    fs::write(&second, &kept).expect("written");
    fs::write(journal.records(9), &kept).expect("written");
    assert_eq!(unchanged(&journal), 40, "a file that follows nothing is not read");
}

#[test]
fn whatever_is_done_to_a_file_is_named_by_its_line() {
    let (_folder, journal) = journal();
    write(&journal, 5);
    let path = journal.records(1);
    let whole = fs::read_to_string(&path).expect("there");
    let line = |number: usize| whole.lines().nth(number).expect("there");
    let without = |number: usize| whole.replacen(&format!("{}\n", line(number)), "", 1);
    let cases = [
        (whole.replacen("\"word\":1", "\"word\":9", 1), 3, "the record before this one was changed"),
        (whole.replacen("\"word\":4", "\"word\":9", 1), 5, "this record was changed"),
        (without(1), 2, "record 3 stands where record 2 should"),
        (without(4), 5, "the log ends here after 4 of 5 records"),
        (String::new(), 1, "the log ends here after 0 of 5 records"),
        (whole.clone() + line(4) + "\n", 6, "this was added behind the last record"),
        (whole.clone() + "{", 6, "this was added behind the last record"),
        (whole.trim_end().to_owned(), 5, "the end of this line was changed"),
        (whole.replacen("{", "(", 1), 1, "this is not a record"),
    ];
    for (changed, line, what) in cases {
        fs::write(&path, changed).expect("written");
        let found = tampered(&journal);
        assert_eq!((found.line, &found.file), (line, &path), "{found}");
        assert!(found.what.contains(what), "{found}");
    }
    fs::write(&path, whole).expect("written");
    assert_eq!(unchanged(&journal), 5);
}

#[test]
fn what_was_changed_keeps_showing_whatever_is_written_after_it() {
    let (_folder, journal) = journal();
    write(&journal, 3);
    let path = journal.records(1);
    let whole = fs::read_to_string(&path).expect("there");
    for changed in [whole.replacen("\"word\":2", "\"word\":7", 1), whole.lines().take(2).map(|line| format!("{line}\n")).collect()]
    {
        fs::write(&path, changed).expect("written");
        write(&journal, 2);
        tampered(&journal);
    }
}

#[test]
fn the_remains_of_a_write_that_did_not_end_give_way_to_the_next_record() {
    let (_folder, journal) = journal();
    write(&journal, 2);
    let path = journal.records(1);
    let whole = fs::read_to_string(&path).expect("there");
    for remains in ["{\"number\":3,", "{\"number\":3}\n{\"num"] {
        fs::write(&path, format!("{whole}{remains}")).expect("written");
        assert_eq!(tampered(&journal).line, 3);
    }
    write(&journal, 1);
    assert_eq!(unchanged(&journal), 3);
}

#[test]
fn a_head_that_is_not_ours_is_told_and_nothing_is_written() {
    let (folder, journal) = journal();
    write(&journal, 2);
    let (head, records) = (journal.folder.join("head"), journal.records(1));
    let (signed, kept) = (fs::read(&head).expect("there"), fs::read(&records).expect("there"));
    let other = Store::at(folder.path().join("other")).expect("a fresh folder").journal().expect("a fresh log");
    write(&other, 2);
    let forged = fs::read(other.folder.join("head")).expect("there");
    for text in [Some(forged), Some(b"x".to_vec()), None] {
        match text {
            Some(text) => fs::write(&head, text).expect("written"),
            None => fs::remove_file(&head).expect("removed"),
        }
        assert_eq!(tampered(&journal).file, head);
        let refused = journal.append(&[json!({})]).expect_err("damaged").to_string();
        assert!(refused.contains("move the folder"), "{refused}");
        assert_eq!(fs::read(&records).expect("there"), kept);
    }
    fs::write(&head, signed).expect("written");
    write(&journal, 1);
    assert_eq!(unchanged(&journal), 3);
}

#[test]
fn many_may_write_at_once() {
    let (_folder, journal) = journal();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| write(&journal.store.journal().expect("the same log"), 10));
        }
    });
    assert_eq!(unchanged(&journal), 40);
}

#[test]
fn a_log_that_cannot_be_written_says_so_and_stays_whole() {
    let (_folder, journal) = journal();
    write(&journal, 1);
    let error = journal.append(&[json!({ "word": "x".repeat(MAX_LINE) })]).expect_err("too long").to_string();
    assert!(error.contains("too long"), "{error}");
    let fresh = journal.folder.join("head.new");
    fs::create_dir_all(fresh.join("in the way")).expect("made");
    journal.append(&[json!({})]).expect_err("the head cannot be written");
    fs::remove_dir_all(fresh).expect("removed");
    assert_eq!(tampered(&journal).line, 2, "behind the head");
    write(&journal, 1);
    assert_eq!(unchanged(&journal), 2);
}

#[test]
fn the_oldest_files_go_and_the_log_stays_whole() {
    let (_folder, mut journal) = journal();
    (journal.full, journal.kept) = (1000, Some(2));
    let page = journal.save_page("old.html", "a page").expect("saved");
    write(&journal, 40);
    let there: Vec<u32> = (1..9).filter(|number| journal.records(*number).exists()).collect();
    assert_eq!((there.len(), there.contains(&1), page.exists()), (2, false, false), "{there:?}");
    let Extent { records, gone } = journal.verify().expect("read").expect("whole");
    assert_eq!((records + gone, lines(&journal).len() as u64), (40, records));
    assert!(gone > 0 && lines(&journal)[0].starts_with(&format!("{{\"number\":{}", gone + 1)));

    // The first file that is there counts like any other.
    let first = journal.records(there[0]);
    let kept = fs::read_to_string(&first).expect("there");
    fs::write(&first, kept.split_once('\n').expect("lines").1).expect("written");
    assert_eq!(tampered(&journal).line, 1);
    fs::remove_file(&first).expect("removed");
    assert_eq!(tampered(&journal).what, "this file was removed");
    fs::write(&first, kept).expect("written");
    unchanged(&journal);
}

#[test]
fn what_was_changed_does_not_go_away_with_its_file() {
    for file in [1, 2] {
        let (_folder, mut journal) = journal();
        (journal.full, journal.kept) = (1000, Some(2));
        write(&journal, 12);
        let path = journal.records(file);
        let changed = fs::read_to_string(&path).expect("there").replacen("word", "ward", 1);
        fs::write(&path, changed).expect("written");
        write(&journal, 60);
        assert!(path.exists() && journal.records(6).exists());
        assert_eq!(tampered(&journal).file, path);
    }
}

#[test]
fn with_nothing_said_some_of_the_log_is_kept_and_with_zero_all_of_it() {
    let (folder, journal) = journal();
    assert_eq!(journal.kept, Some(16));
    for (text, kept) in
        [("log_megabytes = 0", None), ("log_megabytes = 1", Some(2)), ("log_megabytes = 40", Some(10)), ("log_", None)]
    {
        fs::write(folder.path().join("state/config.toml"), text).expect("written");
        assert_eq!(journal.store.journal().expect("the same log").kept, kept, "{text}");
    }
}
