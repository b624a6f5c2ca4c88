//! No secret reaches the folder of a run or what verbs print, whatever its shape and however it is written.

use crate::support::{Ended, Sandbox, Server};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

/// Secrets of odd shapes, by name: of a parameter, or of the environment.
const TOKEN: &str = "tk/9+=%&\"'\\ qz";
/// Long, so that no time or size has half of it.
const PIN: &str = "9182736455463728190";
const LEAF: &str = "Lq3fWq7x";
const DEEP: &str = "Dw5pXr8y";
const VARIABLE: &str = "Vy9rYv3z";
const CERTIFICATE: &str = "-----BEGIN X-----\nMIIabc123\nshort7\n-----END X-----";

pub const WORKFLOW: &str = r#"
params:
  token: {type: string, required: true}
  tree: {type: mapping, required: true}
  both: {type: string, default: Gv2nZz1k}
secrets: [token, tree, both, CERTIFICATE]
steps:
  - name: fail
    task: python
    for_each: ['{{ token }}', '{{ tree.leaf }}', '{{ tree.list[0].deep }}', '{{ tree.pin }}', '{{ both }}', '{{ env.both }}', '{{ env.CERTIFICATE }}']
    continue_on_error: true
    max_parallel: 2
    inputs:
      code: |
        import base64, json, re, sys, urllib.parse as url
        text = str(item)
        forms = [text, repr(text), ascii(text), json.dumps(text), json.dumps(json.dumps(text)), url.quote(text, safe=''), url.quote(text),
                 url.quote_plus(text), url.urlencode({'q': text}), re.sub('%..', lambda found: found[0].lower(), url.quote(text, safe=''))]
        for before in ('', 'u', 'u:', 'user:'):
            data = (before + text).encode()
            forms += [base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode().rstrip('='), base64.encodebytes(data * 3).decode()]
        print('\n'.join(forms))
        for form in forms:
            print(form, file=sys.stderr)
        sys.stdout.write(text[:4]); sys.stdout.flush()
        import time; time.sleep(0.05)
        sys.stdout.write(text[4:] + '\n')
        raise type('Error_' + text, (Exception,), {})(' '.join(forms))
  - name: raise
    task: python
    for_each: [1]
    continue_on_error: true
    inputs:
      code: raise ValueError(secret)
      secret: '{{ token }} {{ tree.leaf }}'
  - name: cut
    task: shell
    for_each: ['{{ token }}', '{{ env.CERTIFICATE }}']
    continue_on_error: true
    inputs:
      command: |
        i=0; while test $i -lt 700; do printf %s {{ item }} >&2; i=$((i+1)); done
        exit 3
  - name: body
    task: http_request
    for_each: ['{{ token }}']
    continue_on_error: true
    inputs: {url: 'URL', method: POST, body: '{{ item }}'}
  - name: files
    task: shell
    for_each: ['{{ tree.leaf }}']
    continue_on_error: true
    inputs: {command: 'touch $BATCHMILL_ITEM_DIR/{{ item }}'}
    outputs: {item_files: 'files/{{ tree.leaf }}'}
  - name: written
    task: echo
    for_each: [1]
    inputs: {message: x}
    outputs: {path: 'out/{{ tree.leaf }}.jsonl'}
  - name: say
    task: echo
    inputs: {message: '{{ token }} {{ env.CERTIFICATE }}'}
"#;

/// A secret in all encodings that batchmill promises to find, and its pieces.
fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap();
    let percent = |lower: bool| -> String {
        let write = |byte: u8| if lower { format!("%{byte:02x}") } else { format!("%{byte:02X}") };
        secret
            .bytes()
            .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).into() } else { write(byte) })
            .collect()
    };
    let mut forms = vec![secret.to_owned(), json[1..json.len() - 1].to_owned(), percent(true), percent(false)];
    for before in ["", "u", "u:"] {
        let data = format!("{before}{secret}");
        // Without the characters that also depend on what is around.
        let core = |text: String| text[(8 * before.len()).div_ceil(6)..8 * data.len() / 6].to_owned();
        forms.extend([core(STANDARD.encode(&data)), core(URL_SAFE_NO_PAD.encode(&data))]);
    }
    forms.extend(secret.lines().map(str::to_owned));
    // Half of it, as a cut leaves it.
    forms
        .extend(secret.lines().flat_map(|line| [line[..line.len() / 2].to_owned(), line[line.len() / 2..].to_owned()]));
    forms.retain(|form| form.len() > 3 && !form.chars().all(|c| c == '-'));
    forms
}

fn secrets() -> [&'static str; 7] {
    [TOKEN, PIN, LEAF, DEEP, "Gv2nZz1k", VARIABLE, CERTIFICATE]
}

