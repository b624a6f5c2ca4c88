//! HTTP requests against a real local server.

use crate::support::{Answer, Request, Sandbox, Server};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

/// A batch step of requests with these settings (of the batch) and this task (in flow style).
fn workflow(items: &str, settings: &str, task: &str) -> String {
    format!(
        "steps:\n  - name: get\n    task: batch\n    inputs:\n      items: {items}\n{settings}      task: {{type: http_request, {task}}}\n"
    )
}

fn ok(body: &str) -> Answer {
    (200, vec![], body.to_owned())
}

#[test]
fn a_request_carries_method_query_headers_auth_and_body() {
    let server = Server::start(|_| ok("fine"));
    let task = format!(
        "url: '{}?a=1', params: {{q: '{{{{ item }}}}', many: [1, x]}}, json: {{id: '{{{{ item }}}}', n: 1}}, method: put, \
         headers: {{X-Index: '{{{{ index }}}}'}}, auth: {{username: me, password: 'pa:ss'}}",
        server.url("/put")
    );
    let sandbox = Sandbox::with(&workflow("['a b&c']", "", &task));
    sandbox.run(&[]).exits_with(0);
    let request = &server.requests()[0];
    assert_eq!((request.method.as_str(), request.url.as_str()), ("PUT", "/put?a=1&q=a%20b%26c&many=1&many=x"));
    assert_eq!(serde_json::from_str::<Value>(&request.body).unwrap(), json!({ "id": "a b&c", "n": 1 }));
    let header = |name: &str| request.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!(header("x-index"), Some("0"));
    assert_eq!(header("authorization"), Some("Basic bWU6cGE6c3M="));
    assert_eq!(header("content-type"), Some("application/json"));
}

#[test]
fn the_result_has_status_headers_body_json_and_time() {
    let body = "{\n  \"big\": 123456789012345678901234567890\n}";
    let server = Server::start(move |_| (201, vec![("Content-Type", "application/json".to_owned())], body.to_owned()));
    let sandbox = Sandbox::with(&workflow("[1]", "", &format!("url: '{}'", server.url("/"))));
    sandbox.run(&[]).exits_with(0);
    let line = sandbox.batchmill(&["results"]).exits_with(0).stdout;
    assert!(line.contains("\"json\":{\"big\":123456789012345678901234567890}"), "{line}");
    let result = &sandbox.results("get")[0];
    assert_eq!((&result["status"], &result["body"]), (&json!(201), &json!(body)));
    assert_eq!(result["headers"]["content-type"], "application/json");
    assert!(result["elapsed"].as_f64().unwrap() > 0.0);
}

#[test]
fn server_errors_are_tried_again_and_client_errors_are_not() {
    let count = AtomicU32::new(0);
    let server = Server::start(move |request| match request.url.as_str() {
        "/gone" => (404, vec![], "no such page".to_owned()),
        _ if count.fetch_add(1, Ordering::SeqCst) < 2 => (500, vec![], String::new()),
        _ => ok("at last"),
    });
    let task = format!("url: '{}{{{{ item }}}}', retry: {{max_attempts: 3, delay: 0}}", server.url("/"));
    let sandbox = Sandbox::with(&workflow("[gone, flaky]", "      continue_on_error: true\n", &task));
    sandbox.run(&[]).exits_with(1).says(&["get[0] failed: HttpStatus: GET http://127.0.0.1", "returned 404 Not Found"]);
    let urls: Vec<String> = server.requests().into_iter().map(|request| request.url).collect();
    assert_eq!(urls, ["/gone", "/flaky", "/flaky", "/flaky"]);
    assert_eq!(sandbox.failures()[0]["detail"], "no such page");
}

#[test]
fn an_address_that_nobody_answers_is_a_clear_failure() {
    // A server that is gone again: its port answers nobody.
    let server = Server::start(|_| ok(""));
    let url = server.url("/x?key=secret");
    drop(server);
    let sandbox = Sandbox::with(&workflow("[1]", "", &format!("url: '{url}'")));
    let ended = sandbox.run(&[]).exits_with(3).says(&["ConnectionError: GET http://127.0.0.1", "/x failed:"]);
    assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
}

#[test]
fn a_text_that_is_no_address_says_so() {
    for (url, says) in [
        ("nowhere", "must start with `http://`"),
        ("http://a b/", "is not a URL"),
        ("ftp://x/", "must start with"),
        ("http://127.0.0.1:99999/", "invalid port `99999`"),
    ] {
        let sandbox = Sandbox::with(&workflow(&format!("['{url}']"), "", "url: '{{ item }}'"));
        sandbox.run(&[]).exits_with(3).says(&[says]);
    }
}

#[test]
fn an_answer_can_be_saved_to_a_file() {
    let server = Server::start(|request: &Request| ok(&format!("body of {}", request.url)));
    let task = format!("url: '{}{{{{ item }}}}', save_to: 'pages/{{{{ item }}}}.txt'", server.url("/"));
    let sandbox = Sandbox::with(&workflow("[a, b]", "", &task));
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.read("pages/b.txt"), "body of /b");
    assert_eq!(sandbox.results("get")[0]["saved_to"], "pages/a.txt");
    assert_eq!(std::fs::read_dir(sandbox.path().join("pages")).unwrap().count(), 2, "no partial file is left");
}

