//! HTTP requests against a real local server.

use crate::support::{Answer, Request, Sandbox, Server};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs;
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
    sandbox
        .run(&[])
        .exits_with(1)
        .says(&["get[0] (gone) failed: HttpStatus: GET http://127.0.0.1", "returned 404 Not Found"]);
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

/// A raw response to each request, whatever it is.
fn raw_server(response: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream: TcpStream = stream;
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let _ = stream.write_all(&response);
        }
    });
    format!("http://127.0.0.1:{port}/")
}

fn raw(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[test]
fn bodies_are_read_in_their_charset_and_bytes_stay_bytes() {
    for (headers, body, expected, base64) in [
        ("content-type: text/plain; charset=iso-8859-1\r\n", &b"caf\xe9"[..], json!("café"), None),
        ("content-type: text/plain; charset=Shift_JIS\r\n", b"\x83\x65", json!("テ"), None),
        ("content-type: text/plain; charset=\"utf-16le\"\r\n", b"a\0b\0", json!("ab"), None),
        ("", b"\xff\xfea\0", json!("a"), None),
        ("content-type: image/png\r\n", b"\x89PNG\xff", json!(null), Some("iVBOR/8=")),
        ("content-type: text/plain; charset=nonsense\r\n", b"ab", json!(null), Some("YWI=")),
    ] {
        let sandbox = Sandbox::with(&workflow("[1]", "", &format!("url: '{}'", raw_server(raw(headers, body)))));
        sandbox.run(&[]).exits_with(0);
        let result = &sandbox.results("get")[0];
        assert_eq!((&result["body"], result["body_base64"].as_str()), (&expected, base64), "{headers}");
    }
}

#[test]
fn bodies_that_are_not_what_they_are_declared_to_be_are_failures() {
    let long = "9".repeat(10_000);
    for (headers, body, words) in [
        ("content-type: application/json\r\n", "{\"a\":", "declared as JSON, but it is not valid JSON"),
        ("content-type: application/json\r\n", long.as_str(), "an integer of more than 4,300 digits"),
        ("content-type: application/problem+json\r\n", "[\"\\ud83d\"]", "half of a surrogate pair"),
        ("content-type: application/json\r\n", "[1e400]", "too large for a float"),
        ("content-encoding: br\r\n", "x", "in the encoding `br`"),
        ("content-encoding: zstd\r\n", "x", "in the encoding `zstd`"),
        ("content-encoding: deflate\r\n", "x", "in the encoding `deflate`"),
    ] {
        let url = raw_server(raw(headers, body.as_bytes()));
        let sandbox = Sandbox::with(&workflow("[1]", "", &format!("url: '{url}'")));
        sandbox.run(&[]).exits_with(3).says(&["BodyError", words]);
    }
    for (body, expected) in [("", json!(null)), ("\u{feff}{\"a\": 1}", json!({"a": 1})), ("1", json!(1))] {
        let url = raw_server(raw("content-type: application/json\r\n", body.as_bytes()));
        let sandbox = Sandbox::with(&workflow("[1]", "", &format!("url: '{url}'")));
        sandbox.run(&[]).exits_with(0);
        assert_eq!(sandbox.results("get")[0]["json"], expected);
    }
}

#[test]
fn redirects_keep_the_request_as_far_as_they_may() {
    let server = Server::start(|request| {
        let to = request.url.strip_prefix("/to/").map(|status| status.parse().unwrap());
        to.map_or_else(|| ok("there"), |status| (status, vec![("Location", "../there?x".to_owned())], String::new()))
    });
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];
    let items: Vec<String> = [301, 302, 303, 307, 308]
        .iter()
        .flat_map(|status| methods.map(|method| format!("{{status: {status}, method: {method}}}")))
        .collect();
    let task = format!(
        "url: '{}{{{{ item.status }}}}', method: '{{{{ item.method }}}}', body: '{{{{ item.status }}}}', auth: {{bearer: t}}",
        server.url("/to/")
    );
    let sandbox = Sandbox::with(&workflow(&format!("[{}]", items.join(", ")), "", &task));
    sandbox.run(&["--jobs", "1"]).exits_with(0);
    let requests = server.requests();
    assert_eq!(requests.len(), 50);
    for pair in requests.chunks(2) {
        let (before, after) = (&pair[0], &pair[1]);
        let status: u16 = before.url[4..].parse().unwrap();
        let becomes_get = status == 303 || status < 303 && before.method == "POST";
        let expected = if becomes_get { ("GET", "") } else { (before.method.as_str(), before.body.as_str()) };
        assert_eq!((after.method.as_str(), after.body.as_str()), expected, "{status} {}", before.method);
        assert_eq!(after.url, "/there?x");
        assert!(after.headers.contains(&("authorization".to_owned(), "Bearer t".to_owned())));
    }
}

