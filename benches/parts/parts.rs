//! The parts that every item passes, each by itself and on one thread: where a slower `make bench-peers` comes from.
//!
//! They go through the library, so they change with it; `make bench-check` measures whole runs.

use batchmill::ledger::{Durability, Given, Ledger, RunMeta, StateFolder, StepLedger, StepType};
use batchmill::model::{
    BatchReport, BatchSpan, Column, CsvDialect, CsvForm, Fingerprint, Form, From, Indexes, ItemKey, ItemTime, Items,
    Keys, Kind, Lines, ResultForm, StepName, Text, ValueFormat,
};
use batchmill::rows::{ColumnsFrom, CsvReading, Cutter, to_json};
use batchmill::template::{ItemScope, Scope, Template, json_to_value, value_to_json};
use batchmill::wire::{FrameReader, Results, WorkerMessage, write_frame};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use std::fmt::Write as _;
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;

/// Records of a table, and items of a batch.
const RECORDS: usize = 1000;

fn main() {
    divan::main();
}

/// A CSV file without its header; each hundredth record has a quoted line break.
fn table() -> String {
    let mut text = String::new();
    for id in 0..RECORDS {
        let note = if id % 100 == 0 { "\"two\nlines\"" } else { "plain" };
        writeln!(text, "{id},customer {id},{}.{:02},{note}", id % 1000, id % 100).expect("a string grows");
    }
    text
}

fn json() -> Vec<u8> {
    br#"{"id": 17, "name": "customer 17", "amount": 17.5, "tags": ["a", "b"], "note": null}"#.to_vec()
}

/// Finding where each record of a file ends.
#[divan::bench]
fn cut_csv(bencher: Bencher<'_, '_>) {
    let table = table();
    let reading = CsvReading { dialect: CsvDialect::default(), columns: ColumnsFrom::Named(4), alike: false };
    let bytes = table.len();
    bencher.counter(BytesCount::new(bytes)).with_inputs(|| Cursor::new(table.clone().into_bytes())).bench_values(
        |input| {
            let mut cutter = Cutter::of_csv(Box::new(input), &reading);
            let mut records = 0;
            while let Ok(Some(block)) = cutter.block() {
                records += block.records().count();
            }
            assert_eq!(records, RECORDS);
        },
    );
}

/// A record of a CSV file as JSON, as templates see it.
#[divan::bench]
fn decode_csv_record(bencher: Bencher<'_, '_>) {
    let column = |(at, name): (usize, &str)| Column {
        name: name.to_owned(),
        from: From::Field(at),
        kind: if at == 1 || at == 3 { Kind::Text } else { Kind::Number },
        format: None,
    };
    let columns = ["id", "name", "amount", "note"].into_iter().enumerate().map(column).collect();
    let form = CsvForm {
        delimiter: b',',
        quote: Some(b'"'),
        fields: 4,
        columns,
        null: Vec::new(),
        values: ValueFormat::default(),
    };
    let form = Form::Csv(form);
    let mut items = Items::default();
    items.push(b"17,customer 17,17.50,plain\n");
    bencher
        .counter(ItemsCount::new(1_usize))
        .bench(|| to_json(&form, black_box(&items), 0, None).expect("it can be read"));
}

/// JSON to a value of a template.
#[divan::bench]
fn decode_json(bencher: Bencher<'_, '_>) {
    let json = json();
    bencher.counter(BytesCount::new(json.len())).bench(|| json_to_value(black_box(&json)).expect("it is JSON"));
}

/// A value of a template to JSON.
#[divan::bench]
fn encode_json(bencher: Bencher<'_, '_>) {
    let json = json();
    let value = json_to_value(&json).expect("it is JSON");
    bencher
        .counter(BytesCount::new(json.len()))
        .bench(|| value_to_json(black_box(&value)).expect("it has a JSON form"));
}

/// A template over an item.
#[divan::bench]
fn render_template(bencher: Bencher<'_, '_>) {
    let text = Text::new("{{ item.id }} {{ item.name | upper }} {{ item.amount }}");
    let template = Template::compile(&text).unwrap_or_else(|error| panic!("{error:?}"));
    let step = Arc::new(Scope::default());
    let json = json();
    let scope = || {
        let mut scope = ItemScope::of_step(Arc::clone(&step));
        scope.item = Some(json.clone());
        Arc::new(scope)
    };
    let render = |scope: Arc<ItemScope>| template.string(&scope).map_err(|error| error.message).expect("it renders");
    bencher.counter(ItemsCount::new(1_usize)).with_inputs(scope).bench_values(render);
}

/// The results of a batch, from a worker to the engine.
#[divan::bench]
fn write_and_read_frame(bencher: Bencher<'_, '_>) {
    let results = Results {
        first: 0,
        count: RECORDS as u32,
        failures: Vec::new(),
        bad: Vec::new(),
        nulls: 0,
        list: false,
        form: ResultForm::Lines,
        times: vec![ItemTime { first: 0, count: RECORDS as u32, nanoseconds: 1_000_000 }],
        lines: b"12345\n".repeat(RECORDS),
    };
    let message = WorkerMessage::Results(results);
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, black_box(&message)).expect("a vector grows");
        FrameReader::default().read::<WorkerMessage>(&mut bytes.as_slice()).expect("it is a frame")
    });
}

/// A ledger with a step in it.
struct Recording {
    step: StepLedger,
    _ledger: Ledger,
    _folder: tempfile::TempDir,
}

impl Recording {
    fn begin() -> Self {
        let folder = tempfile::tempdir().expect("there is a temporary directory");
        let run = StateFolder(folder.path().join("state")).create_run("bench").expect("a run can be created");
        let meta = RunMeta {
            workflow: "bench".to_owned(),
            path: PathBuf::from("bench.yaml"),
            params: "{}".to_owned(),
            incremental: None,
            given: Given { params: "{}".to_owned(), python: None, state: None },
            params_hash: String::new(),
            max_items: None,
            source: String::new(),
            machine: "{}".to_owned(),
        };
        let mut ledger = Ledger::create(run, &meta, Durability::Normal).expect("a ledger can be created");
        let name = StepName::new("bench").expect("it is a name");
        let (mut step, _) = ledger.begin_step(&name, StepType::Batch).expect("a step can begin");
        step.use_fingerprint(&Fingerprint::new(Default::default())).expect("it can be recorded");
        Self { step, _ledger: ledger, _folder: folder }
    }

    /// Commits the outcome of a batch of this many items.
    fn commit(&mut self, number: u64, items: u64) {
        let first = number * items;
        let keys = (first..first + items).map(|index| ItemKey::from(u128::from(index) << 64)).collect();
        let report = BatchReport {
            number: number + 1,
            batches: 1,
            attempt: 1,
            succeeded: Indexes::Range(first..first + items),
            keys: Keys::List(keys),
            lines: Lines(b"12345\n".repeat(items as usize)),
            form: ResultForm::Lines,
            list: false,
            files: Vec::new(),
            failed: Vec::new(),
            retries: Vec::new(),
            skipped: 0,
            bytes: 0,
            span: BatchSpan::default(),
        };
        self.step.record(&[report]).expect("it can be recorded");
    }
}

/// A transaction of the ledger, with the results of a batch.
#[divan::bench(args = [1, 1000])]
fn commit_batch(bencher: Bencher<'_, '_>, items: u64) {
    let (mut recording, mut number) = (Recording::begin(), 0);
    bencher.counter(ItemsCount::new(items)).bench_local(move || {
        recording.commit(number, items);
        number += 1;
    });
}
