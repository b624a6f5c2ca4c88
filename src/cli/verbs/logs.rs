//! `batchmill logs`: what tasks printed.

use crate::cli::args::{Format, RunSelector, index};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::lookup::step_named;
use crate::cli::stderr::tell;
use crate::cli::stdout::written;
use crate::ledger::{LogReader, LogRecord, Reader, StepRecord};
use crate::model::{ItemAttempt, StepName};
use crate::text::{Printable, escape_json};
use clap::Args;
use indexmap::IndexMap;
use jiff::Timestamp;
use regex_lite::Regex;
use serde_json::json;
use std::collections::HashSet;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// How often to look for new lines with `--follow`.
const TICK: Duration = Duration::from_millis(100);

/// How many incomplete lines may wait for their end.
const MOST_OPEN_LINES: usize = 1024;

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    #[command(flatten)]
    run: RunSelector,
    /// Show only this step
    #[arg(long, value_name = "NAME")]
    step: Option<String>,
    /// Show only the item with this index
    #[arg(long, value_name = "INDEX", value_parser = index, allow_negative_numbers = true)]
    item: Option<u64>,
    /// Show only items that failed
    #[arg(long, conflicts_with = "follow")]
    failed: bool,
    /// Show only lines that match this regular expression
    #[arg(long, value_name = "REGEX")]
    grep: Option<Regex>,
    /// Print new lines until the run ends
    #[arg(long, short)]
    follow: bool,
    /// Output format; `json` prints one object per line
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl LogsArgs {
    /// Prints the logs.
    pub fn run(self) -> Result<Exit, CliError> {
        let reader = self.run.open()?;
        let mut printer = Printer::new(&self);
        let ended = self.print(&reader, &mut printer);
        // A closed pipe is not an error. It also ends `--follow`.
        match ended {
            Err(Ended::Written(error)) => written(Err(error))?,
            Err(Ended::Failed(error)) => return Err(error),
            Ok(()) if !printer.has_read && !self.follow => {
                tell(format!("the tasks of run `{}` printed nothing", Printable::line(&reader.folder().run.0)));
            }
            Ok(()) => {}
        }
        Ok(Exit::Done)
    }

    fn print(&self, reader: &Reader, printer: &mut Printer<'_>) -> Result<(), Ended> {
        let mut logs: Vec<(StepName, LogReader)> = Vec::new();
        loop {
            // Asked first: what a run prints before it ends is read after that.
            let is_running = reader.folder().is_locked();
            for step in self.steps(reader, is_running)? {
                let at = logs.iter().position(|(name, _)| *name == step.name).unwrap_or_else(|| {
                    logs.push((step.name.clone(), reader.open_step(step.clone()).log()));
                    logs.len() - 1
                });
                let failed = if self.failed { Some(failed_items(reader, step)?) } else { None };
                let (name, log) = &mut logs[at];
                while let Some(record) = log.next_record()? {
                    printer.has_read = true;
                    if self.wants(&record, failed.as_ref()) {
                        printer.print(name, record).map_err(Ended::Written)?;
                    }
                }
            }
            if !self.follow || !is_running {
                return printer.finish().map_err(Ended::Written);
            }
            printer.out.flush().map_err(Ended::Written)?;
            std::thread::sleep(TICK);
        }
    }

    /// The steps to show. With `--follow`, a step may not have started yet.
    fn steps(&self, reader: &Reader, is_running: bool) -> Result<Vec<StepRecord>, CliError> {
        let steps = reader.steps()?;
        let Some(name) = &self.step else { return Ok(steps) };
        match step_named(&steps, name) {
            Ok(step) => Ok(vec![step.clone()]),
            Err(_) if self.follow && is_running => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn wants(&self, record: &LogRecord, failed: Option<&HashSet<u64>>) -> bool {
        let index = record.item.map(|item| item.index);
        let is_wanted = self.item.is_none() || index == self.item;
        is_wanted && failed.is_none_or(|failed| index.is_some_and(|index| failed.contains(&index)))
    }
}

/// Why printing ended early.
enum Ended {
    Failed(CliError),
    Written(io::Error),
}

impl<E: Into<CliError>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The indexes of the items that failed.
fn failed_items(reader: &Reader, step: StepRecord) -> Result<HashSet<u64>, CliError> {
    Ok(reader.open_step(step).failure_keys()?.into_iter().map(|(index, _)| index).collect())
}

/// Whose text it is.
type Origin = (StepName, Option<ItemAttempt>, String);

/// Prints the lines of log entries. Lines that arrive in pieces are joined, so that no other line interrupts them.
struct Printer<'a> {
    grep: Option<&'a Regex>,
    format: Format,
    out: io::BufWriter<io::StdoutLock<'static>>,
    is_terminal: bool,
    has_read: bool,
    /// Incomplete lines, and when they began.
    open_lines: IndexMap<Origin, (Option<i64>, String)>,
}

impl<'a> Printer<'a> {
    fn new(args: &'a LogsArgs) -> Self {
        let stdout = io::stdout().lock();
        let is_terminal = stdout.is_terminal();
        Self {
            grep: args.grep.as_ref(),
            format: args.format,
            out: io::BufWriter::new(stdout),
            is_terminal,
            has_read: false,
            open_lines: IndexMap::new(),
        }
    }

    /// Prints an entry up to the end of its last complete line.
    fn print(&mut self, step: &StepName, record: LogRecord) -> io::Result<()> {
        let origin = (step.clone(), record.item, record.stream);
        let (time, text) = match self.open_lines.shift_remove(&origin) {
            Some((began, line)) => (began, line + &record.text),
            None => (record.time, record.text),
        };
        let whole = memchr::memrchr(b'\n', text.as_bytes()).map_or(0, |end| end + 1);
        for line in text[..whole].split_terminator('\n') {
            self.print_line(&origin, time, line)?;
        }
        if whole < text.len() {
            let rest = text[whole..].to_owned();
            self.open_lines.insert(origin, (if whole == 0 { time } else { record.time }, rest));
        }
        // More lines than there can be slots: the oldest one's item has ended without a line break.
        if self.open_lines.len() > MOST_OPEN_LINES { self.print_open_line() } else { Ok(()) }
    }

    fn print_open_line(&mut self) -> io::Result<()> {
        let oldest = self.open_lines.shift_remove_index(0);
        oldest.map_or(Ok(()), |(origin, (time, line))| self.print_line(&origin, time, &line))
    }

    /// Prints the incomplete lines.
    fn finish(&mut self) -> io::Result<()> {
        while !self.open_lines.is_empty() {
            self.print_open_line()?;
        }
        self.out.flush()
    }

    fn print_line(&mut self, (step, item, stream): &Origin, time: Option<i64>, line: &str) -> io::Result<()> {
        if self.grep.is_some_and(|grep| !grep.is_match(line)) {
            return Ok(());
        }
        if self.format == Format::Json {
            let (index, attempt) = item.map(|item| (item.index, item.attempt)).unzip();
            let line = json!({
                "time": time, "step": step, "index": index, "attempt": attempt, "stream": stream, "text": line,
            });
            let line = line.to_string();
            let line = if self.is_terminal { escape_json(&line).into_owned() } else { line };
            return writeln!(self.out, "{line}");
        }
        let time = time.and_then(|time| Timestamp::from_millisecond(time).ok());
        let time = time.map_or(String::new(), |time| time.strftime("%H:%M:%S%.3f ").to_string());
        let index = item.map_or(String::new(), |item| format!("[{}]", item.index));
        let again = item.filter(|item| item.attempt > 1).map_or(String::new(), |item| format!("#{}", item.attempt));
        let by = if matches!(stream.as_str(), "stdout" | "stderr") { "" } else { "batchmill: " };
        write!(self.out, "{time}{step}{index}{again} {by}")?;
        if self.is_terminal {
            // Of a line that is drawn again and again, such as a progress bar, what stood there last.
            let last = line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or("");
            let shown = Printable::styled(last);
            // The colours of a line end with it.
            let end = if shown.as_str().contains('\u{1b}') { "\u{1b}[0m" } else { "" };
            writeln!(self.out, "{shown}{end}")
        } else {
            writeln!(self.out, "{line}")
        }
    }
}
