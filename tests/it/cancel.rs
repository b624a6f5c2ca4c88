//! Ctrl-C and SIGTERM: what is under way ends, everything that ended is kept, no child is left.

use crate::support::Sandbox;
use rustix::process::{Pid, Signal, kill_process};

const STUCK: [(&str, &str); 2] = [
    ("shell", "{type: shell, command: 'touch began; sleep 600; true'}"),
    ("python", "{type: python, code: \"open('began', 'w').close()\\nwhile True: pass\"}"),
];

fn thousand(task: &str) -> Sandbox {
    let task = format!(
        "steps:\n  - name: work\n    task: batch\n    inputs:\n      items: {{range: 1000}}\n      max_parallel: 4\n      task: {task}\n"
    );
    Sandbox::with(&task)
}

#[test]
#[ignore = "heavy: takes seconds"]
fn what_does_not_end_within_the_grace_period_is_ended_with_all_its_children() {
    for ((what, task), (signal, code)) in STUCK.into_iter().zip([(Signal::INT, 130), (Signal::TERM, 143)]) {
        let sandbox = thousand(task);
        let mut engine = sandbox.command(&["run", "workflow.yaml", "--grace", "500ms"]);
        let mut engine = engine.stderr(std::process::Stdio::piped()).spawn().unwrap();
        while !sandbox.exists("began") {
            assert!(engine.try_wait().unwrap().is_none(), "{what}");
        }
        kill_process(Pid::from_child(&engine), signal).unwrap();
        let ended = engine.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(code), "{what}: {said}");
        assert!(said.contains("was interrupted") && said.contains("next: batchmill resume"), "{said}");
        assert!(!said.contains("leaving it"), "{said}");
        sandbox.has_no_process();
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn what_ends_within_the_grace_period_is_kept() {
    let sandbox = thousand("{type: shell, command: 'touch began; while [ ! -e go ]; do :; done; echo {{ item }}'}");
    let mut engine = sandbox.command(&["run", "workflow.yaml", "--progress", "none"]).spawn().unwrap();
    while !sandbox.exists("began") {
        assert!(engine.try_wait().unwrap().is_none());
    }
    kill_process(Pid::from_child(&engine), Signal::INT).unwrap();
    std::fs::write(sandbox.path().join("go"), "").unwrap();
    let code = engine.wait().unwrap().code();
    let done = sandbox.results("work").len();
    // The first frames end; where the signal arrives late, some more do.
    assert!(code == Some(130) && (1..1000).contains(&done), "{code:?}, {done} done");
    sandbox.batchmill(&["audit"]).exits_with(0);
    sandbox.batchmill(&["resume", "--progress", "none"]).exits_with(0);
    assert_eq!(sandbox.results("work").len(), 1000);
}

/// Half a message on the worker's socket, which user code should leave alone, keeps nobody from hearing of the end.
#[test]
fn a_worker_whose_message_stalls_is_ended_with_the_run() {
    let sandbox = Sandbox::with(
        "
steps:
  - name: work
    for_each: [a]
    continue_on_error: true
    task: python
    inputs:
      code: |
        import os, time
        for fd in range(3, 20):
            if os.path.lexists(f'/proc/self/fd/{fd}') and os.readlink(f'/proc/self/fd/{fd}').startswith('socket:'):
                os.write(fd, bytes([4, 0]))
        open('began', 'w').close()
        time.sleep(600)
",
    );
    let mut engine =
        sandbox.command(&["run", "workflow.yaml", "--progress", "none", "--grace", "1ms"]).spawn().unwrap();
    while !sandbox.exists("began") {
        assert!(engine.try_wait().unwrap().is_none());
    }
    // The grace period, which the second signal would end, is over at once.
    kill_process(Pid::from_child(&engine), Signal::INT).unwrap();
    assert_eq!(engine.wait().unwrap().code(), Some(130));
    assert!(sandbox.failures().is_empty(), "it counts as not run");
}
