//! Opens the files that a step names.

use super::headers::Headers;
use super::parquet_rows::ParquetRows;
use super::partitions;
use super::text_rows::TextRows;
use crate::sources::error::SourceError;
use crate::sources::files::expand;
use crate::sources::source::Source;
use crate::sources::window::RowWindow;
use crate::spec::{RowFormat, RowsSpec};
use crate::template::{ItemScope, Template};
use crossbeam_channel::Receiver;
use std::convert::Infallible;
use std::sync::Arc;

pub(in crate::sources) fn open(
    spec: &RowsSpec,
    scope: &Arc<ItemScope>,
    stop: &Receiver<Infallible>,
) -> Result<Box<dyn Source>, SourceError> {
    let paths =
        spec.paths.iter().map(|text| Template::compile(text)?.patterns(scope)).collect::<Result<Vec<_>, _>>()?;
    let files = expand(paths.into_iter().flatten(), stop)?;
    partitions::check(spec, &files)?;
    let window = RowWindow::of(spec, scope)?;
    if spec.format == RowFormat::Parquet {
        return Ok(Box::new(ParquetRows::open(spec, files, window)?));
    }
    let headers = Headers::read(spec, &files)?;
    Ok(Box::new(TextRows::new(spec.clone(), files, headers, window)))
}
