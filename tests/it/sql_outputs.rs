//! Results as rows of tables: SQLite files and real PostgreSQL servers.

use crate::support::{Postgres, Sandbox, python};
use std::process::Command;

/// Where the tables are.
pub enum Db {
    Sqlite,
    Server(Box<Postgres>),
}

impl Db {
    pub fn server() -> Self {
        Self::Server(Box::new(Postgres::start()))
    }

    pub fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// A sandbox with this workflow, where `URL` stands for the address.
    pub fn sandbox(&self, workflow: &str) -> Sandbox {
        Sandbox::with(&self.written(workflow)).env("DB_URL", self.url())
    }

    fn written(&self, workflow: &str) -> String {
        workflow.replace("URL", "'{{ env.DB_URL }}'")
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite => "sqlite:///out/a.db".to_owned(),
            Self::Server(postgres) => postgres.uri.clone(),
        }
    }

    /// Runs SQL and gives what the last statement returns, rows as tuples.
    #[track_caller]
    pub fn sql(&self, sandbox: &Sandbox, statements: &str) -> String {
        match self {
            Self::Server(postgres) => postgres.sql(statements),
            Self::Sqlite => {
                let code = "import os, sqlite3, sys\nos.makedirs('out', exist_ok=True)\nc = sqlite3.connect('out/a.db')\n\
                    for s in sys.argv[1].split(';'): rows = c.execute(s).fetchall()\nc.commit()\nprint(rows)";
                let mut python = Command::new(python());
                let output = python.args(["-c", code, statements]).current_dir(sandbox.path()).output().unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                String::from_utf8(output.stdout).unwrap().trim().to_owned()
            }
        }
    }
}

/// A step `load` that returns `item` of `items`, or what `code` makes of it.
fn loads(items: &str, code: &str, outputs: &str) -> String {
    format!(
        "steps:\n  - name: load\n    for_each: {items}\n    task: python\n    inputs:\n      code: |\n        \
         open('ran', 'a').write('.')\n        {code}\n    outputs: {{sql: URL, table: t{outputs}}}\n"
    )
}

fn both() -> [Db; 2] {
    [Db::Sqlite, Db::server()]
}

