//! Children that were started in the very moment in which the engine was killed, so that it could not list them.
//!
//! Such a child leads a process group of its own in the engine's session, has been started since its lane said so, and has the
//! run's id in its environment. All of that holds for no other process: a task that makes a daemon gives it a session of its
//! own, and another process of a task does not lead a group of its own unless it asks for one.

use nix::unistd::getsid;
use rustix::process::Pid;
use rustix::time::{ClockId, clock_gettime};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

/// The variable that tells which run a process belongs to.
pub(super) const RUN_ID: &str = "BATCHMILL_RUN_ID";

/// The clock ticks of a second, as the kernel counts them for programs on all machines that are still made.
const TICKS: u64 = 100;

/// The time since the machine was booted, in clock ticks, as `/proc/PID/stat` counts it.
pub(super) fn now() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or(0);
    u64::try_from(now.tv_sec).unwrap_or(0) * TICKS + nanoseconds * TICKS / 1_000_000_000
}

/// The groups of children of this run that have been started since then, in the session of this process.
pub(super) fn unlisted(run: &OsStr, since: u64) -> Vec<Pid> {
    // Zero if the session's leader is outside of this process namespace, which `rustix` cannot say.
    let Ok(session) = getsid(None) else { return Vec::new() };
    let mark = [RUN_ID.as_bytes(), b"=", run.as_bytes()].concat();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_ours = |pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name of the program, in brackets, may contain anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<i64>().ok();
        let leads_group = number(2)? == i64::from(pid);
        let in_session = number(3)? == i64::from(session.as_raw());
        if !leads_group || !in_session || number(19)?.cast_unsigned() < since {
            return None;
        }
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        environment.split(|byte| *byte == 0).any(|variable| variable == mark).then(|| Pid::from_raw(pid))?
    };
    pids.filter(|pid| *pid != std::process::id().cast_signed()).filter_map(is_ours).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command};

    fn child(run: &str, group: Option<i32>) -> Child {
        let mut command = Command::new("sleep");
        command.arg("600").env(RUN_ID, run);
        group.into_iter().for_each(|group| {
            command.process_group(group);
        });
        command.spawn().unwrap()
    }

    #[test]
    fn only_group_leaders_of_the_run_that_started_since_then_are_found() {
        let run = format!("unlisted-{}", std::process::id());
        let since = now();
        let mut children = [child(&run, Some(0)), child(&run, None), child("another", Some(0))];
        let found = |run: &str, since| unlisted(OsStr::new(run), since);
        assert_eq!(found(&run, since), [Pid::from_child(&children[0])]);
        assert_eq!(found(&run, now() + 1000), []);
        assert_eq!(found(&run[1..], since), []);
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// The session has the number zero there, as it has in some containers.
    #[test]
    fn they_are_found_in_a_process_namespace_whose_session_is_led_from_outside() {
        let namespace = ["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"];
        let inside = |program: &OsStr| {
            let mut unshare = Command::new("unshare");
            unshare.args(namespace).arg(program);
            unshare
        };
        if !inside(OsStr::new("true")).status().is_ok_and(|status| status.success()) {
            eprintln!("not tested: this machine gives no process namespace");
            return;
        }
        let name = module_path!().split_once("::").unwrap().1;
        let test = format!("{name}::only_group_leaders_of_the_run_that_started_since_then_are_found");
        let output = inside(std::env::current_exe().unwrap().as_os_str()).args(["--exact", &test]).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
    }
}
