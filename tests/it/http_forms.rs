//! Forms, files and cookies that requests send, and what results take from responses.

use crate::proxies::Proxy;
use crate::support::{Answer, Request, Sandbox, Server};
use std::sync::atomic::{AtomicU32, Ordering};

/// A batch step of requests, one after another.
fn workflow(items: &str, task: &str) -> Sandbox {
    Sandbox::with(&format!(
        "steps:\n  - name: get\n    task: batch\n    inputs:\n      items: {items}\n      continue_on_error: true\n      \
         task: {{type: http_request, {task}}}\n    outputs: {{path: get.csv}}\n"
    ))
}

fn ok(body: &str) -> Answer {
    (200, vec![], body.to_owned())
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

#[test]
fn a_form_is_sent_as_browsers_do() {
    let server = Server::start(|_| ok(""));
    let task = format!(
        "url: '{}', form: {{name: '{{{{ item }}}}', n: 1.50, tag: [a, null, 'b&c'], none: null}}",
        server.url("/")
    );
    workflow("['a b', 'ü+=%']", &task).run(&[]).exits_with(0);
    let requests = server.requests();
    let bodies: Vec<&str> = requests.iter().map(|request| request.body.as_str()).collect();
    assert_eq!(bodies, ["name=a+b&n=1.50&tag=a&tag=b%26c", "name=%C3%BC%2B%3D%25&n=1.50&tag=a&tag=b%26c"]);
    assert_eq!(requests[0].method, "POST");
    assert_eq!(header(&requests[0], "content-type"), Some("application/x-www-form-urlencoded"));
    workflow("[1]", &format!("{task}, method: PUT, headers: {{Content-Type: mine}}")).run(&[]).exits_with(0);
    let request = &server.requests()[0];
    assert_eq!((request.method.as_str(), header(request, "content-type")), ("PUT", Some("mine")));
}

#[test]
fn files_are_sent_with_their_names_and_types() {
    let server = Server::start(|_| ok(""));
    let task = format!(
        "url: '{}', form: {{title: '{{{{ item }}}}'}}, files: {{page: '{{{{ item }}}}', more: [a.json, 'b\"\\r\\n.bin']}}",
        server.url("/")
    )
    .replace("'b\"\\r\\n.bin'", "\"b\\\"\\r\\n.bin\"");
    let sandbox = workflow("[in/c.html]", &task).file("in/c.html", "<p>").file("a.json", "{}").file("b\"\r\n.bin", "b");
    sandbox.run(&[]).exits_with(0);
    let request = &server.requests()[0];
    let boundary = header(request, "content-type").unwrap().strip_prefix("multipart/form-data; boundary=").unwrap();
    let parts: Vec<&str> = request.body.split(&format!("--{boundary}")).map(str::trim).collect();
    assert_eq!(
        parts,
        [
            "",
            "Content-Disposition: form-data; name=\"title\"\r\n\r\nin/c.html",
            "Content-Disposition: form-data; name=\"page\"; filename=\"c.html\"\r\nContent-Type: text/html\r\n\r\n<p>",
            "Content-Disposition: form-data; name=\"more\"; filename=\"a.json\"\r\nContent-Type: application/json\r\n\r\n{}",
            "Content-Disposition: form-data; name=\"more\"; filename=\"b%22%0D%0A.bin\"\r\n\
         Content-Type: application/octet-stream\r\n\r\nb",
            "--"
        ]
    );
    assert_eq!(header(request, "content-length"), Some(request.body.len().to_string().as_str()));
}

#[test]
fn files_are_read_again_for_each_server_that_a_redirect_leads_to() {
    let server = Server::start(|request| match request.url.as_str() {
        "/" => (307, vec![("Location", "/there".to_owned())], String::new()),
        _ => ok(""),
    });
    let sandbox = workflow("[1]", &format!("url: '{}', files: {{a: a.txt}}", server.url("/"))).file("a.txt", "text");
    sandbox.run(&[]).exits_with(0);
    let requests = server.requests();
    assert_eq!(requests.iter().filter(|request| request.body.contains("\r\n\r\ntext\r\n")).count(), 2);
}

#[test]
fn secrets_in_forms_and_proxies_are_masked() {
    let server = Server::start(|request| (404, vec![], request.body.clone()));
    let proxy = Proxy::refusing("407 Proxy Authentication Required");
    for (task, says) in [
        (format!("url: '{}', form: {{token: '{{{{ env.TOKEN }}}}'}}", server.url("/")), "token=***"),
        (format!("url: '{}', files: {{a: 'none-{{{{ env.TOKEN }}}}'}}", server.url("/")), "`none-***`"),
        ("url: 'https://h.invalid/', ca_file: 'none-{{ env.TOKEN }}'".to_owned(), "`none-***`"),
        ("url: 'http://h.invalid/'".to_owned(), "407 Proxy Authentication Required"),
    ] {
        let sandbox = workflow("[1]", &task);
        let text = format!("secrets: [TOKEN]\n{}", sandbox.read("workflow.yaml"));
        let sandbox = sandbox.file("workflow.yaml", text).env("TOKEN", "hunter2hunter2");
        let with_proxy = if says.contains("407") {
            format!("http://me:hunter2hunter2@127.0.0.1:{}", proxy.port)
        } else {
            String::new()
        };
        let sandbox = sandbox.env("http_proxy", with_proxy).env("SSL_CERT_FILE", "");
        let ended = sandbox.run(&[]).exits_with(1);
        let failures = sandbox.batchmill(&["failures", "--format", "json"]).exits_with(0).stdout;
        assert!(failures.contains(says), "{failures}");
        let everything = format!("{}{failures}{}", ended.stderr, sandbox.everything_written(""));
        assert!(!everything.contains("hunter2"), "{task}");
    }
}

#[test]
fn a_file_that_cannot_be_sent_is_a_failure_with_its_path() {
    let server = Server::start(|_| ok(""));
    let task = format!("url: '{}', files: {{a: '{{{{ item }}}}'}}", server.url("/"));
    let sandbox = workflow("[none.txt, '.', /dev/zero]", &task);
    sandbox.run(&[]).exits_with(1);
    let errors: Vec<String> =
        sandbox.failures().iter().map(|failure| failure["error"].as_str().unwrap().to_owned()).collect();
    assert_eq!(
        errors,
        [
            "cannot send the file `none.txt` (`files.a`): No such file or directory (os error 2)",
            "cannot send the file `.` (`files.a`): it is not a regular file",
            "cannot send the file `/dev/zero` (`files.a`): it is not a regular file",
        ]
    );
    assert!(server.requests().is_empty());
}

#[test]
fn one_request_has_one_body() {
    for (task, says) in [
        ("json: 1, body: a", "`body` and `json` cannot be used together"),
        ("json: 1, form: {a: 1}", "`json` and `form` cannot be used together"),
        ("body: b, files: {a: x}", "`body` and `files` cannot be used together"),
    ] {
        workflow("[1]", &format!("url: 'http://h/', {task}")).run(&[]).exits_with(2).says(&[says]);
    }
}

#[test]
fn all_wrong_templates_are_found_before_anything_runs() {
    let keys = [
        "headers: {a: '{{ no1 }}'}",
        "params: {a: '{{ no2 }}'}",
        "form: {a: '{{ no3 }}'}",
        "files: {a: ['{{ no4 }}']}",
        "auth: {username: '{{ no5 }}', password: '{{ no6 }}'}",
        "save_to: '{{ no7 }}'",
        "client_cert: '{{ no8 }}'",
        "client_key: '{{ no9 }}'",
        "ca_file: '{{ no10 }}'",
    ];
    let names: Vec<String> = (1..=10).map(|number| format!("`no{number}`")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    workflow("[1]", &format!("url: 'http://h/', {}", keys.join(", "))).run(&[]).exits_with(2).says(&names);
    // So are those that are no templates at all.
    let broken = keys.join(", ").replace("}}", "+ }}");
    let ended = workflow("[1]", &format!("url: 'http://h/', {broken}")).run(&[]).exits_with(2);
    assert_eq!(ended.stderr.matches("error: ").count(), 10, "{}", ended.stderr);
}

#[test]
fn the_statuses_of_a_success_can_be_chosen() {
    let server = Server::start(|request| {
        (request.url[1..].parse().unwrap(), vec![("Location", "/200".to_owned())], request.url.clone())
    });
    let items = "[200, 204, 302, 404, 410, 500]";
    for (ok, expected) in [
        ("[200, 404]", vec![200, 200, 404]),
        ("2xx", vec![200, 204, 200]),
        ("[200-299, '4xx']", vec![200, 204, 200, 404, 410]),
        ("302", vec![302]),
    ] {
        let sandbox = workflow(items, &format!("url: '{}{{{{ item }}}}', ok_statuses: {ok}", server.url("/")));
        sandbox.run(&[]).exits_with(1);
        let statuses: Vec<_> = sandbox.results("get").iter().map(|result| result["status"].clone()).collect();
        assert_eq!(statuses, expected, "{ok}");
    }
    let sandbox = workflow("[204]", &format!("url: '{}{{{{ item }}}}', ok_statuses: [200]", server.url("/")));
    sandbox.run(&[]).exits_with(1).says(&["returned 204 No Content, which is not among the `ok_statuses`"]);
    for (ok, found) in
        [("[]", "is empty"), ("[20]", "found the number 20"), ("ok", "\"ok\""), ("300-200", "\"300-200\"")]
    {
        let ended = workflow("[1]", &format!("url: 'http://h/', ok_statuses: {ok}")).run(&[]).exits_with(2);
        ended.says(&["`ok_statuses`", found]);
    }
}

#[test]
fn a_result_has_the_fields_that_are_chosen() {
    let body = "{\"id\": 12345678901234567890123, \"tags\": [\"a\"], \"name\": null}";
    let server = Server::start(move |_| (200, vec![("Content-Type", "application/json".to_owned())], body.to_owned()));
    let url = server.url("/");
    let sandbox =
        workflow("[1, 2]", &format!("url: '{url}', fields: [status, json.id, headers.content-type, json.none]"));
    sandbox.run(&[]).exits_with(0);
    assert_eq!(
        sandbox.read("get.csv"),
        "status,json.id,headers.content-type,json.none\n\
         200,12345678901234567890123,application/json,\n200,12345678901234567890123,application/json,\n"
    );
    let sandbox = workflow("[1]", &format!("url: '{url}', fields: {{id: json.id, tag: json.tags.0, all: json.tags}}"));
    sandbox.run(&[]).exits_with(0);
    let line = sandbox.batchmill(&["results"]).exits_with(0).stdout;
    assert_eq!(line, "{\"id\":12345678901234567890123,\"tag\":\"a\",\"all\":[\"a\"]}\n");
    let sandbox = workflow("[1]", &format!("url: '{url}', fields: [json.id.x]"));
    sandbox.run(&[]).exits_with(1).says(&["FieldError: the response has no field `json.id.x`: `json.id` is a number"]);
    for (fields, says) in [
        ("[statsu]", "did you mean `status`?"),
        (
            "[id]",
            "begin with `status`, `headers`, `body`, `body_base64`, `json`, `elapsed` or `saved_to`, for example `json.id`",
        ),
        ("[status, status]", "contains `status` twice"),
        ("[]", "`fields` is empty"),
        ("{id: 'json..id'}", "contains an empty name"),
        ("json.id", "must be a list of fields, or a mapping of names to fields"),
    ] {
        workflow("[1]", &format!("url: 'http://h/', fields: {fields}")).run(&[]).exits_with(2).says(&[says]);
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_server_cannot_ask_for_a_longer_wait_than_max_delay_and_the_wait_is_shown() {
    for (header, delay, max_delay, says) in [
        (
            "86400000",
            "0",
            "0.01",
            "asks to wait 86400000s (`Retry-After`); the next attempt is in 10ms, because `max_delay` allows no more",
        ),
        ("1e9", "0", "0", ""),
        (
            "Tue, 31 Dec 2999 23:59:59 GMT",
            "0",
            "0.02",
            "the next attempt is in 20ms, because `max_delay` allows no more",
        ),
        (
            "1",
            "0",
            "1d",
            "returned 429 Too Many Requests and asks to wait 1s (`Retry-After`); the next attempt is in 1s\n",
        ),
    ] {
        let asked = AtomicU32::new(0);
        let server = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
            0 => (429, vec![("Retry-After", header.to_owned())], String::new()),
            _ => ok(""),
        });
        let retry = format!("retry: {{max_attempts: 2, delay: {delay}, max_delay: {max_delay}}}");
        let ended =
            workflow("[1]", &format!("url: '{}', {retry}", server.url("/"))).run(&[]).exits_with(0).says(&[says]);
        assert_eq!(ended.stderr.matches("Retry-After").count(), usize::from(!says.is_empty()), "{}", ended.stderr);
    }
}

/// A server that sets a cookie at `/in` and leads elsewhere.
fn cookie_server() -> Server {
    Server::start(|request| match request.url.as_str() {
        "/in" => {
            let set = vec![("Set-Cookie", "sid=1; Path=/".to_owned()), ("Location", "/after".to_owned())];
            (302, [set, vec![("Set-Cookie", "only=2; Path=/deep".to_owned())]].concat(), String::new())
        }
        "/out" => (200, vec![("Set-Cookie", "sid=; Max-Age=0; Path=/".to_owned())], String::new()),
        _ => ok(""),
    })
}

#[test]
fn cookies_are_kept_for_the_step_if_the_workflow_says_so() {
    let server = cookie_server();
    let items = "[first, in, later, deep/x, out, last]";
    let cookies = |more: &str| {
        workflow(items, &format!("url: '{}{{{{ item }}}}'{more}", server.url("/"))).run(&["--jobs", "1"]).exits_with(0);
        let requests = server.requests();
        let cookie = |request: &Request| header(request, "cookie").unwrap_or_default().to_owned();
        requests.iter().map(cookie).collect::<Vec<_>>()
    };
    assert_eq!(cookies(""), ["", "", "", "", "", "", ""]);
    let sorted = |cookies: Vec<String>| -> Vec<String> {
        let one = |cookie: String| {
            let mut parts: Vec<&str> = cookie.split("; ").collect();
            parts.sort_unstable();
            parts.join("; ")
        };
        cookies.into_iter().map(one).collect()
    };
    assert_eq!(sorted(cookies(", cookies: true")), ["", "", "sid=1", "sid=1", "only=2; sid=1", "sid=1", ""]);
    let mine = ", cookies: true, headers: {Cookie: a=b}";
    assert_eq!(cookies(mine)[2..4], ["a=b; sid=1", "a=b; sid=1"]);
}

#[test]
fn a_server_cannot_fill_the_jar() {
    let server = Server::start(|request| {
        let cookie = |number| ("Set-Cookie", format!("c{}-{number}=1", &request.url[1..]));
        let large = ("Set-Cookie", format!("large={}", "x".repeat(5000)));
        (200, (0..100).map(cookie).chain([large]).collect(), String::new())
    });
    let task = format!("url: '{}{{{{ item }}}}', cookies: true", server.url("/"));
    workflow("[1, 2, 3, 4]", &task).run(&["--jobs", "1"]).exits_with(0);
    let requests = server.requests();
    let counts = requests.iter().map(|request| header(request, "cookie").map_or(0, |it| it.matches('=').count()));
    assert_eq!(counts.collect::<Vec<_>>(), [0, 100, 180, 180]);
}

#[test]
fn cookies_stay_with_their_server() {
    let other = Server::start(|_| ok(""));
    let to = format!("http://localhost:{}/", other.port);
    let server = Server::start(move |_| {
        (302, vec![("Set-Cookie", "sid=1".to_owned()), ("Location", to.clone())], String::new())
    });
    workflow("[1]", &format!("url: '{}', cookies: true", server.url("/"))).run(&[]).exits_with(0);
    assert_eq!(header(&other.requests()[0], "cookie"), None);
}

#[test]
fn a_url_alone_is_taken_for_a_request_in_the_message() {
    for (task, kind) in [
        ("{url: 'http://h/'}", "http_request"),
        ("{command: ls}", "shell"),
        ("{code: return 1}", "python"),
        ("{message: hi}", "echo"),
    ] {
        let workflow = format!("steps:\n  - name: get\n    task: batch\n    inputs: {{items: [1], task: {task}}}\n");
        Sandbox::with(&workflow).run(&[]).exits_with(2).says(&["missing key `type`", &format!("add `type: {kind}`")]);
    }
    let ended = Sandbox::with("steps:\n  - name: get\n    inputs: {url: 'http://h/'}\n").run(&[]).exits_with(2);
    ended.says(&["missing key `task`", "add `task: http_request`"]);
}
