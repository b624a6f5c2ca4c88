//! `{glob:}`: the files that match, sorted by name, no file twice. Each is also identified by its size and
//! modification time.

use super::error::SourceError;
use super::lines;
use super::list::List;
use super::pattern::matching_files;
use crate::model::Text;
use crate::template::{ItemScope, Template};
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

pub(super) fn open(patterns: &[Text], scope: &Arc<ItemScope>) -> Result<List, SourceError> {
    let mut files = BTreeSet::new();
    for pattern in patterns {
        files.extend(matching_files(&Template::compile(pattern)?.string(scope)?)?);
    }
    let item = |path: PathBuf| {
        let json = lines::item(path.as_os_str().as_bytes(), 1, "glob");
        json.map_err(|_| SourceError::NotUtf8(format!("the name of `{}`", path.display()))).transpose()
    };
    files.into_iter().filter_map(item).collect::<Result<_, _>>().map(List::of_files)
}
