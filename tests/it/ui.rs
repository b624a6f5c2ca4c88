//! Pages about runs: who may see them and steer with them, and that nobody can disturb a run.

use crate::support::{Running, Sandbox};
use batchmill::control::{Answer, Command, Server};
use batchmill::model::StepName;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
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
    child: Child,
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
        let url = line.trim().strip_prefix("open http://127.0.0.1:").unwrap_or_else(|| panic!("{line}"));
        let (url, token) = url.split_once("?token=").unwrap();
        let (port, path) = url.split_once('/').unwrap();
        Self { child, port: port.parse().unwrap(), path: format!("/{path}"), token: token.to_owned() }
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
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.get(&self.path).is(200).0.contains(text) {
            assert!(Instant::now() < deadline, "it never says `{text}`");
            std::thread::yield_now();
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
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
    let live = page.get(&page.path).is(200).says("Running for ").says("2/4 items").says(r#"aria-valuenow="50""#);
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
    page.ask(&target, &own, pause).is(200).says(r#"{"answer":"done","text":"paused"}"#);
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
