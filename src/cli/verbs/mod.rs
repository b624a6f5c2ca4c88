//! The verbs, one per file. None imports anything from another; what several need is in `cli` itself.

mod audit;
mod doctor;
mod failures;
mod init;
mod inspect;
mod plan;
mod repro;
mod results;
mod resume;
mod retry;
mod run;
mod runs;
mod schema;
mod validate;

pub use audit::AuditArgs;
pub use doctor::DoctorArgs;
pub use failures::FailuresArgs;
pub use init::InitArgs;
pub use inspect::InspectArgs;
pub use plan::PlanArgs;
pub use repro::ReproArgs;
pub use results::ResultsArgs;
pub use resume::ResumeVerb;
pub use retry::RetryArgs;
pub use run::RunArgs;
pub use runs::RunsArgs;
pub use schema::SchemaArgs;
pub use validate::ValidateArgs;
