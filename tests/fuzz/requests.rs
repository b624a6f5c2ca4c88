//! Requests to the pages of `batchmill ui`: whatever their bytes, the server goes on, and who has no token learns nothing.

use crate::fuzzer::fuzz;
use crate::mutation::{Mutation, mutated, mutations};
use crate::program::{batchmill, folder, limited};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// What is in the pages, and in no request.
const DATA: &str = "kqv-data";

/// What a server of HTTP pays attention to.
const WORDS: &[&str] = &[
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\0",
    " ",
    "/",
    "//",
    "/..",
    "%2e%2e%2f",
    "%00",
    "%",
    "?",
    "#",
    ":",
    "HTTP/1.0",
    "HTTP/2.0",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "GET / HTTP/1.1\r\n",
    "Host: localhost\r\n",
    "Content-Length: 18446744073709551615\r\n",
    "Transfer-Encoding: chunked\r\n",
    "ffffffffffffffff\r\n",
    "Expect: 100-continue\r\n",
    "Upgrade: h2c\r\n",
    "Last-Event-ID: 9\r\n",
    "X: y\r\n",
    "\u{e9}",
];

/// How long a connection is read that the server may keep open, and one that it closes.
const SILENCE: Duration = Duration::from_millis(40);
const PATIENCE: Duration = Duration::from_secs(30);

const METHODS: &[&str] =
    &["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "", "GET\t", "X"];
const PATHS: &[&str] = &[
    "/",
    "/run",
    "/runs/{RUN}",
    "/runs/{RUN}/events",
    "/runs/{RUN}/command",
    "/runs/{RUN}/..",
    "/runs/../../run.db",
    "/assets/page.js",
    "/assets/../run.db",
    "/metrics",
    "*",
    "",
    "http://127.0.0.1:{PORT}/runs/{RUN}",
    "//evil.example/",
];
const TOKENS: &[&str] = &["{TOKEN}", "{TOKEN}", "{TOKEN}", "{WRONG}", "{SHORT}", "{TOKEN}x", ""];
const QUERIES: &[&str] = &["", "", "?token=@", "?x=y&token=@", "?token=@&token=", "?Token=@", "?token", "?%74oken=@"];
const HEADERS: &[&str] = &[
    "Authorization: Bearer @",
    "Authorization: bearer @",
    "Authorization: Basic @",
    "Cookie: batchmill-{PORT}=@",
    "Cookie: a=b; batchmill-{PORT}=@; c",
    "Cookie: batchmill=@",
    "Origin: http://127.0.0.1:{PORT}",
    "Origin: null",
    "Sec-Fetch-Site: same-origin",
    "Content-Type: application/json",
    "Content-Type: text/plain",
    "Connection: close",
    "Connection: keep-alive",
    "Transfer-Encoding: chunked",
    "Content-Length: 5",
    "Content-Length: -1",
];
const HOSTS: &[&str] =
    &["127.0.0.1:{PORT}", "127.0.0.1:{PORT}", "localhost", "[::1]:{PORT}", "evil.example", "", "a b"];
const BODIES: &[&str] = &[
    "",
    r#"{"command":"pause"}"#,
    r#"{"command":"cancel"}"#,
    r#"{"command":"skip","step":"work","item":0}"#,
    r#"{"command":"width","step":"work","width":99999999999999999999}"#,
    "{",
    "[[[[[[[[",
    "5\r\n{\"a\":\r\n0\r\n\r\n",
    "null",
];

/// The bytes of a request, with names for what only the server knows.
fn request() -> impl Strategy<Value = String> {
    let head = (select(METHODS), select(PATHS), select(QUERIES), select(HOSTS));
    let headers = vec(select(HEADERS), 0..5);
    (head, headers, select(TOKENS), select(BODIES)).prop_map(|((method, path, query, host), headers, token, body)| {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let text = format!(
            "{method} {path}{query} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        text.replace('@', token)
    })
}

/// A server of pages; ends when it is dropped.
struct Pages {
    child: Child,
    /// What it has said.
    said: Arc<Mutex<String>>,
    port: String,
    path: String,
    token: String,
    _folder: TempDir,
}

impl Pages {
    fn open() -> Self {
        let workflow =
            format!("name: {DATA}\nsteps: [{{name: work, for_each: [1], task: echo, inputs: {{message: a}}}}]");
        let folder = folder(&[("workflow.yaml", &workflow)]);
        assert_eq!(batchmill(folder.path(), &["run", "workflow.yaml", "--progress", "none"]).code, Some(0));
        let mut command = limited(folder.path(), &["ui", "latest"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("open http://127.0.0.1:").unwrap_or_else(|| panic!("{line}"));
        let (url, token) = url.split_once("?token=").unwrap();
        let (port, path) = url.split_once('/').unwrap();
        let (port, path, token) = (port.to_owned(), format!("/{path}"), token.to_owned());
        let said = Arc::new(Mutex::new(String::new()));
        let hears = Arc::clone(&said);
        thread::spawn(move || {
            stderr.lines().map_while(Result::ok).for_each(|line| hears.lock().unwrap().push_str(&line))
        });
        Self { child, said, port, path, token, _folder: folder }
    }

    /// With what the server knows.
    fn filled(&self, request: &str) -> String {
        let wrong: String = self.token.chars().rev().collect();
        let filled = request.replace("{PORT}", &self.port).replace("{TOKEN}", &self.token).replace("{WRONG}", &wrong);
        filled.replace("{SHORT}", &self.token[1..]).replace("{RUN}", self.path.trim_start_matches("/runs/"))
    }

    /// Sends these bytes, and returns what comes back until the server closes, or says nothing for so long.
    fn send(&self, bytes: &[u8], silence: Duration) -> String {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{}", self.port)).unwrap();
        stream.set_read_timeout(Some(silence)).unwrap();
        // A request that is refused early may not be read to its end.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn requests_of_any_bytes_leave_the_server_as_it_is() {
    let pages = Pages::open();
    let good = pages.filled(
        "GET /runs/{RUN} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n",
    );
    let changes = prop_oneof![Just(Vec::new()), mutations(WORDS)];
    let input = vec((request(), changes), 1..4);
    fuzz(60, &input, |requests: Vec<(String, Vec<Mutation>)>| {
        let bytes: Vec<u8> =
            requests.iter().flat_map(|(text, changes)| mutated(pages.filled(text).as_bytes(), changes)).collect();
        let answer = pages.send(&bytes, SILENCE);
        let knows = memchr::memmem::find(&bytes, pages.token.as_bytes()).is_some();
        let learns = answer.contains(DATA) || answer.contains("HTTP/1.1 200") || answer.contains("HTTP/1.1 303");
        prop_assert!(knows || !learns, "{answer}");
        prop_assert!(knows || !answer.contains(&pages.token), "{answer}");
        let whole = pages.send(good.as_bytes(), PATIENCE);
        prop_assert!(whole.starts_with("HTTP/1.1 200") && whole.contains(DATA), "{whole}");
        let said = pages.said.lock().unwrap().clone();
        prop_assert!(!said.contains("panicked"), "{said}");
        Ok(())
    });
}
