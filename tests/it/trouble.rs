//! Trouble with the ledger: no room, limits, missing permissions, a second engine. What was done is kept, what is wrong is said,
//! and after `resume` the results are those of an undisturbed run.

use crate::support::{Ended, Sandbox, ended};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Notes that an item ran, and prints so many bytes.
pub const PRINT: &str = "echo \"$1\" >> ran; head -c \"$2\" /dev/zero | tr '\\0' x; echo \"-$1\"";

fn printing(items: &str, bytes: usize) -> String {
    format!(
        "steps:\n  - name: work\n    task: batch\n    inputs:\n      items: {items}\n      batch_size: 2\n      max_parallel: 2\n      \
         task: {{type: shell, command: 'print {{{{ item }}}} {bytes}'}}\n"
    )
}

/// A sandbox whose step `work` prints so many bytes for each item.
pub fn sandbox(items: &str, bytes: usize) -> Sandbox {
    Sandbox::with(&printing(items, bytes)).script("print", PRINT)
}

impl Sandbox {
    /// The folder of the only run.
    pub fn run_folder(&self) -> PathBuf {
        let mut runs = fs::read_dir(self.path().join(".batchmill/runs")).unwrap();
        runs.next().unwrap().unwrap().path()
    }

    /// What was printed last by each item of `work`.
    pub fn printed(&self) -> Vec<String> {
        printed(self.batchmill(&["results", "--step", "work"]).exits_with(0).stdout.lines())
    }

    pub fn times_run(&self) -> usize {
        self.read("ran").lines().count()
    }
}

/// The last word of what each item printed.
fn printed<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let word = |line| {
        let result: Value = serde_json::from_str(line).unwrap();
        result["stdout"].as_str().unwrap().rsplit('-').next().unwrap().to_owned()
    };
    lines.map(word).collect()
}

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

#[test]
fn a_limit_on_the_size_of_results_ends_the_run_and_resume_does_the_rest() {
    let sandbox = sandbox("{range: 40}", 100_000);
    let stopped = sandbox.limited(2048, &["run", "workflow.yaml"]).exits_with(3);
    stopped.says(&[
        "cannot write",
        "work.jsonl",
        "File too large",
        "finished results are saved",
        "ulimit -f",
        "resume",
    ]);
    let done = sandbox.results("work").len();
    assert!((4..21).contains(&done), "{done} of 2 MiB");
    sandbox.limited(2048, &["resume"]).exits_with(3).says(&["File too large"]);
    let before = sandbox.results("work").len();
    fs::remove_file(sandbox.path().join("ran")).unwrap();
    sandbox.batchmill(&["resume"]).exits_with(0).says(&[&format!("{} of 40 items will run", 40 - before)]);
    assert_eq!(sandbox.times_run(), 40 - before);
    assert_eq!(sandbox.printed(), numbers(40));
    sandbox.batchmill(&["audit"]).exits_with(0);
}

#[test]
fn a_limit_on_the_size_of_the_database_ends_the_run_and_resume_does_the_rest() {
    // What failed items printed is kept in the database.
    let workflow = "
steps:
  - name: work
    task: batch
    inputs:
      items: {range: 60}
      continue_on_error: true
      task: {type: shell, command: 'head -c 100000 /dev/zero | tr \"\\0\" x >&2; [ -e good ]'}
";
    let sandbox = Sandbox::with(workflow);
    let stopped = sandbox.limited(1536, &["run", "workflow.yaml"]).exits_with(3);
    stopped.says(&["cannot write", "run.db", "File too large", "finished results are saved", "ulimit -f"]);
    let failed = sandbox.failures().len();
    assert!((1..60).contains(&failed), "{failed} failures in 1.5 MiB");
    let sandbox = sandbox.file("good", "");
    sandbox.batchmill(&["resume"]).exits_with(0).says(&[&format!("{failed} failed before")]);
    assert_eq!((sandbox.results("work").len(), sandbox.failures().len()), (60, 0));
    sandbox.batchmill(&["audit"]).exits_with(0);
}

#[test]
fn a_limit_that_leaves_no_room_for_the_engine_runs_nothing() {
    let sandbox = sandbox("[a]", 1);
    let refused = sandbox.limited(512, &["run", "workflow.yaml"]).exits_with(2);
    refused.says(&["cannot start the guard of child processes", "File too large", "help: check the resource limits"]);
    assert!(!sandbox.exists("ran"));
    sandbox.batchmill(&["resume"]).exits_with(0);
}

