//! Damaged, cut and missing files of a run: they are named, nothing that is printed is wrong, and `resume` runs again what is
//! gone.

use crate::support::Sandbox;
use crate::trouble::{PRINT, sandbox};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Every verb that reads the ledger of the run says so, and none goes on as if nothing were.
fn is_damaged(sandbox: &Sandbox, what: &str) {
    for verb in ["resume", "retry", "results", "failures", "audit"] {
        let ended = sandbox.batchmill(&[verb]);
        assert!(matches!(ended.code, Some(2 | 3)), "{what}: {verb}: {ended:?}");
        assert!(ended.stdout.is_empty(), "{what}: {verb} printed {}", ended.stdout);
        ended.says(&["run.db` is damaged", "caused by: ", "help: start a new run"]);
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_damaged_ledger_is_named_and_hides_no_other_run() {
    let sandbox = sandbox("{range: 600}", 1);
    let sandbox = Sandbox::with(&sandbox.read("workflow.yaml").replace("batch_size: 2", "batch_size: 1"));
    let sandbox = sandbox.script("print", PRINT);
    sandbox.run(&[]).exits_with(0);
    let database = sandbox.run_folder().join("run.db");
    // Pages that are free hold nothing that could be damaged.
    let free = rusqlite::Connection::open(&database).unwrap();
    free.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);").unwrap();
    drop(free);
    let whole = fs::read(&database).unwrap();
    let pages = whole.len() / 4096;
    assert!(pages > 12, "{pages} pages");
    let noise: Vec<u8> = (0_u32..4096).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for page in 0..pages {
        fs::write(&database, &whole).unwrap();
        let file = OpenOptions::new().write(true).open(&database).unwrap();
        file.write_all_at(&noise, page as u64 * 4096).unwrap();
        let audit = sandbox.batchmill(&["audit"]);
        assert!(audit.code == Some(2), "page {page}: {audit:?}");
    }
    for page in [0, 3, pages / 2, pages - 1] {
        fs::write(&database, &whole).unwrap();
        let file = OpenOptions::new().write(true).open(&database).unwrap();
        file.write_all_at(&noise, page as u64 * 4096).unwrap();
        is_damaged(&sandbox, &format!("page {page} is noise"));
    }
    let half = whole.len() / 2;
    for (bytes, what) in [
        (whole[..half].to_vec(), "half of it"),
        (whole[..4096].to_vec(), "one page"),
        (Vec::new(), "empty"),
        (b"this is no database, however long it is read\n".repeat(200), "text"),
    ] {
        fs::write(&database, &bytes).unwrap();
        is_damaged(&sandbox, what);
        let runs = sandbox.batchmill(&["runs"]).exits_with(0);
        runs.says(&["warning: cannot read run", "is damaged"]);
    }
    let damaged = sandbox.run_folder();
    sandbox.run(&[]).exits_with(0);
    let runs = sandbox.batchmill(&["runs"]).exits_with(0);
    assert_eq!(runs.stdout.lines().count(), 2, "the new run is listed: {}", runs.stdout);
    sandbox.batchmill(&["run", "workflow.yaml", "--resume"]).exits_with(0).says(&["0 of 600 items will run"]);
    sandbox.batchmill(&["runs", "clean", "--keep", "1"]).exits_with(0).says(&["cannot read run", "it is kept"]);
    assert!(damaged.exists());
}

/// Single bits are flipped all over the database. Whatever a verb makes of it, it is no panic, and results that are printed with
/// exit code 0, at once or after `resume`, are those of the run.
#[test]
#[ignore = "heavy: takes seconds"]
fn flipped_bits_never_give_wrong_results() {
    flip_bits(149);
}

#[test]
#[ignore = "heavy: some 300 damaged ledgers"]
fn many_flipped_bits_never_give_wrong_results() {
    flip_bits(37);
}

/// Flips a bit in each `every`th byte of the ledger, one at a time.
fn flip_bits(every: usize) {
    let sandbox = sandbox("[a, b, c, d, e, f, g]", 3);
    sandbox.run(&[]).exits_with(0);
    let expected = sandbox.batchmill(&["results", "--step", "work"]).exits_with(0).stdout;
    let folder = sandbox.run_folder();
    let whole = fs::read(folder.join("run.db")).unwrap();
    let files = ["results/work.jsonl", "results/work.keys"].map(|name| (name, fs::read(folder.join(name)).unwrap()));
    // Bytes that are not zero: those of the header, of cells and their pointers.
    let used: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    for (number, at) in used.iter().step_by(every).enumerate() {
        let mut bytes = whole.clone();
        bytes[*at] ^= 1 << (number % 8);
        for name in ["run.db-wal", "run.db-shm"] {
            let _ = fs::remove_file(folder.join(name));
        }
        files.iter().for_each(|(name, bytes)| fs::write(folder.join(name), bytes).unwrap());
        fs::write(folder.join("run.db"), &bytes).unwrap();
        let look = ["results", "--step", "work"];
        for verb in [&look[..], &["audit"], &["resume"], &look] {
            let ended = sandbox.batchmill(verb);
            assert!(!ended.stderr.contains("panicked"), "byte {at}: {ended:?}");
            assert!(matches!(ended.code, Some(0..=3)), "byte {at}: {ended:?}");
            assert!(verb != look || ended.code != Some(0) || ended.stdout == expected, "byte {at}: {ended:?}");
            if verb == ["resume"] && ended.code != Some(0) {
                break;
            }
        }
    }
}

#[test]
fn items_whose_results_were_cut_off_run_again() {
    let sandbox = sandbox("{range: 10}", 10);
    sandbox.run(&[]).exits_with(0);
    let expected = sandbox.batchmill(&["results"]).stdout;
    let results = sandbox.run_folder().join("results/work.jsonl");
    let length = fs::metadata(&results).unwrap().len();
    OpenOptions::new().write(true).open(&results).unwrap().set_len(length - 3).unwrap();
    let printed = sandbox.batchmill(&["results"]).exits_with(2);
    assert_eq!(printed.stdout, "");
    printed.says(&["work.jsonl` are truncated", "help: `batchmill audit` lists the affected items"]);
    assert!(sandbox.batchmill(&["audit"]).exits_with(1).stdout.contains("are truncated"));
    sandbox.batchmill(&["retry"]).exits_with(3).says(&["warning: the results of 2 items are lost"]);
    assert_eq!(sandbox.times_run(), 10);
    OpenOptions::new().write(true).open(&results).unwrap().set_len(length / 2).unwrap();
    let resumed = sandbox.batchmill(&["resume"]).exits_with(0);
    assert!(resumed.stderr.contains("with lost results"), "{}", resumed.stderr);
    assert_eq!(sandbox.batchmill(&["results"]).stdout, expected);
    assert!((14..20).contains(&sandbox.times_run()), "only what was lost ran again: {}", sandbox.times_run());
    sandbox.batchmill(&["audit"]).exits_with(0);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn items_whose_results_are_missing_run_again() {
    let cut = |path: &Path| OpenOptions::new().write(true).open(path).unwrap().set_len(40).unwrap();
    let missing = |path: &Path| fs::remove_file(path).unwrap();
    let holes = |path: &Path| {
        let length = fs::metadata(path).unwrap().len();
        fs::write(path, vec![0; usize::try_from(length).unwrap()]).unwrap();
    };
    type Harm<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Harm<'_>, &str); 5] = [
        ("results/work.jsonl", &missing, "10 of 10 items will run: 10 with lost results"),
        ("results/work.jsonl", &holes, "10 of 10 items will run: 10 with lost results"),
        ("results/work.keys", &missing, "10 of 10 items will run: 10 with lost keys"),
        ("results/work.keys", &cut, "6 of 10 items will run: 6 with lost keys"),
        ("results/work.keys", &holes, "10 of 10 items will run: 10 with lost keys"),
    ];
    for (name, harm, said) in cases {
        let sandbox = sandbox("{range: 10}", 10);
        sandbox.run(&[]).exits_with(0);
        let expected = sandbox.batchmill(&["results"]).stdout;
        harm(&sandbox.run_folder().join(name));
        if name.ends_with("keys") {
            assert_eq!(sandbox.batchmill(&["results"]).exits_with(0).stdout, expected, "results need no keys");
        } else {
            sandbox.batchmill(&["results"]).exits_with(2).says(&["error: results in `", "work.jsonl` "]);
        }
        sandbox.batchmill(&["resume"]).exits_with(0).says(&[said]);
        assert_eq!(sandbox.batchmill(&["results"]).stdout, expected, "{said}");
        sandbox.batchmill(&["audit"]).exits_with(0);
        sandbox.batchmill(&["resume"]).exits_with(0).says(&["0 of 10 items will run"]);
    }
}

#[test]
fn results_of_a_later_step_follow_those_that_were_lost() {
    let workflow = "
steps:
  - {name: one, task: shell, inputs: {command: 'echo >> one; wc -l < one'}}
  - {name: two, task: echo, inputs: {message: '{{ steps.one.result.stdout }} ran'}}
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("two"), ["1 ran"]);
    fs::remove_file(sandbox.run_folder().join("results/one.jsonl")).unwrap();
    sandbox.batchmill(&["resume"]).exits_with(0).says(&[
        "one: 1 of 1 items will run: 1 with lost results",
        "two: everything runs again, because step `one` has new results",
    ]);
    assert_eq!(sandbox.results("two"), ["2 ran"]);
}

