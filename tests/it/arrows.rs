//! Which module may import which, and where each heavy crate may be used. `docs/architecture.md` says what each module owns.

use crate::source_tree::rust_files as files;
use crate::support::repository;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("measure", &["model"]),
    ("text", &[]),
    ("causes", &["model"]),
    ("control", &["model"]),
    ("wire", &["model"]),
    ("spec", &["text", "model"]),
    ("template", &["model"]),
    ("report", &["causes", "measure", "text", "model"]),
    ("rows", &["model"]),
    ("database", &["model"]),
    ("export", &["text", "database", "model"]),
    ("columnar", &["rows", "model"]),
    ("reduce", &["spec"]),
    ("ledger", &["measure", "columnar", "model"]),
    ("sources", &["database", "sniff", "spec", "template", "rows", "columnar", "model"]),
    ("sniff", &["model"]),
    ("survey", &["sniff", "sources", "spec", "rows", "columnar", "model"]),
    ("task", &["measure", "text", "spec", "template", "rows", "wire", "model"]),
    ("worker", &["columnar", "rows", "text", "wire", "model"]),
    ("compile", &["database", "text", "export", "ledger", "sniff", "sources", "task", "spec", "template", "model"]),
    ("resume", &["ledger", "sources", "model"]),
    ("pipeline", &["measure", "text", "compile", "resume", "sources", "task", "spec", "template", "rows", "model"]),
    (
        "run",
        &[
            "control", "causes", "measure", "text", "pipeline", "resume", "reduce", "compile", "database", "export",
            "ledger", "sources", "task", "spec", "template", "columnar", "wire", "model",
        ],
    ),
    (
        "profile",
        &[
            "measure", "text", "run", "pipeline", "compile", "ledger", "sources", "task", "spec", "template", "wire",
            "model",
        ],
    ),
    ("client", &["measure", "text", "pipeline", "compile", "ledger", "sources", "task", "spec", "wire", "model"]),
    ("host", &["measure", "text", "compile", "task", "spec", "template", "wire", "model"]),
    (
        "cli",
        &[
            "client", "control", "host", "serve", "sniff", "profile", "causes", "explain", "measure", "text", "run",
            "resume", "compile", "export", "ledger", "sources", "survey", "report", "spec", "task", "template", "wire",
            "model",
        ],
    ),
    ("serve", &["control", "explain", "ledger", "report", "text", "model"]),
    ("explain", &["causes", "profile", "measure", "ledger", "report", "text", "model"]),
    ("bindings", &["worker"]),
];

/// Crates that may be used in one place only.
const HOMES: &[(&str, &[&str])] = &[
    ("pyo3", &["src/worker", "src/bindings"]),
    ("jiter", &["src/template", "src/worker"]),
    ("rusqlite", &["src/ledger", "src/sources/sql", "src/database"]),
    ("postgres", &["src/sources/sql", "src/database"]),
    ("tokio_postgres_rustls", &["src/database"]),
    ("csv", &["src/export", "src/rows"]),
    ("ureq", &["src/task/kinds/http"]),
    ("rustls", &["src/task/kinds/http", "src/database"]),
    ("rustls_native_certs", &["src/task/kinds/http", "src/database"]),
    ("openssl_probe", &["src/task/kinds/http", "src/database"]),
    ("cookie_store", &["src/task/kinds/http"]),
    ("url", &["src/task/kinds/http"]),
    ("ipnet", &["src/task/kinds/http"]),
    ("rayon", &["src/pipeline"]),
    ("nix", &["src/task", "src/worker"]),
    ("hdrhistogram", &["src/measure"]),
    ("plotters", &["src/explain"]),
    ("hyper", &["src/serve"]),
    ("hyper_util", &["src/serve"]),
    ("http_body_util", &["src/serve"]),
    ("tokio", &["src/serve"]),
    ("clap", &["src/cli"]),
    ("clap_complete", &["src/cli"]),
    ("clap_mangen", &["src/cli"]),
    ("indicatif", &["src/report"]),
    ("prometheus_client", &["src/report"]),
    ("comfy_table", &["src/cli"]),
    ("zip", &["src/sources/files"]),
    ("chardetng", &["src/survey", "src/sources"]),
    ("parquet", &["src/export", "src/sources"]),
    ("arrow_json", &["src/export"]),
    ("arrow_array", &["src/columnar", "src/export", "src/worker", "src/sources/table"]),
    ("arrow_buffer", &["src/columnar"]),
    ("arrow_cast", &["src/columnar"]),
    ("arrow_schema", &["src/columnar", "src/export", "src/worker", "src/sources/table"]),
    ("arrow_ipc", &["src/columnar"]),
    (
        "encoding_rs",
        &[
            "src/sources",
            "src/survey",
            "src/spec",
            "src/task/kinds/http",
            "src/task/kinds/python",
            "src/cli/verbs/inspect",
        ],
    ),
    ("saphyr_parser", &["src/spec"]),
    ("annotate_snippets", &["src/spec"]),
    ("aho_corasick", &["src/text"]),
    ("unicode_width", &["src/text"]),
    ("console", &["src/cli", "src/report"]),
    ("shlex", &["src/report", "src/template"]),
];

