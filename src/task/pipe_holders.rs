//! Which processes keep a pipe open.

use crate::text::CUT;
use std::path::PathBuf;

/// The other processes that hold one of these pipes.
pub(super) fn holders(pipes: &[PathBuf]) -> Vec<String> {
    let own = std::process::id();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let holder = |process: std::fs::DirEntry| {
        let pid =
            process.file_name().into_string().ok().filter(|pid| pid.parse::<u32>().is_ok_and(|pid| pid != own))?;
        let files = std::fs::read_dir(process.path().join("fd")).ok()?.flatten();
        files.into_iter().find(|file| std::fs::read_link(file.path()).is_ok_and(|link| pipes.contains(&link)))?;
        let command = std::fs::read(process.path().join("cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).trim_end_matches('\0').replace('\0', " ");
        Some(format!("`{}` (process {pid})", beginning(&command)))
    };
    processes.filter_map(holder).collect()
}

/// The first characters of a text, with a mark where it was cut.
fn beginning(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}{CUT}", &text[..end]),
        None => text.to_owned(),
    }
}
