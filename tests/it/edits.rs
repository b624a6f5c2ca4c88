//! Random workflows under random edits: whatever was changed between two executions, `resume` and `run --incremental` give what a
//! fresh run gives.

use crate::support::Sandbox;
use std::fmt::Write as _;
use std::fs;

/// A small generator of numbers, so that a failure can be repeated by its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// Where the items come from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Source {
    List,
    Files,
    Csv,
    JsonLines,
    Lines,
}

/// A workflow and everything around it that an edit may change.
#[derive(Debug, Clone)]
struct World {
    source: Source,
    /// The values of the items.
    items: Vec<String>,
    /// What the task makes of an item, besides its value.
    looks_at: Vec<&'static str>,
    constant: usize,
    default: usize,
    given: Option<usize>,
    variable: usize,
    first: usize,
    batch_size: usize,
    batched: bool,
    next: u32,
}

const LOOKS: [&str; 6] =
    ["x", "index", "env.get('SOME_V')", "steps.first.result", "params['x']", "str(dict(steps)['first'].result)"];

impl World {
    fn new(dice: &mut Dice) -> Self {
        let source = [Source::List, Source::Files, Source::Csv, Source::JsonLines, Source::Lines][dice.roll(5)];
        let looks_at = LOOKS.into_iter().filter(|_| dice.roll(4) == 0).collect();
        let batched = matches!(source, Source::Csv | Source::JsonLines) && dice.roll(3) == 0;
        let mut world = Self {
            source,
            items: Vec::new(),
            looks_at,
            constant: 0,
            default: 0,
            given: None,
            variable: 0,
            first: 0,
            batch_size: 1 + dice.roll(4),
            batched,
            next: 0,
        };
        (0..3 + dice.roll(6)).for_each(|_| world.add(dice));
        world
    }

    fn add(&mut self, dice: &mut Dice) {
        self.next += 1;
        // Some are equal, and some fail.
        let value = match dice.roll(8) {
            0 if self.source != Source::Files => "same".to_owned(),
            1 => format!("bad{}", self.next),
            _ => format!("v{}", self.next),
        };
        let at = dice.roll(self.items.len() + 1);
        self.items.insert(at, value);
    }

    fn edit(&mut self, dice: &mut Dice) -> &'static str {
        match dice.roll(12) {
            0 | 1 => {
                self.add(dice);
                "an item more"
            }
            2 if self.items.len() > 1 => {
                let at = dice.roll(self.items.len());
                self.items.remove(at);
                "an item less"
            }
            3 => {
                let at = dice.roll(self.items.len());
                self.next += 1;
                self.items[at] = format!("m{}", self.next);
                "an item mended"
            }
            4 => {
                let (one, other) = (dice.roll(self.items.len()), dice.roll(self.items.len()));
                self.items.swap(one, other);
                "items changed places"
            }
            5 => {
                self.constant += 1;
                "code"
            }
            6 => {
                self.default += 1;
                "a default"
            }
            7 => {
                self.given = Some(100 + dice.roll(3));
                "a parameter"
            }
            8 => {
                self.variable += 1;
                "a variable of the environment"
            }
            9 => {
                self.first += 1;
                "an earlier step"
            }
            10 if !self.batched => {
                self.batch_size = 1 + dice.roll(4);
                "batch_size"
            }
            _ => "nothing",
        }
    }

    fn workflow(&self) -> String {
        let item = match self.source {
            Source::List | Source::Lines => "item",
            Source::Files => "open(item).read()",
            Source::Csv | Source::JsonLines => "item['v']",
        };
        let items = match self.source {
            Source::List => format!("[{}]", self.items.join(", ")),
            Source::Files => "{glob: 'd/*'}".to_owned(),
            Source::Csv => "{csv: rows.csv}".to_owned(),
            Source::JsonLines => "{jsonl: rows.jsonl}".to_owned(),
            Source::Lines => "{lines: lines.txt}".to_owned(),
        };
        let looks = self.looks_at.iter().fold(String::new(), |text, look| text + ", " + look);
        let constant = self.constant;
        let code = if self.batched {
            let looks = looks.replace(", index", "");
            format!("if any('bad' in r['v'] for r in item): raise ValueError('bad'); return [[r['v'], {constant}{looks}] for r in item]")
                .replace("; ", "\n          ")
        } else {
            format!("v = {item}\n          if 'bad' in v: raise ValueError(v)\n          return [v, {constant}{looks}]")
        };
        let (default, first, size, batched) = (self.default, self.first, self.batch_size, self.batched);
        format!(
            "params: {{x: {{default: {default}}}}}
steps:
  - {{name: first, task: echo, inputs: {{message: {first}}}}}
  - name: work
    task: batch
    inputs:
      items: {items}
      batch_size: {size}
      batched: {batched}
      bisect_on_error: {batched}
      continue_on_error: true
      task:
        type: python
        code: |
          {code}
    outputs: {{path: out.jsonl}}
  - name: each
    for_each: '{{{{ steps.work.result }}}}'
    task: python
    inputs: {{code: 'return item[0]'}}
  - name: sum
    task: python
    inputs: {{code: 'return [len(steps.work.result), len(steps.work.failed), len(steps.each.result)]'}}
"
        )
    }

    /// Writes the world into a folder.
    fn write(&self, sandbox: Sandbox) -> Sandbox {
        let path = sandbox.path().join("d");
        let sandbox = sandbox.file("workflow.yaml", self.workflow()).env("SOME_V", self.variable.to_string());
        match self.source {
            Source::List => sandbox,
            Source::Files => {
                for entry in fs::read_dir(&path).into_iter().flatten().map(Result::unwrap) {
                    if !self.items.contains(&entry.file_name().into_string().unwrap()) {
                        fs::remove_file(entry.path()).unwrap();
                    }
                }
                // A file is named by its first value, so a mended one is another one.
                self.items.iter().fold(sandbox, |sandbox, item| {
                    if sandbox.exists(&format!("d/{item}")) {
                        sandbox
                    } else {
                        sandbox.file(&format!("d/{item}"), item)
                    }
                })
            }
            Source::Csv => {
                sandbox.file("rows.csv", self.items.iter().fold("v\n".to_owned(), |text, item| text + item + "\n"))
            }
            Source::JsonLines => sandbox.file("rows.jsonl", self.lines(|item| format!("{{\"v\":\"{item}\"}}"))),
            Source::Lines => sandbox.file("lines.txt", self.lines(str::to_owned)),
        }
    }

    fn lines(&self, line: impl Fn(&str) -> String) -> String {
        self.items.iter().fold(String::new(), |mut text, item| {
            let _ = writeln!(text, "{}", line(item));
            text
        })
    }
}

