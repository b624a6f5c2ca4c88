//! A folder with a workflow, the program run in it, and what came of it.

use crate::event_files::EventFiles;
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The interpreter of the test environment.
pub fn python() -> PathBuf {
    let set = std::env::var_os("BATCHMILL_TEST_PYTHON").map(PathBuf::from);
    let python = set.unwrap_or_else(|| repository().join(".venv/bin/python"));
    assert!(python.exists(), "`{}` is missing: `make test` sets it up", python.display());
    python
}

/// A folder of its own for one test.
pub struct Sandbox {
    folder: TempDir,
    env: Vec<(String, String)>,
    events: EventFiles,
}

impl Sandbox {
    pub fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), env: Vec::new(), events: EventFiles::default() }
    }

    /// A sandbox with `workflow.yaml`.
    pub fn with(workflow: &str) -> Self {
        Self::new().file("workflow.yaml", workflow)
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// A shell script in `bin/`, which is put on PATH.
    pub fn script(self, name: &str, text: &str) -> Self {
        let sandbox = self.file(&format!("bin/{name}"), format!("#!/bin/sh\n{text}\n"));
        let path = sandbox.path().join("bin").join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        sandbox
    }

    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn exists(&self, name: &str) -> bool {
        self.path().join(name).exists()
    }

    /// The program, ready to start in the folder, in an environment that says nothing of Python but the test's own.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_batchmill"));
        command.args(arguments).args(self.events.arguments(arguments)).current_dir(self.path()).stdin(Stdio::null());
        for name in ["VIRTUAL_ENV", "CONDA_PREFIX", "BATCHMILL_STATE_DIR", "PYTHONPATH"] {
            command.env_remove(name);
        }
        command.env("BATCHMILL_PYTHON", python());
        // What interpreters said is remembered apart from what the user's own runs remember.
        command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.path().join("bin").display()));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program to its end.
    pub fn batchmill(&self, arguments: &[&str]) -> Ended {
        ended(&mut self.command(arguments))
    }

    /// The program under a limit of so many KiB on the size of files.
    pub fn limited(&self, kib: u64, arguments: &[&str]) -> Ended {
        // `ulimit -f` counts blocks of 512 bytes.
        self.under(&format!("-f {}", kib * 2), arguments)
    }

    /// The program under a limit of the shell's `ulimit`.
    pub fn under(&self, limit: &str, arguments: &[&str]) -> Ended {
        let shell = format!("ulimit {limit} && exec \"$0\" \"$@\"");
        let plain = self.command(arguments);
        let mut command = Command::new("sh");
        command.args(["-c", &shell]).arg(plain.get_program()).args(plain.get_args()).current_dir(self.path());
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        ended(&mut command)
    }

    /// `batchmill run workflow.yaml` with further arguments.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.batchmill(&[&["run", "workflow.yaml"], arguments].concat())
    }

    /// Runs the workflow until stderr has a line with these words in it; it goes on then.
    pub fn run_until(&self, arguments: &[&str], words: &str) -> Running {
        let mut engine = self.command(&[&["run", "workflow.yaml"], arguments].concat());
        let engine = engine.stderr(Stdio::piped()).spawn().unwrap();
        Running::since(engine, |line| line.contains(words))
    }

    /// Starts an engine whose events are read from stderr. It cannot get far ahead of its reader: the pipe holds a page, and little is
    /// read ahead. So how far it is when it gets killed after so many events does not depend on the speed of the machine.
    pub fn spawn_in_step(&self, arguments: &[&str]) -> (Child, impl Iterator<Item = String> + use<>) {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        fcntl_setpipe_size(&writer, 4096).unwrap();
        let engine = self.command(arguments).stderr(writer).spawn().unwrap();
        let lines = BufReader::with_capacity(256, fs::File::from(reader)).lines().map_while(Result::ok);
        (engine, lines)
    }

    /// Waits until no process works in the folder any more, except those that the kernel is about to forget.
    #[track_caller]
    pub fn has_no_process(&self) {
        let folder = self.path().canonicalize().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
            let here: Vec<PathBuf> = processes
                .map(|entry| entry.path())
                .filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == folder))
                .collect();
            if here.is_empty() {
                return;
            }
            let commands: Vec<_> = here.iter().map(|process| fs::read_to_string(process.join("cmdline"))).collect();
            assert!(Instant::now() < deadline, "still there: {commands:?}");
            thread::yield_now();
        }
    }

    /// The results of a step of the latest run.
    pub fn results(&self, step: &str) -> Vec<Value> {
        let ended = self.batchmill(&["results", "--step", step]).exits_with(0);
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The numbers that tasks have written to a file since the last call, sorted.
    pub fn take_numbers(&self, name: &str) -> Vec<usize> {
        let path = self.path().join(name);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(&path);
        let mut ran: Vec<usize> = text.lines().map(|line| line.parse().unwrap()).collect();
        ran.sort_unstable();
        ran
    }

    /// The failed items of the latest run.
    pub fn failures(&self) -> Vec<Value> {
        let ended = self.batchmill(&["failures", "--format", "json"]).exits_with(0);
        serde_json::from_str(&ended.stdout).unwrap()
    }

    /// Everything that the latest run wrote, as lossy text: ledger, results, logs.
    pub fn everything_written(&self, except: &str) -> String {
        let mut text = String::new();
        let mut folders = vec![self.path().join(".batchmill")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if except.is_empty() || !path.to_string_lossy().contains(except) {
                    let _ = writeln!(text, "{}", String::from_utf8_lossy(&fs::read(path).unwrap()));
                }
            }
        }
        text
    }
}

