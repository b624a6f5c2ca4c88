//! File formats for results, and what happens to tables for them.

/// A file format for results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// JSON Lines
    Jsonl,
    /// CSV with a header
    Csv,
    /// Parquet
    Parquet,
}

impl OutputFormat {
    /// Its name in a workflow, which is also the file extension.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }

    /// The format for the extension of a path.
    pub fn of_path(path: &str) -> Option<Self> {
        let name = path.trim_end_matches('/').rsplit('/').next()?;
        let (_, ending) = name.rsplit_once('.')?;
        match ending.to_lowercase().as_str() {
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// What happens if the table for the results of a step is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IfExists {
    /// The step is refused.
    #[default]
    Fail,
    /// Rows are added, or updated by their key.
    Append,
    /// A new table takes its place.
    Replace,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_tells_the_format() {
        let of = |path| OutputFormat::of_path(path).map(OutputFormat::as_str);
        assert_eq!(of("out/{{ day }}.ndjson"), Some("jsonl"));
        assert_eq!(of("a.CSV"), Some("csv"));
        assert_eq!(of("a.parquet/"), Some("parquet"));
        assert_eq!([of("a.json"), of("csv"), of("a.csv/b"), of("{{ path }}")], [None; 4]);
    }
}
