//! Pages about runs: who may see them and steer with them, and that nobody can disturb a run.

use crate::support::{Running, Sandbox};
use batchmill::control::{Answer, Command, Server};
use batchmill::model::StepName;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// The second item fails, the third one waits for a file.
const WORKFLOW: &str = r"
name: flights <b>
steps:
  - name: load
    task: batch
    inputs:
      items: [a <i>, b, c, d]
      continue_on_error: true
      queue_size: 1
      task:
        type: shell
        command: 'case {{ item }} in b) echo no \<u\> >&2; exit 3;; c) while ! test -e go; do :; done;; esac'
";

/// A server of pages; ends when it is dropped.
pub struct Page {
    process: Process,
    pub port: u16,
    pub path: String,
    pub token: String,
}

impl Page {
    pub fn open(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let mut command = sandbox.command(&[&["ui"], arguments].concat());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        Self::at(&line, Process::Child(child))
    }

    /// The page of a run that was started with `--ui`, which has said this line.
    fn beside(run: &Gated<'_>) -> Self {
        let line = &run.running.as_ref().unwrap().line;
        let mut page = Self::at(line, Process::Unknown);
        let welcome = page.ask(&format!("GET /run?token={}", page.token), "", "").is(303);
        let path = welcome.0.lines().find_map(|line| line.strip_prefix("location: ")).unwrap();
        page.process = Process::Other(server("page", path.rsplit('/').next().unwrap()));
        Self { path: path.to_owned(), ..page }
    }

    fn at(line: &str, process: Process) -> Self {
        let url = line.trim().strip_prefix("open http://127.0.0.1:").unwrap_or_else(|| panic!("{line}"));
        let (url, token) = url.split_once("?token=").unwrap();
        let (port, path) = url.split_once('/').unwrap();
        Self { process, port: port.parse().unwrap(), path: format!("/{path}"), token: token.to_owned() }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// Sends these bytes, and returns all that comes back.
    pub fn send(&self, request: &str) -> Response {
        let mut stream = self.connect();
        // A request that is refused early may not be read to its end.
        let _ = stream.write_all(request.as_bytes());
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        Response(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A request with headers beside `Host`.
    pub fn ask(&self, what: &str, headers: &str, body: &str) -> Response {
        let (port, length) = (self.port, body.len());
        self.send(&format!(
            "{what} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ))
    }

    /// The header that a program proves itself with.
    pub fn bearer(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.token)
    }

    /// The header that a browser proves itself with.
    fn cookie(&self) -> String {
        format!("Cookie: batchmill-{}={}\r\n", self.port, self.token)
    }

    pub fn get(&self, path: &str) -> Response {
        self.ask(&format!("GET {path}"), &self.bearer(), "")
    }

    /// Asks for its page until that says this.
    #[track_caller]
    pub fn comes_to_say(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.get(&self.path).is(200).0.contains(text) {
            assert!(Instant::now() < deadline, "it never says `{text}`");
            std::thread::yield_now();
        }
    }
}

/// The process of a server.
enum Process {
    Child(Child),
    /// It was started by another process.
    Other(u32),
    Unknown,
}

impl Drop for Process {
    fn drop(&mut self) {
        match self {
            Self::Child(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
            Self::Other(id) => drop(std::process::Command::new("kill").arg(id.to_string()).status()),
            Self::Unknown => {}
        }
    }
}

/// The process that serves this for a run.
fn server(what: &str, run: &str) -> u32 {
    let wanted = format!("ui\0{run}\0--inherited\0{what}\0");
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let processes =
            fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        let is_wanted = |process: &String| {
            fs::read_to_string(format!("/proc/{process}/cmdline")).is_ok_and(|line| line.contains(&wanted))
        };
        if let Some(id) = processes.filter(|name| name.parse::<u32>().is_ok()).find(is_wanted) {
            return id.parse().unwrap();
        }
        assert!(Instant::now() < deadline, "it was not started");
        std::thread::yield_now();
    }
}

/// What came back.
#[derive(Debug)]
pub struct Response(pub String);

impl Response {
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert!(self.0.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {}", self.0);
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.0.contains(text), "`{text}` is not in {}", self.0);
        self
    }

    fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").unwrap().1
    }
}

/// A run whose second item has failed, and whose third one runs until this is dropped.
struct Gated<'a> {
    sandbox: &'a Sandbox,
    running: Option<Running>,
}

/// The same run with further options, as soon as it says this.
fn started_with<'a>(sandbox: &'a Sandbox, arguments: &[&str], words: &str) -> Gated<'a> {
    Gated { sandbox, running: Some(sandbox.run_until(arguments, words)) }
}

