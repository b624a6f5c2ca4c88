//! A folder that moves to a colleague, who goes on with it.

use crate::job::{Job, some_flights};
use crate::support::{Sandbox, ended};
use std::process::Command;

const WORKFLOW: &str = r#"
steps:
  - name: delays
    for_each: {csv: 'in/*.csv', columns: [carrier, dep_delay], types: {dep_delay: number}, null: ['', NA]}
    where: item.carrier != 'XX'
    task: python
    batch_size: 50
    inputs:
      code: |
        with open('ran', 'a') as ran:
            ran.write(f"{len(item)}\n")
        return [row for row in item if (row['dep_delay'] or 0) > 30]
    outputs: {path: late.csv.gz}
"#;

#[test]
#[ignore = "heavy: two folders"]
fn a_colleague_goes_on_where_the_folder_was_left() {
    let mine = Job { sandbox: Sandbox::with(WORKFLOW), steps: &["delays"], made: &["late.csv.gz"] };
    mine.write("in/1.csv", some_flights(1, 300));
    mine.sandbox.run(&["--max-items", "100"]).exits_with(0);
    assert_eq!(mine.ran(), ["50", "50"]);

    let theirs = Job { sandbox: Sandbox::new(), steps: &["delays"], made: &["late.csv.gz"] };
    let mut copy = Command::new("sh");
    copy.args(["-c", "cp -a \"$1/.\" .", "sh"]).arg(mine.sandbox.path()).current_dir(theirs.sandbox.path());
    assert_eq!(ended(&mut copy).code, Some(0));
    theirs.sandbox.run(&["--resume"]).exits_with(0).says(&["200 of 300 items will run"]);
    assert_eq!(theirs.ran().len(), 4);
    theirs.is_as_fresh(0, &[]);
    assert!(mine.ran().is_empty(), "nothing runs in the folder that was copied");

    // They mend a row and add a file; the first folder knows nothing of it.
    let mended = theirs.sandbox.read("in/1.csv").replacen(",UA,", ",XX,", 1);
    theirs.write("in/1.csv", mended);
    theirs.write("in/2.csv", some_flights(2, 100));
    theirs.sandbox.batchmill(&["resume"]).exits_with(0).says(&["`where` left out 1 of 400 items"]);
    theirs.is_as_fresh(0, &[]);
    mine.sandbox.run(&["--resume"]).exits_with(0).says(&["200 of 300 items will run"]);
    mine.is_as_fresh(0, &[]);
}
