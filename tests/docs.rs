//! What the documentation says is there, and its examples are workflows.

use std::fs;
use std::path::{Path, PathBuf};

/// Pages whose YAML examples are parsed.
const WITH_EXAMPLES: [&str; 2] = ["README.md", "docs/workflow-reference.md"];

/// Pages whose links are followed.
const PAGES: [&str; 5] =
    ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/workflow-reference.md", "docs/architecture.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(page: &str) -> String {
    let path = root().join(page);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read `{}`: {error}", path.display()))
}

/// A fenced block of a page.
struct Block {
    /// Line of the fence, from 1.
    line: usize,
    /// What stands behind the fence, for instance `yaml`.
    info: String,
    text: String,
}

/// The fenced blocks of a page, and its lines outside of them.
fn split(text: &str) -> (Vec<Block>, Vec<(usize, String)>) {
    let (mut blocks, mut prose) = (Vec::new(), Vec::new());
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        match (open.is_some(), line.strip_prefix("```")) {
            (false, Some(info)) => {
                open = Some(Block { line: index + 1, info: info.trim().to_owned(), text: String::new() });
            }
            (true, Some(_)) => blocks.extend(open.take()),
            (_, None) => match &mut open {
                Some(block) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                None => prose.push((index + 1, line.to_owned())),
            },
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    (blocks, prose)
}

#[test]
fn every_key_is_in_the_reference() {
    let reference = read("docs/workflow-reference.md");
    let mut missing = Vec::new();
    for group in batchmill::spec::key_groups() {
        for key in group.keys {
            if !reference.contains(&format!("`{}`", key.name)) {
                missing.push(format!("{}.{}", group.name, key.name));
            }
        }
    }
    assert!(missing.is_empty(), "not in docs/workflow-reference.md: {missing:?}");
}

#[test]
fn every_example_is_a_workflow() {
    let mut wrong = Vec::new();
    let mut parsed = 0;
    for page in WITH_EXAMPLES {
        let (blocks, _) = split(&read(page));
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
    assert!(parsed > 5, "only {parsed} examples were found");
}

#[test]
fn every_link_to_a_file_finds_it() {
    let mut wrong = Vec::new();
    for page in PAGES {
        let folder = root().join(page).parent().map(Path::to_path_buf).unwrap_or_default();
        let (_, prose) = split(&read(page));
        for (line, text) in prose {
            for target in targets(&text) {
                if let Some(why) = broken(page, &folder, target) {
                    wrong.push(format!("{page}, line {line}: `{target}` {why}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What stands between `](` and the next `)`.
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
        return Some("is not there".to_owned());
    }
    if anchor.is_empty() {
        return None;
    }
    let text = fs::read_to_string(&path).ok()?;
    let (_, prose) = split(&text);
    let found = prose.iter().any(|(_, line)| line.starts_with('#') && anchor_of(line) == anchor);
    (!found).then(|| "names a heading that is not there".to_owned())
}

/// The anchor that a heading gets: lower case, spaces as hyphens, no other punctuation.
fn anchor_of(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(*c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
