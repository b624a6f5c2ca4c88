//! A worker process as a test sees it: frames in, frames out, and the shared page.
#![expect(clippy::unwrap_used, reason = "helpers of tests: what goes wrong here shall fail the test")]

use batchmill::model::{BatchFormat, Failure, Form, Indexes, Items};
use batchmill::wire::{
    Done, FrameReader, ItemSettings, Log, Program, Results, Run, RunBatch, ScopeValues, Start, WorkerMessage, page,
    write_frame,
};
use rustix::fs::MemfdFlags;
use serde_json::value::RawValue;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};

/// Everything a `Run` was answered with.
#[derive(Debug, Default)]
pub struct Answer {
    pub results: Vec<Results>,
    pub logs: Vec<Log>,
    pub executed: u32,
}

impl Answer {
    /// All lines, in order.
    pub fn lines(&self) -> Vec<String> {
        let bytes = self.results.iter().flat_map(|results| results.lines.clone()).collect();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    /// The only failure.
    pub fn failure(&self) -> &Failure {
        let failures: Vec<_> = self.results.iter().flat_map(|results| &results.failures).collect();
        assert_eq!(failures.len(), 1, "{self:?}");
        &failures[0].1
    }

    /// What was printed on `stream` at `position`.
    pub fn printed(&self, stream: &str, position: Option<u32>) -> String {
        let logs = self.logs.iter().filter(|log| log.stream == stream && log.position == position);
        logs.map(|log| log.text.as_str()).collect()
    }
}

/// A worker process.
pub struct Worker {
    child: Child,
    pub socket: UnixStream,
    reader: FrameReader,
    pub page: OwnedFd,
    pub log: File,
}

impl Worker {
    /// Starts the binary and reads its `Hello`.
    pub fn spawn() -> Self {
        Self::spawn_with(&[])
    }

    /// The same with more in its environment.
    pub fn spawn_with(environment: &[(&str, &str)]) -> Self {
        let (socket, theirs) = UnixStream::pair().unwrap();
        let page = rustix::fs::memfd_create("page", MemfdFlags::CLOEXEC).unwrap();
        rustix::fs::ftruncate(&page, page::SIZE as u64).unwrap();
        let log = tempfile::tempfile().unwrap();
        let mut command = match std::env::var_os("BATCHMILL_TEST_WORKER_PYTHON") {
            Some(python) => {
                let mut command = Command::new(python);
                command.args(["-m", "batchmill", "worker"]);
                command
            }
            None => Command::new(env!("CARGO_BIN_EXE_batchmill-python")),
        };
        let child = command
            .envs(environment.iter().copied())
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::from(page.try_clone().unwrap()))
            .stderr(log.try_clone().unwrap())
            .spawn()
            .unwrap();
        let mut worker = Self { child, socket, reader: FrameReader::default(), page, log };
        let Some(WorkerMessage::Hello(hello)) = worker.next() else { panic!("no greeting") };
        assert_eq!(hello.protocol, batchmill::wire::PROTOCOL);
        assert_eq!(hello.role, batchmill::wire::Role::Worker);
        worker
    }

