//! What `on_failure` and `finally` tell: the causes of failures and the report. The examples of the documentation run here.

use crate::support::{Sandbox, Server, repository};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// The block of `docs/watching.md` below the line that ends in `` `NAME`: ``.
fn example(name: &str) -> String {
    let page = fs::read_to_string(repository().join("docs/watching.md")).unwrap();
    let (_, rest) = page.split_once(&format!("`{name}`:\n\n```")).unwrap_or_else(|| panic!("no block `{name}`"));
    let (_, block) = rest.split_once('\n').unwrap();
    block.split_once("\n```").unwrap().0.to_owned()
}

/// The page that an alert names.
fn page(path: &str) -> String {
    assert!(Path::new(path).is_absolute() && path.ends_with("/report.html"), "{path}");
    fs::read_to_string(path).unwrap()
}

#[test]
fn the_webhook_of_the_documentation_gets_causes_and_the_path_of_a_report() {
    let server = Server::start(|_| (200, vec![], String::new()));
    let sandbox = Sandbox::with(&example("webhook.yaml")).env("ALERT_URL", server.url("/hook?key=s3cret"));
    let ended = sandbox.run(&[]).exits_with(1);
    assert!(!ended.stderr.contains("s3cret"), "{}", ended.stderr);
    let requests = server.requests();
    assert_eq!((requests.len(), &*requests[0].method, &*requests[0].url), (1, "POST", "/hook?key=s3cret"));
    let mut alert: Value = serde_json::from_str(&requests[0].body).unwrap();
    let mut documented: Value = serde_json::from_str(&example("body.json")).unwrap();
    let report = alert["report"].take();
    documented["report"].take();
    assert_eq!(alert, documented);
    let page = page(report.as_str().unwrap());
    assert!(page.contains("Finished with failures: 3 of 5 items failed"), "{}", &page[..2000]);
    assert!(!page.contains("on_failure</h"), "the alert itself is no step of the report");
}

#[test]
fn the_mail_of_the_documentation_is_sent() {
    let mail = r#"printf '%s\n' "$@" > mail.args; cat > mail.body"#;
    let sandbox = Sandbox::with(&example("mail.yaml")).env("ALERT_TO", "ada@example.com").script("mail", mail);
    sandbox.run(&[]).exits_with(1);
    assert_eq!(sandbox.read("mail.args"), "-s\nprices partial: 3 items failed\nada@example.com\n");
    let body = sandbox.read("mail.body");
    let (causes, report) = body.trim_end().split_once("\nReport: ").unwrap();
    assert_eq!(causes.trim(), "3 in load: ValueError: could not convert string to float: '…'");
    assert!(page(report).contains("3 of 5 items failed"));
}

const PYTHON: &str = "
name: nightly
secrets: [TOKEN]
steps:
  - name: work
    for_each: [1, 2, 3, x]
    continue_on_error: true
    task: shell
    inputs: {command: 'echo no row {{ item }} of {{ env.TOKEN }} >&2; exit 1'}
on_failure:
  type: python
  code: |
    import json
    with open('alert.json', 'w') as out:
        json.dump(summary, out)
";

#[test]
fn python_code_has_the_summary_as_a_dict() {
    let sandbox = Sandbox::with(PYTHON).env("TOKEN", "hush-hush");
    sandbox.run(&[]).exits_with(1);
    let alert: Value = serde_json::from_str(&sandbox.read("alert.json")).unwrap();
    let mut names: Vec<&str> = alert.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let all = ["failed", "failures", "other_failures", "report", "run_id", "status", "steps", "workflow"];
    assert_eq!(names, all);
    let groups: Vec<Value> =
        ["count", "indexes", "step"].map(|name| json!(alert["failures"][0][name])).into_iter().collect();
    assert_eq!(groups, [json!(3), json!([0, 1, 2]), json!("work")]);
    assert_eq!((&alert["failed"], &alert["other_failures"]), (&json!(4), &json!(0)));
    let message = alert["failures"][0]["message"].as_str().unwrap();
    assert!(message.ends_with("no row … of ***"), "{message}");
    assert!(!sandbox.everything_written("").contains("hush-hush"));
    // An input of this name is the user's own.
    let own =
        PYTHON.replace("on_failure:\n  type: python\n", "on_failure:\n  type: python\n  inputs: {summary: mine}\n");
    let sandbox = Sandbox::with(&own).env("TOKEN", "hush-hush");
    sandbox.run(&[]).exits_with(1);
    assert_eq!(sandbox.read("alert.json"), "\"mine\"");
}

const SHELL: &str = "
steps:
  - name: work
    for_each: [a, b]
    continue_on_error: true
    task: shell
    inputs: {command: 'work {{ item }}'}
on_failure: {type: shell, command: 'echo \"{{ summary.failed }} [{{ summary.report }}]\" >> told'}
finally: {type: shell, command: 'echo \"{{ summary.status }} {{ summary.failures | length }}\" >> closed'}
";

#[test]
fn a_report_that_cannot_be_written_hinders_nothing() {
    let work = "mkdir -p .batchmill/runs/$BATCHMILL_RUN_ID/report.html; exit 1";
    let sandbox = Sandbox::with(SHELL).script("work", work);
    sandbox.run(&[]).exits_with(1).says(&["warning: cannot write the report, so `summary.report` is empty: "]);
    assert_eq!((sandbox.read("told"), sandbox.read("closed")), ("2 []\n".into(), "partial 1\n".into()));
}

#[test]
fn each_execution_tells_what_stands_at_its_end() {
    let sandbox = Sandbox::with(SHELL).script("work", "exit 1");
    sandbox.run(&[]).exits_with(1);
    let sandbox = sandbox.script("work", "[ $1 = a ]");
    sandbox.batchmill(&["retry"]).exits_with(1);
    let told = sandbox.read("told");
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("2 [/") && lines[1].starts_with("1 [/"), "{told}");
    let report = lines[1].trim_start_matches("1 [").trim_end_matches(']');
    assert!(page(report).contains("Finished with failures: 1 of 2 items failed"));
    fs::remove_file(report).unwrap();
    let sandbox = sandbox.script("work", "true");
    sandbox.batchmill(&["retry"]).exits_with(0);
    assert!(!Path::new(report).exists(), "nothing asked for a report");
    assert_eq!(sandbox.read("closed"), "partial 1\npartial 1\nsucceeded 0\n");
}

#[test]
fn a_member_that_the_summary_lacks_is_found_before_the_run() {
    let workflow = SHELL.replace("summary.report", "summary.reprot");
    Sandbox::with(&workflow).script("work", "true").run(&[]).exits_with(2).says(&[
        "`summary.reprot` is not defined",
        "members: `run_id`, `workflow`, `status`, `failed`, `failures`, `other_failures`, `report`, `steps`",
    ]);
}
