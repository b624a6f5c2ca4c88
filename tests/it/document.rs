//! Every example of the user's document runs as written. Only the port of the placeholder server is put in.

use crate::support::{Answer, Postgres, Request, Sandbox, Server, repository};
use serde_json::{Value, json};
use std::fs;

fn example(name: &str) -> String {
    fs::read_to_string(repository().join("fixtures/workflows/document").join(name)).unwrap()
}

fn example_for(name: &str, server: &Server) -> String {
    let text = example(name);
    let placed = text.replace("127.0.0.1:8765", &format!("127.0.0.1:{}", server.port));
    assert_ne!(text, placed, "the example names no server");
    placed
}

fn with_data(sandbox: Sandbox, names: &[&str]) -> Sandbox {
    let rows = "category,value\nb,1\na,2\nb,3\n";
    names.iter().fold(sandbox, |sandbox, name| sandbox.file(name, rows))
}

#[test]
fn basic_usage_splits_and_multiplies() {
    let sandbox = Sandbox::with(&example("01-basic-usage.yaml"));
    sandbox.run(&["numbers=[1, 2, 3, 4, 5]", "batch_size=2"]).exits_with(0);
    assert_eq!(sandbox.results("split_into_batches"), [json!([[1, 2], [3, 4], [5]])]);
    assert_eq!(sandbox.results("process_batches"), [json!([2, 4]), json!([6, 8]), json!([10])]);
}

#[test]
fn batch_configuration_echoes_each_item() {
    let sandbox = Sandbox::with(&example("02-batch-configuration.yaml"));
    sandbox.run(&[]).exits_with(0);
    let said: Vec<Value> = sandbox.results("process_data").iter().map(|result| result["stdout"].clone()).collect();
    assert_eq!(said, ["a", "b", "c", "d", "e"].map(|item| json!(format!("Processing {item}"))));
}

#[test]
fn item_processing_transforms_each_file() {
    let sandbox = Sandbox::with(&example("03-item-processing.yaml"));
    let sandbox = with_data(sandbox, &["file1.csv", "file2.csv", "file3.csv"]);
    sandbox.run(&[]).exits_with(0);
    let first = json!({ "input": "file1.csv", "output": "file1.csv.result.json", "rows": 3 });
    assert_eq!(sandbox.results("transform_data")[0], first);
    let written: Value = serde_json::from_str(&sandbox.read("file3.csv.result.json")).unwrap();
    assert_eq!(written, json!({ "value": { "a": 2, "b": 4 } }));
}

#[test]
fn parallel_processing_gets_each_url() {
    let server = Server::start(|request| (200, vec![], format!("you asked for {}", request.url)));
    let sandbox = Sandbox::with(&example_for("04-parallel-processing.yaml", &server));
    sandbox.run(&[]).exits_with(0);
    let bodies: Vec<Value> = sandbox.results("parallel_process").iter().map(|result| result["body"].clone()).collect();
    assert_eq!(bodies, [1, 2, 3, 4].map(|number| json!(format!("you asked for /url{number}"))));
}

#[test]
fn error_handling_goes_on_and_tells_of_the_failed_item() {
    let script = repository().join("tests/support");
    let path = format!("{}:{}", script.display(), std::env::var("PATH").unwrap());
    let sandbox = Sandbox::with(&example("05-error-handling.yaml")).env("PATH", path);
    let ended = sandbox.run(&[]).exits_with(1);
    ended.says(&["Failed to process item2: command exited with status 7"]);
    let said: Vec<Value> =
        sandbox.results("process_with_errors").iter().map(|result| result["stdout"].clone()).collect();
    assert_eq!(said, ["processed item1", "processed item3"]);
    let failures = sandbox.failures();
    assert_eq!((failures.len(), &failures[0]["item"], &failures[0]["index"]), (1, &json!("item2"), &json!(1)));
}

