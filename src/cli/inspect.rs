//! `batchmill inspect`: what files of rows hold, which of them stand out, and how a workflow reads them.

mod snippet;

use super::exit::{Exit, Stop};
use super::past::{lines, table};
use super::{Format, print};
use crate::report::{Counting, bytes, count};
use crate::sources::SurveyRequest;
use crate::spec::{Compression, RowFormat};
use crate::survey::{Anomaly, ColumnProfile, FileProfile, Group, Outlier, Survey, delimiter_name};
use clap::Args;
use serde_json::{Value, json};
use snippet::snippet;
use std::fmt::Write;
use std::io::{self, IsTerminal};

#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// Files, and patterns such as "data/*.csv": CSV, or JSON Lines where the name ends in .jsonl or .ndjson; .gz and .zst
    /// are unpacked
    #[arg(required = true)]
    files: Vec<String>,
    /// What stdout gets
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(super) fn inspect(args: &InspectArgs) -> Result<Exit, Stop> {
    for path in &args.files {
        let one = SurveyRequest::of_paths(std::slice::from_ref(path)).map_err(|error| Stop::bad(error.to_string()))?;
        if one.is_empty() {
            return Err(Stop::bad(format!("no file matches `{path}`")));
        }
    }
    let request = SurveyRequest::of_paths(&args.files).map_err(|error| Stop::bad(error.to_string()))?;
    let size = (request.len() as u64, request.bytes());
    let bar = io::stderr().is_terminal().then(|| Counting::new("looking at", size, (true, "")));
    let survey = crate::survey::survey(&request, &mut |read| bar.iter().for_each(|bar| bar.read(read)));
    bar.into_iter().for_each(Counting::end);
    match args.format {
        Format::Text => print(&text(&survey, &args.files))?,
        Format::Json => print(&format!("{:#}\n", to_json(&survey, &args.files)))?,
    }
    let readable = survey.files.iter().any(|file| file.error.is_none() || !file.columns.is_empty());
    Ok(match (readable, survey.outliers.is_empty()) {
        (false, _) => Exit::Bad,
        (true, false) => Exit::SomeFailed,
        (true, true) => Exit::Done,
    })
}

/// The odd files of a survey, a line for each.
pub(super) fn odd_lines(survey: &Survey, indent: &str) -> String {
    /// Of many, a person reads the first.
    const MOST: usize = 100;
    let line = |outlier: &Outlier| {
        let anomalies: Vec<String> = outlier.anomalies.iter().map(Anomaly::to_string).collect();
        format!("{indent}{}: {}\n", survey.files[outlier.file].path, anomalies.join("; "))
    };
    let mut text: String = survey.outliers.iter().take(MOST).map(line).collect();
    if survey.outliers.len() > MOST {
        let _ = writeln!(text, "{indent}and {} more", count((survey.outliers.len() - MOST) as u64, "file"));
    }
    text
}

/// The odd files of a survey, for programs.
pub(super) fn odd_json(survey: &Survey) -> Vec<Value> {
    let json = |outlier: &Outlier| json!({ "path": survey.files[outlier.file].path, "odd": outlier.anomalies });
    survey.outliers.iter().map(json).collect()
}

fn text(survey: &Survey, given: &[String]) -> String {
    /// A table of more columns than these is cut.
    const MOST: usize = 60;
    let mut text = String::new();
    for group in &survey.groups {
        let (rows, files) = (count(group.rows, "row"), count(group.files.len() as u64, "file"));
        let _ = writeln!(text, "{rows} in {files}, {}: {}", bytes(group.bytes), layout(group));
        let _ = writeln!(text, "{}", span(survey, group));
        let mut columns = table(["column", "type"]);
        for column in group.columns.iter().take(MOST) {
            columns.add_row([column.name.clone(), column.kind().to_owned()]);
        }
        let rows = lines(&columns);
        rows.lines().for_each(|line| {
            let _ = writeln!(text, "  {line}");
        });
        if group.columns.len() > MOST {
            let _ = writeln!(text, "  and {} more", count((group.columns.len() - MOST) as u64, "column"));
        }
        text.push('\n');
    }
    if !survey.outliers.is_empty() {
        let odd = survey.outliers.len() as u64;
        let _ = writeln!(text, "{} of {} odd:", odd, count(survey.files.len() as u64, "file"));
        let _ = writeln!(text, "{}", odd_lines(survey, "  "));
    }
    if let Some(snippet) = snippet(survey, given) {
        let _ = write!(text, "for the `inputs` of a batch step:\n\n{snippet}");
    }
    text
}

