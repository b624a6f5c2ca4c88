//! Random damage to all files of a run: whatever a verb prints with exit code 0 is right, and anything else is refused.

use crate::support::{Ended, Sandbox};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const STEPS: [&str; 5] = ["work", "rows", "counted", "again", "after"];

/// Plain steps, rows with keys that follow each other, an aggregate, and a step over the results of another one. An item fails unless
/// `go` is there.
fn workflow() -> Sandbox {
    let workflow = "
params: {word: hello}
steps:
  - name: work
    for_each: [a, b, c, d, e, f, g, h, i, j]
    batch_size: 3
    max_parallel: 2
    continue_on_error: true
    task: shell
    inputs: {command: 'test {{ item }} != d -o -e go && echo {{ item }} {{ params.word }}'}
  - {name: rows, for_each: {csv: rows.csv}, batch_size: 4, task: echo, inputs: {message: '{{ item.n }}'}}
  - name: counted
    for_each: {range: 7}
    task: echo
    inputs: {message: '{{ item }}'}
    aggregate: {count: true}
  - {name: again, for_each: '{{ steps.work.result }}', task: echo, inputs: {message: '{{ item.stdout }}'}}
  - {name: after, task: echo, inputs: {message: '{{ steps.counted.aggregate.count }} {{ steps.rows.result | length }}'}}
";
    let rows: String = (0..40).map(|n| format!("{n}\n")).collect();
    Sandbox::with(workflow).file("rows.csv", format!("n\n{rows}"))
}

/// Numbers that look random and are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }
}

/// Damages a file, and says how.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) -> &'static str {
    let length = bytes.len();
    let block = [16, 32, 48, 64, 512, 4096][random.below(6)].min(length / 2);
    // Blocks mostly begin where a key or a page does.
    let at = |random: &mut Random| random.below(length / block.max(1)) * block;
    match random.below(8) {
        0 => bytes.truncate(random.below(length)),
        1 => bytes.extend((0..1 + random.below(200)).map(|at| at as u8)),
        2 if block > 0 => {
            let (one, other) = (at(random), at(random));
            for place in 0..block {
                if one + place < length && other + place < length {
                    bytes.swap(one + place, other + place);
                }
            }
            return "swapped blocks";
        }
        3 if block > 0 => {
            let (from, to) = (at(random), at(random));
            let end = (from + block).min(length);
            let to = to.min(length - (end - from));
            bytes.copy_within(from..end, to);
            return "a doubled block";
        }
        4 if block > 0 => {
            let from = at(random);
            bytes[from..(from + block).min(length)].fill(0);
            return "zeros";
        }
        5 if length > 0 => {
            let place = random.below(length);
            bytes[place] = random.below(256) as u8;
            return "another byte";
        }
        _ if length > 0 => {
            // In a byte that is used: most of a database is empty.
            let used: Vec<usize> = (0..length).filter(|at| bytes[*at] != 0).collect();
            if let Some(place) = used.get(random.below(used.len())) {
                bytes[*place] ^= 1 << random.below(8);
            }
            return "a flipped bit";
        }
        _ => bytes.push(b'x'),
    }
    "another length"
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            files.extend(self::files(&entry));
        } else if entry.file_name().unwrap() != "lock" {
            files.push(entry);
        }
    }
    files.sort();
    files
}

fn restore(folder: &Path, whole: &BTreeMap<PathBuf, Vec<u8>>) {
    for file in files(folder) {
        fs::remove_file(file).unwrap();
    }
    whole.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
}

fn results(sandbox: &Sandbox, step: &str) -> Ended {
    sandbox.batchmill(&["results", "--step", step])
}

/// Damages the files of a run so many times.
fn many(count: usize, seed: u64) {
    let sandbox = workflow();
    sandbox.run(&[]).exits_with(1);
    let before: Vec<String> = STEPS.iter().map(|step| results(&sandbox, step).exits_with(0).stdout).collect();
    let failures = sandbox.batchmill(&["failures"]).exits_with(0).stdout;
    let folder = sandbox.run_folder();
    let whole: BTreeMap<PathBuf, Vec<u8>> =
        files(&folder).into_iter().map(|it| (it.clone(), fs::read(it).unwrap())).collect();
    let sandbox = sandbox.file("go", "");
    sandbox.batchmill(&["resume"]).exits_with(0);
    let after: Vec<String> = STEPS.iter().map(|step| results(&sandbox, step).exits_with(0).stdout).collect();
    let paths: Vec<&PathBuf> = whole.keys().collect();
    let (mut random, mut refused) = (Random(seed), 0);
    for number in 0..count {
        restore(&folder, &whole);
        let path = paths[random.below(paths.len())];
        let mut bytes = whole[path].clone();
        let how = damage(&mut bytes, &mut random);
        if random.below(20) == 0 {
            fs::remove_file(path).unwrap();
        } else {
            fs::write(path, bytes).unwrap();
        }
        let what = format!("seed {seed}, number {number}: {how} in {}", path.display());
        let check = |ended: &Ended, expected: &str| {
            assert!(!ended.stderr.contains("panicked") && matches!(ended.code, Some(0..=3)), "{what}: {ended:?}");
            assert!(ended.code != Some(0) || ended.stdout == expected, "{what}: {ended:?}");
        };
        STEPS.iter().zip(&before).for_each(|(step, expected)| check(&results(&sandbox, step), expected));
        check(&sandbox.batchmill(&["failures"]), &failures);
        let resumed = sandbox.batchmill(&["resume"]);
        assert!(!resumed.stderr.contains("panicked"), "{what}: {resumed:?}");
        if resumed.code == Some(0) {
            STEPS.iter().zip(&after).for_each(|(step, expected)| {
                let ended = results(&sandbox, step);
                assert!(ended.code == Some(0) && ended.stdout == *expected, "{what}: {ended:?} after {resumed:?}");
            });
            sandbox.batchmill(&["audit"]).exits_with(0);
        } else {
            assert!(resumed.stderr.contains("error: "), "{what}: {resumed:?}");
            refused += 1;
        }
    }
    assert!(refused < count, "everything was refused");
}

#[test]
#[ignore = "heavy: takes seconds"]
fn what_is_printed_after_random_damage_is_right() {
    many(15, 7);
}

#[test]
#[ignore = "heavy: damages a run 800 times"]
fn what_is_printed_after_much_random_damage_is_right() {
    many(800, 20_261_127);
}
