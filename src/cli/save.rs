//! Files that verbs write.

use super::error::CliError;
use super::stderr::tell;
use super::stdout::written;
use crate::text::Printable;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Writes a file, or stdout if its name is `-`. Nobody sees half a file: it is written under a temporary name in the same directory,
/// then renamed.
pub fn save(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
    if path == Path::new("-") {
        let mut stdout = BufWriter::new(io::stdout().lock());
        return written(write(&mut stdout).and_then(|()| stdout.flush()));
    }
    let cannot = |error: io::Error| {
        CliError::bad(format!("cannot write `{}`", path.display()))
            .caused_by(&error)
            .help("name a file in a directory that exists, or `-` for stdout")
    };
    let mut name = path.file_name().ok_or_else(|| cannot(io::ErrorKind::IsADirectory.into()))?.to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    let result = File::create(&beside).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush()?;
        fs::rename(&beside, path)
    });
    if result.is_err() {
        drop(fs::remove_file(&beside));
    }
    result.map_err(cannot)?;
    tell(format!("wrote {}", Printable::line(path.display().to_string())));
    Ok(())
}