#[test]
fn a_results_file_that_was_written_over_is_noticed() {
    let sandbox = sandbox("{range: 10}", 10);
    sandbox.run(&[]).exits_with(0);
    let expected = sandbox.batchmill(&["results"]).stdout;
    let results = sandbox.run_folder().join("results/work.jsonl");
    // Still JSON, and as many lines; only not what was written.
    fs::write(&results, fs::read_to_string(&results).unwrap().replace('4', "5")).unwrap();
    sandbox.batchmill(&["results"]).exits_with(2).says(&["do not match their checksum"]);
    assert!(sandbox.batchmill(&["audit"]).exits_with(1).stdout.contains("do not match their checksum"));
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["2 of 10 items will run: 2 with lost results"]);
    assert_eq!(sandbox.batchmill(&["results"]).stdout, expected);
}

#[test]
fn a_ledger_of_a_newer_version_is_refused() {
    let sandbox = sandbox("[a]", 1);
    sandbox.run(&[]).exits_with(0);
    let database = sandbox.run_folder().join("run.db");
    // `user_version` is a big-endian number at byte 60 of the header.
    let file = OpenOptions::new().write(true).open(&database).unwrap();
    file.write_all_at(&99_u32.to_be_bytes(), 60).unwrap();
    for verb in ["resume", "retry", "results", "failures", "audit"] {
        let refused = sandbox.batchmill(&[verb]).exits_with(2);
        refused.says(&["was written by a newer batchmill (schema 99", "help: upgrade batchmill"]);
    }
    sandbox.batchmill(&["runs"]).exits_with(0).says(&["warning: cannot read run", "newer batchmill"]);
    assert_eq!(sandbox.times_run(), 1);
}

