//! Files that verbs write.

use super::error::CliError;
use super::stderr::tell;
use super::stdout::written;
use crate::export::real_path;
use crate::text::Printable;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Where to write instead.
const HELP: &str = "name a file in a directory that exists, or `-` for stdout";

/// Checks that [`save`] can write these files, each named after its option, and replaces neither the workflow file nor one by another.
/// For verbs that work for a while before they write.
pub fn check_targets(targets: &[(&str, &Path)], workflow: &Path) -> Result<(), CliError> {
    for (at, (option, path)) in targets.iter().enumerate() {
        if let Some((other, taken)) = targets[..at].iter().find(|(_, taken)| real_path(taken) == real_path(path)) {
            let message = format!("{other} and {option} cannot both be `{}`", Printable::path(taken));
            return Err(CliError::bad(message).help("choose another file for one of them"));
        }
        check_target(path, workflow)?;
    }
    Ok(())
}

fn check_target(path: &Path, workflow: &Path) -> Result<(), CliError> {
    if path == Path::new("-") {
        return Ok(());
    }
    let (real, shown) = (real_path(path), Printable::path(path));
    if real == real_path(workflow) {
        return Err(
            CliError::bad(format!("`{shown}` is the workflow file and would be replaced")).help("choose another file")
        );
    }
    let folder = real.parent().unwrap_or(&real);
    let cause = if real.is_dir() {
        "it is a directory".to_owned()
    } else if folder.is_dir() {
        return Ok(());
    } else {
        format!("the directory `{}` does not exist", Printable::path(path.parent().unwrap_or(folder)))
    };
    Err(CliError::bad(format!("cannot write `{shown}`: {cause}")).help(HELP))
}

/// Writes a file, or stdout if its name is `-`. Nobody sees half a file: it is written under a temporary name in the same directory,
/// then renamed.
pub fn save(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
    if path == Path::new("-") {
        let mut stdout = BufWriter::new(io::stdout().lock());
        return written(write(&mut stdout).and_then(|()| stdout.flush()));
    }
    let cannot = |error: io::Error| {
        CliError::bad(format!("cannot write `{}`", Printable::path(path))).caused_by(&error).help(HELP)
    };
    let mut name = path.file_name().ok_or_else(|| cannot(io::ErrorKind::IsADirectory.into()))?.to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let result = File::create(&temporary).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush()?;
        fs::rename(&temporary, path)
    });
    if result.is_err() {
        drop(fs::remove_file(&temporary));
    }
    result.map_err(cannot)?;
    tell(format!("wrote {}", Printable::line(path.display().to_string())));
    Ok(())
}
