//! A server that does what it likes: each request ends within its limits, as one failed item with a message.

use crate::support::Sandbox;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// What is written for a request, and what is written after it until the client has had enough.
type Reply = (&'static str, &'static [u8], &'static [u8]);

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n";

/// Replies that never end, or lie about their size.
const REPLIES: &[Reply] = &[
    ("headers", HEAD, b"x-a: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n"),
    ("long-header", b"HTTP/1.1 200 OK\r\nx-a: ", b"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"),
    ("interim", b"", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"),
    ("huge-chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc", b""),
    ("larger-chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffffffff\r\nabc", b""),
    (
        "chunk-extension",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ),
    ("trailers", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"x: yyyyyyyyyyyyyyyyyyyyyyyy\r\n"),
    ("negative-length", b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc", b""),
    ("huge-length", b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nabc", b""),
    ("two-lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde", b""),
    ("unknown-encoding", b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nok", b""),
    ("deep-json", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[[[[[[[[[[[[[[[[[[[[", b""),
    ("no-status", b"HTTP/1.1 000 x\r\nContent-Length: 0\r\n\r\n", b""),
    ("other-protocol", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b""),
    ("bad-location", b"HTTP/1.1 302 x\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n", b""),
    ("circle", b"HTTP/1.1 302 x\r\nLocation: /circle\r\nContent-Length: 0\r\n\r\n", b""),
    ("silence", b"", b""),
];

/// The path of the next request.
fn path(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        request.push(byte[0]);
    }
    Some(String::from_utf8(request).ok()?.split(' ').nth(1)?.trim_start_matches('/').to_owned())
}

fn serve(mut stream: TcpStream, replies: &[(&str, Vec<u8>, &[u8])]) {
    let Some(path) = path(&mut stream) else { return };
    let Some((_, begin, rest)) = replies.iter().find(|(name, ..)| *name == path) else { return };
    if stream.write_all(begin).is_err() || rest.is_empty() {
        return;
    }
    let rest = rest.repeat(1000);
    while stream.write_all(&rest).is_ok() {}
}

/// A server with these replies; its port. Its threads end with the test.
fn server(replies: Vec<(&'static str, Vec<u8>, &'static [u8])>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let replies = replies.clone();
            thread::spawn(move || serve(stream, &replies));
        }
    });
    port
}

/// A workflow that asks for each of these.
fn asking(names: &[&str], port: u16, more: &str) -> Sandbox {
    let names = names.join(", ");
    Sandbox::with(&format!(
        "
steps:
  - name: get
    task: batch
    inputs:
      items: [{names}]
      max_parallel: 4
      continue_on_error: true
      task: {{type: http_request, url: 'http://127.0.0.1:{port}/{{{{ item }}}}', {more}}}
"
    ))
}

#[test]
#[ignore = "heavy: takes seconds"]
fn whatever_a_server_sends_the_item_ends_and_says_why() {
    let port = server(REPLIES.iter().map(|(name, begin, rest)| (*name, begin.to_vec(), *rest)).collect());
    let names: Vec<&str> = REPLIES.iter().map(|(name, ..)| *name).collect();
    let sandbox = asking(&names, port, "timeout: 2s");
    sandbox.run(&[]).exits_with(1);
    let failures = sandbox.failures();
    assert_eq!(failures.len(), names.len(), "{failures:#?}");
    for (failure, name) in failures.iter().zip(&names) {
        let error = failure["error"].as_str().unwrap();
        assert!(error.contains(name) && error.len() < 500, "{name}: {error}");
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_body_that_grows_when_it_is_unpacked_is_as_long_as_it_gets() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![0; 1 << 20];
    (0..300).for_each(|_| packed.write_all(&zeros).unwrap());
    let body = packed.finish().unwrap();
    let mut reply =
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    reply.extend(body);
    let sandbox = asking(&["bomb"], server(vec![("bomb", reply, b"")]), "timeout: 60s");
    sandbox.run(&[]).exits_with(1);
    assert_eq!(sandbox.failures()[0]["type"], "BodyTooLong");
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_server_cannot_make_an_item_wait_for_longer_than_there_is_time() {
    let reply = b"HTTP/1.1 503 x\r\nRetry-After: 18446744073709551615\r\nContent-Length: 0\r\n\r\n".to_vec();
    let port = server(vec![("later", reply, b"")]);
    let sandbox = Sandbox::with(&format!(
        "
steps:
  - name: get
    for_each: [later]
    timeout: 1s
    retry: {{max_attempts: 2}}
    task: http_request
    inputs: {{url: 'http://127.0.0.1:{port}/{{{{ item }}}}'}}
"
    ));
    let ended = sandbox.run(&[]).exits_with(3);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

#[test]
fn an_item_cannot_smuggle_lines_into_a_request() {
    let port = server(vec![]);
    let items = ["\"a\\r\\nX-Evil: 1\""];
    for more in ["headers: {X-A: '{{ item }}'}", "method: '{{ item }}'", "headers: {Host: '{{ item }}'}"] {
        let sandbox = asking(&items, port, more);
        sandbox.run(&[]).exits_with(1);
        assert_eq!(sandbox.failures()[0]["type"], "RequestError", "{more}");
    }
}
