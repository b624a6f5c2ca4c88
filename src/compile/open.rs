//! Opens a step: resolves its settings and opens the source of its items. A plain step has one nameless item.

use super::batched_rule;
use super::dependencies::mentions_item_dir;
use super::prepared::{Prepared, PreparedStep};
use super::settings::{FailurePolicy, Slots, StartError, StepSettings, batches, seed_of, slots, timeout, timeout_of};
use crate::database::{Database, DatabaseError, TableName};
use crate::export::{TableTarget, Target, is_stdout};
use crate::model::{Compare, ItemKey, Items, Keys, LaneSettings, OutputCompression, OutputFormat, Refusal, Text};
use crate::sources::{Chunk, OpenSource, Reread, Selection, Source, SourceError, SourceHost, open, resolve};
use crate::spec::{BatchSize, BatchSpec, OutputFile, Setting, Step, StepKind, names_folder};
use crate::template::{ItemScope, Template};
use crossbeam_channel::Receiver;
use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A step that can be started.
pub struct OpenStep {
    /// All its items, regardless of `--max-items`.
    pub source: Box<dyn Source>,
    /// How to run it.
    pub settings: StepSettings,
    /// Where its results go.
    pub target: Option<Target>,
    /// Where its aggregate goes.
    pub aggregate_target: Option<Target>,
    /// Where its bad rows go.
    pub saved_target: Option<Target>,
    /// The table that its results go to.
    pub table: Option<TableTarget>,
    /// Where the files of its items go.
    pub item_files: Option<PathBuf>,
}

/// Opens a step.
///
/// # Errors
/// If its items cannot be read or a setting does not fit.
pub fn open_step(
    step: &PreparedStep,
    prepared: &Prepared,
    scope: &Arc<ItemScope>,
    host: SourceHost<'_>,
) -> Result<OpenStep, StartError> {
    let target = target_of(&step.step, scope)?;
    let table = table_of(&step.step, scope)?;
    let item_files = item_files_of(&step.step, prepared, scope)?;
    match &step.step.kind {
        StepKind::Single(single) => Ok(OpenStep {
            source: Box::new(Once(true)),
            settings: StepSettings::of_single(&step.step, single, scope)?,
            target,
            aggregate_target: None,
            saved_target: None,
            table,
            item_files,
        }),
        StepKind::Batch(batch) => {
            let OpenBatch { items, settings } = open_batch(step, batch, prepared, (scope, host))?;
            let file = step.step.outputs.file.as_ref().filter(|file| !file.options.include.is_empty());
            if let Some(file) = file.filter(|_| settings.lane.batched) {
                return Err(StartError::Setting(BATCHED_INCLUDE.to_owned(), file.path.span));
            }
            let aggregate_target = aggregate_target_of(&step.step, scope)?;
            let saved_target = saved_target_of(&step.step, scope)?;
            Ok(OpenStep { source: items.source, settings, target, aggregate_target, saved_target, table, item_files })
        }
    }
}

const BATCHED_INCLUDE: &str = "`include` requires a task that takes one item at a time: the results of a batch do not say \
                               which item they belong to; set `batched: false`, or return what you need of the items";

/// The items and the settings of a batch step.
pub struct OpenBatch {
    /// The items.
    pub items: OpenSource,
    /// How to run them.
    pub settings: StepSettings,
}

