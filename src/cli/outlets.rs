//! Where a run writes events and metrics: opened before anything runs, so that what is wrong with them is said at once.
//!
//! Each place has one owner: stdout, a file, an output of the workflow. A file that batchmill has not written is never
//! overwritten.

use super::args::{DisplayArgs, FileArg, Format};
use super::error::CliError;
use super::exit::Exit;
use super::lookup::last_success_of;
use super::stderr::tell;
use crate::compile::Prepared;
use crate::export::{Claim, replace};
use crate::ledger::RunPath;
use crate::model::Listener;
use crate::report::{Audience, EVENTS_START, EventsOutput, METRICS_START, MetricsFile};
use crate::run::{SideFile, check_outputs};
use crate::text::Printable;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Where a run keeps metrics for a server, as soon as it has a folder.
pub type KeptMetrics = Arc<OnceLock<RunPath>>;

/// Where a run writes events and metrics.
pub struct Outlets {
    /// Their files. No output of the workflow may be one of them.
    pub files: Vec<SideFile>,
    events: Option<EventsOutput>,
    metrics: Option<MetricsFile>,
    _claims: Vec<Claim>,
}

const EVENTS: &str = "--events";
const METRICS: &str = "--metrics";

impl Outlets {
    /// Opens what is wanted. `kept` is where metrics are kept for a server.
    pub fn open(display: &DisplayArgs, prepared: &Prepared, kept: &KeptMetrics) -> Result<Self, CliError> {
        check_stdout(display)?;
        let (mut files, mut claims) = (Vec::new(), Vec::new());
        if let Some((side, help)) = owner_of_stdout(display) {
            let shared = check_outputs(prepared, std::slice::from_ref(&side));
            shared.map_err(|error| CliError::of(Exit::Bad, &error).help(help))?;
            files.push(side);
        }
        let wanted = [(EVENTS, &display.events, EVENTS_START), (METRICS, &display.metrics, METRICS_START)];
        for (option, file, start) in wanted {
            if let Some(file) = file.as_ref().filter(|file| !file.is_stdout()) {
                let side = SideFile { option, path: crate::export::real_path(&file.path) };
                check_pair(&files, &side)?;
                check_outputs(prepared, std::slice::from_ref(&side)).map_err(|error| {
                    CliError::of(Exit::Bad, &error).help(format!("choose another file for `{option}`"))
                })?;
                check_content(option, file, start)?;
                claims.push(claim(option, file)?);
                files.push(side);
            }
        }
        let events = display.events.as_ref().map(open_events).transpose()?;
        let wants_metrics = display.metrics.is_some() || display.metrics_addr.is_some();
        let metrics = wants_metrics.then(|| begin_metrics(display, prepared, kept)).transpose()?;
        Ok(Self { files, events, metrics, _claims: claims })
    }

    /// All who hear of the run; `shown` shows its progress.
    pub fn audience(&mut self, shown: Option<Box<dyn Listener>>) -> Box<dyn Listener> {
        Box::new(Audience::new(shown, self.events.take(), self.metrics.as_ref().map(MetricsFile::listener)))
    }

    /// The program is about to end with this code.
    pub fn finish(self, exit: Exit) {
        let warning = self.metrics.and_then(|metrics| metrics.finish(exit.number()));
        warning.into_iter().for_each(tell);
    }
}

/// What writes to stdout, so that no output of the workflow may, and what to type instead.
fn owner_of_stdout(display: &DisplayArgs) -> Option<(SideFile, &'static str)> {
    let (option, help) = if display.format == Format::Json {
        ("--format json", "remove `--format json`, or write the results to a file")
    } else if display.events.as_ref().is_some_and(FileArg::is_stdout) {
        ("--events", "write the events to a file: `--events events.jsonl`")
    } else {
        return None;
    };
    Some((SideFile { option, path: PathBuf::from("-") }, help))
}

/// Refuses a second owner of stdout.
fn check_stdout(display: &DisplayArgs) -> Result<(), CliError> {
    if display.metrics.as_ref().is_some_and(FileArg::is_stdout) {
        let help = "name a file, such as `--metrics nightly.prom`; `./-` is a file with this name";
        return Err(
            CliError::bad("`--metrics` cannot be stdout, because metrics are replaced again and again").help(help)
        );
    }
    let Some(events) = display.events.as_ref().filter(|_| display.format == Format::Json) else { return Ok(()) };
    if events.is_stdout() || is_stdout(&events.path) {
        let named = Printable::path(&events.typed);
        let message = format!("`--events {named}` and `--format json` both write to stdout");
        return Err(CliError::bad(message).help("write the events to a file: `--events events.jsonl`"));
    }
    Ok(())
}

