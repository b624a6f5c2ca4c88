//! Engines that are killed while they write tables: each result is there exactly once in the end.

use crate::sql_outputs::Db;
use crate::support::Sandbox;
use postgres::NoTls;

/// So many results of so many bytes fill several parts.
const ITEMS: usize = 27;
const BYTES: usize = 1_000_000;

/// Numbers that look random, the same ones each time.
struct Seed(u64);

impl Seed {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// How many parts are written; none if that cannot be told yet.
enum Watch {
    Sqlite(std::path::PathBuf),
    Server(Box<postgres::Client>),
}

impl Watch {
    fn of(db: &Db, sandbox: &Sandbox) -> Self {
        match db {
            Db::Sqlite => Self::Sqlite(sandbox.path().join("out/a.db")),
            Db::Server(_) => Self::Server(Box::new(postgres::Client::connect(&db.url(), NoTls).unwrap())),
        }
    }

    fn parts(&mut self) -> Option<i64> {
        let sql = "SELECT count(*) FROM batchmill_written WHERE part > 0";
        match self {
            Self::Sqlite(path) => {
                let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
                rusqlite::Connection::open_with_flags(path, flags).ok()?.query_row(sql, [], |row| row.get(0)).ok()
            }
            Self::Server(client) => Some(client.query_one(sql, &[]).ok()?.get(0)),
        }
    }
}

fn workflow(if_exists: &str, more: &str, fails: bool) -> String {
    let fail = if fails {
        "\n        if item % 7 == 3 and not __import__('os').path.exists('mended'): raise ValueError('no')"
    } else {
        ""
    };
    format!(
        "steps:
  - name: load
    for_each: {{range: {ITEMS}}}
    batch_size: 2
    max_parallel: 2
    continue_on_error: true
    task: python
    inputs:
      code: |
        open('ran', 'a').write(f'{{item}}\\n'){fail}
        return {{'id': item, 'text': 'x' * {BYTES}}}
    outputs: {{sql: URL, table: t, if_exists: {if_exists}{more}}}
"
    )
}

/// Kills the engine again and again, at a random moment from when some parts are written, and checks the table in the end.
fn survives(db: &Db, (if_exists, more, fails): (&str, &str, bool), kills: u64, seed: &mut Seed) -> u64 {
    let sandbox = db.sandbox(&workflow(if_exists, more, fails));
    db.sql(&sandbox, "DROP TABLE IF EXISTS t; DROP TABLE IF EXISTS batchmill_written; SELECT 1");
    if if_exists == "replace" {
        db.sql(&sandbox, "CREATE TABLE t (id int); INSERT INTO t VALUES (-1); SELECT 1");
    }
    let mut watch = Watch::of(db, &sandbox);
    let mut arguments = vec!["run", "workflow.yaml", "--progress", "none", "--jobs", "2"];
    let mut killed = 0;
    while killed < kills {
        let mut engine = sandbox.command(&arguments).spawn().unwrap();
        let until = watch.parts().unwrap_or(0) + i64::try_from(seed.below(3)).unwrap();
        while watch.parts().unwrap_or(0) < until && engine.try_wait().unwrap().is_none() {}
        for _ in 0..seed.below(60) {
            watch.parts();
        }
        if engine.try_wait().unwrap().is_some() {
            break;
        }
        engine.kill().unwrap();
        engine.wait().unwrap();
        killed += 1;
        // Before the first item, there may be no run to resume.
        if sandbox.exists("ran") {
            arguments = vec!["resume", "latest", "--progress", "none"];
        }
    }
    sandbox.has_no_process();
    let ended = sandbox.batchmill(&["resume", "latest"]);
    assert_eq!(ended.code, Some(i32::from(fails)), "{}", ended.stderr);
    let all = "SELECT count(*), count(DISTINCT id), sum(length(text)) FROM t";
    let expected = |items: usize| format!("[({items}, {items}, {})]", items * BYTES);
    let failed = if fails { (0..ITEMS).filter(|item| item % 7 == 3).count() } else { 0 };
    let here = |ended: &str| format!("{if_exists}{more}, {killed} kills, {ended}");
    assert_eq!(db.sql(&sandbox, all), expected(ITEMS - failed), "{}", here("resumed"));
    if fails {
        std::fs::write(sandbox.path().join("mended"), "").unwrap();
        sandbox.batchmill(&["retry", "latest"]).exits_with(0);
        assert_eq!(db.sql(&sandbox, all), expected(ITEMS), "{}", here("retried"));
    }
    killed
}

#[test]
#[ignore = "heavy: takes seconds"]
fn each_result_is_in_the_table_once_after_a_kill() {
    let mut seed = Seed(11);
    let kills = survives(&Db::Sqlite, ("append", "", false), 3, &mut seed);
    assert!(kills > 0);
    let kills = survives(&Db::server(), ("fail", "", true), 3, &mut seed);
    assert!(kills > 0);
}

#[test]
#[ignore = "heavy: kills the engine again and again"]
fn each_result_is_in_the_table_once_however_often_the_engine_is_killed() {
    let server = Db::server();
    let (mut seed, mut kills) = (Seed(23), 0);
    // A quick machine may end a run before it is killed, so there are as many rounds as the kills need.
    while kills <= 50 {
        for db in [&Db::Sqlite, &server] {
            for (if_exists, more) in [("append", ""), ("append", ", key: id"), ("fail", ""), ("replace", "")] {
                let fails = seed.below(2) == 0;
                kills += survives(db, (if_exists, more, fails), 8, &mut seed);
            }
        }
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_connection_that_is_lost_fails_the_step_and_resume_writes_the_rest() {
    let db = Db::server();
    let sandbox = db.sandbox(&workflow("append", "", false));
    let mut watch = Watch::of(&db, &sandbox);
    let mut engine = sandbox.command(&["run", "workflow.yaml", "--progress", "none"]).spawn().unwrap();
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'batchmill'";
    while watch.parts().unwrap_or(0) == 0 && engine.try_wait().unwrap().is_none() {}
    db.sql(&sandbox, end);
    let code = engine.wait().unwrap().code();
    assert!(matches!(code, Some(0 | 3)), "{code:?}");
    sandbox.batchmill(&["resume", "latest"]).exits_with(0);
    let all = db.sql(&sandbox, "SELECT count(*), count(DISTINCT id), sum(length(text)) FROM t");
    assert_eq!(all, format!("[({ITEMS}, {ITEMS}, {})]", ITEMS * BYTES));
    assert_eq!(sandbox.read("ran").lines().count(), ITEMS);
}