#[test]
fn a_command_beyond_the_limit_ends_as_in_a_plain_shell() {
    let workflow = "
steps:
  - {name: a, task: shell, inputs: {command: 'sh -c \"head -c 3000000 /dev/zero > big\"; echo $?'}}
";
    let sandbox = Sandbox::with(workflow);
    sandbox.limited(2048, &["run", "workflow.yaml"]).exits_with(0);
    // 128 and the number of SIGXFSZ; it would be 1, had the command inherited that the signal is ignored.
    assert_eq!(sandbox.results("a")[0]["stdout"], "153");
}

/// A file system of 1 MiB at `full`, as long as it lives: mounted by root, or else in a namespace of its own, where somebody
/// who is not root may mount.
struct SmallDisk {
    path: PathBuf,
    /// Holds the namespace; ends with its stdin.
    holder: Option<Child>,
}

impl SmallDisk {
    fn mount(sandbox: &Sandbox) -> Option<Self> {
        let path = sandbox.path().join("full");
        fs::create_dir(&path).unwrap();
        let mount = "mount -t tmpfs -o size=1m,mode=700 tmpfs \"$0\"";
        if Command::new("sh").args(["-c", mount]).arg(&path).output().unwrap().status.success() {
            return Some(Self { path, holder: None });
        }
        let hold = format!("{mount} && echo mounted && read end");
        let mut holder = Command::new("unshare");
        let holder = holder
            .args(["-rm", "sh", "-c", &hold])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        if let Ok(mut holder) = holder {
            let mut line = String::new();
            BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
            if line == "mounted\n" {
                return Some(Self { path, holder: Some(holder) });
            }
            holder.wait().unwrap();
        }
        eprintln!("skipped: a tmpfs cannot be mounted here");
        None
    }

    /// Runs a program where the disk can be seen.
    fn run(&self, sandbox: &Sandbox, program: &str, arguments: &[&str]) -> Ended {
        let mut command = match &self.holder {
            None => Command::new(program),
            Some(holder) => {
                let mut command = Command::new("nsenter");
                command.args(["--preserve-credentials", "-U", "-m", "-t", &holder.id().to_string(), "env", "-C"]);
                command.arg(sandbox.path()).arg(program);
                command
            }
        };
        let plain = sandbox.command(&[]);
        command.args(arguments).current_dir(sandbox.path());
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        ended(command.env("BATCHMILL_STATE_DIR", "full/state"))
    }

    fn batchmill(&self, sandbox: &Sandbox, arguments: &[&str]) -> Ended {
        self.run(sandbox, env!("CARGO_BIN_EXE_batchmill"), arguments)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        match &mut self.holder {
            Some(holder) => {
                drop(holder.stdin.take());
                let _ = holder.wait();
            }
            None => drop(Command::new("umount").arg(&self.path).status()),
        }
    }
}

#[test]
fn a_full_disk_ends_the_run_and_resume_does_the_rest() {
    let sandbox = sandbox("{range: 40}", 10_000);
    let Some(disk) = SmallDisk::mount(&sandbox) else { return };
    disk.run(&sandbox, "sh", &["-c", "head -c 780000 /dev/zero > full/ballast"]).exits_with(0);
    let stopped = disk.batchmill(&sandbox, &["run", "workflow.yaml"]).exits_with(3);
    stopped.says(&[
        "cannot write",
        "No space left on device",
        "help: free some disk space, then run `batchmill resume`",
    ]);
    let lines = || disk.batchmill(&sandbox, &["results"]).exits_with(0).stdout.lines().count();
    let done = lines();
    assert!((2..30).contains(&done), "{done} of 256 KB");
    disk.batchmill(&sandbox, &["runs"]).exits_with(0);
    let again = disk.batchmill(&sandbox, &["resume"]);
    assert!(matches!(again.code, Some(2 | 3)), "{again:?}");
    again.says(&["free some disk space"]);
    let before = lines();
    disk.run(&sandbox, "rm", &["full/ballast"]).exits_with(0);
    fs::remove_file(sandbox.path().join("ran")).unwrap();
    let rest = disk.batchmill(&sandbox, &["resume"]).exits_with(0);
    rest.says(&[&format!("{} of 40 items will run", 40 - before)]);
    assert_eq!(sandbox.times_run(), 40 - before);
    let results = disk.batchmill(&sandbox, &["results"]).exits_with(0).stdout;
    assert_eq!(printed(results.lines()), numbers(40));
    disk.batchmill(&sandbox, &["audit"]).exits_with(0);
}

