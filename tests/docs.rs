//! The documentation is true: every key is in the reference, examples are workflows, links lead somewhere, and the commands of
//! a page print what the page says.
//!
//! A block of a page that follows a line ending in `` `NAME`: `` is a file of that name. A block marked `console` is a session:
//! lines that begin with `$ ` are commands, the others are what they print. The sessions of a page run in one fresh directory,
//! with the page's files as they stand at that point. Run identifiers, times and rates are not compared.
//!
//! After you change a message, `BATCHMILL_UPDATE_DOCS=1 cargo test --test docs` writes the new output into the pages.

#![expect(clippy::unwrap_used, reason = "a test may fail so")]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Pages that must start with a session, before their first section.
const FIRST_EXAMPLE: [&str; 2] = ["docs/reference/", "docs/get-started.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Markdown files in a directory and below it, relative to the repository.
fn pages_in(directory: &str) -> Vec<String> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(root().join(directory)).unwrap().map(Result::unwrap) {
        let path = format!("{directory}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            pages.extend(pages_in(&path));
        } else if path.ends_with(".md") {
            pages.push(path);
        }
    }
    pages.sort();
    pages
}

/// Every page of the documentation.
fn pages() -> Vec<String> {
    let top = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(str::to_owned);
    top.into_iter().chain(["docs", "benches", "fixtures"].into_iter().flat_map(pages_in)).collect()
}

fn read(page: &str) -> String {
    let path = root().join(page);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read `{}`: {error}", path.display()))
}

/// A fenced block of a page.
struct Block {
    /// Line of the fence, from 1.
    line: usize,
    /// What follows the fence, for instance `yaml`.
    info: String,
    /// The file that the block shows, if the line above names one.
    file: Option<String>,
    text: String,
}