#[track_caller]
pub fn assert_masked(what: &str, text: &str) {
    for form in secrets().iter().flat_map(|secret| forms(secret)) {
        if let Some(at) = text.find(&form) {
            let from = (0..=at.saturating_sub(80)).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            let shown: String = text[from..].chars().take(200).collect();
            panic!("{what} has `{form}`: {shown:?}");
        }
    }
}

pub fn sandbox(url: &str) -> Sandbox {
    let tree = serde_json::json!({"leaf": LEAF, "list": [{"deep": DEEP}], "pin": PIN.parse::<u64>().unwrap()});
    let params = serde_json::json!({"token": TOKEN, "tree": tree});
    Sandbox::with(&WORKFLOW.replace("URL", url))
        .file("params.json", params.to_string())
        .file("token", TOKEN)
        .file("tree", params["tree"].to_string())
        .env("both", VARIABLE)
        .env("CERTIFICATE", CERTIFICATE)
}

/// Everything that is done to a run with secrets, with the exit code.
const VERBS: &[(i32, &[&str])] = &[
    (1, &["run", "workflow.yaml", "--params-file", "params.json", "--resume", "--progress", "json"]),
    (1, &["retry", "latest", "token@=token", "tree@=tree"]),
    (2, &["resume"]),
    (0, &["plan", "workflow.yaml", "--params-file", "params.json"]),
    (0, &["plan", "workflow.yaml", "--params-file", "params.json", "--format", "json"]),
    (0, &["validate", "workflow.yaml", "--params-file", "params.json"]),
    (2, &["profile", "workflow.yaml", "--params-file", "params.json", "--step", "fail", "--yes", "--budget", "1s"]),
    (0, &["run", "workflow.yaml", "--help"]),
    (0, &["failures"]),
    (0, &["failures", "--detail"]),
    (0, &["failures", "--group"]),
    (0, &["failures", "--format", "json", "--detail"]),
    (0, &["logs"]),
    (0, &["logs", "--format", "json"]),
    (0, &["status"]),
    (0, &["status", "--format", "json"]),
    (0, &["runs"]),
    (0, &["runs", "--format", "json"]),
    (0, &["audit"]),
    (0, &["report", "-o", "-"]),
    (0, &["report", "--format", "json", "-o", "-"]),
    (1, &["repro", "latest", "0", "token@=token", "tree@=tree", "--step", "raise"]),
    (2, &["repro", "latest", "0", "token@=token", "tree@=tree", "--step", "cut"]),
];

#[test]
#[ignore = "heavy: takes seconds"]
fn no_secret_is_in_the_folder_of_a_run_or_in_what_verbs_print() {
    // A body that repeats the secret to beyond where it is cut.
    let server = Server::start(|request| (500, Vec::new(), request.body.repeat(1_000)));
    let sandbox = sandbox(&server.url("/"));
    let seen = |code: i32, arguments: &[&str]| {
        let Ended { stdout, stderr, .. } = sandbox.batchmill(arguments).exits_with(code);
        assert_masked(&format!("stdout of {arguments:?}"), &stdout);
        assert_masked(&format!("stderr of {arguments:?}"), &stderr);
        stderr
    };
    let run = ["run", "workflow.yaml", "--params-file", "params.json", "--slow-after", "10ms"];
    let ran = seen(1, &[&run[..], &["--events", "events.jsonl", "--metrics", "metrics.prom"]].concat());
    assert!(ran.contains("Error_***"), "{ran}");
    for (code, arguments) in VERBS {
        seen(*code, arguments);
    }
    assert!(sandbox.batchmill(&["failures", "--step", "files"]).stdout.contains("whose name contains a secret"));
    assert_masked("events", &sandbox.read("events.jsonl"));
    assert_masked("metrics", &sandbox.read("metrics.prom"));
    assert!(sandbox.exists(&format!("out/{LEAF}.jsonl")), "the output is where it should be");
    // Results stay as they are.
    assert!(sandbox.everything_written("").contains("MIIabc123"));
    assert_masked("the state directory", &sandbox.everything_written("/results/"));
}

#[test]
fn a_parameter_that_is_refused_is_not_shown() {
    let workflow = "
secrets: [n, m]
params: {n: {type: integer, default: 1}, m: {default: hidden-default}}
steps:
  - {name: a, task: echo, inputs: {message: '{{ n + m.x.y }} {{ nothing }}'}}
";
    let sandbox = Sandbox::with(workflow);
    for arguments in [&["n=hunter2-secret"][..], &["n=[hunter2-secret"], &["n=1", "m={a: hunter2-secret"]] {
        for verb in ["run", "plan", "validate"] {
            let ended = sandbox.batchmill(&[&[verb, "workflow.yaml"], arguments].concat()).exits_with(2);
            let all = ended.stdout + &ended.stderr;
            assert!(!all.contains("hunter2") && !all.contains("hidden-default"), "{all}");
        }
    }
}

