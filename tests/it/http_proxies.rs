//! Requests that go through a proxy, as the variables of the environment say.

use crate::proxies::{Proxy, UNREACHABLE};
use crate::support::{Ended, Sandbox, Server, ended};
use crate::tls_server::{Authority, Clients, Front};
use std::fs;
use std::process::Command;

/// The variables that name proxies, so that those of the tests' own environment do not count.
const VARIABLES: &[&str] =
    &["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"];

fn sandbox(items: &str, task: &str, variables: &[(&str, &str)]) -> Sandbox {
    let workflow = format!(
        "steps:\n  - name: get\n    task: batch\n    inputs:\n      items: {items}\n      \
         task: {{type: http_request, {task}}}\n"
    );
    let sandbox = VARIABLES.iter().fold(Sandbox::with(&workflow), |sandbox, name| sandbox.env(name, ""));
    variables.iter().fold(sandbox, |sandbox, (name, value)| sandbox.env(name, *value))
}

fn bodies(sandbox: &Sandbox) -> Vec<String> {
    sandbox.results("get").iter().map(|result| result["body"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn plain_http_goes_through_a_proxy_as_requests_with_a_whole_url() {
    let server = Server::start(|request| (200, vec![], format!("{} {} {}", request.method, request.url, request.body)));
    for (variable, value, authorization) in [
        ("http_proxy", "http://127.0.0.1:PORT", ""),
        ("http_proxy", "127.0.0.1:PORT/", ""),
        ("all_proxy", "http://me:p%40ss@127.0.0.1:PORT", " Basic bWU6cEBzcw=="),
        ("ALL_PROXY", "http://127.0.0.1:PORT", ""),
    ] {
        let proxy = Proxy::http();
        let value = value.replace("PORT", &proxy.port.to_string());
        let task = format!("url: 'http://nowhere.invalid:{}/{{{{ item }}}}', body: '{{{{ item }}}}'", server.port);
        let sandbox = sandbox("[a, b?c=d]", &task, &[(variable, &value)]);
        sandbox.run(&[]).exits_with(0);
        assert_eq!(bodies(&sandbox), ["POST /a a", "POST /b?c=d b?c=d"]);
        let url = format!("http://nowhere.invalid:{}", server.port);
        let asked = ["a", "b?c=d"].map(|path| format!("POST {url}/{path} HTTP/1.1{authorization}"));
        assert_eq!(proxy.asked(), asked, "{variable}={value}");
    }
}

#[test]
fn https_goes_through_a_tunnel() {
    let authority = Authority::new();
    let port = authority.serve(Clients::Unknown);
    for (variable, user, authorization) in
        [("https_proxy", "", ""), ("HTTPS_PROXY", "me:%20@", " Basic bWU6IA=="), ("all_proxy", "", "")]
    {
        let proxy = Proxy::http();
        let value = format!("http://{user}127.0.0.1:{}", proxy.port);
        let task = format!("url: 'https://localhost:{port}/{{{{ item }}}}', ca_file: ca.pem");
        let sandbox = sandbox("[a, b]", &task, &[(variable, &value)]).file("ca.pem", authority.pem());
        sandbox.run(&[]).exits_with(0);
        assert_eq!(bodies(&sandbox), ["GET /a HTTP/1.1, 0 certificates", "GET /b HTTP/1.1, 0 certificates"]);
        assert_eq!(proxy.asked(), [format!("CONNECT localhost:{port} HTTP/1.1{authorization}")], "both share it");
    }
}

#[test]
fn a_proxy_may_want_tls_itself() {
    let authority = Authority::new();
    let front = authority.identity("localhost");
    let server = Server::start(|request| (200, vec![], format!("GET {} HTTP/1.1, 0 certificates", request.url)));
    let secure = authority.serve(Clients::Unknown);
    for (variable, url) in [
        ("http_proxy", format!("http://127.0.0.1:{}", server.port)),
        ("https_proxy", format!("https://localhost:{secure}")),
    ] {
        let proxy = Proxy::http();
        let sandbox = sandbox("[a, b]", &format!("url: '{url}/{{{{ item }}}}', ca_file: ca.pem"), &[])
            .file("ca.pem", authority.pem())
            .file("front.pem", &front.cert)
            .file("front.key", &front.key);
        let front = Front::of(proxy.port, sandbox.path());
        let sandbox = sandbox.env(variable, format!("https://localhost:{}", front.port));
        sandbox.run(&[]).exits_with(0);
        assert_eq!(bodies(&sandbox), ["GET /a HTTP/1.1, 0 certificates", "GET /b HTTP/1.1, 0 certificates"]);
        let asked = match variable {
            "http_proxy" => ["a", "b"].map(|item| format!("GET {url}/{item} HTTP/1.1")).to_vec(),
            _ => vec![format!("CONNECT localhost:{secure} HTTP/1.1")],
        };
        assert_eq!(proxy.asked(), asked);
        // Whoever does not know its authority does not talk to it.
        let workflow = sandbox.read("workflow.yaml").replace(", ca_file: ca.pem", "");
        let sandbox = sandbox.file("workflow.yaml", workflow);
        sandbox.run(&[]).exits_with(3).says(&["invalid peer certificate"]);
        assert!(proxy.asked().is_empty());
    }
}

#[test]
fn socks_proxies_get_an_address_or_a_name() {
    let server = Server::start(|request| (200, vec![], request.url.clone()));
    for (value, host, asked) in [
        ("socks5h://127.0.0.1:PORT", "nowhere.invalid", "name nowhere.invalid"),
        ("socks5://127.0.0.1:PORT", "127.0.0.1", "127.0.0.1"),
        ("socks5h://127.0.0.1:PORT", "127.0.0.1", "127.0.0.1"),
        ("socks5h://me:p%40ss@127.0.0.1:PORT", "h.invalid", "me:p@ss name h.invalid"),
    ] {
        let proxy = Proxy::socks();
        let value = value.replace("PORT", &proxy.port.to_string());
        let sandbox = sandbox(
            "[a, b]",
            &format!("url: 'http://{host}:{}/{{{{ item }}}}'", server.port),
            &[("all_proxy", &value)],
        );
        sandbox.run(&[]).exits_with(0);
        assert_eq!((bodies(&sandbox), proxy.asked()), (vec!["/a".to_owned(), "/b".to_owned()], vec![asked.to_owned()]));
    }
}

/// Runs with these hosts; none where that cannot be arranged.
fn run_with_hosts(sandbox: &Sandbox, hosts: &str) -> Option<Ended> {
    fs::write(sandbox.path().join("hosts"), hosts).unwrap();
    let command = sandbox.command(&["run", "workflow.yaml"]);
    let mut inside = Command::new("unshare");
    inside.args(["-rm", "sh", "-c", "mount --bind hosts /etc/hosts && exec \"$0\" \"$@\""]);
    inside.arg(command.get_program()).args(command.get_args()).current_dir(sandbox.path());
    inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let can = Command::new("unshare").args(["-rm", "mount", "--bind", "/dev/null", "/etc/hosts"]).output();
    if !can.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: names cannot be given addresses here");
        return None;
    }
    Some(ended(&mut inside))
}

#[test]
fn a_socks_proxy_is_asked_for_every_address_of_a_name() {
    let server = Server::start(|request| (200, vec![], request.url.clone()));
    let proxy = Proxy::socks();
    let sandbox = sandbox(
        "[a]",
        &format!("url: 'http://two.test:{}/{{{{ item }}}}'", server.port),
        &[("all_proxy", &proxy.url("socks5"))],
    );
    for (hosts, asked) in [
        // The system sorts them: the closer one comes first.
        (&[UNREACHABLE, "127.0.0.9"][..], &[UNREACHABLE, "127.0.0.9"][..]),
        (&["127.0.0.3", UNREACHABLE], &["127.0.0.3"]),
        (&["127.0.0.8", UNREACHABLE, "127.0.0.9"], &[UNREACHABLE, "127.0.0.8"]),
    ] {
        let lines: String = hosts.iter().map(|address| format!("{address} two.test\n")).collect();
        let Some(ended) = run_with_hosts(&sandbox, &lines) else { return };
        ended.exits_with(0);
        let mut all = proxy.asked();
        all.dedup();
        assert_eq!(all, asked, "{hosts:?}");
    }
    let ended = run_with_hosts(&sandbox, &format!("{UNREACHABLE} two.test\n")).unwrap();
    ended.exits_with(3).says(&["ProxyError", "the host cannot be reached"]);
}

#[test]
fn what_no_proxy_lists_is_reached_directly() {
    let server = Server::start(|_| (200, vec![], "direct".to_owned()));
    let proxy = Proxy::refusing("403 Forbidden");
    for (host, variable, list) in [
        ("127.0.0.1", "no_proxy", "localhost,127.0.0.1"),
        ("127.0.0.1", "NO_PROXY", "10.0.0.0/8 127.0.0.0/8"),
        ("localhost", "no_proxy", ".localhost"),
        ("localhost", "no_proxy", "*"),
    ] {
        let url = proxy.url("http");
        let variables = [("http_proxy", url.as_str()), (variable, list)];
        sandbox("[1]", &format!("url: 'http://{host}:{}/'", server.port), &variables).run(&[]).exits_with(0);
        assert!(proxy.asked().is_empty(), "{list}");
    }
    // Each scheme has its own variable, and `HTTP_PROXY` may come from a request to a CGI script.
    for variable in ["https_proxy", "HTTPS_PROXY", "HTTP_PROXY"] {
        let task = format!("url: '{}'", server.url("/"));
        sandbox("[1]", &task, &[(variable, &proxy.url("http"))]).run(&[]).exits_with(0);
        assert!(proxy.asked().is_empty(), "{variable}");
    }
}

#[test]
fn a_proxy_that_is_none_is_an_error_and_no_direct_connection() {
    let server = Server::start(|_| (200, vec![], String::new()));
    for (value, why) in [
        ("socks4://127.0.0.1", "whose scheme is not `http`, `https`, `socks5` or `socks5h`"),
        ("http://me:secret@127.0.0.1:port", "which is not the address of a proxy"),
        ("http://", "which is not the address of a proxy"),
        ("nonsense here", "which is not the address of a proxy"),
    ] {
        let ended = sandbox("[1]", &format!("url: '{}'", server.url("/")), &[("http_proxy", value)]).run(&[]);
        let says = [
            "ProxyError: the environment variable `http_proxy` has `",
            why,
            "set it to an address such as `http://proxy.example.com:3128` or `socks5h://localhost:1080`, or unset it",
        ];
        let ended = ended.exits_with(3).says(&says);
        assert!(!ended.stderr.contains("secret") && server.requests().is_empty(), "{value}");
    }
}

#[test]
fn a_proxy_that_refuses_says_why() {
    let proxy = Proxy::refusing("403 Forbidden");
    let url = proxy.url("http");
    sandbox("[1]", "url: 'https://nowhere.invalid/x?key=secret'", &[("https_proxy", &url)]).run(&[]).exits_with(3).says(
        &[&format!(
            "ProxyError: GET https://nowhere.invalid/x failed: the proxy `{url}/`: it refused the connection with `403 Forbidden`"
        )],
    );
    assert_eq!(proxy.asked(), ["CONNECT nowhere.invalid:443 HTTP/1.1"]);
    let proxy = Proxy::socks();
    for (value, host, why) in [
        (proxy.url("socks5h"), "forbidden.invalid", "its rules forbid the connection"),
        (proxy.url("socks5h").replace("//", "//me:wrong@"), "h.invalid", "it refused user and password"),
    ] {
        let sandbox = sandbox("[1]", &format!("url: 'http://{host}/'"), &[("all_proxy", &value)]);
        let ended = sandbox.run(&[]).exits_with(3).says(&["ProxyError", why]);
        assert!(!ended.stderr.contains("wrong"), "{}", ended.stderr);
    }
}

#[test]
fn the_env_of_a_workflow_names_proxies_too() {
    let server = Server::start(|_| (200, vec![], "there".to_owned()));
    let proxy = Proxy::http();
    let sandbox = sandbox("[1]", &format!("url: '{}'", server.url("/")), &[]);
    let workflow = format!("env: {{http_proxy: '{}'}}\n{}", proxy.url("http"), sandbox.read("workflow.yaml"));
    sandbox.file("workflow.yaml", workflow).run(&[]).exits_with(0);
    assert_eq!(proxy.asked().len(), 1);
}