#[test]
fn file_processing_takes_names_with_spaces_from_a_command() {
    let sandbox = Sandbox::with(&example("06-file-processing.yaml"));
    let sandbox = with_data(sandbox, &["data/a b.csv", "data/it's.csv", "data/z.csv"]);
    sandbox.run(&[]).exits_with(0);
    // Paths, not batches of paths, although `batch_size` is 5.
    let first = json!({ "file": "data/a b.csv", "records": 3, "output": "data/a b.json" });
    assert_eq!(sandbox.results("process_files")[0], first);
    let output: Value = serde_json::from_str(&sandbox.read("data/it's.json")).unwrap();
    assert_eq!(output["('value', 'sum')"], json!({ "a": 2, "b": 4 }));
    let plan = sandbox.batchmill(&["plan", "workflow.yaml"]).exits_with(0);
    assert!(plan.stdout.contains("`item` is one item, because the items are not records"), "{}", plan.stdout);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn api_requests_carry_the_token_and_are_tried_again() {
    let failed = std::sync::atomic::AtomicBool::new(false);
    let answer = move |request: &Request| -> Answer {
        if request.url == "/users/user2" && !failed.swap(true, std::sync::atomic::Ordering::SeqCst) {
            return (503, vec![("Retry-After", "0".to_owned())], "not yet".to_owned());
        }
        (200, vec![("Content-Type", "application/json".to_owned())], format!("{{\"path\": \"{}\"}}", request.url))
    };
    let server = Server::start(answer);
    // The delay of the example is a second; the test waits for it once.
    let sandbox = Sandbox::with(&example_for("07-api-requests.yaml", &server)).env("API_TOKEN", "t0k3n");
    sandbox.run(&[]).exits_with(0);
    let paths: Vec<Value> = sandbox.results("fetch_data").iter().map(|result| result["json"]["path"].clone()).collect();
    assert_eq!(paths, ["/users/user1", "/users/user2", "/users/user3"]);
    let requests = server.requests();
    assert_eq!(requests.len(), 4);
    let authorized =
        |request: &Request| request.headers.contains(&("authorization".to_owned(), "Bearer t0k3n".to_owned()));
    assert!(requests.iter().all(authorized), "{requests:?}");
}

#[test]
fn api_requests_without_the_token_are_refused_before_any_is_sent() {
    let server = Server::start(|_| (200, vec![], String::new()));
    let sandbox = Sandbox::with(&example_for("07-api-requests.yaml", &server));
    sandbox.run(&[]).exits_with(2).says(&["environment variable `API_TOKEN` is not set", "workflow.yaml:"]);
    assert!(server.requests().is_empty());
}

#[test]
fn data_transformation_takes_records_in_batches() {
    let sandbox = Sandbox::with(&example("08-data-transformation.yaml"));
    let record = |id: u32| json!({ "id": id, "name": format!("name{id}"), "score": (id % 100).to_string() });
    let records: Vec<Value> = (0..250).map(record).collect();
    let sandbox = sandbox.file("params.json", json!({ "input_records": records }).to_string());
    let plan = sandbox.batchmill(&["plan", "workflow.yaml", "--params-file", "params.json"]).exits_with(0);
    assert!(plan.stdout.contains("250 items in 3 batches of 100"), "{}", plan.stdout);
    assert!(plan.stdout.contains("`item` is the batch, because"), "{}", plan.stdout);
    sandbox.run(&["--params-file", "params.json"]).exits_with(0);
    let results = sandbox.results("transform_records");
    assert_eq!(results.len(), 250);
    assert_eq!(results[95], json!({ "id": 95, "name": "NAME95", "score": 95.0, "grade": "A" }));
}

#[test]
fn database_operations_update_a_real_database() {
    let postgres = Postgres::start();
    postgres.sql(
        "CREATE TABLE users (id int PRIMARY KEY, status text, updated_at timestamptz);
         INSERT INTO users SELECT n, 'old', NULL FROM generate_series(1, 120) n",
    );
    let records: Vec<Value> = (1..=120).map(|id| json!({ "id": id, "status": format!("s{}", id % 2) })).collect();
    let sandbox = Sandbox::with(&example("09-database-operations.yaml"))
        .env("DB_URL", postgres.uri.clone())
        .file("params.json", json!({ "records_to_update": records }).to_string());
    sandbox.run(&["--params-file", "params.json"]).exits_with(0);
    let updated: Vec<Value> =
        sandbox.results("update_records").iter().map(|result| result["updated"].clone()).collect();
    assert_eq!(updated, [50, 50, 20]);
    let counts = postgres.sql("SELECT status, count(*) FROM users WHERE updated_at IS NOT NULL GROUP BY 1 ORDER BY 1");
    assert_eq!(counts, "[('s0', 60), ('s1', 60)]");
}

#[test]
fn the_demo_groups_a_month_of_flights_by_carrier() {
    let sandbox = Sandbox::new();
    std::os::unix::fs::symlink(repository().join("fixtures"), sandbox.path().join("fixtures")).unwrap();
    sandbox.batchmill(&["run", "fixtures/workflows/flights.yaml"]).exits_with(0);
    assert_eq!(sandbox.results("process_files").len(), 31);
    let summary = &sandbox.results("by_carrier")[0];
    assert_eq!((&summary["flights"], &summary["carriers"]), (&json!(27_004), &json!(16)));
    assert!(sandbox.read("out/flights/by-carrier.csv").starts_with("carrier,flights,mean_dep_delay\n9E,1573,"));
}
