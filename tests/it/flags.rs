//! Numbers and times on the command line that are none.

use crate::support::Sandbox;

const TIME: &str = "must be a number of seconds, or a duration such as";

#[test]
fn a_flag_with_a_wrong_number_says_what_it_expects() {
    let sandbox = Sandbox::with("steps: [{name: a, task: echo, inputs: {message: hi}}]\n");
    let cases: [(&[&str], &str, &str); 11] = [
        (&["run", "workflow.yaml", "--nice"], "expected a number from 1 to 19", "x 0 20 -1 1.5 99999999999"),
        (&["run", "workflow.yaml", "--jobs"], "expected a number from 1 up", "x 0 -1 1.5 2x"),
        (&["run", "workflow.yaml", "-j"], "expected a number from 1 up", "x 0 -1 1.5"),
        (&["run", "workflow.yaml", "--max-items"], "expected a number from 1 up", "x 0 -1 1.5"),
        (&["resume", "latest", "--jobs"], "expected a number from 1 up", "x 0 -1 1.5"),
        (&["plan", "workflow.yaml", "--max-items"], "expected a number from 1 up", "x 0 -1 1.5"),
        (&["runs", "clean", "--keep"], "expected a number from 0 up", "x -1 1.5"),
        (&["logs", "latest", "--item"], "expected the index of an item, which is 0 for the first", "x -1 1.5"),
        (&["failures", "--limit"], "expected a number from 1 up", "x 0 -1 1.5"),
        (&["--client"], "expected the number of a process", "x 0 -1 1.5 99999999999"),
        (&["ctl", "jobs"], "expected a number from 1 up", "x 0 -1 1.5"),
    ];
    for (arguments, expected, values) in cases {
        for value in values.split(' ') {
            let ended = sandbox.batchmill(&[arguments, &[value]].concat()).exits_with(2);
            ended.says(&[&format!("invalid value '{value}'"), expected]);
        }
    }
}

#[test]
fn a_flag_with_a_wrong_time_says_what_it_expects() {
    let sandbox = Sandbox::with("steps: [{name: a, task: echo, inputs: {message: hi}}]\n");
    let flags: [&[&str]; 5] = [
        &["run", "workflow.yaml", "--time-limit"],
        &["run", "workflow.yaml", "--grace"],
        &["run", "workflow.yaml", "--slow-after"],
        &["runs", "clean", "--older-than"],
        &["profile", "workflow.yaml", "--budget"],
    ];
    for flag in flags {
        for (value, expected) in
            [("-1", "must not be negative"), ("-1.5", "must not be negative"), ("x", TIME), ("1w", TIME)]
        {
            let ended = sandbox.batchmill(&[flag, &[value]].concat()).exits_with(2);
            ended.says(&[&format!("invalid value '{value}'"), expected]);
        }
    }
}