#[test]
fn a_secret_is_passed_in_a_file_or_over_stdin() {
    let workflow = "
secrets: [token]
params: {token: {type: string, required: true}, other: {default: 1}}
steps:
  - {name: show, task: echo, inputs: {message: '{{ token }} {{ other }}'}}
";
    let sandbox = Sandbox::with(workflow).file("token", "a=b c\n");
    sandbox.run(&["token@=token"]).exits_with(0);
    assert_eq!(sandbox.results("show"), ["a=b c 1"]);
    let fed = |arguments: &[&str], text: &str| {
        let mut child = sandbox.command(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        sandbox.results("show")
    };
    assert_eq!(fed(&["run", "workflow.yaml", "--params-file", "-"], "token: x y\nother: 2\n"), ["x y 2"]);
    assert_eq!(fed(&["run", "workflow.yaml", "token@=-"], "from stdin"), ["from stdin 1"]);
    sandbox.run(&["token@=nowhere"]).exits_with(2).says(&["cannot read `nowhere`", "parameter `token`", "help: "]);
    fs::write(sandbox.path().join("token"), b"\xff").unwrap();
    sandbox.run(&["token@=token"]).exits_with(2).says(&["is not UTF-8"]);
}

#[test]
fn no_parameter_has_a_name_that_templates_use_for_something_else() {
    for name in ["env", "run", "item", "steps", "index", "none", "true", "summary", "params", "batch", "error", "loop"]
    {
        let steps = "steps: [{name: a, task: echo, inputs: {message: x}}]";
        let sandbox = Sandbox::with(&format!("params: {{'{name}': {{default: 1}}}}\n{steps}"));
        let said = format!("no parameter can be named `{name}`");
        sandbox.run(&[]).exits_with(2).says(&[&said, "workflow.yaml:1:", "help: choose another name"]);
        let sandbox = Sandbox::with(steps);
        sandbox.run(&[&format!("{name}=1")]).exits_with(2).says(&[&said]);
    }
}

#[test]
fn no_line_of_a_secret_that_goes_over_several_is_left_in_a_message() {
    let secret = "Zk4".chars().cycle().zip('a'..='z').flat_map(|(a, b)| [a, b]).collect::<String>().repeat(4);
    let workflow = "
params: {token: {type: string, required: true}}
secrets: [token]
steps:
  - name: folded
    task: shell
    for_each: ['{{ token }}']
    continue_on_error: true
    inputs: {command: 'echo {{ item }} | fold -w 75 >&2; exit 1'}
  - name: first
    task: python
    for_each: ['{{ token }}']
    continue_on_error: true
    inputs:
      code: |
        import base64
        raise ValueError('no ' + base64.encodebytes(item.encode()).decode())
  - name: long
    task: python
    for_each: ['{{ token }}']
    continue_on_error: true
    inputs:
      code: |
        raise ValueError('\\n'.join('-' * shift + item for shift in range(500)))
";
    let sandbox = Sandbox::with(workflow).file("token", &*secret);
    let ended = sandbox.batchmill(&["run", "workflow.yaml", "token@=token"]).exits_with(1);
    let details = sandbox.batchmill(&["failures", "--detail"]).exits_with(0).stdout;
    let all = ended.stdout + &ended.stderr + &details + &sandbox.everything_written("/results/");
    let based = STANDARD.encode(&secret);
    for piece in secret.as_bytes().windows(8).chain(based.as_bytes().windows(8)).map(String::from_utf8_lossy) {
        assert!(!all.contains(&*piece), "{piece}: {all}");
    }
}

#[test]
fn the_failures_of_retried_items_and_of_their_handlers_are_masked() {
    let workflow = "
params: {token: {type: string, required: true}}
secrets: [token]
steps:
  - name: again
    task: batch
    inputs:
      items: ['{{ token }}']
      retry: {max_attempts: 2, delay: 0}
      continue_on_error: true
      on_item_error: {type: shell, command: 'echo handler {{ item }} >&2; exit 1'}
      task: {type: shell, command: 'echo task {{ item }} >&2; exit 1'}
";
    let sandbox = Sandbox::with(workflow);
    let arguments = ["run", "workflow.yaml", "token=hunter2-long", "--progress", "json", "--events", "events.jsonl"];
    let ended = sandbox.batchmill(&arguments).exits_with(1);
    let failures = sandbox.batchmill(&["failures", "--detail"]).exits_with(0).stdout;
    let all = ended.stderr + &failures + &sandbox.read("events.jsonl") + &sandbox.everything_written("/results/");
    assert!(all.contains("task ***") && all.contains("handler ***"), "{all}");
    assert!(!all.contains("hunter2"), "{all}");
}