/// Whether a path leads to what stdout is.
fn is_stdout(path: &Path) -> bool {
    let Ok(stdout) = rustix::fs::fstat(rustix::stdio::stdout()) else { return false };
    let is = |path: &Path| fs::metadata(path).is_ok_and(|it| it.dev() == stdout.st_dev && it.ino() == stdout.st_ino);
    is(path) && !is(Path::new("/dev/null"))
}

/// Refuses one file for two options.
fn check_pair(files: &[SideFile], new: &SideFile) -> Result<(), CliError> {
    let Some(other) = files.iter().find(|other| other.path == new.path) else { return Ok(()) };
    let path = Printable::path(&new.path);
    Err(CliError::bad(format!("`{}` and `{}` are the same file, `{path}`", other.option, new.option))
        .help("choose another file for one of them"))
}

/// Refuses to overwrite a file that is neither empty nor one of ours. A mistyped path may be anything: the workflow, data.
fn check_content(option: &str, file: &FileArg, start: &str) -> Result<(), CliError> {
    if file.path.is_symlink() && !file.path.exists() {
        // It may lead to anything, an output of the workflow for example.
        return Err(cannot_write(option, file, &io::Error::other("it is a broken symbolic link")));
    }
    if !fs::metadata(&file.path).is_ok_and(|there| there.is_file() && there.len() > 0) {
        return Ok(());
    }
    let mut begins = String::new();
    let read = File::open(&file.path).and_then(|it| it.take(start.len() as u64).read_to_string(&mut begins));
    match read {
        Ok(_) if begins == start => return Ok(()),
        Err(error) if error.kind() != io::ErrorKind::InvalidData => return Err(cannot_write(option, file, &error)),
        _ => {}
    }
    let path = Printable::path(&file.typed);
    Err(CliError::bad(format!("`{path}` has other content, which `{option}` would overwrite"))
        .help("choose another file, or delete this one"))
}

/// Makes sure that no other run writes to the file at the same time, and that its directory exists.
fn claim(option: &str, file: &FileArg) -> Result<Claim, CliError> {
    let claim = Claim::take_path(&file.path).map_err(|busy| {
        let help = format!("wait until it has finished, or choose another file for `{option}`");
        CliError::of(Exit::Bad, &busy).help(help)
    })?;
    let folder = claim.real_path().parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).map_err(|error| cannot_write(option, file, &error))?;
    Ok(claim)
}

fn open_events(file: &FileArg) -> Result<EventsOutput, CliError> {
    let name = Printable::path(&file.typed).to_string();
    if file.is_stdout() {
        return Ok(EventsOutput { name: "stdout".to_owned(), out: Box::new(Unbuffered) });
    }
    let open = || -> io::Result<File> {
        let out = File::options().append(true).create(true).open(&file.path)?;
        if out.metadata()?.is_file() {
            // It has the events of one execution.
            out.set_len(0)?;
        }
        Ok(out)
    };
    let out = open().map_err(|error| cannot_write(EVENTS, file, &error))?;
    Ok(EventsOutput { name, out: Box::new(out) })
}

fn begin_metrics(display: &DisplayArgs, prepared: &Prepared, kept: &KeptMetrics) -> Result<MetricsFile, CliError> {
    let workflow = &prepared.workflow;
    let last_success = last_success_of(&workflow.source.path, &prepared.options.state);
    let file = display.metrics.as_ref();
    let (path, kept) = (file.map(|file| file.path.clone()), display.metrics_addr.map(|_| Arc::clone(kept)));
    let replace = Box::new(move |bytes: &[u8]| {
        path.iter().try_for_each(|path| replace(path, bytes))?;
        let Some(kept) = kept.as_ref().and_then(|kept| kept.get()) else { return Ok(()) };
        kept.check_replaceable().map_err(io::Error::other)?;
        replace(kept, bytes)
    });
    let name = file.map_or_else(|| "the folder of the run".to_owned(), |file| Printable::path(&file.typed).to_string());
    MetricsFile::begin(&workflow.name, last_success, (name, replace)).map_err(|error| match file {
        Some(file) => cannot_write(METRICS, file, &error),
        None => CliError::of(Exit::Bad, &error),
    })
}

fn cannot_write(option: &str, file: &FileArg, error: &io::Error) -> CliError {
    let what = option.trim_start_matches('-');
    CliError::bad(format!("cannot write {what} to `{}`", Printable::path(&file.typed)))
        .caused_by(error)
        .help(format!("choose another file for `{option}`; nothing ran"))
}

/// Stdout, line by line as it comes.
struct Unbuffered;

impl Write for Unbuffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(rustix::stdio::stdout(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
