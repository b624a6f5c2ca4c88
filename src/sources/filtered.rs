//! `where`: the items of a source for which an expression is true.

use super::chunk::Chunk;
use super::error::SourceError;
use super::files::Originals;
use super::source::{Reread, Source};
use crate::model::{Compare, Form, Items, Keys, LineNumbers, Origin, Text, line_breaks};
use crate::rows;
use crate::spec::OnBadRow;
use crate::template::{ItemScope, Template, TemplateError};
use std::sync::{Arc, OnceLock};

/// So many items are counted beforehand, so that the number of items to run is known from the beginning.
const MOST_COUNTED: u64 = 10_000;

/// The items of a source for which an expression is true. Items that cannot be read stay: they fail when they run.
pub(super) struct Filtered {
    source: Box<dyn Source>,
    condition: Template,
    scope: Arc<ItemScope>,
    /// The number of items that stay, if it is known.
    total: Option<u64>,
    read: u64,
    left_out: u64,
}

impl Filtered {
    /// # Errors
    /// If the expression is none, or if it fails for an item that is counted beforehand.
    pub(super) fn new(source: Box<dyn Source>, condition: &Text, scope: &Arc<ItemScope>) -> Result<Self, SourceError> {
        let condition = Template::compile(condition)?;
        let scope = Arc::clone(scope);
        let mut filtered = Self { source, condition, scope, total: None, read: 0, left_out: 0 };
        filtered.count()?;
        Ok(filtered)
    }

    fn count(&mut self) -> Result<(), SourceError> {
        if self.source.total().is_none_or(|total| total > MOST_COUNTED) || self.source.survey().is_some() {
            return Ok(());
        }
        // What can be read only once must not be read here.
        if self.reread()? == Reread::Once {
            return Ok(());
        }
        let mut total = 0;
        while let Some(chunk) = self.next(usize::MAX)? {
            total += chunk.items.len() as u64;
        }
        self.reread()?.required()?;
        self.total = Some(total);
        Ok(())
    }

    /// The positions of the items that stay.
    fn kept(&mut self, chunk: &Chunk) -> Result<Vec<usize>, SourceError> {
        let forms = self.source.forms();
        let mut kept = Vec::with_capacity(chunk.items.len());
        for position in 0..chunk.items.len() {
            let index = self.read;
            self.read += 1;
            let item = rows::to_json(&forms[chunk.form], &chunk.items, position, chunk.origin.as_ref());
            let stays = match item {
                Ok(item) if chunk.file_error.is_none() => self.is_true(item, index)?,
                _ => true,
            };
            if stays {
                kept.push(position);
            } else {
                self.left_out += 1;
            }
        }
        Ok(kept)
    }

    fn is_true(&self, item: Vec<u8>, index: u64) -> Result<bool, SourceError> {
        let scope = ItemScope { item: Some(item), index, parsed: OnceLock::new(), ..ItemScope::clone(&self.scope) };
        let value = self.condition.value(&Arc::new(scope));
        let value = value.map_err(|error| {
            let message = format!("`where` fails for item {index}: {error}");
            TemplateError { message, ..error }
        })?;
        Ok(value.is_true())
    }
}

/// Some items of a chunk.
fn part(chunk: &Chunk, kept: &[usize]) -> Chunk {
    if kept.len() == chunk.items.len() {
        return chunk.clone();
    }
    let mut items = Items::default();
    kept.iter().for_each(|position| items.push(chunk.items.get(*position)));
    let origin = chunk
        .origin
        .as_ref()
        .map(|origin| Origin { file: Arc::clone(&origin.file), lines: lines(chunk, origin, kept) });
    Chunk {
        items,
        keys: Keys::from_list(kept.iter().map(|position| chunk.keys.get(*position)).collect()),
        indexes: None,
        form: chunk.form,
        origin,
        bytes: 0,
        file_error: chunk.file_error.clone(),
    }
}

/// The lines of the kept items of a chunk.
fn lines(chunk: &Chunk, origin: &Origin, kept: &[usize]) -> LineNumbers {
    let all: Vec<u64> = match &origin.lines {
        LineNumbers::Each(lines) => lines.clone(),
        LineNumbers::From(first) => chunk
            .items
            .iter()
            .scan(*first, |line, item| {
                let own = *line;
                *line += line_breaks(item);
                Some(own)
            })
            .collect(),
    };
    LineNumbers::Each(kept.iter().map(|position| all[*position]).collect())
}

impl Source for Filtered {
    fn total(&self) -> Option<u64> {
        self.total
    }

    fn next(&mut self, most: usize) -> Result<Option<Chunk>, SourceError> {
        loop {
            let Some(chunk) = self.source.next(most)? else { return Ok(None) };
            let kept = self.kept(&chunk)?;
            if !kept.is_empty() {
                return Ok(Some(part(&chunk, &kept)));
            }
        }
    }

    fn may_wait(&self) -> bool {
        self.source.may_wait()
    }

    fn at_hand(&mut self, most: usize) -> usize {
        self.source.at_hand(most)
    }

    fn reread(&mut self) -> Result<Reread, SourceError> {
        let reread = self.source.reread()?;
        if reread == Reread::Ready {
            (self.read, self.left_out) = (0, 0);
        }
        Ok(reread)
    }

    fn compare_content(&mut self) {
        self.source.compare_content();
    }

    fn file_keys(&self) -> Option<Compare> {
        self.source.file_keys()
    }

    fn forms(&self) -> Arc<[Form]> {
        self.source.forms()
    }

    fn originals(&self) -> Option<Originals> {
        self.source.originals()
    }

    fn on_bad_row(&self) -> OnBadRow {
        self.source.on_bad_row()
    }

    fn notices(&self) -> Vec<String> {
        let left_out =
            (self.left_out > 0).then(|| format!("`where` left out {} of {} items", self.left_out, self.read));
        self.source.notices().into_iter().chain(left_out).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::list::List;
    use crate::sources::testing::{OnceOnly, numbers, read};

    fn filtered(count: usize, condition: &str) -> Filtered {
        Filtered::new(Box::new(List::new(numbers(count))), &Text::new(condition), &Arc::default()).unwrap()
    }

    #[test]
    fn items_that_stay_are_given_and_the_others_counted() {
        let mut source = filtered(10, "{{ item % 3 == 0 and index > 0 }}");
        assert_eq!(source.total(), Some(3));
        for _ in 0..2 {
            assert_eq!(read(&mut source, 4).concat(), ["3", "6", "9"].map(|it| it.as_bytes().to_vec()));
            assert_eq!(source.notices(), ["`where` left out 7 of 10 items"]);
            assert_eq!(source.reread().unwrap(), Reread::Ready);
        }
    }

    #[test]
    fn items_that_can_be_read_only_once_are_not_read_to_count_them() {
        let once = OnceOnly(List::new(numbers(4)));
        let mut source = Filtered::new(Box::new(once), &Text::new("{{ item > 1 }}"), &Arc::default()).unwrap();
        assert_eq!((source.total(), read(&mut source, 9).concat()), (None, numbers(4)[2..].to_vec()));
    }

    #[test]
    fn the_number_of_many_items_is_not_known_beforehand() {
        assert_eq!(filtered(10_001, "{{ true }}").total(), None);
    }

    #[test]
    fn an_expression_that_fails_names_the_item() {
        let source = Filtered::new(Box::new(List::new(numbers(2))), &Text::new("{{ item.x > 1 }}"), &Arc::default());
        let message = source.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.starts_with("`where` fails for item 0: "), "{message}");
    }
}