/// Opens a batch step, apart from what happens to its results.
///
/// # Errors
/// If its items cannot be read or a setting does not fit.
pub fn open_batch(
    step: &PreparedStep,
    batch: &BatchSpec,
    prepared: &Prepared,
    (scope, host): (&Arc<ItemScope>, SourceHost<'_>),
) -> Result<OpenBatch, StartError> {
    let (wrong, stop) = (|message| wrong_setting(batch, message), host.stop);
    let batch_size = resolve("batch_size", &batch.batch_size, scope).map_err(wrong)?;
    let items = open(Selection::of(batch), scope, &prepared.own_env, host);
    let mut items = items.map_err(|error| StartError::Items(error, batch.items_span))?;
    if prepared.options.incremental == Some(Compare::Content) {
        items.source.compare_content();
    }
    let most_items = prepared.options.max_items.unwrap_or(u64::MAX);
    let total = items.source.total().map(|total| total.min(most_items));
    let above_one = batch_size != BatchSize::Exactly(NonZeroUsize::MIN);
    let batched = batched_rule(batch.batched, step.program.batching(), above_one, items.first_is_record());
    if let (Some(library), Some(false)) = (batch.batch_format.0.library(), items.first_is_record()) {
        let message = format!("`batch_format: {library}` needs records, but the items are not mappings");
        return Err(StartError::Setting(message, batch.batch_format.1));
    }
    if batch.bisect_on_error && !batched.batched {
        return Err(wrong(format!("`bisect_on_error` has no effect: `item` is one item, because {}", batched.why)));
    }
    let slots = slots_of(batch, prepared, (scope, stop))?;
    let batches = batches(total, batch_size);
    // If the size of batches is learnt, each holds one item to begin with.
    let most_slots = batches.or(total).and_then(|batches| usize::try_from(batches).ok());
    let queue_size = batch.queue_size.as_ref().map(|it| resolve("queue_size", it, scope)).transpose();
    let max_failures = batch.max_failures.as_ref().map(|setting| resolve("max_failures", setting, scope)).transpose();
    let on_bad_row = items.source.on_bad_row();
    let lane = LaneSettings {
        item_timeout: timeout("timeout", batch.timeout.as_ref(), scope).map_err(wrong)?,
        batch_timeout: timeout("batch_timeout", batch.batch_timeout.as_ref(), scope).map_err(wrong)?,
        has_item: true,
        batched: batched.batched,
        batch_format: batch.batch_format.0,
        batches,
        width: most_slots.map_or(slots.most, |most| slots.most.min(most.max(1))),
        skip_bad_rows: on_bad_row.skips(),
        seed: seed_of(&step.step, scope)?,
    };
    let settings = StepSettings {
        lane: Arc::new(lane),
        total,
        batch_size,
        first_width: slots.first.map(|first| first.min(lane.width)),
        batched_because: batched.why,
        queue_size: queue_size.map_err(wrong)?.map(|size| size.0.get()),
        step_timeout: timeout_of(&step.step, scope)?,
        failures: FailurePolicy {
            continue_on_error: resolve("continue_on_error", &batch.continue_on_error, scope).map_err(wrong)?,
            max_failures: max_failures.map_err(wrong)?,
            bisect: batch.bisect_on_error,
            on_bad_row,
        },
        retry: batch.retry.clone(),
    };
    Ok(OpenBatch { items, settings })
}

/// The slots of a step, as far as there is room for its batches.
fn slots_of(
    batch: &BatchSpec,
    prepared: &Prepared,
    (scope, stop): (&Arc<ItemScope>, &Receiver<Infallible>),
) -> Result<Slots, StartError> {
    let (resources, place) = &batch.resources;
    let place = place.unwrap_or(batch.items_span);
    let refused = |Refusal { message, help }| StartError::Executor(message, help, place);
    let room = prepared.room(resources, stop).map_err(refused)?;
    slots(batch, (prepared.options.jobs, room), scope).map_err(|message| wrong_setting(batch, message))
}

impl<'a> Selection<'a> {
    fn of(batch: &'a BatchSpec) -> Self {
        Self { spec: &batch.items, condition: batch.condition.as_ref() }
    }
}

/// An error at the setting that its message begins with. Only templates can turn out wrong this late.
fn wrong_setting(batch: &BatchSpec, message: String) -> StartError {
    let templates = [
        ("batch_size", batch.batch_size.template()),
        ("parallel", batch.parallel.as_ref().and_then(Setting::template)),
        ("max_parallel", batch.max_parallel.as_ref().and_then(Setting::template)),
        ("queue_size", batch.queue_size.as_ref().and_then(Setting::template)),
        ("continue_on_error", batch.continue_on_error.template()),
        ("max_failures", batch.max_failures.as_ref().and_then(Setting::template)),
        ("timeout", batch.timeout.as_ref().and_then(Setting::template)),
        ("batch_timeout", batch.batch_timeout.as_ref().and_then(Setting::template)),
    ];
    let named =
        |(key, _): &(&str, _)| message.strip_prefix('`').is_some_and(|rest| rest.starts_with(&format!("{key}`")));
    let span = templates.into_iter().find(named).and_then(|(_, text)| Some(text?.span));
    StartError::Setting(message, span.unwrap_or(batch.items_span))
}

/// Where the results of a step go.
///
/// # Errors
/// If the path is none, or uses a name that is not in scope yet.
pub fn target_of(step: &Step, scope: &Arc<ItemScope>) -> Result<Option<Target>, StartError> {
    step.outputs.file.as_ref().map(|file| target_of_file("path", file, scope)).transpose()
}

/// Where the rows of a step go that cannot be read.
///
/// # Errors
/// If the path is none, or uses a name that is not in scope yet.
pub fn saved_target_of(step: &Step, scope: &Arc<ItemScope>) -> Result<Option<Target>, StartError> {
    step.save_bad_rows().map(|file| target_of_file("save", file, scope)).transpose()
}

/// Where the aggregate of a step goes.
///
/// # Errors
/// If the path is none, or uses a name that is not in scope yet.
pub fn aggregate_target_of(step: &Step, scope: &Arc<ItemScope>) -> Result<Option<Target>, StartError> {
    let StepKind::Batch(batch) = &step.kind else { return Ok(None) };
    let target = batch.aggregate_file.as_ref().map(|file| target_of_file("path", file, scope)).transpose()?;
    match (target, &batch.aggregate_file) {
        (Some(target), Some(file)) if target.is_stdout() => {
            let message = "`path` is `-`, but an aggregate cannot be written to stdout; name a file";
            Err(StartError::Setting(message.to_owned(), file.path.span))
        }
        (target, _) => Ok(target),
    }
}

fn target_of_file(key: &str, file: &OutputFile, scope: &Arc<ItemScope>) -> Result<Target, StartError> {
    let path = rendered(key, &file.path, scope)?;
    if !file.parts && names_folder(&path) {
        let message = format!("`{key}` is `{}`, the name of a directory; add the name of a file", path.display());
        return Err(StartError::Setting(message, file.path.span));
    }
    if is_stdout(&path) && (file.parts || file.format == OutputFormat::Parquet) {
        let message = "`path` is `-`, which is stdout; it takes `format: jsonl` or `format: csv`, and no `parts`";
        return Err(StartError::Setting(message.to_owned(), file.path.span));
    }
    let by_path = OutputCompression::of_path(&path.to_string_lossy());
    if file.format == OutputFormat::Parquet && by_path != OutputCompression::None {
        let message = format!(
            "`path` is `{}`, but a Parquet file is compressed inside; use the extension `.parquet`",
            path.display()
        );
        return Err(StartError::Setting(message, file.path.span));
    }
    let options = file.options.clone();
    let compression = options.compression.unwrap_or(by_path);
    Ok(Target { path, format: file.format, parts: file.parts, compression, options })
}

/// The table that the results of a step go to.
///
/// # Errors
/// If address or name are none, or use a name that is not in scope yet.
pub fn table_of(step: &Step, scope: &Arc<ItemScope>) -> Result<Option<TableTarget>, StartError> {
    let Some(table) = &step.outputs.table else { return Ok(None) };
    let text = |key: &str, text: &Text| {
        let rendered = Template::compile(text).and_then(|template| template.string(scope));
        rendered.map_err(|error| StartError::Setting(format!("`{key}`: {error}"), text.span))
    };
    let wrong = |text: &Text, error: DatabaseError| StartError::Table(error.message, error.help, text.span);
    let url = text("sql", &table.url)?;
    let database = Database::parse("sql", url.trim()).map_err(|error| wrong(&table.url, error))?;
    let name = text("table", &table.table)?;
    let name = match name.trim() {
        "" => Err(DatabaseError::from(format!("`table` is empty (from `{}`)", table.table.raw.trim()))),
        name => TableName::parse(name, &database),
    };
    let name = name.map_err(|error| wrong(&table.table, error))?;
    let key = table.key.iter().map(|column| column.raw.clone()).collect();
    Ok(Some(TableTarget { database, table: name, key, if_exists: table.if_exists }))
}

/// Where the files of a step's items go, if its task makes any.
fn item_files_of(step: &Step, prepared: &Prepared, scope: &Arc<ItemScope>) -> Result<Option<PathBuf>, StartError> {
    match &step.outputs.item_files {
        Some(text) => rendered("item_files", text, scope).map(Some),
        None if matches!(step.kind, StepKind::Batch(_)) && mentions_item_dir(step, &prepared.folder()) => {
            Ok(Some(Path::new("out").join(step.name.as_str())))
        }
        None => Ok(None),
    }
}

fn rendered(key: &str, text: &Text, scope: &Arc<ItemScope>) -> Result<PathBuf, StartError> {
    let path = Template::compile(text).and_then(|template| template.string(scope));
    let path = path.map_err(|error| StartError::Setting(format!("`{key}`: {error}"), text.span))?;
    if path.trim().is_empty() || path.contains('\0') {
        let message = format!("`{key}` is not a path (from `{}`)", text.raw.trim());
        return Err(StartError::Setting(message, text.span));
    }
    Ok(PathBuf::from(path))
}

/// The one "item" of a plain step.
struct Once(bool);

impl Source for Once {
    fn total(&self) -> Option<u64> {
        Some(1)
    }

    fn next(&mut self, _most: usize) -> Result<Option<Chunk>, SourceError> {
        let mut items = Items::default();
        items.push(b"null");
        let keys = Keys::List(vec![ItemKey::of(b"null")]);
        let chunk = Chunk { items, keys, indexes: None, form: 0, origin: None, bytes: 0, file_error: None };
        Ok(std::mem::take(&mut self.0).then_some(chunk))
    }

    fn reread(&mut self) -> Result<Reread, SourceError> {
        self.0 = true;
        Ok(Reread::Ready)
    }
}