#[test]
fn a_disk_that_is_full_from_the_start_runs_nothing() {
    let sandbox = sandbox("{range: 4}", 10);
    let Some(disk) = SmallDisk::mount(&sandbox) else { return };
    // The write ends where the disk does.
    disk.run(&sandbox, "sh", &["-c", "head -c 2000000 /dev/zero > full/ballast"]);
    let refused = disk.batchmill(&sandbox, &["run", "workflow.yaml"]).exits_with(2);
    refused.says(&["full/state", "help: free some disk space"]);
    assert!(!sandbox.exists("ran"));
}

/// Runs `count` until the file `go` is there.
fn held(sandbox: &Sandbox) -> Child {
    let mut running = sandbox.command(&["run", "workflow.yaml", "--progress", "none"]).spawn().unwrap();
    while !sandbox.exists("began") {
        assert!(running.try_wait().unwrap().is_none());
    }
    running
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_second_engine_is_refused_whatever_it_is_asked_to_do() {
    let sandbox = sandbox("[a]", 1).script("print", "touch began; while [ ! -e go ]; do :; done");
    let mut running = held(&sandbox);
    for verb in [&["retry"][..], &["resume"], &["run", "workflow.yaml", "--resume"]] {
        sandbox.batchmill(verb).exits_with(5).says(&["is in use by another process", "help: wait until it finishes"]);
    }
    fs::write(sandbox.path().join("go"), "").unwrap();
    assert!(running.wait().unwrap().success());
}

#[test]
fn looking_at_a_run_does_not_keep_it_from_going_on() {
    let sandbox = sandbox("[a]", 1);
    sandbox.run(&[]).exits_with(0);
    let lock = fs::File::open(sandbox.run_folder().join("lock")).unwrap();
    // What a look takes, for longer than any look takes it, but let go while `resume` waits.
    lock.lock_shared().unwrap();
    let mut resume = sandbox.command(&["resume", "--progress", "none"]).spawn().unwrap();
    while !waits_for_lock(resume.id()) {
        assert!(resume.try_wait().unwrap().is_none(), "it gave up at once");
    }
    drop(lock);
    assert!(resume.wait().unwrap().success());
}

/// Whether a process has the lock file open.
fn waits_for_lock(process: u32) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    let mut names = open.filter_map(Result::ok).filter_map(|entry| fs::read_link(entry.path()).ok());
    names.any(|name| name.ends_with("lock"))
}

/// The program in the sandbox as somebody whom permissions bind: the user of the test, or `nobody` where that is root. For
/// `nobody` there is a copy in the sandbox, because the place of the build may be closed to others.
fn bound(sandbox: &Sandbox, arguments: &[&str]) -> Option<Command> {
    if !rustix::process::geteuid().is_root() {
        return Some(sandbox.command(arguments));
    }
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let program = sandbox.path().join("batchmill");
    if !program.exists() {
        fs::copy(env!("CARGO_BIN_EXE_batchmill"), &program).unwrap();
        fs::set_permissions(sandbox.path(), Permissions::from_mode(0o777)).unwrap();
    }
    let trial = Command::new("setpriv").args(nobody).args(["test", "-x"]).arg(&program).status();
    if !trial.is_ok_and(|trial| trial.success()) {
        eprintln!("skipped: `nobody` cannot run the program here");
        return None;
    }
    let mut command = Command::new("setpriv");
    command.args(nobody).arg(program).args(arguments).current_dir(sandbox.path());
    let plain = sandbox.command(&[]);
    command.env_remove("BATCHMILL_STATE_DIR").envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Some(command)
}

#[test]
fn folders_that_cannot_be_written_are_named() {
    let sandbox = sandbox("{range: 4}", 1);
    let Some(mut run) = bound(&sandbox, &["run", "workflow.yaml"]) else { return };
    let close = |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o555)).unwrap();
    let open = |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
    close(sandbox.path());
    let refused = ended(&mut run).exits_with(2);
    refused.says(&["cannot create directory `.batchmill", "Permission denied", "help: check the permissions"]);
    open(sandbox.path());
    ended(&mut run).exits_with(0);
    let (folder, ran) = (sandbox.run_folder(), sandbox.times_run());
    let expected = ended(&mut bound(&sandbox, &["results"]).unwrap()).exits_with(0).stdout;
    close(&folder);
    let refused = ended(&mut bound(&sandbox, &["resume"]).unwrap()).exits_with(2);
    refused.says(&["run.db", "help: check the permissions"]);
    let results = ended(&mut bound(&sandbox, &["results"]).unwrap()).exits_with(0);
    assert_eq!(results.stdout, expected, "what can be read is read");
    ended(&mut bound(&sandbox, &["runs"]).unwrap()).exits_with(0);
    open(&folder);
    fs::remove_file(folder.join("results/work.jsonl")).unwrap();
    close(&folder.join("results"));
    let stopped = ended(&mut bound(&sandbox, &["resume"]).unwrap()).exits_with(3);
    stopped.says(&["work.jsonl", "Permission denied", "help: check the permissions, then run `batchmill resume`"]);
    assert_eq!(sandbox.times_run(), ran);
    open(&folder.join("results"));
    ended(&mut bound(&sandbox, &["resume"]).unwrap()).exits_with(0);
    assert_eq!(ended(&mut bound(&sandbox, &["results"]).unwrap()).exits_with(0).stdout, expected);
}

