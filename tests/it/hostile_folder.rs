//! A run folder that somebody else has made: whatever is in the place of its files, every verb ends soon and by itself, and nothing
//! outside the folder is changed.

use crate::support::{Ended, Sandbox, ended};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A verb gets this long, in seconds, and this much memory, in KiB.
const BOUND: &str = "30";
const MEMORY: u64 = 6 << 20;

/// A user who is not the one of the tests.
const STRANGER: u32 = 12_345;

const WORKFLOW: &str = "
params: {word: hello}
secrets: [TOKEN]
steps:
  - name: work
    for_each: [a, b, c]
    continue_on_error: true
    task: shell
    inputs: {command: 'echo {{ item }} {{ params.word }} >&2; test {{ item }} != b'}
    outputs: {item_files: made}
  - {name: rows, for_each: {csv: rows.csv}, batch_size: 4, task: echo, inputs: {message: '{{ item.n }}'}}
  - {name: counted, for_each: {range: 7}, task: echo, inputs: {message: '{{ item }}'}, aggregate: {count: true}}
";

/// Every name that a run has in its folder, or may have.
const NAMES: [&str; 19] = [
    "",
    "results",
    "logs",
    "items",
    "run.db",
    "run.db-wal",
    "run.db-shm",
    "run.db-journal",
    "lock",
    "ctl",
    "progress.json",
    "progress.new",
    "metrics.prom",
    "report.html",
    "results/work.jsonl",
    "results/work.keys",
    "results/rows.rows",
    "results/counted.aggregate.json",
    "logs/work.log",
];

/// What may be there instead.
const FORMS: [Form; 9] = [
    Form::LinkToFile,
    Form::LinkToFolder,
    Form::LinkToDevice,
    Form::DanglingLink,
    Form::Pipe,
    Form::Socket,
    Form::Folder,
    Form::Device,
    Form::Sparse,
];

const VERBS: [&[&str]; 13] = [
    &["resume", "latest"],
    &["retry", "latest"],
    &["results", "latest", "--step", "work"],
    &["failures", "latest"],
    &["status", "latest"],
    &["runs"],
    &["logs", "latest"],
    &["report", "latest", "--output", "report.html"],
    &["audit", "latest"],
    &["repro", "latest", "1"],
    &["plan", "workflow.yaml", "--resume", "latest"],
    &["ctl", "pause", "latest"],
    &["runs", "clean"],
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    LinkToFile,
    LinkToFolder,
    LinkToDevice,
    DanglingLink,
    Pipe,
    Socket,
    Folder,
    Device,
    Sparse,
}

impl Form {
    /// Puts it at a path. `false` if this machine does not allow that.
    fn put(self, path: &Path, outside: &Path) -> bool {
        let run = |program: &str, arguments: &[&str]| {
            Command::new(program).args(arguments).stderr(Stdio::null()).status().unwrap().success()
        };
        let shown = path.to_str().unwrap();
        match self {
            Self::LinkToFile => symlink(outside.join("precious"), path).unwrap(),
            Self::LinkToFolder => symlink(outside.join("folder"), path).unwrap(),
            Self::LinkToDevice => symlink("/dev/zero", path).unwrap(),
            Self::DanglingLink => symlink(outside.join("nothing"), path).unwrap(),
            Self::Pipe => return run("mkfifo", &[shown]),
            Self::Socket => drop(UnixListener::bind(path).unwrap()),
            Self::Folder => fs::create_dir(path).unwrap(),
            Self::Device => return run("mknod", &[shown, "c", "1", "5"]),
            Self::Sparse => return File::create(path).unwrap().set_len(1 << 40).is_ok(),
        }
        true
    }
}

