//! No secret is in what a run says to other programs: its pages, its metrics, and its answers to commands.

use crate::secrets::{WORKFLOW, assert_masked, sandbox};
use crate::support::{Running, Server};
use crate::ui::Page;
use std::fs;
use std::io::{Read, Write};

/// A step whose item has a secret in it and runs until the file `go` is there, and one whose item then fails with it.
const HELD: &str = "
  - name: hold
    task: shell
    for_each: ['{{ token }} {{ tree.leaf }}', '{{ env.CERTIFICATE }}']
    max_parallel: 1
    continue_on_error: true
    inputs: {command: 'echo {{ item }} >&2; touch held; while ! test -e go; do sleep 0.05; done; exit 3'}
";

/// What the page of a run gets told as it goes on, up to this text.
fn events(page: &Page, until: &str) -> String {
    let mut stream = page.connect();
    let (path, port, bearer) = (&page.path, page.port, page.bearer());
    write!(stream, "GET {path}/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{bearer}\r\n").unwrap();
    let (mut told, mut piece) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&told).contains(until) {
        let length = stream.read(&mut piece).unwrap();
        assert!(length > 0, "it ended with {}", String::from_utf8_lossy(&told));
        told.extend_from_slice(&piece[..length]);
    }
    String::from_utf8_lossy(&told).into_owned()
}

/// Looks at everything that the server of pages offers.
fn look(page: &Page, until: &str) {
    for path in ["/", &page.path] {
        assert_masked(&format!("the page {path}"), &page.get(path).is(200).0);
    }
    assert_masked("the events of the page", &events(page, until));
}

/// A run that is held until this is dropped.
struct Held(Option<Running>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|running| drop(running.engine.kill()));
    }
}

#[test]
fn no_secret_is_on_a_page_or_in_an_answer_during_a_run_and_after_it() {
    let server = Server::start(|request| (500, Vec::new(), request.body.repeat(1_000)));
    let sandbox = sandbox(&server.url("/"));
    fs::write(sandbox.path().join("workflow.yaml"), WORKFLOW.replace("URL", &server.url("/")) + HELD).unwrap();
    let arguments = ["--params-file", "params.json", "--metrics-addr", "127.0.0.1:0", "--slow-after", "10ms"];
    let running = sandbox.run_until(&arguments, "metrics at http://");
    let line = running.line.clone();
    let mut held = Held(Some(running));
    while !sandbox.exists("held") {
        std::thread::yield_now();
    }
    let page = Page::open(&sandbox, &["latest"]);
    page.comes_to_say("Error_***");
    look(&page, "hold");
    let metrics = line.trim().rsplit_once("http://127.0.0.1:").unwrap().1.trim_end_matches("/metrics");
    let mut scraper = std::net::TcpStream::connect(format!("127.0.0.1:{metrics}")).unwrap();
    scraper.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    scraper.read_to_string(&mut text).unwrap();
    assert!(text.contains("batchmill_"), "{text}");
    assert_masked("the metrics", &text);
    let json = format!("{}Content-Type: application/json\r\n", page.bearer());
    for command in [
        r#"{"command":"state"}"#,
        r#"{"command":"skip","step":"nothing","item":0}"#,
        r#"{"command":"cancel","step":"hold","item":99}"#,
        r#"{"command":"skip","step":"hold","item":1}"#,
        r#"{"command":"cancel","step":"hold","item":0}"#,
    ] {
        let answer = page.ask(&format!("POST {}/command", page.path), &json, command);
        assert_masked(&format!("the answer to {command}"), &answer.0);
    }
    for words in [&["ctl", "state"][..], &["ctl", "state", "--format", "json"], &["ctl", "stop"]] {
        let ended = sandbox.batchmill(words);
        assert_masked(&format!("{words:?}"), &(ended.stdout + &ended.stderr));
    }
    fs::write(sandbox.path().join("go"), "").unwrap();
    held.0.take().unwrap().ends_with();
    look(&page, "hold");
    assert_masked("the state directory", &sandbox.everything_written("/results/"));
}
