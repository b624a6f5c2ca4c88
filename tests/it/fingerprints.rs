//! Fingerprints last: what this version writes, later ones must be able to compare.

use crate::support::{Sandbox, python};
use std::process::Command;

/// A step of each kind, with each setting that results depend on.
const WORKFLOW: &str = r"
params: {size: 3, label: 'a|b'}
env: {RATE: '1.5'}
steps:
  - {name: words, task: shell, inputs: {command: 'echo {{ size }} $RATE', working_dir: '.', env: {A: b}}}
  - {name: argv, task: shell, inputs: {command: [echo, '{{ params.label }}']}}
  - {name: say, task: echo, inputs: {message: 'x {{ steps.words.result.stdout }}'}}
  - name: get
    task: batch
    inputs:
      items: [1]
      continue_on_error: true
      task:
        type: http_request
        url: 'http://127.0.0.1:1/{{ item }}'
        method: POST
        params: {q: [1, 2.50]}
        headers: {X-A: b}
        json: {a: null, b: [], c: {}}
  - name: code
    task: batch
    inputs:
      items: [1, 2]
      batch_size: 2
      task:
        type: python
        inputs: {factor: '{{ size }}'}
        setup: base = 1
        code: return [item * factor + base, batch.number]
  - name: rows
    for_each: {csv: rows.csv, types: infer, header: true}
    batch_size: 10
    batch_format: pyarrow
    task: python
    inputs: {code: return item.num_rows}
    outputs: {name: counted, item_files: 'out/{{ label }}'}
";

#[test]
fn fingerprints_are_those_of_the_versions_before() {
    let sandbox = Sandbox::with(WORKFLOW).file("rows.csv", "id,name\n1,a\n2,b\n");
    sandbox.run(&[]);
    let read = "import glob, json, sqlite3\n\
        db = sqlite3.connect(glob.glob('.batchmill/runs/*/run.db')[0])\n\
        rows = db.execute('SELECT s.name, f.version, f.parts FROM fingerprints f JOIN steps s ON s.id = f.step ORDER BY s.id')\n\
        for name, version, parts in rows:\n\
        \x20   print(name, version)\n\
        \x20   for key, value in sorted(json.loads(parts).items()):\n\
        \x20       if key != 'the version of Python': print('  ', key, value)\n";
    let output = Command::new(python()).args(["-c", read]).current_dir(sandbox.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap(), @r"
    words 2
       batched 43e71bbe0316e682
       env.RATE 6b31f29a63335311
       params.size 19305728ea37ca08
       task.command ad845e809186c1a5
       task.env.A f6467980ec089e27
       task.working_dir b0e9474c4d88d467
    argv 2
       batched 43e71bbe0316e682
       env.RATE 6b31f29a63335311
       params.label 9f68d44c16ecfe20
       params.size 19305728ea37ca08
       task.command d506e3ea4213ca60
    say 2
       batched 43e71bbe0316e682
       env.RATE 6b31f29a63335311
       results of words value-208f8a85f3ae3cd2
       task.message cbf15a87eebdeadd
    get 2
       batched 43e71bbe0316e682
       env.RATE 6b31f29a63335311
       task.headers.X-A f6467980ec089e27
       task.json 730b8880d63269d6
       task.method b92aeb870704faf0
       task.params.q e57299e6173324d3
       task.url 9fa042b9a2686c6c
    code 2
       batch_size fb95a7322f5da314
       batched 43e71bbe0316e682
       env.RATE 6b31f29a63335311
       params.size 19305728ea37ca08
       task.code 8b49076fd868b241
       task.factor 4c1a9b0cf2c63464
       task.setup 54ddd0adb8b416a9
    rows 2
       batch_format 770805c40b8a8100
       batched 40bbd512750b7629
       columns of the files e4f689f68eb21410
       env.RATE 6b31f29a63335311
       item_files eb3e1e10b3ebc8b6
       items.columns b785b6ec423c44e1
       items.delimiter a73e59ea24b1aac4
       items.encoding 38cc7360adca648b
       items.header 40bbd512750b7629
       items.null 831154110e30ac6a
       items.on_schema_drift 26238142fe64f8fe
       items.quote 3f08e04d07a9becd
       items.types 0543c037c8d1ecfc
       items.where_from b785b6ec423c44e1
       params.label 9f68d44c16ecfe20
       task.code 7b6f482735ccdbda
    ");
}