/// How the files of a group are written.
fn layout(group: &Group) -> String {
    let encoding = group.encoding.name().to_lowercase();
    if group.format == RowFormat::JsonLines {
        return format!("JSON Lines, {encoding}");
    }
    let header = if group.header { "header" } else { "no header" };
    format!("CSV, delimiter {}, {header}, {encoding}", delimiter_name(char::from(group.delimiter)))
}

/// The files of a group, as far as they fit on a line.
fn span(survey: &Survey, group: &Group) -> String {
    let path = |file: &usize| survey.files[*file].path.to_string();
    match group.files.as_slice() {
        [first, _, _, .., last] => format!("{} .. {}", path(first), path(last)),
        few => few.iter().map(path).collect::<Vec<_>>().join(", "),
    }
}

fn to_json(survey: &Survey, given: &[String]) -> Value {
    let mut outliers = survey.outliers.iter().peekable();
    let files = survey.files.iter().enumerate().map(|(at, file)| {
        let odd = outliers.next_if(|outlier| outlier.file == at).map_or(&[][..], |outlier| &outlier.anomalies);
        file_json(file, survey.group_of(at), odd)
    });
    let groups = survey.groups.iter().map(|group| {
        let files: Vec<&str> = group.files.iter().map(|file| &*survey.files[*file].path).collect();
        json!({
            "files": files, "rows": group.rows, "bytes": group.bytes, "format": format_name(group.format),
            "delimiter": delimiter(group.format, group.delimiter), "header": group.header,
            "encoding": group.encoding.name().to_lowercase(), "columns": columns(&group.columns),
        })
    });
    json!({
        "files": files.collect::<Vec<_>>(), "groups": groups.collect::<Vec<_>>(), "odd": odd_json(survey),
        "rows": survey.files.iter().map(FileProfile::rows).sum::<u64>(),
        "bytes": survey.files.iter().map(|file| file.bytes).sum::<u64>(),
        "items": snippet(survey, given),
    })
}

fn file_json(file: &FileProfile, group: Option<usize>, odd: &[Anomaly]) -> Value {
    let compression = match file.compression {
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
        Compression::Plain | Compression::ByName => "none",
    };
    json!({
        "path": file.path, "bytes": file.bytes, "rows": file.rows(), "format": format_name(file.format),
        "compression": compression, "encoding": file.text.encoding.map(|encoding| encoding.name().to_lowercase()),
        "byte_order_mark": file.text.mark, "encoding_guessed": file.text.guessed,
        "delimiter": delimiter(file.format, file.delimiter), "header": file.header, "columns": columns(&file.columns),
        "group": group, "odd": odd,
    })
}

fn format_name(format: RowFormat) -> &'static str {
    match format {
        RowFormat::Csv => "csv",
        RowFormat::JsonLines => "jsonl",
        RowFormat::Parquet => "parquet",
    }
}

fn delimiter(format: RowFormat, delimiter: u8) -> Option<String> {
    (format == RowFormat::Csv).then(|| char::from(delimiter).to_string())
}

fn columns(columns: &[ColumnProfile]) -> Vec<Value> {
    columns.iter().map(|column| json!({ "name": column.name, "type": column.kind() })).collect()
}
