//! The JSON Schema of workflow files as a file for editors.

use crate::spec;

/// The name of the file, next to the workflow.
///
/// The first line of a new workflow names it, so the YAML extension of VS Code, and every other editor that uses the same server, completes
/// and checks keys at once: without settings, without the network, and for a colleague who gets the directory. An address in
/// the net would need one of the version that is installed, and an absolute path would be wrong on any other machine.
pub const SCHEMA_FILE: &str = "batchmill.schema.json";

/// The text of the file.
pub fn workflow_schema() -> String {
    format!("{:#}\n", spec::schema())
}
