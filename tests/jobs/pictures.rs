//! Small files of large ones: one item crashes, one takes too much memory, one too long. Another person starts the same job.

use crate::job::Job;
use crate::support::Sandbox;

const WORKFLOW: &str = r#"
params: {size: {type: integer, default: 8}}
steps:
  - name: small
    task: batch
    inputs:
      items: {glob: 'in/*.raw'}
      max_parallel: 2
      continue_on_error: true
      timeout: 20s
      task:
        type: shell
        max_memory: 150MB
        command: |
          echo {{ item | stem }} >> ran
          while test -e hold-{{ item | stem }}; do sleep 0.01; done
          case $(head -c 5 {{ item }}) in
            crash) kill -SEGV $$ ;;
            large) python3 -c 'x = bytearray(400_000_000); input()' < /dev/zero ;;
          esac
          head -c $(( {{ size }} )) {{ item }} > "$BATCHMILL_ITEM_DIR/$(basename {{ item }} .raw).small"
    outputs: {item_files: out, path: done.csv, include: [item, error]}
"#;

fn job() -> Job {
    Job { sandbox: Sandbox::with(WORKFLOW), steps: &["small"], made: &["out", "done.csv"] }
}

#[test]
#[ignore = "heavy: three days, a kill, a second person"]
fn what_breaks_one_picture_leaves_the_others_alone() {
    let job = job();
    for name in ["a", "b", "c", "d"] {
        job.write(&format!("in/{name}.raw"), format!("picture {name} of many bytes"));
    }
    job.write("in/e.raw", "crash now");
    job.write("in/f.raw", "large one");
    let first = job.sandbox.run(&[]).exits_with(1);
    first.says(&[
        "small[4] (in/e.raw) failed: ExitStatus: command was killed by signal 11",
        "small[5] (in/f.raw) failed: MemoryLimit",
    ]);
    assert_eq!(job.ran().len(), 6);
    assert_eq!(job.sandbox.read("out/b.small"), "picture ");
    assert!(!job.sandbox.exists("out/e.small") && !job.sandbox.exists("out/f.small"));
    job.sandbox.has_no_process();

    // Both are mended; someone has deleted what was made of another one.
    job.write("in/e.raw", "mended e");
    job.write("in/f.raw", "mended f");
    job.remove("out/c.small");
    job.day(&[]).exits_with(0).says(&["3 of 6 items will run"]);
    assert_eq!(job.ran(), ["c", "e", "f"]);
    job.is_as_fresh(0, &[]);

    // Another size: all of them, and killed in the middle. Meanwhile another person starts the same job in the same folder.
    job.write("hold-f", "");
    let mut running = job.under_way(&["run", "workflow.yaml", "size=3"], "small", 5);
    job.noted("f");
    job.sandbox.run(&["size=3"]).exits_with(2).says(&["another run is writing to `done.csv`"]);
    running.engine.kill().unwrap();
    assert_eq!(running.ends_with(), None);
    job.sandbox.has_no_process();
    assert_eq!(job.ran().len(), 6);
    job.remove("hold-f");
    job.sandbox.batchmill(&["runs"]).exits_with(0).says(&[]);
    job.sandbox.run(&["--resume", "size=3"]).exits_with(0);
    job.is_as_fresh(0, &["size=3"]);
    assert_eq!(job.sandbox.read("out/a.small"), "pic");
}