#[test]
fn credentials_stay_with_their_host_and_circles_end() {
    let other = Server::start(|_| ok("other"));
    let to = other.url("/other");
    let server = Server::start(move |request| match request.url.as_str() {
        "/circle" => (302, vec![("Location", "/circle".to_owned())], String::new()),
        "/nowhere" => (302, vec![], String::new()),
        _ => (307, vec![("Location", to.clone())], String::new()),
    });
    let task = format!(
        "url: '{}{{{{ item }}}}', auth: {{bearer: t}}, headers: {{Cookie: c, X-Api-Key: k, Proxy-Authorization: p, Accept: text/html, User-Agent: me}}",
        server.url("/")
    );
    let sandbox = Sandbox::with(&workflow("[away, circle, nowhere]", "      continue_on_error: true\n", &task));
    sandbox.run(&[]).exits_with(1).says(&["more than 10 redirects", "returned 302 Found without a `location`"]);
    let [request] = other.requests().try_into().unwrap();
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    for secret in ["authorization", "cookie", "x-api-key", "proxy-authorization"] {
        assert!(!names.contains(&secret), "{secret}: {names:?}");
    }
    for harmless in [("accept", "text/html"), ("user-agent", "me")] {
        assert!(request.headers.contains(&(harmless.0.to_owned(), harmless.1.to_owned())), "{:?}", request.headers);
    }
}

#[test]
fn what_the_user_gives_replaces_what_is_sent_by_default() {
    let server = Server::start(|_| ok(""));
    let task = format!(
        "url: '{}#frag', json: [1], params: {{q: 1.10, none: null, many: [1, null, 1.50], big: 12345678901234567890123}}, \
         auth: {{bearer: t}}, headers: {{content-type: text/x, AUTHORIZATION: mine}}",
        server.url("/echo?a=1")
    );
    let sandbox = Sandbox::with(&workflow("[1]", "", &task));
    sandbox.run(&[]).exits_with(0);
    let request = &server.requests()[0];
    assert_eq!(request.url, "/echo?a=1&q=1.10&many=1&many=1.50&big=12345678901234567890123");
    let headers = |name: &str| -> Vec<&str> {
        request.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!((headers("content-type"), headers("authorization")), (vec!["text/x"], vec!["mine"]));
}

#[test]
fn two_items_never_save_to_one_path() {
    let server =
        Server::start(|request| if request.url == "/0" { (500, vec![], String::new()) } else { ok(&request.url) });
    for (jobs, paths) in [("1", "out/a"), ("2", "{{ ['out/a', './out/../out/a'][index % 2] }}")] {
        let task = format!("url: '{}{{{{ item }}}}', save_to: \"{paths}\"", server.url("/"));
        let sandbox = Sandbox::with(&workflow("[1, 2]", "      continue_on_error: true\n", &task));
        sandbox.run(&["--jobs", jobs]).exits_with(1).says(&["but item", "already does"]);
        assert_eq!(sandbox.failures().len(), 1);
        let saved = sandbox.results("get");
        assert_eq!(saved.len(), 1);
        assert_eq!(fs::read_dir(sandbox.path().join("out")).unwrap().count(), 1);
    }
    // A path that its item has given up is free again.
    let task = format!("url: '{}{{{{ item }}}}', save_to: out/a", server.url("/"));
    let sandbox = Sandbox::with(&workflow("[0, 1]", "      continue_on_error: true\n", &task));
    sandbox.run(&["--jobs", "1"]).exits_with(1);
    assert_eq!(sandbox.read("out/a"), "/1");
}