    /// Starts a worker on `start` that is expected to get ready.
    pub fn ready(start: Start) -> Self {
        let mut worker = Self::spawn();
        worker.send(&WorkerMessage::Start(Box::new(start)));
        loop {
            match worker.next() {
                Some(WorkerMessage::Ready) => return worker,
                Some(WorkerMessage::Log(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Starts a worker on `start` that is expected to refuse.
    pub fn broken(start: Start) -> Failure {
        let mut worker = Self::spawn();
        worker.send(&WorkerMessage::Start(Box::new(start)));
        match worker.next() {
            Some(WorkerMessage::Broken(failure)) => failure,
            other => panic!("{other:?}"),
        }
    }

    pub fn send(&mut self, message: &WorkerMessage) {
        write_frame(&mut self.socket, message).unwrap();
    }

    pub fn next(&mut self) -> Option<WorkerMessage> {
        self.reader.read(&mut self.socket).unwrap()
    }

    /// Sends `run` and collects until `Done`. `None` when the worker died before.
    pub fn try_run(&mut self, run: Run) -> (Answer, bool) {
        self.send(&WorkerMessage::Run(run));
        let mut answer = Answer::default();
        loop {
            match self.reader.read(&mut self.socket) {
                Ok(Some(WorkerMessage::Results(results))) => answer.results.push(results),
                Ok(Some(WorkerMessage::Log(log))) => answer.logs.push(log),
                Ok(Some(WorkerMessage::Done(Done { executed, .. }))) => {
                    answer.executed = executed;
                    return (answer, true);
                }
                Ok(None) | Err(_) => return (answer, false),
                Ok(other) => panic!("{other:?}"),
            }
        }
    }

    pub fn run(&mut self, run: Run) -> Answer {
        let (answer, alive) = self.try_run(run);
        assert!(alive, "the worker died after {answer:?}");
        answer
    }

    /// The position that the shared page names, plus one.
    pub fn cell(&self, offset: usize) -> u64 {
        let mut bytes = [0; 8];
        rustix::io::pread(&self.page, &mut bytes, offset as u64).unwrap();
        u64::from_ne_bytes(bytes)
    }

    /// Sends `Stop`; what is printed on the way out, and the exit status.
    pub fn stop(mut self) -> (Vec<Log>, ExitStatus) {
        self.send(&WorkerMessage::Stop);
        let mut logs = Vec::new();
        while let Some(WorkerMessage::Log(log)) = self.next() {
            logs.push(log);
        }
        (logs, self.child.wait().unwrap())
    }

    pub fn wait(mut self) -> ExitStatus {
        drop(self.socket);
        self.child.wait().unwrap()
    }

    pub fn log_text(&mut self) -> String {
        use std::io::{Read, Seek};
        let mut text = String::new();
        self.log.rewind().unwrap();
        self.log.read_to_string(&mut text).unwrap();
        text
    }
}

/// A `Start` for a code block.
pub fn code(source: &str) -> Start {
    program(Program::Code { source: source.to_owned(), filename: "flow.yaml:steps.count.code".to_owned() })
}

pub fn program(program: Program) -> Start {
    Start {
        program,
        setup: None,
        teardown: None,
        max_memory: None,
        samples: None,
        import_path: Vec::new(),
        items: ItemSettings {
            seed: None,
            has_item: true,
            batched: false,
            batch_format: BatchFormat::Records,
            forms: vec![Form::Json],
            skip_bad_rows: false,
            clock: false,
        },
        scope: ScopeValues {
            params: json("{}"),
            steps: json("{}"),
            inputs: json("{}"),
            outputs: Vec::new(),
            stored: Vec::new(),
            small: Vec::new(),
            item_inputs: Vec::new(),
        },
    }
}

pub fn json(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

pub fn packed(items: &[&str]) -> Items {
    let mut packed = Items::default();
    items.iter().for_each(|item| packed.push(item.as_bytes()));
    packed
}

/// One batch of `items`.
pub fn batch(items: &[&str]) -> Run {
    batches(&[items])
}

/// Batches, the first item of all having index 10.
pub fn batches(all: &[&[&str]]) -> Run {
    let mut from = 10;
    let mut number = 0;
    let cut = |items: &&[&str]| {
        let start = from;
        from += items.len() as u64;
        number += 1;
        RunBatch {
            number,
            size: items.len(),
            total: all.len() as u64,
            attempt: 1,
            indexes: Indexes::Range(start..from),
            form: 0,
            origin: None,
        }
    };
    Run {
        halt_on_failure: false,
        batches: all.iter().map(cut).collect(),
        items: packed(&all.concat()),
        inputs: Items::default(),
    }
}

/// Runs `source` on each of `items`.
pub fn run_code(source: &str, items: &[&str]) -> Answer {
    Worker::ready(code(source)).run(batch(items))
}
