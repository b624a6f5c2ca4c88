//! Workflow files, read by another reader of YAML.

use crate::spec::source_file::SourceFile;
use crate::spec::yaml;
use std::path::Path;

/// serde_yaml is what most programs read YAML with. It is not used to read workflows, because it stops at the first error.
#[test]
fn workflows_are_read_as_serde_yaml_reads_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/workflows");
    let (mut folders, mut compared) = (vec![folder], 0);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            // A template that is not quoted is no YAML.
            let Ok(expected) = serde_yaml::from_str::<serde_json::Value>(&text) else { continue };
            let source = SourceFile { path: path.clone(), text };
            let Ok((Some(root), _)) = yaml::load_any(&source, &[]) else { continue };
            assert_eq!(root.to_json(), expected, "{}", path.display());
            compared += 1;
        }
    }
    assert!(compared > 5, "{compared}");
}
