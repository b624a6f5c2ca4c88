//! Child processes that leave the process group of their item: they end with their attempt if that is ended, and are left alone
//! if it succeeds.

use crate::chaos::guard_of;
use crate::support::Sandbox;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::panic::{catch_unwind, resume_unwind};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Ways to get away. Each makes `away-NAME` once it is on its way.
const SHELL: [(&str, &str); 6] = [
    ("session", "setsid sh -c 'touch away-session; exec sleep 600' & wait"),
    ("orphan", "(setsid sh -c 'touch away-orphan; exec sleep 600' &); sleep 600"),
    (
        "daemon",
        "here=$PWD; (cd /; setsid sh -c 'touch \"$0/away-daemon\"; exec sleep 600' \"$here\" <&- >&- 2>&- &); sleep 600",
    ),
    ("bare", "here=$PWD; env -i /usr/bin/setsid /bin/sh -c 'touch away-bare; exec sleep 600' & wait"),
    ("forks", "setsid sh -c 'touch away-forks; for n in $(seq 3000); do setsid sleep 2 & sleep 0.02; done' & wait"),
    ("stubborn", "trap '' TERM; setsid sh -c 'touch away-stubborn; sleep 600; sleep 600' & wait; sleep 600"),
];

const PYTHON: [(&str, &str); 5] = [
    ("session", "subprocess.Popen(['sh', '-c', 'touch away-session; exec sleep 600'], start_new_session=True)"),
    (
        "bare",
        "subprocess.Popen(['/bin/sh', '-c', 'touch away-bare; exec /bin/sleep 600'], env={}, start_new_session=True)",
    ),
    ("daemon", "daemon('/')"),
    (
        "forks",
        "subprocess.Popen(['sh', '-c', 'touch away-forks; for n in $(seq 3000); do setsid sleep 2 & sleep 0.02; done'], start_new_session=True)",
    ),
    ("successor", "successor()"),
];

/// What the code above calls.
const DEFINITIONS: &str = "
      import os, subprocess, time
      def daemon(folder):
          here = os.getcwd()
          if os.fork() == 0:
              os.setsid()
              if os.fork() == 0:
                  os.chdir(folder)
                  open(f'{here}/away-daemon', 'w').close()
                  os.closerange(0, 256)
                  time.sleep(600)
              os._exit(0)
      def successor():
          if os.fork() == 0:
              open('away-successor', 'w').close()
              # It ends by itself, in case the test is killed.
              for _ in range(600):
                  os.setsid()
                  time.sleep(0.1)
                  if os.fork() > 0:
                      os._exit(0)
";

/// How an attempt ends before it is done.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Timeout,
    StepTimeout,
    Interrupt,
    Recall,
    EngineKilled,
    EngineKilledAfterSignals,
}

const ENDS: [End; 6] =
    [End::Timeout, End::StepTimeout, End::Interrupt, End::Recall, End::EngineKilled, End::EngineKilledAfterSignals];

/// One item for each way, all at once.
fn workflow(task: &str, names: &[&str], end: End) -> String {
    let (of_step, of_item) = match end {
        End::Timeout => ("", "timeout: 3s"),
        End::StepTimeout => ("timeout: 4s", ""),
        _ => ("", ""),
    };
    let (items, width) = (names.join(", "), names.len());
    format!(
        "
steps:
  - name: work
    task: batch
    {of_step}
    inputs:
      items: [{items}]
      max_parallel: {width}
      continue_on_error: true
      {of_item}
      task:
        {task}
"
    )
}

fn shell(end: End) -> Sandbox {
    let names = SHELL.map(|(name, _)| name);
    let workflow = workflow("{type: shell, command: 'sh {{ item }}.sh'}", &names, end);
    SHELL.iter().fold(Sandbox::with(&workflow), |sandbox, (name, script)| sandbox.file(&format!("{name}.sh"), script))
}

fn python(end: End) -> Sandbox {
    python_with(&PYTHON.map(|(name, _)| name), end)
}

fn python_with(names: &[&str], end: End) -> Sandbox {
    let ways: String = PYTHON.iter().map(|(name, code)| format!("          if item == '{name}': {code}\n")).collect();
    let setup = DEFINITIONS.replace("\n      ", "\n          ");
    let task = format!("type: python\n        setup: |{setup}        code: |\n{ways}          time.sleep(600)");
    Sandbox::with(&workflow(&task, names, end))
}

/// The processes that work in the sandbox or were started there.
fn processes(sandbox: &Sandbox) -> Vec<(Pid, String)> {
    let folder = sandbox.path().canonicalize().unwrap();
    let name = folder.to_str().unwrap().as_bytes();
    let is_here = |pid: i32| {
        let path = |file: &str| format!("/proc/{pid}/{file}");
        fs::read_link(path("cwd")).is_ok_and(|cwd| cwd == folder)
            || fs::read(path("environ")).is_ok_and(|environ| memchr::memmem::find(&environ, name).is_some())
    };
    let pids = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let command = |pid: i32| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ");
    pids.filter(|pid| is_here(*pid)).filter_map(|pid| Some((Pid::from_raw(pid)?, command(pid)))).collect()
}

/// Waits until only so many processes are left there, and returns them.
#[track_caller]
fn left(sandbox: &Sandbox, count: usize, what: &str) -> Vec<(Pid, String)> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let found = processes(sandbox);
        if found.len() <= count {
            return found;
        }
        if Instant::now() > deadline {
            for (pid, _) in &found {
                let _ = kill_process(*pid, Signal::KILL);
            }
            panic!("{what}: still there: {found:?}");
        }
        std::thread::yield_now();
    }
}

