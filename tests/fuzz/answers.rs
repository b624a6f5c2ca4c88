//! What HTTP servers answer: whatever the bytes, each item ends, and so does the run.

use crate::fuzzer::fuzz;
use crate::mutation::{Mutation, mutated, mutations};
use crate::program::{batchmill, folder};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a client pays attention to.
const WORDS: &[&str] = &[
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\0",
    ": ",
    "HTTP/1.1 ",
    "HTTP/1.0 ",
    "100 ",
    "101 ",
    "204 ",
    "304 ",
    "999999 ",
    "Content-Length: 5\r\n",
    "Content-Length: 18446744073709551616\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Content-Encoding: gzip\r\n",
    "Content-Type: application/json; charset=utf-16\r\n",
    "Location: /\r\n",
    "Location: //\r\n",
    "Retry-After: 1e9\r\n",
    "Connection: close\r\n",
    "0\r\n\r\n",
    "ffffffffffffffff\r\n",
    ";",
    "é",
];

const ANSWERS: &[&str] = &[
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX: y\r\n\r\n",
    "HTTP/1.1 302 Found\r\nLocation: /elsewhere?x#y\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 503 Later\r\nRetry-After: 1\r\nContent-Length: 5\r\n\r\nlater",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\nuntil the end",
    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
];

/// A server that gives its connections these answers, one after another, and closes them.
struct Server {
    port: u16,
    answers: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = Arc::new(Mutex::new(Vec::<Vec<u8>>::new()));
        let given = Arc::clone(&answers);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let answer = given.lock().unwrap().pop().unwrap_or_default();
                drop(answer_with(stream, &answer));
            }
        });
        Self { port, answers }
    }
}

fn answer_with(mut stream: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? > 0 {
        request.push(byte[0]);
    }
    stream.write_all(answer)
}

#[test]
fn mutated_answers_of_a_server_end_as_results_or_failures() {
    let server = Server::start();
    let workflow = format!(
        "
steps:
  - name: get
    task: batch
    inputs:
      items: {{range: 8}}
      max_parallel: 1
      continue_on_error: true
      task: {{type: http_request, timeout: 5s, url: 'http://127.0.0.1:{}/{{{{ item }}}}'}}
",
        server.port
    );
    let folder = folder(&[("workflow.yaml", &workflow)]);
    let answers = vec((select(ANSWERS), mutations(WORDS)), 30);
    fuzz(12, &answers, |answers: Vec<(&str, Vec<Mutation>)>| {
        *server.answers.lock().unwrap() =
            answers.iter().map(|(answer, changes)| mutated(answer.as_bytes(), changes)).collect();
        let arguments = ["run", "workflow.yaml", "--format", "json", "--progress", "none"];
        let ended = batchmill(folder.path(), &arguments);
        prop_assert!(ended.is_proper(), "{ended:?}");
        let run: Value = serde_json::from_str(&ended.stdout).unwrap_or_default();
        let stats = &run["steps"]["get"]["stats"];
        let settled = ["succeeded", "failed"].map(|count| stats[count].as_u64().unwrap_or(0)).iter().sum::<u64>();
        prop_assert_eq!(settled, 8, "{:?}", ended);
        Ok(())
    });
}
