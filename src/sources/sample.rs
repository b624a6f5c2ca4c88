//! A sample of a source, given over and over: what trials of a step run.
//!
//! Rows of files are sampled as they come, because a file can be read quickly only in order. Other items are given in an order
//! in which any stretch holds small and large ones in proportion, so that stretches of any length can be compared.

use super::chunk::Chunk;
use super::error::SourceError;
use super::source::{Reread, Source};
use crate::model::{Compare, Form, ItemKey, Items, Keys, LineNumbers, Origin};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many items are read at a time.
const CHUNK: usize = 1000;

/// How many items a sample that is not rows holds at most.
const MOST_ITEMS: usize = 4096;

/// How much of a source is read for a sample.
#[derive(Debug, Clone, Copy)]
pub struct SampleLimits {
    /// The most items.
    pub items: u64,
    /// The most bytes of items.
    pub bytes: usize,
    /// The longest time.
    pub time: Duration,
}

/// A sample.
#[derive(Debug)]
pub struct Sample {
    items: Arc<Sampled>,
    forms: Arc<[Form]>,
    file_keys: Option<Compare>,
    /// How many items were read to choose from.
    pub read: u64,
    /// Whether the source has no others.
    pub is_all: bool,
}

/// The items of a sample.
#[derive(Debug)]
enum Sampled {
    /// Rows of files, each chunk with the index of its first row.
    Rows(Vec<(u64, Chunk)>),
    /// Other items, in the order in which they are given.
    Items(Vec<SampledItem>),
}

#[derive(Debug)]
struct SampledItem {
    index: u64,
    json: Vec<u8>,
    key: ItemKey,
    form: usize,
}

impl Sample {
    /// Takes a sample of a source that has not been read.
    ///
    /// # Errors
    /// If the source cannot be read.
    pub fn take(source: &mut dyn Source, limits: SampleLimits) -> Result<Self, SourceError> {
        let (started, mut read, mut bytes, mut is_all) = (Instant::now(), 0, 0, false);
        let mut chunks: Vec<(u64, Chunk)> = Vec::new();
        while read < limits.items && bytes < limits.bytes && started.elapsed() < limits.time {
            let most = usize::try_from(limits.items - read).unwrap_or(CHUNK).min(CHUNK);
            // A slow source gives its items one by one.
            let most = if source.may_wait() { source.at_hand(most).clamp(1, most) } else { most };
            let Some(chunk) = source.next(most)? else {
                is_all = true;
                break;
            };
            let first = read;
            read += chunk.items.len() as u64;
            bytes += chunk.items.as_parts().0.len();
            // A placeholder for an unreadable file is not an item to try.
            if chunk.file_error.is_none() {
                chunks.push((first, chunk));
            }
        }
        let is_rows = chunks.iter().any(|(_, chunk)| chunk.origin.is_some());
        let names_files = source.file_keys().is_some();
        let items = if is_rows { Sampled::Rows(chunks) } else { Sampled::Items(stratified(&chunks, names_files)) };
        let whole = match &items {
            Sampled::Rows(_) => true,
            Sampled::Items(items) => items.len() as u64 == read,
        };
        let (forms, file_keys) = (source.forms(), source.file_keys());
        Ok(Self { items: Arc::new(items), forms, file_keys, read, is_all: is_all && whole })
    }

    /// How many items it holds.
    pub fn len(&self) -> usize {
        match &*self.items {
            Sampled::Rows(chunks) => chunks.iter().map(|(_, chunk)| chunk.items.len()).sum(),
            Sampled::Items(items) => items.len(),
        }
    }

    /// Whether it holds no item.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Files that its items name.
    pub fn files(&self) -> Vec<std::path::PathBuf> {
        match &*self.items {
            Sampled::Items(items) if self.file_keys.is_some() => {
                items.iter().filter_map(|item| serde_json::from_slice(&item.json).ok()).collect()
            }
            Sampled::Items(_) => Vec::new(),
            Sampled::Rows(chunks) => {
                let mut files: Vec<_> = chunks.iter().filter_map(|(_, chunk)| chunk.origin.as_ref()).collect();
                files.dedup_by(|left, right| left.file == right.file);
                files.into_iter().map(|origin| origin.file.as_ref().into()).collect()
            }
        }
    }

