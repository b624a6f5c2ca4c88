//! Recipes of the documentation that need something outside, such as a server.

use crate::support::{Sandbox, Server, repository};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The file of this name in the recipes.
fn file(name: &str) -> String {
    let text = std::fs::read_to_string(repository().join("docs/recipes.md")).unwrap();
    let (_, after) = text.split_once(&format!("`{name}`:\n\n```yaml\n")).unwrap();
    after.split_once("```").unwrap().0.to_owned()
}

#[test]
#[ignore = "heavy: takes seconds"]
fn requests_to_an_api_wait_as_they_are_told_and_keep_the_error_of_one_that_failed() {
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |request| match request.url.as_str() {
        "/users/1.json" if asked.fetch_add(1, Ordering::Relaxed) == 0 => {
            (429, vec![("Retry-After", "0".to_owned())], "later".to_owned())
        }
        "/users/1.json" => (200, vec![("Content-Type", "application/json".to_owned())], r#"{"name":"Ada"}"#.to_owned()),
        "/users/2.json" => (200, vec![("Content-Type", "application/json".to_owned())], r#"{"name":"Bo"}"#.to_owned()),
        _ => (404, vec![], "no such user".to_owned()),
    });
    let sandbox = Sandbox::with(&file("fetch.yaml")).file("users.csv", "id,team\n1,a\n2,b\n3,a\n");
    let base = server.url("");
    sandbox.run(&[&format!("base={}", base.trim_end_matches('/'))]).exits_with(1).says(&["1 failed"]);
    let rows = sandbox.read("users.out.csv");
    let rows: Vec<&str> = rows.lines().collect();
    assert_eq!(rows[0], "id,team,error,status,json.name");
    assert_eq!(rows[1..3], ["1,a,,200,Ada", "2,b,,200,Bo"]);
    assert!(rows[3].starts_with("3,a,") && rows[3].contains("404"), "{rows:?}");
    let urls: Vec<String> = server.requests().into_iter().map(|request| request.url).collect();
    assert_eq!(urls.iter().filter(|url| url.ends_with("/1.json")).count(), 2, "{urls:?}");
    assert_eq!(urls.len(), 4, "{urls:?}");
}