fn all_are_away(sandbox: &Sandbox, names: &[&str], engine: &mut Child) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !names.iter().all(|name| sandbox.exists(&format!("away-{name}"))) {
        assert!(Instant::now() < deadline, "they have not all begun");
        assert!(engine.try_wait().unwrap().is_none(), "the run ended early");
        std::thread::yield_now();
    }
}

/// Runs it, and ends its attempts in this way.
fn ends_by(sandbox: &Sandbox, names: &[&str], end: End) {
    let mut engine =
        sandbox.command(&["run", "workflow.yaml", "--progress", "none", "--grace", "1ms"]).spawn().unwrap();
    let send = |pid: Pid, signal| kill_process(pid, signal).unwrap();
    let pid = Pid::from_child(&engine);
    if matches!(end, End::Timeout | End::StepTimeout) {
        engine.wait().unwrap();
        return;
    }
    all_are_away(sandbox, names, &mut engine);
    match end {
        End::Timeout | End::StepTimeout => {}
        End::Interrupt => send(pid, Signal::TERM),
        End::Recall => {
            for index in 0..names.len() {
                sandbox.batchmill(&["ctl", "cancel", &format!("work:{index}")]).exits_with(0);
            }
        }
        End::EngineKilled => send(pid, Signal::KILL),
        End::EngineKilledAfterSignals => {
            send(guard_of(engine.id()).expect("an engine has a guard"), Signal::TERM);
            send(pid, Signal::TERM);
            send(pid, Signal::KILL);
        }
    }
    engine.wait().unwrap();
}

#[test]
#[ignore = "heavy: takes seconds"]
fn no_child_of_a_command_outlives_an_attempt_that_is_ended() {
    for end in ENDS {
        let sandbox = shell(end);
        ends_by(&sandbox, &SHELL.map(|(name, _)| name), end);
        left(&sandbox, 0, &format!("{end:?}"));
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn no_child_of_a_python_item_outlives_an_attempt_that_is_ended() {
    for end in ENDS {
        let sandbox = python(end);
        ends_by(&sandbox, &PYTHON.map(|(name, _)| name), end);
        left(&sandbox, 0, &format!("{end:?}"));
    }
}

/// The engine's end, its guard and the ends of its workers race: on a busy machine, each of them comes first now and then.
#[test]
#[ignore = "heavy: kills the engine again and again"]
fn no_child_without_a_mark_outlives_an_engine_that_is_killed_on_a_busy_machine() {
    let is_over = AtomicBool::new(false);
    let names = ["bare", "session", "daemon"];
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let outcome = catch_unwind(|| {
            for round in 0..40 {
                let end = if round % 2 == 0 { End::EngineKilled } else { End::EngineKilledAfterSignals };
                let sandbox = python_with(&names, end);
                ends_by(&sandbox, &names, end);
                left(&sandbox, 0, "killed on a busy machine");
            }
        });
        is_over.store(true, Ordering::Relaxed);
        outcome.unwrap_or_else(|panic| resume_unwind(panic));
    });
}

/// The worker dies with the item: it is not there any more when its children are looked for.
#[test]
fn no_child_of_a_python_item_outlives_the_crash_of_its_worker() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: work
    for_each: [a]
    task: python
    inputs:
      code: |
        import os, subprocess
        subprocess.Popen(['sh', '-c', 'touch away; exec sleep 600'], start_new_session=True)
        while not os.path.exists('away'): pass
        os.kill(os.getpid(), 9)
",
    );
    sandbox.run(&["--progress", "none"]).exits_with(3);
    left(&sandbox, 0, "crash");
}

/// An ssh master, a gpg-agent, a cache: later items may use what an item has left running.
#[test]
#[ignore = "heavy: takes seconds"]
fn what_an_item_that_succeeded_left_running_is_left_alone() {
    let shell = "
        {type: shell, command: 'sh work.sh'}
";
    // When a process started is known to a hundredth of a second.
    let python = "
        type: python
        code: |
          import os, subprocess, time
          subprocess.Popen(['sh', '-c', f'touch {item}; exec sleep 600'], start_new_session=True)
          while not os.path.exists(item): pass
          time.sleep(600 if item == 'hangs' else 0.1)
";
    let script = "
setsid sh -c 'touch $BATCHMILL_ITEM; exec sleep 600' > /dev/null 2>&1 &
while [ ! -e $BATCHMILL_ITEM ]; do :; done
if [ $BATCHMILL_ITEM = hangs ]; then sleep 600; fi
";
    for (what, task) in [("shell", shell), ("python", python)] {
        let workflow =
            workflow(task.trim(), &["lives", "hangs"], End::Timeout).replace("max_parallel: 2", "max_parallel: 1");
        let sandbox = Sandbox::with(&workflow).file("work.sh", script);
        sandbox.run(&["--progress", "none"]).exits_with(1);
        assert!(sandbox.exists("lives") && sandbox.exists("hangs"), "{what}");
        let found = left(&sandbox, 1, what);
        assert_eq!(found.len(), 1, "{what}: it was ended too");
        kill_process(found[0].0, Signal::KILL).unwrap();
        left(&sandbox, 0, what);
    }
}