    /// A source that gives the sample over and over, and never ends. Each `number` lets it begin at another place.
    pub fn source(&self, number: usize) -> Box<dyn Source> {
        /// No two of the first sources begin at the same place.
        const SOURCES: usize = 7;
        let places = match &*self.items {
            Sampled::Rows(chunks) => chunks.len(),
            Sampled::Items(items) => items.len(),
        };
        Box::new(Endless {
            items: Arc::clone(&self.items),
            forms: Arc::clone(&self.forms),
            file_keys: self.file_keys,
            at: places * (number % SOURCES) / SOURCES,
            within: 0,
        })
    }
}

/// The items in an order in which any stretch has all sizes; the most that a sample holds.
fn stratified(chunks: &[(u64, Chunk)], names_files: bool) -> Vec<SampledItem> {
    let mut all: Vec<(u64, usize, usize)> = Vec::new();
    for (at, (_, chunk)) in chunks.iter().enumerate() {
        for position in 0..chunk.items.len() {
            all.push((size_of(chunk.items.get(position), names_files), at, position));
        }
    }
    // By size; equal sizes stay in order.
    all.sort_by_key(|(size, ..)| *size);
    let kept = all.len().min(MOST_ITEMS);
    // The last of each stretch of equal length, so that the largest is among them.
    let strata = (0..kept).map(|stratum| (stratum + 1) * all.len() / kept - 1);
    let strata: Vec<_> = strata.map(|at| all[at]).collect();
    spread(strata.len())
        .into_iter()
        .map(|at| {
            let (_, chunk, position) = strata[at];
            let (first, chunk) = &chunks[chunk];
            let index = match &chunk.indexes {
                Some(indexes) => indexes[position],
                None => first + position as u64,
            };
            let (json, key) = (chunk.items.get(position).to_vec(), chunk.keys.get(position));
            SampledItem { index, json, key, form: chunk.form }
        })
        .collect()
}

/// The numbers below `count`, each stretch of them spread over the whole: the van der Corput sequence in base 2
/// (J. G. van der Corput, "Verteilungsfunktionen", 1935).
fn spread(count: usize) -> Vec<usize> {
    let bits = count.next_power_of_two().trailing_zeros();
    let reversed = |number: usize| if bits == 0 { 0 } else { number.reverse_bits() >> (usize::BITS - bits) };
    (0..count.next_power_of_two()).map(reversed).filter(|number| *number < count).collect()
}

/// The size of an item: of the file that it names, or of its text.
fn size_of(json: &[u8], names_files: bool) -> u64 {
    let file = || serde_json::from_slice::<String>(json).ok().and_then(|path| std::fs::metadata(path).ok());
    let file = if names_files { file() } else { None };
    file.map_or(json.len() as u64, |file| file.len())
}

/// A sample that never ends.
struct Endless {
    items: Arc<Sampled>,
    forms: Arc<[Form]>,
    file_keys: Option<Compare>,
    /// The next item; or the current chunk.
    at: usize,
    /// The next row of that chunk.
    within: usize,
}

impl Endless {
    fn rows(&mut self, chunks: &[(u64, Chunk)], most: usize) -> Option<Chunk> {
        let (first, chunk) = chunks.get(self.at)?;
        let range = self.within..chunk.items.len().min(self.within + most);
        let part = part(chunk, *first, range.clone());
        self.within = range.end;
        if self.within == chunk.items.len() {
            (self.at, self.within) = ((self.at + 1) % chunks.len(), 0);
        }
        Some(part)
    }

    fn others(&mut self, all: &[SampledItem], most: usize) -> Option<Chunk> {
        let form = all.get(self.at)?.form;
        // Each item once at most: indexes rise within a chunk.
        let picked = all[self.at..].iter().take(most).take_while(|item| item.form == form);
        let mut picked: Vec<&SampledItem> = picked.collect();
        self.at = (self.at + picked.len()) % all.len();
        picked.sort_unstable_by_key(|item| item.index);
        let mut items = Items::default();
        picked.iter().for_each(|item| items.push(&item.json));
        let keys = Keys::from_list(picked.iter().map(|item| item.key).collect());
        let indexes = Some(picked.iter().map(|item| item.index).collect());
        Some(Chunk { items, keys, indexes, form, origin: None, bytes: 0, file_error: None })
    }
}