/// Runs a program to its end.
pub fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A run under way.
pub struct Running {
    pub engine: Child,
    /// The line that was waited for.
    pub line: String,
    rest: thread::JoinHandle<usize>,
}

impl Running {
    /// An engine whose stderr has said such a line.
    #[track_caller]
    pub fn since(mut engine: Child, said: impl Fn(&str) -> bool) -> Self {
        let mut lines = BufReader::new(engine.stderr.take().unwrap()).lines();
        let line = lines.by_ref().map_while(Result::ok).find(|line| said(line));
        let rest = thread::spawn(move || lines.map_while(Result::ok).count());
        Self { engine, line: line.expect("it has not said what was waited for"), rest }
    }

    /// Waits for the end; the exit code.
    pub fn ends_with(mut self) -> Option<i32> {
        self.rest.join().unwrap();
        self.engine.wait().unwrap().code()
    }
}

/// What came of a run of the program.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    #[track_caller]
    pub fn exits_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Checks that stderr says each of these.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is not in stderr:\n{}", self.stderr);
        }
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// A real PostgreSQL in a folder of its own; ends when it is dropped.
pub struct Postgres {
    child: Child,
    pub uri: String,
}

impl Postgres {
    pub fn start() -> Self {
        let script = repository().join("tests/support/postgres.py");
        let mut child = Command::new(python());
        let mut child = child.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut uri = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut uri).unwrap();
        assert!(!uri.is_empty(), "PostgreSQL did not start");
        Self { child, uri: uri.trim().to_owned() }
    }

    /// The folder of its socket.
    pub fn folder(&self) -> &str {
        self.uri.split_once("host=").unwrap().1
    }

    /// Runs SQL and gives what the last statement returns, rows as tuples.
    pub fn sql(&self, statements: &str) -> String {
        let code = "import sys, psycopg2\n\
            c = psycopg2.connect(sys.argv[1]); k = c.cursor(); k.execute(sys.argv[2]); c.commit()\n\
            print(k.fetchall() if k.description else '')";
        let output = Command::new(python()).args(["-c", code, &self.uri, statements]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A request that the server got.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// A real HTTP server on a free port, which answers by a function; ends when it is dropped.
pub struct Server {
    server: std::sync::Arc<tiny_http::Server>,
    seen: mpsc::Receiver<Request>,
    threads: Vec<thread::JoinHandle<()>>,
    pub port: u16,
}

/// Status, headers, body.
pub type Answer = (u16, Vec<(&'static str, String)>, String);

impl Server {
    pub fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let server = std::sync::Arc::new(tiny_http::Server::http("127.0.0.1:0").unwrap());
        let port = server.server_addr().to_ip().unwrap().port();
        let answer = std::sync::Arc::new(answer);
        let (tell, seen) = mpsc::channel();
        let serve = || {
            let (server, answer, tell) = (server.clone(), answer.clone(), tell.clone());
            thread::spawn(move || {
                while let Ok(mut request) = server.recv() {
                    let mut body = String::new();
                    request.as_reader().read_to_string(&mut body).unwrap();
                    let header = |header: &tiny_http::Header| {
                        (header.field.to_string().to_lowercase(), header.value.to_string())
                    };
                    let got = Request {
                        method: request.method().to_string(),
                        url: request.url().to_owned(),
                        headers: request.headers().iter().map(header).collect(),
                        body,
                    };
                    let (status, headers, text) = answer(&got);
                    let _ = tell.send(got);
                    let mut response = tiny_http::Response::from_string(text).with_status_code(status);
                    for (name, value) in headers {
                        response.add_header(tiny_http::Header::from_bytes(name, value).unwrap());
                    }
                    let _ = request.respond(response);
                }
            })
        };
        let threads = (0..4).map(|_| serve()).collect();
        Self { server, seen, threads, port }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.seen.try_iter().collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for _ in &self.threads {
            self.server.unblock();
        }
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
    }
}
