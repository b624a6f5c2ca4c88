//! What an editor makes of the schema: the YAML server of VS Code, driven by its protocol.

use crate::support::{Sandbox, repository};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A YAML server that works in the folder of a sandbox.
struct Server {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    folder: String,
    /// The file that was opened last. Each text is a file of its own: nothing that the server says of it is about an earlier one.
    uri: String,
    sent: u64,
    /// What the server said of that file.
    diagnostics: Option<Value>,
}

/// The server that `make test-full` installs. None if there is no npm to do so.
fn program() -> Option<PathBuf> {
    let set = std::env::var_os("BATCHMILL_TEST_YAML_SERVER").map(PathBuf::from);
    let installed = repository().join(".editor/node_modules/yaml-language-server/bin/yaml-language-server");
    let program = set.unwrap_or(installed);
    if !program.exists() {
        eprintln!("skipped: `{}` is missing; `make test-full` installs it if there is npm", program.display());
        return None;
    }
    Some(program)
}

impl Server {
    fn start(program: PathBuf, sandbox: &Sandbox) -> Self {
        let mut child = Command::new("node");
        let child = child.arg(program).arg("--stdio").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = child.current_dir(sandbox.path()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let folder = format!("file://{}", sandbox.path().display());
        let mut server = Self { child, stdin, stdout, folder, uri: String::new(), sent: 0, diagnostics: None };
        let markdown = json!(["markdown"]);
        let capabilities = json!({"textDocument": {
            "completion": {"completionItem": {"documentationFormat": markdown}}, "hover": {"contentFormat": markdown},
        }});
        server.ask("initialize", json!({"processId": null, "rootUri": server.folder, "capabilities": capabilities}));
        server.tell("initialized", json!({}));
        // What VS Code has by default, but for the store of schemas, which is on the net.
        let settings =
            json!({"yaml": {"validate": true, "hover": true, "completion": true, "schemaStore": {"enable": false}}});
        server.tell("workspace/didChangeConfiguration", json!({"settings": settings}));
        server
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.stdin, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        self.stdin.flush().unwrap();
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// The next message.
    fn next(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "the server has ended");
            match line.trim().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().unwrap()
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.stdout.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// Answers what the server asks, and remembers what it says of the file. Gives the message otherwise.
    fn take(&mut self) -> Option<Value> {
        let message = self.next();
        match (message["method"].as_str(), message.get("id")) {
            (Some("textDocument/publishDiagnostics"), _) if message["params"]["uri"] == self.uri => {
                self.diagnostics = Some(message["params"]["diagnostics"].clone());
                None
            }
            (Some("workspace/configuration"), Some(id)) => {
                let count = message["params"]["items"].as_array().unwrap().len();
                let none = vec![Value::Null; count];
                self.send(&json!({"jsonrpc": "2.0", "id": id, "result": none}));
                None
            }
            (Some(_), Some(id)) => {
                self.send(&json!({"jsonrpc": "2.0", "id": id, "result": null}));
                None
            }
            (Some(_), None) => None,
            (None, _) => Some(message),
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.sent, "method": method, "params": params}));
        loop {
            if let Some(answer) = self.take() {
                assert!(answer.get("error").is_none(), "{answer}");
                return answer["result"].clone();
            }
        }
    }

    fn ask_at(&mut self, method: &str, (line, character): (usize, usize)) -> Value {
        let position = json!({"line": line, "character": character});
        let params = json!({"textDocument": {"uri": self.uri}, "position": position});
        self.ask(method, params)
    }

    /// Opens a file with this text; what the server says of it.
    fn open(&mut self, text: &str) -> Vec<String> {
        self.sent += 1;
        self.uri = format!("{}/{}.yaml", self.folder, self.sent);
        self.diagnostics = None;
        let document = json!({"uri": self.uri, "languageId": "yaml", "version": 1, "text": text});
        self.tell("textDocument/didOpen", json!({"textDocument": document}));
        let said = loop {
            if let Some(said) = self.diagnostics.take() {
                break said;
            }
            assert_eq!(self.take(), None);
        };
        said.as_array().unwrap().iter().map(|one| one["message"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where a text first has these words: the line and the column behind them.
fn behind(text: &str, words: &str) -> (usize, usize) {
    let end = text.find(words).unwrap() + words.len();
    let line = text[..end].rfind('\n').map_or(0, |at| at + 1);
    (text[..end].matches('\n').count(), end - line)
}

#[test]
#[ignore = "heavy: starts the YAML server of VS Code"]
fn an_editor_completes_explains_and_checks_the_keys_of_a_new_workflow() {
    let Some(program) = program() else { return };
    let sandbox = Sandbox::new();
    sandbox.batchmill(&["init"]).exits_with(0);
    let text = sandbox.read("workflow.yaml");
    let mut server = Server::start(program, &sandbox);
    assert_eq!(server.open(&text), Vec::<String>::new());
    let hover = server.ask_at("textDocument/hover", behind(&text, "continue_on"));
    let explained = hover["contents"]["value"].as_str().unwrap();
    let starts = "Whether to continue after an item has failed its last attempt. Default: false";
    assert!(explained.starts_with(starts) && explained.contains("batchmill.schema.json"), "{explained}");

    let wrong = text.replace("continue_on_error:", "continue_on_eror:").replace("task: echo", "task: eco");
    let said = server.open(&wrong);
    assert!(said.contains(&"Property continue_on_eror is not allowed.".to_owned()), "{said:?}");
    assert!(said.iter().any(|said| said.contains("Valid values") && said.contains("\"echo\"")), "{said:?}");
    let many = text.replace("parallel: true ", "max_parallel: many ");
    assert_eq!(server.open(&many), ["must be a positive integer or `auto`"]);
    // Templates without quotes, as batchmill takes them.
    let bare = text.replace("items: [\"Ada\", \"Grace\", \"Linus; rm -rf /\"]", "items: {{ people }}");
    assert!(bare != text);
    assert_eq!(server.open(&bare), Vec::<String>::new());

    let half = text.replace("        type: shell\n", "        type: shell\n        \n");
    server.open(&half);
    let completed = server.ask_at("textDocument/completion", behind(&half, "type: shell\n        "));
    let items = completed["items"].as_array().or(completed.as_array()).unwrap();
    let find = |label: &str| items.iter().find(|item| item["label"] == label);
    let explained = &find("working_dir").expect("it is a key of a shell task")["documentation"]["value"];
    assert_eq!(explained, "Directory to run the command in. Default: the current directory");
    assert!(find("env").is_some() && find("retry").is_some() && find("timeout").is_some());
    assert!(find("url").is_none(), "it is a key of another type of task");
}
