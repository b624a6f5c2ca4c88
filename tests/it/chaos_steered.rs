//! A run that is steered at random, and killed at random: every item ends with one outcome, and what the user took out is left
//! alone until it is asked for.

use crate::support::Sandbox;
use serde_json::Value;
use std::collections::BTreeSet;

const ITEMS: usize = 600;

/// The steps, and what each result is of its item.
const STEPS: [(&str, usize); 3] = [("shell", 2), ("python", 3), ("batched", 5)];

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    /// A command of `ctl`.
    fn command(&mut self) -> Vec<String> {
        let (step, _) = STEPS[self.below(3) as usize];
        let item = format!("{step}:{}", self.below(ITEMS as u64));
        let jobs = (1 + self.below(3)).to_string();
        let words = match self.below(8) {
            0 => vec!["pause".to_owned()],
            1 => vec!["jobs".to_owned(), jobs],
            2 => vec!["retry-failed".to_owned()],
            3 | 4 => vec!["skip".to_owned(), item],
            _ => vec!["cancel".to_owned(), item],
        };
        [vec!["ctl".to_owned()], words].concat()
    }
}

/// The items of a step with a result, and those that the user has taken out.
fn outcomes(sandbox: &Sandbox, (step, factor): (&str, usize)) -> (BTreeSet<usize>, BTreeSet<usize>) {
    let number = |line: &str| -> usize {
        let result: Value = serde_json::from_str(line).unwrap();
        let number = result.as_u64().or_else(|| result["stdout"].as_str()?.parse().ok()).unwrap();
        usize::try_from(number).unwrap() / factor
    };
    let ended = sandbox.batchmill(&["results", "--step", step]);
    let done: Vec<usize> = ended.stdout.lines().map(number).collect();
    let set: BTreeSet<usize> = done.iter().copied().collect();
    assert_eq!(set.len(), done.len(), "an item of {step} has two results");
    let out = sandbox.failures().into_iter().filter(|failure| {
        failure["step"] == step && ["Cancelled", "Skipped"].contains(&failure["type"].as_str().unwrap())
    });
    (set, out.map(|failure| failure["index"].as_u64().unwrap() as usize).collect())
}

/// The index of the item that runs in some slot, as `STEP:INDEX`.
fn running(sandbox: &Sandbox) -> Option<String> {
    let state = sandbox.batchmill(&["ctl", "state"]).stdout;
    state.lines().skip(2).find_map(|line| Some(line.split_whitespace().next()?.to_owned()))
}

#[test]
#[ignore = "heavy: kills and steers the engine again and again"]
fn every_item_ends_with_one_outcome_however_the_run_is_steered_and_killed() {
    let workflow = format!(
        "
steps:
  - name: shell
    task: batch
    inputs:
      items: {{range: {ITEMS}}}
      max_parallel: 3
      continue_on_error: true
      task:
        type: shell
        command: 'echo {{{{ item }}}} >> ran.shell; sleep 0.0{{{{ item % 4 }}}}; [ $(({{{{ item }}}} % 50)) != 7 ] || [ -e mended ]; echo $(({{{{ item }}}} * 2))'
  - name: python
    task: batch
    inputs:
      items: {{range: {ITEMS}}}
      max_parallel: 3
      continue_on_error: true
      task:
        type: python
        setup: import os, time; log = open('ran.python', 'a', buffering=1)
        code: |
          print(item, file=log)
          time.sleep(item % 5 / 100)
          if item % 50 == 7 and not os.path.exists('mended'): raise ValueError(item)
          return item * 3
  - name: batched
    task: batch
    inputs:
      items: {{range: {ITEMS}}}
      max_parallel: 3
      batch_size: 5
      batched: true
      continue_on_error: true
      task:
        type: python
        code: |
          import time
          time.sleep(0.05)
          return [x * 5 for x in item]
"
    );
    let sandbox = Sandbox::with(&workflow);
    let (mut random, mut kills, mut obeyed) = (Random(11), 0, 0);
    let mut arguments = vec!["run", "workflow.yaml", "--progress", "json"];
    let mut out_before: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); 3];
    loop {
        let (mut engine, mut lines) = sandbox.spawn_in_step(&arguments);
        let until_kill = 20 + random.below(150);
        let mut seen = 0;
        while seen < until_kill && lines.next().is_some() {
            seen += 1;
            if seen % 12 == 5 {
                let mut command = random.command();
                if command[1] == "cancel" {
                    command.splice(2.., running(&sandbox));
                }
                let words: Vec<&str> = command.iter().map(String::as_str).collect();
                obeyed += u64::from(sandbox.batchmill(&words).code == Some(0));
                if words[1] == "pause" {
                    sandbox.batchmill(&["ctl", "continue"]);
                }
            }
        }
        if seen == until_kill {
            engine.kill().unwrap();
            kills += 1;
        }
        drop(lines);
        let status = engine.wait().unwrap();
        sandbox.has_no_process();
        for (step, before) in STEPS.into_iter().zip(&mut out_before) {
            let (done, out) = outcomes(&sandbox, step);
            assert!(out.is_superset(before), "what was taken out of {} came back by itself", step.0);
            assert!(done.is_disjoint(&out), "an item of {} has two outcomes", step.0);
            *before = out;
        }
        if seen < until_kill && status.code() == Some(1) {
            break;
        }
        arguments = vec!["resume", "--progress", "json"];
    }
    assert!(kills >= 10 && obeyed >= 20, "{kills} kills, {obeyed} commands");
    sandbox.batchmill(&["audit"]).exits_with(0);
    let sandbox = sandbox.file("mended", "");
    assert!(out_before.iter().any(|out| !out.is_empty()));
    sandbox.batchmill(&["retry", "--cancelled"]);
    sandbox.batchmill(&["retry"]).exits_with(0);
    for (step, _) in STEPS.into_iter().zip(out_before) {
        let (done, out) = outcomes(&sandbox, step);
        assert!(out.is_empty() && done.into_iter().eq(0..ITEMS), "{}", step.0);
    }
    sandbox.batchmill(&["audit"]).exits_with(0);
}
