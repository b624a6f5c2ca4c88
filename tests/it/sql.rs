//! Rows that databases give for queries: SQLite files and real PostgreSQL servers.

use crate::rows_again::memory;
use crate::support::{Postgres, Sandbox, python, repository};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// A workflow of one step that gives each row back; `sql` is its query, `url` and more stand in `options`.
fn asks(sql: &str, options: &str, more: &str) -> String {
    let step = "steps:\n  - name: read\n    task: batch\n    inputs:\n      items:\n        sql: |\n";
    let sql: String = sql.lines().map(|line| format!("          {line}\n")).collect();
    let options: String = options.lines().map(|line| format!("        {}\n", line.trim())).collect();
    format!("{step}{sql}{options}      {more}\n      task: {{type: python, code: return item}}\n")
}

/// Runs statements against `a.db`.
fn sqlite(sandbox: &Sandbox, statements: &str) {
    let code = "import sqlite3, sys; c = sqlite3.connect('a.db'); c.executescript(sys.argv[1]); c.commit()";
    let output = Command::new(python()).args(["-c", code, statements]).current_dir(sandbox.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

const SQLITE: &str = "url: sqlite:///a.db";

/// What a query of `a.db` gives.
fn sqlite_gives(statements: &str, sql: &str, options: &str) -> Vec<Value> {
    let sandbox = Sandbox::with(&asks(sql, &format!("{SQLITE}\n{options}"), ""));
    sqlite(&sandbox, statements);
    sandbox.run(&[]).exits_with(0);
    sandbox.results("read")
}

#[test]
fn values_of_sqlite_are_those_of_json() {
    let statements = "CREATE TABLE t (i INTEGER, r REAL, s TEXT, n);
        INSERT INTO t VALUES (9223372036854775807, 0.5, 'it''s \"é😀\"' || char(10), NULL), (-1, 1e300, '', 'x');";
    let rows = sqlite_gives(statements, "SELECT *, i IS NULL AS \"a \"\"b\" FROM t ORDER BY i DESC", "");
    assert_eq!(
        rows,
        [
            json!({"i": 9_223_372_036_854_775_807_i64, "r": 0.5, "s": "it's \"é😀\"\n", "n": null, "a \"b": 0}),
            json!({"i": -1, "r": 1e300, "s": "", "n": "x", "a \"b": 0}),
        ]
    );
    assert_eq!(rows[0].as_object().unwrap().keys().collect::<Vec<_>>(), ["i", "r", "s", "n", "a \"b"]);
}

#[test]
fn values_are_bound_and_never_pasted() {
    let sql = "SELECT ? AS a, ? AS b, ? AS c, ? AS d, (SELECT count(*) FROM json_each(?)) AS e";
    let options = "params: ['{{ 1 + 1 }}', \"'; DROP TABLE t; --\", null, true, [1, 2, 3]]\nlimit: 5";
    let rows = sqlite_gives("CREATE TABLE t (a);", sql, options);
    assert_eq!(rows, [json!({"a": 2, "b": "'; DROP TABLE t; --", "c": null, "d": 1, "e": 3})]);
}

#[test]
fn rows_stream_into_batches_and_end_at_the_limit() {
    let sql = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4999) SELECT i FROM n";
    for (options, count) in [("", 5000), ("limit: 2500", 2500)] {
        let workflow = asks(sql, &format!("{SQLITE}\n{options}"), "batch_size: 700\n      max_parallel: 2")
            .replace("return item", "\"return [len(item), item[0]['i']]\"")
            .replace("batch_size: 700", "batch_size: 700\n      batched: true");
        let sandbox = Sandbox::with(&workflow);
        sqlite(&sandbox, "");
        sandbox.run(&[]).exits_with(0);
        let results = sandbox.results("read");
        let numbers: Vec<u64> = results.iter().map(|result| result.as_u64().unwrap()).collect();
        let expected: Vec<u64> = (0..count).step_by(700).flat_map(|at| [700.min(count - at), at]).collect();
        assert_eq!(numbers, expected);
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn what_sqlite_refuses_is_told_before_anything_runs() {
    let refused = |sql: &str, options: &str, says: &[&str]| {
        let sandbox = Sandbox::with(&asks(sql, options, ""));
        sqlite(&sandbox, "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, x'00ff');");
        sandbox.run(&[]).exits_with(2).says(says).says(&["workflow.yaml:6:"]);
    };
    refused(
        "SELECT a\nFORM t",
        SQLITE,
        &["cannot query `a.db`: near \"t\": syntax error (line 2, column 6 of the query)"],
    );
    refused("SELECT * FROM u", SQLITE, &["no such table: u"]);
    refused("SELECT a FROM t WHERE a = ?", SQLITE, &["the query has 1 placeholder, but `params` has 0 values"]);
    refused(
        "SELECT a FROM t",
        &format!("{SQLITE}\nparams: [1]"),
        &["the query has 0 placeholders, but `params` has 1 value"],
    );
    refused("SELECT b FROM t", SQLITE, &["column `b` contains a BLOB, which JSON cannot hold", "`hex(COLUMN)`"]);
    refused("SELECT 9e999 AS x", SQLITE, &["column `x` contains an infinite number"]);
    refused("SELECT a, a FROM t", SQLITE, &["the query returns two columns named `a`", "rename one of them with `AS`"]);
    refused("DELETE FROM t", SQLITE, &["the statement returns no columns"]);
    refused("INSERT INTO t VALUES (2, 3) RETURNING a", SQLITE, &["attempt to write a readonly database"]);
    refused("SELECT 1; SELECT 2", SQLITE, &["cannot query `a.db`"]);
    refused("SELECT 1", "url: sqlite:///none/b.db", &["unable to open database file", "four slashes"]);
    refused("SELECT 1", "url: 'mysql://ada:s3cret@h/d'", &["`url` is not the address of a supported database"]);
}

#[test]
fn faults_of_queries_have_their_places() {
    let refused = |items: &str, says: &[&str]| {
        let workflow =
            format!("steps:\n  - name: a\n    for_each: {items}\n    task: echo\n    inputs: {{message: x}}\n");
        Sandbox::with(&workflow).run(&[]).exits_with(2).says(says);
    };
    refused("{sql: SELECT 1}", &["missing key `url`", "workflow.yaml:3:"]);
    refused("{sql: '', url: x}", &["`sql` is empty", "workflow.yaml:3:21"]);
    refused(
        "{sql: SELECT 1, url: x, where_from: f}",
        &["`where_from` cannot be used with `sql`", "workflow.yaml:3:51"],
    );
    refused("{sql: SELECT 1, url: x, params: 1}", &["`params` must be a list of values", "workflow.yaml:3:47"]);
    refused("{sql: SELECT 1, url: x, limit: 0}", &["`limit` must be at least 1"]);
    refused("{sql: SELECT 1, url: x, parms: []}", &["unknown key `parms`", "did you mean `params`?"]);
    refused("{sql: '{{ nme }}', url: '{{ env.NO_SUCH_URL }}'}", &["`nme` is not defined", "`NO_SUCH_URL` is not set"]);
}

#[test]
fn a_run_over_a_query_goes_on_with_what_is_new_or_changed() {
    let workflow = asks("SELECT id, n FROM t ORDER BY id", SQLITE, "batch_size: 2").replace(
        "return item",
        "\"[print(row['id'], file=open('ran', 'a')) for row in item]; return [10 // row['n'] for row in item]\"",
    );
    let workflow = workflow.replace("batch_size: 2", "batch_size: 2\n      continue_on_error: true");
    let sandbox = Sandbox::with(&workflow);
    let ran = || {
        let path = sandbox.path().join("ran");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(&path);
        text.lines().map(str::to_owned).collect::<Vec<_>>().concat()
    };
    sqlite(&sandbox, "CREATE TABLE t (id, n); INSERT INTO t VALUES (1, 1), (2, 2), (3, 0), (4, 5), (5, 5);");
    sandbox.run(&[]).exits_with(1);
    assert_eq!(ran(), "12345");
    sqlite(&sandbox, "UPDATE t SET n = 2 WHERE id = 3; INSERT INTO t VALUES (0, 1)");
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(ran(), "034");
    // What a batch gave stands together: that of the rows 0 and 3 is the first.
    assert_eq!(sandbox.results("read"), [10, 5, 10, 5, 2, 2]);
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(ran(), "");
    sandbox.batchmill(&["audit"]).exits_with(0);
}

/// Rows that come in another order the second time would be mistaken for others.
#[test]
fn rows_that_change_while_they_are_compared_stop_the_step() {
    let workflow =
        asks("SELECT i, random() AS r FROM t", SQLITE, "").replace("return item", "\"return 1 // item['i']\"");
    let sandbox = Sandbox::with(&workflow);
    sqlite(
        &sandbox,
        "CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT i FROM n",
    );
    sandbox.run(&[]).exits_with(3);
    sandbox
        .batchmill(&["resume"])
        .exits_with(2)
        .says(&["the source changed while the run was being resumed", "ORDER BY"]);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn values_of_postgresql_are_those_of_json() {
    let postgres = Postgres::start();
    postgres.sql(
        "CREATE TYPE mood AS ENUM ('sad', 'glad');
         CREATE TABLE t (id int, big int8, small int2, r float8, f float4, num numeric, s text, c varchar(9), b bool,
             d date, ts timestamp, tz timestamptz, u uuid, j json, jb jsonb, m mood, li int[], lt text[], ln numeric[]);
         INSERT INTO t VALUES (1, 9223372036854775807, -3, 0.1, 0.5, 12345678901234567890.123456789, E'it''s \"é😀\"\\n', 'c',
             true, '2026-01-31', '2026-01-31 10:00:00.25', '2026-01-31 10:00:00+02', '00000000-0000-0000-0000-00000000000a',
             E'{\"a\":\\n [1, 2]}', '{\"b\": null}', 'glad', '{1,NULL,3}', '{\"x,y\",z}', '{1.50}');
         INSERT INTO t (id) VALUES (2);",
    );
    let options = "url: '{{ env.DB_URL }}'\nparams: ['{{ 1 }}', ada, [1, 2], {k: 1}, null, 2026-01-31, 1.5]";
    let sql = "SELECT t.*, $2::text AS p2, $3::int[] AS p3, $4::jsonb AS p4, $5::int AS p5, $6::date + 1 AS p6, $7::numeric AS p7
        -- a comment at the end
        FROM t WHERE id >= $1 ORDER BY id; ";
    let sandbox =
        Sandbox::with(&asks(sql, options, "")).env("DB_URL", format!("{}&options=-ctimezone%3DUTC", postgres.uri));
    let workflow = sandbox.read("workflow.yaml").replace("return item", "\"return dict(item, num=str(item['big']))\"");
    let shell = workflow.replace("name: read", "name: shell").replace("steps:\n", "");
    let shell = shell.replace(
        "{type: python, code: \"return dict(item, num=str(item['big']))\"}",
        "{type: echo, message: '{{ item }}'}",
    );
    let sandbox = sandbox.file("workflow.yaml", workflow + &shell);
    sandbox.run(&[]).exits_with(0);
    let rows = sandbox.results("read");
    let expected = json!({
        "id": 1, "big": 9_223_372_036_854_775_807_i64, "small": -3, "r": 0.1, "f": 0.5, "num": "9223372036854775807",
        "s": "it's \"é😀\"\n", "c": "c", "b": true, "d": "2026-01-31", "ts": "2026-01-31T10:00:00.25",
        "tz": "2026-01-31T08:00:00+00:00", "u": "00000000-0000-0000-0000-00000000000a", "j": {"a": [1, 2]},
        "jb": {"b": null}, "m": "glad", "li": [1, null, 3], "lt": ["x,y", "z"], "ln": [1.5],
        "p2": "ada", "p3": [1, 2], "p4": {"k": 1}, "p5": null, "p6": "2026-02-01", "p7": 1.5
    });
    assert_eq!(rows[0], expected);
    assert_eq!(rows.len(), 2);
    assert!(rows[1]["s"].is_null() && rows[1]["li"].is_null() && rows[1]["j"].is_null());
    let item = sandbox.batchmill(&["results", "--step", "shell"]).stdout;
    assert!(
        item.contains("\"num\":12345678901234567890.123456789") || item.contains("\"num\":1.2345678901234567e"),
        "{item}"
    );
}

#[test]
#[ignore = "heavy: takes seconds"]
fn what_postgresql_refuses_is_told_before_anything_runs_and_without_the_password() {
    let postgres = Postgres::start();
    postgres.sql("CREATE TABLE t (a int, b bytea, c bytea[]); INSERT INTO t VALUES (1, 'x', NULL)");
    let uri = postgres.uri.replace("postgres@", "postgres:s3cret-word@");
    let refused = |sql: &str, uri: &str, says: &[&str]| {
        let options = "url: '{{ env.DB_URL }}'".to_owned() + if sql.contains("$1") { "\nparams: [x]" } else { "" };
        let sandbox = Sandbox::with(&asks(sql, &options, "")).env("DB_URL", uri);
        let ended = sandbox.run(&[]).exits_with(2).says(says).says(&["workflow.yaml:6:"]);
        assert!(!ended.stderr.contains("s3cret"), "{}", ended.stderr);
        assert!(!sandbox.everything_written("").contains("s3cret"));
    };
    refused(
        "SELECT a,\n  FROM t",
        &uri,
        &["cannot query `postgres` at `", "syntax error at or near \"FROM\" (line 2, column 3 of the query)"],
    );
    refused("SELECT * FROM nowhere", &uri, &["relation \"nowhere\" does not exist (line 1, column 15 of the query)"]);
    refused(
        "SELECT b FROM t",
        &uri,
        &["column `b` has the type bytea, which JSON cannot hold", "`encode(COLUMN, 'base64')`"],
    );
    refused("SELECT c FROM t", &uri, &["column `c` has the type bytea"]);
    refused("SELECT a, a FROM t", &uri, &["the query returns two columns named `a`"]);
    refused("SELECT a FROM t WHERE a = $1", &uri, &["invalid input syntax for type integer: \"x\""]);
    refused("SELECT $1, $2::int", &uri, &["the query has 2 placeholders, but `params` has 1 value"]);
    refused("DELETE FROM t", &uri, &["the statement returns no columns"]);
    refused("DELETE FROM t RETURNING a", &uri, &["the query does not work as a subquery", "use a single `SELECT`"]);
    refused("SELECT nextval('s')", &uri, &["relation \"s\" does not exist"]);
    refused("SELECT 1; SELECT 2", &uri, &["cannot insert multiple commands"]);
    refused("SELECT 1 / (a - 1) AS x FROM t", &uri, &["division by zero"]);
    refused("SELECT 1", "postgresql://ada:s3cret@127.0.0.1:1/shop", &["cannot query `shop` at `127.0.0.1`", "refused"]);
    refused("SELECT 1", "postgresql://ada:s3c@s3cret:x@h/shop", &["`url` is not a valid database address"]);
    assert_eq!(postgres.sql("SELECT count(*) FROM t"), "[(1,)]");
}

#[test]
#[ignore = "heavy: takes seconds"]
fn connections_are_encrypted_and_certificates_checked() {
    let postgres = Postgres::start();
    let support = repository().join("tests/support");
    let mut proxy = Command::new(python());
    let mut proxy = proxy
        .arg(support.join("tls.py"))
        .arg(format!("{}/.s.PGSQL.5432", postgres.folder()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(proxy.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let ask = |mode: &str, certificates: Option<&str>| {
        let url = format!("postgresql://postgres@localhost:{}/postgres?sslmode={mode}", port.trim());
        let sql = "SELECT i FROM generate_series(1, 3000) AS i";
        Sandbox::with(&asks(sql, &format!("url: '{url}'"), "batch_size: 1000"))
            .env("SSL_CERT_FILE", certificates.map_or_else(String::new, |it| support.join(it).display().to_string()))
            .run(&[])
    };
    ask("require", Some("tls.pem")).exits_with(0);
    ask("prefer", Some("tls.pem")).exits_with(0);
    // Others sign for the machine's name.
    ask("require", Some("none.pem")).exits_with(2).says(&["cannot query `postgres` at `localhost`", "TLS"]);
    // The other side closes what is not encrypted.
    ask("disable", Some("tls.pem")).exits_with(2).says(&["cannot query `postgres` at `localhost`"]);
    // An empty variable counts as unset: the authorities of the system, which do not know this one, are asked.
    if Path::new("/etc/ssl/certs/ca-certificates.crt").exists() {
        ask("require", None)
            .exits_with(2)
            .says(&["cannot query `postgres` at `localhost`", "invalid peer certificate"]);
    }
    drop(proxy.stdin.take());
    proxy.wait().unwrap();
}

#[test]
#[ignore = "heavy: reads rows by the million"]
fn memory_is_flat_in_the_number_of_rows_of_a_query() {
    let postgres = Postgres::start();
    let sql = "SELECT i, repeat('x', 100) AS text FROM generate_series(1, 200000) AS i";
    let workflow = asks(sql, &format!("url: '{}'", postgres.uri), "batch_size: 1000\n      batched: true");
    let sandbox = Sandbox::with(&workflow.replace("return item", "return len(item)"));
    let (code, engine) = memory(&sandbox, &["run", "workflow.yaml", "--progress", "json"]);
    assert_eq!(code, Some(0));
    assert_eq!(sandbox.results("read").iter().map(|count| count.as_u64().unwrap()).sum::<u64>(), 200_000);
    assert!((1..100).contains(&engine), "the engine held {engine} MiB");
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_connection_that_is_lost_stops_the_step_and_resume_goes_on() {
    let postgres = Postgres::start();
    postgres.sql("CREATE TABLE t AS SELECT i FROM generate_series(0, 99999) AS i");
    let sql = "SELECT i FROM t ORDER BY i";
    let code = "import os, sys, psycopg2
if item[0]['i'] == 5000 and not os.path.exists('killed'):
    c = psycopg2.connect(os.environ['DB_URL']); c.autocommit = True
    c.cursor().execute(\"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'batchmill'\")
    open('killed', 'w')
print(item[0]['i'], file=open('ran', 'a'))
return [row['i'] for row in item]";
    let code: String = code.lines().map(|line| format!("          {line}\n")).collect();
    let workflow = asks(sql, "url: '{{ env.DB_URL }}'", "batch_size: 100\n      queue_size: 2").replace(
        "task: {type: python, code: return item}",
        &format!("task:\n        type: python\n        code: |\n{code}"),
    );
    let sandbox = Sandbox::with(&workflow).env("DB_URL", &*postgres.uri);
    sandbox.run(&[]).exits_with(3).says(&["cannot query `postgres` at `", "terminating connection"]);
    let first = sandbox.read("ran").lines().count();
    assert!((50..900).contains(&first), "{first} batches ran");
    sandbox.batchmill(&["resume"]).exits_with(0);
    let mut ran: Vec<u64> = sandbox.read("ran").lines().map(|line| line.parse().unwrap()).collect();
    ran.sort_unstable();
    assert_eq!(ran, (0..100_000).step_by(100).collect::<Vec<_>>(), "each batch ran once");
    let results: Vec<u64> = sandbox.results("read").iter().map(|result| result.as_u64().unwrap()).collect();
    assert!(results == (0..100_000).collect::<Vec<_>>());
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_slow_query_is_cancelled_when_the_run_is_stopped() {
    let postgres = Postgres::start();
    let workflow = asks("SELECT 1 AS a FROM pg_sleep(600)", &format!("url: '{}'", postgres.uri), "");
    let first = "steps:\n  - {name: first, task: echo, inputs: {message: begins}}\n";
    let sandbox = Sandbox::with(&workflow.replace("steps:\n", first));
    let running = sandbox.run_until(&[], "first: begins");
    while postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") != "[(1,)]" {}
    rustix::process::kill_process(rustix::process::Pid::from_child(&running.engine), rustix::process::Signal::INT)
        .unwrap();
    assert_eq!(running.ends_with(), Some(130));
    assert_eq!(postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"), "[(0,)]");
    let workflow =
        asks("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS a FROM n", SQLITE, "");
    let sandbox = Sandbox::with(&workflow.replace("steps:\n", first));
    sqlite(&sandbox, "");
    let running = sandbox.run_until(&[], "first: begins");
    rustix::process::kill_process(rustix::process::Pid::from_child(&running.engine), rustix::process::Signal::INT)
        .unwrap();
    assert_eq!(running.ends_with(), Some(130));
}

/// A whole float is a float all the same, as psycopg reads it.
#[test]
#[ignore = "heavy: takes seconds"]
fn floats_of_postgresql_are_floats() {
    let postgres = Postgres::start();
    postgres.sql(
        "CREATE TABLE f (\"a b\" float8, c float4, n int);
         INSERT INTO f VALUES (2, 3, 4), ('-0', 1e6, 1), (1e300, 1e-9, 2), (0.5, NULL, 3), ('NaN', '-Infinity', 0)",
    );
    let sql = "SELECT *, 7::float8 AS d, ARRAY[1.5::float8] AS li FROM f ORDER BY n DESC -- all";
    let sandbox = Sandbox::with(&asks(sql, "url: '{{ env.DB_URL }}'", "")).env("DB_URL", postgres.uri.as_str());
    let shown = "\"return {name: str(value) for name, value in item.items()}\"";
    let workflow = sandbox.read("workflow.yaml").replace("return item", shown);
    let sandbox = sandbox.file("workflow.yaml", workflow);
    sandbox.run(&[]).exits_with(0);
    let row = |a: &str, c: &str, n: &str| json!({"a b": a, "c": c, "n": n, "d": "7.0", "li": "[1.5]"});
    let expected = [
        row("2.0", "3.0", "4"),
        row("0.5", "None", "3"),
        row("1e+300", "1e-09", "2"),
        row("-0.0", "1000000.0", "1"),
        row("NaN", "-Infinity", "0"),
    ];
    assert_eq!(sandbox.results("read"), expected);
}
