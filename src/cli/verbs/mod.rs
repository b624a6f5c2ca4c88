//! The verbs, one per file. None imports anything from another; what several need is in `cli` itself.

mod audit;
mod doctor;
mod failures;
mod init;
mod inspect;
mod logs;
mod plan;
mod profile;
mod report;
mod repro;
mod results;
mod resume;
mod retry;
mod run;
mod runs;
mod schema;
mod status;
mod validate;

pub use audit::AuditArgs;
pub use doctor::DoctorArgs;
pub use failures::FailuresArgs;
pub use init::InitArgs;
pub use inspect::InspectArgs;
pub use logs::LogsArgs;
pub use plan::PlanArgs;
pub use profile::ProfileArgs;
pub use report::ReportArgs;
pub use repro::ReproArgs;
pub use results::ResultsArgs;
pub use resume::ResumeVerb;
pub use retry::RetryArgs;
pub use run::RunArgs;
pub use runs::RunsArgs;
pub use schema::SchemaArgs;
pub use status::StatusArgs;
pub use validate::ValidateArgs;