/// What a run gave: the results of its steps, its output file, and how many items failed. What a batched task gave belongs to a
/// batch as a whole, which stands where its first item does, so it is compared without its order.
fn given(sandbox: &Sandbox, state: &str, batched: bool) -> String {
    let ordered = |text: String| {
        let mut lines: Vec<&str> = text.lines().collect();
        if batched {
            lines.sort_unstable();
        }
        lines.join("\n")
    };
    let mut text = String::new();
    for step in ["first", "work", "each", "sum"] {
        let ended = sandbox.batchmill(&["results", "--step", step, "--state-dir", state]);
        let _ = writeln!(text, "{step}: {}", ordered(ended.stdout));
    }
    let failed = sandbox.batchmill(&["failures", "--format", "json", "--state-dir", state]).json();
    let mut failed: Vec<String> =
        failed.as_array().unwrap().iter().map(|failure| format!("{} {}", failure["index"], failure["item"])).collect();
    failed.sort();
    let output = if sandbox.exists("out.jsonl") { sandbox.read("out.jsonl") } else { String::new() };
    text + &ordered(output) + &failed.join("\n")
}

fn play(seed: u64, edits: usize) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed);
    dice.roll(2);
    let mut world = World::new(&mut dice);
    let mut sandbox = world.write(Sandbox::new());
    sandbox.run(&["--state-dir", "state"]);
    let mut story = Vec::new();
    for edit in 0..edits {
        let given_before = world.given;
        story.push(world.edit(&mut dice));
        sandbox = world.write(sandbox);
        let parameter = world.given.map(|x| format!("x={x}"));
        // A parameter holds until it is given again, but not in a new run.
        let again: Vec<&str> = parameter.as_deref().filter(|_| world.given != given_before).into_iter().collect();
        let new: Vec<&str> = parameter.as_deref().into_iter().collect();
        match dice.roll(4) {
            0 | 1 => {
                story.push("resume");
                sandbox.batchmill(&[&["resume", "latest", "--state-dir", "state"], &again[..]].concat());
            }
            2 => {
                story.push("retry, then resume");
                sandbox.batchmill(&[&["retry", "latest", "--state-dir", "state"], &again[..]].concat());
                sandbox.batchmill(&["audit", "--state-dir", "state"]).exits_with(0);
                sandbox.batchmill(&["resume", "--state-dir", "state"]);
            }
            _ => {
                story.push("run --incremental");
                sandbox.run(&[&["--incremental", "--state-dir", "state"], &new[..]].concat());
            }
        }
        let again = given(&sandbox, "state", world.batched);
        let audit = sandbox.batchmill(&["audit", "--state-dir", "state"]);
        assert_eq!(audit.code, Some(0), "seed {seed}, {story:?}: {}", audit.stdout);
        let fresh_state = format!("fresh-{edit}");
        sandbox.run(&[&["--state-dir", &fresh_state], &new[..]].concat());
        let fresh = given(&sandbox, &fresh_state, world.batched);
        assert_eq!(again, fresh, "seed {seed}, {story:?}\n{world:?}\n{}", world.workflow());
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn an_edited_workflow_gives_what_a_fresh_run_gives() {
    (0..3).for_each(|seed| play(seed, 3));
}

#[test]
#[ignore = "heavy: some 500 runs"]
fn many_edited_workflows_give_what_fresh_runs_give() {
    (1000..1040).for_each(|seed| play(seed, 6));
}