/// The keys of two batches change places, or one batch gets those of the other: the results would belong to other items.
#[test]
fn keys_of_other_items_are_noticed() {
    let swap = |keys: &mut [u8]| {
        let (left, right) = keys.split_at_mut(16);
        left.swap_with_slice(&mut right[..16]);
    };
    let double = |keys: &mut [u8]| keys.copy_within(..32, 64);
    let flip = |keys: &mut [u8]| keys[100] ^= 4;
    type Harm<'a> = &'a dyn Fn(&mut [u8]);
    let cases: [(Harm<'_>, &str); 3] = [
        (&swap, "2 of 10 items will run: 2 with lost keys"),
        (&double, "2 of 10 items will run: 2 with lost keys"),
        (&flip, "2 of 10 items will run: 2 with lost keys"),
    ];
    for (harm, said) in cases {
        let sandbox = sandbox("[a, b, c, d, e, f, g, h, i, j]", 10);
        sandbox.run(&[]).exits_with(0);
        let expected = sandbox.batchmill(&["results"]).stdout;
        let path = sandbox.run_folder().join("results/work.keys");
        let mut keys = fs::read(&path).unwrap();
        harm(&mut keys);
        fs::write(&path, keys).unwrap();
        let audit = sandbox.batchmill(&["audit"]).exits_with(1);
        assert!(audit.stdout.contains("keys do not match their checksum"), "{}", audit.stdout);
        sandbox.batchmill(&["resume"]).exits_with(0).says(&[said]);
        assert_eq!(sandbox.batchmill(&["results"]).stdout, expected);
        sandbox.batchmill(&["audit"]).exits_with(0);
    }
}

/// A value in a row is another one, and everything that SQLite itself checks is right.
#[test]
fn changed_rows_are_noticed() {
    let sandbox = Sandbox::with(
        "
params: {limit: 30}
steps:
  - {name: work, for_each: [a, b, c], task: shell, inputs: {command: 'test {{ item }} != b && test {{ params.limit }} = 30'}}
",
    );
    sandbox.run(&[]).exits_with(3);
    let database = sandbox.run_folder().join("run.db");
    let whole = fs::read(&database).unwrap();
    let names = sandbox.failures()[0]["key"].as_str().unwrap().to_owned();
    for (old, new) in [
        ("{\"limit\":30}", "{\"limit\":31}"),
        ("workflow.yaml", "workfl0w.yaml"),
        ("\"b\"", "\"c\""),
        ("task.", "tusk."),
        (names.as_str(), &names.replace(|digit: char| digit.is_ascii_digit(), "7")),
    ] {
        let mut bytes = whole.clone();
        let places: Vec<usize> =
            bytes.windows(old.len()).enumerate().filter(|(_, it)| *it == old.as_bytes()).map(|(at, _)| at).collect();
        assert!(!places.is_empty(), "`{old}` is nowhere");
        for at in places {
            bytes[at..at + old.len()].copy_from_slice(new.as_bytes());
        }
        fs::write(&database, &bytes).unwrap();
        for verb in ["resume", "retry", "audit"] {
            let ended = sandbox.batchmill(&[verb]);
            assert!(ended.code == Some(2), "{old}: {verb}: {ended:?}");
            ended.says(&["run.db` is damaged", "caused by: "]);
        }
    }
    fs::write(&database, &whole).unwrap();
    sandbox.batchmill(&["audit"]).exits_with(0);
}

/// Whatever is deleted, cut off or replaced while a run is under way, it does not end as if nothing had happened.
#[test]
fn files_that_are_deleted_under_way_are_noticed() {
    let workflow = |harm: &str| {
        format!(
            "
steps:
  - {{name: first, for_each: [1, 2], task: echo, inputs: {{message: '{{{{ item }}}}'}}}}
  - name: second
    for_each: [1, 2, 3]
    max_parallel: 1
    task: shell
    inputs: {{command: 'test {{{{ item }}}} != 2 || {{ cd .batchmill/runs/*/ && while ! test -s results/second.jsonl; do sleep 0.01; done; {harm}; }}'}}
"
        )
    };
    for harm in [
        "rm -r ../../runs",
        "rm -r ../../../.batchmill",
        "mv results elsewhere",
        "rm run.db",
        "rm run.db-wal",
        "cp run.db-wal other && mv other run.db-wal",
        "rm run.db-shm",
        "cp run.db other && mv other run.db",
        "rm results/first.jsonl",
        "rm results/second.jsonl",
        "rm results/second.keys",
        ": > results/first.keys",
        ": > results/second.jsonl",
    ] {
        let sandbox = Sandbox::with(&workflow(harm));
        let ended = sandbox.run(&[]);
        assert_eq!(ended.code, Some(3), "{harm}: {ended:?}");
        assert!(!ended.stderr.contains("what was done is kept"), "{harm}: {}", ended.stderr);
        assert!(ended.stderr.contains("error: ") && !ended.stderr.contains("succeeded"), "{harm}: {}", ended.stderr);
    }
    Sandbox::with(&workflow("true")).run(&[]).exits_with(0);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_sorted_copy_is_read_only_if_it_is_what_was_written() {
    let workflow = "
steps:
  - name: one
    for_each: {range: 3000}
    max_parallel: 2
    batch_size: 7
    batched: false
    task: python
    inputs: {code: 'import random, time; time.sleep(random.random() / 1000); return item'}
  - name: two
    for_each: '{{ steps.one.result }}'
    task: shell
    inputs: {command: 'test {{ item }} != 2000 -o -e go && echo {{ item }}'}
  - {name: three, task: python, inputs: {code: 'return sum(steps.one.results)'}}
";
    let sandbox = Sandbox::with(workflow).file("late", "");
    sandbox.run(&[]).exits_with(3);
    let results = sandbox.run_folder().join("results");
    let copy = || {
        let names = fs::read_dir(&results).unwrap().map(|entry| entry.unwrap().path());
        let copies: Vec<_> = names.filter(|path| path.to_string_lossy().contains("one~")).collect();
        assert_eq!(copies.len(), 1, "{copies:?}");
        copies[0].clone()
    };
    let whole = fs::read(copy()).unwrap();
    let mut flipped = whole.clone();
    flipped[5000] ^= 1;
    for damaged in [&whole[..6000], &flipped, b""] {
        fs::write(copy(), damaged).unwrap();
        fs::write(results.join(".one~abc.tmp"), "of a killed process").unwrap();
        sandbox.batchmill(&["resume"]).exits_with(3);
        assert_eq!(fs::read(copy()).unwrap(), whole);
    }
    fs::write(copy(), &flipped).unwrap();
    let sandbox = sandbox.file("go", "");
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(sandbox.results("three"), [3000 * 2999 / 2]);
    assert_eq!(sandbox.results("two").len(), 3000);
}

#[test]
fn a_changed_aggregate_is_not_taken_for_what_was_computed() {
    let workflow = "
steps:
  - name: one
    for_each: {range: 10}
    task: python
    inputs: {code: return item}
    aggregate: {code: 'return sum(results) + 1000'}
  - {name: two, task: echo, inputs: {message: '{{ steps.one.aggregate }}'}}
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("two"), [1045]);
    let path = sandbox.run_folder().join("results/one.aggregate.json");
    let whole = fs::read_to_string(&path).unwrap();
    for damaged in
        [whole.replace("1045", "1047"), whole.replace("1045", "\"1045\""), whole[..whole.len() / 2].to_owned()]
    {
        assert_ne!(damaged, whole);
        fs::write(&path, damaged).unwrap();
        sandbox.batchmill(&["resume"]).exits_with(0);
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
        assert_eq!(sandbox.results("two"), [1045]);
    }
}
