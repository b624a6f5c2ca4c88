//! A command that makes a file of each file: counts per carrier. The engine is killed in the middle, files vanish and change.

use crate::job::{Job, flights};
use crate::support::Sandbox;

const WORKFLOW: &str = r#"
steps:
  - name: count
    task: batch
    inputs:
      items: {glob: 'in/*.csv'}
      max_parallel: 2
      continue_on_error: true
      task:
        type: shell
        command: |
          echo {{ item | stem }} >> ran
          while test -e hold-{{ item | stem }}; do sleep 0.01; done
          head -1 {{ item }} | grep -q '^year,.*,carrier,' || { echo 'no header' >&2; exit 1; }
          mkdir {{ item_dir }}/{{ item | stem }}
          tail -n +2 {{ item }} | cut -d, -f10 | sort | uniq -c > {{ item_dir }}/{{ item | stem }}/carriers.txt
          wc -l < {{ item }}
    outputs: {name: counts, item_files: out, path: counts.jsonl}
  - name: all
    task: shell
    inputs: {command: "echo {{ counts | length }} files; cat out/*/carriers.txt | awk '{ n[$2] += $1 } END { for (c in n) print c, n[c] }' | sort"}
"#;

fn job() -> Job {
    Job { sandbox: Sandbox::with(WORKFLOW), steps: &["count", "all"], made: &["out", "counts.jsonl"] }
}

fn put(job: &Job, day: usize) {
    job.write(&format!("in/{day:02}.csv"), flights(day));
}

/// Deletes a file, and what was made of it.
fn vanishes(job: &Job, day: usize) {
    job.remove(&format!("in/{day:02}.csv"));
    assert!(
        job.sandbox.exists(&format!("out/{day:02}/carriers.txt")),
        "what was made of a file stays when it vanishes"
    );
    std::fs::remove_dir_all(job.sandbox.path().join(format!("out/{day:02}"))).unwrap();
}

#[test]
#[ignore = "heavy: five days with kills"]
fn a_file_is_made_of_each_file_whatever_happens_meanwhile() {
    let job = job();
    (1..=8).for_each(|day| put(&job, day));
    // Killed while it is at the last file.
    job.write("hold-08", "");
    job.killed(&["run", "workflow.yaml"], ("count", 7), "08");
    assert_eq!(job.ran().len(), 8);
    assert!(!job.sandbox.exists("out/08") && !job.sandbox.exists("counts.jsonl"));
    job.remove("hold-08");
    job.sandbox.batchmill(&["resume"]).exits_with(0).says(&["1 of 8 items will run"]);
    assert_eq!(job.ran(), ["08"]);
    job.is_as_fresh(0, &[]);

    // A file vanishes, two are new, and one of those is no CSV file.
    vanishes(&job, 3);
    put(&job, 9);
    job.write("in/10.csv", "<html>503</html>\n");
    job.day(&[]).exits_with(1).says(&["2 of 9 items will run: 2 new", "no header"]);
    assert_eq!(job.ran(), ["09", "10"]);
    job.is_as_fresh(1, &[]);

    // It is mended, and one that was good has changed. Killed while it is at that one.
    put(&job, 10);
    job.write("in/05.csv", flights(25));
    job.write("hold-05", "");
    job.killed(&["run", "workflow.yaml", "--incremental"], ("count", 1), "05");
    assert_eq!(job.ran(), ["05", "10"]);
    job.remove("hold-05");
    job.sandbox.batchmill(&["resume"]).exits_with(0).says(&["1 of 9 items will run"]);
    assert_eq!(job.ran(), ["05"]);
    job.is_as_fresh(0, &[]);

    // The command is another one; killed in the middle of that, it goes on the day after, with a file less.
    job.edit("workflow.yaml", "-f10", "-f10,13");
    job.write("hold-10", "");
    job.killed(&["run", "workflow.yaml", "--incremental"], ("count", 8), "10");
    assert_eq!(job.ran().len(), 9);
    job.remove("hold-10");
    vanishes(&job, 1);
    job.day(&[]).exits_with(0).says(&["1 of 8 items will run"]);
    assert_eq!(job.ran(), ["10"]);
    job.is_as_fresh(0, &[]);
}
