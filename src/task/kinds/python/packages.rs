//! The packages that an interpreter can import, by the names of what installers leave: `NAME-VERSION.dist-info` and
//! `NAME-VERSION-py3.11.egg-info`. Reading these names takes a millisecond; asking the interpreter would take a tenth of a second.

use std::collections::BTreeMap;
use std::fs;

/// The versions of the packages in these directories, by name. As in the interpreter, the first one of a name counts.
pub(super) fn packages_in(path: &[String]) -> BTreeMap<String, String> {
    let mut packages = BTreeMap::new();
    for folder in path.iter().filter(|folder| !folder.is_empty()) {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        for (name, version) in names.filter_map(|name| package(&name)) {
            packages.entry(name).or_insert(version);
        }
    }
    packages
}

/// Name and version of a package.
fn package(file: &str) -> Option<(String, String)> {
    let (name, version) = match file.strip_suffix(".dist-info") {
        Some(stem) => stem.split_once('-')?,
        None => {
            let (name, rest) = file.strip_suffix(".egg-info")?.split_once('-')?;
            (name, rest.rsplit_once("-py").map_or(rest, |(version, _)| version))
        }
    };
    (!name.is_empty() && version.starts_with(|c: char| c.is_ascii_digit()))
        .then(|| (name.to_lowercase().replace('_', "-"), version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_read_from_what_installers_leave() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in ["numpy-2.3.1.dist-info", "Typing_Extensions-4.12.2.dist-info", "numpy", "x.dist-info"] {
            fs::create_dir(first.path().join(name)).unwrap();
        }
        for name in ["numpy-1.0.dist-info", "PyYAML-6.0-py3.11.egg-info", "mine.egg-info", "~umpy-1.dist-info.tmp"] {
            fs::create_dir(second.path().join(name)).unwrap();
        }
        let path = [first.path(), second.path()].map(|path| path.display().to_string());
        let found: Vec<String> = packages_in(&path).iter().map(|(name, version)| format!("{name} {version}")).collect();
        assert_eq!(found, ["numpy 2.3.1", "pyyaml 6.0", "typing-extensions 4.12.2"]);
        assert!(packages_in(&[String::new(), "/nonexistent".to_owned()]).is_empty());
    }
}