fn remove(path: &Path) {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

/// Everything in a folder, with its content.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(tree(&entry));
            found.insert(entry, None);
        } else {
            found.insert(entry.clone(), Some(fs::read(entry).unwrap()));
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A run that has ended, a copy of it, and things outside that must stay as they are.
struct Victim {
    sandbox: Sandbox,
    run: PathBuf,
    whole: PathBuf,
    outside: PathBuf,
}

impl Victim {
    fn new() -> Self {
        let rows: String = (0..9).map(|n| format!("{n}\n")).collect();
        let sandbox = Sandbox::with(WORKFLOW).file("rows.csv", format!("n\n{rows}")).env("TOKEN", "secret");
        sandbox.run(&[]).exits_with(1);
        let run = sandbox.run_folder();
        let (whole, outside) = (sandbox.path().join("whole"), sandbox.path().join("outside"));
        copy(&run, &whole);
        let sandbox = sandbox.file("outside/precious", "precious");
        // What a verb would meet if it followed a link to this folder.
        copy(&whole, &outside.join("folder"));
        copy(&whole.join("results"), &outside.join("folder"));
        copy(&whole.join("logs"), &outside.join("folder"));
        for step in ["work", "rows", "counted"] {
            fs::create_dir_all(outside.join("folder").join(step)).unwrap();
            fs::write(outside.join("folder").join(step).join("kept"), "kept").unwrap();
        }
        Self { sandbox, run, whole, outside }
    }

    fn restore(&self) {
        remove(&self.run);
        copy(&self.whole, &self.run);
    }

    /// A verb, within its bounds.
    fn bounded(&self, verb: &[&str], env: &[(&str, &str)]) -> Ended {
        let plain = self.sandbox.command(verb);
        let limited = format!("ulimit -v {MEMORY}; exec \"$0\" \"$@\"");
        let mut command = Command::new("timeout");
        command.args(["-s", "KILL", BOUND, "sh", "-c", &limited]).arg(plain.get_program()).args(plain.get_args());
        command.current_dir(self.sandbox.path()).stdin(Stdio::null());
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        ended(command.envs(env.iter().copied()))
    }

    /// Puts something in the place of a file of the run, and looks at what the verbs do.
    fn check(&self, name: &str, form: Form, verbs: &[&[&str]]) {
        let before = tree(&self.outside);
        for verb in verbs {
            self.restore();
            let path = if name.is_empty() { self.run.clone() } else { self.run.join(name) };
            remove(&path);
            if !form.put(&path, &self.outside) {
                return;
            }
            let done = self.bounded(verb, &[]);
            let what = format!("{form:?} in the place of `{name}`, {verb:?}: {done:?}");
            assert!(matches!(done.code, Some(0..=9)) && !done.stderr.contains("panicked"), "{what}");
            assert!(tree(&self.outside) == before, "something outside was changed: {what}");
        }
    }
}

/// The verbs of one in so many tries: all of them in the end, and `resume`, which writes most, each time.
fn some_verbs(round: usize) -> [&'static [&'static str]; 2] {
    [VERBS[0], VERBS[1 + round % (VERBS.len() - 1)]]
}

