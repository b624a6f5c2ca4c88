//! `batchmill audit`: checks a run's files.

use crate::cli::args::RunSelector;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::stdout::print;
use crate::report::number;
use crate::text::Printable;
use clap::Args;

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(flatten)]
    run: RunSelector,
}

impl AuditArgs {
    /// Checks the run.
    pub fn run(self) -> Result<Exit, CliError> {
        let reader = self.run.open()?;
        reader.check()?;
        let mut exit = Exit::Done;
        for step in reader.steps()? {
            let name = step.name.clone();
            let audit = reader.open_step(step).audit()?;
            let mut counts = format!("{} succeeded, {} failed", number(audit.succeeded), number(audit.failed));
            if audit.cancelled > 0 {
                counts.push_str(&format!(", {} cancelled", number(audit.cancelled)));
            }
            if audit.problems.is_empty() {
                print(format!("{name}: {counts}; every item has one outcome and every result is intact\n"))?;
            } else {
                exit = Exit::SomeFailed;
                let problems: String =
                    audit.problems.iter().map(|problem| format!("  {}\n", Printable::line(problem))).collect();
                print(format!("{name}: {counts}\n{problems}"))?;
            }
        }
        Ok(exit)
    }
}