#[test]
fn permissions_that_are_lost_under_way_stop_the_run() {
    let workflow = "
steps:
  - {name: one, task: shell, inputs: {command: 'chmod 555 .batchmill/runs/*/results'}}
  - {name: two, task: shell, inputs: {command: 'echo two >> ran'}}
";
    let sandbox = Sandbox::with(workflow);
    let Some(mut run) = bound(&sandbox, &["run", "workflow.yaml"]) else { return };
    ended(&mut run).exits_with(3).says(&[
        "cannot write",
        "two.jsonl",
        "Permission denied",
        "finished results are saved",
    ]);
    assert!(!sandbox.exists("ran"));
    fs::set_permissions(sandbox.run_folder().join("results"), Permissions::from_mode(0o700)).unwrap();
    ended(&mut bound(&sandbox, &["resume"]).unwrap()).exits_with(0).says(&["one: 0 of 1 items will run"]);
    assert_eq!(sandbox.read("ran"), "two\n");
}

#[test]
fn a_log_that_cannot_be_written_costs_no_result() {
    let workflow = "
steps:
  - {name: full, task: shell, inputs: {command: 'cd .batchmill/runs/*/logs && ln -s /dev/full work.log'}}
  - name: work
    task: batch
    inputs:
      items: {range: 20}
      task: {type: python, code: 'print(item); return item'}
  - {name: gone, task: shell, inputs: {command: 'rm -r .batchmill/runs/*/logs'}}
  - name: more
    task: batch
    inputs:
      items: {range: 20}
      task: {type: python, code: 'print(item); return item'}
";
    let sandbox = Sandbox::with(workflow);
    let ended = sandbox.run(&[]).exits_with(0);
    assert_eq!(ended.stderr.matches("work: warning:").count(), 1, "said once: {}", ended.stderr);
    ended.says(&["work.log", "is a symbolic link; task output is no longer logged", "more: warning: cannot write"]);
    let numbers: Vec<Value> = (0..20).map(|number| json!(number)).collect();
    assert_eq!((sandbox.results("work"), sandbox.results("more")), (numbers.clone(), numbers));
}

#[test]
fn a_command_that_prints_more_than_can_be_kept_is_an_error_before_any_item_runs() {
    let workflow = "
steps:
  - name: a
    task: batch
    inputs:
      items: $(yes | head -c 3000000)
      task: {type: shell, command: touch ran}
";
    let sandbox = Sandbox::with(workflow);
    let refused = sandbox.limited(1536, &["run", "workflow.yaml"]).exits_with(2);
    refused.says(&["`yes | head -c 3000000` printed more than could be kept: File too large", "workflow.yaml:6:14"]);
    assert!(!sandbox.exists("ran"));
    // What it prints is no file of the run once it has ended.
    let workflow = "steps: [{name: a, for_each: {command: seq 500}, type: echo, inputs: {message: '{{ index }}'}}]";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&["--max-items", "3"]).exits_with(0);
    assert_eq!(sandbox.results("a").len(), 3);
    sandbox.batchmill(&["resume"]).exits_with(0);
    let folder = sandbox.run_folder();
    let mut left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["lock", "logs", "results", "run.db"]);
}

#[test]
fn full_durability_gives_the_same_results() {
    let sandbox = sandbox("{range: 6}", 10);
    let stopped = sandbox.limited(2048, &["run", "workflow.yaml", "--durability", "full"]).exits_with(0);
    assert!(stopped.stdout.is_empty());
    fs::remove_file(sandbox.run_folder().join("results/work.jsonl")).unwrap();
    sandbox.batchmill(&["resume", "--durability", "full"]).exits_with(0);
    assert_eq!(sandbox.printed(), numbers(6));
    sandbox.batchmill(&["retry", "--durability", "full"]).exits_with(0);
    sandbox
        .batchmill(&["run", "workflow.yaml", "--durability", "some"])
        .exits_with(2)
        .says(&["[possible values: normal, full]"]);
}