fn with_some_verbs(forms: &[Form]) {
    let victim = Victim::new();
    for (number, name) in NAMES.iter().enumerate() {
        for (round, form) in forms.iter().enumerate() {
            victim.check(name, *form, &some_verbs(number * 5 + round));
        }
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_link_in_a_run_folder_is_never_followed() {
    with_some_verbs(&FORMS[..4]);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn what_is_not_a_regular_file_is_not_waited_for() {
    with_some_verbs(&FORMS[4..]);
}

#[test]
#[ignore = "heavy: starts batchmill 2,000 times"]
fn whatever_is_in_a_run_folder_every_verb_ends_and_changes_nothing_outside() {
    let victim = Victim::new();
    for name in NAMES {
        for form in FORMS {
            victim.check(name, form, &VERBS);
        }
    }
}

#[test]
fn a_state_directory_may_be_a_link_but_nothing_below_it() {
    let victim = Victim::new();
    let state = victim.sandbox.path().join(".batchmill");
    fs::rename(&state, victim.sandbox.path().join("scratch")).unwrap();
    symlink("scratch", &state).unwrap();
    victim.sandbox.batchmill(&["results", "--step", "counted"]).exits_with(0);
    victim.sandbox.batchmill(&["resume"]).exits_with(1);
    victim.sandbox.run(&[]).exits_with(1);
    let runs = victim.sandbox.path().join("scratch/runs");
    fs::rename(&runs, victim.sandbox.path().join("elsewhere")).unwrap();
    symlink("../elsewhere", &runs).unwrap();
    for verb in [&["results", "--step", "counted"][..], &["resume"], &["run", "workflow.yaml"]] {
        let refused = victim.sandbox.batchmill(verb);
        assert_ne!(refused.code, Some(0), "{verb:?}: {refused:?}");
        refused.says(&[".batchmill/runs` is a symbolic link", "help: "]);
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_run_of_another_user_is_refused_until_its_directory_is_trusted() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can give a file to another user");
        return;
    }
    let victim = Victim::new();
    let state = victim.sandbox.path().join(".batchmill");
    for name in ["", "run.db", "lock", "results/work.jsonl", "results/work.keys", "logs/work.log"] {
        victim.restore();
        chown(victim.run.join(name), Some(STRANGER), None).unwrap();
        for verb in VERBS {
            let done = victim.bounded(verb, &[]);
            assert!(matches!(done.code, Some(0..=9)) && !done.stderr.contains("panicked"), "{name} {verb:?}: {done:?}");
        }
    }
    victim.restore();
    chown(&victim.run, Some(STRANGER), None).unwrap();
    for verb in [&["resume"][..], &["results", "--step", "counted"], &["repro", "latest", "1"]] {
        let refused = victim.sandbox.batchmill(verb).exits_with(2);
        let trust = format!("BATCHMILL_TRUST={}", state.display());
        refused.says(&["belongs to user 12345, and you are user 0", &trust]);
    }
    let results = ["results", "--step", "counted"];
    for (trusted, code) in [(state.as_path(), 0), (victim.sandbox.path(), 0), (Path::new("/nowhere"), 2)] {
        let trust = format!("relative:/dev/null:{}", trusted.display());
        assert_eq!(victim.bounded(&results, &[("BATCHMILL_TRUST", &trust)]).code, Some(code), "{trust}");
    }
    assert_eq!(victim.bounded(&results, &[("BATCHMILL_TRUST", "*")]).code, Some(2));
    assert_eq!(victim.bounded(&results, &[("SUDO_UID", "12345")]).code, Some(0), "root for the user who called sudo");
}

/// The run's ledger after some SQL.
fn after_sql(victim: &Victim, sql: &str) {
    victim.restore();
    let database = rusqlite::Connection::open(victim.run.join("run.db")).unwrap();
    database.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

#[test]
#[ignore = "heavy: takes seconds"]
fn sql_that_somebody_has_put_into_a_ledger_never_runs() {
    let victim = Victim::new();
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)";
    for sql in [
        format!("ALTER TABLE batches RENAME TO b; CREATE VIEW batches AS {endless} SELECT b.* FROM b, n"),
        format!(
            "CREATE TRIGGER t AFTER UPDATE ON run BEGIN DELETE FROM steps WHERE id IN ({endless} SELECT x FROM n); END"
        ),
        "DROP TRIGGER run_update; CREATE TRIGGER run_update AFTER UPDATE ON run BEGIN DELETE FROM batches; END"
            .to_owned(),
        "ALTER TABLE steps ADD COLUMN huge AS (hex(zeroblob(400000000)))".to_owned(),
        "CREATE INDEX i ON failures (length(zeroblob(900000000)))".to_owned(),
        "CREATE TABLE more (a CHECK (length(randomblob(900000000)) > 0))".to_owned(),
    ] {
        for verb in &VERBS[..9] {
            after_sql(&victim, &sql);
            let ended = victim.bounded(verb, &[]);
            assert!(
                matches!(ended.code, Some(0..=9)) && !ended.stderr.contains("panicked"),
                "{sql} {verb:?}: {ended:?}"
            );
            assert!(ended.stderr.contains("batchmill never creates the"), "{sql} {verb:?}: {ended:?}");
        }
    }
}

#[test]
fn a_journal_that_names_another_file_deletes_nothing() {
    let victim = Victim::new();
    // SQLite deletes only files that are called like its own.
    let precious = victim.sandbox.path().join("precious-mj0000009ab");
    fs::write(&precious, "precious").unwrap();
    let name = precious.to_str().unwrap().as_bytes();
    // A header, and the name of the file that SQLite deletes once the journal is played back.
    let mut journal = vec![0; 512];
    journal[..8].copy_from_slice(&[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
    journal[20..28].copy_from_slice(&[0, 0, 2, 0, 0, 0, 16, 0]);
    let sum: u32 = name.iter().map(|byte| u32::from(*byte)).sum();
    journal.extend([0x3f, 0xff, 0xff, 0xff]);
    journal.extend(name);
    journal.extend(u32::try_from(name.len()).unwrap().to_be_bytes());
    journal.extend(sum.to_be_bytes());
    journal.extend([0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
    for verb in &VERBS[..9] {
        victim.restore();
        fs::write(victim.run.join("run.db-journal"), &journal).unwrap();
        victim.bounded(verb, &[]);
        assert_eq!(fs::read_to_string(&precious).ok().as_deref(), Some("precious"), "{verb:?}");
    }
}

#[test]
fn a_run_that_names_a_workflow_elsewhere_says_which_one_it_runs() {
    let victim = Victim::new();
    let state = victim.sandbox.path().join(".batchmill");
    let state = ["--state-dir", state.to_str().unwrap()];
    let says = |verb: &[&str], folder: &Path| {
        let mut command = victim.sandbox.command(&[verb, &state].concat());
        ended(command.current_dir(folder)).stderr
    };
    let elsewhere = victim.sandbox.path().join("outside");
    let named = format!("names its workflow file: `{}`", victim.sandbox.path().join("workflow.yaml").display());
    for verb in [&["resume", "latest"][..], &["retry", "latest"], &["repro", "latest", "1"]] {
        assert!(says(verb, &elsewhere).contains(&named), "{verb:?}");
        assert!(!says(verb, victim.sandbox.path()).contains("names its workflow file"), "{verb:?}");
    }
}
