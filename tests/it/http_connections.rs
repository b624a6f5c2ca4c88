//! Connections that servers close, redirects that lead elsewhere, and addresses; what editors know of all keys.

use crate::schema::refusals;
use crate::support::{Request, Sandbox, Server};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

/// A batch step of requests, one after another.
fn workflow(items: &str, task: &str) -> Sandbox {
    Sandbox::with(&format!(
        "steps:\n  - name: get\n    task: batch\n    inputs:\n      items: {items}\n      continue_on_error: true\n      \
         task: {{type: http_request, {task}}}\n"
    ))
}

/// The next request on a connection: its first line and its body.
fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let lines = reader.by_ref().lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    Some((head.first()?.clone(), String::from_utf8(body).unwrap()))
}

/// A server that answers this many requests of each connection, and closes it when it has read the next one. The requests that
/// it has read come out.
fn forgetful(answers: usize) -> (u16, mpsc::Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            for answered in 0..=answers {
                let Some(request) = request(&mut reader) else { break };
                let _ = tell.send(request);
                if answered < answers {
                    reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
                }
            }
        }
    });
    (port, requests)
}

#[test]
fn a_request_on_a_connection_that_the_server_has_closed_is_sent_again_on_another_one() {
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
        let (port, requests) = forgetful(1);
        let sandbox =
            workflow("[1, 2, 3]", &format!("url: 'http://127.0.0.1:{port}/{{{{ item }}}}', method: {method}"));
        sandbox.run(&[]).exits_with(0).says(&["3 items"]);
        let paths: Vec<String> =
            requests.try_iter().map(|(line, _)| line.split(' ').nth(1).unwrap().to_owned()).collect();
        assert_eq!(paths, ["/1", "/2", "/2", "/3", "/3"], "{method}");
        assert_eq!(sandbox.batchmill(&["status", "--format", "json"]).json()["steps"][0]["retried"], 0, "{method}");
    }
}

#[test]
fn a_body_is_sent_again_as_a_whole() {
    let (port, requests) = forgetful(1);
    let task = format!("url: 'http://127.0.0.1:{port}/', method: PUT, files: {{a: '{{{{ item }}}}.txt'}}");
    let sandbox = workflow("[1, 2]", &task).file("1.txt", "one").file("2.txt", "x".repeat(300_000));
    sandbox.run(&[]).exits_with(0);
    let bodies: Vec<String> = requests.try_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies.len(), 3);
    assert!(bodies[0].contains("\r\n\r\none\r\n"), "{}", bodies[0]);
    for body in &bodies[1..] {
        assert_eq!(body.matches('x').count(), 300_002, "with those of `2.txt` and `text`");
    }
}

#[test]
fn a_post_that_the_server_may_have_got_is_not_sent_again() {
    for method in ["POST", "PATCH"] {
        let (port, requests) = forgetful(1);
        let sandbox = workflow("[1, 2]", &format!("url: 'http://127.0.0.1:{port}/', method: {method}, body: b"));
        sandbox.run(&[]).exits_with(1).says(&["ConnectionError", method]);
        assert_eq!(requests.try_iter().count(), 2, "{method}");
    }
}

#[test]
fn a_new_connection_that_is_closed_at_once_is_a_failure() {
    let (port, requests) = forgetful(0);
    workflow("[1]", &format!("url: 'http://127.0.0.1:{port}/'")).run(&[]).exits_with(1).says(&["ConnectionError"]);
    assert_eq!(requests.try_iter().count(), 1);
}

#[test]
fn a_body_goes_to_another_server_only_if_it_may() {
    let other = Server::start(|_| (200, vec![], "there".to_owned()));
    let to = other.url("/there?key=secret");
    let server = Server::start(move |_| (308, vec![("Location", to.clone())], String::new()));
    for (method, more) in [("POST", "body: b"), ("PUT", "json: [1]"), ("PATCH", "form: {a: 1}")] {
        let task = format!("url: '{}', method: {method}, {more}", server.url("/"));
        let ended = workflow("[1]", &task).run(&[]).exits_with(1);
        let says = format!(
            "{method} {} returned 308 Permanent Redirect to another server, `{}`, which does not get the body; request that \
             URL, or set `forward_body: true`",
            server.url("/"),
            other.url("/there")
        );
        let ended = ended.says(&[&says]);
        assert!(!ended.stderr.contains("secret") && other.requests().is_empty());
        workflow("[1]", &format!("{task}, forward_body: true")).run(&[]).exits_with(0);
        let [request] = other.requests().try_into().unwrap();
        assert_eq!(request.method, method);
        assert!(["b", "[1]", "a=1"].contains(&request.body.as_str()), "{}", request.body);
    }
    // Without a body, nothing is in the way.
    workflow("[1]", &format!("url: '{}', method: DELETE", server.url("/"))).run(&[]).exits_with(0);
    assert_eq!(other.requests()[0].method, "DELETE");
}

