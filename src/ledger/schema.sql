CREATE TABLE run (id TEXT NOT NULL, workflow TEXT NOT NULL, path TEXT NOT NULL, folder TEXT NOT NULL, params TEXT NOT NULL,
    batchmill TEXT NOT NULL, status TEXT NOT NULL, started INTEGER NOT NULL, finished INTEGER, incremental TEXT,
    given TEXT, python TEXT, state TEXT, params_hash TEXT, max_items INTEGER, baseline TEXT, checksum INTEGER);
CREATE TABLE executions (id INTEGER PRIMARY KEY, pid INTEGER NOT NULL, started INTEGER NOT NULL, finished INTEGER,
    source TEXT, machine TEXT, checksum INTEGER);
CREATE TABLE steps (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, is_batch INTEGER NOT NULL, status TEXT NOT NULL,
    moves INTEGER NOT NULL DEFAULT 0, total INTEGER, succeeded INTEGER, failed INTEGER, skipped INTEGER, retried INTEGER,
    duration_us INTEGER, failure TEXT, started INTEGER NOT NULL, finished INTEGER, ledger_us INTEGER, bad_rows INTEGER,
    unchanged INTEGER, fingerprint INTEGER, checksum INTEGER);
CREATE TABLE fingerprints (id INTEGER PRIMARY KEY, step INTEGER NOT NULL, version INTEGER NOT NULL, parts TEXT NOT NULL,
    checksum INTEGER, UNIQUE (step, version, parts));
CREATE TABLE batches (step INTEGER NOT NULL, id INTEGER NOT NULL, number INTEGER NOT NULL, attempt INTEGER NOT NULL,
    first INTEGER NOT NULL, count INTEGER NOT NULL, indexes BLOB, is_list INTEGER NOT NULL, offset INTEGER NOT NULL,
    length INTEGER NOT NULL, keys_offset INTEGER NOT NULL, duration_us INTEGER NOT NULL, execution INTEGER NOT NULL,
    checksum INTEGER NOT NULL, keys_run INTEGER NOT NULL, form TEXT NOT NULL, fingerprint INTEGER,
    keys_checksum INTEGER, PRIMARY KEY (step, id)) WITHOUT ROWID;
CREATE TABLE failures (id INTEGER PRIMARY KEY, step INTEGER NOT NULL, item_index INTEGER NOT NULL, key TEXT NOT NULL,
    item TEXT NOT NULL, attempts INTEGER NOT NULL, kind TEXT NOT NULL, type TEXT NOT NULL, message TEXT NOT NULL,
    detail TEXT, handler TEXT, execution INTEGER NOT NULL, duration_us INTEGER, left_out INTEGER NOT NULL DEFAULT 0,
    fingerprint INTEGER, checksum INTEGER);
CREATE INDEX failures_by_key ON failures (step, key);
CREATE TABLE attempts (id INTEGER PRIMARY KEY, step INTEGER NOT NULL, key TEXT NOT NULL, attempts INTEGER NOT NULL,
    fingerprint INTEGER, checksum INTEGER);
CREATE INDEX attempts_by_key ON attempts (step, key);
CREATE TABLE outputs (step INTEGER PRIMARY KEY, written TEXT NOT NULL);
CREATE TABLE item_files (step INTEGER NOT NULL, path BLOB NOT NULL, key BLOB NOT NULL, state TEXT,
    checksum INTEGER, PRIMARY KEY (step, path)) WITHOUT ROWID;
CREATE TABLE measurements (step INTEGER NOT NULL, execution INTEGER NOT NULL, part TEXT NOT NULL, number INTEGER NOT NULL,
    data BLOB NOT NULL, checksum INTEGER, PRIMARY KEY (step, execution, part, number)) WITHOUT ROWID;
CREATE TABLE commands (id INTEGER PRIMARY KEY, execution INTEGER NOT NULL, at INTEGER NOT NULL, command TEXT NOT NULL,
    answer TEXT NOT NULL, checksum INTEGER);