impl Source for Endless {
    fn total(&self) -> Option<u64> {
        None
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        let items = Arc::clone(&self.items);
        Ok(match &*items {
            Sampled::Rows(chunks) => self.rows(chunks, most),
            Sampled::Items(all) => self.others(all, most),
        })
    }

    fn reread(&mut self) -> Result<Reread, SourceError> {
        Ok(Reread::Once)
    }

    fn file_keys(&self) -> Option<Compare> {
        self.file_keys
    }

    fn forms(&self) -> Arc<[Form]> {
        Arc::clone(&self.forms)
    }
}

/// Some rows of a chunk that begins with the row of this index.
fn part(chunk: &Chunk, first: u64, range: Range<usize>) -> Chunk {
    let mut items = Items::default();
    range.clone().for_each(|position| items.push(chunk.items.get(position)));
    let keys = match &chunk.keys {
        Keys::Run(first, _) => Keys::Run(first.nth(range.start), range.len()),
        Keys::List(keys) => Keys::List(keys[range.clone()].to_vec()),
    };
    let lines = |lines: &LineNumbers| match lines {
        LineNumbers::From(line) => LineNumbers::From(line + chunk.items.line_breaks(0..range.start)),
        LineNumbers::Each(lines) => LineNumbers::Each(lines[range.clone()].to_vec()),
    };
    let origin = chunk.origin.as_ref();
    let origin = origin.map(|origin| Origin { file: Arc::clone(&origin.file), lines: lines(&origin.lines) });
    let bytes = chunk.bytes * range.len() as u64 / (chunk.items.len() as u64).max(1);
    let indexes = match &chunk.indexes {
        Some(indexes) => indexes[range].to_vec(),
        None => (first + range.start as u64..first + range.end as u64).collect(),
    };
    Chunk { items, keys, indexes: Some(indexes), form: chunk.form, origin, bytes, file_error: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::list::List;
    use crate::sources::testing::numbers;

    const ALL: SampleLimits = SampleLimits { items: 100_000, bytes: 1 << 20, time: Duration::from_secs(60) };

    #[test]
    fn every_stretch_of_a_sample_has_small_and_large_items() {
        let items: Vec<Vec<u8>> = (1..=64).map(|size| format!("\"{}\"", "x".repeat(size)).into_bytes()).collect();
        let sample = Sample::take(&mut List::new(items), ALL).unwrap();
        assert!(sample.is_all && sample.len() == 64);
        let mut source = sample.source(0);
        for _ in 0..20 {
            let chunk = source.next(8).unwrap().unwrap();
            let sizes: Vec<usize> = chunk.items.iter().map(<[u8]>::len).collect();
            assert_eq!(sizes.len(), 8);
            assert!(sizes.iter().min().unwrap() < &12 && sizes.iter().max().unwrap() > &56, "{sizes:?}");
            let indexes = chunk.indexes.unwrap();
            assert!(
                indexes.is_sorted() && indexes.iter().zip(&sizes).all(|(index, size)| *index as usize + 3 == *size)
            );
        }
    }

    #[test]
    fn a_sample_holds_each_item_once_and_begins_again() {
        let sample = Sample::take(&mut List::new(numbers(5)), ALL).unwrap();
        let mut source = sample.source(0);
        let mut seen: Vec<u64> = (0..3).flat_map(|_| source.next(2).unwrap().unwrap().indexes.unwrap()).collect();
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 3, 4]);
        assert_eq!(source.next(2).unwrap().unwrap().items.len(), 2);
    }

    #[test]
    fn a_part_of_a_large_source_is_read_and_the_largest_of_it_kept() {
        let sample = Sample::take(&mut List::new(numbers(20_000)), SampleLimits { items: 10_000, ..ALL }).unwrap();
        assert_eq!((sample.read, sample.is_all, sample.len()), (10_000, false, MOST_ITEMS));
        let Sampled::Items(items) = &*sample.items else { panic!("numbers are no rows") };
        assert!(items.iter().any(|item| item.index == 9999));
        assert!(Sample::take(&mut List::new(Vec::new()), ALL).unwrap().is_empty());
    }
}
