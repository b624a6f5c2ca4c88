//! A folder that is worked on from day to day, and what a fresh run in a copy of it makes.

use crate::support::{Ended, Running, Sandbox, ended, repository};
use serde_json::Value;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A job that comes again each day.
pub struct Job {
    pub sandbox: Sandbox,
    /// The steps whose results must be those of a fresh run.
    pub steps: &'static [&'static str],
    /// The files and folders that the job makes. A database differs in its bytes, and is for its job to compare.
    pub made: &'static [&'static str],
}

/// The text of a day of `fixtures/flights`.
pub fn flights(day: usize) -> String {
    let path = repository().join(format!("fixtures/flights/2013-01-{day:02}.csv"));
    fs::read_to_string(path).unwrap()
}

/// The header of a day, and its first rows.
pub fn some_flights(day: usize, rows: usize) -> String {
    flights(day).lines().take(rows + 1).fold(String::new(), |text, line| text + line + "\n")
}

/// The files of a folder or a file, by their paths.
fn files(top: &Path, name: &str) -> BTreeMap<String, String> {
    let path = top.join(name);
    if !path.is_dir() {
        let text = fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        return BTreeMap::from([(name.to_owned(), String::from_utf8_lossy(&text).into_owned())]);
    }
    let names = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.flat_map(|inner| files(top, &format!("{name}/{inner}"))).collect()
}

impl Job {
    /// Writes a file.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.sandbox.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces what stands once in a file.
    #[track_caller]
    pub fn edit(&self, name: &str, old: &str, new: &str) {
        let text = self.sandbox.read(name);
        assert_eq!(text.matches(old).count(), 1, "`{old}` in {name}");
        self.write(name, text.replace(old, new));
    }

    /// Deletes a file.
    pub fn remove(&self, name: &str) {
        fs::remove_file(self.sandbox.path().join(name)).unwrap();
    }

    /// Runs `batchmill run workflow.yaml --incremental`.
    pub fn day(&self, parameters: &[&str]) -> Ended {
        self.sandbox.run(&[&["--incremental"], parameters].concat())
    }

    /// What has run since the last call, by the notes that tasks make in `ran`.
    pub fn ran(&self) -> Vec<String> {
        let mut ran: Vec<String> = match fs::read_to_string(self.sandbox.path().join("ran")) {
            Ok(text) => text.lines().map(str::to_owned).collect(),
            Err(_) => Vec::new(),
        };
        let _ = fs::remove_file(self.sandbox.path().join("ran"));
        ran.sort();
        ran
    }

    /// Starts the program and waits until `step` has finished so many items since. It is under way then.
    pub fn under_way(&self, arguments: &[&str], step: &str, finished: u64) -> Running {
        let arguments = [arguments, &["--progress", "json"]].concat();
        let engine = self.sandbox.command(&arguments).stderr(Stdio::piped()).spawn().unwrap();
        let done = Cell::new(None);
        Running::since(engine, |line| {
            let event: Value = serde_json::from_str(line).unwrap();
            let count = |name: &str| event["stats"][name].as_u64().unwrap();
            match event["event"].as_str().unwrap() {
                "step_started" if event["step"] == step => done.set(event["done"].as_u64()),
                "batch_finished" if event["step"] == step => {
                    return count("succeeded") + count("failed") >= done.get().unwrap() + finished;
                }
                _ => {}
            }
            done.get().is_some() && finished == 0
        })
    }

    /// Waits until a task has noted that it runs.
    #[track_caller]
    pub fn noted(&self, note: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let noted = || fs::read_to_string(self.sandbox.path().join("ran")).unwrap_or_default();
        while !noted().lines().any(|line| line == note) {
            assert!(Instant::now() < deadline, "{note} does not run: {}", noted());
            thread::yield_now();
        }
    }

    /// Starts the program, waits until `step` has finished so many items and is at the one that notes this, and kills it with -9.
    pub fn killed(&self, arguments: &[&str], (step, finished): (&str, u64), note: &str) {
        let mut running = self.under_way(arguments, step, finished);
        self.noted(note);
        running.engine.kill().unwrap();
        assert_eq!(running.ends_with(), None);
        self.sandbox.has_no_process();
    }

    /// Checks that the folder holds what a fresh run in a copy of it makes, which ends with this exit code; the copy.
    #[track_caller]
    pub fn is_as_fresh(&self, code: i32, parameters: &[&str]) -> Sandbox {
        let fresh = Sandbox::new();
        let mut copy = Command::new("sh");
        let copy = copy.args(["-c", "cp -a \"$1/.\" . && shift && rm -rf .batchmill ran \"$@\"", "sh"]);
        assert!(ended(copy.arg(self.sandbox.path()).args(self.made).current_dir(fresh.path())).code == Some(0));
        fresh.run(parameters).exits_with(code);
        for step in self.steps {
            let results = |sandbox: &Sandbox| sandbox.batchmill(&["results", "--step", step]).exits_with(0).stdout;
            assert_eq!(results(&self.sandbox), results(&fresh), "results of {step}");
        }
        assert_eq!(failures(&self.sandbox), failures(&fresh));
        for made in self.made.iter().filter(|made| !made.ends_with(".db")) {
            assert_eq!(files(self.sandbox.path(), made), files(fresh.path(), made), "{made}");
        }
        let audit = |sandbox: &Sandbox| sandbox.batchmill(&["audit"]).exits_with(0).stdout;
        assert_eq!(audit(&self.sandbox), audit(&fresh));
        fresh
    }
}

/// The failed items of the latest run, without how often and how long they were tried.
fn failures(sandbox: &Sandbox) -> Vec<String> {
    let said = |failure: Value| {
        let [step, index, item, kind, error] = ["step", "index", "item", "type", "error"].map(|name| &failure[name]);
        format!("{step} {index} {item} {kind} {error}")
    };
    let mut failures: Vec<String> = sandbox.failures().into_iter().map(said).collect();
    failures.sort();
    failures
}