#[test]
fn a_redirect_without_a_location_shows_its_status() {
    let server = Server::start(|request: &Request| (request.url[1..].parse().unwrap(), vec![], "choose".to_owned()));
    let sandbox = workflow("[301, 302, 307]", &format!("url: '{}{{{{ item }}}}'", server.url("/")));
    sandbox.run(&[]).exits_with(1);
    let errors: Vec<String> =
        sandbox.failures().iter().map(|failure| failure["error"].as_str().unwrap().to_owned()).collect();
    for (error, status) in errors.iter().zip(["301 Moved Permanently", "302 Found", "307 Temporary Redirect"]) {
        assert!(error.ends_with(&format!("returned {status} without a `location`")), "{error}");
    }
    let sandbox = workflow("[300]", &format!("url: '{}{{{{ item }}}}'", server.url("/")));
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("get")[0]["status"], 300);
}

#[test]
fn addresses_may_have_any_characters_and_credentials() {
    let server = Server::start(|_| (200, vec![], String::new()));
    let host = server.url("").replace("http://", "");
    let items = "['ü?q=ä', 'a%20b?x=%C3%BC', '?q=日本']";
    workflow(items, &format!("url: 'http://user:p%40w@{host}/{{{{ item }}}}'")).run(&[]).exits_with(0);
    let requests = server.requests();
    let urls: Vec<&str> = requests.iter().map(|request| request.url.as_str()).collect();
    assert_eq!(urls, ["/%C3%BC?q=%C3%A4", "/a%20b?x=%C3%BC", "/?q=%E6%97%A5%E6%9C%AC"]);
    for request in &requests {
        // user:p@w
        assert!(request.headers.contains(&("authorization".to_owned(), "Basic dXNlcjpwQHc=".to_owned())));
    }
    // What the user gives by itself replaces it.
    workflow("[1]", &format!("url: 'http://user:p@{host}/', auth: {{bearer: t}}")).run(&[]).exits_with(0);
    assert!(server.requests()[0].headers.contains(&("authorization".to_owned(), "Bearer t".to_owned())));
}

#[test]
#[ignore = "heavy: takes seconds"]
fn editors_take_and_refuse_the_keys_of_a_request_as_the_parser_does() {
    let good = json!([
        {"form": {"a": 1, "b": [1, null]}},
        {"form": {"a": 1}, "files": {"f": "x", "g": ["x", "y"]}},
        {"fields": ["status", "json.a.0", "headers.content-type"]},
        {"fields": {"x": "json"}},
        {"ok_statuses": [200, "4xx", "200-299"]},
        {"ok_statuses": "2xx", "cookies": true, "verify": false, "forward_body": true},
        {"ca_file": "a", "client_cert": "a", "client_key": "{{ item }}"},
    ]);
    let bad = json!([
        {"form": [1]},
        {"json": 1, "form": {}},
        {"body": "a", "files": {}},
        {"fields": []},
        {"fields": ["id"]},
        {"fields": "json.x"},
        {"ok_statuses": []},
        {"ok_statuses": 99},
        {"ok_statuses": "ok"},
        {"cookies": "x"},
        {"client_key": "a"},
        {"files": {"f": 1}},
    ]);
    let documents = |list: &Value| -> Vec<Value> {
        let document = |more: &Value| {
            let mut inputs = more.clone();
            inputs["url"] = json!("http://h/");
            json!({"steps": [{"name": "get", "for_each": [1], "task": "http_request", "inputs": inputs}]})
        };
        list.as_array().unwrap().iter().map(document).collect()
    };
    for (list, code) in [(&good, 0), (&bad, 2)] {
        let documents = documents(list);
        for (document, refusal) in documents.iter().zip(refusals(&documents)) {
            assert_eq!(refusal.is_some(), code == 2, "{document}: {refusal:?}");
            Sandbox::with(&document.to_string()).batchmill(&["validate", "workflow.yaml"]).exits_with(code);
        }
    }
}