fn started(sandbox: &Sandbox) -> Gated<'_> {
    let engine = sandbox.command(&["run", "workflow.yaml", "--progress", "json"]);
    let engine = { engine }.stderr(Stdio::piped()).spawn().unwrap();
    Gated { sandbox, running: Some(Running::since(engine, |line| line.contains(r#""failed":1"#))) }
}

impl Gated<'_> {
    fn finishes(mut self) {
        fs::write(self.sandbox.path().join("go"), "").unwrap();
        assert_eq!(self.running.take().unwrap().ends_with(), Some(1));
    }
}

impl Drop for Gated<'_> {
    fn drop(&mut self) {
        let _ = fs::write(self.sandbox.path().join("go"), "");
    }
}

#[test]
fn the_pages_list_runs_and_show_each_one() {
    let sandbox = Sandbox::with(WORKFLOW);
    let page = Page::open(&sandbox, &[]);
    assert_eq!(page.path, "/");
    page.get("/").is(200).says("There are no runs yet");
    drop(page);
    let running = started(&sandbox);
    let page = Page::open(&sandbox, &["latest"]);
    let list =
        page.get("/").is(200).says("flights &lt;b&gt;").says(">running<").says(&page.path.replace('/', "&#x2f;"));
    assert!(!list.0.contains("flights <b>"));
    let live = page.get(&page.path).is(200).says("Running for ").says("2&#x2f;4 items").says(r#"aria-valuenow="50""#);
    assert!(live.0.contains("no &lt;u&gt;") && !live.0.contains("no <u>"), "{}", live.0);
    assert!(!live.0.contains("<style") && !live.0.contains("onclick"), "{}", live.0);
    running.finishes();
    let page = Page::open(&sandbox, &["latest"]);
    page.get("/").is(200).says(">partial<");
    page.get(&page.path).is(200).says("Finished with failures").says("batchmill retry 20").says("id=\"live\"");
    for asset in ["page.css", "page.js", "live.css", "live.js"] {
        page.get(&format!("/assets/{asset}")).is(200).says("x-content-type-options: nosniff");
    }
}

#[test]
fn the_token_opens_a_page_once_and_a_cookie_keeps_it_open() {
    let sandbox = Sandbox::with(WORKFLOW);
    let page = Page::open(&sandbox, &[]);
    let (port, token) = (page.port, &page.token);
    let welcome = page.ask(&format!("GET /?token={token}&x=y"), "", "").is(303).says("location: /\r\n");
    let cookie = format!("set-cookie: batchmill-{port}={token}; Path=/; HttpOnly; SameSite=Strict\r\n");
    let welcome = welcome.says(&cookie);
    assert!(!welcome.body().contains(token.as_str()));
    let seen = page.ask("GET /", &page.cookie(), "").is(200);
    assert!(!seen.0.contains(token.as_str()));
    for header in [
        "content-security-policy: default-src 'none'; script-src 'self'; ",
        "frame-ancestors 'none'",
        "x-frame-options: DENY",
        "referrer-policy: no-referrer",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
    ] {
        assert!(seen.0.contains(header), "{header}: {}", seen.0);
    }
    assert!(!seen.0.to_lowercase().contains("access-control-"));
    // The address leads only to pages of ours.
    page.ask(&format!("GET //evil.example/?token={token}"), "", "").is(404);
}

#[test]
fn who_has_no_token_learns_nothing() {
    let sandbox = Sandbox::with(WORKFLOW);
    let page = Page::open(&sandbox, &[]);
    let (port, token) = (page.port, page.token.clone());
    let wrong: String = token.chars().rev().collect();
    let headers = [
        String::new(),
        format!("Cookie: batchmill-{port}={wrong}\r\n"),
        format!("Cookie: batchmill={token}\r\n"),
        format!("Authorization: Bearer {wrong}\r\n"),
        format!("Authorization: Basic {token}\r\n"),
        format!("Authorization: Bearer {}\r\n", &token[1..]),
        "Authorization: Bearer \r\n".to_owned(),
    ];
    for header in headers {
        for what in ["GET /", "GET /runs/a", "GET /assets/page.js", "GET /nothing", "POST /runs/a/command", "PUT /"] {
            page.ask(what, &header, "").is(401).says("the whole address that batchmill printed");
        }
    }
    for query in ["token=", &format!("token={wrong}"), &format!("token={token}x"), "token"] {
        page.ask(&format!("GET /?{query}"), "", "").is(401);
    }
}

#[test]
fn a_foreign_host_is_refused() {
    let sandbox = Sandbox::with(WORKFLOW);
    let page = Page::open(&sandbox, &[]);
    let ask = |host: &str| {
        let bearer = page.bearer();
        page.send(&format!("GET / HTTP/1.1\r\n{host}{bearer}Connection: close\r\n\r\n"))
    };
    let port = page.port;
    for host in
        [format!("127.0.0.1:{port}"), format!("localhost:{port}"), "localhost:9000".to_owned(), format!("[::1]:{port}")]
    {
        ask(&format!("Host: {host}\r\n")).is(200);
    }
    for host in ["evil.example", "evil.example:80", "localhost.evil.example", "10.1.2.3", "127.0.0.1@evil.example", ""]
    {
        ask(&format!("Host: {host}\r\n")).is(421);
    }
    ask("").is(421);
    ask("Host: localhost\r\nHost: evil.example\r\n").is(421);
}

#[test]
fn only_a_post_from_its_own_page_steers() {
    let sandbox = Sandbox::with("steps: [{name: a, task: shell, inputs: {command: 'true'}}]");
    sandbox.run(&[]).exits_with(0);
    let page = Page::open(&sandbox, &["latest"]);
    let (tell, told) = mpsc::channel();
    let tell = std::sync::Mutex::new(tell);
    let folder = sandbox.path().join(".batchmill").join(&page.path[1..]);
    let obey = move |command: &Command| {
        let _ = tell.lock().unwrap().send(command.clone());
        match command {
            Command::Pause => Answer::done("paused"),
            _ => Answer::refused("no such item").with_help("look"),
        }
    };
    let server = Server::start(&folder, Arc::new(obey)).unwrap();
    let target = format!("POST {}/command", page.path);
    let json = "Content-Type: application/json\r\n";
    let port = page.port;
    let own = format!("{}{json}Origin: http://127.0.0.1:{port}\r\nSec-Fetch-Site: same-origin\r\n", page.cookie());
    let pause = r#"{"command":"pause"}"#;
    page.ask(&target, &own, pause).is(200).says(r#"{"done":{"text":"paused"}}"#);
    page.ask(&target, &format!("{}{json}", page.bearer()), pause).is(200);
    let skip = r#"{"command":"skip","step":"a","item":3}"#;
    page.ask(&target, &own, skip).is(409).says(r#""message":"no such item","help":"look""#);
    let expected = [Command::Pause, Command::Pause, Command::Skip { step: StepName::new("a").unwrap(), item: 3 }];
    assert_eq!(told.try_iter().collect::<Vec<_>>(), expected);
    for (origin, site) in [
        ("Origin: http://evil.example\r\n".to_owned(), ""),
        ("Origin: http://127.0.0.1:1\r\n".to_owned(), ""),
        (format!("Origin: http://localhost:{port}\r\n"), ""),
        (format!("Origin: https://127.0.0.1:{port}\r\n"), ""),
        ("Origin: null\r\n".to_owned(), ""),
        (String::new(), ""),
        (format!("Origin: http://127.0.0.1:{port}\r\n"), "Sec-Fetch-Site: cross-site\r\n"),
        (format!("Origin: http://127.0.0.1:{port}\r\n"), "Sec-Fetch-Site: same-site\r\n"),
    ] {
        let headers = format!("{}{json}{origin}{site}", page.cookie());
        page.ask(&target, &headers, pause).is(403).says("only the page itself");
    }
    let form = own.replace("application/json", "text/plain");
    page.ask(&target, &form, pause).is(415);
    page.ask(&target.replace("POST", "GET"), &own, pause).is(405).says("allow: POST");
    page.ask(&format!("POST {}", page.path), &own, pause).is(405).says("allow: GET");
    page.ask(&target.replace("POST", "DELETE"), &own, pause).is(405);
    page.ask(&target, &own, "{}").is(400).says("this is no command");
    page.ask(&target, &own, r#"{"command":"dance"}"#).is(400);
    page.ask(&target, &own, &format!("{pause}{}", " ".repeat(5000))).is(400).says("too long");
    // The token in the address is for pages.
    page.ask(&format!("{target}?token={}", page.token), json, pause).is(403);
    assert!(told.try_recv().is_err(), "none of these reached the run");
    drop(server);
    page.ask(&target, &own, pause).is(409).says("the run is not running");
}

#[test]
fn no_path_leads_out_of_the_runs() {
    let sandbox = Sandbox::with(WORKFLOW).file("secret/run.db", "").file(".batchmill/runs/.new-a/run.db", "");
    let page = Page::open(&sandbox, &[]);
    for path in [
        "/..",
        "/../secret",
        "/runs/..",
        "/runs/../../secret",
        "/runs/%2e%2e",
        "/runs/..%2f..%2fsecret",
        "/runs/%2e%2e%2f",
        "/runs/.new-a",
        "/runs/a%00",
        "/assets/../../etc/passwd",
        "/assets/%2e%2e%2fmod.rs",
        "/runs/none",
        "/runs/none/events",
        "/runs//events",
        "/metrics",
        "//",
        "/runs/%",
    ] {
        page.get(path).is(404);
    }
}

#[test]
fn what_is_too_long_is_refused() {
    let sandbox = Sandbox::with(WORKFLOW);
    let page = Page::open(&sandbox, &[]);
    let long = format!("{}X: {}\r\n", page.bearer(), "x".repeat(40_000));
    page.ask("GET /", &long, "").is(431);
    let many = format!("{}{}", page.bearer(), "X: y\r\n".repeat(100));
    page.ask("GET /", &many, "").is(431);
    page.ask(&format!("GET /{}", "x".repeat(40_000)), &page.bearer(), "");
    page.get("/").is(200);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn clients_that_stall_disturb_neither_the_run_nor_the_page() {
    let sandbox = Sandbox::with(WORKFLOW);
    let running = started(&sandbox);
    let page = Page::open(&sandbox, &["latest"]);
    let (port, bearer) = (page.port, page.bearer());
    let events = format!("GET {}/events HTTP/1.1\r\nHost: localhost:{port}\r\n{bearer}\r\n", page.path);
    let post = format!(
        "POST {}/command HTTP/1.1\r\nHost: localhost:{port}\r\n{bearer}Content-Type: application/json\r\nContent-Length: 99\r\n\r\n",
        page.path
    );
    let starts = ["", "GET / HT", "GET / HTTP/1.1\r\nHost: localhost\r\n", &events, &post];
    let stalled: Vec<TcpStream> = (0..120)
        .map(|number| {
            let mut stream = page.connect();
            stream.write_all(starts[number % starts.len()].as_bytes()).unwrap();
            stream
        })
        .collect();
    page.get(&page.path).is(200).says("Running for ");
    // More than there is room for: they wait for those that are thrown out.
    let more: Vec<TcpStream> = (0..100).map(|_| page.connect()).collect();
    page.get(&page.path).is(200).says("Running for ");
    drop(stalled);
    running.finishes();
    drop(more);
    page.comes_to_say("Finished with failures");
    sandbox.batchmill(&["audit"]).exits_with(0);
}

/// Reads server-sent events until one has all of these.
#[track_caller]
fn event_with(lines: &mut impl Iterator<Item = String>, parts: &[&str]) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut in_time = lines.take_while(|_| Instant::now() < deadline);
    let found = in_time.find(|line| parts.iter().all(|part| line.contains(part)));
    found.unwrap_or_else(|| panic!("no event has {parts:?}"))
}

fn events(page: &Page) -> impl Iterator<Item = String> + use<> {
    let mut stream = page.connect();
    let request = format!("GET {}/events HTTP/1.1\r\nHost: localhost\r\n{}\r\n", page.path, page.bearer());
    stream.write_all(request.as_bytes()).unwrap();
    BufReader::new(stream).lines().map_while(Result::ok)
}

#[test]
fn a_page_hears_what_happens_and_its_commands_reach_the_run() {
    let sandbox = Sandbox::with(WORKFLOW);
    let running = started(&sandbox);
    let page = Page::open(&sandbox, &["latest"]);
    let mut events = events(&page);
    event_with(&mut events, &["HTTP/1.1 200 OK"]);
    event_with(&mut events, &["content-type: text/event-stream"]);
    event_with(&mut events, &[r#""key":"now""#, "2&#x2f;4 items", r#""key":"outcome""#]);
    event_with(&mut events, &[r#""running":true"#, r#""paused":false"#, r#""index":2"#]);
    let command = |text: &str| {
        let headers = format!("{}Content-Type: application/json\r\n", page.bearer());
        page.ask(&format!("POST {}/command", page.path), &headers, text)
    };
    command(r#"{"command":"pause"}"#).is(200).says("paused");
    event_with(&mut events, &[r#""paused":true"#]);
    command(r#"{"command":"skip","step":"load","item":3}"#).is(200);
    command(r#"{"command":"cancel","step":"load","item":9}"#).is(409).says("refused");
    command(r#"{"command":"continue"}"#).is(200);
    // Ends what the run waits for.
    command(r#"{"command":"cancel","step":"load","item":2}"#).is(200);
    event_with(&mut events, &[r#""running":false"#]);
    drop(events);
    let mut running = running;
    assert_eq!(running.running.take().unwrap().ends_with(), Some(1));
    page.comes_to_say("cancelled by hand");
    page.comes_to_say("batchmill retry --cancelled 20");
}

#[test]
fn a_run_starts_its_own_page_and_outlives_it() {
    let sandbox = Sandbox::with(WORKFLOW);
    let running = started_with(&sandbox, &["--ui"], "open http://");
    let page = Page::beside(&running);
    page.comes_to_say("2&#x2f;4 items");
    // Whoever may see the processes sees no token.
    let Process::Other(id) = page.process else { panic!() };
    let line = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap();
    assert!(!line.contains(&page.token), "{line}");
    drop(page);
    running.finishes();
    sandbox.batchmill(&["audit"]).exits_with(0);
    let again = started_with(&sandbox, &["--ui=127.0.0.1:0", "--resume"], "open http://");
    let page = Page::beside(&again);
    page.comes_to_say("Finished with failures");
    assert_eq!({ again }.running.take().unwrap().ends_with(), Some(1));
    page.get(&page.path).is(200);
}

#[test]
fn an_address_that_is_taken_is_named_before_anything_runs() {
    let sandbox = Sandbox::with(WORKFLOW);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let option = format!("--ui={address}");
    for arguments in [
        &["run", "workflow.yaml", &option][..],
        &["run", "workflow.yaml", "--metrics-addr", &address],
        &["ui", "--addr", &address],
    ] {
        let said = format!("error: cannot listen on `{address}`");
        sandbox.batchmill(arguments).exits_with(2).says(&[&said, "in use", "help: choose another address"]);
    }
    assert!(!sandbox.exists(".batchmill/runs"));
    sandbox.run(&["--ui=example.com"]).exits_with(2).says(&["such as `127.0.0.1:8700`"]);
}

#[test]
fn a_server_beside_a_run_ends_after_it_when_nobody_looks() {
    let sandbox = Sandbox::with(WORKFLOW);
    let running = started(&sandbox);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let arguments = ["ui", "latest", "--inherited", "page", "--linger", "100ms"];
    let mut server = sandbox.command(&arguments).stdin(OwnedFd::from(socket)).spawn().unwrap();
    running.finishes();
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

#[test]
#[ignore = "heavy: takes seconds"]
fn metrics_are_served_to_whoever_asks_and_are_those_of_the_file() {
    let sandbox = Sandbox::with(WORKFLOW);
    let running =
        started_with(&sandbox, &["--metrics-addr", "127.0.0.1:0", "--metrics", "m.prom"], "metrics at http://");
    let line = running.running.as_ref().unwrap().line.clone();
    let port: u16 = line.split([':', '/']).rev().nth(1).unwrap().parse().unwrap();
    let page = Page { process: Process::Unknown, port, path: "/metrics".to_owned(), token: String::new() };
    let ask = |what: &str| page.ask(what, "", "");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !ask("GET /metrics")
        .0
        .contains(r#"batchmill_items_total{workflow="flights <b>",step="load",outcome="failed"} 1"#)
    {
        assert!(Instant::now() < deadline, "{:?}", ask("GET /metrics"));
        std::thread::yield_now();
    }
    let text =
        ask("GET /metrics").is(200).says("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(text.0.ends_with("# EOF\n") && text.body().starts_with("# HELP batchmill_"), "{}", text.0);
    ask("POST /metrics").is(405).says("allow: GET");
    ask("GET /").is(404);
    ask("GET /runs").is(404);
    page.send("GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").is(421);
    running.finishes();
    let file = sandbox.read("m.prom");
    assert!(file.contains("batchmill_exit_code{"), "{file}");
    assert_eq!(ask("GET /metrics").body(), file);
    let runs = fs::read_dir(sandbox.path().join(".batchmill/runs")).unwrap();
    let name = runs.map(|entry| entry.unwrap().file_name().into_string().unwrap()).next().unwrap();
    drop(Process::Other(server("metrics", &name)));
}