/// The code of a file without comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// Top-level modules that a text names through `crate::`.
fn imports(code: &str) -> Vec<String> {
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut names: Vec<String> = code.split("crate::").skip(1).map(name).collect();
    for group in code.split("crate::{").skip(1) {
        let inside: String = group.chars().take_while(|c| *c != ';').collect();
        names.extend(inside.split(',').map(|part| name(part.trim())));
    }
    names
}

#[test]
fn no_module_imports_what_it_may_not() {
    let source = repository().join("src");
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (module, may) in &allowed {
        let paths = files(&source.join(module));
        assert!(!paths.is_empty(), "there is no module `{module}`");
        // Tests may set up what the module itself knows nothing of.
        for path in paths.into_iter().filter(|path| !path.ends_with("tests.rs")) {
            let others = imports(&code(&path)).into_iter().filter(|name| allowed.contains_key(name.as_str()));
            let bad = others.filter(|name| name != module && !may.contains(&name.as_str()));
            wrong.extend(bad.map(|name| format!("{} imports {name}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let modules = fs::read_dir(&source).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir());
    let unknown: Vec<_> = modules.map(|entry| entry.file_name().into_string().unwrap()).collect();
    let unknown: Vec<_> =
        unknown.iter().filter(|name| *name != "bin" && !allowed.contains_key(name.as_str())).collect();
    assert!(unknown.is_empty(), "modules without arrows: {unknown:?}");
}

#[test]
fn no_verb_imports_another_verb() {
    let folder = repository().join("src/cli/verbs");
    for path in files(&folder) {
        let own = path.strip_prefix(&folder).unwrap().iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if own != "mod" {
            let code = code(&path).replace(&format!("verbs::{own}"), "");
            assert!(!code.contains("verbs::"), "{} imports another verb", path.display());
            // From a verb's own file, `super` is the list of verbs.
            assert!(path.parent() != Some(&*folder) || !code.contains("super::"), "{}", path.display());
        }
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn each_heavy_crate_has_one_home() {
    let root = repository();
    for (name, homes) in HOMES {
        for path in files(&root.join("src")) {
            let path = path.strip_prefix(root).unwrap().to_path_buf();
            let at_home = homes.iter().any(|home| path.starts_with(home));
            let code = code(&root.join(&path));
            let inside_a_word = |before: &str| before.ends_with(|last: char| last.is_alphanumeric() || last == '_');
            let used = code.match_indices(&format!("{name}::")).any(|(at, _)| !inside_a_word(&code[..at]));
            assert!(at_home || !used, "`{name}` is used in {}", path.display());
        }
    }
}

#[test]
fn unsafe_code_is_in_three_small_modules() {
    let root = repository();
    let with_unsafe: Vec<PathBuf> =
        files(&root.join("src")).into_iter().filter(|path| code(path).contains("unsafe {")).collect();
    let names: Vec<_> = with_unsafe.iter().map(|path| path.strip_prefix(root).unwrap().display().to_string()).collect();
    let names: std::collections::BTreeSet<_> = names.into_iter().collect();
    let three = ["src/worker/bare.rs", "src/worker/page.rs", "src/worker/sampler.rs"].map(str::to_owned);
    assert_eq!(names, three.into());
}