#[test]
#[ignore = "heavy: takes seconds"]
fn results_become_rows_of_their_types_and_a_table_that_is_there_is_refused_before_anything_runs() {
    let items =
        "[{id: 1, n: 1, s: \"a\\t\\\\N\\n'é\", b: true, l: [1, {x: null}]}, {id: 9007199254740993, n: 0.5, z: null}]";
    for db in both() {
        let sandbox = db.sandbox(&loads(items, "return item", ""));
        let ended = sandbox.run(&[]).exits_with(0);
        ended.says(&["load: 2 rows written to table `t` of `"]);
        let rows = db.sql(&sandbox, "SELECT id, n, s, b, l, z FROM t ORDER BY id");
        let types = match &db {
            Db::Sqlite => db.sql(&sandbox, "SELECT group_concat(type, ',') FROM pragma_table_info('t')"),
            Db::Server(_) => db.sql(
                &sandbox,
                "SELECT string_agg(data_type, ',' ORDER BY ordinal_position) FROM information_schema.columns
                 WHERE table_name = 't'",
            ),
        };
        if db.is_sqlite() {
            let expected = "[(1, 1.0, \"a\\t\\\\N\\n'é\", 1, '[1,{\"x\":null}]', None), (9007199254740993, 0.5, None, None, None, None)]";
            assert_eq!(rows, expected);
            assert_eq!(types, "[('INTEGER,REAL,TEXT,BOOLEAN,TEXT,TEXT',)]");
        } else {
            let expected = "[(1, 1.0, \"a\\t\\\\N\\n'é\", True, [1, {'x': None}], None), (9007199254740993, 0.5, None, None, None, None)]";
            assert_eq!(rows, expected);
            assert_eq!(types, "[('bigint,double precision,text,boolean,jsonb,text',)]");
        }
        // The table is this run's own, but no other run's.
        sandbox.batchmill(&["resume", "latest"]).exits_with(0);
        assert_eq!(sandbox.read("ran"), "..");
        let refused = sandbox.run(&[]).exits_with(2);
        refused.says(&["cannot write table `t` of `", "the table exists", "workflow.yaml:9:", "`if_exists: append`"]);
        assert_eq!(sandbox.read("ran"), "..");
        assert_eq!(db.sql(&sandbox, "SELECT count(*) FROM t"), "[(2,)]");
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn append_adds_what_a_run_computed_and_never_what_it_took_over() {
    for db in both() {
        let workflow = loads("{lines: items.txt}", "return {'id': int(item)}", ", if_exists: append");
        let sandbox = db.sandbox(&workflow).file("items.txt", "1\n2\n");
        let count = || db.sql(&sandbox, "SELECT count(*), count(DISTINCT id) FROM t");
        sandbox.run(&["--incremental"]).exits_with(0).says(&["load: 2 rows written"]);
        sandbox.batchmill(&["resume", "latest"]).exits_with(0);
        assert_eq!(count(), "[(2, 2)]");
        std::fs::write(sandbox.path().join("items.txt"), "1\n2\n3\n").unwrap();
        sandbox.run(&["--incremental"]).exits_with(0).says(&["load: 1 row written"]);
        assert_eq!(count(), "[(3, 3)]");
        // A run that computes everything again appends everything again.
        sandbox.run(&[]).exits_with(0);
        assert_eq!(count(), "[(6, 3)]");
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn with_a_key_rows_are_updated_through_a_unique_index() {
    for db in both() {
        let items = "[{id: 1, Day: mon, v: a}, {id: 2, Day: mon, v: b}, {id: 1, Day: mon, v: c}]";
        let sandbox = db.sandbox(&loads(items, "return item", ", if_exists: append, key: [id, Day]"));
        db.sql(&sandbox, "CREATE TABLE t (\"Day\" text, id int, v text, more text); SELECT 1");
        let refused = sandbox.run(&[]).exits_with(2);
        let help = if db.is_sqlite() {
            "`CREATE UNIQUE INDEX \"t_key\" ON \"t\" (\"id\", \"Day\")`"
        } else {
            "`CREATE UNIQUE INDEX ON \"public\".\"t\" (\"id\", \"Day\")`"
        };
        let refused = refused.says(&["the table has no unique index on `id` and `Day`, which `key` needs", help]);
        let statement = refused.stderr.split("create one with `").nth(1).unwrap().split('`').next().unwrap().to_owned();
        db.sql(
            &sandbox,
            &format!("{statement}; INSERT INTO t VALUES ('mon', 2, 'old', 'kept'), ('tue', 1, 'x', 'y'); SELECT 1"),
        );
        for _ in 0..2 {
            sandbox.run(&[]).exits_with(0);
            let rows = db.sql(&sandbox, "SELECT \"Day\", id, v, more FROM t ORDER BY 1, 2");
            assert_eq!(rows, "[('mon', 1, 'c', None), ('mon', 2, 'b', 'kept'), ('tue', 1, 'x', 'y')]");
        }
        // A table that is created gets the index.
        db.sql(&sandbox, "DROP TABLE t; SELECT 1");
        sandbox.run(&[]).exits_with(0);
        sandbox.run(&[]).exits_with(0);
        assert_eq!(db.sql(&sandbox, "SELECT count(*) FROM t"), "[(2,)]");
        std::fs::write(
            sandbox.path().join("workflow.yaml"),
            db.written(&loads("[{id: 1}]", "return item", ", if_exists: append, key: [id, Day]")),
        )
        .unwrap();
        sandbox.run(&[]).exits_with(3).says(&["record 0 has no value for the key `Day`"]);
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_retry_appends_the_results_of_items_that_had_failed() {
    let code = "import os\n        if item % 3 == 0 and not os.path.exists('mended'): raise ValueError('no')\n        return {'id': item}";
    for db in both() {
        for (mode, first) in [("append", "[(4, 4)]"), ("fail", "[(4, 4)]"), ("replace", "[(4, 4)]")] {
            let outputs = format!(", if_exists: {mode}}}\n    continue_on_error: true\n    max_parallel: {{x: 1");
            let workflow = loads("{range: 6}", code, &outputs).replace("max_parallel: {x: 1}", "max_parallel: 2");
            let sandbox = db.sandbox(&workflow.replace("table: t", &format!("table: t_{mode}")));
            let count = || db.sql(&sandbox, &format!("SELECT count(*), count(DISTINCT id) FROM t_{mode}"));
            sandbox.run(&[]).exits_with(1);
            assert_eq!(count(), first, "{mode}");
            std::fs::write(sandbox.path().join("mended"), "").unwrap();
            sandbox.batchmill(&["retry", "latest"]).exits_with(0);
            assert_eq!(count(), "[(6, 6)]", "{mode}");
            sandbox.batchmill(&["resume", "latest"]).exits_with(0);
            assert_eq!(count(), "[(6, 6)]", "{mode}");
        }
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_resume_that_would_void_appended_rows_is_refused_with_the_way_out() {
    for db in both() {
        let after = "  - {name: after, task: shell, inputs: {command: test -e mended}}\n";
        let write = |sandbox: &Sandbox, items: &str, factor: u32, more: &str| {
            let code = format!("return {{'id': item, 'v': item * {factor}}}");
            let text = format!("{}{after}", loads(items, &code, &format!(", if_exists: append{more}")));
            std::fs::write(sandbox.path().join("workflow.yaml"), db.written(&text)).unwrap();
        };
        let sandbox = db.sandbox("");
        let rows = || db.sql(&sandbox, "SELECT id, v FROM t ORDER BY id");
        write(&sandbox, "[1, 2]", 10, "");
        sandbox.run(&[]).exits_with(3);
        assert_eq!(rows(), "[(1, 10), (2, 20)]");
        let says = ["results of step `load` that are in table `t` of `", "already would be made again, because"];
        write(&sandbox, "[1, 2]", 11, "");
        for _ in 0..2 {
            let refused = sandbox.batchmill(&["resume", "latest"]).exits_with(2).says(&says);
            refused.says(&["`task.code` changed", "set `key`", "DELETE FROM batchmill_written WHERE run = '"]);
        }
        write(&sandbox, "[2]", 10, "");
        let refused = sandbox.batchmill(&["resume", "latest"]).exits_with(2).says(&says);
        refused.says(&["some of its items have changed or are gone"]);
        assert_eq!((rows().as_str(), sandbox.read("ran").as_str()), ("[(1, 10), (2, 20)]", ".."));
        // An item more makes nothing void, wherever it stands.
        write(&sandbox, "[0, 1, 2]", 10, "");
        sandbox.batchmill(&["resume", "latest"]).exits_with(3);
        assert_eq!(rows(), "[(0, 0), (1, 10), (2, 20)]");
        // With a key, the rows are updated.
        db.sql(&sandbox, "CREATE UNIQUE INDEX t_key ON t (id); SELECT 1");
        write(&sandbox, "[0, 1, 2]", 11, ", key: id");
        sandbox.batchmill(&["resume", "latest"]).exits_with(3);
        assert_eq!(rows(), "[(0, 0), (1, 11), (2, 22)]");
        let notes = "SELECT part, ledger_rows, items FROM batchmill_written ORDER BY part";
        assert_eq!(db.sql(&sandbox, notes).matches('(').count(), 1, "{}", db.sql(&sandbox, notes));
        // A table of which nothing is known any more is written anew.
        db.sql(&sandbox, "DELETE FROM t; DELETE FROM batchmill_written; SELECT 1");
        write(&sandbox, "[0, 1, 2]", 12, "");
        std::fs::write(sandbox.path().join("mended"), "").unwrap();
        sandbox.batchmill(&["resume", "latest"]).exits_with(0);
        assert_eq!(rows(), "[(0, 0), (1, 12), (2, 24)]");
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_new_table_takes_the_place_of_the_old_one_when_the_step_has_ended_well() {
    for db in both() {
        let sandbox = db.sandbox("");
        let write = |code: &str, mode: &str| {
            let text = loads("[1, 2]", code, &format!(", if_exists: {mode}"));
            std::fs::write(sandbox.path().join("workflow.yaml"), db.written(&text)).unwrap();
        };
        let rows = || db.sql(&sandbox, "SELECT * FROM t ORDER BY 1");
        db.sql(&sandbox, "CREATE TABLE t (old int); INSERT INTO t VALUES (7); SELECT 1");
        write("return {'a': 1 // (item - 2)}", "replace");
        sandbox.run(&[]).exits_with(3);
        assert_eq!(rows(), "[(7,)]");
        write("return {'a': item if item == 1 else 'x'}", "replace");
        let refused = sandbox.run(&[]).exits_with(3);
        refused.says(&["column `a` is an integer in record 0 but a string in record 1; a column has one type"]);
        assert_eq!(rows(), "[(7,)]");
        write("return {'a': item}", "replace");
        sandbox.run(&[]).exits_with(0).says(&["load: 2 rows written to table `t` of"]);
        assert_eq!(rows(), "[(1,), (2,)]");
        // The same results are not written again, new ones are.
        let again = sandbox.batchmill(&["resume", "latest"]).exits_with(0);
        assert!(!again.stderr.contains("rows written"), "{}", again.stderr);
        for mode in ["replace", "fail"] {
            let column = if mode == "fail" { "c" } else { "b" };
            write(&format!("return {{'{column}': str(item)}} if item == 1 else None"), mode);
            let again = sandbox.batchmill(&["resume", "latest"]).exits_with(0);
            again.says(&["load: 1 row written to table `t` of", "; 1 null result has no row"]);
            assert_eq!(rows(), "[('1',)]");
        }
        let left = match &db {
            Db::Sqlite => db.sql(&sandbox, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1"),
            Db::Server(_) => db.sql(
                &sandbox,
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1",
            ),
        };
        assert_eq!(left, "[('batchmill_written',), ('t',)]");
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn what_does_not_fit_a_table_is_named_with_record_and_column() {
    for db in both() {
        let sandbox = db.sandbox("");
        let refused = |items: &str, says: &[&str]| {
            let text = loads(items, "return item", ", if_exists: append");
            std::fs::write(sandbox.path().join("workflow.yaml"), db.written(&text)).unwrap();
            let ended = sandbox.run(&[]).exits_with(3).says(says);
            ended.says(&["OutputError: cannot write table `t` of `"]);
            assert_eq!(db.sql(&sandbox, "SELECT count(*) FROM t"), "[(0,)]");
        };
        db.sql(&sandbox, "CREATE TABLE t (a int, s varchar(9) NOT NULL, r double precision); SELECT 1");
        refused("[{a: 1, s: x}, {a: 2, s: x}, {a: 3}]", &["record 2"]);
        refused("[{a: '1', s: x}, {a: y, s: x}]", &["column `a`, record 1", "y"]);
        refused("[{a: 1, s: x, r: [1]}]", &["column `r`, record 0"]);
        refused("[{a: 1.5, s: x}]", &["column `a`, record 0", "1.5"]);
        refused("[{a: 1, s: x, n: {b: 1}}]", &["the table has no column `n`", "ALTER TABLE", "ADD COLUMN \"n\""]);
        if !db.is_sqlite() {
            refused("[{a: 1, s: x}, {a: 1, s: \"a\\0b\"}]", &["record 1", "NUL character"]);
            refused("[{a: 1, s: x}, {a: 1, s: longer than nine}]", &["record 1", "too long"]);
        }
        // What is mended needs no item to run again.
        let ran = sandbox.read("ran");
        let text = loads("[{a: 1, s: x, r: 1}, {a: 2, s: y, more: 2}]", "return item", ", if_exists: append");
        std::fs::write(sandbox.path().join("workflow.yaml"), db.written(&text)).unwrap();
        let ended = sandbox.run(&[]).exits_with(3);
        let add = ended.stderr.split("add it with `").nth(1).unwrap().split('`').next().unwrap().to_owned();
        db.sql(&sandbox, &format!("{add}; SELECT 1"));
        sandbox.batchmill(&["resume", "latest"]).exits_with(0).says(&["load: 2 rows written"]);
        assert_eq!(sandbox.read("ran"), format!("{ran}.."));
        assert_eq!(db.sql(&sandbox, "SELECT * FROM t ORDER BY a"), "[(1, 'x', 1.0, None), (2, 'y', None, 2)]");
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn every_name_is_quoted() {
    for db in both() {
        let items = "[{select: 1, 'say \"é\"': 2, 'Big': 3, '?': 4, '$1': 5}, 6]";
        let table = "'\"Or\"\"der; é\"'";
        let text = loads(items, "return item", ", key: select, if_exists: replace").replace("[{", "[{value: 0, ");
        let sandbox = db.sandbox(&text.replace("table: t", &format!("table: {table}")).replace(", 6]", "]"));
        let name = if db.is_sqlite() { "\"\"\"Or\"\"\"\"der; é\"\"\"" } else { "\"Or\"\"der; é\"" };
        for _ in 0..2 {
            sandbox.run(&[]).exits_with(0);
        }
        if let Db::Server(postgres) = &db {
            let rows =
                postgres.sql(&format!("SELECT \"select\", \"say \"\"é\"\"\", \"Big\", \"?\", \"$1\" FROM {name}"));
            assert_eq!(rows, "[(1, 2, 3, 4, 5)]");
        }
        let twice = db.sandbox(&loads("[{a: 1, A: 2}]", "return item", ""));
        if db.is_sqlite() {
            twice.run(&[]).exits_with(3).says(&["the records have `a` and `A`, which are one column there"]);
        } else {
            twice.run(&[]).exits_with(0);
        }
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_server_is_checked_before_anything_runs_and_its_password_is_never_told() {
    let postgres = Postgres::start();
    postgres
        .sql("CREATE SCHEMA sales; CREATE TABLE public.mine (a int); CREATE VIEW v AS SELECT 1 AS a; CREATE USER ada");
    let uri = postgres.uri.replace("postgres@", "postgres:s3cret-word@");
    let refused = |url: &str, table: &str, outputs: &str, says: &[&str]| {
        let text = loads("[{a: 1}]", "return item", outputs).replace("table: t", &format!("table: {table}"));
        let sandbox = Sandbox::with(&text.replace("URL", "'{{ env.DB_URL }}'")).env("DB_URL", url);
        let ended = sandbox.run(&[]).exits_with(2).says(says);
        assert!(!sandbox.exists("ran") && !sandbox.exists(".batchmill/runs"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("s3c"), "{}", ended.stderr);
    };
    let nobody = "postgresql://ada:s3cret@127.0.0.1:1/shop";
    refused(
        nobody,
        "t",
        "",
        &["cannot write table `t` of `shop` at `127.0.0.1`: error connecting", "refused", "workflow.yaml:9:"],
    );
    refused("mysql://ada:s3cret@h/d", "t", "", &["`sql` is not the address of a supported database"]);
    refused(&uri, "none.t", "", &["there is no schema `none`", "`CREATE SCHEMA \"none\"`"]);
    refused(&uri, "a.b.c", "", &["`table` is not the name of a table (`a.b.c`)"]);
    let ada = uri.replace("postgres:s3cret-word@", "ada:s3cret-word@");
    refused(&ada, "t", "", &["cannot create the table `batchmill_written`"]);
    refused(&uri, "v", ", if_exists: append", &["it is a view, not a table"]);
    refused(
        &ada,
        "t",
        "",
        &["cannot write to the table `batchmill_written`", "`GRANT ALL ON \"public\".\"batchmill_written\" TO"],
    );
    refused(&uri, "mine", "", &["the table exists"]);
    postgres.sql("GRANT ALL ON batchmill_written TO ada; GRANT INSERT ON mine TO ada");
    refused(&ada, "t", "", &["user `ada` may not create tables in schema `public`"]);
    refused(&ada, "mine", ", if_exists: replace", &["user `ada` may not"]);
    let text = loads("[{a: 1}]", "return item", ", if_exists: append").replace("table: t", "table: mine");
    let sandbox = Sandbox::with(&text.replace("URL", "'{{ env.DB_URL }}'")).env("DB_URL", ada);
    sandbox.run(&[]).exits_with(0);
    let text = loads("[{a: 1}]", "return item", "").replace("table: t", "table: sales.t");
    let sandbox = Sandbox::with(&text.replace("URL", "'{{ env.DB_URL }}'")).env("DB_URL", uri);
    let ended = sandbox.run(&[]).exits_with(0).says(&["1 row written to table `sales.t` of `postgres` at `"]);
    assert_eq!(postgres.sql("SELECT (SELECT count(*) FROM sales.t), (SELECT count(*) FROM mine)"), "[(1, 1)]");
    assert!(!ended.stderr.contains("s3c") && !sandbox.everything_written("workflow.yaml").contains("s3cret"));
}

#[test]
#[ignore = "heavy: takes seconds"]
fn dates_of_data_frames_stay_dates() {
    let code = "import pandas\n        day = pandas.to_datetime(item['n'].map(lambda n: f'2024-02-{n % 28 + 1:02}'))\n        \
        return pandas.DataFrame({'n': item['n'], 'at': day, 'zoned': day.dt.tz_localize('UTC'), 'day': day.dt.date.astype('date32[pyarrow]')})";
    let items = "{range: 400}";
    for db in both() {
        let text = loads(items, code, "}\n    batch_size: 200\n    batch_format: {x: pandas");
        let text = text.replace("batch_format: {x: pandas}", "batch_format: pandas");
        let text = text.replace("for_each: {range: 400}", "for_each: {csv: n.csv, types: infer}");
        let numbers: String = (0..400).map(|n| format!("{n}\n")).collect();
        let sandbox = db.sandbox(&text).file("n.csv", format!("n\n{numbers}"));
        sandbox.run(&[]).exits_with(0).says(&["load: 400 rows written"]);
        match &db {
            Db::Sqlite => assert_eq!(db.sql(&sandbox, "SELECT count(*), max(day) FROM t"), "[(400, '2024-02-28')]"),
            Db::Server(_) => {
                let types =
                    "SELECT string_agg(data_type, ',' ORDER BY ordinal_position) FROM information_schema.columns
                    WHERE table_name = 't'";
                let expected = "[('bigint,timestamp without time zone,timestamp with time zone,date',)]";
                assert_eq!(db.sql(&sandbox, types), expected);
                assert_eq!(db.sql(&sandbox, "SELECT count(*), max(day)::text FROM t"), "[(400, '2024-02-28')]");
            }
        }
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn replace_writes_all_results_of_an_incremental_run_and_keeps_a_table_that_a_view_needs() {
    let postgres = Postgres::start();
    let db = Db::Server(Box::new(postgres));
    let sandbox = db.sandbox(&loads("{lines: items.txt}", "return {'id': int(item)}", ", if_exists: replace, key: id"));
    let sandbox = sandbox.file("items.txt", "1\n2\n");
    sandbox.run(&["--incremental"]).exits_with(0);
    std::fs::write(sandbox.path().join("items.txt"), "1\n2\n3\n").unwrap();
    sandbox.run(&["--incremental"]).exits_with(0).says(&["load: 1 of 3 items will run", "load: 3 rows written"]);
    assert_eq!(db.sql(&sandbox, "SELECT count(*) FROM t"), "[(3,)]");
    db.sql(&sandbox, "CREATE VIEW v AS SELECT * FROM t");
    let ended = sandbox.run(&[]).exits_with(3);
    ended.says(&[
        "OutputError: cannot write table `t` of `",
        "other objects depend on it",
        "view v depends on table t",
    ]);
    assert_eq!(db.sql(&sandbox, "SELECT count(*) FROM v"), "[(3,)]");
    let left = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'batchmill_new%'";
    assert_eq!(db.sql(&sandbox, left), "[(0,)]", "the new table is gone");
    db.sql(&sandbox, "DROP VIEW v");
    sandbox.batchmill(&["resume", "latest"]).exits_with(0).says(&["load: 3 rows written"]);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_list_of_a_plain_step_is_its_rows_and_a_step_without_results_leaves_an_empty_table() {
    let workflow = "
steps:
  - name: list
    task: python
    inputs: {code: 'return [{\"a\": 1}, {\"a\": 2}, None]'}
    outputs: {sql: URL, table: list, path: out/list.csv}
  - {name: none, for_each: [], allow_empty: true, task: echo, inputs: {message: x}, outputs: {sql: URL, table: none}}
  - name: values
    for_each: [a, null, b]
    task: echo
    inputs: {message: '{{ item }}'}
    outputs: {sql: URL, table: values, if_exists: append}
  - name: more
    for_each: [[1, 2]]
    task: python
    inputs: {code: return str(item)}
    outputs: {sql: URL, table: values, if_exists: append}
";
    for db in both() {
        let sandbox = db.sandbox(workflow);
        let ended = sandbox.run(&[]).exits_with(0);
        ended.says(&["list: 2 rows written to table `list` of", "1 null result has no row", "none: 0 rows written"]);
        assert_eq!(db.sql(&sandbox, "SELECT a FROM list ORDER BY a"), "[(1,), (2,)]");
        assert_eq!(db.sql(&sandbox, "SELECT value FROM none"), "[]");
        assert_eq!(db.sql(&sandbox, "SELECT count(*), max(value) FROM \"values\""), "[(3, 'b')]");
        let twice = workflow.replace("table: none", "table: list").replace("fail", "replace");
        let sandbox = db.sandbox(&twice.replace("table: list", "table: other, if_exists: replace"));
        let says = ["step `list` of this run also writes to table `other` of `", "choose another table"];
        sandbox.run(&[]).exits_with(3).says(&says);
    }
}

#[test]
fn wrong_keys_have_their_places() {
    let refused = |outputs: &str, says: &[&str]| {
        let text =
            format!("steps:\n  - name: a\n    task: echo\n    inputs: {{message: x}}\n    outputs: {{{outputs}}}\n");
        Sandbox::with(&text)
            .batchmill(&["validate", "workflow.yaml"])
            .exits_with(2)
            .says(says)
            .says(&["workflow.yaml:5:"]);
    };
    refused("table: t", &["`table` requires `sql`"]);
    refused("name: x, if_exists: append", &["`if_exists` requires `sql`"]);
    refused("sql: 'sqlite:///a.db'", &["missing key `table`"]);
    refused("sql: 'sqlite:///a.db', tabel: t", &["unknown key `tabel`", "did you mean `table`?"]);
    refused("sql: 'sqlite:///a.db', table: t, if_exists: upsert", &["unknown value `upsert` for `if_exists`"]);
    refused("sql: 'sqlite:///a.db', table: t, key: [a, a]", &["`key` names column `a` twice"]);
    refused("sql: 'sqlite:///a.db', table: t, key: {a: 1}", &["`key`", "a column or a list of columns"]);
    refused("sql: '{{ steps.b.result }}', table: t", &["`steps.b` is not defined"]);
}

#[test]
fn the_rows_of_a_data_frame_are_rows_of_the_table_even_if_it_is_the_result_of_one_item() {
    let db = Db::Sqlite;
    let code = "import pandas; return pandas.DataFrame({'a': [item, item + 1]})";
    let sandbox = db.sandbox(&loads("[1, 5]", code, ""));
    sandbox.run(&[]).exits_with(0).says(&["load: 4 rows written to table `t`"]);
    assert_eq!(db.sql(&sandbox, "SELECT a FROM t ORDER BY a"), "[(1,), (2,), (5,), (6,)]");
}

#[test]
fn a_table_that_takes_the_place_of_another_leaves_rows_that_refer_to_it() {
    let db = Db::Sqlite;
    let sandbox = db.sandbox(&loads("[1, 2]", "return {'id': item}", ", key: id, if_exists: replace"));
    let tables = "CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3); \
                  CREATE TABLE r(x INTEGER REFERENCES t(id) ON DELETE CASCADE); INSERT INTO r VALUES (1), (3)";
    db.sql(&sandbox, tables);
    sandbox.run(&[]).exits_with(0);
    assert_eq!(db.sql(&sandbox, "SELECT x FROM r ORDER BY x"), "[(1,), (3,)]");
    assert_eq!(db.sql(&sandbox, "SELECT id FROM t ORDER BY id"), "[(1,), (2,)]");
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_table_that_took_the_place_of_the_one_that_was_written_is_left_alone() {
    for db in both() {
        let sandbox = db.sandbox(&loads("[1, 2]", "return {'id': item}", ""));
        sandbox.run(&[]).exits_with(0);
        db.sql(&sandbox, "DROP TABLE t; CREATE TABLE t(mine text); INSERT INTO t VALUES ('precious')");
        sandbox.batchmill(&["resume"]).exits_with(3).says(&["the table has 1 row", "but this step wrote 2"]);
        let rows = db.sql(&sandbox, "SELECT mine FROM t");
        assert!(rows.contains("precious"), "{rows}");
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn two_steps_with_one_table_are_refused_however_they_write_its_name() {
    for (db, names) in [(Db::Sqlite, ["t", "T"]), (Db::server(), ["t", "public.t"])] {
        let step = |name: &str, table: &str| {
            format!(
                "  - {{name: {name}, for_each: [1], task: python, inputs: {{code: \"return {{'a': item}}\"}}, \
                     outputs: {{sql: URL, table: {table}, if_exists: replace}}}}\n"
            )
        };
        let sandbox = db.sandbox(&format!("steps:\n{}{}", step("one", names[0]), step("two", names[1])));
        sandbox.run(&[]).exits_with(3).says(&["step `one` of this run also writes to"]);
    }
}

#[test]
fn places_that_cannot_keep_a_table_are_refused_and_no_password_is_shown() {
    let step = "steps:\n  - {name: s, for_each: [1], task: echo, inputs: {message: a}, outputs: ";
    for (outputs, says) in [
        ("{sql: 'sqlite:///:memory:', table: t}", "`:memory:` keeps nothing"),
        ("{sql: 'sqlite:///o.csv', table: t, path: o.csv}", "step `s` writes a file of results there"),
        ("{sql: 'sqlite:///o.db', table: Batchmill_written}", "in which batchmill notes what is written"),
        ("{sql: 'sqlite:///o.db', table: t, key: []}", "`key` is empty"),
    ] {
        let sandbox = Sandbox::with(&format!("{step}{outputs}}}\n"));
        sandbox.run(&[]).exits_with(2).says(&[says]);
    }
    let url = "{sql: 'postgresql://ada:s3cr3tPW@127.0.0.1:1/d', table: t}";
    let ended = Sandbox::with(&format!("{step}{url}}}\n")).run(&[]).exits_with(2);
    ended.says(&["postgresql://ada:********@127.0.0.1:1/d"]);
}
