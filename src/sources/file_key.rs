//! The keys of files: what tells that a file has changed.

use crate::model::{Compare, ItemKey};
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The key of an item. If it names a file that is there, and files are compared, it is that of the file.
pub fn key_of(item: &[u8], files: Option<Compare>) -> ItemKey {
    let file = files.and_then(|by| {
        let path: String = serde_json::from_slice(item).ok()?;
        if by == Compare::Content {
            return content_key(item, path.as_ref());
        }
        let metadata = std::fs::metadata(path).ok().filter(Metadata::is_file)?;
        Some(stat_key(item, &metadata))
    });
    file.unwrap_or_else(|| ItemKey::of(item))
}

/// The key of a file by its name, size and modification time.
pub(super) fn stat_key(name: &[u8], metadata: &Metadata) -> ItemKey {
    let modified = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    ItemKey::of_file(name, metadata.len(), modified)
}

/// The key of a file by its name and content; none if it cannot be read.
pub(super) fn content_key(name: &[u8], path: &Path) -> Option<ItemKey> {
    let mut file = File::open(path).ok()?;
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    hash.update(name);
    // Small, because many files are: it is zeroed for each of them.
    let mut chunk = [0; 16 << 10];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Some(ItemKey::from(hash.digest128())),
            Ok(read) => hash.update(&chunk[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}