#[test]
fn a_server_that_never_answers_is_left_after_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let sandbox = Sandbox::with(&workflow("[1]", "      timeout: 300ms\n", &format!("url: '{url}'")));
    sandbox.run(&[]).exits_with(3).says(&["Timeout: GET", "took longer than 300ms"]);
}

/// Starts the workflow, and sends the signal again and again, from when `under_way` returns until the program has ended.
#[track_caller]
fn interrupted(sandbox: &Sandbox, signal: Signal, code: i32, under_way: impl FnOnce()) {
    let mut child = sandbox.command(&["run", "workflow.yaml", "--progress", "json"]);
    let mut child = child.stderr(Stdio::piped()).spawn().unwrap();
    under_way();
    while child.try_wait().unwrap().is_none() {
        let _ = kill_process(Pid::from_child(&child), signal);
    }
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains("\"status\":\"interrupted\"") && !stderr.contains("does not end"), "{stderr}");
    assert!(sandbox.failures().is_empty());
}

/// Takes a connection and the beginning of a request.
fn accept(listener: &TcpListener) -> TcpStream {
    let (mut connection, _) = listener.accept().unwrap();
    assert!(connection.read(&mut [0; 4096]).unwrap() > 0);
    connection
}

#[test]
fn the_second_interrupt_ends_a_request_whatever_it_waits_for() {
    for waits_for in ["connection", "handshake", "answer", "body"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if waits_for == "handshake" { "https" } else { "http" };
        let sandbox = Sandbox::with(&workflow("[1]", "", &format!("url: '{scheme}://{address}/'")));
        let mut held = Vec::new();
        if waits_for == "connection" {
            // No room is left: the kernel lets the next connection wait.
            rustix::net::listen(&listener, 0).unwrap();
            held.push(TcpStream::connect(address).unwrap());
        }
        interrupted(&sandbox, Signal::INT, 130, || match waits_for {
            "connection" => {
                // The state of a connection that has not been answered is 02.
                let connecting = format!(":{:04X} 02", address.port());
                while !std::fs::read_to_string("/proc/net/tcp").unwrap().contains(&connecting) {}
            }
            "body" => {
                let mut connection = accept(&listener);
                connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhalf").unwrap();
                held.push(connection);
            }
            _ => held.push(accept(&listener)),
        });
    }
}

#[test]
fn requests_that_were_cut_short_run_when_the_run_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let sandbox = Sandbox::with(&workflow("[a, b]", "      max_parallel: 2\n", &format!("url: '{url}{{{{ item }}}}'")));
    let mut held = Vec::new();
    interrupted(&sandbox, Signal::TERM, 143, || held.extend([accept(&listener), accept(&listener)]));
    let server = std::thread::spawn(move || {
        for _ in 0..2 {
            let mut connection = accept(&listener);
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\ndone").unwrap();
        }
    });
    sandbox.batchmill(&["resume"]).exits_with(0);
    server.join().unwrap();
    assert_eq!(sandbox.results("get").iter().map(|result| &result["body"]).collect::<Vec<_>>(), ["done", "done"]);
}

/// "zipped", compressed by gzip.
const ZIPPED: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\xca\x2c\x28\x48\x4d\x01\x00\x57\x68\xc2\xe2\x06\x00\x00\x00";

/// What the server below has under a path.
fn answer_of(path: &str) -> Vec<u8> {
    let answer = |head: &str, body: &[u8]| [head.as_bytes(), b"\r\n\r\n", body].concat();
    match path {
        "/moved" => answer("HTTP/1.1 302 Found\r\nlocation: /parts\r\ncontent-length: 0", b""),
        "/parts" => answer("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked", b"3\r\nin \r\n5\r\nparts\r\n0\r\n\r\n"),
        "/zipped" => answer("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 26", ZIPPED),
        "/twice" => answer("HTTP/1.1 200 OK\r\nvia: a\r\nvia: b\r\ncontent-length: 5", b"twice"),
        "/end" => answer("HTTP/1.1 200 OK", b"until the end"),
        _ => answer("HTTP/1.1 200 OK\r\ncontent-length: 4", b"last"),
    }
}

#[test]
fn answers_are_read_in_every_form_and_connections_are_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // A name, which stands for an address that nobody listens on too where there is IPv6.
    let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
    let items = "[moved, parts, zipped, twice, end, last]";
    let sandbox = Sandbox::with(&workflow(items, "", &format!("url: '{url}{{{{ item }}}}'")));
    let server = std::thread::spawn(move || {
        // The end of "/end" is that of its connection; all others share one.
        let mut asked = Vec::new();
        for last in ["/end", "/last"] {
            let mut connection = BufReader::new(listener.accept().unwrap().0);
            while asked.last().is_none_or(|path| path != last) {
                let lines = connection.by_ref().lines().map(Result::unwrap);
                let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let path = head[0].split(' ').nth(1).unwrap().to_owned();
                connection.get_mut().write_all(&answer_of(&path)).unwrap();
                asked.push(path);
            }
        }
        asked
    });
    sandbox.run(&[]).exits_with(0);
    assert_eq!(server.join().unwrap(), ["/moved", "/parts", "/parts", "/zipped", "/twice", "/end", "/last"]);
    let results = sandbox.results("get");
    let bodies: Vec<_> = results.iter().map(|result| result["body"].as_str().unwrap()).collect();
    assert_eq!(bodies, ["in parts", "in parts", "zipped", "twice", "until the end", "last"]);
    assert_eq!(results[3]["headers"]["via"], "a, b");
}