/// The fenced blocks of a page, and its lines outside of them.
fn split(text: &str) -> (Vec<Block>, Vec<(usize, String)>) {
    let (mut blocks, mut prose) = (Vec::new(), Vec::<(usize, String)>::new());
    let mut above: Option<String> = None;
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        match (open.is_some(), line.strip_prefix("```")) {
            (false, Some(info)) => {
                let file = above.take().and_then(|line| file_name(&line));
                open = Some(Block { line: index + 1, info: info.trim().to_owned(), file, text: String::new() });
            }
            (true, Some(_)) => blocks.extend(open.take()),
            (_, None) => match &mut open {
                Some(block) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                None => {
                    above = (!line.trim().is_empty()).then(|| line.to_owned()).or(above);
                    prose.push((index + 1, line.to_owned()));
                }
            },
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    (blocks, prose)
}

/// The name at the end of a line such as "Save this as `orders.yaml`:".
fn file_name(line: &str) -> Option<String> {
    let (_, name) = line.trim_end().strip_suffix("`:")?.rsplit_once('`')?;
    (name.contains('.') && !name.contains(' ')).then(|| name.to_owned())
}

#[test]
fn every_key_is_in_the_reference() {
    let reference: String = pages_in("docs/reference").iter().map(|page| read(page)).collect();
    let mut missing = Vec::new();
    for group in batchmill::spec::key_groups() {
        for key in group.keys {
            if !reference.contains(&format!("`{}`", key.name)) {
                missing.push(format!("{}.{}", group.name, key.name));
            }
        }
    }
    assert!(missing.is_empty(), "not in docs/reference: {missing:?}");
}

#[test]
fn every_example_is_a_workflow() {
    let mut wrong = Vec::new();
    let mut parsed = 0;
    for page in pages() {
        let (blocks, _) = split(&read(&page));
        let examples = blocks
            .iter()
            .filter(|block| block.info == "yaml" && block.text.lines().any(|line| line.starts_with("steps:")));
        for block in examples {
            parsed += 1;
            if let Err(faults) = batchmill::spec::parse(Path::new("example.yaml"), block.text.as_bytes()) {
                wrong.push(format!("{page}, line {}:\n{}", block.line, faults.render(batchmill::spec::Style::Plain)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(parsed > 25, "only {parsed} examples were found");
}

#[test]
fn every_link_to_a_file_finds_it() {
    let mut wrong = Vec::new();
    for page in pages() {
        let folder = root().join(&page).parent().map(Path::to_path_buf).unwrap_or_default();
        let (_, prose) = split(&read(&page));
        for (line, text) in prose {
            for target in targets(&text) {
                if let Some(why) = broken(&page, &folder, target) {
                    wrong.push(format!("{page}, line {line}: `{target}` {why}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_page_of_docs_is_in_an_index() {
    let indexes = ["docs/README.md", "docs/reference/README.md"];
    let linked: Vec<PathBuf> = indexes
        .iter()
        .flat_map(|index| {
            let folder = Path::new(index).parent().unwrap().to_path_buf();
            let (_, prose) = split(&read(index));
            prose
                .iter()
                .flat_map(|(_, line)| targets(line).into_iter().map(|it| folder.join(it)).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        })
        .collect();
    let missing: Vec<_> =
        pages_in("docs").into_iter().filter(|page| *page != indexes[0] && !linked.contains(&page.into())).collect();
    assert!(missing.is_empty(), "in no index: {missing:?}");
}

/// What is between `](` and the next `)`.
fn targets(line: &str) -> Vec<&str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect()
}

/// Why a link leads nowhere; none if it is fine, or leads out of the repository.
fn broken(page: &str, folder: &Path, target: &str) -> Option<String> {
    if target.contains("://") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path: PathBuf = if file.is_empty() { root().join(page) } else { folder.join(file) };
    if !path.exists() {
        return Some("does not exist".to_owned());
    }
    if anchor.is_empty() {
        return None;
    }
    let text = fs::read_to_string(&path).ok()?;
    let (_, prose) = split(&text);
    let found = prose.iter().any(|(_, line)| line.starts_with('#') && anchor_of(line) == anchor);
    (!found).then(|| "names a heading that does not exist".to_owned())
}

/// The anchor that a heading gets: lower case, spaces as hyphens, no other punctuation.
fn anchor_of(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(*c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_page_of_the_reference_starts_with_an_example_that_runs() {
    let mut missing = Vec::new();
    for page in pages_in("docs") {
        let expected = FIRST_EXAMPLE.iter().any(|start| page.starts_with(start)) && !page.ends_with("/README.md");
        let (blocks, prose) = split(&read(&page));
        let section = prose.iter().find(|(_, line)| line.starts_with("## ")).map_or(usize::MAX, |(line, _)| *line);
        if expected && !blocks.iter().any(|block| block.info == "console" && block.line < section) {
            missing.push(page);
        }
    }
    assert!(missing.is_empty(), "no session before the first section: {missing:?}");
}

#[test]
fn every_session_prints_what_its_page_says() {
    let update = std::env::var_os("BATCHMILL_UPDATE_DOCS").is_some();
    let mut wrong = Vec::new();
    for page in pages() {
        let mut text = read(&page);
        let (blocks, _) = split(&text);
        let mut session = Session::new();
        let before = wrong.len();
        for block in &blocks {
            match &block.file {
                Some(name) => session.write(name, &block.text),
                None if block.info == "console" => {
                    let printed = session.run(&block.text);
                    if !printed.lines().map(steady).eq(block.text.lines().map(steady)) {
                        wrong.push(format!("{page}, line {}: it prints\n{printed}", block.line));
                    }
                    text = text.replacen(&format!("```console\n{}", block.text), &format!("```console\n{printed}"), 1);
                }
                None => {}
            }
        }
        // All sessions of the page are written, so that a run has one identifier in it.
        if update && wrong.len() > before {
            fs::write(root().join(&page), text).unwrap();
        }
    }
    assert!(update || wrong.is_empty(), "{}\nBATCHMILL_UPDATE_DOCS=1 writes this into the pages", wrong.join("\n"));
}

/// A directory in which the commands of a page run.
struct Session {
    directory: tempfile::TempDir,
    /// How the last command ended, for `$?`.
    status: i32,
}

impl Session {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), status: 0 }
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Runs the commands of a block; gives the block with what they print now.
    fn run(&mut self, block: &str) -> String {
        let mut text = String::new();
        for command in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let printed = self.command(command);
            text.push_str(&format!("$ {command}\n"));
            printed.trim_end().lines().for_each(|line| text.push_str(&format!("{line}\n")));
        }
        text
    }

    /// What a command prints, stdout and stderr in the order in which a terminal shows them.
    fn command(&mut self, command: &str) -> String {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let programs = Path::new(env!("CARGO_BIN_EXE_batchmill")).parent().unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("(exit {})\n{command}", self.status));
        shell.current_dir(self.directory.path()).env("PATH", path).stdin(Stdio::null());
        for name in ["VIRTUAL_ENV", "CONDA_PREFIX", "BATCHMILL_STATE_DIR", "PYTHONPATH"] {
            shell.env_remove(name);
        }
        shell.env("BATCHMILL_PYTHON", python()).env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
        let mut child = shell.stdout(writer.try_clone().unwrap()).stderr(writer).spawn().unwrap();
        // The command holds the other end of the pipe: reading ends only when all of its writers are gone.
        drop(shell);
        let mut printed = String::new();
        reader.read_to_string(&mut printed).unwrap();
        self.status = child.wait().unwrap().code().unwrap_or(1);
        printed
    }
}

/// The interpreter of the test environment.
fn python() -> PathBuf {
    let set = std::env::var_os("BATCHMILL_TEST_PYTHON").map(PathBuf::from);
    let python = set.unwrap_or_else(|| root().join(".venv/bin/python"));
    assert!(python.exists(), "`{}` is missing: `make test` sets it up", python.display());
    python
}

/// A line without what changes from run to run: run identifiers, times, rates, and the width of columns.
fn steady(line: &str) -> String {
    const UNITS: [&str; 6] = ["ms", "s", "min", "h", "items/s", "rows/s"];
    const MEASURED: [&str; 4] = ["\"duration\":", "\"items_per_second\":", "\"ledger\":", "\"elapsed\":"];
    let number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'(' | b'.' | b','));
    let line = without_run(line);
    let mut words: Vec<&str> = Vec::new();
    for word in line.split_whitespace() {
        if is_clock(word) {
            words.push("CLOCK");
            continue;
        }
        let rate = ["/s", "/min", "/h"].iter().find_map(|per| word.strip_suffix(per));
        if rate.is_some_and(|rate| !rate.is_empty() && number(rate)) {
            words.push("RATE");
            continue;
        }
        let unit = UNITS.contains(&word.trim_end_matches([')', ',']));
        match words.last().copied() {
            Some(before) if unit && number(before) => {
                words.pop();
                words.extend((words.last() != Some(&"TIME")).then_some("TIME"));
            }
            Some(before) if MEASURED.contains(&before) => words.push("TIME"),
            _ => words.push(word),
        }
    }
    words.join(" ")
}

/// Whether a word is a time of the day, such as `08:59:02.171`.
fn is_clock(word: &str) -> bool {
    let shape = |byte: u8| if byte.is_ascii_digit() { b'0' } else { byte };
    word.bytes().map(shape).eq(*b"00:00:00.000")
}

/// The line with `RUN` in place of an identifier such as `20260131-142530123-flights-k3f9`.
fn without_run(line: &str) -> String {
    let shape = b"dddddddd-ddddddddd-";
    let fits = |text: &str| {
        let same = |(kind, byte): (&u8, u8)| if *kind == b'd' { byte.is_ascii_digit() } else { byte == *kind };
        text.len() >= shape.len() && shape.iter().zip(text.bytes()).all(same)
    };
    let at = line.char_indices().map(|(at, _)| at).find(|at| fits(&line[*at..]));
    let Some(at) = at else { return line.to_owned() };
    let rest = line[at..].trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    format!("{}RUN{}", &line[..at], without_run(rest))
}

#[test]
fn only_what_changes_from_run_to_run_is_left_out_of_a_comparison() {
    let run = "20260131-142530123-flights-k3f9";
    assert_eq!(steady(&format!("run {run} started")), "run RUN started");
    assert_eq!(steady("  price   3 items, 1 failed in 66 ms (45 items/s)"), "price 3 items, 1 failed in TIME");
    assert_eq!(steady("  price   3 items, 1 failed in 2 min 5 s (1 items/s)"), "price 3 items, 1 failed in TIME");
    assert_eq!(steady("  price   3   2   66 ms  1,245/s"), "price 3 2 TIME RATE");
    assert_eq!(steady("price  2  item 3"), "price 2 item 3");
    assert_eq!(steady(&format!("{{\"run\":\"{run}\",\"steps\":1}}")), "{\"run\":\"RUN\",\"steps\":1}");
    assert_eq!(steady("\"duration\": 0.12,"), "\"duration\": TIME");
    assert_eq!(steady("08:59:02.171 load[0] x"), "CLOCK load[0] x");
}
