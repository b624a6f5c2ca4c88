//! A list: written in the workflow, or given by a template, such as the results of an earlier step.

use super::chunk::Chunk;
use super::error::SourceError;
use super::file_key::key_of;
use super::source::{Reread, Source};
use crate::model::{self, Compare, Text, Tree};
use crate::template::{CompiledTree, ItemScope, Template, value_to_json};
use minijinja::value::ValueKind;
use std::sync::{Arc, OnceLock};

/// Items in memory.
pub(super) struct List {
    items: Vec<Box<[u8]>>,
    next: usize,
    /// Whether the items are names of files.
    files: bool,
    /// Whether files are identified by their content.
    content: bool,
    /// The order in which the items are given, if it is not their own.
    order: Option<Vec<usize>>,
    /// The sizes of the files in bytes, once somebody has asked for them.
    sizes: OnceLock<Vec<u64>>,
}

/// The size of more files than this is not looked up for their sum alone: on a slow disk it would hold up the first item.
const MOST_SIZED: usize = 20_000;

impl List {
    pub(super) fn new(items: Vec<Vec<u8>>) -> Self {
        let items = items.into_iter().map(Vec::into_boxed_slice).collect();
        Self { items, next: 0, files: false, content: false, order: None, sizes: OnceLock::new() }
    }

    /// The same for names of files. Such an item is also identified by the size and modification time of the file, so that it
    /// is new if the file has changed.
    pub(super) fn of_files(items: Vec<Vec<u8>>) -> Self {
        Self { files: true, ..Self::new(items) }
    }

    /// The sizes of the files in bytes; 0 for one that is not there.
    fn sizes(&self) -> &[u64] {
        let size = |item: &[u8]| {
            let path: Option<String> = serde_json::from_slice(item).ok();
            path.and_then(|path| std::fs::metadata(path).ok()).map_or(0, |data| data.len())
        };
        self.sizes.get_or_init(|| self.items.iter().map(|item| size(item)).collect())
    }

    /// The sizes of the files, if they are known or may be looked up.
    fn known_sizes(&self) -> Option<&[u64]> {
        let is_known = self.sizes.get().is_some() || self.items.len() <= MOST_SIZED;
        (self.files && is_known).then(|| self.sizes())
    }

    /// The bytes of some files; 0 if they are not known.
    fn bytes_of(&self, indexes: impl Iterator<Item = usize>) -> u64 {
        self.known_sizes().map_or(0, |sizes| indexes.map(|index| sizes[index]).sum())
    }
}

impl Source for List {
    fn total(&self) -> Option<u64> {
        Some(self.items.len() as u64)
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        let mut items = model::Items::default();
        let indexes = self.order.as_ref().map(|order| {
            let mut next: Vec<usize> = order[self.next..].iter().copied().take(most).collect();
            next.sort_unstable();
            next
        });
        match &indexes {
            Some(indexes) => indexes.iter().for_each(|index| items.push(&self.items[*index])),
            None => {
                let mut next = self.items[self.next..].iter().take(most);
                while !items.is_full()
                    && let Some(item) = next.next()
                {
                    items.push(item);
                }
            }
        }
        let bytes = match &indexes {
            Some(indexes) => self.bytes_of(indexes.iter().copied()),
            None => self.bytes_of(self.next..self.next + items.len()),
        };
        self.next += items.len();
        let by = self.file_keys();
        let chunk = Chunk::of_json(items, |item| key_of(item, by));
        let indexes = indexes.map(|indexes| indexes.into_iter().map(|index| index as u64).collect());
        Ok(chunk.map(|chunk| Chunk { indexes, bytes, ..chunk }))
    }

    fn reread(&mut self) -> Result<Reread, SourceError> {
        self.next = 0;
        Ok(Reread::Ready)
    }

    fn compare_content(&mut self) {
        self.content = true;
    }

    fn bytes(&self) -> Option<u64> {
        self.known_sizes().map(|sizes| sizes.iter().sum())
    }

    fn file_keys(&self) -> Option<Compare> {
        self.files.then_some(if self.content { Compare::Content } else { Compare::Time })
    }

    fn largest_first(&mut self, most: u64) {
        if !self.files {
            return;
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(self.items.len());
        let mut order: Vec<usize> = (0..most).collect();
        let sizes = self.sizes();
        // Stable: files of the same size keep their order.
        order.sort_by_key(|index| std::cmp::Reverse(sizes[*index]));
        self.order = Some(order);
    }
}

pub(super) fn of_trees(trees: &[Tree], scope: &Arc<ItemScope>) -> Result<List, SourceError> {
    let item = |tree: &Tree| {
        let compiled = CompiledTree::compile(tree).map_err(|mut errors| errors.swap_remove(0))?;
        Ok(compiled.json(scope)?)
    };
    trees.iter().map(item).collect::<Result<_, _>>().map(List::new)
}

pub(super) fn of_template(text: &Text, scope: &Arc<ItemScope>) -> Result<List, SourceError> {
    let value = Template::compile(text)?.value(scope)?;
    let not_a_list = |found| SourceError::NotAList { template: text.raw.trim().to_owned(), found };
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            let item = |item| value_to_json(&item).map_err(SourceError::invalid);
            let items = value.try_iter().map_err(|_| not_a_list("a value without items"))?;
            items.map(item).collect::<Result<_, _>>().map(List::new)
        }
        ValueKind::Map => Err(not_a_list("a mapping")),
        ValueKind::String => Err(not_a_list("a string")),
        ValueKind::Number => Err(not_a_list("a number")),
        ValueKind::Bool => Err(not_a_list("a boolean")),
        ValueKind::None => Err(not_a_list("null")),
        _ => Err(not_a_list("a value of another type")),
    }
}
