//! Servers and clients with certificates.

use crate::support::{Ended, Sandbox, Server};
use crate::tls_server::{Authority, Clients};

fn sandbox(authority: &Authority, port: u16, task: &str) -> Sandbox {
    let workflow = format!(
        "steps:\n  - name: get\n    task: batch\n    inputs:\n      items: [a, b]\n      \
         task: {{type: http_request, url: 'https://localhost:{port}/{{{{ item }}}}'{task}}}\n"
    );
    Sandbox::with(&workflow).file("certs/ca.pem", authority.pem()).env("SSL_CERT_FILE", "").env("SSL_CERT_DIR", "")
}

#[track_caller]
fn succeeds(sandbox: &Sandbox, certificates: usize) -> Ended {
    let ended = sandbox.run(&[]).exits_with(0);
    let bodies: Vec<_> = sandbox.results("get").iter().map(|result| result["body"].clone()).collect();
    assert_eq!(bodies, ["a", "b"].map(|item| format!("GET /{item} HTTP/1.1, {certificates} certificates")));
    ended
}

#[test]
fn a_private_authority_is_trusted_only_if_it_is_named() {
    let authority = Authority::new();
    let port = authority.serve(Clients::Unknown);
    sandbox(&authority, port, "").run(&[]).exits_with(3).says(&[
        "ConnectionError: GET https://localhost",
        "invalid peer certificate: UnknownIssuer; if its certificate comes from a private authority, name the authority's in `ca_file`",
    ]);
    succeeds(&sandbox(&authority, port, ", ca_file: certs/ca.pem"), 0);
    succeeds(&sandbox(&authority, port, ", ca_file: '{{ env.CA }}'").env("CA", "certs/ca.pem"), 0);
    succeeds(&sandbox(&authority, port, "").env("SSL_CERT_FILE", "certs/ca.pem"), 0);
    succeeds(&sandbox(&authority, port, "").env("SSL_CERT_DIR", "/nowhere:certs"), 0);
    // It stands in for the system's, and does not add to them.
    let other = Authority::new();
    let sandbox = sandbox(&other, port, ", ca_file: certs/ca.pem").file("right.pem", authority.pem());
    sandbox.env("SSL_CERT_FILE", "right.pem").run(&[]).exits_with(3).says(&["invalid peer certificate"]);
}

#[test]
fn certificates_are_not_checked_if_the_workflow_says_so_loudly() {
    let authority = Authority::new();
    let port = authority.serve(Clients::Unknown);
    let sandbox = sandbox(&authority, port, ", verify: false");
    let workflow = sandbox.read("workflow.yaml");
    let again = workflow.split_once("steps:\n").unwrap().1.replace("name: get", "name: again");
    let ended = succeeds(&sandbox.file("workflow.yaml", format!("{workflow}{again}")), 0);
    let warning = "warning: `verify: false`: the servers of `get`, `again` may be anyone's, and others can read and change what is sent";
    assert_eq!(ended.stderr.matches(warning).count(), 1, "{}", ended.stderr);
}

#[test]
fn a_client_has_a_certificate_and_a_key() {
    let authority = Authority::new();
    let port = authority.serve(Clients::Certified);
    let (me, other) = (authority.identity("me"), authority.identity("other"));
    let sandbox = |task: &str| {
        sandbox(&authority, port, &format!(", ca_file: certs/ca.pem{task}"))
            .file("me.pem", &me.cert)
            .file("me.key", &me.key)
            .file("both.pem", format!("{}{}", me.key, me.cert))
            .file("other.key", &other.key)
    };
    succeeds(&sandbox(", client_cert: me.pem, client_key: me.key"), 1);
    succeeds(&sandbox(", client_cert: both.pem"), 1);
    succeeds(&sandbox(", client_cert: '{{ item | replace(item, \"me.pem\") }}', client_key: me.key"), 1);
    sandbox("").run(&[]).exits_with(3).says(&["ConnectionError"]);
    for (task, says) in [
        (", client_cert: me.pem", "`client_cert`: `me.pem` has no private key in PEM; name its file in `client_key`"),
        (
            ", client_cert: me.pem, client_key: other.key",
            "the key in `other.key` does not fit the certificate in `me.pem`",
        ),
        (", client_cert: me.key", "`client_cert`: `me.key` has no certificate; it must be PEM"),
        (", client_cert: me.pem, client_key: none.key", "`client_key`: cannot read `none.key`: No such file"),
    ] {
        sandbox(task).run(&[]).exits_with(3).says(&["TlsError", says]);
    }
    sandbox(", client_key: me.key").run(&[]).exits_with(2).says(&["`client_key` needs `client_cert`"]);
    let ended = sandbox(", verify: false").run(&[]).exits_with(2);
    ended.says(&["`verify: false` and `ca_file` cannot be used together"]);
}

#[test]
fn a_request_on_an_encrypted_connection_that_was_closed_is_sent_again() {
    for clients in [Clients::Forgotten, Clients::Dismissed] {
        let authority = Authority::new();
        let port = authority.serve(clients);
        succeeds(&sandbox(&authority, port, ", ca_file: certs/ca.pem"), 0);
        sandbox(&authority, port, ", ca_file: certs/ca.pem, body: b").run(&[]).exits_with(3).says(&["ConnectionError"]);
    }
}

#[test]
fn certificates_that_cannot_be_read_are_named() {
    let authority = Authority::new();
    let port = authority.serve(Clients::Unknown);
    let file = |task: &str| sandbox(&authority, port, task).file("empty.pem", "nothing\n");
    for (sandbox, says) in [
        (file(", ca_file: none.pem"), "`ca_file`: cannot read `none.pem`: No such file"),
        (file(", ca_file: empty.pem"), "`ca_file`: `empty.pem` has no certificate"),
        (file("").env("SSL_CERT_FILE", "none.pem"), "cannot read certificates from `SSL_CERT_FILE`"),
        (file("").env("SSL_CERT_DIR", "none"), "cannot read certificates from `SSL_CERT_DIR`"),
    ] {
        sandbox.run(&[]).exits_with(3).says(&["TlsError", says]);
    }
}

#[test]
fn plain_http_needs_no_certificates() {
    let server = Server::start(|_| (200, vec![], String::new()));
    let task = format!("url: '{}', ca_file: none.pem", server.url("/"));
    let workflow = format!("steps:\n  - name: get\n    task: http_request\n    inputs: {{{task}}}\n");
    Sandbox::with(&workflow).env("SSL_CERT_FILE", "none.pem").run(&[]).exits_with(0);
}
